//! Tests of writer: behaviour at its edges and against hostile input.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::diagnostic::Source;

fn read_back(written: &str) -> Value {
    let source = Source::new("out.yaml", written);
    match crate::yaml::read(&source) {
        Ok(node) => node.to_json(),
        Err(findings) => panic!("{written}\n{findings:#?}"),
    }
}

#[test]
fn nasty_texts_come_back() {
    let value = json!({
        "no": ["no", "Off", "0755", "1_000", "~", "null", "<<", "20:00", "1e9", "0x1F", ".inf", ".nan", "true", "- a",
            "a: b", "# c", " lead", "trail ", "", "\n", "a\nb", "a\n\n", "a \nb", "\ta", "\u{85}", "\u{2028}",
            "x\u{202e}y", "\u{feff}", "😀", "{{x}}", "${{ x }}", "!tag", "*a", "&a", "%a", "@a", "`a", "'", "\"",
            "\\", "---", "...", "a\r\nb", "QuotedText0E", "=", "?", "-", "12345678901234567890123"],
        "<<": 1, "": 2, "yes": 3, "0755": 4, "a: b": 5, "x\u{200b}": 6,
        "numbers": [0, -1, i64::MAX, i64::MIN, 1.5, 1.0, 1e300, -0.25, 1e-9],
        "empty": [[], {}], "nothing": null, "flags": [true, false],
    });
    let written = to_yaml(&value).unwrap();
    assert_eq!(read_back(&written), value);
    assert!(!written.contains('\u{202e}'), "nothing hides in the output");
}

#[test]
fn what_the_reader_refuses_is_not_written() {
    assert!(matches!(to_yaml(&u64::MAX), Err(NotWritable::Number(_))));
    assert!(to_yaml(&(i64::MAX as u64)).is_ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e12..1e12_f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ \\n:#'\"{}\\[\\]a-c0-9_.<&*!|>%@~-]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[ -~\\n]{0,8}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_reads_back_equal(value in any_json()) {
        let written = to_yaml(&value).unwrap();
        prop_assert_eq!(read_back(&written), value, "{}", written);
    }
}
