//! What becomes of attempts: retries, repetitions after a crash, questions, unknown outcomes.
//!
//! Owns that a doubtful effect is never repeated blindly and never dropped silently.

use std::sync::Arc;

use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use playbooks::marking::EffectClass;
use playbooks::plan::{ATTEMPTS_MAX, Section};
use serde_json::Value;
use state::event::{Event, Intended, Outcome, SkipCause};

use super::draft::Draft;
use crate::backoff;
use crate::guardrails::{self, Denial, Question};
use crate::run::{Corrupt, Doubt, Due, Failure, Place, Spot};

/// Shortest and longest wait between two questions about the same attempt.
const PROBE_BACKOFF: (Span, Span) = (Span::seconds(5), Span::minutes(5));

impl Draft<'_> {
    /// Records what follows from the state of attempts alone.
    pub(super) fn settle_attempts(&mut self) -> Result<(), Corrupt> {
        let due: Vec<Spot> = self.run.due.iter().copied().collect();
        for spot in due {
            self.settle_attempt(spot)?;
        }
        let stopped = self.run.failing.is_some() || self.run.cancel.is_some();
        let timed: Vec<_> = self
            .run
            .timers
            .iter()
            .take_while(|(at, _)| stopped || *at <= self.around.now)
            .copied()
            .collect();
        for (at, spot) in timed {
            let repeated = match self.run.place(spot) {
                Some(Place::Retry { last, failure, .. }) => {
                    Some((Arc::clone(last), may_have_happened(last, failure)))
                }
                Some(Place::Waits(_) | Place::Rested(_)) => None,
                _ => continue,
            };
            if let Some(cause) = self.stopping(spot) {
                self.leave(spot, cause)?;
            } else if at <= self.around.now {
                match repeated {
                    Some((last, doubtful)) => self.repeat(spot, &last, doubtful)?,
                    None => self.time_has_come(spot)?,
                }
            }
        }
        Ok(())
    }

    fn settle_attempt(&mut self, spot: Spot) -> Result<(), Corrupt> {
        let Some(path) = self.path(spot) else {
            return Ok(());
        };
        let (run_id, now) = (self.run.started.run.clone(), self.around.now);
        match self.run.place(spot) {
            Some(Place::Retry {
                last,
                failure,
                due: None,
            }) => {
                let attempt = last.attempt;
                let retry_after = failure.retry_after;
                if let Some(cause) = self.stopping(spot) {
                    return self.leave(spot, cause);
                }
                let range = self
                    .step(spot.step)
                    .map_or(PROBE_BACKOFF, |step| step.retry.backoff);
                let at = backoff::next(range, &run_id, &path, attempt, retry_after, now);
                self.record(Event::RetryScheduled {
                    path,
                    attempt: attempt + 1,
                    at,
                })
            }
            Some(Place::Doubtful(Doubt {
                last,
                since,
                probes,
                due: Due::Unscheduled,
                ..
            })) => {
                let attempt = last.attempt;
                let settled = self.settle_time(last).map(|span| self.believable(*since, span));
                let at = backoff::next(PROBE_BACKOFF, &run_id, &path, *probes, None, now);
                let at = settled.map_or(at, |settled| at.max(settled));
                self.record(Event::RetryScheduled { path, attempt, at })
            }
            Some(Place::Rested(rest)) if rest.due.is_none() => {
                let rest = rest.clone();
                self.after_round(spot, &rest)
            }
            Some(Place::Again { last, doubtful }) => {
                let (last, doubtful) = (Arc::clone(last), *doubtful);
                self.again(spot, &last, doubtful)
            }
            Some(Place::Unknowable { last, detail, .. }) => {
                let (attempt, detail) = (last.attempt, detail.clone());
                self.record(Event::OutcomeUnknown {
                    path,
                    attempt,
                    detail,
                })
            }
            _ => Ok(()),
        }
    }

    /// An attempt that was lost or proved not to have happened.
    fn again(&mut self, spot: Spot, last: &Arc<Intended>, doubtful: bool) -> Result<(), Corrupt> {
        if let Some(cause) = self.stopping(spot) {
            return if doubtful {
                let why = match cause {
                    SkipCause::RunCancelled => "the run was cancelled before it could be repeated",
                    _ => "the run is failing, so it is not repeated",
                };
                self.unknown(last, format!("Sortie stopped while it was in work, and {why}"))
            } else {
                self.leave(spot, cause)
            };
        }
        if last.attempt < ATTEMPTS_MAX {
            return self.repeat(spot, last, doubtful);
        }
        let detail =
            format!("it was in work each of {ATTEMPTS_MAX} times that Sortie stopped; not tried again");
        if doubtful {
            return self.unknown(last, detail);
        }
        self.record(Event::Finished {
            path: last.path.clone(),
            attempt: last.attempt,
            outcome: Outcome::Failed {
                kind: ErrorKind::Internal,
                detail,
                not_sent: true,
                retry_after: None,
            },
            duration_ms: 0,
        })
    }

    /// The next attempt of the same intention: same key, same arguments, same end. The rules are
    /// asked again; they may have changed.
    fn repeat(&mut self, spot: Spot, last: &Arc<Intended>, doubtful: bool) -> Result<(), Corrupt> {
        if spot.undo {
            return self.record(Event::Intended(Intended {
                attempt: last.attempt + 1,
                ..Intended::clone(last)
            }));
        }
        let Some(step) = self.step(spot.step) else {
            return Ok(());
        };
        let examined = guardrails::examine(&Question {
            plan: self.plan,
            run: &self.run,
            step,
            arguments: match &last.arguments {
                Value::Object(arguments) => arguments.clone(),
                _ => serde_json::Map::default(),
            },
            repeated: Some(last),
            approved: self.run.was_approved(&last.path, &last.arguments),
            blocks_intended: self.blocks_intended,
            around: self.around,
        });
        match examined {
            Ok(permit) => self.record(Event::Intended(Intended {
                attempt: last.attempt + 1,
                connections: permit.connections,
                left_out: permit.left_out,
                recovery: permit.recovery,
                ..Intended::clone(last)
            })),
            Err(Denial { detail, .. }) if doubtful => self.unknown(
                last,
                format!("it may have happened, and it may not be repeated: {detail}"),
            ),
            Err(denial) => self.deny(last.path.clone(), denial),
        }
    }

    fn unknown(&mut self, last: &Intended, detail: String) -> Result<(), Corrupt> {
        self.record(Event::OutcomeUnknown {
            path: last.path.clone(),
            attempt: last.attempt,
            detail,
        })
    }

    fn leave(&mut self, spot: Spot, cause: SkipCause) -> Result<(), Corrupt> {
        match self.path(spot) {
            Some(path) => self.record(Event::Skipped { path, cause }),
            None => Ok(()),
        }
    }

    fn stopping(&self, spot: Spot) -> Option<SkipCause> {
        if spot.undo {
            return None;
        }
        self.run
            .stopping(self.step(spot.step).map_or(Section::Steps, |step| step.section))
    }
}

/// Whether a failed attempt may have had its effect all the same.
fn may_have_happened(last: &Intended, failure: &Failure) -> bool {
    !failure.not_sent && last.effect > EffectClass::Read
}
