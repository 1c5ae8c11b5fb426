//! What every event means.
//!
//! Owns the only writes to [`Run`], and the invariants: positions without gaps, nothing after
//! `closed`, one live attempt a place, ends that are final. An event that breaks one is refused
//! and leaves the run as it was; it never panics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use playbooks::marking::EffectClass;
use playbooks::plan::{Plan, Section};
use serde_json::{Map, Value};
use state::access::Actor;
use state::event::{Event, Recorded, RunStatus, SkipCause, Started};
use state::ids::Path;

use self::places::step_of;
use super::place::Final;
use super::step::Each;
use super::{Closed, Corrupt, Failing, LetState, Place, Run, Spot, StepState, Undo, Work};

mod attempts;
mod inquiries;
mod people;
mod places;
mod rounds;
mod undo;

/// Probes that may fail to tell before the outcome is called unknown.
pub(crate) const PROBES_MAX: u32 = 4;

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
            steps: plan
                .steps
                .iter()
                .map(|_| Arc::new(StepState::pending()))
                .collect(),
            open: (0..plan.steps.len()).collect(),
            open_lets: (0..plan.lets.len()).collect(),
            live: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            unknown: BTreeSet::new(),
            due: BTreeSet::new(),
            timers: BTreeSet::new(),
            inquiries: Vec::new(),
            asked: BTreeMap::new(),
            ask_again: BTreeSet::new(),
            retried_by: BTreeSet::new(),
            open_inquiries: BTreeSet::new(),
            letters: BTreeSet::new(),
            stopper: None,
            failing: None,
            cancel: None,
            undo: Undo::default(),
            effects: Vec::new(),
            closed: None,
            admitted: false,
            deadline: started.deadline,
            answered: false,
            generations: BTreeMap::new(),
            handled_failures: 0,
            effects_intended: 0,
            effects_done: 0,
        }
    }

    /// Takes in one more event. On an error the run is as it was.
    pub fn apply(&mut self, plan: &Plan, recorded: &Recorded) -> Result<(), Corrupt> {
        let folded = if recorded.seq != self.next_seq {
            Err(format!("position {} was due", self.next_seq))
        } else if self.closed.is_some() && !recorded.event.may_follow_the_end() {
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
            Event::Refused { path, detail, .. } => self.refused(plan, path, detail, at),
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
            } => self.outcome_unknown(plan, path, *attempt, detail, at),
            Event::RetryScheduled {
                path,
                attempt,
                at: due,
            } => self.retry_scheduled(plan, path, *attempt, *due, at),
            Event::Waits { path, until } => self.waits(plan, path, *until, at),
            Event::RoundScheduled { path, round, at: due } => {
                self.round_scheduled(plan, path, *round, *due, at)
            }
            Event::RoundsEnded { path, rounds, done } => self.rounds_ended(plan, path, (*rounds, *done), at),
            Event::Asked(inquiry) => self.was_asked(plan, inquiry, at),
            Event::Telling { number, people } => self.telling(*number, people),
            Event::Told {
                number,
                person,
                outcome,
            } => self.told(*number, person, outcome),
            Event::Replied(reply) => self.replied(reply, at),
            Event::Escalated { number, who, until } => self.escalated(*number, who, *until),
            Event::InquiryClosed { number, end, detail } => self.inquiry_closed(*number, *end, detail),
            Event::Admitted { deadline } => self.admitted_until(*deadline),
            Event::Failing { step, error } => self.fails(plan, step.as_deref(), error),
            Event::CancelRequested { actor, reason } => self.cancelled(actor, reason),
            Event::Settled {
                path,
                attempt,
                answer,
                ..
            } => self.settled(plan, path, *attempt, answer, at),
            Event::Acknowledged { .. } => self.acknowledged(),
            Event::Retried {
                places,
                deadline,
                actor,
                ..
            } => self.retried(plan, places, *deadline, actor),
            Event::Rerun { .. } => Ok(()),
            Event::UndoRequested {
                inverses,
                actor,
                reason,
                goes_on,
            } => self.undo_requested(plan, inverses, actor, (reason, *goes_on)),
            Event::Closed { status, summary, .. } => self.closes(plan, *status, summary),
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
        let spot = Spot::whole(index);
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
        let spot = Spot::of(plan, path).ok_or_else(|| format!("there is no `{path}`"))?;
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
            Place::Pending | Place::Waits(_) | Place::Rested(_) => Final::Skipped(cause.clone()),
            Place::Retry { failure, .. } => Final::Failed(failure.detail.clone()),
            Place::Again { .. } => {
                Final::Failed("the attempt was lost in a restart and not repeated".to_owned())
            }
            other => return Err(format!("`{path}` cannot be skipped: {}", other.words())),
        };
        self.end(plan, spot, result, at)
    }

    fn refused(&mut self, plan: &Plan, path: &Path, detail: &str, at: Timestamp) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let open = matches!(
            place,
            Place::Pending | Place::Retry { .. } | Place::Again { .. } | Place::Rested(_)
        );
        if !open {
            return Err(format!("`{path}` cannot be refused: {}", place.words()));
        }
        let step = step_of(plan, spot)?;
        let result = if step.action.effect == EffectClass::Read {
            Final::Failed(detail.to_owned())
        } else {
            Final::Refused(detail.to_owned())
        };
        self.end(plan, spot, result, at)
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

    fn admitted_until(&mut self, deadline: Timestamp) -> Folded {
        if !self.is_queued() {
            return Err("the run does not wait for its turn".to_owned());
        }
        self.admitted = true;
        self.deadline = deadline;
        Ok(())
    }

    fn cancelled(&mut self, actor: &Actor, reason: &str) -> Folded {
        if self.cancel.is_some() {
            return Err("the run was cancelled before".to_owned());
        }
        self.cancel = Some((actor.clone(), reason.to_owned()));
        Ok(())
    }

    fn closes(&mut self, plan: &Plan, status: RunStatus, summary: &str) -> Folded {
        let unfinished = !self.live.is_empty()
            || !self.section_is_over(plan, Section::Steps)
            || !self.section_is_over(plan, Section::Finally)
            || self.undo_goes_on();
        if unfinished || !status.is_over() {
            return Err("the run is not over yet".to_owned());
        }
        // Taken back is an answer to a failure.
        self.answered |= self.undo_is_requested() && matches!(self.undone(), (1.., None));
        self.closed = Some(Closed {
            status,
            summary: summary.to_owned(),
        });
        Ok(())
    }
}
