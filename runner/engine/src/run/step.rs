//! The state of one step: one place, or many with a counter.
//!
//! Owns how the ends of places make the end of a step and what can be read of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use playbooks::plan::{OnFailure, Step};
use serde_json::{Map, Value, json};
use state::event::SkipCause;

use super::place::{Final, Place};
use crate::words;

/// Places that are copied together when one of them changes, so that a decision over 10,000
/// items copies a few of them and not all.
const CHUNK: usize = 128;

/// How a step or item stands, as every list shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not reached.
    Pending,
    /// Waits for a time: a retry or a probe.
    Waiting,
    /// In work.
    Running,
    /// Done; a `for_each` step perhaps with handled failures.
    Succeeded,
    /// Failed for good.
    Failed,
    /// Did not run, with a cause.
    Skipped,
    /// A rule below playbooks forbade it.
    Refused,
    /// Nobody can tell whether its effect happened; waits for a person.
    Unknown,
}

impl StepStatus {
    /// The spelling in the language, in JSON and in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// The state of one step.
#[derive(Debug, Clone)]
pub(crate) struct StepState {
    pub(crate) work: Work,
    pub(crate) started_at: Option<Timestamp>,
    /// Attempts of all items together.
    pub(crate) attempts: u32,
    /// Rounds of a repetition that were begun.
    pub(crate) rounds: u32,
    /// When the last of them was.
    pub(crate) round_began: Option<Timestamp>,
    pub(crate) settled: Option<Settled>,
}

/// The end of a step.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub(crate) status: StepStatus,
    /// Why it did not succeed, for people.
    pub(crate) reason: Option<String>,
    /// What the language reads of it.
    pub(crate) view: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Work {
    One(Place),
    Each(Each),
}

/// The items of a `for_each` step.
#[derive(Debug, Clone)]
pub(crate) struct Each {
    pub(crate) items: Arc<Vec<Value>>,
    chunks: Vec<Arc<Vec<Place>>>,
    /// The first item to which nothing happened yet. Items are taken up in list order.
    pub(crate) next: usize,
    pub(crate) in_work: usize,
    pub(crate) unknown: usize,
    pub(crate) done: usize,
    pub(crate) succeeded: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    pub(crate) refused: usize,
    /// Why the items from `next` on will not be taken up.
    pub(crate) cut: Option<SkipCause>,
    /// Items before `next` that a person has done again and that are not taken up yet.
    pub(crate) again: BTreeSet<usize>,
}

impl StepState {
    pub(crate) fn pending() -> Self {
        Self {
            work: Work::One(Place::Pending),
            started_at: None,
            attempts: 0,
            rounds: 0,
            round_began: None,
            settled: None,
        }
    }

    /// Nothing happened to it yet.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self.work, Work::One(Place::Pending))
    }

    pub(crate) fn place(&self, item: Option<u32>) -> Option<&Place> {
        match (&self.work, item) {
            (Work::One(place), None) => Some(place),
            (Work::Each(each), Some(item)) => each.place(usize::try_from(item).ok()?),
            _ => None,
        }
    }

    pub(crate) fn status(&self) -> StepStatus {
        if let Some(settled) = &self.settled {
            return settled.status;
        }
        match &self.work {
            Work::One(Place::Pending) => StepStatus::Pending,
            Work::One(Place::Retry { .. } | Place::Waits(_) | Place::Rested(_)) => StepStatus::Waiting,
            Work::One(Place::Unknown { .. }) => StepStatus::Unknown,
            Work::Each(each) if each.unknown > 0 && each.in_work == 0 => StepStatus::Unknown,
            Work::One(_) | Work::Each(_) => StepStatus::Running,
        }
    }

    /// Whether nothing more will come of it except from a person.
    pub(crate) fn waits_for_person_only(&self) -> bool {
        match &self.work {
            Work::One(place) => matches!(place, Place::Unknown { .. }),
            Work::Each(each) => each.in_work == 0 && each.unknown > 0 && each.next_item().is_none(),
        }
    }

    /// Why it was skipped, if it was.
    pub(crate) fn skipped_because(&self) -> Option<&SkipCause> {
        match &self.work {
            Work::One(Place::Done {
                result: Final::Skipped(cause),
                ..
            }) => Some(cause),
            _ => None,
        }
    }

