//! Tests of enrich merge: behaviour at its edges and against hostile input.

use jiff::Timestamp;
use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use serde_json::{Value, json};

use super::{Heard, merge};
use crate::action::ActionError;
use crate::catalogue::capabilities;
use crate::registry::LeftOut;

fn noon() -> Timestamp {
    "2026-11-10T12:00:00Z".parse().unwrap()
}

fn answer(name: &str, output: Value) -> Heard {
    Heard::answer(name.to_owned(), noon(), output)
}

fn failure(name: &str, kind: ErrorKind) -> Heard {
    Heard::failure(name.to_owned(), noon(), ActionError::new(kind, "broken"))
}

fn merged(heard: Vec<Heard>) -> Result<Value, ActionError> {
    let spec = &capabilities()["enrich.ip"];
    merge(spec, &json!({"ip": "192.0.2.1"}), heard)
}

fn verdict(heard: Vec<Heard>) -> String {
    merged(heard).unwrap()["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn the_worst_verdict_and_the_highest_score_win() {
    let output = merged(vec![
        answer(
            "a",
            json!({"verdict": "clean", "score": 3, "country": "FR", "tor": false}),
        ),
        answer(
            "b",
            json!({"verdict": "malicious", "score": 90, "country": "NL", "tor": true}),
        ),
        answer("c", json!({"verdict": "suspicious", "asn": 64500})),
    ])
    .unwrap();
    assert_eq!(output["verdict"], "malicious");
    assert_eq!(output["score"], 90);
    assert_eq!(output["country"], "FR");
    assert_eq!(output["asn"], 64500);
    assert_eq!(output["tor"], true);
    assert_eq!(output["vpn"], false);
    assert_eq!(output["ip"], "192.0.2.1");
    assert_eq!(output["providers"][1]["name"], "b");
    assert_eq!(output["providers"][1]["score"], 90);
}

#[test]
fn clean_needs_every_permitted_answer() {
    let clean = || answer("a", json!({"verdict": "clean", "score": 0}));
    let unknown = || answer("b", json!({"verdict": "unknown", "score": 0}));
    let left_out = || {
        let left_out = LeftOut {
            connection: "c".to_owned(),
            reason: "TLP:RED".to_owned(),
        };
        Heard::left_out(&left_out, noon())
    };
    assert_eq!(verdict(vec![clean()]), "clean");
    assert_eq!(verdict(vec![clean(), unknown()]), "clean");
    assert_eq!(verdict(vec![unknown()]), "unknown");
    assert_eq!(
        verdict(vec![clean(), failure("b", ErrorKind::Timeout)]),
        "unknown"
    );
    assert_eq!(verdict(vec![clean(), left_out()]), "unknown");
    let bad = answer("d", json!({"verdict": "suspicious"}));
    assert_eq!(
        verdict(vec![bad, failure("b", ErrorKind::Timeout), left_out()]),
        "suspicious"
    );
}

#[test]
fn facts_alone_are_no_verdict() {
    assert_eq!(verdict(vec![answer("rdap", json!({"country": "FR"}))]), "unknown");
}

#[test]
fn a_fact_of_another_form_is_dropped() {
    let output = merged(vec![
        answer("a", json!({"abuse_email": "not a mail address", "asn": "AS1"})),
        answer("b", json!({"abuse_email": "abuse@net.example"})),
    ])
    .unwrap();
    assert_eq!(output["abuse_email"], "abuse@net.example");
    assert!(output.get("asn").is_none());
}

#[test]
fn it_fails_only_when_all_failed_and_a_passing_reason_is_preferred() {
    let throttled = ActionError::new(ErrorKind::Throttled, "slow down")
        .certain()
        .after(Span::seconds(60));
    let error = merged(vec![
        failure("a", ErrorKind::Rejected),
        Heard::failure("b".to_owned(), noon(), throttled),
    ])
    .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled);
    assert_eq!(error.retry_after, Some(Span::seconds(60)));
    assert!(!error.not_sent);
    assert_eq!(error.detail, "a: broken; b: slow down");
}
