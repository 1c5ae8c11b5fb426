//! The events of a run: what is stored, what is folded, what is audited. One stream, one truth.
//!
//! Owns the closed set of events and their JSON form. A kind may be added, a field may be added
//! with a default; nothing is renamed, removed or given another meaning. `golden/` holds one
//! line of every kind, which every later version must still read. An unknown kind is refused,
//! never skipped.

use std::collections::BTreeMap;

use jiff::Timestamp;
use playbooks::action_spec::Recovery;
use playbooks::duration::Span;
use playbooks::marking::{EffectClass, Pap, Tlp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Actor;
use crate::ids::{EffectKey, EntityId, IncidentId, Path, RunId};

mod cause;
mod decision;
mod inquiry;
mod outcome;
mod status;
mod turn;

pub use cause::{RefusalKind, SkipCause};
pub use decision::{Inverse, Settlement};
pub use inquiry::{Inquiry, InquiryEnd, OnTimeout, ProposedEffect, Reply, ReplyWord, Shown, Subject, Told};
pub use outcome::{Outcome, ProbeAnswer};
pub use status::RunStatus;
pub use turn::Turn;

/// Position of an event in its run, from 0 without gaps.
pub type Seq = u64;

/// An event with its place and time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Position in the run.
    pub seq: Seq,
    /// The writer's clock when it was decided. Not necessarily increasing.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// Which playbook ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybookRef {
    /// Its id.
    pub id: String,
    /// Its version, for people.
    pub version: i64,
    /// Its identity: the plan's content hash.
    pub revision: String,
}

/// Why a run exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartedBy {
    /// Its trigger matched a new incident.
    Trigger,
    /// Somebody started it.
    Hand,
    /// Its time came.
    Schedule,
    /// An effect reached its end and is taken back by itself.
    Expiry,
}

/// Whether effects happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As written.
    Auto,
    /// Reads happen, effects are only recorded as what they would have been.
    Simulate,
}

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// The run exists. Always event 0.
    Started(Started),
    /// A let got its value, or is absent with a reason. Recorded once.
    LetSettled {
        /// Its name.
        name: String,
        /// Its value; `None` when absent.
        value: Option<Value>,
        /// Why it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        absent: Option<String>,
    },
    /// The items of a `for_each` step are fixed.
    Expanded {
        /// The step.
        step: String,
        /// The items, in order.
        items: Vec<Value>,
    },
    /// A step or item will not run.
    Skipped {
        /// Which.
        path: Path,
        /// Why, typed; never empty.
        cause: SkipCause,
    },
    /// An effect or read was refused by a rule below playbooks. Nothing was sent.
    Refused {
        /// Which.
        path: Path,
        /// By which rule.
        cause: RefusalKind,
        /// In words: `203.0.113.77 is on the never-block list of ville-exemple`.
        detail: String,
    },
    /// What will be done, durable before it is done.
    Intended(Intended),
    /// What came of it.
    Finished {
        /// Which.
        path: Path,
        /// Its attempt, from 1.
        attempt: u32,
        /// The outcome.
        outcome: Outcome,
        /// How long it took, milliseconds.
        duration_ms: u64,
    },
    /// Recovery found an intent without outcome.
    Lost {
        /// Which.
        path: Path,
        /// Its attempt.
        attempt: u32,
    },
    /// The far end was asked whether an effect had happened.
    Probed {
        /// Which.
        path: Path,
        /// Its attempt.
        attempt: u32,
        /// The answer.
        answer: ProbeAnswer,
    },
    /// Nobody can tell whether an effect happened. Waits for a person.
    OutcomeUnknown {
        /// Which.
        path: Path,
        /// Its attempt.
        attempt: u32,
        /// Why nobody can tell.
        detail: String,
    },
    /// The next attempt of a step or item is due at a time.
    RetryScheduled {
        /// Which.
        path: Path,
        /// The attempt that will be made.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// A step that does nothing but wait: nothing is performed, and it goes on at a time.
    Waits {
        /// Which.
        path: Path,
        /// Until when.
        until: Timestamp,
    },
    /// The next round of a repeated step is due at a time.
    RoundScheduled {
        /// Which.
        path: Path,
        /// The round, from 1.
        round: u32,
        /// When.
        at: Timestamp,
    },
    /// A repeated step has no further round.
    RoundsEnded {
        /// Which.
        path: Path,
        /// Rounds that it had.
        rounds: u32,
        /// Whether what it waited for has come.
        done: bool,
    },
    /// It is the run's turn: it begins now, and its time runs from now.
    Admitted {
        /// When its time is over.
        deadline: Timestamp,
    },
    /// People are asked, and steps wait for their reply.
    Asked(Box<Inquiry>),
    /// People will be told by mail that they are asked, each once. Durable before anything is sent.
    Telling {
        /// The inquiry.
        number: u32,
        /// Who, by name.
        people: Vec<String>,
    },
    /// What came of telling one of them.
    Told {
        /// The inquiry.
        number: u32,
        /// Who.
        person: String,
        /// The outcome.
        outcome: Told,
    },
    /// A person replied.
    Replied(Reply),
    /// Nobody replied in time: more people are asked.
    Escalated {
        /// The inquiry.
        number: u32,
        /// The roles that are asked too.
        who: Vec<String>,
        /// Until when.
        until: Timestamp,
    },
    /// An inquiry is over; no reply to it counts any more.
    InquiryClosed {
        /// The inquiry.
        number: u32,
        /// How it ended.
        end: InquiryEnd,
        /// In words: `refused by karim (duty-officer): not now`.
        detail: String,
    },
    /// The run is failing: nothing new starts but `on_failure` and `finally`.
    Failing {
        /// The step whose failure decided it; none when the run's time is over.
        step: Option<String>,
        /// In words.
        error: String,
    },
    /// The run was asked to stop.
    CancelRequested {
        /// By whom.
        actor: Actor,
        /// Why.
        reason: String,
    },
    /// A person said what became of a place that could not tell by itself, or that they did by
    /// hand what had failed. Also of a run that is over.
    Settled {
        /// Which.
        path: Path,
        /// Its attempt; 0 when it failed before anything was intended.
        attempt: u32,
        /// What became of it.
        answer: Settlement,
        /// Whether the far end was asked for it now and said so itself.
        #[serde(default, skip_serializing_if = "is_false")]
        probed: bool,
        /// By whom.
        actor: Actor,
        /// Why, for the record.
        reason: String,
    },
    /// A person takes note of a run that failed; nothing else follows from it.
    Acknowledged {
        /// By whom.
        actor: Actor,
        /// Why, for the record.
        reason: String,
    },
    /// A person has the run try again what failed, and what did not happen because of it. The
    /// run is open again.
    Retried {
        /// Places that are as if nothing had happened to them; a step without an item stands for
        /// the whole step.
        places: Vec<Path>,
        /// When the run's time is over now.
        deadline: Timestamp,
        /// By whom.
        actor: Actor,
        /// Why, for the record.
        reason: String,
    },
    /// A person started another run of the same on the same incident and inputs.
    Rerun {
        /// The new run, whose [`Started::rerun_of`] is this one.
        run: RunId,
        /// By whom.
        actor: Actor,
        /// Why, for the record.
        reason: String,
    },
    /// Effects of the run are to be taken back, in this order, each as an effect of its own with an
    /// intent before and an outcome after. Of a run that is not over, nothing new starts, unless
    /// it goes on.
    UndoRequested {
        /// What takes each back.
        inverses: Vec<Inverse>,
        /// By whom.
        actor: Actor,
        /// Why, for the record.
        reason: String,
        /// The run goes on meanwhile: what a step watches for has come.
        #[serde(default, skip_serializing_if = "is_false")]
        goes_on: bool,
    },
    /// The run is over. Nothing follows but what a person decides about it: see
    /// [`Event::may_follow_the_end`].
    Closed {
        /// How.
        status: RunStatus,
        /// Typed result; absent outputs are left out.
        outputs: BTreeMap<String, Value>,
        /// One sentence for people.
        summary: String,
        /// Failures that a step's `on_failure: continue` handled.
        handled_failures: u32,
        /// Events of the run, this one included.
        records: u64,
    },
}

