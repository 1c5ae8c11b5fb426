//! A file of tests as its author wrote it.
//!
//! Owns its keys and the kinds of their values. What the names mean is checked against the
//! playbook, in `trial`.

use jiff::Timestamp;

use crate::action_spec::ErrorKind;
use crate::diagnostic::{Diagnostic, Source};
use crate::duration::Span;
use crate::trial::{
    ANSWERS_MAX, Answer, Answers, Layer, Mock, Named, Part, REPLAY_TIMES_MAX, Replay, TRIALS_MAX, Trial,
    TrialFile, TrialMode,
};
use crate::yaml::{Data, Field, Node};

use super::keys::Keys;
use super::reader::Reader;
use super::{LINE_CHARACTERS_MAX, Placed};
use indexmap::IndexMap;

mod expectations;
mod people;

const FILE: Keys = Keys {
    what: "a file of tests",
    known: &["playbook", "given", "tests"],
    unbuilt: &[],
    foreign: &[
        ("id", "playbook"),
        ("uses", "playbook"),
        ("cases", "tests"),
        ("defaults", "given"),
    ],
};

const GIVEN: Keys = Keys {
    what: "`given`",
    known: &[
        "entity",
        "incident",
        "clock",
        "inputs",
        "mocks",
        "approvals",
        "mode",
        "started_by",
    ],
    unbuilt: &[],
    foreign: &[("now", "clock"), ("alert", "incident"), ("answers", "mocks")],
};

const TRIAL: Keys = Keys {
    what: "a test",
    known: &[
        "name",
        "entity",
        "incident",
        "clock",
        "inputs",
        "mocks",
        "approvals",
        "mode",
        "started_by",
        "replay",
        "crash_after",
        "expect",
    ],
    unbuilt: &[],
    foreign: &[
        ("now", "clock"),
        ("alert", "incident"),
        ("answers", "mocks"),
        ("given", "mocks"),
        ("then", "expect"),
    ],
};

const REPLAY: Keys = Keys {
    what: "`replay`",
    known: &["incident", "times", "over"],
    unbuilt: &[],
    foreign: &[("count", "times"), ("within", "over")],
};

/// The fields of one map.
type Fields<'n> = IndexMap<&'n str, &'n Field>;

/// Reads a tree of tests. Findings come in order of place.
pub(crate) fn read(source: &Source, root: &Node) -> (Option<TrialFile>, Vec<Diagnostic>) {
    let mut reader = Reader::new(source);
    let file = file(&mut reader, root);
    let mut findings = reader.into_findings();
    findings.sort_by_key(|finding| finding.primary.place.start);
    (file, findings)
}

fn file(reader: &mut Reader<'_>, root: &Node) -> Option<TrialFile> {
    if root.data == Data::Null {
        let finding = reader
            .error("PB110", &(0..0), "the file is empty")
            .help("start with `playbook:`, `given:` and `tests:`");
        reader.report(finding);
        return None;
    }
    let fields = reader.map(root, &FILE)?;
    let playbook = match fields.get("playbook") {
        Some(field) => reader.text(&field.value, "playbook", LINE_CHARACTERS_MAX),
        None => {
            reader.missing(&root.place, "a file of tests", "playbook", "phishing-report");
            None
        }
    };
    let given = fields
        .get("given")
        .and_then(|field| reader.map(&field.value, &GIVEN))
        .map(|fields| part(reader, &fields))
        .unwrap_or_default();
    let trials = match fields.get("tests") {
        Some(field) => trials(reader, &field.value),
        None => {
            reader.missing(
                &root.place,
                "a file of tests",
                "tests",
                "[{name: it blocks, expect: {...}}]",
            );
            Vec::new()
        }
    };
    Some(TrialFile {
        playbook: playbook?,
        given,
        trials,
    })
}

