//! How types are written and how they relate.

use super::*;

fn enums() -> Enums {
    Enums::from([("rank".to_owned(), vec!["low".to_owned(), "high".to_owned()])])
}

fn ty(text: &str) -> Type {
    Type::parse(text, &enums()).unwrap_or_else(|why| panic!("{text}: {why}"))
}

#[test]
fn types_are_read_as_they_are_written() {
    for text in [
        "bool",
        "int",
        "double",
        "string",
        "duration",
        "time",
        "ip",
        "cidr",
        "domain",
        "url",
        "email",
        "phone",
        "hash",
        "file",
        "mail",
        "document",
        "observable",
        "severity",
        "tlp",
        "pap",
        "verdict",
        "rank",
        "record",
        "list<url>",
        "list<list<int>>",
        "url?",
        "{name: string, at?: time}",
        "list<{name: string, verdict?: verdict, items: list<ip>}>",
        "{}",
    ] {
        assert_eq!(ty(text).to_string(), text);
    }
    assert_eq!(
        ty(" list < { a : int , b ? : url ? } > ").to_string(),
        "list<{a: int, b?: url}>"
    );
}

#[test]
fn what_is_no_type_is_refused_in_place() {
    for (text, offset, suggestion) in [
        ("strng", 0, Some("string")),
        ("list<urll>", 5, Some("url")),
        ("list<url", 8, None),
        ("{a int}", 3, None),
        ("{a: int, a: int}", 15, None),
        ("url url", 4, None),
        ("", 0, None),
        ("{: int}", 1, None),
    ] {
        let why = Type::parse(text, &enums()).unwrap_err();
        assert_eq!(
            (why.offset, why.suggestion.as_deref()),
            (offset, suggestion),
            "{text}: {why}"
        );
    }
    let deep =
        |depth: usize| Type::parse(&("list<".repeat(depth) + "int" + &">".repeat(depth)), &enums()).is_ok();
    assert!(deep(7) && deep(8) && !deep(9));
    assert!(Type::parse(&"list<".repeat(100_000), &enums()).is_err());
}

#[test]
fn incident_parts_are_sure_only_where_every_type_has_them() {
    use crate::incident::IncidentType as T;
    let optional =
        |kinds: &[T], part: &str| matches!(Type::incident(kinds).fields().unwrap()[part], Type::Optional(_));
    assert!(!optional(&[T::SuspiciousLogin], "user") && !optional(&[T::SuspiciousLogin], "logins"));
    assert!(!optional(&[T::IdsAlert], "network") && !optional(&[T::IdsAlert], "signature"));
    assert!(optional(&[T::IdsAlert], "user"));
    assert!(optional(&[T::IdsAlert, T::Malware], "network"));
    assert!(optional(&[], "network"));
    assert!(optional(&[T::Phishing], "mail"));
}

#[test]
fn incident_types_follow_the_stored_form() {
    use crate::incident::{Incident, IncidentType};
    let stored = serde_json::json!({
        "ref": "ID-2026-00001", "type": "ids-alert", "title": "t", "summary": "s", "status": "open",
        "severity": "high", "tlp": "amber", "pap": "amber", "verdict": "unknown", "tags": ["a"],
        "detected_at": "2026-03-02T03:04:00Z", "received_at": "2026-03-02T03:04:00Z",
        "reporter": {"email": "a@b.example", "name": "A"},
        "mail": {"message_id": "<1>", "subject": "s", "from": "a@b.example", "to": ["c@d.example"],
                 "received_at": "2026-03-02T03:04:00Z",
                 "file": {"name": "n", "sha256": "a".repeat(64), "size": 1, "media_type": "text/plain"}},
        "domain": "a.example", "host": {"id": "h", "hostname": "n", "sha256": "a".repeat(64)},
        "user": {"id": "u", "email": "a@b.example"},
        "logins": [{"ip": "192.0.2.1", "at": "2026-03-02T03:04:00Z", "country": "FR", "mfa": true}],
        "network": {"source_ip": "192.0.2.1", "destination_ip": "192.0.2.2", "direction": "inbound",
                    "protocol": "tcp", "destination_port": 443},
        "signature": {"id": "1", "name": "n", "cve": "CVE-2021-44228", "blocked": false},
        "observables": [{"type": "ip", "value": "192.0.2.1", "tlp": "red", "role": "source"}],
        "files": [], "raw": {"any": 1},
    });
    let incident: Incident = serde_json::from_value(stored).unwrap();
    let value = incident.to_value();
    // Nothing refused, nothing lost: every stored field has a type and fits it.
    let checked = crate::values::check(&value, &Type::incident(&[IncidentType::IdsAlert])).unwrap();
    assert_eq!(checked, value);
}

#[test]
fn branches_have_the_narrowest_common_type() {
    let join = |one: &str, two: &str| ty(one).join(&ty(two)).map(|ty| ty.to_string());
    assert_eq!(join("ip", "ip").as_deref(), Some("ip"));
    assert_eq!(join("ip", "url").as_deref(), Some("string"));
    assert_eq!(join("int", "double"), None);
    assert_eq!(join("int", "int?").as_deref(), Some("int?"));
    assert_eq!(join("list<ip>", "list<url>").as_deref(), Some("list<string>"));
    assert_eq!(
        join("{a: int}", "{a: int, b: int}").as_deref(),
        Some("{a: int, b?: int}")
    );
    assert_eq!(join("severity", "rank"), None);
    assert_eq!(join("file", "file").as_deref(), Some("file"));
}
