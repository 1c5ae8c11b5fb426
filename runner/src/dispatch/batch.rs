//! The events of one decision on their way into the store: one commit, or several when the store
//! takes less at once.
//!
//! Owns how a decision is divided and what takes the place of an event that is too large by
//! itself. Any first part of a decision is a state that the engine goes on from, so a crash
//! between two parts costs nothing. Stores nothing itself.

use jiff::Timestamp;
use playbooks::action_spec::ErrorKind;
use state::event::{Event, Outcome, RunStatus};
use state::ids::Path;
use state::store::RunRow;

/// Leaves out what would begin another attempt or a mail: while the process comes to rest, nothing is
/// intended that nobody will perform. The next start decides it again.
pub(super) fn without_new_work(events: &mut Vec<Event>) -> bool {
    let first = events
        .iter()
        .position(|event| matches!(event, Event::Intended(_) | Event::Telling { .. }));
    match first {
        Some(first) => {
            events.truncate(first);
            true
        }
        None => false,
    }
}

/// The row of a run of whose last decision only a part is stored: whoever finds it goes on at
/// once, whatever the part alone looks like.
pub(super) fn unfinished(mut row: RunRow, now: Timestamp) -> RunRow {
    if !row.status.is_over() {
        row.wake_at = Some(now);
        if row.status != RunStatus::Failing {
            row.status = RunStatus::Running;
        }
    }
    row
}

/// What is recorded instead of an event that the store cannot take: the step fails, or the value
/// is absent, with the reason. None when nothing can take its place.
pub(super) fn in_place_of(event: Event, why: &str) -> Option<Event> {
    let failed = |path: Path, attempt: u32, not_sent: bool, duration_ms: u64| Event::Finished {
        path,
        attempt,
        outcome: Outcome::Failed {
            kind: ErrorKind::Invalid,
            detail: why.to_owned(),
            not_sent,
            retry_after: None,
        },
        duration_ms,
    };
    match event {
        Event::LetSettled {
            name, value: Some(_), ..
        } => Some(Event::LetSettled {
            name,
            value: None,
            absent: Some(why.to_owned()),
        }),
        Event::Expanded { step, .. } => Some(failed(Path::step(&step), 0, true, 0)),
        Event::Intended(intended) if intended.attempt == 1 => Some(failed(intended.path, 0, true, 0)),
        Event::Finished {
            path,
            attempt,
            outcome: Outcome::Succeeded { .. } | Outcome::Simulated { .. },
            duration_ms,
        } => Some(failed(path, attempt, false, duration_ms)),
        Event::Closed {
            status,
            outputs,
            summary,
            handled_failures,
            records,
        } if !outputs.is_empty() => Some(Event::Closed {
            status,
            outputs: std::collections::BTreeMap::new(),
            summary: format!("{summary}; its outputs were left out: {why}"),
            handled_failures,
            records,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
