//! Runs that may not all be at work at once: `concurrency` of a playbook.
//!
//! Owns who is at work and who waits, by order of start. What is durable is in the runs themselves
//! (`Started.turn`, `Admitted`); this is made again from them at the start of the process.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use playbooks::plan::WhenBusy;
use state::event::Started;
use state::ids::RunId;

use super::{Dispatcher, Message};

/// Runs by what they take turns with.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<String, Crowd>>);

/// The open runs of one key. Ids of runs sort by the time of their start.
#[derive(Debug, Default)]
struct Crowd {
    at_work: BTreeSet<RunId>,
    waiting: BTreeSet<RunId>,
}

impl Crowd {
    fn count(&self) -> usize {
        self.at_work.len() + self.waiting.len()
    }

    fn oldest(&self) -> Option<&RunId> {
        self.at_work.first().into_iter().chain(self.waiting.first()).min()
    }
}

/// What becomes of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It is a run; it has its place among those that take turns.
    Start,
    /// It joins this run.
    Join(RunId),
    /// It is dropped, for this reason.
    Drop(String),
}

impl Turns {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Crowd>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Decides about a start, and gives it its place in the same moment: two starts cannot both
    /// take the last one. A start that is not stored gives its place back with [`Self::leave`].
    pub(super) fn rule(&self, started: &Started, when_busy: WhenBusy) -> Ruling {
        let (Some(turns), Some(turn)) = (started.turns(), &started.turn) else {
            return Ruling::Start;
        };
        self.with(|crowds| {
            let crowd = crowds.entry(turns).or_default();
            if let Some(oldest) = crowd.oldest().filter(|_| crowd.count() >= limit(turn.limit)) {
                match when_busy {
                    WhenBusy::Queue => {}
                    WhenBusy::Attach => return Ruling::Join(oldest.clone()),
                    WhenBusy::Drop => {
                        return Ruling::Drop(format!(
                            "dropped: {} of {} runs at once are open for {} (concurrency), the oldest is {}",
                            crowd.count(),
                            turn.limit,
                            turn.key,
                            oldest.short()
                        ));
                    }
                }
            }
            crowd.waiting.insert(started.run.clone());
            Ruling::Start
        })
    }

    /// A run that was found open and has not begun.
    pub(super) fn wait(&self, turns: &str, run: &RunId) {
        self.with(|crowds| {
            let crowd = crowds.entry(turns.to_owned()).or_default();
            if !crowd.at_work.contains(run) {
                crowd.waiting.insert(run.clone());
            }
        });
    }

    /// A run that is at work, whoever else is: it began before, or a person opened it again.
    pub(super) fn work(&self, turns: &str, run: &RunId) {
        self.with(|crowds| {
            let crowd = crowds.entry(turns.to_owned()).or_default();
            crowd.waiting.remove(run);
            crowd.at_work.insert(run.clone());
        });
    }

    /// Whether a run may begin now. If so it is at work from now on.
    pub(super) fn may_begin(&self, turns: &str, run: &RunId, at_once: u32) -> bool {
        self.with(|crowds| {
            let crowd = crowds.entry(turns.to_owned()).or_default();
            if crowd.at_work.contains(run) {
                return true;
            }
            crowd.waiting.insert(run.clone());
            let free = limit(at_once).saturating_sub(crowd.at_work.len());
            let may = crowd.waiting.iter().take(free).any(|first| first == run);
            if may {
                crowd.waiting.remove(run);
                crowd.at_work.insert(run.clone());
            }
            may
        })
    }

    /// A run is over, or was never stored. Gives the one that may have its turn now.
    pub(super) fn leave(&self, turns: &str, run: &RunId) -> Option<RunId> {
        self.with(|crowds| {
            let crowd = crowds.get_mut(turns)?;
            crowd.at_work.remove(run);
            crowd.waiting.remove(run);
            let next = crowd.waiting.first().cloned();
            if crowd.count() == 0 {
                crowds.remove(turns);
            }
            next
        })
    }
}

/// A place among those that take turns, of a start that is being stored. It is given back unless
/// the start was stored: also when whoever asked for it went away in the middle.
pub(super) struct Place {
    dispatcher: Dispatcher,
    started: Option<Started>,
}

impl Place {
    pub(super) fn of(dispatcher: &Dispatcher, started: &Started) -> Self {
        Self {
            dispatcher: dispatcher.clone(),
            started: Some(started.clone()),
        }
    }

    /// The run exists under this id: its own, or another one that it joined.
    pub(super) fn stored_as(mut self, run: &RunId) {
        self.started.take_if(|started| started.run == *run);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(started) = self.started.take() {
            self.dispatcher.pass_turn(&started);
        }
    }
}

impl Dispatcher {
    /// A run is over, or was never stored: the next one may have its turn.
    pub(super) fn pass_turn(&self, started: &Started) {
        let Some(turns) = started.turns() else {
            return;
        };
        if let Some(next) = self.inner.turns.leave(&turns, &started.run) {
            self.tell(&next, Message::Go);
        }
    }
}

fn limit(at_once: u32) -> usize {
    usize::try_from(at_once).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
