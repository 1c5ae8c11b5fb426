//! A run as a list of steps: the fold of its events that people read.
//!
//! Owns words and notes of that list. It decides nothing: the engine folds the same events into the
//! state it decides from, and what is shown here never flows back.

use indexmap::IndexMap;
use jiff::Timestamp;
use playbooks::marking::EffectClass;
use state::event::{Event, Outcome, ProbeAnswer, Recorded, RunStatus, SkipCause};
use state::ids::Path;

use crate::view::{StepState, StepView};

#[cfg(test)]
mod tests;

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

/// The list, kept current by [`Timeline::apply`].
#[derive(Debug, Clone)]
pub struct Timeline {
    lines: IndexMap<Path, StepView>,
    failing: bool,
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
                    started_at: None,
                    finished_at: None,
                };
                (path, view)
            })
            .collect();
        Self {
            lines,
            failing: false,
            closed: None,
        }
    }

    /// The list: each step, its items after it.
    pub fn rows(&self) -> Vec<StepView> {
        let mut rows = Vec::with_capacity(self.lines.len());
        for (path, view) in self.lines.iter().filter(|(path, _)| path.item.is_none()) {
            rows.push(view.clone());
            let mut items: Vec<&StepView> = self
                .lines
                .iter()
                .filter(|(other, _)| other.item.is_some() && other.step == path.step)
                .map(|(_, item)| item)
                .collect();
            items.sort_by_key(|item| item.item);
            rows.extend(items.into_iter().cloned());
        }
        rows
    }

    /// How the run stands, as far as its events tell.
    pub fn status(&self) -> RunStatus {
        if let Some(status) = self.closed {
            return status;
        }
        let any = |state: StepState| self.lines.values().any(|line| line.state == state);
        if self.failing {
            RunStatus::Failing
        } else if any(StepState::Running) {
            RunStatus::Running
        } else if any(StepState::Unknown) {
            RunStatus::Stuck
        } else if any(StepState::Retrying) {
            RunStatus::Waiting
        } else {
            RunStatus::Running
        }
    }

    /// Takes an event in and returns the line that changed, if one did.
    pub fn apply(&mut self, recorded: &Recorded) -> Option<StepView> {
        let at = recorded.at;
        let path = match &recorded.event {
            Event::Started(_) | Event::LetSettled { .. } | Event::CancelRequested { .. } => return None,
            Event::Failing { .. } => {
                self.failing = true;
                return None;
            }
            Event::Closed { status, .. } => {
                self.closed = Some(*status);
                return None;
            }
            Event::Expanded { step, items } => {
                let path = Path::step(step);
                let count = items.len();
                let line = self.line(&path)?;
                line.note = format!("{count} item{}", if count == 1 { "" } else { "s" });
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
            | Event::RetryScheduled { path, .. } => path,
            Event::Intended(intended) => &intended.path,
        };
        let line = self.line(path)?;
        line.take(&recorded.event, at);
        let changed = line.clone();
        if path.item.is_some() {
            self.sum_up(path, at);
        }
        Some(changed)
    }

    /// The line of a path; a line for an item is made from its step's when it is first named.
    fn line(&mut self, path: &Path) -> Option<&mut StepView> {
        if !self.lines.contains_key(path) {
            let step = self.lines.get(&Path {
                step: path.step.clone(),
                item: None,
            })?;
            let item = StepView {
                item: path.item,
                state: StepState::Pending,
                connections: Vec::new(),
                note: String::new(),
                attempts: 0,
                started_at: None,
                finished_at: None,
                ..step.clone()
            };
            self.lines.insert(path.clone(), item);
        }
        self.lines.get_mut(path)
    }

    /// Brings the line of a `for_each` step up to date with its items.
    fn sum_up(&mut self, item: &Path, at: Timestamp) {
        let items = || {
            self.lines
                .iter()
                .filter(|(path, _)| path.item.is_some() && path.step == item.step)
                .map(|(_, line)| line)
        };
        let over = items().filter(|line| line.finished_at.is_some()).count();
        let done = items()
            .filter(|line| matches!(line.state, StepState::Done | StepState::Simulated))
            .count();
        let worst = [
            StepState::Unknown,
            StepState::Failed,
            StepState::Refused,
            StepState::Simulated,
            StepState::Done,
            StepState::Skipped,
        ]
        .into_iter()
        .find(|state| items().any(|line| line.state == *state));
        let Some(step) = self.lines.get_mut(&Path {
            step: item.step.clone(),
            item: None,
        }) else {
            return;
        };
        let expected: usize = step
            .note
            .split(' ')
            .next()
            .and_then(|word| word.rsplit('/').next())
            .and_then(|count| count.parse().ok())
            .unwrap_or(over);
        step.note = format!("{done}/{expected} done");
        if over >= expected {
            step.finish(worst.unwrap_or(StepState::Done), at);
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
                self.note = intended
                    .left_out
                    .first()
                    .map(|left| cut(&format!("without {}: {}", left.connection, left.why)))
                    .unwrap_or_default();
            }
            Event::Finished { outcome, .. } => self.take_outcome(outcome, at),
            Event::Lost { .. } => "interrupted; looking whether it happened".clone_into(&mut self.note),
            Event::Probed { answer, .. } => match answer {
                ProbeAnswer::Done { .. } => {
                    "it had happened before the interruption".clone_into(&mut self.note);
                    self.finish(StepState::Done, at);
                }
                ProbeAnswer::NotDone => "it had not happened; trying again".clone_into(&mut self.note),
                ProbeAnswer::CannotTell { detail } => self.note = cut(detail),
            },
            Event::OutcomeUnknown { detail, .. } => {
                self.note = cut(detail);
                self.state = StepState::Unknown;
                self.finished_at = None;
            }
            Event::RetryScheduled { attempt, at: due, .. } => {
                self.note = cut(&format!("{}; attempt {attempt} at {due}", self.note));
                self.state = StepState::Retrying;
                self.finished_at = None;
            }
            Event::Started(_)
            | Event::LetSettled { .. }
            | Event::Expanded { .. }
            | Event::Failing { .. }
            | Event::CancelRequested { .. }
            | Event::Closed { .. } => {}
        }
    }

    fn take_outcome(&mut self, outcome: &Outcome, at: Timestamp) {
        match outcome {
            Outcome::Succeeded { reference, .. } => {
                if let Some(reference) = reference {
                    self.note = cut(reference);
                }
                self.finish(StepState::Done, at);
            }
            Outcome::Failed { detail, .. } => {
                self.note = cut(detail);
                self.finish(StepState::Failed, at);
            }
            Outcome::Simulated { .. } => self.finish(StepState::Simulated, at),
        }
    }
}

fn skip_note(cause: &SkipCause) -> String {
    match cause {
        SkipCause::IfFalse { condition } => format!("if was false: {condition}"),
        SkipCause::IfUndecided { why } | SkipCause::Needs { why } | SkipCause::Absent { why } => why.clone(),
        SkipCause::RunFailing => "run is failing".to_owned(),
        SkipCause::RunCancelled => "run was cancelled".to_owned(),
    }
}

/// One line of at most [`NOTE_CHARACTERS_MAX`] characters, without control characters.
fn cut(text: &str) -> String {
    let mut characters = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character });
    let mut line: String = characters.by_ref().take(NOTE_CHARACTERS_MAX).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}
