//! One connection at work: its door and the limits on using it.
//!
//! Owns when a call may go out and what its outcome says of the far end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use playbooks::operator::Connection;

use super::attempt;
use crate::action::{Action, ActionError, Call, Context, Files, Performed};
use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::connection::{ConnectionProblem, ConnectionSettings};
use crate::egress::{Door, RETRY_AFTER_MAX};
use crate::rate::Limits;

/// A connection, its limits and its breaker.
#[derive(Debug)]
pub(super) struct Line {
    door: Door,
    limits: Limits,
    breaker: Mutex<Breaker>,
    clock: Arc<dyn Clock>,
}

impl Line {
    /// Opens the door. Nothing is sent.
    pub(super) fn open(
        settings: ConnectionSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConnectionProblem> {
        Ok(Self {
            limits: Limits::new(settings.rate, settings.quota_per_day, Arc::clone(&clock)),
            door: Door::open(settings, Arc::clone(&clock))?,
            breaker: Mutex::default(),
            clock,
        })
    }

    /// What is known of the connection.
    pub(super) fn facts(&self) -> &Connection {
        self.door.connection()
    }

    /// What an action may use on this connection.
    pub(super) fn context<'a>(&'a self, files: &'a dyn Files) -> Context<'a> {
        Context {
            door: Some(&self.door),
            files,
        }
    }

    /// One attempt on this connection.
    pub(super) async fn call(
        &self,
        action: &dyn Action,
        call: &Call,
        files: &dyn Files,
    ) -> Result<Performed, ActionError> {
        let left = self.admit(call).await?;
        let result = attempt(action, call, self.context(files), left).await;
        self.learn(&result);
        result.map_err(|mut error| {
            error.detail = self.door.scrub(&error.detail);
            error
        })
    }

    /// Waits for the rate, at most half of the call's time, and says how much of it is left.
    pub(super) async fn admit(&self, call: &Call) -> Result<Duration, ActionError> {
        let time = call.timeout.to_std();
        if let Some(wait) = self.with_breaker(|breaker, now| breaker.wait(now)) {
            return Err(self.left_alone(wait));
        }
        let mut waited = Duration::ZERO;
        while let Err(wait) = self.limits.take_rate() {
            if waited + wait > time / 2 {
                return Err(self.over(wait, "its rate of calls is used up"));
            }
            waited += wait;
            tokio::time::sleep(wait).await;
        }
        if let Err(wait) = self.limits.take_day() {
            return Err(self.over(wait, "its calls of today are used up"));
        }
        self.with_breaker(Breaker::admit)
            .map_err(|wait| self.left_alone(wait))?;
        Ok(time.saturating_sub(waited))
    }

    /// The call said nothing of the far end.
    pub(super) fn undecided(&self) {
        self.with_breaker(Breaker::undecided);
    }

    fn learn(&self, result: &Result<Performed, ActionError>) {
        self.with_breaker(|breaker, now| match result {
            Ok(_) => breaker.answered(),
            Err(error) => match error.kind {
                ErrorKind::Timeout | ErrorKind::Unreachable | ErrorKind::ServerError => breaker.failed(now),
                ErrorKind::Throttled => {
                    breaker.answered();
                    if let Some(wait) = error.retry_after {
                        breaker.hold(now, wait.to_std());
                    }
                }
                ErrorKind::Rejected | ErrorKind::BadAnswer | ErrorKind::Undelivered | ErrorKind::Offline => {
                    breaker.answered();
                }
                ErrorKind::Invalid | ErrorKind::Policy | ErrorKind::Internal => breaker.undecided(now),
            },
        });
    }

    fn with_breaker<T>(&self, decide: impl FnOnce(&mut Breaker, Duration) -> T) -> T {
        let now = self.clock.elapsed();
        decide(
            &mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner),
            now,
        )
    }

    fn left_alone(&self, wait: Duration) -> ActionError {
        let name = &self.facts().name;
        ActionError::new(
            ErrorKind::Unreachable,
            format!(
                "connection `{name}` is left alone for {} s after failures or at its own wish",
                wait.as_secs()
            ),
        )
        .certain()
        .after(span(wait))
    }

    fn over(&self, wait: Duration, why: &str) -> ActionError {
        let name = &self.facts().name;
        ActionError::new(ErrorKind::Throttled, format!("connection `{name}`: {why}"))
            .certain()
            .after(span(wait))
    }
}

/// A wait as actions tell it, capped like those of far ends.
fn span(wait: Duration) -> Span {
    let milliseconds = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    Span::milliseconds(milliseconds.min(RETRY_AFTER_MAX.as_milliseconds()))
}
