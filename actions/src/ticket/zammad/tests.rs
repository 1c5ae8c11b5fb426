//! Tickets carry our marker from the first moment, and notes never become mails.

use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use serde_json::{Value, json};

use super::{AddNote, OpenTicket};
use crate::action::{Action, Call, Probe};
use crate::testing::fake::FarEnd;
use crate::testing::{HeldFiles, body, call, through};

fn settings() -> Value {
    json!({"group": "CERT", "customer": "incident@cert.example"})
}

fn open() -> Call {
    call(
        "ticket.open",
        json!({"title": "Phishing", "severity": "high", "body": "see evil.example"}),
    )
}

fn note() -> Call {
    call("ticket.update", json!({"id": "19", "note": "blocked"}))
}

#[tokio::test]
async fn a_ticket_is_opened_and_tagged() {
    let far = FarEnd::start(|seen| {
        if seen.line.ends_with("/tags/add") {
            (201, json!(true))
        } else {
            (201, body("zammad/ticket.json"))
        }
    })
    .await;
    let door = far.door("zammad", settings());
    let call = open();
    let performed = OpenTicket::new()
        .perform(&call, through(&door, &HeldFiles::default()))
        .await
        .unwrap();
    assert_eq!(performed.output["id"], "19");
    assert!(
        performed.output["url"]
            .as_str()
            .unwrap()
            .ends_with("/#ticket/zoom/19")
    );
    let seen = far.seen();
    assert_eq!(far.lines(), ["POST /api/v1/tickets", "POST /api/v1/tags/add"]);
    assert_eq!(
        seen[0].body,
        json!({
            "title": format!("Phishing [{}]", call.marker()),
            "group": "CERT",
            "customer_id": "guess:incident@cert.example",
            "priority": "3 high",
            "article": {
                "subject": call.marker(),
                "body": "TLP:AMBER\n\nsee evil[.]example",
                "content_type": "text/plain",
                "type": "note",
                "internal": true,
            },
        })
    );
    assert_eq!(
        seen[1].body,
        json!({"object": "Ticket", "o_id": 19, "item": call.marker()})
    );
}

#[tokio::test]
async fn a_ticket_without_its_tag_is_still_a_ticket() {
    let far = FarEnd::start(|seen| {
        if seen.line.ends_with("/tags/add") {
            (500, json!({}))
        } else {
            (201, body("zammad/ticket.json"))
        }
    })
    .await;
    let door = far.door("zammad", settings());
    assert!(
        OpenTicket::new()
            .perform(&open(), through(&door, &HeldFiles::default()))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_ticket_is_found_by_the_marker_in_its_title() {
    let files = HeldFiles::default();
    assert_eq!(OpenTicket::new().provider().settle, Span::seconds(60));
    for (title, found) in [
        (format!("Phishing [{}]", open().marker()), true),
        ("Phishing".to_owned(), false),
    ] {
        let mut ticket = body("zammad/ticket.json");
        ticket["title"] = json!(title);
        let far = FarEnd::start(move |_| (200, json!([ticket]))).await;
        let door = far.door("zammad", settings());
        let probe = OpenTicket::new().probe(&open(), through(&door, &files)).await;
        assert_eq!(matches!(probe, Probe::Done(_)), found, "{probe:?}");
        assert!(
            far.lines()[0].starts_with("GET /api/v1/tickets/search?query=tags"),
            "{:?}",
            far.lines()
        );
    }
}

#[tokio::test]
async fn a_note_is_internal_and_found_by_its_subject() {
    let files = HeldFiles::default();
    for (subject, found) in [(note().marker(), true), ("other".to_owned(), false)] {
        let mut article = body("zammad/article.json");
        article["subject"] = json!(subject);
        let far = FarEnd::start(move |seen| {
            if seen.line.starts_with("GET") {
                (200, json!([article]))
            } else {
                (201, article.clone())
            }
        })
        .await;
        let door = far.door("zammad", settings());
        AddNote::new()
            .perform(&note(), through(&door, &files))
            .await
            .unwrap();
        let probe = AddNote::new().probe(&note(), through(&door, &files)).await;
        assert_eq!(matches!(probe, Probe::Done(_)), found);
        let seen = far.seen();
        assert_eq!(
            far.lines(),
            [
                "POST /api/v1/ticket_articles",
                "GET /api/v1/ticket_articles/by_ticket/19"
            ]
        );
        assert_eq!(
            (&seen[0].body["type"], &seen[0].body["internal"]),
            (&json!("note"), &json!(true))
        );
        assert_eq!(seen[0].body["ticket_id"], 19);
    }
}

#[tokio::test]
async fn what_is_missing_is_told_before_anything_is_sent() {
    let files = HeldFiles::default();
    let far = FarEnd::start(|_| (201, json!({}))).await;
    for settings in [json!({}), json!({"group": "CERT"})] {
        let door = far.door("zammad", settings);
        let error = OpenTicket::new()
            .perform(&open(), through(&door, &files))
            .await
            .unwrap_err();
        assert_eq!((error.kind, error.not_sent), (ErrorKind::Invalid, true));
    }
    let door = far.door("zammad", settings());
    for id in ["", "19/../../users", "-1", "19 "] {
        let call = call("ticket.update", json!({"id": id, "note": "x"}));
        let error = AddNote::new()
            .perform(&call, through(&door, &files))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{id}");
    }
    assert!(far.seen().is_empty());
}
