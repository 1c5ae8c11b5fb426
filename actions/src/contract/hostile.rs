//! Answers of a broken, overloaded or malicious far end.
//!
//! Owns the list and what each must become.

use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;

use serde_json::Value;

use super::{Fake, Reply, SECRET, Seen, door};
use crate::action::{Action, ActionError, Call, Performed};
use crate::testing::{HeldFiles, through};

/// Whether an action reads the body of a good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// A 200 without the promised body is a failure.
    Needed,
    /// The status says it all.
    Ignored,
}

/// Runs an action against every hostile answer. Each becomes a typed failure, and nothing that the
/// action says holds the secret of the connection. `own` are the settings of the provider.
pub(crate) async fn survives_hostile_answers(action: &dyn Action, call: &Call, own: &Value, body: Body) {
    let name = &action.provider().capability;
    let fails_as = |case: &str, result: Result<Performed, ActionError>, kind: ErrorKind| {
        let error = result.expect_err(case);
        assert_eq!(error.kind, kind, "{name}, {case}: {error:?}");
        error
    };
    let result = answer(action, call, own, |_| Reply::status(429).with("retry-after", "7")).await;
    let error = fails_as("429", result, ErrorKind::Throttled);
    assert_eq!(error.retry_after, Some(Span::seconds(7)));
    assert!(error.not_sent);

    let result = answer(action, call, own, |_| Reply::status(429)).await;
    assert_eq!(
        fails_as("bare 429", result, ErrorKind::Throttled).retry_after,
        None
    );

    for status in [500, 502, 504] {
        let result = answer(action, call, own, move |_| {
            Reply::status(status).body("<h1>oops</h1>")
        })
        .await;
        assert!(!fails_as("5xx", result, ErrorKind::ServerError).not_sent);
    }
    for status in [401, 403] {
        let result = answer(action, call, own, move |_| Reply::status(status).body("no")).await;
        fails_as("4xx", result, ErrorKind::Rejected);
    }

    let other = Fake::start(|_| Reply::json("{}")).await;
    let elsewhere = format!("{}steal", other.base());
    for status in [301, 302, 307, 308] {
        let elsewhere = elsewhere.clone();
        let result = answer(action, call, own, move |_| {
            Reply::status(status).with("location", &elsewhere)
        })
        .await;
        fails_as("redirect", result, ErrorKind::Rejected);
    }
    assert!(other.seen().is_empty(), "{name} followed a redirect");

    let huge = vec![b'x'; 20 * 1024 * 1024];
    let result = answer(action, call, own, move |_| Reply::json(huge.clone())).await;
    fails_as("20 MB", result, ErrorKind::BadAnswer);

    for (case, reply) in [
        ("truncated", Reply::json(r#"{"data": {"attributes": {"last_"#)),
        (
            "web page",
            Reply::status(200)
                .with("content-type", "text/html")
                .body("<html>Welcome</html>"),
        ),
        ("empty", Reply::json("")),
        ("another form", Reply::json(r#"["a", null, {"b": [[[]]]}]"#)),
        ("not UTF-8", Reply::json(&b"{\"data\": \"\xff\xfe\"}"[..])),
        ("deep", Reply::json("[".repeat(100_000))),
    ] {
        let result = answer(action, call, own, move |_| reply.clone()).await;
        if body == Body::Needed {
            fails_as(case, result, ErrorKind::BadAnswer);
        }
    }

    for status in [200, 400, 404, 500] {
        let result = answer(action, call, own, move |seen| {
            let echo = format!("{:?} {:?}", seen.headers, seen.uri);
            Reply::json(serde_json::json!({ "error": echo, "echo": SECRET }).to_string()).code(status)
        })
        .await;
        assert!(result.is_err() || body == Body::Ignored, "{name}, echo {status}");
    }
}

/// One call against one answer. What comes back never holds the secret.
async fn answer(
    action: &dyn Action,
    call: &Call,
    own: &Value,
    reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> Result<Performed, ActionError> {
    let fake = Fake::start(reply).await;
    let door = door(&action.provider().provider, fake.base(), own);
    let files = HeldFiles::default();
    let result = action.perform(call, through(&door, &files)).await;
    assert!(
        !format!("{result:?}").contains(SECRET),
        "the secret shows in {result:?}"
    );
    result
}
