//! What a host derives from a run, at any time again: the work to carry out, when to look again,
//! and the row of lists.
//!
//! Owns no state: losing all of it in a crash is harmless.

use std::sync::Arc;

use jiff::Timestamp;
use playbooks::plan::Plan;
use state::event::Intended;
use state::store::RunRow;

use crate::run::Run;

/// Work for the host.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Perform this attempt, once, within its timeout; then give `Finished`.
    Perform(Arc<Intended>),
    /// Ask whether this attempt had happened; then give `Probed`.
    Probe(Arc<Intended>),
}

/// The work a run waits for: `Perform` for every intent without outcome, `Probe` for every
/// doubtful one whose time has come. Work that the host has in hand is listed again: it knows
/// which path and attempt it is busy with.
pub fn effects(_run: &Run, _now: Timestamp) -> Vec<Work> {
    Vec::new()
}

/// When the run wants a `Wake`, whatever else happens: the next retry, the next probe, the end of
/// its time. `None` when nothing is timed.
pub fn wake_at(_run: &Run) -> Option<Timestamp> {
    None
}

/// The run as lists and the scheduler see it.
pub fn row(_plan: &Plan, run: &Run) -> RunRow {
    RunRow {
        status: run.status(),
        wake_at: wake_at(run),
        effects: 0,
        note: String::new(),
    }
}
