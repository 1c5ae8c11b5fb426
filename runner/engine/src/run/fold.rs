//! What every event means.
//!
//! Owns the only writes to [`Run`], and the invariants: positions without gaps, nothing after
//! `closed`, one live attempt a place, ends that are final. An event that breaks one is refused
//! and leaves the run as it was; it never panics.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use playbooks::action_spec::Recovery;
use playbooks::marking::EffectClass;
use playbooks::plan::{OnFailure, Plan, Section, Step};
use serde_json::{Map, Value};
use state::event::{Event, Intended, Outcome, ProbeAnswer, Recorded, SkipCause, Started};
use state::ids::Path;

use super::place::Final;
use super::step::Each;
use super::{
    Closed, Corrupt, Doubt, Due, Failing, Failure, LetState, Place, Run, Spot, StepState, Stopper, Work,
};
use crate::backoff;
use crate::words;

/// Probes that may fail to tell before the outcome is called unknown.
pub const PROBES_MAX: u32 = 4;

type Folded = Result<(), String>;

impl Run {
    /// Folds a history, oldest event first.
    pub fn fold(plan: &Plan, events: &[Recorded]) -> Result<Self, Corrupt> {
        let corrupt = |reason: String| Corrupt { seq: 0, reason };
        let (first, rest) = events
            .split_first()
            .ok_or_else(|| corrupt("there are no events".to_owned()))?;
        let Event::Started(started) = &first.event else {
            return Err(corrupt("the first event is not `started`".to_owned()));
        };
        if first.seq != 0 {
            return Err(corrupt(format!("the first event has position {}", first.seq)));
        }
        if started.playbook.revision != plan.revision {
            return Err(corrupt(format!(
                "the run belongs to revision {} of `{}`, not to {}",
                started.playbook.revision, started.playbook.id, plan.revision
            )));
        }
        let mut run = Self::begin(plan, started, first.at);
        for recorded in rest {
            run.apply(plan, recorded)?;
        }
        Ok(run)
    }

    fn begin(plan: &Plan, started: &Started, at: Timestamp) -> Self {
        let inputs: Map<String, Value> = started.inputs.clone().into_iter().collect();
        Self {
            started: Arc::new(started.clone()),
            started_at: at,
            inputs: Arc::new(Value::Object(inputs)),
            next_seq: 1,
            lets: vec![None; plan.lets.len()],
            steps: vec![Arc::new(StepState::pending()); plan.steps.len()],
            open: (0..plan.steps.len()).collect(),
            open_lets: (0..plan.lets.len()).collect(),
            live: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            unknown: BTreeSet::new(),
            due: BTreeSet::new(),
            timers: BTreeSet::new(),
            stopper: None,
            failing: None,
            cancel: None,
            closed: None,
            handled_failures: 0,
            effects_intended: 0,
            effects_done: 0,
        }
    }

    /// Takes in one more event. On an error the run is as it was.
    pub fn apply(&mut self, plan: &Plan, recorded: &Recorded) -> Result<(), Corrupt> {
        let folded = if recorded.seq != self.next_seq {
            Err(format!("position {} was due", self.next_seq))
        } else if self.closed.is_some() {
            Err("the run is closed".to_owned())
        } else {
            self.take(plan, &recorded.event, recorded.at)
        };
        folded.map_err(|reason| Corrupt {
            seq: recorded.seq,
            reason,
        })?;
        self.next_seq += 1;
        Ok(())
    }

