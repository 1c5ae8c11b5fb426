//! Which values are of a type, and how each is spelled.

use serde_json::json;

use super::*;
use crate::types::{Enums, TextForm};

fn ty(text: &str) -> Type {
    Type::parse(text, &Enums::new()).unwrap_or_else(|why| panic!("{text}: {why}"))
}

#[test]
fn each_text_form_has_one_spelling() {
    use TextForm as F;
    for (form, text, expected) in [
        (F::Ip, "192.0.2.1", Some("192.0.2.1")),
        (F::Ip, "2001:DB8::0001", Some("2001:db8::1")),
        (F::Ip, "192.0.2.01", None),
        (F::Ip, "0300.0.2.1", None),
        (F::Ip, "0xc0.0.2.1", None),
        (F::Ip, "3221225985", None),
        (F::Ip, "192.0.2", None),
        (F::Ip, "192.0.2.1/32", None),
        (F::Ip, " 192.0.2.1", None),
        (F::Ip, "", None),
        (F::Cidr, "192.0.2.0/24", Some("192.0.2.0/24")),
        (F::Cidr, "2001:DB8::/32", Some("2001:db8::/32")),
        (F::Cidr, "192.0.2.7/24", None),
        (F::Cidr, "192.0.2.0", None),
        (F::Cidr, "192.0.2.0/33", None),
        (F::Domain, "WWW.Example.ORG", Some("www.example.org")),
        (F::Domain, "example.org.", Some("example.org")),
        (F::Domain, "bücher.example", Some("xn--bcher-kva.example")),
        (F::Domain, "_dmarc.example.org", Some("_dmarc.example.org")),
        (F::Domain, "localhost", None),
        (F::Domain, "192.0.2.1", None),
        (F::Domain, "0x7f.1", None),
        (F::Domain, "example..org", None),
        (F::Domain, "-a.example", None),
        (F::Domain, "exa mple.org", None),
        (F::Domain, "example.org/x", None),
        (F::Url, "HTTPS://Example.ORG", Some("https://example.org/")),
        (
            F::Url,
            "http://example.org:80/a?b#c",
            Some("http://example.org/a?b#c"),
        ),
        (F::Url, "https://[2001:db8::1]/", Some("https://[2001:db8::1]/")),
        (F::Url, "http://192.0.2.1/", Some("http://192.0.2.1/")),
        (F::Url, "http://0300.0.2.1/", None),
        (F::Url, "http://3221225985/", None),
        (F::Url, "http://0x7f.1/", None),
        (F::Url, "http://user@example.org/", None),
        (F::Url, "http://good.example\\@evil.example/", None),
        (F::Url, "javascript:alert(1)", None),
        (F::Url, "file:///etc/passwd", None),
        (F::Url, "//example.org/", None),
        (F::Url, "http://exa\nmple.org/", None),
        (F::Email, "Me+x@Example.ORG", Some("Me+x@example.org")),
        (F::Email, "a@b@example.org", None),
        (F::Email, "a..b@example.org", None),
        (F::Email, "a@localhost", None),
        (F::Email, "a b@example.org", None),
        (F::Email, "Name <a@example.org>", None),
        (F::Phone, "+33600000000", Some("+33600000000")),
        (F::Phone, "0033600000000", None),
        (F::Phone, "+0336", None),
        (
            F::Hash,
            "D41D8CD98F00B204E9800998ECF8427E",
            Some("d41d8cd98f00b204e9800998ecf8427e"),
        ),
        (F::Hash, "d41d8cd98f00b204e9800998ecf8427", None),
        (F::Hash, "z41d8cd98f00b204e9800998ecf8427e", None),
        (F::Observable, "Example.org", Some("example.org")),
        (F::Observable, "192.0.2.1", Some("192.0.2.1")),
        (F::Observable, "nothing at all", None),
        (F::Verdict, "malicious", Some("malicious")),
        (F::Verdict, "malicous", None),
        (F::Document, "any\ntext", Some("any\ntext")),
    ] {
        assert_eq!(
            canonical_text(text, form).ok().as_deref(),
            expected,
            "{form:?} {text:?}"
        );
    }
}

