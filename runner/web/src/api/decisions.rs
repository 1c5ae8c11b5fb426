//! What people decide about a run: looking at what would follow, and deciding.

use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::api::runs::{Cancel, reason_line, run_id};
use crate::error::OperationError;
use crate::problem::json;
use crate::request::{Answered, Call};
use crate::view::{Rerun, Retry, Rows, RunVerb, Settle, Undo, Version};

/// Query keys of a preview of a retry.
pub(crate) const RETRY_KEYS: &[&str] = &["from"];
/// Query keys of a preview of an undo.
pub(crate) const UNDO_KEYS: &[&str] = &["effect"];
/// Query keys of the register.
pub(crate) const EFFECTS_KEYS: &[&str] = &["entity"];
/// Query keys of a preview of a rerun.
pub(crate) const RERUN_KEYS: &[&str] = &["version"];

pub(crate) async fn settle(call: Call) -> Answered {
    let (what, reason) = body::<Settle>(&call)?;
    decide(call, RunVerb::Settle(what), &reason).await
}

pub(crate) async fn acknowledge(call: Call) -> Answered {
    let Cancel { reason } = call.json()?;
    decide(call, RunVerb::Acknowledge, &reason).await
}

pub(crate) async fn retry(call: Call) -> Answered {
    let (what, reason) = body::<Retry>(&call)?;
    decide(call, RunVerb::Retry(what), &reason).await
}

pub(crate) async fn rerun(call: Call) -> Answered {
    let (what, reason) = body::<Rerun>(&call)?;
    decide(call, RunVerb::Rerun(what), &reason).await
}

pub(crate) async fn undo(call: Call) -> Answered {
    let (what, reason) = body::<Undo>(&call)?;
    decide(call, RunVerb::Undo(what), &reason).await
}

pub(crate) async fn preview_undo(call: Call) -> Answered {
    let effect = call.query.text("effect").map(str::to_owned);
    preview(call, RunVerb::Undo(Undo { effect })).await
}

/// What is in force.
pub(crate) async fn effects(call: Call) -> Answered {
    let entity = call.query.value("entity")?;
    let rows = call.operations().effects(&call.principal, entity).await?;
    json(StatusCode::OK, &Rows { rows })
}

pub(crate) async fn preview_retry(call: Call) -> Answered {
    let from = call.query.text("from").map(str::to_owned);
    preview(call, RunVerb::Retry(Retry { from })).await
}

pub(crate) async fn preview_rerun(call: Call) -> Answered {
    let version = match call.query.text("version") {
        None | Some("own") => Version::Own,
        Some("current") => Version::Current,
        Some(_) => return Err(OperationError::invalid("`version` is own or current").into()),
    };
    preview(call, RunVerb::Rerun(Rerun { version })).await
}

/// The body of a decision. Unknown fields are refused: the fields of the verb stand beside
/// `reason`, so the verb's own form is read from what is left.
fn body<T: DeserializeOwned>(call: &Call) -> Result<(T, String), OperationError> {
    let mut fields: serde_json::Map<String, serde_json::Value> = call.json()?;
    let Some(serde_json::Value::String(reason)) = fields.remove("reason") else {
        return Err(OperationError::invalid(
            "`reason` is missing; it is for the record",
        ));
    };
    let what = serde_json::from_value(serde_json::Value::Object(fields))
        .map_err(|error| OperationError::invalid(error.to_string()))?;
    Ok((what, reason))
}

async fn decide(call: Call, verb: RunVerb, reason: &str) -> Answered {
    let run = run_id(&call)?;
    let reason = reason_line(reason)?;
    let decided = call
        .operations()
        .decide(&call.principal, run, verb, reason)
        .await?;
    json(StatusCode::OK, &decided)
}

async fn preview(call: Call, verb: RunVerb) -> Answered {
    let run = run_id(&call)?;
    let preview = call.operations().preview(&call.principal, run, verb).await?;
    json(StatusCode::OK, &preview)
}
