//! `expect`: what must come of a test.

use crate::document::Placed;
use crate::duration::Span;
use crate::suggestion::did_you_mean;
use crate::trial::{Expect, STATUSES, WantedEffect};
use crate::yaml::{Data, Field, Node};

use super::super::LINE_CHARACTERS_MAX;
use super::super::keys::Keys;
use super::super::reader::Reader;
use super::{named, values};

const EXPECT: Keys = Keys {
    what: "`expect`",
    known: &[
        "status",
        "outputs",
        "effects",
        "effects_include",
        "effects_count",
        "never",
        "ran",
        "ran_includes",
        "skipped",
        "refused",
        "waiting_on",
        "attempts",
        "undo",
        "undone",
        "clock_advanced",
        "runs",
        "attached",
    ],
    unbuilt: &[],
    foreign: &[
        ("result", "status"),
        ("output", "outputs"),
        ("steps", "ran"),
        ("not_effects", "never"),
        ("duration", "clock_advanced"),
    ],
};

/// The largest count that is written in a test.
const COUNT_MAX: i64 = 1_000_000;

pub(super) fn expect(reader: &mut Reader<'_>, field: &Field) -> Option<Expect> {
    let fields = reader.map(&field.value, &EXPECT)?;
    if fields.is_empty() {
        let finding = reader
            .error("PB112", &field.key_place, "`expect` is empty: nothing is proved")
            .help("write for example `status: succeeded` and `effects: []`");
        reader.report(finding);
    }
    let value = |key: &str| fields.get(key).map(|field| &field.value);
    let effects = value("effects").map(|node| Placed {
        value: effects(reader, node, "effects"),
        place: node.place.clone(),
    });
    let ran = value("ran").map(|node| Placed {
        value: words(reader, node, "ran"),
        place: node.place.clone(),
    });
    let list = |reader: &mut Reader<'_>, key: &str| {
        value(key)
            .map(|node| words(reader, node, key))
            .unwrap_or_default()
    };
    let never = list(reader, "never");
    let ran_includes = list(reader, "ran_includes");
    let reasons = |reader: &mut Reader<'_>, key: &str| {
        value(key)
            .map(|node| reasons(reader, node, key))
            .unwrap_or_default()
    };
    let skipped = reasons(reader, "skipped");
    let refused = reasons(reader, "refused");
    let waiting_on = reasons(reader, "waiting_on");
    let counts = |reader: &mut Reader<'_>, key: &str| {
        value(key)
            .map(|node| counts(reader, node, key))
            .unwrap_or_default()
    };
    let effects_count = counts(reader, "effects_count");
    let attempts = counts(reader, "attempts");
    let undone = value("undone").map(|node| Placed {
        value: words(reader, node, "undone"),
        place: node.place.clone(),
    });
    let count = |reader: &mut Reader<'_>, key: &str| value(key).and_then(|node| count(reader, node, key));
    let runs = count(reader, "runs");
    let attached = count(reader, "attached");
    Some(Expect {
        status: value("status").and_then(|node| status(reader, node)),
        outputs: value("outputs")
            .map(|node| values(reader, node, "outputs"))
            .unwrap_or_default(),
        effects,
        effects_include: value("effects_include")
            .map(|node| self::effects(reader, node, "effects_include"))
            .unwrap_or_default(),
        effects_count,
        never,
        ran,
        ran_includes,
        skipped,
        refused,
        waiting_on,
        attempts,
        undo: value("undo").map(|node| ends(reader, node)).unwrap_or_default(),
        undone,
        clock_advanced: value("clock_advanced")
            .and_then(|node| reader.word::<Span>(node, "clock_advanced", "clock_advanced: 12h")),
        runs,
        attached,
    })
}

