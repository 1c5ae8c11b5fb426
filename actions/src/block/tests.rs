//! Targets are canonical or refused, and the pull list asks the commit for exactly one change.

use playbooks::action_spec::ErrorKind;
use serde_json::{Value, json};

use super::Target;
use super::list::PullList;
use crate::action::{Action, Call, HouseChange};
use crate::testing::{HeldFiles, call, in_the_house};

fn ending(action: &str, arguments: Value) -> Call {
    let mut call = call(action, arguments);
    call.until = Some("2026-03-09T02:06:00Z".parse().unwrap());
    call
}

#[test]
fn a_target_is_written_one_way() {
    for (action, arguments, value) in [
        ("block.ip", json!({"ip": "2001:DB8::0:7"}), "2001:db8::7"),
        ("block.ip", json!({"cidr": "192.0.2.7/24"}), "192.0.2.0/24"),
        (
            "block.domain",
            json!({"domain": "BÜCHER.example."}),
            "xn--bcher-kva.example",
        ),
        (
            "unblock.url",
            json!({"url": "HTTPS://Evil.example/A?b"}),
            "https://evil.example/A?b",
        ),
    ] {
        assert_eq!(Target::of(&call(action, arguments)).unwrap().value, value);
    }
}

#[test]
fn an_ambiguous_or_empty_target_is_refused() {
    for (action, arguments) in [
        ("block.ip", json!({})),
        ("block.ip", json!({"ip": ""})),
        ("block.ip", json!({"ip": "192.0.2.7", "cidr": "192.0.2.0/24"})),
        ("block.ip", json!({"ip": "192.0.2.07"})),
        ("block.ip", json!({"ip": "3221225991"})),
        ("block.ip", json!({"cidr": "192.0.2.0"})),
        ("block.ip", json!({"ip": 7})),
        ("block.domain", json!({"domain": "com"})),
        ("block.domain", json!({"domain": "a b.example"})),
        ("block.domain", json!({"domain": " "})),
        ("block.url", json!({"url": "javascript:alert(1)"})),
        ("block.url", json!({"url": "/login"})),
    ] {
        let refused = Target::of(&call(action, arguments.clone())).unwrap_err();
        assert_eq!(
            (refused.kind, refused.not_sent),
            (ErrorKind::Invalid, true),
            "{arguments}"
        );
    }
}

#[tokio::test]
async fn a_block_is_one_measure_that_the_commit_stores() {
    let files = HeldFiles::default();
    let call = ending(
        "block.ip",
        json!({"ip": "192.0.2.7", "direction": "inbound", "reason": "ID-2026-00012"}),
    );
    let performed = PullList::new("block.ip")
        .perform(&call, in_the_house(&files))
        .await
        .unwrap();
    assert_eq!(performed.output, json!({"ip": "192.0.2.7", "list": "ip"}));
    assert_eq!(
        performed.changes,
        [HouseChange::PutMeasure {
            kind: "ip",
            target: "192.0.2.7".to_owned(),
            direction: Some("inbound".to_owned()),
            reason: "ID-2026-00012".to_owned(),
            inverse: None,
        }]
    );
    let lifted = PullList::new("unblock.domain")
        .perform(&call_to_unblock(), in_the_house(&files))
        .await
        .unwrap();
    assert_eq!(
        lifted.changes,
        [HouseChange::LiftMeasures {
            kind: "domain",
            target: "evil.example".to_owned(),
            direction: None,
        }]
    );
}

fn call_to_unblock() -> Call {
    call("unblock.domain", json!({"domain": "evil.example"}))
}

#[tokio::test]
async fn a_block_without_an_end_or_a_reason_is_not_made() {
    let files = HeldFiles::default();
    let endless = call("block.ip", json!({"ip": "192.0.2.7", "reason": "x"}));
    let refused = PullList::new("block.ip")
        .perform(&endless, in_the_house(&files))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Policy);
    let silent = ending("block.ip", json!({"ip": "192.0.2.7"}));
    let refused = PullList::new("block.ip")
        .perform(&silent, in_the_house(&files))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
}
