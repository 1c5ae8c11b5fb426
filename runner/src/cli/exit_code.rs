//! Exit codes. Public and stable: scripts branch on them.

use std::process::ExitCode;

/// What the process says when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, and the answer is yes.
    Yes = 0,
    /// It ran and the answer is no: findings, a failed run.
    No = 1,
    /// Bad usage or configuration.
    Usage = 2,
    /// The server or store cannot be reached.
    Unreachable = 3,
    /// Not signed in, or not allowed.
    Denied = 4,
    /// Not found.
    NotFound = 5,
    /// Refused by policy: marking, guardrail, rollout.
    Refused = 6,
    /// Still waiting: a time, or a person.
    Waiting = 8,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
