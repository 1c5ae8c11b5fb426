//! Errors as HTTP shows them: `application/problem+json` (RFC 9457).
//!
//! Owns the body and the headers of every refusal, and reads them back for the client. What the
//! house must keep to itself is logged here and replaced by a constant sentence.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::error::{OperationError, RETRY_AFTER_DEFAULT, whole_seconds};
use crate::view::{Finding, Format, Versioned};

/// What stands before a problem's name in `type`.
const TYPE_PREFIX: &str = "urn:sortie:problem:";
/// What strangers and callers read instead of an internal error's detail.
const INTERNAL_DETAIL: &str = "Sortie failed to answer; the log of the server has the cause";

/// A refusal on its way out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) name: &'static str,
    pub(crate) detail: String,
    pub(crate) help: Option<String>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) retry_after: Option<Duration>,
}

/// The JSON of a refusal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProblemBody {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) status: u16,
    pub(crate) detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) diagnostics: Vec<Finding>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            name,
            detail: detail.into(),
            help: None,
            findings: Vec::new(),
            retry_after: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The JSON of it.
    pub(crate) fn body(&self) -> Versioned<ProblemBody> {
        Versioned::new(ProblemBody {
            kind: format!("{TYPE_PREFIX}{}", self.name),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            help: self.help.clone(),
            diagnostics: self.findings.clone(),
        })
    }
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        let detail = if let OperationError::Internal { detail } = &error {
            tracing::error!(%detail, "an operation failed");
            INTERNAL_DETAIL.to_owned()
        } else {
            error.to_string()
        };
        Self {
            status: error.status(),
            name: error.name(),
            detail,
            help: error.help(),
            retry_after: error.retry_after(),
            findings: match error {
                OperationError::Invalid { findings, .. } => findings,
                _ => Vec::new(),
            },
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let bytes = serde_json::to_vec(&self.body()).unwrap_or_default();
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"sortie\""),
            );
        }
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }
}

impl ProblemBody {
    /// The error this was made from, as far as it was told.
    pub(crate) fn into_error(self, retry_after: Option<Duration>) -> OperationError {
        let retry_after = retry_after.unwrap_or(RETRY_AFTER_DEFAULT);
        match self.kind.strip_prefix(TYPE_PREFIX).unwrap_or_default() {
            "not-found" => OperationError::not_found(
                self.detail
                    .strip_prefix("there is no ")
                    .unwrap_or(&self.detail)
                    .to_owned(),
            ),
            "denied" => OperationError::Denied { why: self.detail },
            "unauthorized" => OperationError::Unauthorized,
            "refused" => OperationError::Refused {
                why: self.detail,
                help: self.help,
            },
            "too-many" => OperationError::TooMany {
                why: self.detail,
                retry_after,
            },
            "busy" => OperationError::Busy {
                why: self.detail,
                retry_after,
            },
            "internal" => OperationError::Internal { detail: self.detail },
            _ => OperationError::Invalid {
                message: self.detail,
                findings: self.diagnostics,
            },
        }
    }
}

/// A JSON answer with its format in front.
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Borrowed<'a, T> {
        format: Format,
        #[serde(flatten)]
        body: &'a T,
    }
    let bytes = serde_json::to_vec(&Borrowed { format: Format, body }).map_err(OperationError::internal)?;
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
