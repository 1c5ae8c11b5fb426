//! The load generator: how much work Sortie does in a second, beside a bare program that makes the
//! same calls.
//!
//! Owns the reference job `triage-5` (three look-ups side by side, a condition, a block, a ticket, a
//! message) and what is measured around it. Asserts nothing: figures depend on the machine, so they
//! are reported and read by people.

pub mod append;
pub mod bare;
pub mod capacity;
pub mod doubles;
pub mod drive;
pub mod machine;
pub mod project;
pub mod sortie;
pub mod storm;
pub mod triage;
pub mod watch;
