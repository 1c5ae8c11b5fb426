//! A run followed live, as server-sent events.
//!
//! Each change is one message: `id` is where to resume, `data` the JSON of the change. The stream
//! ends with `event: end` when the run is over, with `event: error` and a problem when following
//! failed, and without either when the server stops or the credential no longer counts.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use state::event::Seq;

use crate::authentication::Credential;
use crate::error::OperationError;
use crate::operations::Answer;
use crate::problem::Problem;
use crate::request::{Answered, Call};
use crate::service::Service;
use crate::view::{RunChange, Versioned};

use super::runs::run_id;

/// How often an open stream asks whether its credential still counts.
pub(crate) const REVOCATION_INTERVAL: Duration = Duration::from_secs(5);
/// How often a silent stream shows that it lives.
pub(crate) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// The name of the last message of a run that is over.
pub(crate) const END: &str = "end";
/// The name of a message that holds a problem.
pub(crate) const ERROR: &str = "error";

pub(crate) async fn follow(call: Call) -> Answered {
    let after = match last_event_id(&call.headers)? {
        Some(seq) => Some(seq),
        None => call.query.value("after")?,
    };
    let changes = call
        .operations()
        .watch(&call.principal, run_id(&call)?, after)
        .await?;
    let end = stream::once(async { Event::default().event(END).data("") });
    let messages = changes
        .map(message)
        .chain(end)
        .map(Ok::<_, Infallible>)
        .take_until(no_longer_allowed(call.service, call.credential));
    Ok(Sse::new(messages)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE_INTERVAL))
        .into_response())
}

fn message(change: Answer<RunChange>) -> Event {
    match change {
        Ok(change) => {
            let id = change.seq.to_string();
            let data = serde_json::to_string(&Versioned::new(change)).unwrap_or_default();
            Event::default().id(id).data(data)
        }
        Err(error) => {
            let body = Problem::from(error).body();
            Event::default()
                .event(ERROR)
                .data(serde_json::to_string(&body).unwrap_or_default())
        }
    }
}

/// Returns when the server stops or the credential no longer counts.
async fn no_longer_allowed(service: Arc<Service>, credential: Credential) {
    let revoked = async {
        loop {
            tokio::time::sleep(REVOCATION_INTERVAL).await;
            if credential.principal(service.authentication.as_ref()).is_none() {
                return;
            }
        }
    };
    tokio::select! {
        () = service.draining.cancelled() => {}
        () = revoked => {}
    }
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Seq>, OperationError> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .map(Some)
        .ok_or_else(|| OperationError::invalid("`Last-Event-ID` must be the id of a message of this stream"))
}
