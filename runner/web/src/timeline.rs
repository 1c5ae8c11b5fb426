//! A run as a list of steps: the fold of its events that people read.
//!
//! Owns words and notes of that list. It decides nothing: the engine folds the same events into the
//! state it decides from, and what is shown here never flows back.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use playbooks::marking::EffectClass;
use state::event::{Event, Recorded, RunStatus, Settlement};
use state::ids::Path;

use crate::view::{StepState, StepView};

mod in_time;
mod inquiries;
mod outcome;
#[cfg(test)]
mod tests;
mod words;

pub use words::skip_note;
use words::{cut, item_words};

/// Longest note, in characters; longer ones are cut with an ellipsis.
pub const NOTE_CHARACTERS_MAX: usize = 200;

/// What the list needs to know of a step of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLine {
    /// The step's id.
    pub id: String,
    /// What it does, in the author's words.
    pub name: String,
    /// The class of its action.
    pub class: EffectClass,
}

/// The items of one `for_each` step: their words, and how many stand how.
#[derive(Debug, Clone, Default)]
struct Items {
    words: Vec<String>,
    by_state: BTreeMap<StepState, usize>,
}

/// The list, kept current by [`Timeline::apply`].
#[derive(Debug, Clone)]
pub struct Timeline {
    lines: IndexMap<Path, StepView>,
    items: BTreeMap<String, Items>,
    people: inquiries::People,
    failing: bool,
    queued: bool,
    closed: Option<RunStatus>,
}

impl Timeline {
    /// Every step of the plan, in its order, still pending.
    pub fn new(steps: impl IntoIterator<Item = StepLine>) -> Self {
        let lines = steps
            .into_iter()
            .map(|step| {
                let path = Path::step(&step.id);
                let view = StepView {
                    step: step.id,
                    item: None,
                    name: step.name,
                    state: StepState::Pending,
                    class: step.class,
                    effect: step.class > EffectClass::Read,
                    connections: Vec::new(),
                    note: String::new(),
                    attempts: 0,
                    round: None,
                    started_at: None,
                    finished_at: None,
                };
                (path, view)
            })
            .collect();
        Self {
            lines,
            items: BTreeMap::new(),
            people: inquiries::People::default(),
            failing: false,
            queued: false,
            closed: None,
        }
    }

    /// The list: each step, its items after it.
    pub fn rows(&self) -> Vec<StepView> {
        let mut rows = Vec::with_capacity(self.lines.len());
        let steps = |path: &Path| path.item.is_none() && !path.undo;
        for (path, view) in self.lines.iter().filter(|(path, _)| steps(path)) {
            rows.push(view.clone());
            let mut items: Vec<&StepView> = self
                .lines
                .iter()
                .filter(|(other, _)| other.item.is_some() && !other.undo && other.step == path.step)
                .map(|(_, item)| item)
                .collect();
            items.sort_by_key(|item| item.item);
            rows.extend(items.into_iter().cloned());
        }
        let undone = self.lines.iter().filter(|(path, _)| path.undo);
        rows.extend(undone.map(|(_, view)| view.clone()));
        rows
    }

    /// How the run stands, as far as its events tell.
    pub fn status(&self) -> RunStatus {
        if let Some(status) = self.closed {
            return status;
        }
        if self.queued {
            return RunStatus::Queued;
        }
        let any = |state: StepState| self.lines.values().any(|line| line.state == state);
        if self.failing {
            RunStatus::Failing
        } else if any(StepState::Running) {
            RunStatus::Running
        } else if any(StepState::Unknown) || self.undo_has_failed() {
            RunStatus::Stuck
        } else if any(StepState::Retrying) || any(StepState::Resting) || any(StepState::Waiting) {
            RunStatus::Waiting
        } else {
            RunStatus::Running
        }
    }

    /// Whether something could not be taken back.
    fn undo_has_failed(&self) -> bool {
        let mut undone = self.lines.iter().filter(|(path, _)| path.undo);
        undone.any(|(_, line)| line.state == StepState::Failed)
    }

    /// Takes in what is about the run as a whole.
    fn of_the_run(&mut self, event: &Event) {
        match event {
            Event::Started(started) => self.queued = started.turn.is_some(),
            // A run that is cancelled waits for nobody's turn.
            Event::Admitted { .. } | Event::CancelRequested { .. } => self.queued = false,
            Event::UndoRequested { .. } => {
                self.closed = None;
                self.failing = false;
            }
            Event::Retried { places, .. } => self.retried(places),
            Event::Failing { .. } => self.failing = true,
            Event::Closed { status, .. } => self.closed = Some(*status),
            _ => {}
        }
    }

