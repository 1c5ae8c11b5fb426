//! The folded state of one run.
//!
//! Owns what every event means and the invariants between events. Never decides what comes next.

use std::sync::Arc;

use jiff::Timestamp;
use playbooks::plan::Plan;
use state::event::{Event, Recorded, RunStatus, Seq, Started};

/// Why a sequence of events is not the history of a run of this plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} does not fit: {reason}")]
pub struct Corrupt {
    /// Its position.
    pub seq: Seq,
    /// What does not fit.
    pub reason: String,
}

/// The state of one run: a fold of its events, nothing else.
#[derive(Debug, Clone)]
pub struct Run {
    started: Arc<Started>,
    started_at: Timestamp,
    next_seq: Seq,
}

impl Run {
    /// Folds a history, oldest event first.
    pub fn fold(plan: &Plan, events: &[Recorded]) -> Result<Self, Corrupt> {
        let (first, rest) = events.split_first().ok_or_else(|| Corrupt {
            seq: 0,
            reason: "there are no events".to_owned(),
        })?;
        let Event::Started(started) = &first.event else {
            return Err(Corrupt {
                seq: 0,
                reason: "the first event is not `started`".to_owned(),
            });
        };
        let mut run = Self {
            started: Arc::new(started.clone()),
            started_at: first.at,
            next_seq: 1,
        };
        for recorded in rest {
            run.apply(plan, recorded)?;
        }
        Ok(run)
    }

    /// Takes in one more event.
    pub fn apply(&mut self, _plan: &Plan, recorded: &Recorded) -> Result<(), Corrupt> {
        self.next_seq = recorded.seq + 1;
        Ok(())
    }

    /// Event 0.
    pub fn started(&self) -> &Arc<Started> {
        &self.started
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
        RunStatus::Running
    }
}
