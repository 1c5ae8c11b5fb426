//! The contract of an action.
//!
//! Owns what every provider of every capability must declare and how it is called. The engine
//! decides on `ActionError::kind` and `not_sent` only; `detail` is for people.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use playbooks::action_spec::{ErrorKind, ProviderSpec};
use playbooks::duration::Span;
use playbooks::incident::{FileRef, IncidentStatus};
use playbooks::marking::{Severity, Tlp, Verdict};
use playbooks::operator::{Entity, Organisation};
use serde_json::Value;

use crate::egress::Door;

/// One call of one provider. Everything in it is plain data; secrets live behind the door.
#[derive(Debug, Clone)]
pub struct Call {
    /// The effect key, 64 hexadecimal digits; all attempts of one intention share it.
    pub key: String,
    /// The run, for headers and markers.
    pub run: String,
    /// The capability.
    pub action: String,
    /// From 1.
    pub attempt: u32,
    /// The recorded start of the attempt; what `now` means to the action.
    pub now: Timestamp,
    /// Whose work it is.
    pub entity: Arc<Entity>,
    /// Us.
    pub organisation: Arc<Organisation>,
    /// The incident as the run sees it.
    pub incident: Arc<Value>,
    /// The resolved arguments.
    pub arguments: Value,
    /// The marking it carries.
    pub tlp: Tlp,
    /// When the effect ends, if it has an end.
    pub until: Option<Timestamp>,
    /// Longest time this attempt may take.
    pub timeout: Span,
}

impl Call {
    /// The marker written into far systems: `sortie-` and 16 characters of the key.
    pub fn marker(&self) -> String {
        format!("sortie-{}", self.key.get(..16).unwrap_or(&self.key))
    }
}

/// What an action may use besides its arguments.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The way out, bound to one connection. `None` for actions in the house.
    pub door: Option<&'a Door>,
    /// Files held by hash.
    pub files: &'a dyn Files,
}

/// Reading of files held by Sortie. Implemented by the runner over the store.
#[async_trait]
pub trait Files: Send + Sync + std::fmt::Debug {
    /// The bytes of a file; `None` when it is not held.
    async fn read(&self, sha256: &str) -> Result<Option<Vec<u8>>, String>;
    /// Keeps bytes and tells their hash.
    async fn keep(&self, name: &str, media_type: Option<&str>, bytes: Vec<u8>) -> Result<FileRef, String>;
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Performed {
    /// Outputs as the capability promises them; absent optional ones are left out.
    pub output: Value,
    /// What the far end calls it.
    pub reference: Option<String>,
    /// What the commit of this outcome shall also store.
    pub changes: Vec<HouseChange>,
}

impl Performed {
    /// Outputs and nothing else.
    pub fn output(output: Value) -> Self {
        Self {
            output,
            reference: None,
            changes: Vec::new(),
        }
    }
}

/// A change of our own records that is stored with the outcome, in the same commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HouseChange {
    /// The incident of the run changes.
    UpdateIncident {
        /// New status.
        status: Option<IncidentStatus>,
        /// New verdict.
        verdict: Option<Verdict>,
        /// New severity.
        severity: Option<Severity>,
        /// A note.
        note: Option<String>,
    },
    /// A measure is in force.
    PutMeasure {
        /// `ip`, `domain`, `url`, `hash`.
        kind: &'static str,
        /// Canonical target.
        target: String,
        /// `inbound`, `outbound`, `both`.
        direction: Option<String>,
        /// Why.
        reason: String,
        /// The action that takes it back and its arguments, when the provider does not end it by
        /// itself at `Call::until`.
        inverse: Option<(String, Value)>,
    },
    /// Measures on a target are lifted, on the same connection.
    LiftMeasures {
        /// `ip`, `domain`, `url`, `hash`.
        kind: &'static str,
        /// Canonical target.
        target: String,
        /// `inbound`, `outbound`, `both`; none where there is no direction. Measures of another
        /// direction stay.
        direction: Option<String>,
    },
}

