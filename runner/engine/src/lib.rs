//! What happens next: a run is a fold of its events, and every next event is a pure function of
//! the plan, that fold, one command and the surroundings.
//!
//! Owns the order of steps, skips and their causes, failing, retries, recovery after a crash, and
//! the guardrails that stand before every effect. Never performs anything, never reads a clock,
//! draws a random number or waits: a host persists what [`decide()`] returns and then carries out
//! what [`effects()`] asks for. Nothing a host holds in memory is needed to go on after a crash.
//!
//! Map of the crate, in reading order:
//! - [`surroundings`]: what a decision may look at besides the run;
//! - [`mod@start`]: whether a playbook applies, and event 0 of its run;
//! - [`run`]: the folded state and its invariants;
//! - [`decide()`]: from a command to events;
//! - [`guardrails`]: the rules below every playbook;
//! - [`who`]: who may reply to what people are asked;
//! - [`effects()`], [`wake_at`], [`row`]: what a host derives from a run, at any time again;
//! - [`mod@names`]: what expressions and templates read;
//! - [`rehearsal`]: a driver in memory for tests.

mod backoff;
pub mod decide;
pub mod effects;
pub mod guardrails;
mod key;
mod mail;
pub mod names;
pub mod rehearsal;
pub mod run;
pub mod start;
mod summary;
pub mod surroundings;
pub mod who;
mod words;

pub use decide::{Command, Refusal, decide};
pub use effects::{Work, effects, row, wake_at};
pub use names::names;
pub use run::{Again, Asked, Corrupt, Effect, Run, StepReport, StepStatus, UndoLine};
pub use start::{Match, StartRefusal, StartRequest, matches, start, turn};
pub use surroundings::{BlockCounts, Surroundings};

#[cfg(test)]
mod scenery;
#[cfg(test)]
mod tests;
