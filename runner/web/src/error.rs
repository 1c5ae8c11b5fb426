//! Why an operation was not done: one closed set that HTTP and the command line both read.
//!
//! Owns the mapping to status codes and exit codes. The text is for people and holds no secret;
//! what must stay inside the house goes to the log instead (see [`OperationError::Internal`]).

use std::time::Duration;

use http::StatusCode;
use state::access::Denied;
use state::store::StoreError;

use crate::view::Finding;

/// How long a client is asked to wait when nothing better is known.
pub const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(5);

/// Why an operation was not done. Unless said otherwise, nothing happened.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OperationError {
    /// There is no such thing, or the caller may not know of it: the two look the same.
    #[error("there is no {what}")]
    NotFound {
        /// What was asked for, as the caller wrote it: `run 01jq7`.
        what: String,
    },
    /// The caller is known and lacks the permission.
    #[error("{why}")]
    Denied {
        /// Who may not do what.
        why: String,
    },
    /// The caller is not known. The text is the same for every cause.
    #[error("not signed in")]
    Unauthorized,
    /// The request does not have the form it must have.
    #[error("{message}")]
    Invalid {
        /// One sentence.
        message: String,
        /// Each fault with its place and remedy.
        findings: Vec<Finding>,
    },
    /// The request is well-formed, and a rule or the present state forbids it.
    #[error("{why}")]
    Refused {
        /// By which rule, in words.
        why: String,
        /// What would be allowed instead.
        help: Option<String>,
    },
    /// The caller asks faster than it may.
    #[error("{why}")]
    TooMany {
        /// Which limit.
        why: String,
        /// When to come back.
        retry_after: Duration,
    },
    /// Not now: starting, stopping, the disk is full, or nobody answers there.
    #[error("{why}")]
    Busy {
        /// In words.
        why: String,
        /// When to come back.
        retry_after: Duration,
    },
    /// A fault of Sortie. The detail is for the log and the local terminal, never for HTTP.
    #[error("internal error: {detail}")]
    Internal {
        /// What happened.
        detail: String,
    },
}

impl OperationError {
    /// There is no such thing.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }

    /// Malformed, in one sentence.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
            findings: Vec::new(),
        }
    }

    /// A fault of ours.
    pub fn internal(detail: impl std::fmt::Display) -> Self {
        Self::Internal {
            detail: detail.to_string(),
        }
    }

    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Denied { .. } => StatusCode::FORBIDDEN,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::Refused { .. } => StatusCode::CONFLICT,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The exit code of the command line.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Invalid { .. } => 2,
            Self::TooMany { .. } | Self::Busy { .. } | Self::Internal { .. } => 3,
            Self::Denied { .. } | Self::Unauthorized => 4,
            Self::NotFound { .. } => 5,
            Self::Refused { .. } => 6,
        }
    }

    /// The stable name, last part of the problem's `type`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::Denied { .. } => "denied",
            Self::Unauthorized => "unauthorized",
            Self::Invalid { .. } => "invalid",
            Self::Refused { .. } => "refused",
            Self::TooMany { .. } => "too-many",
            Self::Busy { .. } => "busy",
            Self::Internal { .. } => "internal",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => Some(
                "check the spelling; what belongs to an entity outside your reach is not found either"
                    .to_owned(),
            ),
            Self::Denied { .. } => Some("ask for a token with this permission".to_owned()),
            Self::Unauthorized => {
                Some("send `Authorization: Bearer <token>` with a token that has not expired".to_owned())
            }
            Self::Refused { help, .. } => help.clone(),
            Self::TooMany { retry_after, .. } | Self::Busy { retry_after, .. } => {
                Some(format!("try again in {} s", whole_seconds(*retry_after)))
            }
            Self::Invalid { .. } => None,
            Self::Internal { .. } => Some("the server's log has the cause".to_owned()),
        }
    }

    /// When to come back, if that was said.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { retry_after, .. } | Self::Busy { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

/// A wait in whole seconds that is certainly long enough.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(begun).max(1)
}

impl From<Denied> for OperationError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Permission { .. } => Self::Denied {
                why: denied.to_string(),
            },
            Denied::Entity { entity, .. } => Self::not_found(format!("entity `{entity}`")),
        }
    }
}

impl From<StoreError> for OperationError {
    fn from(error: StoreError) -> Self {
        let busy = |why: &str| {
            // The cause names folders and files of the server: for its log only.
            tracing::error!(%error, "the store does not write");
            Self::Busy {
                why: why.to_owned(),
                retry_after: RETRY_AFTER_DEFAULT,
            }
        };
        match error {
            StoreError::NotFound { what } => Self::not_found(what),
            StoreError::TooLarge { .. } | StoreError::BadCursor { .. } => Self::invalid(error.to_string()),
            StoreError::WrongScope { .. } => Self::Denied {
                why: error.to_string(),
            },
            StoreError::RunOver { .. } => Self::Refused {
                why: error.to_string(),
                help: None,
            },
            StoreError::Conflict { .. } => Self::Refused {
                why: error.to_string(),
                help: Some("look at the run again and repeat the request".to_owned()),
            },
            StoreError::Full { .. } => busy("the disk of the server is full; nothing was stored"),
            StoreError::Stopped { .. } => busy("the store of the server has stopped; nothing was stored"),
            StoreError::Damaged { .. } | StoreError::Ambiguous { .. } => Self::internal(error),
        }
    }
}
