//! Tests of http request: behaviour at its edges and against hostile input.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use playbooks::action_spec::ErrorKind;
use serde_json::{Value, json};

use super::actions;
use crate::action::{Action, ActionError, Performed};
use crate::contract::{
    Body, Fake, Reply, door, keeps_its_promise, repeats_without_harm, survives_hostile_answers,
};
use crate::testing::{HeldFiles, call, through};

fn provider(word: &str) -> Arc<dyn Action> {
    actions()
        .into_iter()
        .find(|action| action.provider().provider == word)
        .unwrap()
}

async fn send(fake: &Fake, word: &str, arguments: Value) -> Result<Performed, ActionError> {
    let allowed = json!({"methods": ["GET", "POST", "DELETE"], "paths": ["/api/reports", "/open/"]});
    let door = door("http", fake.base(), &allowed);
    let files = HeldFiles::default();
    provider(word)
        .perform(&call("http.request", arguments), through(&door, &files))
        .await
}

#[tokio::test]
async fn a_request_is_sent_as_written() {
    let fake = Fake::start(|_| Reply::json(r#"{"id": "r-17"}"#).code(202)).await;
    let arguments = json!({
        "method": "POST", "path": "/api/reports/a%2Fb%20c", "query": {"n": 3, "q": "x&y"},
        "headers": {"X-Note": "hello"}, "json": {"url": "https://login.example/"},
    });
    let performed = send(&fake, "http", arguments).await.unwrap();
    assert_eq!(performed.output, json!({"code": 202, "json": {"id": "r-17"}}));
    keeps_its_promise(provider("http").as_ref(), &performed);
    let seen = &fake.seen()[0];
    assert_eq!(seen.target(), "/api/reports/a%2Fb%20c?n=3&q=x%26y");
    assert_eq!(seen.header("x-note"), Some("hello"));
    assert_eq!(seen.text(), r#"{"url":"https://login.example/"}"#);
    assert_eq!(seen.header("idempotency-key"), None);
}

#[tokio::test]
async fn the_key_is_sent_where_the_far_end_honours_it() {
    let fake = Fake::start(|_| Reply::status(204)).await;
    let arguments = json!({"method": "POST", "path": "/open/x", "form": {"a": "1 2", "b": true}});
    let performed = send(&fake, "http_keyed", arguments).await.unwrap();
    assert_eq!(performed.output, json!({"code": 204}));
    let seen = &fake.seen()[0];
    assert_eq!(seen.header("idempotency-key").unwrap().len(), 64);
    assert_eq!(seen.text(), "a=1+2&b=true");
}

#[tokio::test]
async fn nothing_outside_the_allowed_is_sent() {
    let fake = Fake::start(|_| Reply::json("{}")).await;
    let get = |path: &str| json!({"method": "GET", "path": path});
    for (word, arguments, kind) in [
        ("http", get("/api"), ErrorKind::Policy),
        ("http", get("/api/reportsx"), ErrorKind::Policy),
        ("http", get("/api%2Freports"), ErrorKind::Policy),
        ("http", get("/admin"), ErrorKind::Policy),
        ("http", get("//other.example/api/reports"), ErrorKind::Policy),
        (
            "http",
            get("https://other.example/api/reports"),
            ErrorKind::Invalid,
        ),
        ("http", get("/api/reports/../../admin"), ErrorKind::Invalid),
        (
            "http",
            get("/api/reports/%2e%2e/%2E%2e/admin"),
            ErrorKind::Invalid,
        ),
        ("http", get("/api/reports/.%0A."), ErrorKind::Invalid),
        ("http", get("/api/reports/%zz"), ErrorKind::Invalid),
        ("http", get("/api/reports/%"), ErrorKind::Invalid),
        ("http", get("/api/reports?x=1"), ErrorKind::Invalid),
        ("http", get("/api/reports#x"), ErrorKind::Invalid),
        (
            "http",
            json!({"method": "PUT", "path": "/open"}),
            ErrorKind::Policy,
        ),
        (
            "http",
            json!({"method": "GET /", "path": "/open"}),
            ErrorKind::Invalid,
        ),
        (
            "http_read",
            json!({"method": "POST", "path": "/open"}),
            ErrorKind::Policy,
        ),
        (
            "http",
            json!({"method": "GET", "path": "/open", "headers": {"Authorization": "x"}}),
            ErrorKind::Invalid,
        ),
        (
            "http",
            json!({"method": "GET", "path": "/open", "headers": {"x-a": "b\r\nx-c: d"}}),
            ErrorKind::Invalid,
        ),
        (
            "http",
            json!({"method": "GET", "path": "/open", "query": {"a": [1]}}),
            ErrorKind::Invalid,
        ),
        (
            "http",
            json!({"method": "POST", "path": "/open", "json": {}, "form": {}}),
            ErrorKind::Invalid,
        ),
    ] {
        let error = send(&fake, word, arguments.clone())
            .await
            .expect_err(&arguments.to_string());
        assert_eq!(error.kind, kind, "{arguments}: {error}");
        assert!(error.not_sent);
    }
    assert!(fake.seen().is_empty());
}

#[tokio::test]
async fn a_connection_that_allows_nothing_allows_nothing() {
    let fake = Fake::start(|_| Reply::json("{}")).await;
    let files = HeldFiles::default();
    let arguments = json!({"method": "GET", "path": "/"});
    let silent = door("http", fake.base(), &json!({}));
    let asked = call("http.request", arguments);
    let error = provider("http")
        .perform(&asked, through(&silent, &files))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Policy);
    let reads = door("http", fake.base(), &json!({"paths": ["/"]}));
    provider("http")
        .perform(&asked, through(&reads, &files))
        .await
        .unwrap();
}

#[tokio::test]
async fn bodies_that_are_no_record_are_left_out() {
    for body in ["[1, 2]", "hello", ""] {
        let fake = Fake::start(move |_| Reply::json(body)).await;
        let performed = send(&fake, "http", json!({"method": "GET", "path": "/open"}))
            .await
            .unwrap();
        assert_eq!(performed.output, json!({"code": 200}));
    }
}

#[tokio::test]
async fn hostile_answers_are_survived() {
    let asked = call("http.request", json!({"method": "GET", "path": "/"}));
    let own = json!({"paths": ["/"]});
    survives_hostile_answers(provider("http").as_ref(), &asked, &own, Body::Ignored).await;
}

#[tokio::test]
async fn a_far_end_that_honours_the_key_does_it_once() {
    let done = Arc::new(Mutex::new(BTreeSet::new()));
    let keys = Arc::clone(&done);
    let fake = Fake::start(move |seen| {
        keys.lock()
            .unwrap()
            .insert(seen.header("idempotency-key").unwrap().to_owned());
        Reply::json("{}")
    })
    .await;
    let door = door(
        "http_keyed",
        fake.base(),
        &json!({"methods": ["POST"], "paths": ["/"]}),
    );
    let asked = call("http.request", json!({"method": "POST", "path": "/x"}));
    let action = provider("http_keyed");
    repeats_without_harm(action.as_ref(), &asked, &door, || done.lock().unwrap().len()).await;
    assert!(fake.seen().iter().all(|seen| seen.method == "POST"));
    assert_eq!(fake.seen().len(), 2);
}
