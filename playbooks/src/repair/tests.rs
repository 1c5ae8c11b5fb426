//! Repairs of every code, on the samples of the language's own description and around them.

use indexmap::IndexMap;

use super::*;
use crate::action_spec::{ActionSpec, Catalog, ProviderSpec};
use crate::diagnostic::Source;

/// No actions: what is repaired is how a text is written.
struct Nothing;

impl Catalog for Nothing {
    fn action(&self, _name: &str) -> Option<&ActionSpec> {
        None
    }
    fn names(&self) -> Vec<&str> {
        Vec::new()
    }
    fn providers(&self, _capability: &str) -> Vec<&ProviderSpec> {
        Vec::new()
    }
}

fn repair(text: &str) -> Repaired {
    let bundle = Bundle {
        name: "a.yaml".to_owned(),
        playbook: text.to_owned(),
        templates: IndexMap::new(),
    };
    let environment = Environment {
        catalog: &Nothing,
        operator: None,
    };
    let once = repaired(&bundle, environment);
    let again = repaired(
        &Bundle {
            playbook: once.text.clone(),
            ..bundle
        },
        environment,
    );
    assert_eq!(
        (again.text, again.made),
        (once.text.clone(), Vec::new()),
        "{text}"
    );
    once
}

/// One step with these lines.
fn step(lines: &str) -> String {
    format!("# a comment\nid: a\nsteps:\n  one:   # here too\n    uses: x.y\n{lines}\n# the end\n")
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn every_code_is_repaired_as_the_description_of_the_language_says() {
    let mut wrong = Vec::new();
    for (code, written, expected) in [
        // the samples of the description
        (
            "PB103",
            "    if: \"{{priority}} >= rank.act && {{incident.network.direction}} == 'inbound'\"",
            "    if: priority >= rank.act && incident.network.direction == 'inbound'",
        ),
        (
            "PB105",
            "    if: !steps.host.isolated && confirmed",
            "    if: \"!steps.host.isolated && confirmed\"",
        ),
        (
            "PB104",
            "    with:\n      mail: {{ incident.mail }}",
            "    with:\n      mail: ${{ incident.mail }}",
        ),
        // around them
        (
            "PB103",
            "    if: ${{ a == 'x  y' }}   # why",
            "    if: a == 'x  y'   # why",
        ),
        ("PB103", "    if: \"{{!a.b}}\"", "    if: \"!a.b\""),
        ("PB103", "    if: \"{{yes}}\"", "    if: \"yes\""),
        (
            "PB103",
            "    if: '{{ a == \"x: y\" }}'",
            "    if: 'a == \"x: y\"'",
        ),
        (
            "PB103",
            "    if: >-\n      {{ a }} > 1\n      && b",
            "    if: >-\n      a > 1\n      && b",
        ),
        (
            "PB104",
            "    with:\n      a: {{ b }}  # note",
            "    with:\n      a: ${{ b }}  # note",
        ),
        (
            "PB104",
            "    with:\n      a: {{ b }} and {{ c }}",
            "    with:\n      a: \"{{ b }} and {{ c }}\"",
        ),
        (
            "PB105",
            "    if: !a.b && c == 'x #1'  # it's so",
            "    if: \"!a.b && c == 'x #1'\"  # it's so",
        ),
        (
            "PB105",
            "    with: {a: ${{ b }}, c: [${{ d['e'] }}]}  # flow",
            "    with: {a: \"${{ b }}\", c: [\"${{ d['e'] }}\"]}  # flow",
        ),
        ("PB105", "    if: a ? b : c", "    if: \"a ? b : c\""),
        (
            "PB106",
            "    if: incident.title.contains('case #1')",
            "    if: \"incident.title.contains('case #1')\"",
        ),
        (
            "PB106",
            "    if: a.contains('#1 #2') && b # really",
            "    if: \"a.contains('#1 #2') && b\" # really",
        ),
        (
            "PB106",
            "    if: a.matches(\"\\\\d #1\")",
            "    if: 'a.matches(\"\\\\d #1\")'",
        ),
        (
            "PB111",
            "    with: {a: yes, b: [no]}",
            "    with: {a: true, b: [\"no\"]}",
        ),
        (
            "PB111",
            "    with:\n      mode: 0755 # octal?\n      count: 1_000",
            "    with:\n      mode: \"0755\" # octal?\n      count: 1000",
        ),
    ] {
        let found = repair(&step(written));
        if found.text != step(expected) || !found.made.contains(&code) {
            wrong.push(format!("{written}\n{:?}\n{}", found.made, found.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_one_surprise_hides_is_repaired_in_the_same_go() {
    let found = repair(&step(
        "    if: {{ a.b }}\n    with:\n      c: !d.e && f\n      g: no\n      h: ${{ i ? j : k }}",
    ));
    assert_eq!(
        found.text,
        step("    if: a.b\n    with:\n      c: \"!d.e && f\"\n      g: false\n      h: \"${{ i ? j : k }}\"")
    );
    assert_eq!(found.made, ["PB104", "PB105", "PB111", "PB105", "PB103"]);
}

#[test]
fn what_is_not_certain_is_left_to_its_author() {
    for left in [
        // The comment may be part of the text or not: the quote is never closed.
        "    if: a.contains('case #1",
        "    if: !a.contains('case #1",
        // A map inside the expression: where it ends is for its author to say.
        "    with: {a: ${{ {'b': {'c': 1}} }}}",
        // Not a matter of writing.
        "    uses: enrich.hsh\n    timeout: soon",
    ] {
        let text = step(left);
        let found = repair(&text);
        assert_eq!((found.text, found.made), (text, Vec::new()));
    }
}

#[test]
fn repairs_of_one_pass_never_overlap() {
    let source = Source::new("a.yaml", "0123456789");
    let found = |code, place: std::ops::Range<usize>| {
        Diagnostic::error(code, &source, place.clone(), "x").fix(place, "y")
    };
    let all = [
        found("PB111", 6..8),
        found("PB103", 2..4),
        found("PB104", 3..7),
        found("PB105", 4..6),
        found("PB210", 8..9),
        Diagnostic::error("PB106", &source, 9..10, "without a repair"),
    ];
    let repairs = repairs(&all, "a.yaml");
    let places: Vec<_> = repairs.iter().map(|(_, fix)| fix.place.clone()).collect();
    assert_eq!(places, [2..4, 4..6, 6..8]);
    let pass = apply(&source.text, &repairs).expect("all places are in the text");
    assert_eq!(pass.text, "01yyy89");
    assert_eq!(repairable(&all, "b.yaml"), 0);
    assert!(
        apply("012", &repairs).is_none(),
        "a place outside the text changes nothing"
    );
}

#[test]
fn no_sample_of_broken_text_loses_a_comment_or_panics() {
    // Every way to cut a text that needs all repairs.
    let text = step("    if: {{ a.b }} # one\n    with: {a: ${{ b }}} # two\n    x: !c && 'd #' # é three");
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        let cut = &text[..end];
        let found = repair(cut);
        for comment in [
            "# a comment",
            "# here too",
            "# one",
            "# two",
            "# é three",
            "# the end",
        ] {
            assert_eq!(
                cut.contains(comment),
                found.text.contains(comment),
                "{cut}\n{}",
                found.text
            );
        }
    }
}
