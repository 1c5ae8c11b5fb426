//! Hostile expressions are refused before they cost anything, hostile data costs a bounded sum.

use proptest::prelude::*;

use super::*;

/// Runs in a thread with the stack of a worker, 2 MiB.
fn in_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(work)
        .expect("a thread starts")
        .join()
        .expect("the thread lives");
}

fn code(text: &str) -> Option<&'static str> {
    compile(text, &table_env(), &Expected::Any)
        .err()
        .and_then(|found| found.first().map(|diagnostic| diagnostic.code))
}

#[test]
fn long_and_deep_texts_are_refused_and_the_process_lives() {
    in_small_stack(|| {
        for text in [
            "(".repeat(5_000),
            "1+".repeat(5_000) + "1",
            "x".to_owned() + &".b".repeat(5_000),
            "[".repeat(64 * 1024),
            "x.ints.map(a, x.ints.map(b, x.ints.map(c, c)))".to_owned(),
        ] {
            assert_eq!(code(&text), Some("PB221"), "{}", &text[..20]);
        }
        // Everything that fits into the length, in every shape that nests.
        let fill = |piece: &str, last: &str| {
            let count = (EXPRESSION_BYTES_MAX - last.len()) / piece.len();
            piece.repeat(count) + last
        };
        for (piece, last) in [
            ("1+", "1"),
            ("!", "x.yes"),
            ("-", "1"),
            ("x.yes?1:", "1"),
            ("1==", "1"),
            ("x.yes&&", "x.yes"),
            ("x.yes||", "x.yes"),
            ("'a'+", "'a'"),
            ("1 in ", "[1]"),
            ("(", ""),
            ("[", ""),
            ("{", ""),
            ("f(", ""),
            ("x.", "x"),
            ("x[", ""),
            ("1-", ""),
            ("\"", ""),
            ("a.b.c(", ""),
            ("x.int==1?1:(", ""),
        ] {
            let text = fill(piece, last);
            assert!(text.len() <= EXPRESSION_BYTES_MAX);
            let _ = code(&text);
        }
        // A raw text and a comment hide brackets from the count; the parser has a limit of its own.
        for hidden in ["r'\\'+", "1 // '\n+", "'''it's'''+"] {
            for bracket in ["(", "[", "{", "x["] {
                let count = (EXPRESSION_BYTES_MAX - hidden.len()) / bracket.len();
                assert!(code(&(hidden.to_owned() + &bracket.repeat(count))).is_some());
            }
        }
        let selected = "x".to_owned() + &".b".repeat(500);
        assert_eq!(code(&selected), Some("PB221"));
        let methods = "x.text".to_owned() + &".trim()".repeat(140);
        assert_eq!(code(&methods), Some("PB221"));
        // The deepest that is accepted, evaluated in the same stack.
        let deepest = "1+".repeat(TREE_DEPTH_MAX - 1) + "1";
        let value = compiled(&deepest, &table_env(), &Expected::Any).evaluate(&table_values());
        assert_eq!(value, Ok(Some(json!(TREE_DEPTH_MAX))));
        let deepest = "x.yes ? 1 : ".repeat(TREE_DEPTH_MAX - 3) + "1";
        let value = compiled(&deepest, &table_env(), &Expected::Any).evaluate(&table_values());
        assert_eq!(value, Ok(Some(json!(1))));
    });
}

#[test]
fn limits_hold_one_below_at_and_one_above() {
    let of_length = |length: usize| code(&format!("'{}'", "a".repeat(length - 2)));
    assert_eq!(of_length(EXPRESSION_BYTES_MAX - 1), None);
    assert_eq!(of_length(EXPRESSION_BYTES_MAX), None);
    assert_eq!(of_length(EXPRESSION_BYTES_MAX + 1), Some("PB221"));
    let brackets = |depth: usize| code(&format!("{}1{}", "(".repeat(depth), ")".repeat(depth)));
    assert_eq!(brackets(BRACKET_DEPTH_MAX - 1), None);
    assert_eq!(brackets(BRACKET_DEPTH_MAX), None);
    assert_eq!(brackets(BRACKET_DEPTH_MAX + 1), Some("PB221"));
    let sum = |terms: usize| code(&("1+".repeat(terms - 1) + "1"));
    assert_eq!(sum(TREE_DEPTH_MAX - 1), None);
    assert_eq!(sum(TREE_DEPTH_MAX), None);
    assert_eq!(sum(TREE_DEPTH_MAX + 1), Some("PB221"));
    let in_quotes = format!("'{}'", "(".repeat(200));
    assert_eq!(code(&in_quotes), None);
    let list = |text: &str, items: usize| {
        let mut given = table_values();
        given.0["x"]["ints"] = json!(vec![1; items]);
        compiled(text, &table_env(), &Expected::Any)
            .evaluate(&given)
            .is_ok()
    };
    let outer = "x.ints.all(i, i == 1)";
    assert!(list(outer, 9_999) && list(outer, 10_000) && !list(outer, 10_001));
    let inner = "x.lists.all(l, x.ints.all(i, i == 1))";
    assert!(list(inner, 999) && list(inner, 1_000) && !list(inner, 1_001));
}