fn status(reader: &mut Reader<'_>, node: &Node) -> Option<Placed<String>> {
    let word = reader.text(node, "status", LINE_CHARACTERS_MAX)?;
    if STATUSES.contains(&word.value.as_str()) {
        return Some(word);
    }
    let help = did_you_mean(&word.value, STATUSES.iter().copied())
        .unwrap_or_else(|| format!("one of {}", STATUSES.join(", ")));
    let finding = reader
        .error("PB112", &node.place, "no run has this status")
        .help(help);
    reader.report(finding);
    None
}

/// `action`, or `action: {parameter: value}`.
fn effects(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<WantedEffect> {
    let items = reader.list(node, what, "block.ip: {ip: 192.0.2.1}");
    items
        .iter()
        .filter_map(|item| {
            let only = match &item.data {
                Data::Map(fields) => match fields.as_slice() {
                    [only] => Some(only),
                    _ => None,
                },
                _ => None,
            };
            match (item.text(), only) {
                (Some(action), _) => Some(WantedEffect {
                    action: placed(action, item),
                    parameters: Vec::new(),
                }),
                (_, Some(field)) if matches!(field.value.data, Data::Map(_) | Data::Null) => {
                    Some(WantedEffect {
                        action: Placed {
                            value: field.key.clone(),
                            place: field.key_place.clone(),
                        },
                        parameters: named(&field.value),
                    })
                }
                _ => {
                    reader.wrong_kind(
                        item,
                        what,
                        "actions, alone or with parameters",
                        &format!("{what}: [ticket.open, {{block.ip: {{ip: 192.0.2.1}}}}]"),
                    );
                    None
                }
            }
        })
        .collect()
}

fn placed(text: &str, node: &Node) -> Placed<String> {
    Placed {
        value: text.to_owned(),
        place: node.place.clone(),
    }
}

/// A list of words.
fn words(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<Placed<String>> {
    let items = reader.list(node, what, "name");
    items
        .iter()
        .filter_map(|item| reader.text(item, what, LINE_CHARACTERS_MAX))
        .collect()
}

/// Steps, alone in a list or each with words of its reason.
fn reasons(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<(Placed<String>, Option<String>)> {
    let Data::Map(fields) = &node.data else {
        return words(reader, node, what)
            .into_iter()
            .map(|step| (step, None))
            .collect();
    };
    fields
        .iter()
        .filter_map(|field| {
            let step = Placed {
                value: field.key.clone(),
                place: field.key_place.clone(),
            };
            let reason = reader.text(
                &field.value,
                &field.key,
                crate::document::DESCRIPTION_CHARACTERS_MAX,
            )?;
            Some((step, Some(reason.value)))
        })
        .collect()
}

/// Steps, each with the time after which what it did ends.
fn ends(reader: &mut Reader<'_>, node: &Node) -> Vec<(Placed<String>, Span)> {
    let Data::Map(fields) = &node.data else {
        reader.wrong_kind(node, "undo", "a map of steps", "undo: {block: 24h}");
        return Vec::new();
    };
    fields
        .iter()
        .filter_map(|field| {
            let span: Placed<Span> = reader.word(&field.value, &field.key, "block: 24h")?;
            let step = Placed {
                value: field.key.clone(),
                place: field.key_place.clone(),
            };
            Some((step, span.value))
        })
        .collect()
}

fn counts(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<(Placed<String>, u32)> {
    let Data::Map(fields) = &node.data else {
        reader.wrong_kind(node, what, "a map of counts", &format!("{what}: {{name: 1}}"));
        return Vec::new();
    };
    fields
        .iter()
        .filter_map(|field| {
            let number = count(reader, &field.value, &field.key)?;
            Some((
                Placed {
                    value: field.key.clone(),
                    place: field.key_place.clone(),
                },
                number.value,
            ))
        })
        .collect()
}

fn count(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Placed<u32>> {
    let number = reader.integer(node, what, (0, COUNT_MAX))?;
    Some(Placed {
        value: u32::try_from(number).ok()?,
        place: node.place.clone(),
    })
}
