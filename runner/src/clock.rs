//! The one place that reads the machine's clock and its randomness.
//!
//! Owns "now" and fresh bits. Everything else takes both as parameters, so that tests and
//! recovery decide with recorded values.

use std::time::{Duration, Instant};

use actions::clock::Clock;
use jiff::Timestamp;
use state::ids::RunId;

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose elapsed time begins now.
    #[expect(clippy::disallowed_methods, reason = "the home of the clock")]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the home of the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A fresh run id for this moment.
pub fn fresh_run_id(now: Timestamp) -> RunId {
    RunId::from_parts(u64::try_from(now.as_millisecond()).unwrap_or(0), rand::random())
}

/// How long to wait from `now` until `at`; zero when it has passed.
pub fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}
