//! How a run stands, in one word. Part of [`crate::event`], with the same promise about its form.

use serde::{Deserialize, Serialize};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It has not begun: as many runs of its key are at work as there may be.
    Queued,
    /// Work is going on.
    Running,
    /// Waits for a time, or for the reply of somebody who was asked.
    Waiting,
    /// Failed somewhere; `on_failure` and `finally` are running.
    Failing,
    /// Waits for a person: an unknown outcome.
    Stuck,
    /// Over: done, perhaps with handled failures.
    Succeeded,
    /// Over: a failure that nothing handled.
    Failed,
    /// Over: refused at the start or by a rule.
    Refused,
    /// Over: cancelled.
    Cancelled,
}

impl RunStatus {
    /// Whether the run is over for good.
    pub const fn is_over(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Refused | Self::Cancelled
        )
    }
    /// The spelling in files, JSON and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Failing => "failing",
            Self::Stuck => "stuck",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }
}
