//! What a retry has done again.
//!
//! Owns the rule: what failed or was refused, what was left out because the run was failing or
//! cancelled, and what was left out because of one of these. What succeeded stays. Steps of
//! `on_failure` are as if nothing had happened: a second failure is news again.

use std::collections::BTreeSet;

use playbooks::marking::EffectClass;
use playbooks::plan::{Node, OnFailure, Plan, Section, Step};
use serde::Serialize;
use serde_json::Value;
use state::event::{RunStatus, SkipCause};
use state::ids::Path;

use super::place::Final;
use super::{Place, Run, StepState, StepStatus, Work};

/// Something that a retry does again, or for the first time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Again {
    /// Which; a step without an item stands for the whole step, or for the rest of its items.
    pub path: Path,
    /// The capability.
    pub action: String,
    /// Its class.
    pub effect: EffectClass,
    /// The arguments of the attempt that failed, if one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// What became of it before, in words.
    pub before: String,
}

impl Run {
    /// What a retry would do again, in the order of the playbook. `from` is a step that must be
    /// among what failed, or one whose failure was handled. The error says why there is nothing.
    pub fn again(&self, plan: &Plan, from: Option<&str>) -> Result<Vec<Again>, String> {
        let Some(closed) = &self.closed else {
            return Err("the run is not over; `sortie runs cancel` ends it".to_owned());
        };
        let seeds = self.seeds(plan, from)?;
        let steps = self.closure(plan, seeds);
        if steps.is_empty() {
            return Err(if closed.status == RunStatus::Succeeded {
                "the run succeeded; to do all of it once more, start a rerun".to_owned()
            } else {
                "nothing of the run failed or was left out".to_owned()
            });
        }
        Ok(steps
            .into_iter()
            .filter_map(|index| Some((plan.steps.get_index(index)?.1, self.steps.get(index)?)))
            .flat_map(|(step, state)| places_of(step, state))
            .collect())
    }

    /// Steps that failed, were refused, or were left out because the run ended.
    fn seeds(&self, plan: &Plan, from: Option<&str>) -> Result<BTreeSet<usize>, String> {
        let mut seeds = BTreeSet::new();
        let mut failed = Vec::new();
        for (index, (step, state)) in plan.steps.values().zip(&self.steps).enumerate() {
            let unhandled = match state.status() {
                StepStatus::Failed => step.on_failure != OnFailure::Continue,
                StepStatus::Refused => !step.if_refused_continue,
                _ => false,
            };
            if unhandled && step.section != Section::OnFailure {
                failed.push(step.id.as_str());
                seeds.insert(index);
            }
            if ended_with_the_run(state) {
                seeds.insert(index);
            }
        }
        let Some(from) = from else {
            return Ok(seeds);
        };
        let index = plan
            .steps
            .get_index_of(from)
            .ok_or_else(|| format!("the playbook has no step `{from}`"))?;
        if let Some(other) = failed.iter().find(|id| **id != from) {
            return Err(format!(
                "`{other}` failed too, and the run cannot succeed without it; leave --from out to try all of it again"
            ));
        }
        let state = self
            .steps
            .get(index)
            .ok_or_else(|| format!("there is no step `{from}`"))?;
        let handled = matches!(&state.work, Work::Each(each) if each.failed + each.refused > 0);
        if matches!(state.status(), StepStatus::Failed | StepStatus::Refused) || handled {
            seeds.insert(index);
            return Ok(seeds);
        }
        Err(format!(
            "`{from}` did not fail, it is {}; what succeeded is kept",
            state.status().word()
        ))
    }

