//! Incidents: taking them in, listing, showing, explaining.

use http::StatusCode;
use state::ids::IncidentId;

use crate::error::OperationError;
use crate::problem::json;
use crate::request::{Answered, Call, shown};
use crate::routes::Media;
use crate::view::{Content, Finding, Rows, Submission, SubmitReport, Submitted};

pub(crate) async fn submit(call: Call) -> Answered {
    let content = match call.media {
        Some(Media::Mail) => Content::Mail,
        _ => Content::Json,
    };
    take_in(call, content).await
}

pub(crate) async fn intake(call: Call) -> Answered {
    let name = call.parameter("mapper").to_owned();
    if !is_mapper_name(&name) {
        return Err(OperationError::not_found(format!("mapper `{}`", shown(&name))).into());
    }
    take_in(call, Content::Mapper(name)).await
}

/// Whether a text can be the name of a mapper: `[a-z0-9][a-z0-9_-]{0,62}`.
fn is_mapper_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
        && !text.starts_with(['-', '_'])
}

async fn take_in(call: Call, content: Content) -> Answered {
    let submission = Submission {
        content,
        bytes: call.body.clone(),
        entity: call.query.value("entity")?,
    };
    let report = call.operations().submit(&call.principal, submission).await?;
    json(status_of(&report)?, &report)
}

/// 202 when something new was kept, 200 when everything was known or ignored, and a refusal when
/// nothing was understood.
fn status_of(report: &SubmitReport) -> Result<StatusCode, OperationError> {
    let any = |test: fn(&Submitted) -> bool| report.results.iter().any(test);
    if any(|line| matches!(line, Submitted::Accepted { .. })) {
        return Ok(StatusCode::ACCEPTED);
    }
    if any(|line| !matches!(line, Submitted::Refused { .. })) {
        return Ok(StatusCode::OK);
    }
    let findings: Vec<Finding> = report
        .results
        .iter()
        .filter_map(|line| match line {
            Submitted::Refused { diagnostics } => Some(diagnostics.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    Err(OperationError::Invalid {
        message: "nothing in it could be taken in".to_owned(),
        findings,
    })
}

pub(crate) async fn list(call: Call) -> Answered {
    let (filter, page) = (call.query.incident_filter()?, call.query.page()?);
    let page = call.operations().incidents(&call.principal, filter, page).await?;
    json(StatusCode::OK, &page)
}

pub(crate) async fn show(call: Call) -> Answered {
    let id: IncidentId = call.id("id", "incident")?;
    let incident = call.operations().incident(&call.principal, &id).await?;
    json(StatusCode::OK, &incident)
}

pub(crate) async fn matches(call: Call) -> Answered {
    let id: IncidentId = call.id("id", "incident")?;
    let rows = call.operations().matches(&call.principal, &id).await?;
    json(StatusCode::OK, &Rows { rows })
}
