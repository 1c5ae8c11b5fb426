//! Work that failed and is taken up again by itself.
//!
//! Owns the pauses between two tries. What is tried is in the store; losing this loses nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use state::ids::RunId;

use super::Dispatcher;
use super::worker::Trouble;

/// The pause after the first failure; it doubles with each that follows.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
pub(super) const PAUSE_MAX: Duration = Duration::from_mins(10);

/// How often in a row a run was put down.
#[derive(Debug, Default)]
pub(super) struct Setbacks {
    counts: Mutex<HashMap<RunId, u32>>,
}

impl Setbacks {
    /// The run failed once more: how long to leave it alone.
    fn count(&self, run: &RunId) -> Duration {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = counts.entry(run.clone()).or_default();
        let pause = pause_after(*before);
        *before = before.saturating_add(1);
        pause
    }

    /// The run went well.
    pub(super) fn forget(&self, run: &RunId) {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(run);
    }
}

/// The pause after so many failures before this one.
pub(super) fn pause_after(failures: u32) -> Duration {
    PAUSE_MIN
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(PAUSE_MAX)
}

impl Dispatcher {
    /// Puts a run down and sets the time at which it is taken up again.
    pub(super) fn put_down(&self, run: &RunId, trouble: &Trouble) {
        let pause = self.inner.setbacks.count(run);
        tracing::error!(
            %run,
            error = %trouble,
            again_in_seconds = pause.as_secs(),
            "A run was put down; it is taken up again by itself."
        );
        let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::ZERO);
        let now = self.now();
        self.inner
            .timers
            .set(now.checked_add(pause).unwrap_or(now), run.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        assert_eq!(pause_after(0), PAUSE_MIN);
        assert_eq!(pause_after(1), 2 * PAUSE_MIN);
        assert_eq!(pause_after(6), 64 * PAUSE_MIN);
        assert_eq!(pause_after(12), PAUSE_MAX);
        assert_eq!(pause_after(u32::MAX), PAUSE_MAX);
    }
}
