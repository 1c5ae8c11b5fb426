//! From a command to the events that follow from it.
//!
//! Owns the order of things. Everything that follows without waiting is in one batch, so that a
//! result and the next intents are one commit. Never performs anything.

use playbooks::plan::Plan;
use state::access::{Actor, Person};
use state::event::{Event, InquiryEnd, Outcome, ProbeAnswer, ReplyWord, Settlement, Told};
use state::ids::{Path, RunId};

use crate::run::{Corrupt, Run};
use crate::surroundings::Surroundings;
use crate::who::MayNot;

mod attempts;
mod choices;
mod closing;
mod command;
mod draft;
mod inquire;
mod open;
mod people;
mod replies;
mod rounds;
mod steps;
mod telling;
mod undo;

use draft::Draft;

/// What the host tells a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Go on. At a fixpoint it gives no events.
    Advance,
    /// An attempt came to an end.
    Finished {
        /// Which.
        path: Path,
        /// Its attempt, as intended.
        attempt: u32,
        /// What came of it.
        outcome: Outcome,
        /// How long it took, milliseconds.
        duration_ms: u64,
    },
    /// The host that held this run is gone: every intent without outcome is lost and is treated
    /// as its recovery class says. To be given exactly once after a load, before any work.
    Recover,
    /// The far end was asked whether an effect had happened.
    Probed {
        /// Which.
        path: Path,
        /// Its attempt.
        attempt: u32,
        /// The answer.
        answer: ProbeAnswer,
    },
    /// The time of [`crate::wake_at`] has come.
    Wake,
    /// It is the run's turn.
    Admit,
    /// A person replies to what was asked.
    Reply {
        /// The inquiry, by its number in the run.
        number: u32,
        /// Who, with the roles they have now.
        person: Person,
        /// Who and through which channel, for the record.
        actor: Actor,
        /// What they say.
        word: ReplyWord,
        /// Why, in their words.
        comment: Option<String>,
        /// The digest of the effects they saw; of approvals only.
        digest: Option<String>,
    },
    /// What came of telling a person that they are asked.
    Told {
        /// The inquiry, by its number in the run.
        number: u32,
        /// Who.
        person: String,
        /// The outcome.
        outcome: Told,
    },
    /// Somebody wants the run to stop: nothing new starts but `finally`.
    Cancel {
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
    /// Somebody says what became of a place in doubt, or that they did by hand what had failed.
    Settle {
        /// Which.
        path: Path,
        /// What became of it. Outputs that bear the name of an argument may be left out.
        answer: Settlement,
        /// Whether the far end was asked now and said so itself.
        probed: bool,
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
    /// Somebody takes note of a failure.
    Acknowledge {
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
    /// Somebody has what failed tried again. See [`Run::again`].
    Retry {
        /// The step that failed, when not all of them are meant.
        from: Option<String>,
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
    /// Somebody has effects taken back. Of a run that is not over, nothing new starts. See
    /// [`Run::undo_plan`].
    Undo {
        /// Where they were had.
        paths: Vec<Path>,
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
    /// The run was started once more, as another run.
    Rerun {
        /// The other run.
        run: RunId,
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
}

impl Command {
    /// Whether it is also for a run that is over.
    const fn is_about_the_end(&self) -> bool {
        matches!(
            self,
            Self::Settle { .. }
                | Self::Acknowledge { .. }
                | Self::Retry { .. }
                | Self::Rerun { .. }
                | Self::Undo { .. }
        )
    }
}

/// Why a command gives no events. The run is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run is over; nothing can change it any more.
    #[error("the run is over")]
    Over,
    /// The attempt is not the one that is awaited: a late or repeated result. To be dropped.
    #[error("attempt {attempt} of `{path}` is not awaited: {state}")]
    Stale {
        /// Which.
        path: Path,
        /// The attempt that was reported.
        attempt: u32,
        /// How the path stands.
        state: &'static str,
    },
    /// Somebody cancelled it before.
    #[error("the run was already cancelled by {by}")]
    AlreadyCancelled {
        /// Who.
        by: String,
    },
    /// It does not fit how the run stands, or what the playbook promises.
    #[error("{why}")]
    Unfit {
        /// In words, with what would fit.
        why: String,
    },
    /// It is at work already, or over.
    #[error("the run does not wait for its turn")]
    NotQueued,
    /// The run never asked that.
    #[error("this run asked no question {number}")]
    NotAsked {
        /// The number.
        number: u32,
    },
    /// It is decided, its time is over, or it was voided.
    #[error("it is over: {detail}")]
    InquiryOver {
        /// How it ended.
        end: InquiryEnd,
        /// In words.
        detail: String,
    },
    /// The person may not reply.
    #[error(transparent)]
    MayNot(#[from] MayNot),
    /// What would be done is not what the person saw.
    #[error("what would be done is not what you saw; look at it again")]
    Changed,
    /// The reply is not one of those that can be given.
    #[error("`{word}` is no reply to this: {expected}")]
    NoSuchReply {
        /// What was said.
        word: String,
        /// What can be said.
        expected: String,
    },
    /// The events do not fit the plan.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// Everything that follows from a command, to a fixpoint. Append the events in order, all or
/// nothing, then [`Run::apply`] them. Deterministic; `run` is not changed.
pub fn decide(
    plan: &Plan,
    run: &Run,
    command: Command,
    surroundings: &Surroundings<'_>,
) -> Result<Vec<Event>, Refusal> {
    if run.closed.is_some() && !command.is_about_the_end() {
        return match command {
            Command::Advance | Command::Wake | Command::Recover => Ok(Vec::new()),
            Command::Reply { number, .. } => Err(too_late(run, number)),
            _ => Err(Refusal::Over),
        };
    }
    let mut draft = Draft::new(plan, run, surroundings);
    draft.take(command)?;
    draft.follow()?;
    Ok(draft.into_events())
}

/// What somebody hears who replies to a run that is over.
fn too_late(run: &Run, number: u32) -> Refusal {
    match run.inquiry(number).and_then(|asked| asked.end.clone()) {
        Some((end, detail)) => Refusal::InquiryOver { end, detail },
        None => Refusal::NotAsked { number },
    }
}
