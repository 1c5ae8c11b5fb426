//! Since when the clock has run evenly.
//!
//! Owns the comparison of the clock that people can set with the one that nobody can. What is read
//! from it decides only how long "it is not there" of a far end is not believed, so to be wrong
//! towards "just now" costs a wait and nothing else.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actions::clock::Clock;
use jiff::{SignedDuration, Timestamp};

/// How far the two clocks may drift apart between two looks: reading both is not one moment, and a
/// clock that is being corrected runs a little faster or slower.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(1);

/// Remembers the last look at both clocks.
#[derive(Debug)]
pub(super) struct Evenness(Mutex<Look>);

#[derive(Debug)]
struct Look {
    now: Timestamp,
    elapsed: Duration,
    since: Timestamp,
}

impl Evenness {
    /// Nothing is known about the time before this process.
    pub(super) fn new(clock: &dyn Clock) -> Self {
        let now = clock.now();
        Self(Mutex::new(Look {
            now,
            elapsed: clock.elapsed(),
            since: now,
        }))
    }

    /// Since when the clock has not been set, as far as this process can tell. To be called at
    /// least now and then: a clock that was set forth and back between two calls goes unnoticed.
    pub(super) fn since(&self, clock: &dyn Clock) -> Timestamp {
        let (now, elapsed) = (clock.now(), clock.elapsed());
        let mut look = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed =
            SignedDuration::try_from(elapsed.saturating_sub(look.elapsed)).unwrap_or(SignedDuration::MAX);
        let strayed = now.duration_since(look.now).saturating_sub(passed);
        if strayed.abs() > TOLERANCE {
            tracing::warn!(
                seconds = strayed.as_secs(),
                "The clock was set; what far ends say about lost attempts is not believed for a while."
            );
            look.since = now;
        }
        (look.now, look.elapsed) = (now, elapsed);
        look.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clocks that are moved by hand.
    #[derive(Debug)]
    struct ByHand(Mutex<(Timestamp, Duration)>);

    impl ByHand {
        fn pass(&self, time: Duration) {
            let mut held = self.0.lock().unwrap();
            held.0 += time;
            held.1 += time;
        }

        fn set(&self, by: SignedDuration) {
            self.0.lock().unwrap().0 += by;
        }
    }

    impl Clock for ByHand {
        fn now(&self) -> Timestamp {
            self.0.lock().unwrap().0
        }

        fn elapsed(&self) -> Duration {
            self.0.lock().unwrap().1
        }
    }

    #[test]
    fn a_clock_that_was_set_is_even_from_then_on_and_drifting_is_no_setting() {
        let clock = ByHand(Mutex::new((Timestamp::UNIX_EPOCH, Duration::from_hours(5))));
        let evenness = Evenness::new(&clock);
        let start = clock.now();
        clock.pass(Duration::from_hours(2));
        clock.set(TOLERANCE);
        assert_eq!(evenness.since(&clock), start);
        for jump in [SignedDuration::from_hours(1), SignedDuration::from_secs(-2)] {
            clock.pass(Duration::from_mins(1));
            clock.set(jump);
            let then = clock.now();
            assert_eq!(evenness.since(&clock), then);
            clock.pass(Duration::from_mins(1));
            assert_eq!(evenness.since(&clock), then, "it stays so");
        }
    }
}