    /// Takes an event in and returns the line that changed, if one did.
    pub fn apply(&mut self, recorded: &Recorded) -> Option<StepView> {
        let at = recorded.at;
        let path = match &recorded.event {
            Event::LetSettled { .. }
            | Event::Telling { .. }
            | Event::Told { .. }
            | Event::Acknowledged { .. }
            | Event::Rerun { .. }
            | Event::UndoRequested { goes_on: true, .. } => return None,
            Event::Started(_)
            | Event::Admitted { .. }
            | Event::CancelRequested { .. }
            | Event::UndoRequested { .. }
            | Event::Retried { .. }
            | Event::Failing { .. }
            | Event::Closed { .. } => {
                self.of_the_run(&recorded.event);
                return None;
            }
            Event::Asked(_) | Event::Replied(_) | Event::Escalated { .. } | Event::InquiryClosed { .. } => {
                return self.of_people(&recorded.event, at);
            }
            Event::Expanded { step, items } => {
                let path = Path::step(step);
                let count = items.len();
                let words = items.iter().map(|item| cut(&item_words(item))).collect();
                self.items.insert(
                    step.clone(),
                    Items {
                        words,
                        by_state: BTreeMap::new(),
                    },
                );
                let line = self.line(&path)?;
                line.note = if count == 0 {
                    "nothing to do".to_owned()
                } else {
                    format!("0/{count}")
                };
                if count == 0 {
                    line.finish(StepState::Done, at);
                } else {
                    line.state = StepState::Running;
                    line.started_at = Some(at);
                }
                return Some(line.clone());
            }
            Event::Skipped { path, .. }
            | Event::Refused { path, .. }
            | Event::Finished { path, .. }
            | Event::Lost { path, .. }
            | Event::Probed { path, .. }
            | Event::OutcomeUnknown { path, .. }
            | Event::RetryScheduled { path, .. }
            | Event::Waits { path, .. }
            | Event::RoundScheduled { path, .. }
            | Event::RoundsEnded { path, .. }
            | Event::Settled { path, .. } => path,
            Event::Intended(intended) => &intended.path,
        };
        let line = self.line(path)?;
        let before = line.state;
        line.take(&recorded.event, at);
        let after = line.state;
        if !path.undo {
            if path.item.is_some() {
                self.count(path, before, after, at);
            }
            self.name_approvers(&path.step);
        }
        self.lines.get(path).cloned()
    }

    /// Takes the lines of a retry back to where nothing had happened.
    fn retried(&mut self, places: &[Path]) {
        self.failing = false;
        self.closed = None;
        for path in places {
            let kept = self.lines.iter().any(|(other, line)| {
                other.step == path.step && other.item.is_some() && line.state == StepState::Done
            });
            if path.item.is_none() && !kept {
                self.items.remove(&*path.step);
                self.lines
                    .retain(|other, _| other.step != path.step || other.item.is_none());
            }
            let Some(line) = self.lines.get_mut(path) else {
                continue;
            };
            let before = line.state;
            if path.item.is_some() || !kept {
                line.state = StepState::Pending;
                line.note.clear();
                line.attempts = 0;
                line.round = None;
                line.started_at = None;
            }
            line.finished_at = None;
            if path.item.is_some() && before != StepState::Pending {
                let items = self.items.get_mut(&*path.step);
                if let Some(count) = items.and_then(|items| items.by_state.get_mut(&before)) {
                    *count = count.saturating_sub(1);
                }
            }
            if path.item.is_some() || kept {
                let step = Path::step(&path.step);
                if let Some(line) = self.lines.get_mut(&step) {
                    line.state = StepState::Running;
                    line.finished_at = None;
                }
            }
        }
    }

    /// The line of a path; a line for an item is made from its step's when it is first named.
    fn line(&mut self, path: &Path) -> Option<&mut StepView> {
        if !self.lines.contains_key(path) {
            let step = self.lines.get(&Path::step(&path.step))?;
            let words = path.item.and_then(|item| {
                self.items
                    .get(&*path.step)?
                    .words
                    .get(usize::try_from(item).ok()?)
                    .cloned()
            });
            let name = words.unwrap_or_else(|| step.name.clone());
            let item = StepView {
                step: if path.undo {
                    path.to_string()
                } else {
                    step.step.clone()
                },
                item: path.item.filter(|_| !path.undo),
                name: if path.undo {
                    format!("Take back: {name}")
                } else {
                    name
                },
                state: StepState::Pending,
                connections: Vec::new(),
                note: String::new(),
                attempts: 0,
                round: None,
                started_at: None,
                finished_at: None,
                ..step.clone()
            };
            self.lines.insert(path.clone(), item);
        }
        self.lines.get_mut(path)
    }

