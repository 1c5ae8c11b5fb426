//! One table of what expressions refuse, with code and place.

use super::*;

fn table() -> TypeEnv {
    let mut env = table_env();
    add_step(
        &mut env,
        "files",
        "enrich.hash",
        "{hash: hash, verdict: verdict, family?: string}",
    );
    add_loop(
        &mut env,
        "links",
        "enrich.url",
        "{url: url, verdict: verdict}",
        &ty("url"),
    );
    env
}

fn refused(text: &str, expected: &Expected) -> Vec<(String, String)> {
    underlined(compile(text, &table(), expected), text)
}

fn all_refused(expected: &Expected, table: &[(&str, &str, &str)]) {
    let mut wrong = Vec::new();
    for (text, code, place) in table {
        let found = refused(text, expected);
        let as_text: Vec<(&str, &str)> = found
            .iter()
            .map(|(code, place)| (code.as_str(), place.as_str()))
            .collect();
        if as_text != [(*code, *place)] {
            wrong.push(format!(
                "{text}: {code} at `{place}` is expected, found {found:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn each_mistake_has_its_code_and_its_place() {
    all_refused(
        &Expected::Any,
        &[
            // PB118
            ("x.int +", "PB118", ""),
            ("x.int = 3", "PB118", "="),
            ("x.int and x.int", "PB118", "a"),
            ("let.x", "PB118", "l"),
            ("'abc", "PB118", "'"),
            ("   ", "PB118", "   "),
            ("x.`int`", "PB118", "."),
            ("x.?int", "PB118", "."),
            // PB204 to PB207, PB219
            ("steps.files.verdit", "PB204", "verdit"),
            (
                "steps.links.items.filter(l, l.verdit == 'malicious')",
                "PB204",
                "verdit",
            ),
            (
                "steps.links.items.filter(l, l.verdict == 'clean').map(m, m.ur)",
                "PB204",
                "ur",
            ),
            ("steps.fils.verdict", "PB205", "fils"),
            ("steps", "PB206", "steps"),
            ("incidnt.title", "PB206", "incidnt"),
            ("severity.hihg", "PB206", "hihg"),
            ("severity", "PB206", "severity"),
            ("rank.nothing", "PB206", "nothing"),
            ("entity.nme", "PB206", "nme"),
            ("incident.titel", "PB207", "titel"),
            ("incident.mail.subjct", "PB207", "subjct"),
            ("steps.links.verdict", "PB219", "verdict"),
            ("secrets.key", "PB402", "secrets.key"),
            // PB212
            ("answer == 'yse'", "PB212", "'yse'"),
            ("'yse' == answer", "PB212", "'yse'"),
            ("x.verdict == 'malicous'", "PB212", "'malicous'"),
            ("answer in ['yes', 'maybe']", "PB212", "'maybe'"),
            ("x.ip == '10.0.0.300'", "PB212", "'10.0.0.300'"),
            ("incident.type == 'phish'", "PB212", "'phish'"),
            ("x.verdict == answer", "PB212", "answer"),
            // PB213
            ("x.maybe", "PB213", "x.maybe"),
            ("x.inner.deep", "PB213", "x.inner.deep"),
            ("has(x.inner) && x.inner.deep > 1", "PB213", "x.inner.deep"),
            ("x.maybe == 'a' && has(x.maybe)", "PB213", "x.maybe"),
            ("has(x.maybe) || x.maybe == 'a'", "PB213", "x.maybe"),
            ("has(x.maybe) ? 'a' : x.maybe", "PB213", "x.maybe"),
            ("x.rows.map(r, r.score)", "PB213", "r.score"),
            (
                "x.rows.filter(r, has(r.score)).map(r, r.score)",
                "PB213",
                "r.score",
            ),
            ("default(x.text, x.maybe)", "PB213", "x.maybe"),
            ("x.open.a", "PB213", "x.open.a"),
            ("x.rows[0].score", "PB213", "x.rows[0].score"),
            ("[omit]", "PB213", "omit"),
            ("default(x.maybe, omit) == 'a'", "PB213", "default(x.maybe, omit)"),
            // PB214
            ("x.int + x.double", "PB214", "x.int + x.double"),
            ("x.double > 1", "PB214", "x.double > 1"),
            ("default(x.double, 1)", "PB214", "1"),
            ("x.level == 'high'", "PB214", "x.level == 'high'"),
            ("x.level > 2", "PB214", "x.level > 2"),
            ("x.level == rank.act", "PB214", "x.level == rank.act"),
            ("x.level + 1", "PB214", "x.level + 1"),
            ("x.text == null", "PB214", "null"),
            ("x.text + x.int", "PB214", "x.text + x.int"),
            ("x.text && x.yes", "PB214", "x.text"),
            ("!x.int", "PB214", "x.int"),
            ("x.time > '2026-01-01'", "PB214", "x.time > '2026-01-01'"),
            ("x.span > 3", "PB214", "x.span > 3"),
            ("x.yes < true", "PB214", "x.yes < true"),
            ("x.ints == x.int", "PB214", "x.ints == x.int"),
            ("'a' in x.text", "PB214", "x.text"),
            ("'a' in x.ints", "PB214", "'a' in x.ints"),
            ("[1, 'a']", "PB214", "'a'"),
            ("x.yes ? 1 : 'a'", "PB214", "'a'"),
            ("x.yes ? 1 : [1]", "PB214", "[1]"),
            ("x.ints.name", "PB214", "name"),
            ("x.text.name", "PB214", "name"),
            ("-x.text", "PB214", "x.text"),
            ("1u", "PB214", "1u"),
            ("x.ints['a']", "PB214", "'a'"),
            ("x.ints[x.text]", "PB214", "x.ints[x.text]"),
            ("{x.text: 1}", "PB214", "x.text"),
            ("{'a': 1, 'a': 2}", "PB214", "'a'"),
            ("1.5 % 2.0", "PB214", "1.5 % 2.0"),
            // PB215
            ("lenght(x.text)", "PB215", "lenght"),
            ("x.ints.fliter(i, i > 1)", "PB215", "fliter"),
            ("size(x.int)", "PB215", "size(x.int)"),
            ("x.texts.join(1)", "PB215", "x.texts.join(1)"),
            ("days('7')", "PB215", "days('7')"),
            ("duration('7 days')", "PB215", "'7 days'"),
            ("has(1 + 2)", "PB215", "1 + 2"),
            ("x.text.map(i, i)", "PB215", "x.text"),
            ("x.ints.map(i)", "PB215", "x.ints.map(i)"),
            ("x.ints.map(i.j, 1)", "PB215", "x.ints.map(i.j, 1)"),
            ("x.rows.sortBy(r, r)", "PB215", "x.rows.sortBy(r, r)"),
            ("sort(x.rows)", "PB215", "sort(x.rows)"),
            ("Foo{a: 1}", "PB215", "{"),
            ("has(x.int, 1)", "PB215", "has"),
            ("type(x)", "PB215", "type"),
            ("dyn(x)", "PB215", "dyn"),
            // PB216
            ("x.text.matches(x.text)", "PB216", "x.text"),
            ("x.text.matches('(')", "PB216", "'('"),
            (
                "x.text.matches('(((((a{1,200}){1,200}){1,200})))')",
                "PB216",
                "'(((((a{1,200}){1,200}){1,200})))'",
            ),
            // PB221, PB222
            (
                "x.lists.map(a, x.lists.map(b, x.lists.map(c, 1)))",
                "PB221",
                "x.lists.map(c, 1)",
            ),
            ("x.ints.map(x, x)", "PB222", "x"),
            ("x.ints.map(incident, 1)", "PB222", "incident"),
            ("x.lists.map(a, a.map(a, 1))", "PB222", "a"),
        ],
    );
}

#[test]
fn the_value_must_be_of_the_kind_that_is_wanted() {
    let condition = Expected::Condition("if".to_owned());
    all_refused(
        &condition,
        &[
            ("answer", "PB211", "answer"),
            ("x.ints", "PB211", "x.ints"),
            ("default(x.maybe, omit)", "PB211", "default(x.maybe, omit)"),
        ],
    );
    all_refused(&Expected::List, &[("x.text", "PB218", "x.text")]);
    for (wanted, text, fits) in [
        ("ip", "x.ip", true),
        ("string", "x.ip", true),
        ("ip", "x.text", true),
        ("observable", "x.ip", true),
        ("url", "x.ip", false),
        ("ip", "'10.0.0.1'", true),
        ("ip", "'10.0.0.300'", false),
        ("verdict", "x.yes ? 'clean' : 'unknown'", true),
        ("verdict", "answer", false),
        ("severity", "x.level", true),
        ("severity", "'high'", false),
        ("severity", "rank.act", false),
        ("int", "x.double", false),
        ("double", "x.int", true),
        ("duration", "days(7)", true),
        ("duration", "'7d'", false),
        ("time", "x.text", false),
        ("string", "omit", false),
        ("string?", "omit", true),
        ("string?", "x.text", true),
        ("list<ip>", "[x.ip]", true),
        ("list<int>", "[]", true),
        ("list<int>", "x.texts", false),
        ("{name: string, score?: int}", "x.rows[0]", true),
        ("{name: string, other: int}", "x.rows[0]", false),
        ("record", "{'a': 1}", true),
        ("record", "x.open", true),
        ("string", "default(x.open.a, 'x')", true),
    ] {
        let expected = Expected::Parameter("p".to_owned(), ty(wanted));
        let found = refused(text, &expected);
        let codes: Vec<&str> = found.iter().map(|(code, _)| code.as_str()).collect();
        assert_eq!(
            codes,
            if fits { vec![] } else { vec!["PB210"] },
            "{wanted} <- {text}"
        );
    }
}

#[test]
fn outputs_may_read_what_may_be_absent() {
    let output = compiled("x.maybe", &table(), &Expected::Output);
    assert_eq!(output.ty(), &Type::String.optional());
    assert!(matches!(
        output.evaluate(&table_values()),
        Err(Unresolved::Absent { .. })
    ));
}

#[test]
fn conditions_that_never_change_are_warned_about() {
    let condition = Expected::Condition("if".to_owned());
    for (text, count) in [
        ("true", 1),
        ("1 + 1 == 3", 1),
        ("x.yes", 0),
        ("answer != 'nobody'", 1),
        ("answer != 'no'", 0),
    ] {
        let warnings = compiled(text, &table(), &condition).warnings().to_vec();
        assert_eq!(warnings.len(), count, "{text}");
        assert!(warnings.iter().all(|warning| warning.code == "PB217"));
    }
}

#[test]
fn help_names_the_nearest_word() {
    let help = |text: &str| {
        compile(text, &table(), &Expected::Any).unwrap_err()[0]
            .help
            .join(" | ")
    };
    assert!(help("steps.fils.verdict").contains("did you mean `steps.files`?"));
    assert!(help("answer == 'yse'").contains("did you mean 'yes'?"));
    assert!(help("x.verdict == 'malicous'").contains("did you mean 'malicious'?"));
    assert!(help("steps.links.items.filter(l, l.verdit == 'x')").contains("write `l.verdict`"));
    assert!(help("x.level == 'high'").contains("write `severity.high`"));
    assert!(help("default(x.double, 1)").contains("write `1.0`"));
    assert!(help("x.maybe").contains("default(x.maybe, ...)"));
    assert!(help("lenght(x.text)").is_empty() || help("sise(x.text)").contains("size(list or text)"));
    assert!(help("files.verdict").contains("a step is read as `steps.files`"));
}

#[test]
fn the_place_is_right_in_folded_and_quoted_yaml() {
    let yaml = "let:\n  v: >-\n    x.yes ? 'a'\n    : x.yes ? 'b'\n    : x.nope\n";
    let text = "x.yes ? 'a' : x.yes ? 'b' : x.nope";
    let source = Source::new("p.yaml", yaml);
    let found = Expression::compile(
        &Snippet::new(&source, 9..yaml.len(), text),
        &table(),
        &Expected::Any,
    )
    .unwrap_err();
    assert_eq!(
        found[0].primary.place,
        yaml.find("nope").map(|at| at..at + 4).unwrap()
    );
    let yaml = "v: 'answer == ''yse'' && x.nope'\n";
    let source = Source::new("p.yaml", yaml);
    let text = "answer == 'yse' && x.nope";
    let found = Expression::compile(
        &Snippet::new(&source, 3..yaml.len() - 1, text),
        &table(),
        &Expected::Any,
    )
    .unwrap_err();
    assert_eq!(&yaml[found[1].primary.place.clone()], "nope");
    let yaml = "v: \"'é' + x.nope\"\n";
    let source = Source::new("p.yaml", yaml);
    let found = Expression::compile(
        &Snippet::new(&source, 3..yaml.len() - 1, "'é' + x.nope"),
        &table(),
        &Expected::Any,
    )
    .unwrap_err();
    assert_eq!(&yaml[found[0].primary.place.clone()], "nope");
}

#[test]
fn evidence_points_at_the_let() {
    let mut env = table();
    env.add_name(
        "verdict",
        Type::OneOf(vec!["malicious".to_owned(), "clean".to_owned()]),
        Some(100..107),
    );
    let found = compile(
        "verdict == 'malicous'",
        &env,
        &Expected::Condition("if".to_owned()),
    )
    .unwrap_err();
    assert_eq!(found[0].message, "this can never be true");
    assert_eq!(found[0].primary.text, "`verdict` is never this");
    assert_eq!(found[0].secondary[0].place, 100..107);
    assert_eq!(found[0].secondary[0].text, "one of 'malicious', 'clean'");
    let found = compile("verdict", &env, &Expected::Condition("if".to_owned())).unwrap_err();
    assert_eq!(found[0].help, ["compare it:   if: verdict == 'malicious'"]);
}
