//! Putting a place where it now stands.
//!
//! Owns that every index of [`Run`] agrees with its places.

use std::sync::Arc;

use jiff::Timestamp;
use playbooks::marking::EffectClass;
use playbooks::plan::{OnFailure, Plan, Step};
use state::ids::Path;

use super::Folded;
use crate::run::place::Final;
use crate::run::{Due, Place, Rest, Run, Spot, StepState, Stopper, Work};
use crate::words;

impl Run {
    pub(super) fn find(&self, plan: &Plan, path: &Path) -> Result<(Spot, &Place), String> {
        let spot = Spot::of(plan, path).ok_or_else(|| format!("there is no `{path}`"))?;
        let place = self.place(spot).ok_or_else(|| format!("there is no `{path}`"))?;
        if let (false, Place::Pending, Some(item), Work::Each(each)) =
            (spot.undo, place, spot.item, &self.state(spot)?.work)
            && !each.may_take_up(item)
        {
            return Err(format!("`{path}` is out of turn"));
        }
        Ok((spot, place))
    }

    pub(super) fn state(&self, spot: Spot) -> Result<&StepState, String> {
        self.steps
            .get(spot.step)
            .map(|state| &**state)
            .ok_or_else(|| "there is no such step".to_owned())
    }

    pub(super) fn state_mut(&mut self, spot: Spot) -> Result<&mut StepState, String> {
        self.steps
            .get_mut(spot.step)
            .map(Arc::make_mut)
            .ok_or_else(|| "there is no such step".to_owned())
    }

    pub(super) fn end(&mut self, plan: &Plan, spot: Spot, result: Final, at: Timestamp) -> Folded {
        let last = self.place(spot).and_then(Place::last).cloned();
        self.put(plan, spot, Place::Done { last, result }, at)
    }

    /// Replaces a place, keeps every index true, and settles the step if that was its last one.
    pub(super) fn put(&mut self, plan: &Plan, spot: Spot, new: Place, at: Timestamp) -> Folded {
        self.live.remove(&spot);
        self.doubtful.remove(&spot);
        self.unknown.remove(&spot);
        self.due.remove(&spot);
        if let Some(time) = self.place(spot).and_then(Place::timer) {
            self.timers.remove(&(time, spot));
        }
        self.timers.extend(new.timer().map(|time| (time, spot)));
        match &new {
            Place::Live(_) => {
                self.live.insert(spot);
            }
            Place::Doubtful(doubt) => {
                self.doubtful.insert(spot);
                if doubt.due == Due::Unscheduled {
                    self.due.insert(spot);
                }
            }
            Place::Retry { due: None, .. }
            | Place::Rested(Rest { due: None, .. })
            | Place::Again { .. }
            | Place::Unknowable { .. } => {
                self.due.insert(spot);
            }
            Place::Unknown { .. } => {
                self.unknown.insert(spot);
            }
            Place::Done { .. } if spot.undo => {}
            Place::Done { result, last } => {
                let effect = last.as_ref().is_some_and(|last| last.effect > EffectClass::Read);
                if effect && matches!(result, Final::Succeeded(_)) {
                    self.effects.push(spot);
                }
                self.ended(step_of(plan, spot)?, spot, result);
            }
            Place::Pending | Place::Waits(_) | Place::Retry { .. } | Place::Rested(_) => {}
        }
        if spot.undo {
            self.undo.places.insert(spot, new);
            return Ok(());
        }
        let state = self.state_mut(spot)?;
        match (&mut state.work, spot.item) {
            (Work::One(place), None) => *place = new,
            (Work::Each(each), Some(item)) => {
                let item = usize::try_from(item).unwrap_or(usize::MAX);
                each.put(item, new)
                    .ok_or_else(|| "there is no such item".to_owned())?;
            }
            _ => return Err("there is no such item".to_owned()),
        }
        self.after(plan, spot, at)
    }

    /// Notes what the end of a place means for the run.
    pub(super) fn ended(&mut self, step: &Step, spot: Spot, result: &Final) {
        let (error, refused, handled) = match result {
            Final::Succeeded(_) | Final::Skipped(_) => return,
            Final::Failed(error) => (error, false, step.on_failure == OnFailure::Continue),
            Final::Refused(detail) => (detail, true, step.if_refused_continue),
        };
        if !handled {
            let error = match spot.item {
                Some(item) => format!("item {item}: {error}"),
                None => error.clone(),
            };
            self.stopper.get_or_insert(Stopper {
                step: spot.step,
                error: words::carried(&error),
                refused,
            });
        } else if !refused {
            self.handled_failures = self.handled_failures.saturating_add(1);
        }
    }

    pub(super) fn after(&mut self, plan: &Plan, spot: Spot, at: Timestamp) -> Folded {
        let step = step_of(plan, spot)?;
        let state = self.state_mut(spot)?;
        state.settle(step, at);
        if state.settled.is_some() {
            self.open.remove(&spot.step);
        }
        Ok(())
    }
}

pub(super) fn step_of(plan: &Plan, spot: Spot) -> Result<&Step, String> {
    plan.steps
        .get_index(spot.step)
        .map(|(_, step)| step)
        .ok_or_else(|| "there is no such step".to_owned())
}