    fn take(&mut self, plan: &Plan, event: &Event, at: Timestamp) -> Folded {
        match event {
            Event::Started(_) => Err("a run starts once".to_owned()),
            Event::LetSettled { name, value, absent } => {
                self.let_settled(plan, name, value.as_ref(), absent.as_deref())
            }
            Event::Expanded { step, items } => self.expanded(plan, step, items, at),
            Event::Skipped { path, cause } => self.skipped(plan, path, cause, at),
            Event::Refused { path, cause, detail } => {
                let (spot, place) = self.find(plan, path)?;
                if !matches!(place, Place::Pending | Place::Retry { .. } | Place::Again { .. }) {
                    return Err(format!("`{path}` cannot be refused: {}", place.words()));
                }
                let step = step_of(plan, spot)?;
                let result = if step.action.effect == EffectClass::Read {
                    Final::Failed(detail.clone())
                } else {
                    Final::Refused {
                        cause: *cause,
                        detail: detail.clone(),
                    }
                };
                self.end(plan, spot, result, at)
            }
            Event::Intended(intended) => self.intended(plan, intended, at),
            Event::Finished {
                path,
                attempt,
                outcome,
                ..
            } => self.finished(plan, path, *attempt, outcome, at),
            Event::Lost { path, attempt } => self.lost(plan, path, *attempt, at),
            Event::Probed {
                path,
                attempt,
                answer,
            } => self.probed(plan, path, *attempt, answer, at),
            Event::OutcomeUnknown {
                path,
                attempt,
                detail,
            } => {
                let (spot, place) = self.find(plan, path)?;
                let open = matches!(
                    place,
                    Place::Unknowable { .. } | Place::Again { .. } | Place::Retry { .. } | Place::Doubtful(_)
                );
                match place.last() {
                    Some(last) if open && last.attempt == *attempt => {
                        let last = Arc::clone(last);
                        let detail = detail.clone();
                        self.put(plan, spot, Place::Unknown { last, detail }, at)
                    }
                    _ => Err(format!(
                        "the outcome of attempt {attempt} of `{path}` is not open: {}",
                        place.words()
                    )),
                }
            }
            Event::RetryScheduled {
                path,
                attempt,
                at: due,
            } => self.retry_scheduled(plan, path, *attempt, *due, at),
            Event::Failing { step, error } => self.fails(plan, step.as_deref(), error),
            Event::CancelRequested { actor, reason } => {
                if self.cancel.is_some() {
                    return Err("the run was cancelled before".to_owned());
                }
                self.cancel = Some((actor.clone(), reason.clone()));
                Ok(())
            }
            Event::Closed { status, summary, .. } => {
                let unfinished = !self.live.is_empty()
                    || !self.section_is_over(plan, Section::Steps)
                    || !self.section_is_over(plan, Section::Finally);
                if unfinished || !status.is_over() {
                    return Err("the run is not over yet".to_owned());
                }
                self.closed = Some(Closed {
                    status: *status,
                    summary: summary.clone(),
                });
                Ok(())
            }
        }
    }

    fn let_settled(
        &mut self,
        plan: &Plan,
        name: &str,
        value: Option<&Value>,
        absent: Option<&str>,
    ) -> Folded {
        let index = plan
            .lets
            .get_index_of(name)
            .ok_or_else(|| format!("there is no let `{name}`"))?;
        match self.lets.get_mut(index) {
            Some(slot) if slot.is_none() => {
                *slot = Some(Arc::new(match value {
                    Some(value) => LetState::Value(value.clone()),
                    None => LetState::Absent(absent.unwrap_or("it has no value").to_owned()),
                }));
                self.open_lets.remove(&index);
                Ok(())
            }
            _ => Err(format!("`{name}` is settled already")),
        }
    }

    fn expanded(&mut self, plan: &Plan, id: &str, items: &[Value], at: Timestamp) -> Folded {
        let index = plan
            .steps
            .get_index_of(id)
            .ok_or_else(|| format!("there is no step `{id}`"))?;
        let spot = Spot {
            step: index,
            item: None,
        };
        let step = step_of(plan, spot)?;
        let state = self.state_mut(spot)?;
        if !state.is_pending() || step.for_each.is_none() {
            return Err(format!("`{id}` cannot be expanded"));
        }
        state.work = Work::Each(Each::new(items.to_vec()));
        state.started_at = Some(at);
        self.after(plan, spot, at)
    }

