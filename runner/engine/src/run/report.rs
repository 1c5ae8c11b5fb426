//! What people are shown of the steps of a run.
//!
//! Owns no state; everything is read off the fold.

use std::sync::Arc;

use jiff::Timestamp;
use playbooks::marking::EffectClass;
use playbooks::plan::{Plan, Section};
use serde::Serialize;
use serde_json::Value;
use state::event::{Intended, Mode};
use state::ids::Path;

use super::{Asked, Final, Place, Run, StepStatus, Work};

/// One step as lists and pages show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub section: Section,
    /// The capability.
    pub action: String,
    /// How it stands.
    pub status: StepStatus,
    /// Attempts of all its items together.
    pub attempts: u32,
    /// Why it did not succeed, or what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was first intended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it wants to go on by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Rounds of a repeated step that were begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// Items of a `for_each` step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemCounts>,
    /// Its outputs, when it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

/// The counter of a `for_each` step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ItemCounts {
    /// In the list.
    pub total: usize,
    /// Succeeded.
    pub succeeded: usize,
    /// Failed.
    pub failed: usize,
    /// Skipped.
    pub skipped: usize,
    /// Refused.
    pub refused: usize,
    /// Of unknown outcome.
    pub unknown: usize,
}

/// An effect that the run had, above reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Where.
    pub path: Path,
    /// The attempt that had it.
    pub intended: Arc<Intended>,
    /// Its outputs.
    pub output: Arc<Value>,
}

impl Run {
    /// Every effect that succeeded, in the order of the playbook. In a simulation there is none.
    pub fn effects_done(&self, plan: &Plan) -> Vec<Effect> {
        let done = |path: Path, place: &Place| match place {
            Place::Done {
                last: Some(last),
                result: Final::Succeeded(output),
            } if last.effect > EffectClass::Read && self.started.mode == Mode::Auto => Some(Effect {
                path,
                intended: Arc::clone(last),
                output: Arc::clone(output),
            }),
            _ => None,
        };
        let mut effects = Vec::new();
        for (step, state) in plan.steps.values().zip(&self.steps) {
            match &state.work {
                Work::One(place) => effects.extend(done(Path::step(&step.id), place)),
                Work::Each(each) => effects.extend(each.touched().filter_map(|(item, place)| {
                    done(Path::item(&step.id, u32::try_from(item).ok()?), place)
                })),
            }
        }
        effects
    }

    /// Every step of the plan in file order.
    pub fn steps(&self, plan: &Plan) -> Vec<StepReport> {
        plan.steps
            .values()
            .zip(&self.steps)
            .enumerate()
            .map(|(index, (step, state))| {
                let settled = state.settled.as_ref();
                let until = self
                    .timers
                    .iter()
                    .find(|(_, spot)| spot.step == index)
                    .map(|(at, _)| *at)
                    .or_else(|| self.awaited_by(index).map(|asked| asked.until));
                StepReport {
                    id: step.id.clone(),
                    section: step.section,
                    action: step.action.name.clone(),
                    status: match self.awaited_by(index) {
                        Some(_) if settled.is_none() => StepStatus::Waiting,
                        _ => state.status(),
                    },
                    attempts: state.attempts,
                    reason: settled
                        .and_then(|settled| settled.reason.clone())
                        .or_else(|| self.awaited_by(index).map(asked_reason))
                        .or_else(|| open_reason(&state.work, state.rounds)),
                    started_at: state.started_at,
                    until,
                    rounds: step.repeat.as_ref().map(|_| state.rounds),
                    items: match &state.work {
                        Work::One(_) => None,
                        Work::Each(each) => Some(ItemCounts {
                            total: each.items.len(),
                            succeeded: each.succeeded,
                            failed: each.failed,
                            skipped: each.skipped,
                            refused: each.refused,
                            unknown: each.unknown,
                        }),
                    },
                    output: settled
                        .filter(|settled| settled.status == StepStatus::Succeeded)
                        .map(|settled| settled.view.clone()),
                }
            })
            .collect()
    }
}

/// Whom a step waits for.
fn asked_reason(asked: &Asked) -> String {
    format!("waits for {}", asked.who.join(", "))
}

/// What a step that is not settled waits for.
fn open_reason(work: &Work, rounds: u32) -> Option<String> {
    match work {
        Work::One(Place::Waits(_)) => Some("waits for its time".to_owned()),
        Work::One(Place::Rested(_)) => Some(format!("waits for round {}", rounds + 1)),
        Work::One(Place::Retry { failure, .. }) => Some(format!("will be tried again: {}", failure.detail)),
        Work::One(Place::Doubtful(_)) => Some("asks whether it happened".to_owned()),
        Work::One(Place::Unknowable { detail, .. } | Place::Unknown { detail, .. }) => Some(detail.clone()),
        _ => None,
    }
}
