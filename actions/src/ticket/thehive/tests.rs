//! Alerts carry our key; a second one is found, not made.

use playbooks::action_spec::ErrorKind;
use serde_json::json;

use super::{CommentAlert, OpenAlert};
use crate::action::{Action, Call, Probe};
use crate::testing::fake::FarEnd;
use crate::testing::{HeldFiles, body, call, through};

fn open() -> Call {
    call(
        "ticket.open",
        json!({"title": "Phishing\r\n@karim", "severity": "critical", "body": "see http://evil.example/x"}),
    )
}

#[tokio::test]
async fn an_alert_is_opened_with_our_numbers() {
    let far = FarEnd::start(|_| (201, body("thehive/alert.json"))).await;
    let door = far.door("thehive", json!({"organisation": "cert"}));
    let call = open();
    let performed = OpenAlert::new()
        .perform(&call, through(&door, &HeldFiles::default()))
        .await
        .unwrap();
    assert_eq!(performed.output["id"], "~41472");
    assert!(
        performed.output["url"]
            .as_str()
            .unwrap()
            .ends_with("/alerts/~41472/details")
    );
    let seen = &far.seen()[0];
    assert_eq!(seen.line, "POST /api/v1/alert");
    assert!(seen.headers.to_lowercase().contains("x-organisation: cert"));
    assert_eq!(
        seen.body,
        json!({
            "type": "incident",
            "source": "sortie",
            "sourceRef": call.marker(),
            "title": "Phishing @\u{200c}karim",
            "description": "see hxxp://evil[.]example/x",
            "severity": 4,
            "date": 1_772_417_160_000_i64,
            "tags": [call.marker(), "PH-2026-00417", "ville-exemple"],
            "tlp": 2,
            "pap": 1,
        })
    );
}

#[tokio::test]
async fn a_refused_second_alert_is_the_first_one() {
    for code in [400, 409] {
        let far = FarEnd::start(move |seen| {
            if seen.line.ends_with("/query") {
                (200, json!([body("thehive/alert.json")]))
            } else {
                (code, body("thehive/duplicate.json"))
            }
        })
        .await;
        let door = far.door("thehive", json!({}));
        let performed = OpenAlert::new()
            .perform(&open(), through(&door, &HeldFiles::default()))
            .await
            .unwrap();
        assert_eq!(performed.output["id"], "~41472", "{code}");
    }
}

#[tokio::test]
async fn a_refusal_for_another_reason_stays_one() {
    let far = FarEnd::start(|seen| {
        if seen.line.ends_with("/query") {
            (200, json!([]))
        } else {
            (400, json!({"type": "BadRequest", "message": "title too long"}))
        }
    })
    .await;
    let door = far.door("thehive", json!({}));
    let error = OpenAlert::new()
        .perform(&open(), through(&door, &HeldFiles::default()))
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.not_sent), (ErrorKind::Rejected, true));
    assert!(error.detail.contains("title too long"), "{error}");
}

#[tokio::test]
async fn an_alert_is_asked_for_by_source_and_key() {
    let files = HeldFiles::default();
    for (status, answer, expected) in [
        (200, json!([body("thehive/alert.json")]), "done"),
        (200, json!([]), "not done"),
        (500, json!({}), "cannot tell"),
        (200, json!({"unexpected": true}), "cannot tell"),
    ] {
        let far = FarEnd::start(move |_| (status, answer.clone())).await;
        let door = far.door("thehive", json!({}));
        let told = match OpenAlert::new().probe(&open(), through(&door, &files)).await {
            Probe::Done(_) => "done",
            Probe::NotDone => "not done",
            Probe::CannotTell(_) => "cannot tell",
        };
        assert_eq!(told, expected);
        let query = far.seen()[0].body.to_string();
        assert!(
            query.contains(&open().marker()) && query.contains("sourceRef"),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_comment_is_found_by_its_marker() {
    let files = HeldFiles::default();
    let call = call(
        "ticket.update",
        json!({"id": "~41472", "note": "blocked evil.example"}),
    );
    let marker = call.marker();
    for (marked, found) in [(marker.clone(), true), ("sortie-other".to_owned(), false)] {
        let mut comments = body("thehive/comments.json");
        comments[1]["message"] = json!(format!("blocked\n\n{marked}"));
        let far = FarEnd::start(move |seen| {
            let comment = comments[1].clone();
            if seen.line.ends_with("/query") {
                (200, comments.clone())
            } else {
                (201, comment)
            }
        })
        .await;
        let door = far.door("thehive", json!({}));
        CommentAlert::new()
            .perform(&call, through(&door, &files))
            .await
            .unwrap();
        let probe = CommentAlert::new().probe(&call, through(&door, &files)).await;
        assert_eq!(matches!(probe, Probe::Done(_)), found);
        let seen = &far.seen()[0];
        assert_eq!(seen.line, "POST /api/v1/alert/~41472/comment");
        assert_eq!(
            seen.body,
            json!({"message": format!("blocked evil[.]example\n\n{marker}")})
        );
    }
}

#[tokio::test]
async fn an_id_is_one_segment_of_the_path() {
    let far = FarEnd::start(|_| (201, json!({}))).await;
    let door = far.door("thehive", json!({}));
    for (id, line) in [
        (
            "a/../b?x=1#y",
            Some("POST /api/v1/alert/a%2F..%2Fb%3Fx=1%23y/comment"),
        ),
        ("..", None),
    ] {
        let call = call("ticket.update", json!({"id": id, "note": "x"}));
        let outcome = CommentAlert::new()
            .perform(&call, through(&door, &HeldFiles::default()))
            .await;
        assert_eq!(outcome.is_ok(), line.is_some(), "{id}");
        assert_eq!(
            far.lines().last().map(String::as_str),
            Some("POST /api/v1/alert/a%2F..%2Fb%3Fx=1%23y/comment")
        );
    }
}
