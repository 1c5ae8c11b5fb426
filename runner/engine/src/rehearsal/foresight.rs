//! What a playbook would do about an incident of the past, told from what was answered then.
//!
//! Owns the memory of answers and the stop where it ends: a read that nobody ever asked is never
//! guessed, and what would depend on it is not told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use playbooks::action_spec::Catalog;
use playbooks::marking::EffectClass;
use playbooks::revision::canonical_json;
use serde_json::Value;
use state::event::{Event, Intended, Outcome, ProbeAnswer, Recorded, Started};
use state::ids::Path;

use super::trial::simulated;
use super::world::Ledger;
use super::{Compute, Effect, End, Rehearsal, Stage, TURNS_MAX, World};
use crate::effects::Work;

/// Answers that reads got in runs of the past, by what was asked: the action and its arguments,
/// whichever connections answered.
#[derive(Debug, Default)]
pub struct Memory {
    answers: BTreeMap<(String, String), Outcome>,
}

impl Memory {
    /// Adds what the reads of a run were answered. Of several answers to one question the last that
    /// succeeded counts.
    pub fn learn(&mut self, events: &[Recorded]) {
        let mut asked: BTreeMap<&Path, &Intended> = BTreeMap::new();
        for recorded in events {
            match &recorded.event {
                Event::Intended(intended) if intended.effect == EffectClass::Read => {
                    asked.insert(&intended.path, intended);
                }
                Event::Finished { path, outcome, .. } => {
                    if let Some(intended) = asked.get(path) {
                        self.keep(question(intended), outcome);
                    }
                }
                _ => {}
            }
        }
    }

    fn keep(&mut self, question: (String, String), outcome: &Outcome) {
        let better = matches!(outcome, Outcome::Succeeded { .. });
        if better || !self.answers.contains_key(&question) {
            self.answers.insert(question, outcome.clone());
        }
    }

    /// How many questions it can answer.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether it can answer none.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    fn recall(&self, intended: &Intended) -> Option<&Outcome> {
        self.answers.get(&question(intended))
    }
}

fn question(intended: &Intended) -> (String, String) {
    (intended.action.clone(), canonical_json(&intended.arguments))
}

/// What a run of the past, or of another playbook, is told from.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    /// Answers in runs of the same incident. They come first.
    pub own: &'a Memory,
    /// Answers in runs of other incidents of the same entity.
    pub others: &'a Memory,
    /// How what only computes is computed.
    pub compute: Compute<'a>,
}

impl std::fmt::Debug for Past<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Past")
            .field("own", &self.own.len())
            .field("others", &self.others.len())
            .finish_non_exhaustive()
    }
}

/// What would have come of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Foreseen {
    /// It would have come to an end, or wait for people.
    Told {
        /// How it would stand: a word of a run's status.
        status: &'static str,
        /// The effects it would have had, in order.
        effects: Vec<Effect>,
        /// What a rule would have refused: place and reason.
        refused: Vec<(Path, String)>,
    },
    /// It would have asked what nobody has asked before.
    Undecided {
        /// The reads without an answer: place, action, arguments.
        reads: Vec<(Path, String, Value)>,
    },
}

/// Tells what a simulated run would do. `started` is in the mode that performs no effects.
///
/// # Errors
/// What must always hold in a run and did not, in words.
pub fn foresee(
    stage: Stage<'_>,
    started: Started,
    at: Timestamp,
    past: Past<'_>,
) -> Result<Foreseen, String> {
    let world = RememberedWorld {
        past,
        catalog: stage.catalog,
        started: started.clone(),
        ledger: Ledger::default(),
    };
    let mut rehearsal = Rehearsal::begin(stage, started, at, world)?;
    for _ in 0..TURNS_MAX {
        let work = rehearsal.work();
        let known = work
            .iter()
            .position(|work| rehearsal.world.knows(work.intended()));
        if known.is_none() && !work.is_empty() {
            let read = |work: &Work| {
                let intended = work.intended();
                (
                    intended.path.clone(),
                    intended.action.clone(),
                    intended.arguments.clone(),
                )
            };
            return Ok(Foreseen::Undecided {
                reads: work.iter().map(read).collect(),
            });
        }
        if let Some(end) = rehearsal.turn(|_| known.unwrap_or(0))? {
            return Ok(told(&rehearsal, end));
        }
    }
    Err(format!("the run did not end within {TURNS_MAX} commands"))
}

fn told(rehearsal: &Rehearsal<'_, RememberedWorld<'_>>, end: End) -> Foreseen {
    let status = match end {
        End::Over(status) => status,
        End::WaitsForPerson => rehearsal.run().status(),
    };
    let refused = rehearsal
        .events()
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Refused { path, detail, .. } => Some((path.clone(), detail.clone())),
            _ => None,
        });
    Foreseen::Told {
        status: status.word(),
        effects: simulated(rehearsal.events()),
        refused: refused.collect(),
    }
}

/// A world that answers as it did.
struct RememberedWorld<'a> {
    past: Past<'a>,
    catalog: &'a dyn Catalog,
    started: Started,
    ledger: Ledger,
}

impl RememberedWorld<'_> {
    fn remembered(&self, intended: &Intended) -> Option<&Outcome> {
        let own = self.past.own.recall(intended);
        own.or_else(|| self.past.others.recall(intended))
    }

    fn only_computes(&self, intended: &Intended) -> bool {
        let spec = self.catalog.action(&intended.action);
        spec.is_some_and(|spec| !spec.needs_connection)
    }

    fn knows(&self, intended: &Intended) -> bool {
        self.only_computes(intended) || self.remembered(intended).is_some()
    }
}

impl World for RememberedWorld<'_> {
    fn perform(&mut self, intended: &Intended) -> Outcome {
        if self.only_computes(intended) {
            return (self.past.compute)(&self.started, intended);
        }
        let remembered = self.remembered(intended).cloned();
        remembered.unwrap_or_else(|| Outcome::Failed {
            kind: playbooks::action_spec::ErrorKind::Internal,
            detail: "it was asked without an answer".to_owned(),
            not_sent: true,
            retry_after: None,
        })
    }

    fn probe(&mut self, _: &Intended) -> ProbeAnswer {
        ProbeAnswer::CannotTell {
            detail: "a simulated run has nothing to probe".to_owned(),
        }
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}
