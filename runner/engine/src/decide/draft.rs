//! The run as it will be: a copy that takes in each event as it is decided.
//!
//! Owns the fixpoint. The copy shares with the run whatever does not change.

use std::sync::Arc;

use playbooks::plan::{Plan, Step};
use state::event::{Event, Recorded};
use state::ids::Path;

use crate::names::{Facts, RunNames};
use crate::run::{Corrupt, Run, Spot};
use crate::surroundings::Surroundings;

/// One decision in the making.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) plan: &'a Plan,
    pub(super) run: Run,
    pub(super) around: &'a Surroundings<'a>,
    /// Blocks intended by this decision: the counts of the surroundings do not have them yet.
    pub(super) blocks_intended: u64,
    facts: Arc<Facts>,
    events: Vec<Event>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(plan: &'a Plan, run: &Run, around: &'a Surroundings<'a>) -> Self {
        Self {
            plan,
            blocks_intended: 0,
            run: run.clone(),
            around,
            facts: Facts::of(around),
            events: Vec::new(),
        }
    }

    pub(super) fn into_events(self) -> Vec<Event> {
        self.events
    }

    /// Decides one event and takes it in. A failure that nothing handles makes the run fail at
    /// once, before anything else can start.
    pub(super) fn record(&mut self, event: Event) -> Result<(), Corrupt> {
        self.record_one(event)?;
        if self.run.closed.is_none()
            && self.run.failing.is_none()
            && self.run.cancel.is_none()
            && let Some(stopper) = &self.run.stopper
        {
            let error = stopper.error.clone();
            let step = self.plan.steps.get_index(stopper.step).map(|(id, _)| id.clone());
            self.record_one(Event::Failing { step, error })?;
        }
        Ok(())
    }

    fn record_one(&mut self, event: Event) -> Result<(), Corrupt> {
        let recorded = Recorded {
            seq: self.run.next_seq,
            at: self.around.now,
            event,
        };
        self.run.apply(self.plan, &recorded)?;
        self.events.push(recorded.event);
        Ok(())
    }

    /// Everything that follows without waiting.
    pub(super) fn follow(&mut self) -> Result<(), Corrupt> {
        if self.run.closed.is_some() || self.run.is_queued() {
            return Ok(());
        }
        loop {
            let before = self.events.len();
            self.settle_attempts()?;
            self.settle_inquiries()?;
            self.tell_people()?;
            self.end_of_time()?;
            self.settle_lets()?;
            self.advance_steps()?;
            self.watch_rounds()?;
            self.watch_for_undo()?;
            self.undo_next()?;
            if self.events.len() == before {
                break;
            }
        }
        self.close()
    }

    pub(super) fn names(&self, at: Option<Spot>) -> RunNames<'_> {
        RunNames::new(
            self.plan,
            &self.run,
            at.map(|spot| (spot.step, spot.item)),
            &self.facts,
        )
    }

    pub(super) fn step(&self, index: usize) -> Option<&'a Step> {
        self.plan.steps.get_index(index).map(|(_, step)| step)
    }

    pub(super) fn path(&self, spot: Spot) -> Option<Path> {
        let (id, _) = self.plan.steps.get_index(spot.step)?;
        Some(Path {
            step: id.as_str().into(),
            item: spot.item,
            undo: spot.undo,
        })
    }
}
