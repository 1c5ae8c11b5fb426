//! Bodies within their limits, and answers in their promised form.

use axum::body::Body;
use base64::Engine as _;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{Method, Request, StatusCode};
use serde_json::json;

use super::{everything, get, json_of, post, text, world};
use crate::authentication::{LocalPeer, Peer};
use crate::fake::{Fake, OPERATOR_UID, OURS, run_of};
use crate::request::{JSON_BODY_TIMEOUT, MAIL_BODIES_MAX};
use crate::routes::{JSON_BYTES_MAX, MAIL_BYTES_MAX, Media};
use crate::view::{Content, FORMAT};

#[tokio::test]
async fn a_body_has_exactly_one_known_type() {
    let world = world();
    let bad = [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin1",
        "application/jsonx",
        "",
    ];
    for content_type in bad {
        assert_eq!(
            world.status(post("/api/v1/incidents", content_type, "{}")).await,
            415,
            "{content_type}"
        );
    }
    for content_type in [
        "application/json",
        "Application/JSON;charset=UTF-8",
        "message/rfc822",
    ] {
        assert_eq!(
            world.status(post("/api/v1/incidents", content_type, "{}")).await,
            202,
            "{content_type}"
        );
    }
    assert_eq!(
        world.status(post("/api/v1/runs", "message/rfc822", "{}")).await,
        415
    );
    let mut two = post("/api/v1/incidents", "application/json", "{}");
    two.headers_mut()
        .append(CONTENT_TYPE, "text/plain".parse().unwrap());
    assert_eq!(world.status(two).await, 415);
    let mut none = post("/api/v1/incidents", "application/json", "{}");
    none.headers_mut().remove(CONTENT_TYPE);
    assert_eq!(world.status(none).await, 415);
    let mut zipped = post("/api/v1/incidents", "application/json", "{}");
    zipped
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(world.status(zipped).await, 415);
    let kinds: Vec<Content> = world
        .fake
        .submissions
        .lock()
        .unwrap()
        .iter()
        .map(|one| one.content.clone())
        .collect();
    assert_eq!(kinds, [Content::Json, Content::Json, Content::Mail]);
}

