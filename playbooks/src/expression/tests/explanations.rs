//! Which part of a condition said no, in words for the match ledger.

use super::*;

fn why(text: &str, env: &TypeEnv, values: &Given) -> Explanation {
    let condition = compiled(text, env, &Expected::Condition("when".to_owned()));
    assert_eq!(condition.evaluate(values), Ok(Some(json!(false))), "{text}");
    condition.why_false(values)
}

fn said(text: &str) -> String {
    why(text, &table_env(), &table_values()).to_string()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn the_part_that_said_no_is_named_with_what_it_saw() {
    let mut wrong = Vec::new();
    for (text, expected) in [
        // the side that was false
        ("x.yes && x.int > 9", "x.int > 9 was false (x.int is 7)"),
        ("x.int > 9 && x.yes", "x.int > 9 was false (x.int is 7)"),
        (
            "x.yes && x.int == 7 && (x.level == severity.low && x.yes)",
            "x.level == severity.low was false (x.level is high)",
        ),
        (
            "x.int > 9 || x.text == 'a'",
            "x.int > 9 || x.text == 'a' was false (x.int is 7, x.text is 'Hello, wörld')",
        ),
        ("!x.yes", "x.yes was true"),
        ("!(x.int == 7 || x.yes)", "x.int == 7 was true (x.int is 7)"),
        (
            "!(x.int == 7 && x.yes)",
            "x.int == 7 && x.yes was true (x.int is 7, x.yes is true)",
        ),
        // the branch that was taken
        ("x.yes ? x.int > 9 : true", "x.int > 9 was false (x.int is 7)"),
        ("x.yes ? false : x.int == 7", "x.yes was true"),
        ("x.int > 9 ? true : false", "x.int > 9 was false (x.int is 7)"),
        // operands that are computed
        (
            "size(x.ints) > 9",
            "size(x.ints) > 9 was false (size(x.ints) is 4)",
        ),
        (
            "now - x.time < hours(1)",
            "now - x.time < hours(1) was false (now - x.time is 6955s)",
        ),
        (
            "x.text.contains('z')",
            "x.text.contains('z') was false (x.text is 'Hello, wörld')",
        ),
        (
            "x.text.matches('^z')",
            "x.text.matches('^z') was false (x.text is 'Hello, wörld')",
        ),
        (
            "inCidr(x.ip, '198.51.100.0/24')",
            "inCidr(x.ip, '198.51.100.0/24') was false (x.ip is '192.0.2.7')",
        ),
        // lists
        (
            "x.int in x.ints",
            "x.int in x.ints was false (x.int is 7, x.ints has 4 items)",
        ),
        (
            "x.verdict in ['malicious', 'noise']",
            "x.verdict in ['malicious', 'noise'] was false (x.verdict is 'clean')",
        ),
        (
            "x.texts.exists(t, t == x.text)",
            "x.texts.exists(t, t == x.text) was false (none of 3 in x.texts fits, x.text is 'Hello, wörld')",
        ),
        (
            "x.ints.all(i, i < 3)",
            "x.ints.all(i, i < 3) was false (item 1 of x.ints does not fit: 3)",
        ),
        (
            "x.rows.all(r, r.name == 'one')",
            "x.rows.all(r, r.name == 'one') was false (item 2 of x.rows does not fit: 'two')",
        ),
        (
            "x.ints.exists_one(i, i == 3)",
            "x.ints.exists_one(i, i == 3) was false (2 of 4 in x.ints fit)",
        ),
        (
            "!x.ints.exists(i, i == 3)",
            "x.ints.exists(i, i == 3) was true (2 of 4 in x.ints fit)",
        ),
        (
            "x.ints.filter(i, i > 9).exists(i, true)",
            "x.ints.filter(i, i > 9).exists(i, true) was false (x.ints.filter(i, i > 9) is empty)",
        ),
        // presence
        ("has(x.maybe)", "has(x.maybe) was false (x.maybe is absent)"),
        ("!has(x.inner)", "has(x.inner) was true (x.inner is present)"),
        (
            "default(x.maybe, 'none') == 'some'",
            "default(x.maybe, 'none') == 'some' was false (default(x.maybe, 'none') is 'none')",
        ),
        // nothing to see
        ("false", "false was false"),
    ] {
        let found = said(text);
        if found != expected {
            wrong.push(format!("{text}\n   found {found}\nexpected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_condition_of_the_design_is_answered_as_designed() {
    let mut env = env_of(&[IncidentType::Phishing]);
    env.add_name("entity", ty("{settings: {vips: list<email>}}"), None);
    env.add_name(
        "incident",
        ty("{severity: severity, mail: {to: list<email>}}"),
        None,
    );
    let vips: Vec<String> = (0..12).map(|n| format!("vip{n}@ville.example")).collect();
    let values = Given(json!({
        "incident": {"severity": "low", "mail": {"to": ["a@ville.example", "b@ville.example", "c@ville.example"]}},
        "entity": {"settings": {"vips": vips}},
    }));
    assert_eq!(
        why(
            "incident.severity >= severity.low\n  && incident.mail.to.exists(m,\n    m in entity.settings.vips)",
            &env,
            &values
        )
        .to_string(),
        "incident.mail.to.exists(m, m in entity.settings.vips) was false (none of 3 in incident.mail.to \
         fits, entity.settings.vips has 12 items)"
    );
}

#[test]
fn what_is_shown_is_cut_at_its_limits() {
    let mut env = TypeEnv::new(Enums::default());
    env.add_name("x", ty("{text: string, ints: list<int>}"), None);
    for (length, shown) in [
        (SEEN_CHARS_MAX - 1, "é".repeat(SEEN_CHARS_MAX - 1)),
        (SEEN_CHARS_MAX, "é".repeat(SEEN_CHARS_MAX)),
        (SEEN_CHARS_MAX + 1, format!("{}…", "é".repeat(SEEN_CHARS_MAX - 1))),
    ] {
        let values = Given(json!({"x": {"text": "é".repeat(length), "ints": []}}));
        let seen = why("x.text == 'a'", &env, &values).seen;
        assert_eq!(seen, [format!("x.text is '{shown}'")]);
    }
    let values = Given(json!({"x": {"text": "", "ints": []}}));
    // ` == x.text` and the quotes take 12 characters.
    for (length, cut) in [
        (EXPLAINED_CHARS_MAX - 1, false),
        (EXPLAINED_CHARS_MAX, false),
        (EXPLAINED_CHARS_MAX + 1, true),
    ] {
        let text = format!("'{}' == x.text", "a".repeat(length - 12));
        let part = why(&text, &env, &values).part;
        assert_eq!(part.ends_with('…'), cut, "{part}");
        assert_eq!(part.chars().count(), length.min(EXPLAINED_CHARS_MAX));
    }
    for count in [SEEN_VALUES_MAX - 1, SEEN_VALUES_MAX, SEEN_VALUES_MAX + 1] {
        let sides: Vec<String> = (1..=count).map(|n| format!("size(x.ints) + {n} == 0")).collect();
        let seen = why(&sides.join(" || "), &env, &values).seen;
        assert_eq!(seen.len(), count.min(SEEN_VALUES_MAX));
    }
}

#[test]
fn hostile_values_stay_data_on_one_line() {
    let mut env = TypeEnv::new(Enums::default());
    env.add_name("x", ty("{text: string}"), None);
    let values = Given(json!({"x": {"text": "a\r\nb\u{1b}[31m\u{202e}'"}}));
    // Line ends are gone; what else acts on a terminal is made visible where it is shown.
    assert_eq!(
        why("x.text == 'a'", &env, &values).seen,
        ["x.text is 'a b\u{1b}[31m\u{202e}''"]
    );
}

#[test]
fn an_explanation_that_costs_too_much_is_the_whole_condition() {
    let mut env = TypeEnv::new(Enums::default());
    env.add_name("x", ty("{ints: list<int>}"), None);
    let values = Given(json!({"x": {"ints": (0..1_000).collect::<Vec<_>>()}}));
    // Takes more than half of what one evaluation may take, and finding the side asks it twice.
    let dear = "x.ints.all(a, x.ints.exists(b, b >= a + 0))";
    let text = format!("{dear} && x.ints.size() == 0 && x.ints.size() == 1");
    let found = why(&text, &env, &values);
    assert_eq!((found.part.as_str(), found.was), (text.as_str(), false));
    let found = why(&format!("{dear} && x.ints.size() == 0"), &env, &values);
    assert_eq!(
        found.to_string(),
        "x.ints.size() == 0 was false (x.ints.size() is 1000)"
    );
}
