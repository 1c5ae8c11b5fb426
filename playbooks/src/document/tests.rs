//! Tests of document: behaviour at its edges and against hostile input.

use super::*;
use crate::yaml;

const HEAD: &str = "id: t\nname: T\nversion: 1\ndescription: d\nowner: o\n";

fn findings(text: &str) -> Vec<String> {
    let source = Source::new("t.yaml", text);
    let root = yaml::read(&source).unwrap();
    let (_, findings) = read(&source, &root);
    findings
        .iter()
        .map(|finding| {
            let (line, column) = source.line_column(finding.primary.place.start);
            format!("{} {line}:{column}", finding.code)
        })
        .collect()
}

fn with(rest: &str) -> Vec<String> {
    findings(&format!("{HEAD}{rest}"))
}

#[test]
fn the_shape_of_the_file_is_checked() {
    assert_eq!(findings(""), ["PB110 1:1"]);
    assert_eq!(findings("- a\n"), ["PB112 1:1"]);
    let missing = findings("id: t\n");
    assert_eq!(missing, ["PB110 1:1"; 5]);
    assert_eq!(with("steps: {a: {uses: x.y}}\n"), Vec::<String>::new());
    assert_eq!(with("stepz: {}\nsteps: {a: {uses: x.y}}\n"), ["PB109 6:1"]);
    assert_eq!(with("language: 1\nsteps: {a: {uses: x.y}}\n"), ["PB199 6:1"]);
    let clock = |fields: &str| {
        with(&format!(
            "trigger: {{schedule: {{{fields}}}}}\nsteps: {{a: {{uses: x.y}}}}\n"
        ))
    };
    for good in [
        "every: 1m, per: entity",
        "every: 31d, per: entity",
        "at: \"07:30\", per: entity",
        "at: [\"07:30\", \"19:00\"], tz: Europe/Paris, per: entity",
    ] {
        assert_eq!(clock(good), Vec::<String>::new(), "{good}");
    }
    assert_eq!(clock("every: 1h"), ["PB110 6:21"]);
    assert_eq!(clock("every: 1h, per: organisation"), ["PB199 6:38"]);
    assert_eq!(clock("per: entity"), ["PB110 6:21"]);
    assert_eq!(clock("every: 59s, per: entity"), ["PB114 6:29"]);
    assert_eq!(clock("every: 32d, per: entity"), ["PB114 6:29"]);
    assert_eq!(clock("every: 1h, at: \"07:30\", per: entity"), ["PB112 6:21"]);
    assert_eq!(clock("every: 1h, tz: UTC, per: entity"), ["PB112 6:37"]);
    assert_eq!(clock("at: \"25:00\", per: entity"), ["PB112 6:26"]);
    assert_eq!(clock("at: [], per: entity"), ["PB114 6:26"]);
    assert_eq!(clock("at: \"07:30\", tz: Mars/Base, per: entity"), ["PB112 6:39"]);
    let turns = |fields: &str| {
        with(&format!(
            "concurrency: {{{fields}}}\nsteps: {{a: {{uses: x.y}}}}\n"
        ))
    };
    assert_eq!(turns("key: a, limit: 1"), Vec::<String>::new());
    assert_eq!(turns("key: a, limit: 100, when_busy: drop"), Vec::<String>::new());
    assert_eq!(turns(""), ["PB110 6:14"; 2]);
    assert_eq!(turns("key: a, limit: 0"), ["PB114 6:30"]);
    assert_eq!(turns("key: a, limit: 101"), ["PB114 6:30"]);
    assert_eq!(turns("key: a, limit: 1, when_busy: later"), ["PB112 6:44"]);
    assert_eq!(turns("key: a, limit: 1, max: 2"), ["PB109 6:33"]);
    assert_eq!(
        with("steps:\n  a: {uses: x.y, expect: {code: 2xx}}\n"),
        ["PB199 7:18"]
    );
    assert_eq!(
        with("steps:\n  a: {uses: x.y, on_failure: undo}\n"),
        Vec::<String>::new()
    );
    assert_eq!(with("steps:\n  a: {usess: x.y}\n"), ["PB110 7:3", "PB109 7:7"]);
    assert_eq!(with("steps: {}\n"), ["PB112 6:8"]);
}

