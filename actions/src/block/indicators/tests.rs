//! Tests of indicators: every one of ours ends, and those of others stay as they are.

use std::sync::{Arc, Mutex};

use http::Method;
use playbooks::action_spec::ErrorKind;
use serde_json::{Value, json};

use super::Indicators;
use crate::action::{Action, ActionError, Call, HouseChange, Performed, Probe};
use crate::contract::{
    Body, Fake, Reply, can_be_asked, declares_consistently, door, keeps_its_promise, repeats_without_harm,
    survives_hostile_answers,
};
use crate::testing::{HeldFiles, body, call, through};

const HASH: &str = "dc0ade0c95d6db98882bc8fa6707e64353cd6f7767ff48d6a81a6c2aef21c608";

type Held = Arc<Mutex<Vec<Value>>>;

/// A tenant that keeps one indicator a file, as Defender does.
async fn tenant(held: &Held) -> Fake {
    let held = Arc::clone(held);
    Fake::start(move |seen| {
        let mut held = held.lock().unwrap();
        match seen.method {
            Method::GET => {
                let found: Vec<Value> = held
                    .iter()
                    .filter(|one| seen.target().contains(one["indicatorValue"].as_str().unwrap()))
                    .cloned()
                    .collect();
                Reply::json(json!({"value": found}).to_string())
            }
            Method::POST => {
                let given: Value = serde_json::from_str(&seen.text()).unwrap();
                let mut made = body("defender/indicator.json");
                for (name, value) in given.as_object().unwrap() {
                    made[name.as_str()] = value.clone();
                }
                held.retain(|one| one["indicatorValue"] != made["indicatorValue"]);
                held.push(made.clone());
                Reply::json(made.to_string())
            }
            _ => {
                let id = seen.uri.path().rsplit('/').next().unwrap().to_owned();
                let before = held.len();
                held.retain(|one| one["id"] != json!(id));
                Reply::status(if held.len() < before { 204 } else { 404 })
            }
        }
    })
    .await
}

fn block() -> Call {
    let mut call = call(
        "block.hash",
        json!({"hash": HASH.to_uppercase(), "reason": "MW-2026-00102\r\nx"}),
    );
    call.until = Some("2026-04-01T02:06:00.5Z".parse().unwrap());
    call
}

fn unblock() -> Call {
    call("unblock.hash", json!({"hash": HASH}))
}

async fn perform(action: &dyn Action, call: &Call, fake: &Fake) -> Result<Performed, ActionError> {
    let door = door("defender", fake.base(), &Value::Null);
    let performed = action
        .perform(call, through(&door, &HeldFiles::default()))
        .await?;
    keeps_its_promise(action, &performed);
    Ok(performed)
}

fn foreign(action: &str) -> Value {
    let mut indicator = body("defender/indicator.json");
    indicator["action"] = json!(action);
    indicator["createdByDisplayName"] = json!("K. Analyst");
    indicator
}

#[tokio::test]
async fn both_keep_the_contract() {
    for (action, call) in Indicators::both().into_iter().zip([block(), unblock()]) {
        declares_consistently(&action);
        survives_hostile_answers(&action, &call, &Value::Null, Body::Needed).await;
    }
}

#[tokio::test]
async fn a_block_ends_and_is_registered_with_its_end() {
    let held = Held::default();
    let fake = tenant(&held).await;
    let [blocking, _] = Indicators::both();
    let call = block();
    let performed = perform(&blocking, &call, &fake).await.unwrap();
    assert_eq!(performed.output, json!({"hash": HASH, "list": "indicators"}));
    assert_eq!(performed.reference.as_deref(), Some("995"));
    assert!(blocking.provider().expires_by_itself);
    assert_eq!(
        performed.changes,
        [HouseChange::PutMeasure {
            kind: "hash",
            target: HASH.to_owned(),
            direction: None,
            reason: "MW-2026-00102\r\nx".to_owned(),
            inverse: None,
        }]
    );
    assert_eq!(
        serde_json::from_str::<Value>(&fake.seen()[1].text()).unwrap(),
        json!({
            "indicatorValue": HASH, "indicatorType": "FileSha256", "action": "Block",
            "title": "Blocked by CERT-EX",
            "description": format!("MW-2026-00102 x [{}]", call.marker()),
            "expirationTime": "2026-04-01T02:06:00Z", "severity": "High", "generateAlert": true,
        })
    );
}

#[tokio::test]
async fn a_block_without_an_end_is_not_made() {
    let held = Held::default();
    let fake = tenant(&held).await;
    let [blocking, _] = Indicators::both();
    let mut call = block();
    call.until = None;
    let error = perform(&blocking, &call, &fake).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Policy);
    assert!(error.not_sent && held.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_block_of_ours_is_never_made_shorter() {
    let held = Held::default();
    let fake = tenant(&held).await;
    let [blocking, _] = Indicators::both();
    perform(&blocking, &block(), &fake).await.unwrap();
    let mut shorter = block();
    shorter.key = "f".repeat(64);
    shorter.until = Some("2026-03-03T00:00:00Z".parse().unwrap());
    perform(&blocking, &shorter, &fake).await.unwrap();
    let held = held.lock().unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0]["expirationTime"], "2026-04-01T02:06:00Z");
}

#[tokio::test]
async fn what_people_set_stays_as_it_is() {
    let [blocking, lifting] = Indicators::both();
    for (action, goes) in [("AlertAndBlock", true), ("Allowed", false), ("Audit", false)] {
        let held: Held = Arc::new(Mutex::new(vec![foreign(action)]));
        let fake = tenant(&held).await;
        let result = perform(&blocking, &block(), &fake).await;
        match (&result, goes) {
            (Ok(performed), true) => assert!(performed.changes.is_empty(), "nothing of ours to take back"),
            (Err(error), false) => {
                assert_eq!(error.kind, ErrorKind::Rejected);
                assert!(
                    error.not_sent
                        && error
                            .detail
                            .contains(&format!("K. Analyst set the file to `{action}`"))
                );
            }
            other => panic!("{action}: {other:?}"),
        }
        perform(&lifting, &unblock(), &fake).await.unwrap();
        assert_eq!(*held.lock().unwrap(), [foreign(action)], "{action} stays");
    }
}

#[tokio::test]
async fn it_can_be_repeated_asked_for_and_lifted() {
    let held = Held::default();
    let fake = tenant(&held).await;
    let [blocking, lifting] = Indicators::both();
    let way = door("defender", fake.base(), &Value::Null);
    can_be_asked(&blocking, &block(), &way).await;
    repeats_without_harm(&blocking, &block(), &way, || held.lock().unwrap().len()).await;
    let files = HeldFiles::default();
    assert_eq!(
        lifting.probe(&unblock(), through(&way, &files)).await,
        Probe::NotDone
    );
    let performed = perform(&lifting, &unblock(), &fake).await.unwrap();
    assert_eq!(
        performed.changes,
        [HouseChange::LiftMeasures {
            kind: "hash",
            target: HASH.to_owned(),
            direction: None
        }]
    );
    assert!(held.lock().unwrap().is_empty());
    assert!(matches!(
        lifting.probe(&unblock(), through(&way, &files)).await,
        Probe::Done(_)
    ));
    perform(&lifting, &unblock(), &fake).await.unwrap();
}

#[test]
fn a_block_that_may_stand_is_registered() {
    let [blocking, lifting] = Indicators::both();
    assert_eq!(blocking.in_doubt(&block()).len(), 1);
    assert!(lifting.in_doubt(&unblock()).is_empty());
}