#[test]
fn a_canonical_text_is_its_own_spelling() {
    for (form, text) in [
        (TextForm::Url, "http://bücher.example/ä?ö"),
        (TextForm::Domain, "bücher.example"),
        (TextForm::Email, "a@bücher.example"),
        (TextForm::Ip, "::FFFF:192.0.2.1"),
    ] {
        let once = canonical_text(text, form).unwrap();
        assert_eq!(canonical_text(&once, form), Ok(once));
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn values_are_checked_and_spelled_all_the_way_down() {
    for (of, value, expected) in [
        ("int", json!(7), Ok(json!(7))),
        ("int", json!(7.5), Err("int is expected, found 7.5")),
        (
            "int",
            json!(18_446_744_073_709_551_615_u64),
            Err("int is expected, found 18446744073709551615"),
        ),
        ("int", json!("7"), Err("int is expected, found `7`")),
        ("double", json!(7), Ok(json!(7))),
        ("bool", json!("yes"), Err("bool is expected, found `yes`")),
        ("string", json!(null), Err("string is expected, found nothing")),
        ("string?", json!(null), Ok(json!(null))),
        ("duration", json!("7d"), Ok(json!("7d"))),
        ("duration", json!("120m"), Ok(json!("2h"))),
        ("duration", json!("-90m"), Ok(json!("-90m"))),
        ("duration", json!("9000d"), Ok(json!("9000d"))),
        (
            "duration",
            json!("7 days"),
            Err("a duration such as 30s or 7d is expected, found `7 days`"),
        ),
        (
            "time",
            json!("2026-03-02T04:04:05+01:00"),
            Ok(json!("2026-03-02T03:04:05Z")),
        ),
        (
            "time",
            json!("yesterday"),
            Err("a time such as 2026-03-02T03:04:00Z is expected, found `yesterday`"),
        ),
        ("severity", json!("high"), Ok(json!("high"))),
        (
            "severity",
            json!(2),
            Err("severity (low, medium, high, critical) is expected, found 2"),
        ),
        ("list<ip>", json!(["2001:DB8::1"]), Ok(json!(["2001:db8::1"]))),
        (
            "list<ip>",
            json!(["192.0.2.1", "x"]),
            Err("`[1]`: an IP address such as 192.0.2.1 is expected, found `x`"),
        ),
        (
            "{a: int, b?: url}",
            json!({"a": 1, "b": null}),
            Ok(json!({"a": 1})),
        ),
        (
            "{a: int, b?: url}",
            json!({"b": "http://x.example"}),
            Err("`a`: int is expected, found nothing"),
        ),
        (
            "{a: int}",
            json!({"a": 1, "c": 2}),
            Err("`c`: no such field in {a: int} is expected, found 2"),
        ),
        (
            "{a: list<{b: bool}>}",
            json!({"a": [{"b": true}, {"b": 3}]}),
            Err("`a[1].b`: bool is expected, found 3"),
        ),
        (
            "record",
            json!({"a": [1, {"b": null}]}),
            Ok(json!({"a": [1, {"b": null}]})),
        ),
        (
            "file",
            json!({"name": "a", "sha256": "A".repeat(64), "size": 3}),
            Ok(json!({"name": "a", "sha256": "a".repeat(64), "size": 3})),
        ),
        (
            "mail",
            json!({"message_id": "x"}),
            Err("`subject`: string is expected, found nothing"),
        ),
    ] {
        let found = check(&value, &ty(of)).map_err(|mismatch| mismatch.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{of} {value}");
    }
}

#[test]
fn foreign_answers_may_have_more_fields() {
    let value = json!({"a": 1, "new": true});
    assert_eq!(check_foreign(&value, &ty("{a: int}")), Ok(json!({"a": 1})));
}

#[test]
fn limits_hold_one_below_at_and_one_above() {
    let list = |items: usize| check(&json!(vec![1; items]), &ty("list<int>")).is_ok();
    assert!(list(LIST_ITEMS_MAX - 1) && list(LIST_ITEMS_MAX) && !list(LIST_ITEMS_MAX + 1));
    let nested = |depth: usize| {
        let value = (0..depth).fold(json!(1), |value, _| json!([value]));
        check(&value, &Type::Open).is_ok()
    };
    assert!(nested(VALUE_DEPTH_MAX - 1) && nested(VALUE_DEPTH_MAX) && !nested(VALUE_DEPTH_MAX + 1));
}

#[test]
fn found_values_are_shortened_in_messages() {
    let long = json!("x\u{1b}".repeat(1_000));
    let found = check(&long, &Type::Int).unwrap_err().found;
    assert!(found.chars().count() < 70 && !found.contains('\u{1b}'), "{found}");
}
