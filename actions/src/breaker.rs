//! A circuit breaker: leaves a far end alone that keeps failing.
//!
//! Owns the decision, as a pure function of what happened and of a time that is handed in. Knows
//! neither clocks nor connections.

use std::time::Duration;

/// Failures in a row after which the far end is left alone.
pub(crate) const FAILURES_MAX: u32 = 5;
/// How long it is left alone at first; doubles each time it fails again.
pub(crate) const OPEN_FIRST: Duration = Duration::from_secs(30);
/// How long it is left alone at most.
pub(crate) const OPEN_MAX: Duration = Duration::from_mins(10);
/// After how long a trial that never reported is given up and another is let through.
pub(crate) const TRIAL_MAX: Duration = Duration::from_mins(5);

/// Whether calls may go to one far end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breaker {
    state: State,
    /// The far end asked for silence until then.
    held_until: Duration,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration, wait: Duration },
    Trial { since: Duration, wait: Duration },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// How long a call would have to wait; changes nothing.
    pub(crate) fn wait(&self, now: Duration) -> Option<Duration> {
        let until = match self.state {
            State::Closed { .. } => Duration::ZERO,
            State::Open { until, .. } => until,
            State::Trial { since, .. } => since + TRIAL_MAX,
        };
        let wait = until.max(self.held_until).saturating_sub(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// Lets a call through, or says how long it would have to wait. After the far end was left
    /// alone, one call is let through as a trial.
    pub(crate) fn admit(&mut self, now: Duration) -> Result<(), Duration> {
        if let Some(wait) = self.wait(now) {
            return Err(wait);
        }
        if let State::Open { wait, .. } | State::Trial { wait, .. } = self.state {
            self.state = State::Trial { since: now, wait };
        }
        Ok(())
    }

    /// The far end answered, whatever it said.
    pub(crate) fn answered(&mut self) {
        self.state = State::default();
    }

    /// The far end failed or was not reached.
    pub(crate) fn failed(&mut self, now: Duration) {
        self.state = match self.state {
            State::Closed { failures } if failures + 1 < FAILURES_MAX => State::Closed {
                failures: failures + 1,
            },
            State::Closed { .. } => open(now, OPEN_FIRST),
            State::Trial { wait, .. } => open(now, wait.saturating_mul(2).min(OPEN_MAX)),
            // A call from before the breaker opened: it knows nothing new.
            open @ State::Open { .. } => open,
        };
    }

    /// The call ended without saying anything of the far end.
    pub(crate) fn undecided(&mut self, now: Duration) {
        if let State::Trial { wait, .. } = self.state {
            self.state = State::Open { until: now, wait };
        }
    }

    /// The far end asked for silence.
    pub(crate) fn hold(&mut self, now: Duration, wait: Duration) {
        self.held_until = self.held_until.max(now + wait);
    }
}

fn open(now: Duration, wait: Duration) -> State {
    State::Open {
        until: now + wait,
        wait,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Breaker, FAILURES_MAX, OPEN_FIRST, OPEN_MAX, TRIAL_MAX};

    const MOMENT: Duration = Duration::from_millis(1);

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            breaker.failed(Duration::ZERO);
        }
        breaker
    }

    #[test]
    fn opens_at_the_limit_and_not_before() {
        let mut breaker = Breaker::default();
        for _ in 1..FAILURES_MAX {
            breaker.failed(Duration::ZERO);
            assert_eq!(breaker.admit(Duration::ZERO), Ok(()));
        }
        breaker.failed(Duration::ZERO);
        assert_eq!(breaker.admit(Duration::ZERO), Err(OPEN_FIRST));
    }

    #[test]
    fn an_answer_forgets_failures() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 1..FAILURES_MAX {
                breaker.failed(Duration::ZERO);
            }
            breaker.answered();
        }
        assert_eq!(breaker.admit(Duration::ZERO), Ok(()));
    }

    #[test]
    fn lets_one_trial_through_and_closes_on_its_answer() {
        let mut breaker = opened();
        assert!(breaker.admit(OPEN_FIRST.abs_diff(MOMENT)).is_err());
        assert_eq!(breaker.admit(OPEN_FIRST), Ok(()));
        assert!(
            breaker.admit(OPEN_FIRST).is_err(),
            "a second call during the trial"
        );
        breaker.answered();
        assert_eq!(breaker.admit(OPEN_FIRST), Ok(()));
        assert_eq!(breaker.admit(OPEN_FIRST), Ok(()));
    }

    #[test]
    fn waits_twice_as_long_after_each_failed_trial_up_to_the_limit() {
        let mut breaker = opened();
        let mut now = Duration::ZERO;
        let mut expected = OPEN_FIRST;
        for _ in 0..8 {
            let wait = breaker.wait(now).unwrap();
            assert_eq!(wait, expected);
            now += wait;
            breaker.admit(now).unwrap();
            breaker.failed(now);
            expected = (expected * 2).min(OPEN_MAX);
        }
        assert_eq!(expected, OPEN_MAX);
    }

    #[test]
    fn a_trial_that_never_reports_or_knows_nothing_blocks_nobody_for_ever() {
        let mut lost = opened();
        lost.admit(OPEN_FIRST).unwrap();
        assert!(lost.admit(OPEN_FIRST + TRIAL_MAX.abs_diff(MOMENT)).is_err());
        assert_eq!(lost.admit(OPEN_FIRST + TRIAL_MAX), Ok(()));

        let mut undecided = opened();
        undecided.admit(OPEN_FIRST).unwrap();
        undecided.undecided(OPEN_FIRST);
        assert_eq!(undecided.admit(OPEN_FIRST), Ok(()));
    }

    #[test]
    fn silence_is_kept_as_asked() {
        let mut breaker = Breaker::default();
        breaker.hold(Duration::ZERO, Duration::from_mins(2));
        breaker.hold(Duration::ZERO, Duration::from_mins(1));
        breaker.answered();
        assert!(breaker.admit(Duration::from_mins(2).abs_diff(MOMENT)).is_err());
        assert_eq!(breaker.admit(Duration::from_mins(2)), Ok(()));
    }
}
