//! Tests of registry: behaviour at its edges and against hostile input.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use playbooks::action_spec::{ActionSpec, Catalog as _, ErrorKind, ProviderSpec, Recovery};
use playbooks::duration::Span;
use serde_json::{Value, json};

use super::{LeftOut, OUTPUT_BYTES_MAX, Registry, Route};
use crate::action::{Action, ActionError, Call, Context, HouseChange, Performed, Probe};
use crate::breaker::{FAILURES_MAX, OPEN_FIRST};
use crate::clock::{Clock, TestClock};
use crate::connection::{ConnectionSettings, Rate};
use crate::contract::{declares_consistently, settings};
use crate::testing::{HeldFiles, call, in_the_house};

type Doing = Box<dyn Fn() -> Result<Value, ActionError> + Send + Sync>;

/// A look-up that does what a test says.
struct Scripted {
    spec: ProviderSpec,
    doing: Doing,
    calls: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

#[async_trait]
impl Action for Scripted {
    fn provider(&self) -> &ProviderSpec {
        &self.spec
    }
    async fn perform(&self, _: &Call, _: Context<'_>) -> Result<Performed, ActionError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        (self.doing)().map(Performed::output)
    }
    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        panic!("a probe that panics")
    }
    fn in_doubt(&self, call: &Call) -> Vec<HouseChange> {
        left_behind(&call.action)
    }
}

/// What every action of these tests leaves behind when nobody can tell.
fn left_behind(action: &str) -> Vec<HouseChange> {
    vec![HouseChange::LiftMeasures {
        kind: "ip",
        target: action.to_owned(),
        direction: None,
    }]
}

/// An action that never answers.
#[derive(Debug)]
struct Silent(Scripted);

#[async_trait]
impl Action for Silent {
    fn provider(&self) -> &ProviderSpec {
        self.0.provider()
    }
    async fn perform(&self, _: &Call, _: Context<'_>) -> Result<Performed, ActionError> {
        std::future::pending().await
    }
    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe {
        self.0.probe(call, context).await
    }
    fn in_doubt(&self, call: &Call) -> Vec<HouseChange> {
        self.0.in_doubt(call)
    }
}

struct House {
    registry: Registry,
    calls: Arc<AtomicUsize>,
}

/// A registry whose providers of a capability each do something.
fn house(capability: &str, providers: Vec<(&str, Doing)>, change: impl Fn(&mut ConnectionSettings)) -> House {
    let calls = Arc::new(AtomicUsize::new(0));
    let mut connections = Vec::new();
    let mut actions: Vec<Arc<dyn Action>> = Vec::new();
    for (name, doing) in providers {
        let mut connection = settings(name, "http://127.0.0.1:9/");
        connection.facts.name = name.to_owned();
        connection.facts.capabilities = vec![capability.to_owned()];
        change(&mut connection);
        connections.push(connection);
        actions.push(Arc::new(scripted(capability, name, doing, &calls)));
    }
    let clock: Arc<dyn Clock> = TestClock::new();
    House {
        registry: Registry::with_actions(connections, &clock, actions).unwrap(),
        calls,
    }
}

fn scripted(capability: &str, provider: &str, doing: Doing, calls: &Arc<AtomicUsize>) -> Scripted {
    Scripted {
        spec: ProviderSpec {
            capability: capability.to_owned(),
            provider: provider.to_owned(),
            recovery: Recovery::Read,
            settle: Span::seconds(0),
            discloses_to: "nobody".to_owned(),
            expires_by_itself: false,
        },
        doing,
        calls: Arc::clone(calls),
    }
}

fn says(output: Value) -> Doing {
    Box::new(move || Ok(output.clone()))
}

fn fails(kind: ErrorKind) -> Doing {
    Box::new(move || Err(ActionError::new(kind, "broken")))
}

impl House {
    async fn ask(&self, ip: &str, connections: &[&str]) -> Result<Value, ActionError> {
        let route = Route {
            connections: connections.iter().map(|name| (*name).to_owned()).collect(),
            left_out: Vec::new(),
        };
        let asked = call("enrich.ip", json!({ "ip": ip }));
        let files = HeldFiles::default();
        self.registry
            .perform(&asked, &route, &files)
            .await
            .map(|performed| performed.output)
    }
}

fn nothing(_: &mut ConnectionSettings) {}

#[test]
fn every_built_action_declares_consistently() {
    let actions = super::built_in::actions();
    assert!(actions.len() > 20);
    for action in &actions {
        declares_consistently(action.as_ref());
    }
}

#[test]
fn every_capability_has_a_provider() {
    let clock: Arc<dyn Clock> = TestClock::new();
    let registry = Registry::new(Vec::new(), &clock).unwrap();
    for name in registry.names() {
        let by_the_run_itself = registry.action(name).is_some_and(ActionSpec::waits);
        let fulfilled = !registry.providers(name).is_empty();
        assert!(fulfilled || by_the_run_itself, "nobody fulfils {name}");
    }
}

