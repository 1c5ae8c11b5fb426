//! Why something did not happen: causes of skips and kinds of refusals.

use serde::{Deserialize, Serialize};

/// Why a step was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SkipCause {
    /// Its `if` said no.
    IfFalse {
        /// The text of the condition.
        condition: String,
        /// Which part of it said no, and what that part saw. Absent in runs from before this was
        /// recorded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
    },
    /// Its `if` reads something absent.
    IfUndecided {
        /// In words: `needs steps.copies, which was skipped`.
        why: String,
    },
    /// It reads the output of a step that has none.
    Needs {
        /// In words: `needs steps.copies, which was skipped: if was false`.
        why: String,
    },
    /// It reads something else that is absent.
    Absent {
        /// In words.
        why: String,
    },
    /// What its repetition waits for had come before its first round.
    UntilTrue,
    /// The run is failing.
    RunFailing,
    /// The run was cancelled.
    RunCancelled,
    /// Somebody who was asked said no.
    ApprovalRefused {
        /// In words: `refused by karim (duty-officer): not now`.
        why: String,
    },
    /// Nobody who was asked replied in time.
    ApprovalExpired {
        /// In words: `nobody of duty-officer replied until 2026-11-24 08:30Z`.
        why: String,
    },
}

/// Which rule refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The marking is above a ceiling.
    Tlp,
    /// The action is more active than PAP allows.
    Pap,
    /// The target is on a never-block list.
    NeverBlock,
    /// The target is a private, special or own range, or too wide.
    PrivateRange,
    /// A budget is used up.
    Budget,
    /// Effects are paused.
    Paused,
    /// The entity has not pre-authorised it, no connection offers it, or another rule of the
    /// operator forbids it.
    Policy,
}