#[test]
fn large_data_costs_a_bounded_sum() {
    let mut given = table_values();
    given.0["x"]["ints"] = json!((0..10_000).collect::<Vec<i64>>());
    given.0["x"]["lists"] = json!(vec![(0..1_000).collect::<Vec<i64>>(); 10_000]);
    given.0["x"]["text"] = json!("x".repeat(1024 * 1024));
    for text in [
        "x.lists.map(l, l.map(i, i + 1))",
        "x.ints.filter(i, !(i in x.ints))",
        "x.ints.map(i, x.text)",
        "x.ints.map(i, x.text + x.text)",
        "x.ints.map(i, x.text.replace('x', 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy'))",
        "x.text.split('x')",
        "similarity(x.text, x.text)",
        "x.lists.flatten() + x.lists.flatten()",
        "x.ints + x.ints",
    ] {
        let found = compiled(text, &table_env(), &Expected::Any).evaluate(&given);
        assert!(matches!(found, Err(Unresolved::Failed(_))), "{text}");
    }
}

#[test]
fn data_is_never_an_expression() {
    let mut given = table_values();
    for payload in ["${{ 7*7 }}", "x.int", "1 + 1", "' + secrets.key + '", "{{x}}"] {
        given.0["x"]["text"] = json!(payload);
        let value = compiled("x.text + ''", &table_env(), &Expected::Any).evaluate(&given);
        assert_eq!(value, Ok(Some(json!(payload))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_compiles_or_is_refused_in_place(
        text in r"(x\.|int|text|rows|lists|has\(|default\(|\.map\(|\.filter\(|i, |'|\(|\)|\[|\]|\{|\}| && | \|\| | \? | : |!|-|\+|==|<| in |omit|severity\.|[a-z0-9\\.,]|é|\PC| ){0,40}"
    ) {
        match compile(&text, &table_env(), &Expected::Any) {
            Ok(expression) => {
                let _ = expression.evaluate(&table_values());
                let _ = expression.evaluate(&Given(json!({})));
            }
            Err(found) => {
                prop_assert!(!found.is_empty());
                for diagnostic in found {
                    prop_assert!(text.get(diagnostic.primary.place.clone()).is_some(), "{diagnostic:?}");
                }
            }
        }
    }

    #[test]
    fn any_values_give_a_value_or_a_reason(
        number in any::<i64>(), float in any::<f64>(), words in "\\PC{0,20}", from in -2_i64..20, to in -2_i64..20
    ) {
        let mut given = table_values();
        given.0["x"]["int"] = json!(number);
        given.0["x"]["double"] = json!(float);
        given.0["x"]["text"] = json!(words);
        given.0["x"]["ints"] = json!([number, from, to]);
        for text in [
            "x.int * x.int - x.int / sum(x.ints)", "-x.int % first(x.ints)", "int(x.double)", "days(x.int)",
            "x.time + hours(x.int)", "x.text.substring(first(x.ints))", "x.ints.slice(1, 2)", "x.ints[x.int]",
            "registrableDomain(x.text)", "parseJson(x.text)", "duration(x.text)", "timestamp(x.text)",
            "inCidr(x.text, x.text)", "hostOf(x.text)", "localTime(x.time, x.text)", "double(x.text) / x.double",
        ] {
            let _ = compiled(text, &table_env(), &Expected::Any).evaluate(&given);
        }
    }
}