impl Event {
    /// Whether it may stand behind [`Event::Closed`]: a person's decision about a run that is over.
    pub const fn may_follow_the_end(&self) -> bool {
        matches!(
            self,
            Self::Settled { .. }
                | Self::Acknowledged { .. }
                | Self::Retried { .. }
                | Self::Rerun { .. }
                | Self::UndoRequested { goes_on: false, .. }
        )
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Event 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// Whose it is.
    pub entity: EntityId,
    /// The incident it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The playbook, pinned.
    pub playbook: PlaybookRef,
    /// Why it exists.
    pub by: StartedBy,
    /// Who.
    pub actor: Actor,
    /// Whether effects happen.
    pub mode: Mode,
    /// Inputs after defaults.
    pub inputs: BTreeMap<String, Value>,
    /// The incident as it was at the start, as the language reads it. Later changes of the
    /// incident do not change what a running playbook sees.
    pub facts: Value,
    /// When the run's time is over.
    pub deadline: Timestamp,
    /// The run that this one repeats, when a person started it as a repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun_of: Option<RunId>,
    /// The measure that this run ends, when it was started for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<EffectKey>,
    /// What it shares with other runs of its playbook and entity that may not all be at work at
    /// once: it does nothing before [`Event::Admitted`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
}

/// An effect or read about to be sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intended {
    /// Which.
    pub path: Path,
    /// From 1.
    pub attempt: u32,
    /// Shared by all attempts of one intention.
    pub key: EffectKey,
    /// The capability.
    pub action: String,
    /// Its class.
    pub effect: EffectClass,
    /// The connections, one unless providers are merged; empty for actions in the house.
    pub connections: Vec<String>,
    /// Connections that were left out, with the reason (marking above the ceiling).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// The arguments, resolved. Secrets are not among them.
    pub arguments: Value,
    /// The marking it carries.
    pub tlp: Tlp,
    /// The marking it carries.
    pub pap: Pap,
    /// How recovery may treat it.
    pub recovery: Recovery,
    /// Longest time.
    pub timeout: Span,
    /// When the effect ends by itself or is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A provider that was not asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The connection.
    pub connection: String,
    /// In words.
    pub why: String,
}
