//! One place of work: a step without items, or one item of a `for_each` step.
//!
//! Owns the states of a place and their names. Which event leads from one to another is decided
//! by the fold.

use std::sync::Arc;

use jiff::Timestamp;
use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use serde_json::Value;
use state::event::{Intended, SkipCause};

/// How a place stands.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// Nothing happened yet.
    Pending,
    /// Intended; the host performs it.
    Live(Arc<Intended>),
    /// The attempt failed and another will be made.
    Retry {
        last: Arc<Intended>,
        failure: Failure,
        /// `None` until the time is recorded.
        due: Option<Timestamp>,
    },
    /// The attempt was lost, or proved not to have happened: it is to be made again at once.
    Again {
        last: Arc<Intended>,
        /// Whether the lost attempt may have happened.
        doubtful: bool,
    },
    /// Whether the attempt happened must be asked.
    Doubtful(Doubt),
    /// Nobody can tell whether it happened; that is still to be recorded.
    Unknowable {
        last: Arc<Intended>,
        detail: String,
        /// The failure that raised the doubt; `None` when the attempt was lost.
        failure: Option<Failure>,
    },
    /// Waits for a person.
    Unknown {
        last: Arc<Intended>,
        detail: String,
        failure: Option<Failure>,
        /// Since when it waits; the attempt cannot have been sent later than this.
        since: Timestamp,
    },
    /// Nothing is performed: it waits until then.
    Waits(Timestamp),
    /// Between two rounds of a repetition.
    Rested(Rest),
    /// Over.
    Done {
        last: Option<Arc<Intended>>,
        result: Final,
    },
}

/// An attempt whose effect may have happened.
#[derive(Debug, Clone)]
pub(crate) struct Doubt {
    pub(crate) last: Arc<Intended>,
    /// The attempt cannot have been sent later than this.
    pub(crate) since: Timestamp,
    /// The failure that raised the doubt; `None` when the attempt was lost.
    pub(crate) failure: Option<Failure>,
    /// Answers that could not tell.
    pub(crate) probes: u32,
    pub(crate) due: Due,
}

/// Between two rounds, or before the first.
#[derive(Debug, Clone)]
pub(crate) struct Rest {
    /// The attempt that ended the last round.
    pub(crate) last: Option<Arc<Intended>>,
    /// What the last round gave.
    pub(crate) output: Option<Arc<Value>>,
    /// When the next round comes; `None` until that is recorded.
    pub(crate) due: Option<Timestamp>,
}

/// When a doubtful attempt is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Now,
    /// Asked in vain; the time of the next question is not recorded yet.
    Unscheduled,
    At(Timestamp),
}

/// How an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) detail: String,
    pub(crate) not_sent: bool,
    pub(crate) retry_after: Option<Span>,
}

/// The end of a place.
#[derive(Debug, Clone)]
pub(crate) enum Final {
    Succeeded(Arc<Value>),
    Failed(String),
    Skipped(SkipCause),
    Refused(String),
}

impl Place {
    /// When it wants to go on by itself, if that is recorded.
    pub(crate) fn timer(&self) -> Option<Timestamp> {
        match self {
            Self::Retry { due, .. } | Self::Rested(Rest { due, .. }) => *due,
            Self::Doubtful(Doubt { due: Due::At(at), .. }) | Self::Waits(at) => Some(*at),
            _ => None,
        }
    }

    /// The last attempt that was intended; of the present round.
    pub(crate) fn last(&self) -> Option<&Arc<Intended>> {
        match self {
            // The next round begins anew: with another key, from attempt 1.
            Self::Pending | Self::Waits(_) | Self::Rested(_) => None,
            Self::Live(last)
            | Self::Retry { last, .. }
            | Self::Again { last, .. }
            | Self::Doubtful(Doubt { last, .. })
            | Self::Unknowable { last, .. }
            | Self::Unknown { last, .. } => Some(last),
            Self::Done { last, .. } => last.as_ref(),
        }
    }

    /// The number of the last attempt; 0 when there was none.
    pub(crate) fn attempt(&self) -> u32 {
        self.last().map_or(0, |last| last.attempt)
    }

    /// Whether it takes one of the slots of `max_parallel`.
    pub(crate) fn in_work(&self) -> bool {
        matches!(
            self,
            Self::Live(_)
                | Self::Retry { .. }
                | Self::Again { .. }
                | Self::Doubtful(_)
                | Self::Unknowable { .. }
                | Self::Waits(_)
                | Self::Rested(_)
        )
    }

    /// In words, for refusals of late results.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Self::Pending => "nothing is intended",
            Self::Live(_) => "another attempt is in work",
            Self::Waits(_) => "it waits for a time",
            Self::Rested(_) => "it waits for its next round",
            Self::Retry { .. } => "it waits to be tried again",
            Self::Again { .. } => "the attempt was lost",
            Self::Doubtful(_) => "its outcome is being asked for",
            Self::Unknowable { .. } | Self::Unknown { .. } => "its outcome is unknown and waits for a person",
            Self::Done { .. } => "it is over",
        }
    }
}
