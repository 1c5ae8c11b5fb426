//! What waits and rounds mean.
//!
//! Owns that every round of an effect has a generation of its own, and so a key of its own.

use std::sync::Arc;

use jiff::Timestamp;
use playbooks::plan::Plan;
use serde_json::Value;
use state::ids::Path;

use super::Folded;
use super::places::step_of;
use crate::run::place::Final;
use crate::run::{Place, Rest, Run, Spot};

impl Run {
    pub(super) fn waits(&mut self, plan: &Plan, path: &Path, until: Timestamp, at: Timestamp) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        if !matches!(place, Place::Pending) || !step_of(plan, spot)?.action.waits() {
            return Err(format!("`{path}` cannot wait: {}", place.words()));
        }
        let state = self.state_mut(spot)?;
        state.attempts = state.attempts.saturating_add(1);
        state.started_at.get_or_insert(at);
        self.put(plan, spot, Place::Waits(until), at)
    }

    /// Takes in outputs: the end of a place, or of one round of it.
    pub(super) fn succeeded(&mut self, plan: &Plan, spot: Spot, output: &Value, at: Timestamp) -> Folded {
        let output = Arc::new(output.clone());
        if spot.undo || step_of(plan, spot)?.repeat.is_none() {
            return self.end(plan, spot, Final::Succeeded(output), at);
        }
        let rest = Rest {
            last: self.place(spot).and_then(Place::last).cloned(),
            output: Some(output),
            due: None,
        };
        self.put(plan, spot, Place::Rested(rest), at)
    }

    pub(super) fn round_scheduled(
        &mut self,
        plan: &Plan,
        path: &Path,
        round: u32,
        due: Timestamp,
        at: Timestamp,
    ) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let rest = match place {
            Place::Pending if step_of(plan, spot)?.repeat.is_some() => Rest {
                last: None,
                output: None,
                due: Some(due),
            },
            Place::Rested(rest) if rest.due.is_none() => Rest {
                due: Some(due),
                ..rest.clone()
            },
            other => return Err(format!("`{path}` has no next round: {}", other.words())),
        };
        let state = self.state_mut(spot)?;
        if round != state.rounds + 1 {
            return Err(format!("round {round} of `{path}` is not the next one"));
        }
        state.started_at.get_or_insert(at);
        if round > 1 {
            *self.generations.entry(spot).or_default() += 1;
        }
        self.put(plan, spot, Place::Rested(rest), at)
    }

    pub(super) fn rounds_ended(
        &mut self,
        plan: &Plan,
        path: &Path,
        (rounds, done): (u32, bool),
        at: Timestamp,
    ) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let (last, output) = match place {
            Place::Pending if rounds == 0 => (None, None),
            Place::Rested(rest) => (rest.last.clone(), rest.output.clone()),
            other => return Err(format!("`{path}` has no rounds: {}", other.words())),
        };
        if self.state(spot)?.rounds != rounds {
            return Err(format!("`{path}` did not have {rounds} rounds"));
        }
        let mut output = output
            .as_deref()
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        output.insert("done".to_owned(), Value::Bool(done));
        let result = Final::Succeeded(Arc::new(Value::Object(output)));
        self.put(plan, spot, Place::Done { last, result }, at)
    }
}