#[test]
fn a_connection_offers_only_what_its_provider_can_do() {
    let clock: Arc<dyn Clock> = TestClock::new();
    let open = |provider: &str, capability: &str| {
        let mut connection = settings(provider, "http://127.0.0.1:9/");
        connection.facts.capabilities = vec![capability.to_owned()];
        Registry::new(vec![connection], &clock)
            .map(|_| ())
            .map_err(|problems| problems[0].to_string())
    };
    open("virustotal", "enrich.url").unwrap();
    open("virustotal", "enrich.*").unwrap();
    let refused = open("virustotal", "block.ip").unwrap_err();
    assert!(refused.contains("it can do enrich.domain"), "{refused}");
    let refused = open("virustotol", "enrich.url").unwrap_err();
    assert!(refused.contains("there is no provider `virustotol`"), "{refused}");
}

#[tokio::test]
async fn providers_are_merged_with_their_provenance() {
    let house = house(
        "enrich.ip",
        vec![
            ("a", says(json!({"verdict": "clean", "score": 1}))),
            ("b", fails(ErrorKind::Timeout)),
        ],
        nothing,
    );
    let output = house.ask("192.0.2.1", &["a", "b"]).await.unwrap();
    assert_eq!(output["verdict"], "unknown");
    assert_eq!(output["providers"][1]["error"], "broken");
    let output = house.ask("192.0.2.2", &["a"]).await.unwrap();
    assert_eq!(output["verdict"], "clean");

    let asked = call("enrich.ip", json!({"ip": "192.0.2.3"}));
    let left_out = |connection: &str| Route {
        connections: vec!["a".to_owned()],
        left_out: vec![LeftOut {
            connection: connection.to_owned(),
            reason: "TLP:RED is above its ceiling".to_owned(),
        }],
    };
    let files = HeldFiles::default();
    let merged = house
        .registry
        .perform(&asked, &left_out("b"), &files)
        .await
        .unwrap()
        .output;
    assert_eq!(merged["verdict"], "unknown");
    assert_eq!(
        merged["providers"][1]["error"],
        "not asked: TLP:RED is above its ceiling"
    );
    let merged = house
        .registry
        .perform(&asked, &left_out("knows-other-things"), &files)
        .await
        .unwrap()
        .output;
    assert_eq!(merged["verdict"], "clean");
}

