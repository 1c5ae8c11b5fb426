//! Playbooks and runs: listing, starting, showing, cancelling.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::error::OperationError;
use crate::problem::json;
use crate::request::{Answered, Call, shown};
use crate::view::decision::REASON_CHARACTERS_MAX;
use crate::view::simulation::AskSimulation;
use crate::view::{Rows, StartRun};

/// Characters of a whole run id; fewer are a prefix.
const RUN_ID_CHARACTERS: usize = 26;

/// The body of a cancellation, or of an acknowledgement.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancel {
    /// Why, for the record.
    pub(crate) reason: String,
}

pub(crate) async fn playbooks(call: Call) -> Answered {
    let rows = call.operations().playbooks(&call.principal).await?;
    json(StatusCode::OK, &Rows { rows })
}

pub(crate) async fn simulate(call: Call) -> Answered {
    let ask: AskSimulation = call.json()?;
    let playbook = call.parameter("playbook");
    let simulation = call.operations().simulate(&call.principal, playbook, ask).await?;
    json(StatusCode::OK, &simulation)
}

pub(crate) async fn start(call: Call) -> Answered {
    let request: StartRun = call.json()?;
    let started = call.operations().start(&call.principal, request).await?;
    json(StatusCode::ACCEPTED, &started)
}

pub(crate) async fn list(call: Call) -> Answered {
    let (filter, page) = (call.query.run_filter()?, call.query.page()?);
    let page = call.operations().runs(&call.principal, filter, page).await?;
    json(StatusCode::OK, &page)
}

pub(crate) async fn show(call: Call) -> Answered {
    let run = run_id(&call)?;
    let detail = call.operations().run(&call.principal, run).await?;
    json(StatusCode::OK, &detail)
}

pub(crate) async fn cancel(call: Call) -> Answered {
    let run = run_id(&call)?;
    let Cancel { reason } = call.json()?;
    let reason = reason_line(&reason)?;
    let run = call.operations().cancel(&call.principal, run, reason).await?;
    json(StatusCode::ACCEPTED, &run)
}

/// A reason as it is recorded.
pub(crate) fn reason_line(reason: &str) -> Result<&str, OperationError> {
    let reason = reason.trim();
    let length = reason.chars().count();
    if length == 0 || length > REASON_CHARACTERS_MAX || reason.chars().any(char::is_control) {
        return Err(OperationError::invalid(format!(
            "`reason` must be one line of 1 to {REASON_CHARACTERS_MAX} characters"
        )));
    }
    Ok(reason)
}

/// The run a call is about: an id, or its first characters.
pub(crate) fn run_id(call: &Call) -> Result<&str, OperationError> {
    let text = call.parameter("id");
    let fits = (1..=RUN_ID_CHARACTERS).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if fits {
        Ok(text)
    } else {
        Err(OperationError::not_found(format!("run `{}`", shown(text))))
    }
}
