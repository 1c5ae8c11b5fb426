//! The folded state of one run.
//!
//! Owns what is remembered of a run and what can be asked of it. What each event means is in
//! `run::fold`. Never decides what comes next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use playbooks::plan::{Plan, Section};
use serde_json::Value;
use state::access::Actor;
use state::event::{Intended, RunStatus, Seq, SkipCause, Started};
use state::ids::Path;

mod again;
mod fold;
mod inquiry;
mod place;
mod report;
mod step;
mod undo;

pub use again::Again;
#[cfg(test)]
pub(crate) use fold::PROBES_MAX;
pub use inquiry::Asked;
pub(crate) use inquiry::{digest, digest_of};
pub(crate) use place::{Doubt, Due, Failure, Final, Place, Rest};
pub use report::{Effect, StepReport};
pub use step::StepStatus;
pub(crate) use step::{StepState, Work};
pub(crate) use undo::Undo;
pub use undo::UndoLine;

/// Why a sequence of events is not the history of a run of this plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} does not fit: {reason}")]
pub struct Corrupt {
    /// Its position.
    pub seq: Seq,
    /// What does not fit.
    pub reason: String,
}

/// A place of work by position: a step of the plan and perhaps an item of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) step: usize,
    pub(crate) item: Option<u32>,
    /// The taking back of what was done there.
    pub(crate) undo: bool,
}

impl Spot {
    /// A step without items, or the whole of one.
    pub(crate) const fn whole(step: usize) -> Self {
        Self {
            step,
            item: None,
            undo: false,
        }
    }

    /// Where a path is in the plan.
    pub(crate) fn of(plan: &Plan, path: &Path) -> Option<Self> {
        Some(Self {
            step: plan.steps.get_index_of(&*path.step)?,
            item: path.item,
            undo: path.undo,
        })
    }
}

/// A settled let.
#[derive(Debug, Clone)]
pub(crate) enum LetState {
    Value(Value),
    Absent(String),
}

/// The failure or refusal that nothing handles, found by the fold; the decision to fail follows.
#[derive(Debug, Clone)]
pub(crate) struct Stopper {
    pub(crate) step: usize,
    pub(crate) error: String,
    pub(crate) refused: bool,
}

/// The run is failing.
#[derive(Debug, Clone)]
pub(crate) struct Failing {
    pub(crate) step: Option<usize>,
    pub(crate) error: String,
    /// A rule below playbooks, not a failure, was the reason.
    pub(crate) refused: bool,
    /// It began in `finally`: `on_failure` is over by then.
    pub(crate) late: bool,
}

/// The run is over.
#[derive(Debug, Clone)]
pub(crate) struct Closed {
    pub(crate) status: RunStatus,
    pub(crate) summary: String,
}

/// The state of one run: a fold of its events, nothing else. Cloning is cheap; parts are shared
/// until they change.
#[derive(Debug, Clone)]
pub struct Run {
    pub(crate) started: Arc<Started>,
    pub(crate) started_at: Timestamp,
    pub(crate) inputs: Arc<Value>,
    pub(crate) next_seq: Seq,
    /// By position in the plan.
    pub(crate) lets: Vec<Option<Arc<LetState>>>,
    /// By position in the plan.
    pub(crate) steps: Vec<Arc<StepState>>,
    /// Steps that are not settled.
    pub(crate) open: BTreeSet<usize>,
    /// Lets that are not settled.
    pub(crate) open_lets: BTreeSet<usize>,
    /// Intended, without outcome.
    pub(crate) live: BTreeSet<Spot>,
    /// To be asked about.
    pub(crate) doubtful: BTreeSet<Spot>,
    /// Waiting for a person.
    pub(crate) unknown: BTreeSet<Spot>,
    /// Places about which something is still to be recorded.
    pub(crate) due: BTreeSet<Spot>,
    /// Retries, probes, waits and rounds by time.
    pub(crate) timers: BTreeSet<(Timestamp, Spot)>,
    /// What people were asked, by number from 1.
    pub(crate) inquiries: Vec<Arc<Asked>>,
    /// The last inquiry of each step that had one.
    pub(crate) asked: BTreeMap<usize, u32>,
    /// Steps that a person has done again: whatever was said before counts no more.
    pub(crate) ask_again: BTreeSet<usize>,
    /// The names of the actors who had it try again.
    pub(crate) retried_by: BTreeSet<String>,
    /// Inquiries that wait for replies, by the end of their time.
    pub(crate) open_inquiries: BTreeSet<(Timestamp, u32)>,
    /// Mails to people who are asked, of which nothing is known yet.
    pub(crate) letters: BTreeSet<(u32, String)>,
    pub(crate) stopper: Option<Stopper>,
    pub(crate) failing: Option<Failing>,
    pub(crate) cancel: Option<(Actor, String)>,
    /// What is taken back.
    pub(crate) undo: Undo,
    /// Effects that succeeded, oldest first.
    pub(crate) effects: Vec<Spot>,
    pub(crate) closed: Option<Closed>,
    /// It was its turn.
    pub(crate) admitted: bool,
    /// When its time is over; a retry moves it.
    pub(crate) deadline: Timestamp,
    /// A person has answered its failure: acknowledged it, or settled everything that failed.
    pub(crate) answered: bool,
    /// How often a person had a place done again, by place; the whole step under its own.
    pub(crate) generations: BTreeMap<Spot, u32>,
    pub(crate) handled_failures: u32,
    /// Effects above `record` intended so far; retries are not counted again.
    pub(crate) effects_intended: u32,
    /// Effects above `record` that succeeded.
    pub(crate) effects_done: u32,
}

