//! How fast the holder of a token may ask.
//!
//! Owns the counting and nothing else: so many requests at once, so many in a second over time, for
//! each token. A script that runs wild is told to wait before it takes the service from the others.
//! Who comes through the socket of this machine is its operator, and is not counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::OperationError;

/// Requests that one token may make in a second, over time, unless the operator says otherwise.
pub const REQUESTS_PER_SECOND_MAX: u32 = 100;
/// Requests that one token may make at once, unless the operator says otherwise.
pub const REQUESTS_BURST_MAX: u32 = 1_000;

/// How many requests a token may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// In a second, over time; at least 1.
    pub per_second: u32,
    /// At once; at least 1.
    pub burst: u32,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            per_second: REQUESTS_PER_SECOND_MAX,
            burst: REQUESTS_BURST_MAX,
        }
    }
}

/// Counts the requests of every token.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: RequestLimits,
    /// Time that one request uses up.
    each: Duration,
    /// When a token will have used up nothing any more. As many entries as tokens that were
    /// accepted: nobody else gets here.
    free_at: Mutex<HashMap<String, Instant>>,
}

impl Pace {
    pub(crate) fn new(limits: RequestLimits) -> Self {
        let limits = RequestLimits {
            per_second: limits.per_second.max(1),
            burst: limits.burst.max(1),
        };
        Self {
            limits,
            each: Duration::from_secs(1) / limits.per_second,
            free_at: Mutex::default(),
        }
    }

    /// Counts a request of a token by its name, or says when the next one is taken.
    pub(crate) fn take(&self, token: &str) -> Result<(), OperationError> {
        let now = Instant::now();
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let used = free_at
            .get(token)
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let after = used + self.each;
        let allowance = self.each * self.limits.burst;
        if let Some(wait) = after.checked_sub(allowance).filter(|wait| !wait.is_zero()) {
            let RequestLimits { per_second, burst } = self.limits;
            return Err(OperationError::TooMany {
                why: format!(
                    "this token asks too fast: {burst} requests at once and {per_second} in a second are answered"
                ),
                retry_after: wait,
            });
        }
        free_at.insert(token.to_owned(), now + after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pace: &Pace, token: &str, tries: u32) -> u32 {
        (0..tries)
            .filter(|_| pace.take(token).is_ok())
            .count()
            .try_into()
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn each_token_has_its_burst_and_gets_it_back_with_time() {
        let pace = Pace::new(RequestLimits {
            per_second: 10,
            burst: 5,
        });
        assert_eq!(taken(&pace, "a", 4), 4);
        assert_eq!(taken(&pace, "a", 1), 1);
        assert_eq!(taken(&pace, "a", 1), 0);
        assert_eq!(taken(&pace, "b", 9), 5, "another token has its own");
        tokio::time::advance(Duration::from_millis(99)).await;
        assert_eq!(taken(&pace, "a", 1), 0);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(taken(&pace, "a", 2), 1);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(taken(&pace, "a", 9), 5, "no more is saved up than the burst");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_as_told_is_answered() {
        let pace = Pace::new(RequestLimits {
            per_second: 1,
            burst: 1,
        });
        pace.take("a").unwrap();
        let refused = pace.take("a").unwrap_err();
        let wait = refused.retry_after().unwrap();
        assert_eq!(wait, Duration::from_secs(1));
        tokio::time::advance(wait).await;
        pace.take("a").unwrap();
    }

    #[test]
    fn nobody_is_shut_out_by_a_zero() {
        let pace = Pace::new(RequestLimits {
            per_second: 0,
            burst: 0,
        });
        assert_eq!((pace.limits.per_second, pace.limits.burst), (1, 1));
    }
}
