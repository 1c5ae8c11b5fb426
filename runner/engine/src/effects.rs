//! What a host derives from a run, at any time again: the work to carry out, when to look again,
//! and the row of lists.
//!
//! Owns no state: losing all of it in a crash is harmless.

use std::sync::Arc;

use jiff::Timestamp;
use playbooks::plan::{Plan, Section};
use state::event::{Intended, RunStatus, Subject};
use state::store::RunRow;

use crate::run::{Asked, Due, Place, Run, Spot};
use crate::{summary, words};

/// Work for the host.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Perform this attempt, once, within its timeout; then give `Finished`.
    Perform(Arc<Intended>),
    /// Ask whether this attempt had happened; then give `Probed`.
    Probe(Arc<Intended>),
}

impl Work {
    /// The attempt it is about.
    pub fn intended(&self) -> &Arc<Intended> {
        let (Self::Perform(intended) | Self::Probe(intended)) = self;
        intended
    }
}

/// The work a run waits for: `Perform` for every intent without outcome, `Probe` for every
/// doubtful one whose time has come. Work that the host has in hand is listed again: it knows
/// which path and attempt it is busy with.
pub fn effects(run: &Run, now: Timestamp) -> Vec<Work> {
    let perform = run.live.iter().filter_map(|spot| match run.place(*spot)? {
        Place::Live(intended) => Some(Work::Perform(Arc::clone(intended))),
        _ => None,
    });
    let probe = run.doubtful.iter().filter_map(|spot| match run.place(*spot)? {
        Place::Doubtful(doubt) => {
            let due = match doubt.due {
                Due::Now => true,
                Due::At(at) => at <= now,
                Due::Unscheduled => false,
            };
            due.then(|| Work::Probe(Arc::clone(&doubt.last)))
        }
        _ => None,
    });
    perform.chain(probe).collect()
}

/// When the run wants a `Wake`, whatever else happens: the next retry, the next probe, the end
/// of the time to reply, the end of its own time. `None` when nothing is timed.
pub fn wake_at(plan: &Plan, run: &Run) -> Option<Timestamp> {
    if run.closed.is_some() || run.is_queued() {
        return None;
    }
    let timer = run.timers.first().map(|(at, _)| *at);
    let inquiry = run.open_inquiries.first().map(|(at, _)| *at);
    let winding_down = run.failing.is_some() || run.cancel.is_some();
    let deadline = (!winding_down && !run.section_is_over(plan, Section::Steps)).then_some(run.deadline);
    timer.into_iter().chain(inquiry).chain(deadline).min()
}

/// The run as lists and the scheduler see it.
pub fn row(plan: &Plan, run: &Run) -> RunRow {
    let open = u32::try_from(run.unknown.len() + run.doubtful.len()).unwrap_or(u32::MAX);
    RunRow {
        status: run.status(),
        wake_at: wake_at(plan, run),
        effects: run.effects_done.saturating_add(open),
        note: note(plan, run),
        attention: run.needs_attention(),
        turns: run.closed.is_none().then(|| run.started.turns()).flatten(),
    }
}

fn waits_for_people(asked: &Asked) -> String {
    let what = match asked.inquiry.subject {
        Subject::Approval { .. } => "an approval of",
        Subject::Choice { .. } => "an answer to",
    };
    format!(
        "waits for {what} `{}` by {}, until {}",
        asked.inquiry.steps.join("`, `"),
        asked.who.join(", "),
        asked.until.strftime("%Y-%m-%d %H:%MZ")
    )
}

fn note(plan: &Plan, run: &Run) -> String {
    if let Some(closed) = &run.closed {
        return closed.summary.clone();
    }
    let named = |spot: &Spot| plan.steps.get_index(spot.step).map(|(id, _)| id.as_str());
    let step = |spot: Option<&Spot>| spot.and_then(named).unwrap_or("nothing");
    match run.status() {
        RunStatus::Queued => run.started.waits_for(),
        RunStatus::Failing => summary::so_far(plan, run),
        RunStatus::Stuck => match (run.unknown.first(), run.undone().1) {
            (None, Some((spot, why))) => format!(
                "waits for a person: what `{}` did could not be taken back: {}",
                step(Some(&spot)),
                words::carried(why)
            ),
            (unknown, _) => format!(
                "waits for a person: the outcome of `{}` is unknown",
                step(unknown)
            ),
        },
        RunStatus::Waiting => match (run.inquiries().find(|asked| asked.is_open()), run.timers.first()) {
            (Some(asked), _) => waits_for_people(asked),
            (None, Some((at, spot))) => {
                let round = match run.place(*spot) {
                    Some(Place::Rested(_)) => {
                        let rounds = run.steps.get(spot.step).map_or(0, |state| state.rounds);
                        format!("round {} of ", rounds + 1)
                    }
                    _ => String::new(),
                };
                format!("waits until {at} for {round}`{}`", step(Some(spot)))
            }
            (None, None) => "waits".to_owned(),
        },
        _ => match run.live.len() + run.doubtful.len() {
            0 => "begins".to_owned(),
            1 => format!("works on `{}`", step(run.live.first().or(run.doubtful.first()))),
            several => format!(
                "works on `{}` and {} more",
                step(run.live.first().or(run.doubtful.first())),
                several - 1
            ),
        },
    }
}
