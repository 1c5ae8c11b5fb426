//! The traps of the alias API, against a fake with the same traps.

use std::sync::{Arc, Mutex};

use playbooks::action_spec::ErrorKind;
use serde_json::{Value, json};

use super::{DELETE_ROUNDS_MAX, Opnsense, block_and_unblock};
use crate::action::{Action, Call, HouseChange, Probe};
use crate::egress::Door;
use crate::testing::fake::{FarEnd, Seen};
use crate::testing::{HeldFiles, body, call, through};

/// A firewall with one alias: what is in force, and what the configuration will bring back.
#[derive(Debug, Default)]
struct Firewall {
    live: Vec<String>,
    configured: Vec<String>,
    /// Deletes do nothing.
    stuck: bool,
}

impl Firewall {
    fn answer(&mut self, seen: &Seen) -> (u16, Value) {
        let address = seen
            .body
            .get("address")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let path = seen.line.split_once(' ').unwrap().1;
        let done = (200, json!({"status": "done"}));
        match path.rsplit_once('/').unwrap() {
            ("/api/firewall/alias_util/add", "sortie_in") => {
                if address.chars().any(|c| c.is_ascii_uppercase()) {
                    return (200, json!({"status": "not_an_address"}));
                }
                // The first entry is not found and gets a copy: `array_search` gives 0, which is false.
                if self.configured.iter().skip(1).all(|entry| *entry != address) {
                    self.configured.push(address.clone());
                }
                if !self.live.contains(&address) {
                    self.live.push(address);
                }
                done
            }
            ("/api/firewall/alias_util/delete", "sortie_in") => {
                if !self.stuck {
                    let masked = format!("{address}/32");
                    for form in [masked, address.clone()] {
                        if let Some(at) = self.configured.iter().position(|entry| *entry == form) {
                            self.configured.remove(at);
                        }
                    }
                    self.live.retain(|entry| *entry != address);
                }
                done
            }
            ("/api/firewall/alias_util/list", "sortie_in") => {
                let phrase = seen.body["searchPhrase"].as_str().unwrap();
                let rows: Vec<_> = self
                    .live
                    .iter()
                    .filter(|entry| entry.contains(phrase))
                    .map(|entry| json!({"ip": entry}))
                    .collect();
                (200, json!({"rows": rows}))
            }
            ("/api/firewall/alias/get_alias_u_u_i_d", "sortie_in") => (200, json!({"uuid": "u-1"})),
            ("/api/firewall/alias/get_alias_u_u_i_d", _) => (200, json!([])),
            ("/api/firewall/alias/get_item", "u-1") => {
                let mut item = body("opnsense/item.json");
                for entry in &self.configured {
                    item["alias"]["content"][entry] = json!({"value": entry, "selected": 1});
                }
                (200, item)
            }
            (_, alias) => (
                200,
                json!({"status": "failed", "status_msg": format!("nonexistent alias {alias}")}),
            ),
        }
    }
}

async fn firewall(state: Firewall) -> (FarEnd, Arc<Mutex<Firewall>>) {
    let shared = Arc::new(Mutex::new(state));
    let kept = Arc::clone(&shared);
    let far = FarEnd::start(move |seen| kept.lock().unwrap().answer(seen)).await;
    (far, shared)
}

fn door(far: &FarEnd) -> Door {
    far.door(
        "opnsense",
        json!({"aliases": {"ip": {"inbound": "sortie_in", "outbound": "sortie_in"}}}),
    )
}

fn block(ip: &str) -> Call {
    let mut call = call(
        "block.ip",
        json!({"ip": ip, "direction": "inbound", "reason": "ID-2026-00012"}),
    );
    call.until = Some("2026-03-09T02:06:00Z".parse().unwrap());
    call
}

fn unblock(ip: &str) -> Call {
    call("unblock.ip", json!({"ip": ip, "direction": "inbound"}))
}

fn providers() -> [Opnsense; 2] {
    block_and_unblock()
}

#[tokio::test]
async fn after_the_first_of_two_aliases_no_failure_is_certain() {
    let (far, state) = firewall(Firewall::default()).await;
    let door = far.door(
        "opnsense",
        json!({"aliases": {"ip": {"inbound": "sortie_in", "outbound": "not_there"}}}),
    );
    let mut call = block("45.155.205.233");
    call.arguments["direction"] = json!("both");
    let error = providers()[0]
        .perform(&call, through(&door, &HeldFiles::default()))
        .await
        .unwrap_err();
    assert!(!error.not_sent, "the address is in the first alias: {error}");
    assert_eq!(state.lock().unwrap().live, ["45.155.205.233"]);
}

#[tokio::test]
async fn an_address_is_added_once_and_taken_back_by_the_runner() {
    let (far, state) = firewall(Firewall::default()).await;
    let door = door(&far);
    let files = HeldFiles::default();
    let [adds, _] = providers();
    for _ in 0..2 {
        let performed = adds
            .perform(&block("192.0.2.7"), through(&door, &files))
            .await
            .unwrap();
        assert_eq!(performed.output, json!({"ip": "192.0.2.7", "list": "sortie_in"}));
        assert_eq!(
            performed.changes,
            [HouseChange::PutMeasure {
                kind: "ip",
                target: "192.0.2.7".to_owned(),
                direction: Some("inbound".to_owned()),
                reason: "ID-2026-00012".to_owned(),
                inverse: Some((
                    "unblock.ip".to_owned(),
                    json!({"ip": "192.0.2.7", "direction": "inbound"})
                )),
            }]
        );
    }
    assert_eq!(
        state.lock().unwrap().configured,
        ["192.0.2.7"],
        "a second add left a copy"
    );
}

