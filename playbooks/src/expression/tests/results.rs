//! What expressions compute.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn the_table_of_values() {
    let mut wrong = Vec::new();
    for (text, expected) in [
        // numbers
        ("x.int + 1", json!(8)),
        ("x.int * 2 - 4 / 2", json!(12)),
        ("-x.int % 4", json!(-3)),
        ("x.double + 0.5", json!(3.0)),
        ("x.double / 2.0 >= 1.25", json!(true)),
        ("int('12') + int(2.9)", json!(14)),
        ("double(x.int) + double('0.5')", json!(7.5)),
        ("0x10", json!(16)),
        // texts
        ("x.text + '!'", json!("Hello, wörld!")),
        ("size(x.text)", json!(12)),
        ("x.text.size()", json!(12)),
        ("x.text.substring(7, 9)", json!("wö")),
        ("x.text.substring(7)", json!("wörld")),
        ("x.text.indexOf('rld')", json!(9)),
        ("x.text.indexOf('?')", json!(-1)),
        (
            "x.text.contains('wör') && x.text.startsWith('He') && x.text.endsWith('d')",
            json!(true),
        ),
        ("x.text.matches('^H.*d$')", json!(true)),
        ("matches(x.text, 'z')", json!(false)),
        ("'a,b,c'.split(',')", json!(["a", "b", "c"])),
        ("' x '.trim().upperAscii() + 'Y'.lowerAscii()", json!("Xy")),
        ("'aXbX'.replace('X', '-')", json!("a-b-")),
        ("string(7) + string(true) + string(x.span)", json!("7true90m")),
        ("'a' < 'b'", json!(true)),
        // words
        ("x.level >= severity.medium", json!(true)),
        ("x.level == severity.low ? 'l' : 'h'", json!("h")),
        ("rank.act > rank.look", json!(true)),
        ("max(x.levels)", json!("critical")),
        ("x.levels.sort()", json!(["low", "high", "critical"])),
        ("x.yes ? severity.high : severity.low", json!("high")),
        ("incident.tlp <= tlp.green", json!(false)),
        // times
        ("now - x.time", json!("6955s")),
        ("x.time - now < hours(0)", json!(true)),
        ("x.time + days(1)", json!("2026-03-03T03:04:05Z")),
        ("x.time - x.span", json!("2026-03-02T01:34:05Z")),
        ("x.span > hours(1) && x.span == minutes(90)", json!(true)),
        ("x.span + duration('1h30m')", json!("3h")),
        ("sum(x.spans)", json!("119m")),
        ("-x.span", json!("-90m")),
        ("min(x.times)", json!("2026-03-02T04:00:00+01:00")),
        ("x.time.getHours('Europe/Paris')", json!(4)),
        ("x.time.getDayOfWeek()", json!(1)),
        ("x.time.getMonth()", json!(2)),
        ("timestamp('2026-03-02T04:04:05+01:00') == x.time", json!(true)),
        ("localTime(x.time, 'Europe/Paris')", json!("2026-03-02 04:04 CET")),
        // lists
        ("x.ints.distinct()", json!([3, 1, 2])),
        ("x.ints.sort().reverse()", json!([3, 3, 2, 1])),
        ("x.lists.flatten()", json!([1, 2, 3])),
        ("x.ints.slice(1, 3)", json!([1, 2])),
        ("x.texts.join('-')", json!("b-a-b")),
        ("x.ints.join()", json!("3123")),
        ("first(x.ints) + x.ints[1] + sum(x.ints) + min(x.ints)", json!(14)),
        ("x.ints + [9]", json!([3, 1, 2, 3, 9])),
        ("x.int in [1, 7] && !(3 in [1])", json!(true)),
        ("x.ints.map(i, i * 2)", json!([6, 2, 4, 6])),
        ("x.ints.map(i, i > 1, i)", json!([3, 2, 3])),
        ("x.ints.filter(i, i > 1).size()", json!(3)),
        (
            "x.ints.all(i, i > 0) && x.ints.exists(i, i == 2) && x.ints.exists_one(i, i == 1)",
            json!(true),
        ),
        ("x.ints.exists_one(i, i == 3)", json!(false)),
        ("[].all(i, false)", json!(true)),
        ("x.rows.sortBy(r, r.name).map(r, r.name)", json!(["one", "two"])),
        ("x.rows.map(r, has(r.score), r.score)", json!([5])),
        ("x.rows.map(r, default(r.score, 0))", json!([5, 0])),
        ("x.rows.filter(r, !has(r.score)).map(r, r.name)", json!(["two"])),
        (
            "x.rows.filter(r, !has(r.score) || r.score > 9).map(r, r.name)",
            json!(["two"]),
        ),
        ("x.lists.map(l, l.map(i, i + 1))", json!([[2, 3], [], [4]])),
        (
            "{'a': x.int, 'b': [x.text]}",
            json!({"a": 7, "b": ["Hello, wörld"]}),
        ),
        ("{'a': {'b': 1}}.a.b", json!(1)),
        // presence
        ("has(x.maybe)", json!(false)),
        ("has(x.inner) && !has(x.inner.deep)", json!(true)),
        ("has(x.rows) ? 1 : 2", json!(1)),
        ("default(x.maybe, 'none')", json!("none")),
        ("default(x.inner.deep, 4)", json!(4)),
        ("default(first(x.lists[1]), 9)", json!(9)),
        ("default(x.ints[9], 9)", json!(9)),
        ("has(x.maybe) && x.maybe == 'z'", json!(false)),
        ("!has(x.maybe) || x.maybe == 'z'", json!(true)),
        ("has(x.maybe) ? x.maybe : 'gone'", json!("gone")),
        ("default(x.open.a.b, 0) + 1", json!(4)),
        ("has(x.open.none)", json!(false)),
        ("has(x.open.a.b.c)", json!(false)),
        ("default(x.open.list[1], 'q')", json!("two")),
        ("default(x.open['a']['b'], 0)", json!(3)),
        ("default(x.open.list, []).size()", json!(3)),
        // the trade
        (
            "inCidr(x.ip, '192.0.2.0/24') && !inCidr(x.ip, ['10.0.0.0/8'])",
            json!(true),
        ),
        (
            "isPrivate('10.1.2.3') && isPrivate('::1') && isPrivate('100.64.0.1') && !isPrivate('9.9.9.9')",
            json!(true),
        ),
        ("isPrivate('::ffff:10.0.0.1')", json!(true)),
        (
            "registrableDomain('https://a.b.example.co.uk/x')",
            json!("example.co.uk"),
        ),
        ("registrableDomain('me@mail.example.org')", json!("example.org")),
        ("hostOf('https://EXAMPLE.org:8443/x')", json!("example.org")),
        (
            "defang('https://evil.example/a')",
            json!("hxxps://evil[.]example/a"),
        ),
        (
            "refang('hxxps://evil[.]example/a')",
            json!("https://evil.example/a"),
        ),
        ("similarity('abcd', 'abcx')", json!(0.75)),
        (
            "mostSimilar('vi11e.example', ['other.org', 'ville.example']).value",
            json!("ville.example"),
        ),
        ("default(parseJson('{\"a\": [1]}').a[0], 0)", json!(1)),
        ("x.ip == '192.0.2.7'", json!(true)),
    ] {
        match compile(text, &table_env(), &Expected::Any) {
            Ok(expression) => match expression.evaluate(&table_values()) {
                Ok(Some(value)) if value == expected => {}
                other => wrong.push(format!("{text}: {expected} is expected, found {other:?}")),
            },
            Err(found) => wrong.push(format!("{text}: {} {}", found[0].code, found[0].message)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_there_is_absent_with_its_path() {
    let absent = |text: &str| match evaluated(text) {
        Err(Unresolved::Absent { path, .. }) => path,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(absent("x.lists[1][0]"), "x.lists[1][0]");
    assert_eq!(absent("first(x.lists[1])"), "first(x.lists[1])");
    assert_eq!(absent("entity.name"), "entity.name");
    // Also where evaluation would not have come: the same things are needed every time.
    assert_eq!(absent("x.yes ? 'a' : entity.name"), "entity.name");
    assert_eq!(absent("x.yes || entity.name == 'b'"), "entity.name");
    // The fallback is needed like anything else.
    assert_eq!(absent("default(x.text, entity.name)"), "entity.name");
}

#[test]
fn null_is_absent() {
    let mut env = TypeEnv::default();
    env.add_name("a", ty("{b?: int, c: int}"), None);
    let given = Given(json!({"a": {"b": null, "c": null}}));
    let evaluate = |text: &str| compiled(text, &env, &Expected::Any).evaluate(&given);
    assert_eq!(evaluate("has(a.b)"), Ok(Some(json!(false))));
    assert_eq!(evaluate("default(a.b, 1)"), Ok(Some(json!(1))));
    assert!(matches!(evaluate("a.c"), Err(Unresolved::Absent { path, .. }) if path == "a.c"));
}

#[test]
fn a_fallback_is_lazy_and_hides_only_absence() {
    let failed = |text: &str| assert!(matches!(evaluated(text), Err(Unresolved::Failed(_))), "{text}");
    failed("default(1 / 0, 2)");
    failed("default(int(x.text), 2)");
    assert_eq!(evaluated("default(x.int, 1 / 0)"), Ok(Some(json!(7))));
    failed("9223372036854775807 + 1");
    failed("-(-9223372036854775807 - 1)");
    failed("x.double / 0.0");
    failed("x.text.substring(5, 99)");
    failed("default(x.open.list, []).map(i, default(i + 1, 0))");
}

#[test]
fn omit_leaves_a_parameter_out() {
    let optional = Expected::Parameter("p".to_owned(), ty("string?"));
    let expression = compiled("default(x.maybe, omit)", &table_env(), &optional);
    assert_eq!(expression.evaluate(&table_values()), Ok(None));
    assert_eq!(expression.ty(), &Type::String.optional());
}

#[test]
fn a_condition_over_open_data_fails_closed() {
    let mut env = table_env();
    env.add_proven(["x.open.a".to_owned(), "x.open.a.b".to_owned()]);
    let expression = compiled("x.open.a.b", &env, &Expected::Condition("if".to_owned()));
    assert!(matches!(
        expression.evaluate(&table_values()),
        Err(Unresolved::Failed(_))
    ));
}

#[test]
fn reads_tell_what_is_guarded_and_conditions_tell_what_they_prove() {
    let mut env = table_env();
    add_step(&mut env, "a", "test.a", "{one?: string, two: int}");
    let reads = |text: &str| {
        let mut reads: Vec<(String, bool)> = compiled(text, &env, &Expected::Any)
            .reads()
            .iter()
            .map(|read| (read.dotted(), read.guarded))
            .collect();
        reads.sort();
        reads
    };
    let read = |path: &str, guarded: bool| (path.to_owned(), guarded);
    assert_eq!(
        reads("steps.a.two + x.int"),
        [read("steps.a.two", false), read("x.int", false)]
    );
    assert_eq!(
        reads("default(steps.a.two, x.int)"),
        [read("steps.a.two", true), read("x.int", false)]
    );
    assert_eq!(
        reads("has(steps.a.one) && steps.a.one == answer"),
        [read("answer", false), read("steps.a.one", true)]
    );
    assert_eq!(
        reads("steps.a.status == 'failed'"),
        [read("steps.a.status", false)]
    );
    assert_eq!(reads("x.rows.map(r, r.name)"), [read("x.rows", false)]);
    let proves = |text: &str| compiled(text, &env, &Expected::Any).proves().to_vec();
    assert_eq!(
        proves("has(x.inner.deep) && x.yes"),
        ["x", "x.inner", "x.inner.deep"]
    );
    assert_eq!(proves("!(!has(x.maybe) || x.yes)"), ["x", "x.maybe"]);
    assert_eq!(proves("has(x.maybe) || x.yes"), Vec::<String>::new());
    assert_eq!(proves("has(x.maybe) || has(x.inner)"), ["x"]);
}

#[test]
fn only_the_paths_that_are_read_are_touched() {
    /// Lends the incident and refuses everything else.
    struct OnlyTitle(Value);
    impl Names for OnlyTitle {
        fn name(&self, name: &str) -> Option<Cow<'_, Value>> {
            assert_eq!(name, "incident");
            Some(Cow::Borrowed(&self.0))
        }
        fn step(&self, id: &str) -> Option<Cow<'_, Value>> {
            panic!("nobody reads {id}")
        }
    }
    // The raw part is of a form that no conversion would accept.
    let names = OnlyTitle(json!({"title": "T", "raw": {"n": 18_446_744_073_709_551_615_u64}}));
    let expression = compiled("incident.title + '!'", &table_env(), &Expected::Any);
    assert_eq!(expression.evaluate(&names), Ok(Some(json!("T!"))));
}