    /// What the language reads of a step that is not settled.
    pub(crate) fn unsettled_view(&self) -> Value {
        json!({"status": self.status().word(), "attempts": self.attempts})
    }

    /// Settles the step if its places are over.
    pub(crate) fn settle(&mut self, step: &Step, at: Timestamp) {
        let end = match &self.work {
            Work::One(Place::Done { result, .. }) => Some(end_of_one(result)),
            Work::Each(each) if each.is_over() => Some(each.end(step)),
            Work::One(_) | Work::Each(_) => None,
        };
        let Some((status, reason, mut view)) = end else {
            return;
        };
        view.insert("status".to_owned(), json!(status.word()));
        view.insert("attempts".to_owned(), json!(self.attempts));
        if let Some(started_at) = self.started_at {
            view.insert("started_at".to_owned(), json!(started_at.to_string()));
        }
        view.insert("finished_at".to_owned(), json!(at.to_string()));
        self.settled = Some(Settled {
            status,
            reason,
            view: Value::Object(view),
        });
    }
}

type End = (StepStatus, Option<String>, Map<String, Value>);

fn end_of_one(result: &Final) -> End {
    match result {
        Final::Succeeded(output) => {
            let output = output.as_object().cloned().unwrap_or_default();
            (StepStatus::Succeeded, None, output)
        }
        Final::Failed(error) => (StepStatus::Failed, Some(error.clone()), Map::new()),
        Final::Skipped(cause) => (StepStatus::Skipped, Some(words::skip_cause(cause)), Map::new()),
        Final::Refused(detail) => (StepStatus::Refused, Some(detail.clone()), Map::new()),
    }
}

impl Each {
    pub(crate) fn new(items: Vec<Value>) -> Self {
        let chunks = items
            .chunks(CHUNK)
            .map(|chunk| Arc::new(vec![Place::Pending; chunk.len()]))
            .collect();
        Self {
            items: Arc::new(items),
            chunks,
            next: 0,
            in_work: 0,
            unknown: 0,
            done: 0,
            succeeded: 0,
            failed: 0,
            skipped: 0,
            refused: 0,
            cut: None,
            again: BTreeSet::new(),
        }
    }

    pub(crate) fn place(&self, item: usize) -> Option<&Place> {
        self.chunks.get(item / CHUNK)?.get(item % CHUNK)
    }

    /// Puts a place and keeps the counters true. `None` when there is no such item.
    pub(crate) fn put(&mut self, item: usize, new: Place) -> Option<()> {
        self.place(item)?;
        self.count(&new);
        let slot = Arc::make_mut(self.chunks.get_mut(item / CHUNK)?).get_mut(item % CHUNK)?;
        let old = std::mem::replace(slot, new);
        if matches!(old, Place::Pending) && !self.again.remove(&item) {
            self.next = item + 1;
        }
        self.in_work -= usize::from(old.in_work());
        self.unknown -= usize::from(matches!(old, Place::Unknown { .. }));
        if let Place::Done { result, .. } = &old {
            self.done -= 1;
            *self.ends_like(result) -= 1;
        }
        Some(())
    }

    fn count(&mut self, new: &Place) {
        self.in_work += usize::from(new.in_work());
        self.unknown += usize::from(matches!(new, Place::Unknown { .. }));
        if let Place::Done { result, .. } = new {
            self.done += 1;
            *self.ends_like(result) += 1;
        }
    }

    /// The counter of ends of this kind.
    fn ends_like(&mut self, result: &Final) -> &mut usize {
        match result {
            Final::Succeeded(_) => &mut self.succeeded,
            Final::Failed(_) => &mut self.failed,
            Final::Skipped(_) => &mut self.skipped,
            Final::Refused(_) => &mut self.refused,
        }
    }

    /// The item to take up next; none when all are taken up, or the rest is left out.
    pub(crate) fn next_item(&self) -> Option<usize> {
        if self.cut.is_some() {
            return None;
        }
        let next = (self.next < self.items.len()).then_some(self.next);
        self.again.first().copied().or(next)
    }