#[test]
fn a_block_in_doubt_is_registered_and_a_lift_in_doubt_is_not() {
    let [adds, deletes] = providers();
    assert_eq!(
        adds.in_doubt(&block("192.0.2.7")),
        [HouseChange::PutMeasure {
            kind: "ip",
            target: "192.0.2.7".to_owned(),
            direction: Some("inbound".to_owned()),
            reason: "ID-2026-00012".to_owned(),
            inverse: Some((
                "unblock.ip".to_owned(),
                json!({"ip": "192.0.2.7", "direction": "inbound"})
            )),
        }]
    );
    assert_eq!(deletes.in_doubt(&unblock("192.0.2.7")), []);
}

#[tokio::test]
async fn every_copy_in_every_spelling_is_deleted_and_nothing_else() {
    let (far, state) = firewall(Firewall {
        live: vec!["192.0.2.70".to_owned(), "192.0.2.7".to_owned()],
        configured: ["192.0.2.7", "192.0.2.7/32", "192.0.2.70", "192.0.2.7"]
            .map(str::to_owned)
            .to_vec(),
        stuck: false,
    })
    .await;
    let door = door(&far);
    let files = HeldFiles::default();
    let [_, deletes] = providers();
    let performed = deletes
        .perform(&unblock("192.0.2.7"), through(&door, &files))
        .await
        .unwrap();
    assert_eq!(performed.output, json!({"ip": "192.0.2.7"}));
    let state = state.lock().unwrap();
    assert_eq!(
        (state.live.as_slice(), state.configured.as_slice()),
        (&["192.0.2.70".to_owned()][..], &["192.0.2.70".to_owned()][..])
    );
}

#[tokio::test]
async fn a_delete_that_does_nothing_is_a_failure() {
    let (far, _) = firewall(Firewall {
        live: vec!["192.0.2.7".to_owned()],
        stuck: true,
        ..Firewall::default()
    })
    .await;
    let door = door(&far);
    let files = HeldFiles::default();
    let [_, deletes] = providers();
    let error = deletes
        .perform(&unblock("192.0.2.7"), through(&door, &files))
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.not_sent), (ErrorKind::ServerError, false));
    let asked = far
        .lines()
        .iter()
        .filter(|line| line.contains("/delete/"))
        .count();
    assert_eq!(asked, DELETE_ROUNDS_MAX);
}

#[tokio::test]
async fn asking_tells_what_is_in_force() {
    let [adds, deletes] = providers();
    let files = HeldFiles::default();
    for (live, added, deleted) in [
        (&["192.0.2.70"][..], false, true),
        (&["192.0.2.7"][..], true, false),
    ] {
        let (far, _) = firewall(Firewall {
            live: live.iter().map(|entry| (*entry).to_owned()).collect(),
            ..Firewall::default()
        })
        .await;
        let door = door(&far);
        let probe = adds.probe(&block("192.0.2.7"), through(&door, &files)).await;
        assert_eq!(matches!(probe, Probe::Done(_)), added, "{live:?}: {probe:?}");
        let probe = deletes.probe(&unblock("192.0.2.7"), through(&door, &files)).await;
        assert_eq!(matches!(probe, Probe::Done(_)), deleted, "{live:?}: {probe:?}");
    }
}

#[tokio::test]
async fn success_is_told_by_the_body() {
    let files = HeldFiles::default();
    let [adds, _] = providers();
    for (answer, kind) in [
        (
            json!({"status": "failed", "status_msg": "nonexistent alias sortie_in"}),
            ErrorKind::Rejected,
        ),
        (json!({"status": "not_an_address"}), ErrorKind::Rejected),
        (json!({}), ErrorKind::BadAnswer),
        (json!([]), ErrorKind::BadAnswer),
    ] {
        let shown = answer.to_string();
        let far = FarEnd::start(move |seen| {
            if seen.line.contains("/add/") {
                (200, answer.clone())
            } else {
                Firewall::default().answer(seen)
            }
        })
        .await;
        let error = adds
            .perform(&block("192.0.2.7"), through(&door(&far), &files))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{shown}: {error}");
    }
}

#[tokio::test]
async fn a_recorded_table_and_configuration_are_read() {
    let far = FarEnd::start(|seen| {
        let path = &seen.line;
        if path.contains("/list/") {
            (200, body("opnsense/table.json"))
        } else if path.contains("/get_item/") {
            (200, body("opnsense/item.json"))
        } else {
            (200, json!({"uuid": "u-1"}))
        }
    })
    .await;
    let [adds, _] = providers();
    let files = HeldFiles::default();
    let door = door(&far);
    assert!(matches!(
        adds.probe(&block("192.0.2.7"), through(&door, &files)).await,
        Probe::Done(_)
    ));
    assert_eq!(
        adds.probe(&block("192.0.2.71"), through(&door, &files)).await,
        Probe::NotDone
    );
}

#[tokio::test]
async fn an_alias_that_is_not_set_or_not_there_is_told() {
    let files = HeldFiles::default();
    let [adds, _] = providers();
    let (far, _) = firewall(Firewall::default()).await;
    for settings in [
        json!({}),
        json!({"aliases": {"domain": "x"}}),
        json!({"aliases": {"ip": {"outbound": "x"}}}),
    ] {
        let door = far.door("opnsense", settings);
        let error = adds
            .perform(&block("192.0.2.7"), through(&door, &files))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind, error.not_sent),
            (ErrorKind::Invalid, true),
            "{error}"
        );
    }
    assert!(far.seen().is_empty());
    let door = far.door("opnsense", json!({"aliases": {"ip": "other"}}));
    let error = adds
        .perform(&block("192.0.2.7"), through(&door, &files))
        .await
        .unwrap_err();
    assert_ne!(error.kind, ErrorKind::Policy, "{error}");
}
