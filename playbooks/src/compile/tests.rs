//! Tests of compile: behaviour at its edges and against hostile input.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::plan::{Edge, Node, STEPS_MAX, Section};

pub(crate) mod catalogue;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn templates_below(folder: &Path) -> IndexMap<String, String> {
    let mut templates = BTreeMap::new();
    if let Ok(entries) = fs::read_dir(folder.join("mail")) {
        for entry in entries {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            templates.insert(format!("mail/{stem}"), fs::read_to_string(&path).unwrap());
        }
    }
    templates.into_iter().collect()
}

/// One line a finding, with its evidence, help and repair below it, indented.
fn short(compilation: &Compilation) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for finding in &compilation.diagnostics {
        let at = |label: &crate::diagnostic::Label| {
            let (line, column) = label.source.line_column(label.place.start);
            format!("{}:{line}:{column}", label.source.name)
        };
        let level = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let _ = writeln!(
            out,
            "{level}[{}] {}: {}",
            finding.code,
            at(&finding.primary),
            finding.message
        );
        let marked = finding
            .primary
            .source
            .text
            .get(finding.primary.place.clone())
            .unwrap_or("");
        let _ = write!(out, "  at `{}`", marked.lines().next().unwrap_or(""));
        if !finding.primary.text.is_empty() {
            let _ = write!(out, ": {}", finding.primary.text);
        }
        out.push('\n');
        for label in &finding.secondary {
            let _ = writeln!(out, "  see {}: {}", at(label), label.text);
        }
        for help in &finding.help {
            let _ = writeln!(out, "  help: {help}");
        }
        for note in &finding.notes {
            let _ = writeln!(out, "  note: {note}");
        }
        if let Some(fix) = &finding.fix {
            let _ = writeln!(out, "  fix: {}", fix.replacement);
        }
    }
    out
}

fn example(name: &str, with_operator: bool) -> Compilation {
    let folder = folder("playbooks").join(name);
    let bundle = Bundle {
        name: format!("{name}.yaml"),
        playbook: fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap(),
        templates: templates_below(&folder.join("templates")),
    };
    let table = catalogue::table();
    let operator = catalogue::operator();
    compile(
        &bundle,
        Environment {
            catalog: &table,
            operator: with_operator.then_some(&operator),
        },
    )
}

#[test]
fn the_example_playbooks_compile_without_a_finding() {
    for name in ["phishing-report", "ids-triage"] {
        for with_operator in [false, true] {
            let compilation = example(name, with_operator);
            assert_eq!(short(&compilation), "", "{name}");
            assert!(compilation.plan.is_some());
        }
    }
}

#[test]
fn order_follows_from_data() {
    let plan = example("phishing-report", true).plan.unwrap();
    let waits = |id: &str| plan.steps[id].waits_for.clone();
    let step = |id: &str| Node::Step(id.to_owned());
    let name = |id: &str| Node::Let(id.to_owned());
    assert_eq!(waits("parts"), BTreeMap::new());
    assert_eq!(waits("links"), BTreeMap::from([(step("parts"), Edge::Needs)]));
    assert_eq!(
        waits("block"),
        BTreeMap::from([(name("verdict"), Edge::Needs), (name("bad_domains"), Edge::Needs)])
    );
    assert_eq!(
        waits("record"),
        BTreeMap::new(),
        "what it reads is over before `finally`"
    );
    assert_eq!(plan.steps["record"].section, Section::Finally);
    let lets: Vec<&String> = plan.lets.keys().collect();
    let position = |id: &str| lets.iter().position(|known| *known == id).unwrap();
    assert!(position("bad_links") < position("bad_domains"));
    assert!(position("unsure") < position("verdict"));
    assert_eq!(plan.templates.len(), 4);
    assert_eq!(plan.revision.len(), 64);
}

