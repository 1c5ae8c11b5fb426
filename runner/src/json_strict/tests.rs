//! Limits one below, at and above; the whole of `JSONTestSuite` when it is at hand.

use serde_json::json;

use super::*;

fn fault(text: &str) -> Fault {
    parse(text.as_bytes()).unwrap_err().fault
}

#[test]
fn the_json_test_suite_is_judged_as_it_asks() {
    let Some(folder) = crate::samples::all("bad-input/json-test-suite") else {
        return;
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let verdict = parse(&std::fs::read(&path).unwrap());
        seen += 1;
        match name.get(..2) {
            Some("n_") => assert!(verdict.is_err(), "{name} was accepted as {verdict:?}"),
            Some("y_") if name.contains("duplicated_key") => {
                assert_eq!(verdict.unwrap_err().fault, Fault::DuplicateKey, "{name}");
            }
            Some("y_") => assert!(verdict.is_ok(), "{name}: {verdict:?}"),
            _ => {}
        }
    }
    assert!(seen > 300, "only {seen} files");
}

#[test]
fn integers_keep_their_digits() {
    assert_eq!(
        parse(b"9007199254740993").unwrap(),
        json!(9_007_199_254_740_993_i64)
    );
    assert_eq!(parse(b"18446744073709551615").unwrap(), json!(u64::MAX));
    assert_eq!(
        parse(b"18446744073709551617").unwrap(),
        json!("18446744073709551617")
    );
    assert_eq!(
        parse(b"-9223372036854775809").unwrap(),
        json!("-9223372036854775809")
    );
    assert_eq!(
        parse(b"[178807841674453286294070220189617401624]").unwrap(),
        json!(["178807841674453286294070220189617401624"])
    );
}

#[test]
fn numbers_a_double_cannot_hold_are_refused() {
    assert_eq!(fault("1e400"), Fault::Limit);
    assert_eq!(fault("-1e400"), Fault::Limit);
    assert_eq!(fault("1e-400"), Fault::Limit);
    assert_eq!(parse(b"0e-400").unwrap(), json!(0.0));
    assert_eq!(parse(b"1.5e300").unwrap(), json!(1.5e300));
    assert!(parse(b"-0").unwrap().as_f64().unwrap().is_sign_negative());
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(DEPTH_MAX - 1).as_bytes()).is_ok());
    assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(fault(&nested(DEPTH_MAX + 1)), Fault::Limit);
    assert_eq!(fault(&"[".repeat(100_000)), Fault::Limit);
    assert_eq!(fault(&"{\"\":".repeat(100_000)), Fault::Limit);
}

#[test]
fn sizes_are_bounded() {
    let list = |items: usize| format!("[{}]", vec!["0"; items].join(","));
    assert!(parse(list(ITEMS_MAX).as_bytes()).is_ok());
    assert_eq!(fault(&list(ITEMS_MAX + 1)), Fault::Limit);

    let object = |keys: usize| {
        let pairs: Vec<_> = (0..keys).map(|key| format!("\"{key}\":0")).collect();
        format!("{{{}}}", pairs.join(","))
    };
    assert!(parse(object(KEYS_MAX).as_bytes()).is_ok());
    assert_eq!(fault(&object(KEYS_MAX + 1)), Fault::Limit);

    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    assert!(parse(text(STRING_BYTES_MAX).as_bytes()).is_ok());
    assert_eq!(fault(&text(STRING_BYTES_MAX + 1)), Fault::Limit);

    let number = "7".repeat(NUMBER_BYTES_MAX);
    assert_eq!(parse(number.as_bytes()).unwrap(), json!(number));
    assert_eq!(fault(&"7".repeat(NUMBER_BYTES_MAX + 1)), Fault::Limit);

    let padded = |bytes: usize| format!("1{}", " ".repeat(bytes - 1));
    assert!(parse(padded(BYTES_MAX).as_bytes()).is_ok());
    assert_eq!(fault(&padded(BYTES_MAX + 1)), Fault::Limit);

    assert_eq!(
        documents("1 ".repeat(ITEMS_MAX).as_bytes()).unwrap().len(),
        ITEMS_MAX
    );
    assert_eq!(
        documents("1 ".repeat(ITEMS_MAX + 1).as_bytes())
            .unwrap_err()
            .fault,
        Fault::Limit
    );
}

#[test]
fn hostile_text_is_refused_with_its_place() {
    let error = parse(b"{\n  \"entity\": \"a\",\n  \"entity\": \"b\"\n}").unwrap_err();
    assert_eq!(
        (error.fault, error.line, error.column),
        (Fault::DuplicateKey, 3, 3)
    );
    assert_eq!(
        error.to_string(),
        "line 3, column 3: the key `entity` is there twice; send each key once"
    );

    let error = parse(b"{\"a\": \"\\ud800\"}").unwrap_err();
    assert_eq!((error.fault, error.line, error.column), (Fault::Encoding, 1, 8));
    assert_eq!(fault("\"\\ud800\\u0041\""), Fault::Encoding);
    assert_eq!(fault("\"\\udc00\""), Fault::Encoding);
    assert_eq!(parse(b"\"\\ud83d\\ude00\"").unwrap(), json!("😀"));

    let error = parse(b"[\"\xff\"]").unwrap_err();
    assert_eq!((error.fault, error.column), (Fault::Encoding, 3));
    assert_eq!(parse(b"\xef\xbb\xbf{}").unwrap_err().fault, Fault::Encoding);
    assert_eq!(parse(b"{\x00\"\x00a\x00").unwrap_err().fault, Fault::Syntax);
}

#[test]
fn documents_may_follow_each_other() {
    assert_eq!(
        documents(b"{\"a\":1}\n{\"b\":2}\n").unwrap(),
        vec![json!({"a":1}), json!({"b":2})]
    );
    assert_eq!(documents(b"{}\r\n{} []").unwrap().len(), 3);
    assert_eq!(documents(b"").unwrap_err().fault, Fault::Syntax);
    let error = documents(b"{\"a\":1}\n{\"b").unwrap_err();
    assert_eq!((error.line, error.column), (2, 2));
}
