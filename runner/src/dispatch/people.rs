//! What people decide about a run, on its way to the run's worker and back.
//!
//! Owns the waiting. Whether a decision fits the run is the engine's to say; that it is durable
//! before anybody hears of it is the worker's duty.

use std::time::Duration;

use engine::Command;
use state::access::Actor;
use state::ids::{Path, RunId};
use tokio::sync::oneshot;

use super::{Dispatcher, Message};

/// How long somebody who decides about a run waits until that is recorded. Longer than a far end
/// may take to say whether something had happened.
pub const DECIDE_SECONDS_MAX: u64 = 25;

/// What somebody decided.
#[derive(Debug)]
pub(crate) enum Decision {
    /// This.
    Give(Command),
    /// That the far end shall be asked what became of a place, and its answer taken over.
    Ask {
        path: Path,
        actor: Actor,
        reason: String,
    },
}

/// A decision that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// As it was given.
    Recorded,
    /// The far end said that it had happened.
    WasDone,
    /// The far end said that it had not.
    WasNotDone,
}

/// Why a decision was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// It does not fit how the run stands.
    #[error(transparent)]
    Refused(#[from] engine::Refusal),
    /// The far end was asked and could not tell.
    #[error("the far end cannot tell: {detail}")]
    CannotTell {
        /// Why not.
        detail: String,
    },
    /// It was not recorded in time; it may still be.
    #[error("the run has not taken the request up yet; look at it, then ask again")]
    NotYet,
}

impl Dispatcher {
    /// Gives a person's decision to a run. When this returns `Ok` it is durable.
    pub async fn decide(&self, run: &RunId, command: Command) -> Result<Heard, DecideError> {
        self.heard(run, Decision::Give(command)).await
    }

    /// Has the far end asked what became of a place in doubt. When this returns `Ok` its answer is
    /// taken over and durable.
    pub async fn ask(
        &self,
        run: &RunId,
        path: Path,
        actor: Actor,
        reason: String,
    ) -> Result<Heard, DecideError> {
        self.heard(run, Decision::Ask { path, actor, reason }).await
    }

    /// Asks a run to stop. What was sent already is waited for. When this returns `Ok` the request
    /// is durable.
    pub async fn cancel(&self, run: &RunId, actor: Actor, reason: String) -> Result<(), DecideError> {
        self.decide(run, Command::Cancel { actor, reason })
            .await
            .map(drop)
    }

    async fn heard(&self, run: &RunId, decision: Decision) -> Result<Heard, DecideError> {
        let (heard, answer) = oneshot::channel();
        self.tell(run, Message::Decide { decision, heard });
        match tokio::time::timeout(Duration::from_secs(DECIDE_SECONDS_MAX), answer).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) | Err(_) => Err(DecideError::NotYet),
        }
    }
}