#[tokio::test]
async fn the_same_question_is_asked_once() {
    let house = house(
        "enrich.ip",
        vec![("a", says(json!({"verdict": "clean"})))],
        nothing,
    );
    house.ask("192.0.2.1", &["a"]).await.unwrap();
    house.ask("192.0.2.1", &["a"]).await.unwrap();
    assert_eq!(house.calls.load(Ordering::SeqCst), 1);
    house.ask("192.0.2.2", &["a"]).await.unwrap();
    assert_eq!(house.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn failures_open_the_breaker_and_a_trial_closes_it() {
    let healthy = Arc::new(AtomicUsize::new(0));
    let switch = Arc::clone(&healthy);
    let doing: Doing = Box::new(move || match switch.load(Ordering::SeqCst) {
        0 => Err(ActionError::new(ErrorKind::ServerError, "broken")),
        _ => Ok(json!({"verdict": "clean"})),
    });
    let house = house("enrich.ip", vec![("a", doing)], nothing);
    for _ in 0..FAILURES_MAX {
        let error = house.ask("192.0.2.1", &["a"]).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ServerError);
    }
    let error = house.ask("192.0.2.1", &["a"]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.not_sent);
    assert_eq!(error.retry_after, Some(Span::seconds(30)));
    assert_eq!(house.calls.load(Ordering::SeqCst), FAILURES_MAX as usize);

    healthy.store(1, Ordering::SeqCst);
    tokio::time::advance(OPEN_FIRST).await;
    house.ask("192.0.2.1", &["a"]).await.unwrap();
    house.ask("192.0.2.2", &["a"]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_far_end_that_asks_for_silence_gets_it() {
    let doing: Doing =
        Box::new(|| Err(ActionError::new(ErrorKind::Throttled, "slow").after(Span::seconds(90))));
    let house = house("enrich.ip", vec![("a", doing)], nothing);
    house.ask("192.0.2.1", &["a"]).await.unwrap_err();
    tokio::time::advance(Duration::from_secs(89)).await;
    house.ask("192.0.2.1", &["a"]).await.unwrap_err();
    assert_eq!(house.calls.load(Ordering::SeqCst), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    house.ask("192.0.2.1", &["a"]).await.unwrap_err();
    assert_eq!(house.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_waited_for_within_reason() {
    let one_per = |seconds: i64| {
        move |connection: &mut ConnectionSettings| {
            connection.rate = Some(Rate {
                calls: 1.try_into().unwrap(),
                per: Span::seconds(seconds),
            });
        }
    };
    let near = house(
        "enrich.ip",
        vec![("a", says(json!({"verdict": "clean"})))],
        one_per(10),
    );
    near.ask("192.0.2.1", &["a"]).await.unwrap();
    let before = tokio::time::Instant::now();
    near.ask("192.0.2.2", &["a"]).await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(10));

    let far = house(
        "enrich.ip",
        vec![("a", says(json!({"verdict": "clean"})))],
        one_per(60),
    );
    far.ask("192.0.2.1", &["a"]).await.unwrap();
    let error = far.ask("192.0.2.2", &["a"]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled);
    assert!(error.not_sent);
    assert_eq!(error.retry_after, Some(Span::seconds(60)));
}

#[tokio::test]
async fn the_calls_of_a_day_end() {
    let house = house(
        "enrich.ip",
        vec![("a", says(json!({"verdict": "clean"})))],
        |connection| {
            connection.quota_per_day = Some(1.try_into().unwrap());
        },
    );
    house.ask("192.0.2.1", &["a"]).await.unwrap();
    let error = house.ask("192.0.2.2", &["a"]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled);
    assert_eq!(error.retry_after, Some(Span::hours(1)));
}

#[tokio::test]
async fn a_panic_is_our_fault_and_says_nothing_of_the_outcome() {
    let doing: Doing = Box::new(|| panic!("in an action"));
    let house = house("enrich.ip", vec![("a", doing)], nothing);
    let error = house.ask("192.0.2.1", &["a"]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(!error.not_sent);
    let asked = call("enrich.ip", json!({"ip": "192.0.2.1"}));
    let probe = house
        .registry
        .probe(&asked, Some("a"), &HeldFiles::default())
        .await;
    assert!(matches!(probe, Probe::CannotTell(_)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_may_have_happened_carries_what_it_may_have_left_behind() {
    let certain: Doing = Box::new(|| Err(ActionError::refused("no")));
    let panics: Doing = Box::new(|| panic!("in an action"));
    let files = HeldFiles::default();
    for (doing, doubtful) in [
        (fails(ErrorKind::ServerError), true),
        (panics, true),
        (certain, false),
    ] {
        let house = house("http.request", vec![("a", doing)], nothing);
        let asked = call("http.request", json!({}));
        let failed = house.registry.perform(&asked, &Route::through("a"), &files).await;
        let expected = if doubtful {
            left_behind("http.request")
        } else {
            Vec::new()
        };
        assert_eq!(failed.unwrap_err().changes, expected);
    }
    let silent = Silent(scripted("http.request", "a", says(json!({})), &Arc::default()));
    let asked = call("http.request", json!({}));
    let context = in_the_house(&files);
    let error = super::attempt(&silent, &asked, context, asked.timeout.to_std())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.changes),
        (ErrorKind::Timeout, left_behind("http.request"))
    );
}

#[test]
fn what_was_done_stays_done_when_its_outputs_break_the_promise() {
    let clock: Arc<dyn Clock> = TestClock::new();
    let registry = Registry::new(Vec::new(), &clock).unwrap();
    let performed = Performed {
        changes: left_behind("http.request"),
        ..Performed::output(json!({"code": "two hundred"}))
    };
    let spec = registry.action("http.request").unwrap();
    let error = super::checked(spec, performed).unwrap_err();
    assert_eq!(error.changes, left_behind("http.request"));
}

#[tokio::test]
async fn outputs_are_checked_for_form_and_size() {
    let document = |size: usize| json!({"code": 200, "json": {"text": "x".repeat(size)}});
    let ask = async |output: Value| {
        let house = house("http.request", vec![("a", says(output))], nothing);
        let asked = call("http.request", json!({"method": "GET", "path": "/"}));
        let files = HeldFiles::default();
        house.registry.perform(&asked, &Route::through("a"), &files).await
    };
    let around = document(0).to_string().len();
    ask(document(OUTPUT_BYTES_MAX - around - 1)).await.unwrap();
    ask(document(OUTPUT_BYTES_MAX - around)).await.unwrap();
    let error = ask(document(OUTPUT_BYTES_MAX - around + 1)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
    let error = ask(json!({"code": "two hundred"})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
    let error = ask(json!({})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
}

#[tokio::test]
async fn a_call_without_a_way_says_so() {
    let house = house("http.request", vec![("a", says(json!({"code": 200})))], nothing);
    let files = HeldFiles::default();
    let asked = call("http.request", json!({}));
    for route in [
        Route::in_the_house(),
        Route::through("nobody"),
        Route {
            connections: vec!["a".to_owned(), "a".to_owned()],
            left_out: Vec::new(),
        },
    ] {
        let error = house.registry.perform(&asked, &route, &files).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.not_sent);
    }
    let unknown = call("make.coffee", json!({}));
    let error = house
        .registry
        .perform(&unknown, &Route::through("a"), &files)
        .await
        .unwrap_err();
    assert_eq!(error.detail, "there is no action `make.coffee`");
}