    /// The seeds, what was left out because of them, and the steps of `on_failure`.
    fn closure(&self, plan: &Plan, mut steps: BTreeSet<usize>) -> BTreeSet<usize> {
        if steps.is_empty() {
            return steps;
        }
        let mut lets: BTreeSet<usize> = BTreeSet::new();
        loop {
            let before = (steps.len(), lets.len());
            for (index, definition) in plan.lets.values().enumerate() {
                let reads = definition.expression.reads();
                let touched = reads.iter().any(|read| match read.step() {
                    Some(id) => plan
                        .steps
                        .get_index_of(id)
                        .is_some_and(|index| steps.contains(&index)),
                    None => read
                        .path
                        .first()
                        .and_then(|root| plan.lets.get_index_of(root))
                        .is_some_and(|index| lets.contains(&index)),
                });
                if touched {
                    lets.insert(index);
                }
            }
            for (index, (step, state)) in plan.steps.values().zip(&self.steps).enumerate() {
                let because = step.waits_for.keys().any(|node| match node {
                    Node::Step(id) => plan
                        .steps
                        .get_index_of(id)
                        .is_some_and(|index| steps.contains(&index)),
                    Node::Let(name) => plan
                        .lets
                        .get_index_of(name)
                        .is_some_and(|index| lets.contains(&index)),
                });
                let left_out = state.skipped_because().is_some();
                let later = step.section == Section::OnFailure && !state.is_pending()
                    || step.section == Section::Finally && left_out;
                if later || because && left_out {
                    steps.insert(index);
                }
            }
            if (steps.len(), lets.len()) == before {
                return steps;
            }
        }
    }

    /// Lets that have no value any more, because what they read is done again. A let that read
    /// only what stays keeps its value.
    pub(super) fn lets_to_settle_again(&self, plan: &Plan) -> BTreeSet<usize> {
        let mut open: BTreeSet<usize> = BTreeSet::new();
        loop {
            let before = open.len();
            for (index, definition) in plan.lets.values().enumerate() {
                let waits = definition
                    .expression
                    .reads()
                    .iter()
                    .any(|read| match read.step() {
                        // Steps of the later sections are out of a let's reach.
                        Some(id) => plan.steps.get_full(id).is_some_and(|(index, _, step)| {
                            step.section == Section::Steps && self.open.contains(&index)
                        }),
                        None => read
                            .path
                            .first()
                            .and_then(|root| plan.lets.get_index_of(root))
                            .is_some_and(|index| open.contains(&index)),
                    });
                if waits {
                    open.insert(index);
                }
            }
            if open.len() == before {
                return open;
            }
        }
    }

    /// Whether its failure waits for somebody: nobody retried, undid, settled or acknowledged it.
    pub(crate) fn needs_attention(&self) -> bool {
        let failed = self.closed.as_ref().map(|closed| closed.status) == Some(RunStatus::Failed);
        failed && !self.answered
    }
}

/// Left out because the run was failing or cancelled.
fn ended_with_the_run(state: &StepState) -> bool {
    let ended = |cause: &SkipCause| matches!(cause, SkipCause::RunFailing | SkipCause::RunCancelled);
    match &state.work {
        Work::One(_) => state.skipped_because().is_some_and(ended),
        Work::Each(each) => each.cut.as_ref().is_some_and(ended),
    }
}

/// The places of a step that is done again.
fn places_of(step: &Step, state: &StepState) -> Vec<Again> {
    let again = |item: Option<u32>, place: Option<&Place>, before: String| {
        let last = place.and_then(Place::last);
        Again {
            path: Path {
                step: step.id.as_str().into(),
                item,
                undo: false,
            },
            action: step.action.name.clone(),
            effect: last.map_or(step.action.effect, |last| last.effect),
            arguments: last.map(|last| last.arguments.clone()),
            before,
        }
    };
    let reason = || {
        let settled = state.settled.as_ref();
        settled
            .and_then(|settled| settled.reason.clone())
            .unwrap_or_else(|| "not begun".to_owned())
    };
    match &state.work {
        Work::Each(each) if each.keeps_items() => {
            let mut places: Vec<Again> = each
                .touched()
                .filter_map(|(item, place)| {
                    let before = match place {
                        Place::Done {
                            result: Final::Failed(why) | Final::Refused(why),
                            ..
                        } => why.clone(),
                        Place::Done {
                            result: Final::Skipped(cause),
                            ..
                        } => crate::words::skip_cause(cause),
                        _ => return None,
                    };
                    Some(again(u32::try_from(item).ok(), Some(place), before))
                })
                .collect();
            let rest = each.items.len().saturating_sub(each.next);
            if rest > 0 {
                places.push(again(
                    None,
                    None,
                    format!("{rest} of its items were not taken up"),
                ));
            }
            places
        }
        Work::Each(_) => vec![again(None, None, reason())],
        Work::One(place) => vec![again(None, Some(place), reason())],
    }
}