impl Run {
    /// Event 0.
    pub fn started(&self) -> &Arc<Started> {
        &self.started
    }

    /// Whether it has not begun because it is not its turn. A run that was cancelled waits no more.
    pub fn is_queued(&self) -> bool {
        self.started.turn.is_some() && !self.admitted && self.cancel.is_none() && self.closed.is_none()
    }

    /// The names of the actors who had it try again what had failed.
    pub const fn retried_by(&self) -> &BTreeSet<String> {
        &self.retried_by
    }

    /// When event 0 was.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// The sequence number the next event must have.
    pub fn next_seq(&self) -> Seq {
        self.next_seq
    }

    /// How the run stands.
    pub fn status(&self) -> RunStatus {
        if let Some(closed) = &self.closed {
            closed.status
        } else if self.is_queued() {
            RunStatus::Queued
        } else if self.failing.is_some() && !self.undo_is_requested() && !self.only_undo_is_left() {
            RunStatus::Failing
        } else if !self.live.is_empty() || !self.due.is_empty() || self.asks_now() {
            RunStatus::Running
        } else if !self.timers.is_empty() || !self.open_inquiries.is_empty() {
            RunStatus::Waiting
        } else if self.unknown.is_empty() && !self.undo_has_failed() {
            RunStatus::Running
        } else {
            RunStatus::Stuck
        }
    }

    /// The attempt of a path that has no outcome yet, if there is one.
    pub fn live(&self, plan: &Plan, path: &Path) -> Option<&Arc<Intended>> {
        let spot = Spot::of(plan, path)?;
        match self.place(spot)? {
            Place::Live(intended) => Some(intended),
            _ => None,
        }
    }

    /// The attempts without an outcome, those in doubt included.
    pub fn under_way(&self) -> impl Iterator<Item = &Intended> {
        let spots = self.live.iter().chain(&self.doubtful);
        spots.filter_map(|spot| match self.place(*spot)? {
            Place::Live(intended) => Some(&**intended),
            Place::Doubtful(doubt) => Some(&*doubt.last),
            _ => None,
        })
    }

    /// The attempts that a host had in hand, when the host is gone: what [`Command::Recover`] finds
    /// lost.
    ///
    /// [`Command::Recover`]: crate::Command::Recover
    pub fn in_hand(&self) -> impl Iterator<Item = &Intended> {
        self.live.iter().filter_map(|spot| match self.place(*spot)? {
            Place::Live(intended) => Some(&**intended),
            _ => None,
        })
    }

    /// The last attempt intended at a path, whatever became of it.
    pub fn last_intended(&self, plan: &Plan, path: &Path) -> Option<&Arc<Intended>> {
        self.place(Spot::of(plan, path)?)?.last()
    }

    /// The attempt at a path of which nobody can tell what became, if that is so.
    pub fn in_doubt(&self, plan: &Plan, path: &Path) -> Option<&Arc<Intended>> {
        match self.place(Spot::of(plan, path)?)? {
            Place::Unknown { last, .. } => Some(last),
            _ => None,
        }
    }

    /// When the first attempt of a path's step was intended. What was sent for the path was sent
    /// no earlier.
    pub fn begun_at(&self, plan: &Plan, path: &Path) -> Option<Timestamp> {
        self.steps.get(Spot::of(plan, path)?.step)?.started_at
    }

    pub(crate) fn place(&self, spot: Spot) -> Option<&Place> {
        if spot.undo {
            return self.undo.places.get(&spot);
        }
        self.steps.get(spot.step)?.place(spot.item)
    }

    /// Whether nothing goes on any more, and what could not be taken back waits for a person.
    fn only_undo_is_left(&self) -> bool {
        let at_work = !self.live.is_empty() || !self.due.is_empty() || self.asks_now();
        let waits = !self.timers.is_empty() || !self.open_inquiries.is_empty();
        self.undo_has_failed() && !at_work && !waits
    }

    /// Whether some doubtful attempt can be asked about at once.
    fn asks_now(&self) -> bool {
        self.doubtful
            .iter()
            .any(|spot| matches!(self.place(*spot), Some(Place::Doubtful(doubt)) if doubt.due == Due::Now))
    }

    /// Why nothing new may start in a section, if that is so.
    pub(crate) fn stopping(&self, section: Section) -> Option<SkipCause> {
        let cancelled = self.cancel.is_some().then_some(SkipCause::RunCancelled);
        match section {
            Section::Steps => cancelled.or(self.failing.is_some().then_some(SkipCause::RunFailing)),
            Section::OnFailure => cancelled,
            Section::Finally => None,
        }
    }

    /// Whether a section has nothing left to do. Once the run is failing or cancelled, an unknown
    /// outcome does not hold the next section up.
    pub(crate) fn section_is_over(&self, plan: &Plan, section: Section) -> bool {
        let winding_down = self.failing.is_some() || self.cancel.is_some();
        self.open.iter().all(|index| {
            plan.steps
                .get_index(*index)
                .is_none_or(|(_, step)| step.section != section)
                || (winding_down
                    && self
                        .steps
                        .get(*index)
                        .is_some_and(|state| state.waits_for_person_only()))
        })
    }

    /// The section whose steps may start now.
    pub(crate) fn current_section(&self, plan: &Plan) -> Section {
        if !self.section_is_over(plan, Section::Steps) {
            Section::Steps
        } else if self.failing.as_ref().is_some_and(|failing| !failing.late)
            && !self.section_is_over(plan, Section::OnFailure)
        {
            Section::OnFailure
        } else {
            Section::Finally
        }
    }
}