fn trials(reader: &mut Reader<'_>, node: &Node) -> Vec<Trial> {
    let nodes = reader.list(node, "tests", "{name: it blocks, expect: {status: succeeded}}");
    if nodes.len() > TRIALS_MAX {
        reader.over_limit(&node.place, "tests in one file", nodes.len(), TRIALS_MAX);
        return Vec::new();
    }
    if nodes.is_empty() && matches!(node.data, Data::List(_)) {
        let finding = reader.error("PB112", &node.place, "`tests` is empty: nothing is proved");
        reader.report(finding);
    }
    let trials: Vec<Trial> = nodes.iter().filter_map(|node| trial(reader, node)).collect();
    for (index, trial) in trials.iter().enumerate() {
        let first = trials
            .iter()
            .take(index)
            .find(|other| other.name.value == trial.name.value);
        if let Some(first) = first {
            let finding = reader
                .error("PB108", &trial.name.place, "two tests have this name")
                .evidence(reader.source(), first.name.place.clone(), "the first one");
            reader.report(finding);
        }
    }
    trials
}

fn trial(reader: &mut Reader<'_>, node: &Node) -> Option<Trial> {
    let fields = reader.map(node, &TRIAL)?;
    let name = match fields.get("name") {
        Some(field) => reader.text(&field.value, "name", LINE_CHARACTERS_MAX),
        None => {
            reader.missing(&node.place, "a test", "name", "a bad link is blocked");
            None
        }
    };
    let own = part(reader, &fields);
    let replay = fields
        .get("replay")
        .and_then(|field| replay(reader, &field.value));
    let crash_after = fields
        .get("crash_after")
        .and_then(|field| reader.text(&field.value, "crash_after", LINE_CHARACTERS_MAX));
    if let (Some(_), Some(crash)) = (&replay, &crash_after) {
        let finding = reader
            .error(
                "PB112",
                &crash.place,
                "`crash_after` and `replay` do not go together",
            )
            .help("write two tests");
        reader.report(finding);
    }
    let expect = match fields.get("expect") {
        Some(field) => expectations::expect(reader, field),
        None => {
            reader.missing(
                &node.place,
                "a test",
                "expect",
                "{status: succeeded, effects: []}",
            );
            None
        }
    };
    Some(Trial {
        name: name?,
        own,
        replay,
        crash_after,
        expect: expect?,
    })
}