#[tokio::test]
async fn a_body_has_a_largest_size_also_without_a_length() {
    let world = world();
    for (media, limit) in [
        (Media::Json, JSON_BYTES_MAX),
        (Media::NdJson, JSON_BYTES_MAX),
        (Media::Mail, MAIL_BYTES_MAX),
    ] {
        for (size, expected) in [(limit - 1, 202), (limit, 202), (limit + 1, 413)] {
            let whole = post("/api/v1/intake/suricata", media.name(), vec![b' '; size]);
            assert_eq!(world.status(whole).await, expected, "{media:?} of {size}");
        }
        let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
        let endless = post(
            "/api/v1/intake/suricata",
            media.name(),
            Body::from_stream(endless),
        );
        assert_eq!(world.status(endless).await, 413, "{media:?} without an end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let never = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let begun = tokio::time::Instant::now();
    assert_eq!(
        world()
            .status(post("/api/v1/incidents", "application/json", never))
            .await,
        408
    );
    assert_eq!(begun.elapsed(), JSON_BODY_TIMEOUT);
}

#[tokio::test]
async fn a_submission_answers_by_what_became_of_it() {
    let world = world();
    let submit = |body: &'static str| world.send(post("/api/v1/incidents", "application/json", body));
    let kept = submit("{}").await;
    assert_eq!(kept.status(), 202);
    let report = json_of(kept).await;
    assert_eq!(report["format"], FORMAT);
    assert_eq!(
        report["results"],
        json!([{"result": "accepted", "id": "PH-2026-00001"}])
    );
    let known = submit("\"known\"").await;
    assert_eq!(known.status(), 200);
    assert_eq!(json_of(known).await["results"][0]["count"], 2);
    let mixed = submit("\"mixed\"").await;
    assert_eq!(mixed.status(), 202);
    assert_eq!(
        json_of(mixed).await["results"][0]["diagnostics"][0]["place"],
        "/title"
    );
    let bad = submit("\"bad\"").await;
    assert_eq!(bad.status(), 400);
    assert_eq!(bad.headers()[CONTENT_TYPE], "application/problem+json");
    let problem = json_of(bad).await;
    assert_eq!(problem["type"], "urn:sortie:problem:invalid");
    assert_eq!(problem["diagnostics"][0]["help"], json!(["give one"]));
    let quota = submit("\"quota\"").await;
    assert_eq!(
        (quota.status(), &quota.headers()[RETRY_AFTER]),
        (StatusCode::TOO_MANY_REQUESTS, &"7".parse().unwrap())
    );
}

#[tokio::test]
async fn requests_out_of_form_say_what_is_wrong() {
    let world = world();
    let cancel = format!("/api/v1/runs/{}/cancel", run_of(OURS));
    let settle = format!("/api/v1/runs/{}/settle", run_of(OURS));
    for (path, body) in [
        ("/api/v1/runs", r#"{"playbook":"p","approved_by":"me"}"#),
        ("/api/v1/runs", r#"{"playbook":"p","playbook":"q"}"#),
        ("/api/v1/runs", "{"),
        ("/api/v1/runs?entity=alpha", r#"{"playbook":"p"}"#),
        (cancel.as_str(), r#"{"reason":" "}"#),
        (cancel.as_str(), r#"{"reason":"a\u0000b"}"#),
        (cancel.as_str(), r#"{"reason":"x","entity":"beta"}"#),
        (settle.as_str(), r#"{"place":"block","answer":"done"}"#),
        (
            settle.as_str(),
            r#"{"place":"block","answer":"perhaps","reason":"x"}"#,
        ),
        (
            settle.as_str(),
            r#"{"place":"block","answer":"done","reason":"x","by":"me"}"#,
        ),
        (
            settle.as_str(),
            r#"{"place":"block","answer":"done","reason":" "}"#,
        ),
    ] {
        let response = world.send(post(path, "application/json", body)).await;
        assert_eq!(response.status(), 400, "{body}");
        assert!(json_of(response).await["detail"].as_str().unwrap().len() > 10);
    }
    let refused = world
        .send(post("/api/v1/runs", "application/json", r#"{"playbook":"off"}"#))
        .await;
    assert_eq!(refused.status(), 409);
    assert_eq!(json_of(refused).await["help"], "start it with mode simulate");
}

#[tokio::test]
async fn a_fault_of_ours_is_an_answer_without_its_cause() {
    let response = world()
        .send(post("/api/v1/incidents", "application/json", "\"panic\""))
        .await;
    assert_eq!(response.status(), 500);
    assert!(!text(response).await.contains("inside"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_given_up_and_says_so() {
    let response = world()
        .send(post("/api/v1/incidents", "application/json", "\"hang\""))
        .await;
    assert_eq!(response.status(), 503);
    assert!(text(response).await.contains("may still be done"));
}

#[tokio::test]
async fn a_server_that_stops_takes_no_new_work_and_says_when_to_come_back() {
    let world = world();
    world.service.draining.cancel();
    let response = world
        .send(post("/api/v1/incidents", "application/json", "{}"))
        .await;
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key(RETRY_AFTER));
    assert!(world.fake.submissions.lock().unwrap().is_empty());
    assert_eq!(world.status(get("/readyz")).await, 503);
    assert_eq!(world.status(get("/healthz")).await, 200);
}

#[tokio::test]
async fn every_answer_carries_the_headers_for_browsers_and_caches() {
    let world = world();
    let edl = format!("/edl/{OURS}/ip.txt");
    for (path, cache) in [
        ("/healthz", "no-store"),
        ("/api/v1/runs", "no-store"),
        ("/nowhere", "no-store"),
        (&edl, "private, no-cache"),
    ] {
        let response = world.send(get(path)).await;
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(response.headers()["cache-control"], cache, "{path}");
        assert!(
            response.headers().contains_key("content-security-policy"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_local_operator_needs_no_token_and_another_user_is_a_stranger() {
    let world = world();
    for (uid, expected) in [(OPERATOR_UID, 200), (OPERATOR_UID + 1, 401)] {
        let mut request = Request::builder()
            .uri("/api/v1/figures")
            .body(Body::empty())
            .unwrap();
        request
            .extensions_mut()
            .insert(Peer::Local(LocalPeer { uid, pid: None }));
        assert_eq!(world.status(request).await, expected);
    }
}

#[tokio::test]
async fn a_device_polls_its_list() {
    let world = world();
    let list = world.send(get("/edl/alpha/ip.txt")).await;
    assert_eq!(list.headers()["etag"], "\"v24\"");
    // Nothing knows when an entry that is over left the list, so no date is promised.
    assert!(!list.headers().contains_key("last-modified"));
    assert_eq!(list.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(text(list).await, "203.0.113.7\n203.0.113.9\n");
    let mut again = get("/edl/alpha/ip.txt");
    again
        .headers_mut()
        .insert("if-none-match", "\"v24\"".parse().unwrap());
    let unchanged = world.send(again).await;
    assert_eq!(
        (
            unchanged.status().as_u16(),
            unchanged.headers()["etag"].to_str().unwrap()
        ),
        (304, "\"v24\"")
    );
    assert_eq!(text(unchanged).await, "");
    let mut head = get("/edl/alpha/ip.txt");
    *head.method_mut() = Method::HEAD;
    let head = world.send(head).await;
    assert_eq!(
        (
            head.status().as_u16(),
            head.headers()["content-length"].to_str().unwrap()
        ),
        (200, "24")
    );
    assert_eq!(text(head).await, "");
    let empty = world.send(get("/edl/alpha/domain.txt")).await;
    assert_eq!((empty.status().as_u16(), text(empty).await), (200, String::new()));
    assert_eq!(world.status(get("/edl/alpha/ip.csv")).await, 404);
    assert_eq!(world.status(get("/edl/alpha/ip")).await, 404);
    let password = base64::engine::general_purpose::STANDARD.encode(format!("firewall:{}", everything()));
    let basic = format!("Basic {password}");
    for (path, expected) in [
        ("/edl/alpha/ip.txt", 200),
        ("/edl/beta/ip.txt", 404),
        ("/api/v1/runs", 401),
    ] {
        let request = Request::builder().uri(path).header(AUTHORIZATION, &basic);
        assert_eq!(
            world.status(request.body(Body::empty()).unwrap()).await,
            expected,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_run_is_followed_and_taken_up_again() {
    let world = world();
    for name in ["a", "b"] {
        world.fake.happens(Fake::a_let(name));
    }
    world.fake.happens(Fake::closed());
    let path = format!("/api/v1/runs/{}/events", run_of(OURS));
    let response = world.send(get(&path)).await;
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
    let all = text(response).await;
    assert_eq!(all.matches("id: ").count(), 3, "{all}");
    assert!(
        all.trim_end().ends_with("event: end\ndata:") || all.contains("event: end"),
        "{all}"
    );
    let mut resumed = get(&path);
    resumed
        .headers_mut()
        .insert("last-event-id", "1".parse().unwrap());
    let rest = text(world.send(resumed).await).await;
    assert!(rest.starts_with("id: 2\n"), "{rest}");
    assert_eq!(
        text(world.send(get(&format!("{path}?after=1"))).await).await,
        rest
    );
    let mut odd = get(&path);
    odd.headers_mut().insert("last-event-id", "x".parse().unwrap());
    assert_eq!(world.status(odd).await, 400);
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_ends_soon_after_its_token_does() {
    let world = world();
    world.fake.happens(Fake::a_let("a"));
    let response = world
        .send(get(&format!("/api/v1/runs/{}/events", run_of(OURS))))
        .await;
    world.fake.revoke_all();
    let begun = tokio::time::Instant::now();
    let seen = text(response).await;
    assert!(
        seen.starts_with("id: 0\n") && !seen.contains("event: end"),
        "{seen}"
    );
    assert!(begun.elapsed() <= crate::api::events::REVOCATION_INTERVAL);
}

#[tokio::test(start_paused = true)]
async fn a_mail_takes_room_until_its_handler_is_done() {
    let world = world();
    let mail = || post("/api/v1/incidents", "message/rfc822", "\"slow\"");
    let slow = futures_util::future::join_all((0..MAIL_BODIES_MAX).map(|_| world.status(mail())));
    let late = async {
        // The others have been read by now, and are being worked on.
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        let refused = world.send(mail()).await;
        let status = refused.status().as_u16();
        (status, text(refused).await)
    };
    let (taken, (status, why)) = tokio::join!(slow, late);
    assert_eq!(taken, [202; MAIL_BODIES_MAX]);
    assert_eq!(status, 503, "{why}");
    assert!(why.contains("8 mails"), "{why}");
    assert_eq!(world.status(mail()).await, 202);
}
