//! Tests of tokens: one is fetched, kept, replaced and never shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use serde_json::{Value, json};

use super::{LIFETIME_MAX, TOKEN_BYTES_MAX, TOKEN_MARGIN, lifetime};
use crate::action::ActionError;
use crate::clock::Clock;
use crate::connection::tests::loopback;
use crate::connection::{Auth, ConnectionSettings, OAuth2};
use crate::contract::{Fake, Reply, SECRET, Seen};
use crate::egress::{Answer, Door, Request};

/// Where the fakes have their token endpoint.
const TOKEN_PATH: &str = "/tenant/oauth2/v2.0/token";

/// A clock that a test sets.
#[derive(Debug, Default)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        "2026-11-10T12:00:00Z".parse::<Timestamp>().unwrap() + self.elapsed()
    }
    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

fn settings(base: &str, token_url: &str) -> ConnectionSettings {
    let mut settings = loopback("edr", "defender", base);
    settings.auth = Auth::OAuth2(OAuth2 {
        token_url: token_url.parse().unwrap(),
        client_id: "sortie-app".to_owned(),
        client_secret: SECRET.into(),
        scope: Some("https://far.example/.default".to_owned()),
    });
    settings
}

fn door(far: &Fake, clock: &Arc<SetClock>) -> Door {
    let base = far.base();
    let token_url = format!("{}{TOKEN_PATH}", base.trim_end_matches('/'));
    let clock: Arc<dyn Clock> = Arc::<SetClock>::clone(clock);
    Door::open(settings(base, &token_url), clock).unwrap()
}

fn token_answer(token: &str, seconds: u64) -> Reply {
    let body = json!({"token_type": "Bearer", "expires_in": seconds, "access_token": token});
    Reply::json(body.to_string())
}

fn asks_for_token(seen: &Seen) -> bool {
    seen.uri.path() == TOKEN_PATH
}

/// Tokens with numbers, good for an hour; every other request is answered with 200.
async fn willing() -> Fake {
    let given = AtomicUsize::new(0);
    Fake::start(move |seen| {
        if asks_for_token(seen) {
            let number = given.fetch_add(1, Ordering::SeqCst) + 1;
            token_answer(&format!("token-number-{number}"), 3_600)
        } else {
            Reply::json("{}")
        }
    })
    .await
}

fn bearers(far: &Fake) -> Vec<String> {
    let asked = far.seen();
    asked
        .iter()
        .filter(|seen| !asks_for_token(seen))
        .map(|seen| seen.header("authorization").unwrap_or_default().to_owned())
        .collect()
}

fn fetches(far: &Fake) -> usize {
    far.seen().iter().filter(|seen| asks_for_token(seen)).count()
}

async fn ask(door: &Door) -> Result<Answer, ActionError> {
    door.send(Request::get("api/machines")).await
}

#[tokio::test]
async fn one_token_serves_many_requests_and_only_its_server_sees_the_secret() {
    let far = willing().await;
    let door = door(&far, &Arc::default());
    for result in join_all((0..8).map(|_| ask(&door))).await {
        result.unwrap();
    }
    assert_eq!(fetches(&far), 1);
    assert_eq!(bearers(&far), vec!["Bearer token-number-1"; 8]);
    for seen in far.seen() {
        if asks_for_token(&seen) {
            assert_eq!(
                seen.text(),
                format!(
                    "grant_type=client_credentials&client_id=sortie-app&client_secret={SECRET}\
                     &scope=https%3A%2F%2Ffar.example%2F.default"
                )
            );
            assert_eq!(seen.header("authorization"), None);
        } else {
            assert!(!format!("{seen:?}").contains(SECRET));
        }
    }
}