    fn skipped(&mut self, plan: &Plan, path: &Path, cause: &SkipCause, at: Timestamp) -> Folded {
        let spot = self
            .spot(plan, path)
            .ok_or_else(|| format!("there is no `{path}`"))?;
        if let (None, Work::Each(each)) = (path.item, &self.state(spot)?.work) {
            if each.cut.is_some() {
                return Err(format!("the rest of `{path}` was left out before"));
            }
            if let Work::Each(each) = &mut self.state_mut(spot)?.work {
                each.cut(cause.clone());
            }
            return self.after(plan, spot, at);
        }
        let (spot, place) = self.find(plan, path)?;
        let result = match place {
            Place::Pending => Final::Skipped(cause.clone()),
            Place::Retry { failure, .. } => Final::Failed(failure.detail.clone()),
            Place::Again { .. } => {
                Final::Failed("the attempt was lost in a restart and not repeated".to_owned())
            }
            other => return Err(format!("`{path}` cannot be skipped: {}", other.words())),
        };
        self.end(plan, spot, result, at)
    }

    fn intended(&mut self, plan: &Plan, intended: &Intended, at: Timestamp) -> Folded {
        let path = &intended.path;
        let (spot, place) = self.find(plan, path)?;
        if !matches!(place, Place::Pending | Place::Retry { .. } | Place::Again { .. }) {
            return Err(format!("`{path}` cannot be intended: {}", place.words()));
        }
        if place.last().is_some_and(|last| last.key != intended.key) {
            return Err(format!(
                "attempt {} of `{path}` has another key",
                intended.attempt
            ));
        }
        if intended.attempt != place.attempt() + 1 {
            return Err(format!(
                "attempt {} of `{path}` cannot follow attempt {}",
                intended.attempt,
                place.attempt()
            ));
        }
        if intended.attempt == 1 && intended.effect > EffectClass::Record {
            self.effects_intended += 1;
        }
        let state = self.state_mut(spot)?;
        state.attempts = state.attempts.saturating_add(1);
        state.started_at.get_or_insert(at);
        self.put(plan, spot, Place::Live(Arc::new(intended.clone())), at)
    }