#[test]
fn names_and_values_are_checked() {
    assert_eq!(with("steps:\n  A: {uses: x.y}\n"), ["PB113 7:3"]);
    assert_eq!(with("steps:\n  let: {uses: x.y}\n"), ["PB113 7:3"]);
    assert_eq!(
        with("let: {incident: a}\nsteps: {a: {uses: x.y}}\n"),
        ["PB113 6:7"]
    );
    assert_eq!(
        with("steps: {a: {uses: x.y}}\nfinally: {a: {uses: x.y}}\n"),
        ["PB113 7:11"]
    );
    assert_eq!(
        with("trigger: {incident: [phishng]}\nsteps: {a: {uses: x.y}}\n"),
        ["PB207 6:22"]
    );
    assert_eq!(
        with("limits: {tlp: amberr}\nsteps: {a: {uses: x.y}}\n"),
        ["PB112 6:15"]
    );
    assert_eq!(with("may: [read]\nsteps: {a: {uses: x.y}}\n"), ["PB112 6:7"]);
    assert_eq!(
        with("steps:\n  a: {uses: x.y, retry: {attempts: 9}}\n"),
        ["PB114 7:36"]
    );
    assert_eq!(
        with("steps:\n  a: {uses: x.y, retry: {backoff: 5m..2s}}\n"),
        ["PB114 7:35"]
    );
    assert_eq!(
        with("steps:\n  a: {uses: x.y, for_each: x of y}\n"),
        ["PB112 7:28"]
    );
    assert_eq!(with("steps:\n  a: {uses: x.y, timeout: soon}\n"), ["PB112 7:27"]);
    let other = findings(&format!(
        "{}steps: {{a: {{uses: x.y}}}}\n",
        HEAD.replace("id: t", "id: u")
    ));
    assert_eq!(other, ["PB115 1:5"]);
}

#[test]
fn braces_and_comments_in_expressions_are_explained() {
    assert_eq!(
        with("steps:\n  a:\n    uses: x.y\n    if: \"{{a}} == 1\"\n"),
        ["PB103 9:10"]
    );
    assert_eq!(
        with("steps:\n  a:\n    uses: x.y\n    if: ${{ a }}\n"),
        ["PB103 9:9"]
    );
    assert_eq!(
        with("steps:\n  a:\n    uses: x.y\n    if: a in ['x #1', 'y']\n"),
        ["PB106 9:18"]
    );
    assert_eq!(
        with("steps:\n  a:\n    uses: x.y\n    if: a == 1   # fine\n"),
        Vec::<String>::new()
    );
}

#[test]
fn steps_are_counted_over_all_sections() {
    let steps = |count: usize, tail: &str| {
        let entries: Vec<String> = (0..count).map(|n| format!("  s{n}: {{uses: x.y}}\n")).collect();
        with(&format!("steps:\n{}{tail}", entries.concat()))
    };
    assert_eq!(steps(150, ""), Vec::<String>::new());
    assert_eq!(steps(149, "finally: {f: {uses: x.y}}\n"), Vec::<String>::new());
    assert_eq!(steps(150, "finally: {f: {uses: x.y}}\n"), ["PB114 6:1"]);
    assert_eq!(steps(151, "")[0][..5], *"PB114");
}

#[test]
fn the_loop_variable_and_its_list_are_placed() {
    let text = format!("{HEAD}steps:\n  a:\n    uses: x.y\n    for_each: \"link in steps.b.urls\"\n");
    let source = Source::new("t.yaml", text.as_str());
    let (document, _) = read(&source, &yaml::read(&source).unwrap());
    let each = document.unwrap().steps.remove(0).for_each.unwrap();
    assert_eq!(&text[each.variable.place.clone()], "link");
    assert_eq!(each.list.text, "steps.b.urls");
    assert_eq!(&text[each.list.place_of(&source, 6..7)], "b");
}