    /// The items that are to be taken up, in the order in which they will be.
    pub(crate) fn left(&self) -> impl Iterator<Item = usize> {
        let rest = if self.cut.is_some() {
            0..0
        } else {
            self.next..self.items.len()
        };
        self.again.iter().copied().chain(rest)
    }

    /// Whether some of its items stay as they are when the step is done again.
    pub(crate) fn keeps_items(&self) -> bool {
        self.succeeded + self.unknown > 0
    }

    /// Whether it is this item's turn.
    pub(crate) fn may_take_up(&self, item: u32) -> bool {
        let item = usize::try_from(item).unwrap_or(usize::MAX);
        self.cut.is_none() && (item == self.next || self.again.contains(&item))
    }

    /// Every item to which something happened, with its place.
    pub(crate) fn touched(&self) -> impl Iterator<Item = (usize, &Place)> {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.iter())
            .enumerate()
            .take(self.next)
    }

    /// Makes an item as if nothing had happened to it. `None` when there is no such item.
    pub(crate) fn reset(&mut self, item: usize) -> Option<()> {
        if item >= self.next {
            return None;
        }
        self.put(item, Place::Pending)?;
        self.again.insert(item);
        Some(())
    }

    /// Takes back that the rest was left out.
    pub(crate) fn resume(&mut self) {
        if self.cut.take().is_some() {
            self.skipped -= self.items.len().saturating_sub(self.next);
        }
    }

    /// Leaves every item out that was not taken up.
    pub(crate) fn cut(&mut self, cause: SkipCause) {
        while let Some(item) = self.again.first().copied() {
            let left = Place::Done {
                last: None,
                result: Final::Skipped(cause.clone()),
            };
            self.put(item, left);
        }
        self.skipped += self.items.len().saturating_sub(self.next);
        self.cut = Some(cause);
    }

    fn is_over(&self) -> bool {
        self.in_work == 0 && self.unknown == 0 && self.next_item().is_none()
    }

    fn ends(&self) -> impl Iterator<Item = (usize, &Final)> {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.iter())
            .enumerate()
            .filter_map(|(item, place)| match place {
                Place::Done { result, .. } => Some((item, result)),
                _ => None,
            })
    }

    fn end(&self, step: &Step) -> End {
        let mut view = Map::new();
        view.insert("failed".to_owned(), json!(self.failed));
        view.insert("skipped".to_owned(), json!(self.skipped));
        view.insert("refused".to_owned(), json!(self.refused));
        view.insert("failures".to_owned(), Value::Array(self.failures()));
        if self.failed > 0 && step.on_failure != OnFailure::Continue {
            let reason = self.first(|result| match result {
                Final::Failed(error) => Some(error),
                _ => None,
            });
            (StepStatus::Failed, Some(reason), view)
        } else if self.refused > 0 && !step.if_refused_continue {
            let reason = self.first(|result| match result {
                Final::Refused(detail) => Some(detail),
                _ => None,
            });
            (StepStatus::Refused, Some(reason), view)
        } else if let Some(cause) = &self.cut {
            (StepStatus::Skipped, Some(words::skip_cause(cause)), view)
        } else {
            view.insert("items".to_owned(), Value::Array(self.outputs()));
            (StepStatus::Succeeded, None, view)
        }
    }

    fn first(&self, pick: impl Fn(&Final) -> Option<&String>) -> String {
        self.ends()
            .find_map(|(item, result)| pick(result).map(|text| format!("item {item}: {text}")))
            .unwrap_or_default()
    }

    fn failures(&self) -> Vec<Value> {
        self.ends()
            .filter_map(|(item, result)| match result {
                Final::Failed(error) => Some(json!({"item": self.items.get(item), "error": error})),
                _ => None,
            })
            .collect()
    }

    fn outputs(&self) -> Vec<Value> {
        self.ends()
            .filter_map(|(item, result)| match result {
                Final::Succeeded(output) => {
                    let mut output = output.as_object().cloned().unwrap_or_default();
                    output.insert(
                        "item".to_owned(),
                        self.items.get(item).cloned().unwrap_or_default(),
                    );
                    Some(Value::Object(output))
                }
                _ => None,
            })
            .collect()
    }
}