/// Why a call did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ActionError {
    /// What the engine decides on.
    pub kind: ErrorKind,
    /// For people; no secret, no control characters, at most [`DETAIL_CHARS_MAX`].
    pub detail: String,
    /// Certain that nothing happened outside.
    pub not_sent: bool,
    /// When the far end asks to be tried again.
    pub retry_after: Option<Span>,
    /// What our own records must hold although the call failed, because it may have happened: a
    /// block that perhaps stands needs its end like one that stands for sure.
    pub changes: Vec<HouseChange>,
}

/// Characters of [`ActionError::detail`].
pub const DETAIL_CHARS_MAX: usize = 500;

impl ActionError {
    /// A failure after which something may have happened outside.
    ///
    /// Control characters of `detail` become blanks and it is cut to [`DETAIL_CHARS_MAX`], so that
    /// words of a far end can be passed on.
    pub fn new(kind: ErrorKind, detail: impl AsRef<str>) -> Self {
        Self {
            kind,
            detail: legible(detail.as_ref()),
            not_sent: false,
            retry_after: None,
            changes: Vec::new(),
        }
    }

    /// Arguments or configuration did not fit. Nothing was sent.
    pub fn invalid(detail: impl AsRef<str>) -> Self {
        Self::new(ErrorKind::Invalid, detail).certain()
    }

    /// A rule of ours forbids it. Nothing was sent.
    pub fn policy(detail: impl AsRef<str>) -> Self {
        Self::new(ErrorKind::Policy, detail).certain()
    }

    /// The far end did not give what it promised.
    pub fn bad_answer(detail: impl AsRef<str>) -> Self {
        Self::new(ErrorKind::BadAnswer, detail)
    }

    /// The far end understood the request and refused it: nothing happened there.
    pub fn refused(detail: impl AsRef<str>) -> Self {
        Self::new(ErrorKind::Rejected, detail).certain()
    }

    /// The same failure, with the certainty that nothing happened outside.
    #[must_use]
    pub fn certain(mut self) -> Self {
        self.not_sent = true;
        self
    }

    /// The same failure, to be tried again not before `wait`.
    #[must_use]
    pub fn after(mut self, wait: Span) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same failure, with what our own records must hold nevertheless.
    #[must_use]
    pub fn holding(mut self, changes: Vec<HouseChange>) -> Self {
        self.changes = changes;
        self
    }
}

/// Text of others made fit for a record: no control characters, a limited length.
fn legible(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= DETAIL_CHARS_MAX {
        return clean.collect();
    }
    clean.take(DETAIL_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::{ActionError, DETAIL_CHARS_MAX};

    #[test]
    fn details_are_legible_and_short() {
        assert_eq!(ActionError::invalid("a\r\nb\u{1b}[31m").detail, "a  b [31m");
        for (length, expected) in [
            (DETAIL_CHARS_MAX - 1, DETAIL_CHARS_MAX - 1),
            (DETAIL_CHARS_MAX, DETAIL_CHARS_MAX),
            (DETAIL_CHARS_MAX + 1, DETAIL_CHARS_MAX),
        ] {
            assert_eq!(
                ActionError::invalid("é".repeat(length)).detail.chars().count(),
                expected
            );
        }
    }
}

/// What asking the far end found.
#[derive(Debug, Clone, PartialEq)]
pub enum Probe {
    /// It happened.
    Done(Performed),
    /// It did not happen.
    NotDone,
    /// Cannot tell.
    CannotTell(String),
}

/// One provider's way to fulfil one capability.
#[async_trait]
pub trait Action: Send + Sync + std::fmt::Debug {
    /// What it declares. The capability's own contract is in the registry.
    fn provider(&self) -> &ProviderSpec;

    /// Does it, once. Never retries by itself.
    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError>;

    /// Asks whether it happened. Written out by every action: one that cannot ask says so.
    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe;

    /// What our own records must hold after a failure that may have happened outside, whoever
    /// noticed it: the action, the end of its time, or a panic. Nothing, unless the action leaves
    /// something behind that we must take back later.
    fn in_doubt(&self, _call: &Call) -> Vec<HouseChange> {
        Vec::new()
    }
}
