//! How often a connection may be called: so many in a time, so many in a day.
//!
//! Owns counting. The counters live in memory: a restart begins them anew.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::Timestamp;

use crate::clock::Clock;
use crate::connection::Rate;

const DAY_MILLISECONDS: i64 = 86_400_000;

/// Our clock for the limiter.
#[derive(Debug, Clone)]
struct Ticks(Arc<dyn Clock>);

impl GovernorClock for Ticks {
    type Instant = Duration;
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The limits of one connection.
#[derive(Debug)]
pub(crate) struct Limits {
    clock: Arc<dyn Clock>,
    rate: Option<RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>>,
    per_day: Option<NonZeroU32>,
    /// The day that is counted, since 1970, and its calls.
    day: Mutex<(i64, u32)>,
}

impl Limits {
    /// No call was made yet.
    pub(crate) fn new(rate: Option<Rate>, per_day: Option<NonZeroU32>, clock: Arc<dyn Clock>) -> Self {
        let rate = rate.and_then(|rate| {
            let one = rate.per.to_std().checked_div(rate.calls.get())?;
            let quota = Quota::with_period(one)?.allow_burst(rate.calls);
            Some(RateLimiter::direct_with_clock(quota, Ticks(Arc::clone(&clock))))
        });
        Self {
            clock,
            rate,
            per_day,
            day: Mutex::new((0, 0)),
        }
    }

    /// Takes one call of the rate, or says how long until there is one.
    pub(crate) fn take_rate(&self) -> Result<(), Duration> {
        let Some(rate) = &self.rate else { return Ok(()) };
        rate.check().map_err(|denied| {
            // A moment of zero would be asked again at once, for ever.
            denied
                .wait_time_from(self.clock.elapsed())
                .max(Duration::from_millis(1))
        })
    }

    /// Takes one call of the day, or says how long until the next day begins.
    pub(crate) fn take_day(&self) -> Result<(), Duration> {
        let Some(most) = self.per_day else { return Ok(()) };
        let now = self.clock.now();
        let today = now.as_millisecond().div_euclid(DAY_MILLISECONDS);
        let mut day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        if day.0 != today {
            *day = (today, 0);
        }
        if day.1 >= most.get() {
            return Err(until_tomorrow(now));
        }
        day.1 += 1;
        Ok(())
    }
}

fn until_tomorrow(now: Timestamp) -> Duration {
    let left = DAY_MILLISECONDS - now.as_millisecond().rem_euclid(DAY_MILLISECONDS);
    Duration::from_millis(left.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use playbooks::duration::Span;

    use super::Limits;
    use crate::clock::TestClock;
    use crate::connection::Rate;

    #[tokio::test(start_paused = true)]
    async fn a_burst_up_to_the_rate_then_one_at_a_time() {
        let rate = Rate {
            calls: 4.try_into().unwrap(),
            per: Span::minutes(1),
        };
        let limits = Limits::new(Some(rate), None, TestClock::new());
        for _ in 0..4 {
            limits.take_rate().unwrap();
        }
        assert_eq!(limits.take_rate(), Err(Duration::from_secs(15)));
        tokio::time::advance(Duration::from_secs(14)).await;
        assert_eq!(limits.take_rate(), Err(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        limits.take_rate().unwrap();
        limits.take_rate().unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_ends_at_midnight_utc() {
        let limits = Limits::new(None, Some(3.try_into().unwrap()), TestClock::new());
        for _ in 0..3 {
            limits.take_day().unwrap();
        }
        assert_eq!(limits.take_day(), Err(Duration::from_hours(12)));
        tokio::time::advance(Duration::from_hours(12)).await;
        limits.take_day().unwrap();
    }
}