    /// Counts an item that changed its state, and brings the line of its step up to date.
    fn count(&mut self, item: &Path, before: StepState, after: StepState, at: Timestamp) {
        let Some(items) = self.items.get_mut(&*item.step) else {
            return;
        };
        if before != StepState::Pending
            && let Some(count) = items.by_state.get_mut(&before)
        {
            *count = count.saturating_sub(1);
        }
        *items.by_state.entry(after).or_default() += 1;
        let expected = items.words.len();
        let of = |state: StepState| items.by_state.get(&state).copied().unwrap_or(0);
        let done = of(StepState::Done) + of(StepState::Simulated);
        let bad = [
            StepState::Unknown,
            StepState::Failed,
            StepState::Refused,
            StepState::Skipped,
        ];
        let over = done + bad.into_iter().map(of).sum::<usize>();
        let mut note = format!("{done}/{expected}");
        for state in bad.into_iter().filter(|state| of(*state) > 0) {
            note.push_str(&format!(", {} {}", of(state), state.word()));
        }
        let worst = [
            StepState::Unknown,
            StepState::Failed,
            StepState::Refused,
            StepState::Simulated,
            StepState::Done,
            StepState::Skipped,
        ];
        let worst = worst
            .into_iter()
            .find(|state| of(*state) > 0)
            .unwrap_or(StepState::Done);
        let first = self
            .lines
            .get(item)
            .filter(|line| expected == 1 && !line.note.is_empty());
        if let Some(line) = first {
            note.push_str(&format!("  {}: {}", line.name, line.note));
        }
        let Some(step) = self.lines.get_mut(&Path::step(&item.step)) else {
            return;
        };
        step.note = cut(&note);
        step.finished_at = None;
        if over >= expected {
            step.finish(worst, at);
        }
    }
}

impl StepView {
    fn finish(&mut self, state: StepState, at: Timestamp) {
        self.state = state;
        self.finished_at = Some(at);
    }

    fn take(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Skipped { cause, .. } => {
                self.note = cut(&skip_note(cause));
                self.finish(StepState::Skipped, at);
            }
            Event::Refused { detail, .. } => {
                self.note = cut(detail);
                self.finish(StepState::Refused, at);
            }
            Event::Intended(intended) => {
                self.state = StepState::Running;
                self.attempts = intended.attempt;
                self.connections.clone_from(&intended.connections);
                self.started_at.get_or_insert(at);
                self.finished_at = None;
                let left_out = intended.left_out.first();
                self.note = match (left_out, intended.until) {
                    (Some(left), _) => cut(&format!("without {}: {}", left.connection, left.why)),
                    (None, Some(until)) => format!("until {}", until.strftime("%Y-%m-%d %H:%MZ")),
                    (None, None) => String::new(),
                };
            }
            Event::Finished { outcome, .. } => self.take_outcome(outcome, at),
            Event::Lost { .. } => "interrupted; looking whether it happened".clone_into(&mut self.note),
            Event::Probed { answer, .. } => self.take_answer(answer, at),
            Event::OutcomeUnknown { detail, .. } => {
                self.note = cut(detail);
                self.state = StepState::Unknown;
                self.finished_at = None;
            }
            Event::Settled {
                answer,
                actor,
                probed,
                ..
            } => {
                let (state, what) = match answer {
                    Settlement::Done { .. } => (StepState::Done, "it had happened"),
                    Settlement::ByHand { .. } => (StepState::Done, "done by hand"),
                    Settlement::NotDone => (StepState::Failed, "it had not happened"),
                };
                let asked = if *probed {
                    ", as the far end says, asked"
                } else {
                    ", says"
                };
                let by = if *probed { " by" } else { "" };
                self.note = cut(&format!("{what}{asked}{by} {}", actor.name));
                self.finish(state, at);
            }
            Event::RetryScheduled { attempt, at: due, .. } => {
                self.note = cut(&format!("{}; attempt {attempt} at {due}", self.note));
                self.state = StepState::Retrying;
                self.finished_at = None;
            }
            Event::Waits { .. } | Event::RoundScheduled { .. } | Event::RoundsEnded { .. } => {
                self.in_time(event, at);
            }
            Event::Started(_)
            | Event::Admitted { .. }
            | Event::LetSettled { .. }
            | Event::Expanded { .. }
            | Event::Asked(_)
            | Event::Telling { .. }
            | Event::Told { .. }
            | Event::Replied(_)
            | Event::Escalated { .. }
            | Event::InquiryClosed { .. }
            | Event::Failing { .. }
            | Event::CancelRequested { .. }
            | Event::Acknowledged { .. }
            | Event::Retried { .. }
            | Event::Rerun { .. }
            | Event::UndoRequested { .. }
            | Event::Closed { .. } => {}
        }
    }
}
