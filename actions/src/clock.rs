//! Time as the actions see it.
//!
//! Owns the trait only. The runner implements it; tests bring their own.

use std::time::Duration;

use jiff::Timestamp;

/// Where rate limits, breakers and `Retry-After` take the time from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The wall clock, for dates of far ends and days of quotas.
    fn now(&self) -> Timestamp;
    /// Time since any fixed moment; never goes back. For waits and windows.
    fn elapsed(&self) -> Duration;
}

/// Follows the timer of the runtime, so that `tokio::time::advance` moves it.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct TestClock {
    start: tokio::time::Instant,
    epoch: Timestamp,
}

#[cfg(test)]
impl TestClock {
    /// Begins at 10 November 2026, noon.
    pub(crate) fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self {
            start: tokio::time::Instant::now(),
            epoch: "2026-11-10T12:00:00Z".parse().unwrap(),
        })
    }
}

#[cfg(test)]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.epoch + self.elapsed()
    }
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
