//! Tests over the public face of Sortie: the binary, its API, its files. One binary for all of them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    reason = "a test fails by panicking, and says what it did"
)]

mod approvals;
mod cancelling;
mod clock;
mod command_line;
mod crash;
mod crash_decisions;
mod decisions;
mod examples;
mod expiry;
mod files;
mod hostile;
mod in_time;
mod intake;
mod ledger;
mod letters;
mod pace;
mod plain_http;
mod questions;
mod setbacks;
mod shadow;
mod simulate;
mod storm;
mod tenancy;
mod tenants;
mod trials;
mod turns;
mod undo;

/// The binary under test.
const BINARY: &str = env!("CARGO_BIN_EXE_sortie-under-test");
