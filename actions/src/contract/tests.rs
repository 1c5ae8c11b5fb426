//! The contract held against the providers that act.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Body, Fake, Reply, can_be_asked, door, repeats_without_harm, survives_hostile_answers};
use crate::action::Action;
use crate::block::opnsense::block_and_unblock;
use crate::notify::mattermost::Mattermost;
use crate::testing::call;
use crate::ticket::{thehive, zammad};

#[tokio::test]
async fn tickets_survive_hostile_answers() {
    let own = json!({"group": "Security", "customer": "cert@cert.example"});
    let ticket = json!({"title": "Fake login page", "severity": "high", "body": "Seen twice."});
    let note = json!({"id": "17", "note": "Seen again."});
    let actions: [(Box<dyn Action>, &Value); 4] = [
        (Box::new(thehive::OpenAlert::new()), &ticket),
        (Box::new(thehive::CommentAlert::new()), &note),
        (Box::new(zammad::OpenTicket::new()), &ticket),
        (Box::new(zammad::AddNote::new()), &note),
    ];
    for (action, arguments) in actions {
        let asked = call(&action.provider().capability, arguments.clone());
        let body = match action.provider().capability.as_str() {
            "ticket.open" => Body::Needed,
            _ => Body::Ignored,
        };
        survives_hostile_answers(action.as_ref(), &asked, &own, body).await;
    }
}

#[tokio::test]
async fn posts_and_blocks_survive_hostile_answers() {
    let asked = call("notify.team", json!({"channel": "soc", "text": "hello"}));
    let own = json!({"channels": {"soc": "4yxm3xa8pfr1zkp3f8i5xwcdqr"}});
    survives_hostile_answers(&Mattermost::new(), &asked, &own, Body::Needed).await;

    let own = json!({"aliases": {"ip": "sortie_in"}});
    let arguments = json!({"ip": "203.0.113.7", "reason": "phishing", "for": "24h", "direction": "inbound"});
    for firewall in block_and_unblock() {
        let mut asked = call(&firewall.provider().capability, arguments.clone());
        asked.until = Some("2026-03-03T02:06:00Z".parse().unwrap());
        survives_hostile_answers(&firewall, &asked, &own, Body::Needed).await;
    }
}

/// Alerts by `sourceRef`, refusing a second of the same.
async fn alerts() -> (Fake, Arc<Mutex<Vec<String>>>) {
    let held = Arc::new(Mutex::new(Vec::new()));
    let alerts = Arc::clone(&held);
    let fake = Fake::start(move |seen| {
        let mut held = alerts.lock().unwrap();
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let alert = json!({"_id": "~17"});
        if seen.target() == "/api/v1/query" {
            let wanted = body
                .pointer("/query/1/_and/1/_eq/_value")
                .unwrap()
                .as_str()
                .unwrap();
            let found: Vec<_> = held
                .iter()
                .filter(|marker| *marker == wanted)
                .map(|_| alert.clone())
                .collect();
            return Reply::json(json!(found).to_string());
        }
        let marker = body["sourceRef"].as_str().unwrap().to_owned();
        if held.contains(&marker) {
            return Reply::json(r#"{"type": "CreateError", "message": "already exists"}"#).code(400);
        }
        held.push(marker);
        Reply::json(alert.to_string()).code(201)
    })
    .await;
    (fake, held)
}

#[tokio::test]
async fn an_alert_is_opened_once_and_found_again() {
    let asked = call(
        "ticket.open",
        json!({"title": "Fake login page", "severity": "high"}),
    );
    let action = thehive::OpenAlert::new();
    let (fake, held) = alerts().await;
    let far = door("thehive", fake.base(), &Value::Null);
    repeats_without_harm(&action, &asked, &far, || held.lock().unwrap().len()).await;

    let (fake, _) = alerts().await;
    can_be_asked(&action, &asked, &door("thehive", fake.base(), &Value::Null)).await;
}