fn part(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Part {
    let value = |key: &str| fields.get(key).map(|field| &field.value);
    Part {
        entity: value("entity").and_then(|node| layer(reader, node, "entity")),
        incident: value("incident").and_then(|node| layer(reader, node, "incident")),
        clock: value("clock")
            .and_then(|node| reader.word::<Timestamp>(node, "clock", "clock: 2026-03-02T03:04:00+01:00"))
            .map(|placed| placed.value),
        inputs: value("inputs")
            .map(|node| values(reader, node, "inputs"))
            .unwrap_or_default(),
        mocks: value("mocks").map(|node| mocks(reader, node)).unwrap_or_default(),
        approvals: value("approvals")
            .map(|node| people::approvals(reader, node))
            .unwrap_or_default(),
        mode: value("mode").and_then(|node| mode(reader, node)),
        started_by: value("started_by").and_then(|node| reader.text(node, "started_by", LINE_CHARACTERS_MAX)),
    }
}

/// A name, or fields that are laid over what is below.
fn layer(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Layer> {
    if matches!(node.data, Data::Map(_)) {
        return Some(Layer::Over(Placed {
            value: node.to_json(),
            place: node.place.clone(),
        }));
    }
    if node.text().is_some() {
        return reader.text(node, what, LINE_CHARACTERS_MAX).map(Layer::Named);
    }
    reader.wrong_kind(
        node,
        what,
        "a name, a file or a map",
        &format!("{what}: {{tlp: red}}"),
    );
    None
}

fn mode(reader: &mut Reader<'_>, node: &Node) -> Option<TrialMode> {
    match node.text() {
        Some("auto") => Some(TrialMode::Auto),
        Some("shadow") => Some(TrialMode::Shadow),
        Some("suggest") => Some(TrialMode::Suggest),
        _ => {
            let finding = reader
                .error("PB112", &node.place, "`mode` is `auto`, `shadow` or `suggest`")
                .help("without it a test runs in mode `auto`");
            reader.report(finding);
            None
        }
    }
}

fn replay(reader: &mut Reader<'_>, node: &Node) -> Option<Replay> {
    let fields = reader.map(node, &REPLAY)?;
    let incident = fields
        .get("incident")
        .and_then(|field| layer(reader, &field.value, "incident"));
    let times = match fields.get("times") {
        Some(field) => reader.integer(&field.value, "times", (1, i64::from(REPLAY_TIMES_MAX))),
        None => {
            reader.missing(&node.place, "`replay`", "times", "10000");
            None
        }
    };
    let over = match fields.get("over") {
        Some(field) => reader.word::<Span>(&field.value, "over", "over: 5m"),
        None => {
            reader.missing(&node.place, "`replay`", "over", "5m");
            None
        }
    };
    Some(Replay {
        incident,
        times: u32::try_from(times?).ok()?,
        over: over?.value,
    })
}

/// The mocks by step.
fn mocks(reader: &mut Reader<'_>, node: &Node) -> Vec<Mock> {
    let Data::Map(fields) = &node.data else {
        reader.wrong_kind(
            node,
            "mocks",
            "a map of steps",
            "mocks: {links: {verdict: malicious}}",
        );
        return Vec::new();
    };
    let mut mocks = Vec::with_capacity(fields.len());
    for field in fields {
        let step = Placed {
            value: field.key.clone(),
            place: field.key_place.clone(),
        };
        if step.value.contains('.') {
            let finding = reader
                .error(
                    "PB199",
                    &step.place,
                    "a mock inside a sub-playbook is not built yet",
                )
                .help("mock the step of this playbook by its outputs");
            reader.report(finding);
            continue;
        }
        let answers = match &field.value.data {
            Data::List(items) if items.is_empty() => {
                let finding = reader
                    .error(
                        "PB112",
                        &field.value.place,
                        "a list of answers needs at least one",
                    )
                    .help("the last one repeats");
                reader.report(finding);
                None
            }
            Data::List(items) if items.len() > ANSWERS_MAX => {
                reader.over_limit(
                    &field.value.place,
                    "answers of one mock",
                    items.len(),
                    ANSWERS_MAX,
                );
                None
            }
            Data::List(items) => items
                .iter()
                .map(|item| answer(reader, item, &step.value))
                .collect::<Option<Vec<_>>>()
                .map(Answers::InTurn),
            _ => answer(reader, &field.value, &step.value).map(Answers::Always),
        };
        mocks.extend(answers.map(|answers| Mock { step, answers }));
    }
    mocks
}

/// `{error: kind}`, or outputs.
fn answer(reader: &mut Reader<'_>, node: &Node, step: &str) -> Option<Answer> {
    let Data::Map(fields) = &node.data else {
        reader.wrong_kind(
            node,
            step,
            "outputs or a list of answers",
            &format!("{step}: {{verdict: malicious}}"),
        );
        return None;
    };
    let [only] = fields.as_slice() else {
        return Some(Answer::Outputs(named(node)));
    };
    if only.key != "error" {
        return Some(Answer::Outputs(named(node)));
    }
    let known = ErrorKind::ALL.iter().copied();
    let kind = only
        .value
        .text()
        .and_then(|word| known.clone().find(|kind| kind.word() == word));
    if kind.is_none() {
        let words: Vec<&str> = known.map(ErrorKind::word).collect();
        let found = only.value.text().unwrap_or_default();
        let help = crate::suggestion::did_you_mean(found, words.iter().copied())
            .unwrap_or_else(|| format!("one of {}", words.join(", ")));
        let finding = reader
            .error("PB112", &only.value.place, "`error` is the kind of a failure")
            .help(help);
        reader.report(finding);
    }
    kind.map(Answer::Error)
}

/// The fields of a map as named values.
fn values(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<Named> {
    if !matches!(node.data, Data::Map(_)) {
        reader.wrong_kind(node, what, "a map", &format!("{what}: {{name: value}}"));
    }
    named(node)
}

fn named(node: &Node) -> Vec<Named> {
    let Data::Map(fields) = &node.data else {
        return Vec::new();
    };
    fields
        .iter()
        .map(|field| Named {
            name: Placed {
                value: field.key.clone(),
                place: field.key_place.clone(),
            },
            value: field.value.to_json(),
            place: field.value.place.clone(),
        })
        .collect()
}