/// Every file of `tests/cases` gives exactly the findings written beside it. `UPDATE=1` rewrites
/// them.
#[test]
fn cases_give_their_findings() {
    let table = catalogue::table();
    let operator = catalogue::operator();
    let templates = templates_below(&folder("cases").join("templates"));
    #[expect(
        clippy::disallowed_methods,
        reason = "tests may be told to rewrite what they expect"
    )]
    let update = std::env::var("UPDATE").is_ok();
    let mut paths: Vec<PathBuf> = fs::read_dir(folder("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    let mut wrong = Vec::new();
    for path in &paths {
        let bundle = Bundle {
            name: "case.yaml".to_owned(),
            playbook: fs::read_to_string(path).unwrap(),
            templates: templates.clone(),
        };
        let found = short(&compile(
            &bundle,
            Environment {
                catalog: &table,
                operator: Some(&operator),
            },
        ));
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("{}\n{found}", path.display()));
        }
        // A case is named after a code that it must give.
        let code = path
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .split('-')
            .next()
            .unwrap();
        if !found.contains(&format!("[{code}]")) {
            wrong.push(format!("{} does not give {code}:\n{found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(paths.len() > 40 || update, "{}", paths.len());
}

/// Small damage to real playbooks gives findings or a plan, never a panic.
#[test]
fn damaged_playbooks_do_not_panic() {
    let table = catalogue::table();
    let operator = catalogue::operator();
    let environment = Environment {
        catalog: &table,
        operator: Some(&operator),
    };
    let pieces = [
        "", " ", "{{", "}}", "${{", "'", "\"", ":", "\n", "[", "]", "{", "#", "!", "é", "steps.", "has(",
        "\t",
    ];
    for name in ["phishing-report", "ids-triage"] {
        let folder = folder("playbooks").join(name);
        let text = fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
        let templates = templates_below(&folder.join("templates"));
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for round in 0..150_usize {
            let start = places[round * 7919 % places.len()];
            let end = places[(round * 7919 + round % 5) % places.len()].max(start);
            let piece = pieces[round % pieces.len()];
            let playbook = format!("{}{piece}{}", &text[..start], &text[end..]);
            let bundle = Bundle {
                name: format!("{name}.yaml"),
                playbook,
                templates: templates.clone(),
            };
            let compilation = compile(&bundle, environment);
            let failed = compilation
                .diagnostics
                .iter()
                .any(|finding| finding.level == Level::Error);
            assert_eq!(compilation.plan.is_none(), failed, "{}", short(&compilation));
        }
    }
}

#[test]
fn lets_and_for_each_find_their_order_whatever_the_file_says() {
    let plan = example("ids-triage", false).plan.unwrap();
    let lets: Vec<&String> = plan.lets.keys().collect();
    let position = |id: &str| lets.iter().position(|known| *known == id).unwrap();
    assert!(position("reputation") < position("score"));
    assert!(position("score") < position("priority"));
    let score = &plan.steps["ticket"].waits_for;
    assert_eq!(score.get(&Node::Let("done".to_owned())), Some(&Edge::Needs));
    let done = plan
        .graph
        .node_indices()
        .find(|index| plan.graph[*index] == Node::Let("done".to_owned()));
    let incoming: Vec<Edge> = plan
        .graph
        .edges_directed(done.unwrap(), petgraph::Direction::Incoming)
        .map(|edge| *petgraph::visit::EdgeRef::weight(&edge))
        .collect();
    assert_eq!(
        incoming,
        [Edge::Guarded],
        "`has(steps.block.ip)` waits until the block is settled in any way"
    );
}

/// A playbook of the largest size: chains, lets, conditions, lists.
fn largest() -> String {
    use std::fmt::Write;
    let mut text = "id: case\nname: Case\nversion: 1\ndescription: Large.\nowner: o\n\
                    trigger: {incident: [ids-alert]}\nlimits: {pap: green}\nsteps:\n"
        .to_owned();
    for number in 0..STEPS_MAX {
        let before = number.saturating_sub(1);
        let address = if number == 0 {
            "incident.network.source_ip".to_owned()
        } else {
            format!("steps.s{before}.ip")
        };
        let _ = write!(
            text,
            "  s{number}:\n    name: Look at {{{{incident.title}}}}\n    uses: enrich.ip\n    with:\n      ip: ${{{{ {address} }}}}\n"
        );
    }
    text += "let:\n";
    for number in 0..STEPS_MAX {
        let _ = writeln!(
            text,
            "  l{number}: \"steps.s{number}.vpn || default(steps.s{number}.score, 0) > 50\""
        );
    }
    text += "outputs:\n  all: \"";
    text += &(0..40)
        .map(|number| format!("l{number}"))
        .collect::<Vec<_>>()
        .join(" || ");
    text + "\"\n"
}

#[test]
fn the_largest_playbook_compiles() {
    let table = catalogue::table();
    let bundle = Bundle {
        name: "case.yaml".to_owned(),
        playbook: largest(),
        templates: IndexMap::new(),
    };
    let environment = Environment {
        catalog: &table,
        operator: None,
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "reports how long it took, decides nothing"
    )]
    let begun = std::time::Instant::now();
    let compilation = compile(&bundle, environment);
    println!("compiled {STEPS_MAX} steps in {:?}", begun.elapsed());
    assert!(compilation.plan.is_some(), "{}", short(&compilation));
    assert!(
        compilation
            .diagnostics
            .iter()
            .all(|finding| finding.code == "PB234")
    );
}

#[test]
fn line_ends_and_layout_do_not_change_the_revision() {
    let folder = folder("playbooks").join("ids-triage");
    let text = fs::read_to_string(folder.join("ids-triage.yaml")).unwrap();
    let table = catalogue::table();
    let revision = |playbook: String| {
        let bundle = Bundle {
            name: "ids-triage.yaml".to_owned(),
            playbook,
            templates: templates_below(&folder.join("templates")),
        };
        let compilation = compile(
            &bundle,
            Environment {
                catalog: &table,
                operator: None,
            },
        );
        assert_eq!(short(&compilation), "");
        compilation.plan.unwrap().revision
    };
    let original = revision(text.clone());
    assert_eq!(revision(text.replace('\n', "\r\n")), original);
    assert_eq!(
        revision(format!(
            "# a comment\n{}",
            text.replace("version: 1", "version:   1")
        )),
        original
    );
    assert_ne!(revision(text.replace("version: 1", "version: 2")), original);
}
