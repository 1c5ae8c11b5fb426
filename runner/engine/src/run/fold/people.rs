//! What the decisions of people about a run mean.
//!
//! Owns that a settled place stays settled, and what a retry takes back. Which places those are is
//! decided elsewhere and recorded.

use std::sync::Arc;

use jiff::Timestamp;
use playbooks::marking::EffectClass;
use playbooks::plan::{OnFailure, Plan};
use state::access::Actor;
use state::event::Settlement;
use state::ids::Path;

use super::Folded;
use super::places::step_of;
use crate::run::place::Final;
use crate::run::{Failure, Place, Run, Spot, StepState, StepStatus, Work};

impl Run {
    pub(super) fn settled(
        &mut self,
        plan: &Plan,
        path: &Path,
        attempt: u32,
        answer: &Settlement,
        at: Timestamp,
    ) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        if place.attempt() != attempt || !may_be_settled(place, answer) {
            return Err(format!(
                "attempt {attempt} of `{path}` cannot be settled: {}",
                place.words()
            ));
        }
        let last = place.last().cloned();
        let new = match (answer, place) {
            (Settlement::Done { output } | Settlement::ByHand { output }, _) => {
                let step = step_of(plan, spot)?;
                let effect = last.as_ref().map_or(step.action.effect, |last| last.effect);
                self.effects_done += u32::from(effect > EffectClass::Record && !spot.undo);
                // A round of a repetition that was in doubt: the next one may come.
                if matches!(answer, Settlement::Done { .. }) && self.closed.is_none() {
                    self.succeeded(plan, spot, output, at)?;
                    self.answered |= self.nothing_is_left_open();
                    return Ok(());
                }
                Place::Done {
                    last,
                    result: Final::Succeeded(Arc::new(output.clone())),
                }
            }
            (Settlement::NotDone, Place::Unknown { last, failure, .. }) => {
                self.after_not_done(plan, spot, Arc::clone(last), failure.clone())?
            }
            (Settlement::NotDone, _) => return Err(format!("`{path}` cannot be settled as not done")),
        };
        self.put(plan, spot, new, at)?;
        self.answered |= self.nothing_is_left_open();
        Ok(())
    }

    /// In a run that goes on, what the policy of the step says; one that is over tries nothing.
    fn after_not_done(
        &self,
        plan: &Plan,
        spot: Spot,
        last: Arc<state::event::Intended>,
        failure: Option<Failure>,
    ) -> Result<Place, String> {
        let over = self.closed.is_some();
        Ok(match failure {
            Some(failure) if !over => {
                let certain = Failure {
                    not_sent: true,
                    ..failure
                };
                self.retry_or_end(step_of(plan, spot)?, last, certain)
            }
            None if !over => Place::Again {
                last,
                doubtful: false,
            },
            failure => Place::Done {
                last: Some(last),
                result: Final::Failed(failure.map_or_else(
                    || "the attempt was lost, and it had not happened".to_owned(),
                    |failure| failure.detail,
                )),
            },
        })
    }

    /// Whether every failure and doubt of the run has been settled.
    fn nothing_is_left_open(&self) -> bool {
        self.unknown.is_empty()
            && !self.undo_has_failed()
            && self.steps.iter().all(|step| step.status() != StepStatus::Failed)
    }

    pub(super) fn acknowledged(&mut self) -> Folded {
        if self.needs_attention() {
            self.answered = true;
        } else if self.undo_has_failed() {
            self.undo.accepted = true;
        } else {
            return Err("there is no failure that waits for somebody to take note of it".to_owned());
        }
        Ok(())
    }

    pub(super) fn retried(
        &mut self,
        plan: &Plan,
        places: &[Path],
        deadline: Timestamp,
        actor: &Actor,
    ) -> Folded {
        if self.closed.is_none() {
            return Err("the run is not over".to_owned());
        }
        for path in places {
            let spot = Spot::of(plan, path).ok_or_else(|| format!("there is no `{path}`"))?;
            if spot.undo {
                return Err(format!("`{path}` cannot be retried"));
            }
            self.handled_failures = self
                .handled_failures
                .saturating_sub(self.failures_handled_at(plan, spot)?);
            self.reset(spot)
                .ok_or_else(|| format!("`{path}` cannot be done again"))?;
            self.asked.remove(&spot.step);
            self.ask_again.insert(spot.step);
        }
        for index in self.lets_to_settle_again(plan) {
            if let Some(slot) = self.lets.get_mut(index) {
                *slot = None;
            }
            self.open_lets.insert(index);
        }
        self.closed = None;
        self.undo.was = None;
        self.failing = None;
        self.stopper = None;
        self.cancel = None;
        self.answered = false;
        self.deadline = deadline;
        self.retried_by.insert(actor.name.clone());
        Ok(())
    }

    /// Failures of a place that `on_failure: continue` handled.
    fn failures_handled_at(&self, plan: &Plan, spot: Spot) -> Result<u32, String> {
        if step_of(plan, spot)?.on_failure != OnFailure::Continue {
            return Ok(0);
        }
        let failed = match (&self.state(spot)?.work, spot.item) {
            (Work::Each(each), None) if !each.keeps_items() => each.failed,
            _ => usize::from(matches!(
                self.place(spot),
                Some(Place::Done {
                    result: Final::Failed(_),
                    ..
                })
            )),
        };
        Ok(u32::try_from(failed).unwrap_or(u32::MAX))
    }

    /// Makes a place as if nothing had happened to it. Of a list of which some items stay as they
    /// are, the path of the step means the items that were not taken up.
    fn reset(&mut self, spot: Spot) -> Option<()> {
        let state = Arc::make_mut(self.steps.get_mut(spot.step)?);
        match (&mut state.work, spot.item) {
            (Work::Each(each), Some(item)) => each.reset(usize::try_from(item).ok()?)?,
            (Work::Each(each), None) if each.keeps_items() => each.resume(),
            (_, None) => {
                *state = StepState {
                    attempts: state.attempts,
                    ..StepState::pending()
                };
            }
            (Work::One(_), Some(_)) => return None,
        }
        state.settled = None;
        self.open.insert(spot.step);
        *self.generations.entry(spot).or_default() += 1;
        Some(())
    }

    /// How often people had this place done again.
    pub(crate) fn generation(&self, spot: Spot) -> u32 {
        let of = |spot: Spot| self.generations.get(&spot).copied().unwrap_or(0);
        let whole = Spot { item: None, ..spot };
        if spot.item.is_some() {
            of(spot) + of(whole)
        } else {
            of(whole)
        }
    }
}

/// Whether a person may say this of a place: of one in doubt anything, of a failed one that they
/// did it by hand.
pub(crate) fn may_be_settled(place: &Place, answer: &Settlement) -> bool {
    match place {
        Place::Unknown { .. } => true,
        Place::Done {
            result: Final::Failed(_),
            ..
        } => matches!(answer, Settlement::ByHand { .. }),
        _ => false,
    }
}