#[tokio::test]
async fn a_token_is_replaced_shortly_before_its_end() {
    let far = willing().await;
    let clock = Arc::new(SetClock::default());
    let door = door(&far, &clock);
    let last = 3_600 - TOKEN_MARGIN.as_secs();
    for (at, fetched) in [(0, 1), (last - 1, 1), (last, 2), (last + 1, 2)] {
        clock.0.store(at, Ordering::SeqCst);
        ask(&door).await.unwrap();
        assert_eq!(fetches(&far), fetched, "at {at} s");
    }
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_replaced_once() {
    let given = AtomicUsize::new(0);
    let far = Fake::start(move |seen| {
        if asks_for_token(seen) {
            let number = given.fetch_add(1, Ordering::SeqCst) + 1;
            token_answer(&format!("token-number-{number}"), 3_600)
        } else if seen.uri.path() == "/api/forbidden"
            || seen.header("authorization") == Some("Bearer token-number-1")
        {
            Reply::status(401).body("Token was revoked")
        } else {
            Reply::json("{}")
        }
    })
    .await;
    let door = door(&far, &Arc::default());
    ask(&door).await.unwrap();
    assert_eq!(bearers(&far), ["Bearer token-number-1", "Bearer token-number-2"]);

    let error = door.send(Request::get("api/forbidden")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.not_sent && error.detail.contains("401"), "{error:?}");
    assert_eq!(bearers(&far).len(), 4, "twice and no more");
}

#[tokio::test]
async fn a_refusal_says_what_the_server_says_and_what_to_look_at() {
    let far = Fake::start(|_| {
        let told = json!({
            "error": "invalid_client",
            "error_description": format!("AADSTS7000215: Invalid client secret {SECRET}.\r\nTrace ID: 1"),
            "error_codes": [7_000_215],
        });
        Reply::json(told.to_string()).code(401)
    })
    .await;
    let error = ask(&door(&far, &Arc::default())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.not_sent);
    assert_eq!(
        error.detail,
        "127.0.0.1 gave no token: it answered 401 Unauthorized: invalid_client, AADSTS7000215: \
         Invalid client secret [secret:connection/edr]. Trace ID: 1; check client_id, scope and the secret"
    );
    assert_eq!(far.seen().len(), 1, "nothing else was sent");
}

#[tokio::test]
async fn whatever_a_token_server_answers_nothing_was_done() {
    let elsewhere = willing().await;
    let steal = format!("{}steal", elsewhere.base());
    let given = |body: Value| Reply::json(body.to_string());
    let cases = [
        (
            "throttled",
            Reply::status(429).with("retry-after", "7"),
            ErrorKind::Throttled,
        ),
        (
            "down",
            Reply::status(500).body("<h1>oops</h1>"),
            ErrorKind::ServerError,
        ),
        (
            "elsewhere",
            Reply::status(307).with("location", steal),
            ErrorKind::Rejected,
        ),
        (
            "a page",
            Reply::status(200).body("<html>Sign in</html>"),
            ErrorKind::BadAnswer,
        ),
        ("empty", Reply::json(""), ErrorKind::BadAnswer),
        ("huge", Reply::json(vec![b'x'; 1024 * 1024]), ErrorKind::BadAnswer),
        (
            "no token",
            given(json!({"token_type": "Bearer"})),
            ErrorKind::BadAnswer,
        ),
        ("blank", given(json!({"access_token": ""})), ErrorKind::BadAnswer),
        (
            "two lines",
            given(json!({"access_token": "a\r\nX-Evil: 1"})),
            ErrorKind::BadAnswer,
        ),
        (
            "a list",
            given(json!({"access_token": ["a"]})),
            ErrorKind::BadAnswer,
        ),
        (
            "another kind",
            given(json!({"access_token": "abc", "token_type": "mac"})),
            ErrorKind::BadAnswer,
        ),
        (
            "long",
            given(json!({"access_token": "x".repeat(TOKEN_BYTES_MAX + 1)})),
            ErrorKind::BadAnswer,
        ),
    ];
    for (case, reply, kind) in cases {
        let far = Fake::start(move |_| reply.clone()).await;
        let error = ask(&door(&far, &Arc::default())).await.unwrap_err();
        assert_eq!(error.kind, kind, "{case}: {error:?}");
        assert!(error.not_sent, "{case} is certain");
        assert!(!error.detail.contains(SECRET), "{case}: {error:?}");
        assert!(bearers(&far).is_empty(), "{case}");
        if case == "throttled" {
            assert_eq!(error.retry_after, Some(Span::seconds(7)));
        }
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_token_that_comes_back_is_taken_out() {
    let far = Fake::start(|seen| {
        if asks_for_token(seen) {
            return token_answer("eyJ-canary-token", 3_600);
        }
        let status = if seen.uri.path() == "/api/fails" { 400 } else { 200 };
        Reply::json(json!({"echo": format!("{:?}", seen.headers)}).to_string())
            .with("x-echo", "eyJ-canary-token")
            .code(status)
    })
    .await;
    let door = door(&far, &Arc::default());
    let answer = ask(&door).await.unwrap();
    assert!(
        answer.text().contains("[secret:connection/edr]"),
        "{}",
        answer.text()
    );
    assert_eq!(answer.header("x-echo"), Some("[secret:connection/edr]"));
    let error = door.send(Request::get("api/fails")).await.unwrap_err();
    for shown in [answer.text(), error.detail, format!("{door:?}")] {
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn where_tokens_come_from_is_judged_like_any_destination() {
    let refused = |base: &str, token_url: &str| {
        let mut settings = settings(base, token_url);
        settings.allow_http = false;
        settings.allow_private = false;
        let problem = Door::open(settings, Arc::new(SetClock::default())).unwrap_err();
        assert!(!problem.to_string().contains(SECRET));
        problem.problem
    };
    for (base, token_url, words) in [
        (
            "https://far.example/",
            "http://login.example/token",
            "token_url: http:// sends secrets",
        ),
        (
            "https://far.example/",
            "https://169.254.169.254/token",
            "may not reach",
        ),
        ("https://far.example/", "https://127.0.0.1/token", "may not reach"),
        (
            "https://far.example/",
            "https://a:b@login.example/token",
            "set them under auth",
        ),
        (
            "https://far.example/",
            "ftp://login.example/token",
            "for https://",
        ),
        (
            "smtps://mail.example/",
            "https://login.example/token",
            "for https://",
        ),
    ] {
        let problem = refused(base, token_url);
        assert!(problem.contains(words), "{token_url}: {problem}");
    }
}

#[test]
fn another_token_server_is_another_binding() {
    let binding = |token_url: &str| settings("https://far.example/", token_url).binding().unwrap();
    let first = binding("https://login.example/a/token");
    assert_eq!(binding("https://login.example:443/b/token"), first);
    assert_ne!(
        binding("https://login.test/a/token").fingerprint(),
        first.fingerprint()
    );
}

#[test]
fn a_life_is_read_as_number_or_text_and_capped() {
    let read = |value: Value| lifetime(Some(&value)).as_secs();
    assert_eq!(read(json!(3_599)), 3_599);
    assert_eq!(read(json!("3599")), 3_599);
    let most = LIFETIME_MAX.as_secs();
    assert_eq!(
        [read(json!(most - 1)), read(json!(most)), read(json!(most + 1))],
        [most - 1, most, most]
    );
    assert_eq!(read(json!("soon")), lifetime(None).as_secs());
    assert_eq!(read(json!(-5)), lifetime(None).as_secs());
}
