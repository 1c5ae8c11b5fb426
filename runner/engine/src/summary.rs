//! One sentence about a run.
//!
//! Owns its wording: what happened first, then what a person must know besides.

use std::fmt::Write as _;

use playbooks::marking::EffectClass;
use playbooks::plan::Plan;
use state::event::SkipCause;

use crate::run::{Run, StepStatus};
use crate::words::{carried, count};

/// The run so far; once it is over, the run.
pub(crate) fn so_far(plan: &Plan, run: &Run) -> String {
    let mut sentence = head(plan, run);
    for extra in [
        handled(run),
        unknown(plan, run),
        unsent(plan, run),
        undone(plan, run),
    ]
    .into_iter()
    .flatten()
    {
        sentence.push_str("; ");
        sentence.push_str(&extra);
    }
    sentence
}

fn head(plan: &Plan, run: &Run) -> String {
    if let Some(failing) = &run.failing {
        let verb = if failing.refused { "refused" } else { "failed" };
        return match failing.step.and_then(|index| plan.steps.get_index(index)) {
            Some((id, _)) => format!("{verb} at `{id}`: {}", carried(&failing.error)),
            None => format!("{verb}: {}", carried(&failing.error)),
        };
    }
    if let Some((actor, reason)) = &run.cancel {
        return format!("cancelled by {}: {}", actor.name, carried(reason));
    }
    let with = |status: StepStatus| run.steps.iter().filter(|state| state.status() == status).count();
    let mut sentence = count(with(StepStatus::Succeeded), "step done", "steps done");
    let skipped = with(StepStatus::Skipped);
    if skipped > 0 {
        let _ = write!(sentence, ", {skipped} skipped");
    }
    let refused = with(StepStatus::Refused);
    if refused > 0 {
        let _ = write!(sentence, ", {refused} refused");
    }
    sentence
}

fn handled(run: &Run) -> Option<String> {
    let number = usize::try_from(run.handled_failures).unwrap_or(usize::MAX);
    (number > 0).then(|| count(number, "failure was handled", "failures were handled"))
}

fn unknown(plan: &Plan, run: &Run) -> Option<String> {
    let spot = run.unknown.first()?;
    let (id, _) = plan.steps.get_index(spot.step)?;
    let others = run.unknown.len() - 1;
    Some(if others == 0 {
        format!("the outcome of `{id}` is unknown")
    } else {
        format!("the outcome of `{id}` and of {others} more is unknown")
    })
}

fn undone(plan: &Plan, run: &Run) -> Option<String> {
    let (done, failed) = run.undone();
    let done = (done > 0).then(|| count(done, "effect was taken back", "effects were taken back"));
    let failed = failed.and_then(|(spot, _)| {
        let (id, _) = plan.steps.get_index(spot.step)?;
        Some(format!("what `{id}` did could not be taken back"))
    });
    match (done, failed) {
        (Some(done), Some(failed)) => Some(format!("{done}, {failed}")),
        (done, failed) => done.or(failed),
    }
}

/// A message that was not sent because something it needed was absent must not be lost in the
/// middle of a list of skipped steps.
fn unsent(plan: &Plan, run: &Run) -> Option<String> {
    plan.steps
        .values()
        .zip(&run.steps)
        .filter(|(step, _)| step.action.effect == EffectClass::Notify)
        .find_map(|(step, state)| match state.skipped_because()? {
            SkipCause::Needs { why } | SkipCause::Absent { why } | SkipCause::IfUndecided { why } => Some(
                format!("the message of `{}` was not sent: {}", step.id, carried(why)),
            ),
            _ => None,
        })
}
