use std::sync::Arc;

use playbooks::action_spec::ErrorKind;
use serde_json::{Value, json};

use super::actions;
use crate::action::{Action, ActionError, Performed};
use crate::clock::TestClock;
use crate::contract::{Body, Fake, Reply, keeps_its_promise, settings, survives_hostile_answers};
use crate::egress::Door;
use crate::testing::{HeldFiles, call, through};

fn provider(word: &str) -> Arc<dyn Action> {
    actions()
        .into_iter()
        .find(|action| action.provider().provider == word)
        .unwrap()
}

fn door(fake: &Fake, allowed: &Value) -> Door {
    let mut settings = settings("http", fake.base());
    for (name, value) in allowed.as_object().unwrap() {
        settings.settings.insert(name.clone(), value.clone());
    }
    Door::open(settings, TestClock::new()).unwrap()
}

async fn send(fake: &Fake, word: &str, arguments: Value) -> Result<Performed, ActionError> {
    let allowed = json!({"methods": ["GET", "POST", "DELETE"], "paths": ["/api/reports", "/open/"]});
    let door = door(fake, &allowed);
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
    let silent = door(&fake, &json!({}));
    let asked = call("http.request", arguments);
    let error = provider("http")
        .perform(&asked, through(&silent, &files))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Policy);
    let reads = door(&fake, &json!({"paths": ["/"]}));
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
    // The fake of the check allows nothing, so the connection is opened here for all paths.
    let asked = call("http.request", json!({"method": "GET", "path": "/"}));
    let action = AllPaths(provider("http"));
    survives_hostile_answers(&action, &asked, Body::Ignored).await;
}

/// The same action on a connection that allows every path.
#[derive(Debug)]
struct AllPaths(Arc<dyn Action>);

#[async_trait::async_trait]
impl Action for AllPaths {
    fn provider(&self) -> &playbooks::action_spec::ProviderSpec {
        self.0.provider()
    }
    async fn perform(
        &self,
        call: &crate::action::Call,
        context: crate::action::Context<'_>,
    ) -> Result<Performed, ActionError> {
        let base = context.door.unwrap().base_url().unwrap();
        let mut settings = settings("http", base.as_str());
        settings.settings.insert("paths".to_owned(), json!(["/"]));
        let door = Door::open(settings, TestClock::new()).unwrap();
        let files = HeldFiles::default();
        self.0.perform(call, through(&door, &files)).await
    }
    async fn probe(
        &self,
        call: &crate::action::Call,
        context: crate::action::Context<'_>,
    ) -> crate::action::Probe {
        self.0.probe(call, context).await
    }
}