    fn finished(
        &mut self,
        plan: &Plan,
        path: &Path,
        attempt: u32,
        outcome: &Outcome,
        at: Timestamp,
    ) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let last = match place {
            Place::Live(last) | Place::Again { last, .. } if last.attempt == attempt => Arc::clone(last),
            // Attempt 0: it failed before anything could be intended.
            Place::Pending if attempt == 0 => {
                let Outcome::Failed { detail, .. } = outcome else {
                    return Err(format!("`{path}` cannot succeed without an intent"));
                };
                return self.end(plan, spot, Final::Failed(detail.clone()), at);
            }
            other => {
                return Err(format!(
                    "attempt {attempt} of `{path}` is not awaited: {}",
                    other.words()
                ));
            }
        };
        let given_up = matches!(place, Place::Again { .. });
        match outcome {
            Outcome::Succeeded { output, .. } => {
                if last.effect > EffectClass::Record {
                    self.effects_done += 1;
                }
                self.end(plan, spot, Final::Succeeded(Arc::new(output.clone())), at)
            }
            Outcome::Simulated { output } => {
                self.end(plan, spot, Final::Succeeded(Arc::new(output.clone())), at)
            }
            Outcome::Failed {
                kind,
                detail,
                not_sent,
                retry_after,
            } => {
                let failure = Failure {
                    kind: *kind,
                    detail: detail.clone(),
                    not_sent: *not_sent,
                    retry_after: *retry_after,
                };
                if given_up {
                    return self.end(plan, spot, Final::Failed(failure.detail), at);
                }
                let place = self.after_failure(step_of(plan, spot)?, last, failure, at);
                self.put(plan, spot, place, at)
            }
        }
    }

    /// What a failed attempt leads to. A pure function of what is recorded, so that no reader of
    /// the history can see it otherwise.
    fn after_failure(&self, step: &Step, last: Arc<Intended>, failure: Failure, at: Timestamp) -> Place {
        let doubtful = !failure.not_sent && last.effect > EffectClass::Read;
        match last.recovery {
            Recovery::Probed if doubtful => {
                return Place::Doubtful(Doubt {
                    last,
                    since: at,
                    failure: Some(failure),
                    probes: 0,
                    due: Due::Now,
                });
            }
            Recovery::Once if doubtful => {
                let detail = format!("{}; it can neither be asked for nor repeated", failure.detail);
                return Place::Unknowable { last, detail };
            }
            _ => {}
        }
        self.retry_or_end(step, last, failure)
    }

    fn retry_or_end(&self, step: &Step, last: Arc<Intended>, failure: Failure) -> Place {
        let again = last.attempt < step.retry.attempts
            && step.retry.errors.contains(&failure.kind)
            && backoff::waits_that_long(failure.retry_after)
            && self.stopping(step.section).is_none();
        if again {
            Place::Retry {
                last,
                failure,
                due: None,
            }
        } else {
            Place::Done {
                last: Some(last),
                result: Final::Failed(failure.detail),
            }
        }
    }

    fn lost(&mut self, plan: &Plan, path: &Path, attempt: u32, at: Timestamp) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let last = match place {
            Place::Live(last) if last.attempt == attempt => Arc::clone(last),
            other => {
                return Err(format!(
                    "attempt {attempt} of `{path}` cannot be lost: {}",
                    other.words()
                ));
            }
        };
        let effect = last.effect > EffectClass::Read;
        let place = match last.recovery {
            Recovery::Probed if effect => Place::Doubtful(Doubt {
                last,
                since: at,
                failure: None,
                probes: 0,
                due: Due::Now,
            }),
            Recovery::Once if effect => Place::Unknowable {
                last,
                detail: "Sortie stopped while it was in work, and it can neither be asked for nor repeated"
                    .to_owned(),
            },
            _ => Place::Again {
                last,
                doubtful: effect,
            },
        };
        self.put(plan, spot, place, at)
    }

    fn probed(
        &mut self,
        plan: &Plan,
        path: &Path,
        attempt: u32,
        answer: &ProbeAnswer,
        at: Timestamp,
    ) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let doubt = match place {
            Place::Doubtful(doubt) if doubt.last.attempt == attempt => doubt.clone(),
            other => {
                return Err(format!(
                    "attempt {attempt} of `{path}` is not asked for: {}",
                    other.words()
                ));
            }
        };
        let place = match answer {
            ProbeAnswer::Done { output } => {
                if doubt.last.effect > EffectClass::Record {
                    self.effects_done += 1;
                }
                return self.end(plan, spot, Final::Succeeded(Arc::new(output.clone())), at);
            }
            ProbeAnswer::NotDone => match doubt.failure {
                Some(failure) => self.retry_or_end(step_of(plan, spot)?, doubt.last, failure),
                None => Place::Again {
                    last: doubt.last,
                    doubtful: false,
                },
            },
            ProbeAnswer::CannotTell { .. } if doubt.probes + 1 < PROBES_MAX => Place::Doubtful(Doubt {
                probes: doubt.probes + 1,
                due: Due::Unscheduled,
                ..doubt
            }),
            ProbeAnswer::CannotTell { detail } => Place::Unknowable {
                last: doubt.last,
                detail: format!("asked {PROBES_MAX} times, the last answer: {detail}"),
            },
        };
        self.put(plan, spot, place, at)
    }

    fn retry_scheduled(
        &mut self,
        plan: &Plan,
        path: &Path,
        attempt: u32,
        due: Timestamp,
        at: Timestamp,
    ) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let place = match place {
            Place::Retry {
                last,
                failure,
                due: None,
            } if last.attempt + 1 == attempt => Place::Retry {
                last: Arc::clone(last),
                failure: failure.clone(),
                due: Some(due),
            },
            Place::Doubtful(doubt) if doubt.last.attempt == attempt && doubt.due == Due::Unscheduled => {
                Place::Doubtful(Doubt {
                    due: Due::At(due),
                    ..doubt.clone()
                })
            }
            other => return Err(format!("`{path}` cannot be scheduled: {}", other.words())),
        };
        self.put(plan, spot, place, at)
    }

    fn fails(&mut self, plan: &Plan, step: Option<&str>, error: &str) -> Folded {
        if self.failing.is_some() {
            return Err("the run is failing already".to_owned());
        }
        let index = match step {
            None => None,
            Some(id) => Some(
                plan.steps
                    .get_index_of(id)
                    .ok_or_else(|| format!("there is no step `{id}`"))?,
            ),
        };
        let late = index
            .and_then(|index| plan.steps.get_index(index))
            .is_some_and(|(_, step)| step.section == Section::Finally);
        let refused = self
            .stopper
            .as_ref()
            .is_some_and(|stopper| stopper.refused && Some(stopper.step) == index);
        self.failing = Some(Failing {
            step: index,
            error: error.to_owned(),
            refused,
            late,
        });
        Ok(())
    }

    fn find(&self, plan: &Plan, path: &Path) -> Result<(Spot, &Place), String> {
        let spot = self
            .spot(plan, path)
            .ok_or_else(|| format!("there is no `{path}`"))?;
        let place = self.place(spot).ok_or_else(|| format!("there is no `{path}`"))?;
        if let (Place::Pending, Some(item), Work::Each(each)) = (place, spot.item, &self.state(spot)?.work) {
            if each.cut.is_some() || usize::try_from(item) != Ok(each.next) {
                return Err(format!("`{path}` is out of turn"));
            }
        }
        Ok((spot, place))
    }

    fn state(&self, spot: Spot) -> Result<&StepState, String> {
        self.steps
            .get(spot.step)
            .map(|state| &**state)
            .ok_or_else(|| "there is no such step".to_owned())
    }

    fn state_mut(&mut self, spot: Spot) -> Result<&mut StepState, String> {
        self.steps
            .get_mut(spot.step)
            .map(Arc::make_mut)
            .ok_or_else(|| "there is no such step".to_owned())
    }

    fn end(&mut self, plan: &Plan, spot: Spot, result: Final, at: Timestamp) -> Folded {
        let last = self.place(spot).and_then(Place::last).cloned();
        self.put(plan, spot, Place::Done { last, result }, at)
    }

    /// Replaces a place, keeps every index true, and settles the step if that was its last one.
    fn put(&mut self, plan: &Plan, spot: Spot, new: Place, at: Timestamp) -> Folded {
        self.live.remove(&spot);
        self.doubtful.remove(&spot);
        self.unknown.remove(&spot);
        self.due.remove(&spot);
        if let Some(
            Place::Retry { due: Some(time), .. }
            | Place::Doubtful(Doubt {
                due: Due::At(time), ..
            }),
        ) = self.place(spot)
        {
            let timer = (*time, spot);
            self.timers.remove(&timer);
        }
        match &new {
            Place::Live(_) => {
                self.live.insert(spot);
            }
            Place::Retry { due: Some(time), .. } => {
                self.timers.insert((*time, spot));
            }
            Place::Doubtful(doubt) => {
                self.doubtful.insert(spot);
                match doubt.due {
                    Due::Now => {}
                    Due::Unscheduled => {
                        self.due.insert(spot);
                    }
                    Due::At(time) => {
                        self.timers.insert((time, spot));
                    }
                }
            }
            Place::Retry { due: None, .. } | Place::Again { .. } | Place::Unknowable { .. } => {
                self.due.insert(spot);
            }
            Place::Unknown { .. } => {
                self.unknown.insert(spot);
            }
            Place::Done { result, .. } => self.ended(step_of(plan, spot)?, spot, result),
            Place::Pending => {}
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
    fn ended(&mut self, step: &Step, spot: Spot, result: &Final) {
        let (error, refused, handled) = match result {
            Final::Succeeded(_) | Final::Skipped(_) => return,
            Final::Failed(error) => (error, false, step.on_failure == OnFailure::Continue),
            Final::Refused { detail, .. } => (detail, true, step.if_refused_continue),
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

    fn after(&mut self, plan: &Plan, spot: Spot, at: Timestamp) -> Folded {
        let step = step_of(plan, spot)?;
        let state = self.state_mut(spot)?;
        state.settle(step, at);
        if state.settled.is_some() {
            self.open.remove(&spot.step);
        }
        Ok(())
    }
}

fn step_of(plan: &Plan, spot: Spot) -> Result<&Step, String> {
    plan.steps
        .get_index(spot.step)
        .map(|(_, step)| step)
        .ok_or_else(|| "there is no such step".to_owned())
}
