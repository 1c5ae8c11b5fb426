//! Waiting for a time, and doing a step again and again.
//!
//! Owns when a wait is over, when the next round comes and when there is none. The times are
//! recorded, so a run that waits is nothing but a stored fact.

use std::sync::Arc;

use playbooks::arguments::Argument;
use playbooks::duration::Span;
use playbooks::names::Unresolved;
use playbooks::plan::{EVERY_MIN, ROUNDS_MAX, Repeat, Step};
use playbooks::types::Type;
use playbooks::values;
use serde_json::{Map, Value, json};
use state::event::{Event, Mode, Outcome, RefusalKind, SkipCause};
use state::ids::Path;

use super::draft::Draft;
use super::open::NoArguments;
use crate::backoff::later;
use crate::guardrails::{self, Denial, Permit, Question};
use crate::run::{Corrupt, Place, Rest, Spot};

/// What ends a repetition beside its condition.
struct Pace {
    every: Span,
    times: u32,
    at_most: Option<Span>,
}

impl Draft<'_> {
    /// Takes up a step that does nothing but wait.
    pub(super) fn begin_wait(&mut self, spot: Spot, path: Path, step: &Step) -> Result<(), Corrupt> {
        let arguments = match self.arguments(spot, step) {
            Ok(arguments) => arguments,
            Err(NoArguments::Skip(cause)) => return self.record(Event::Skipped { path, cause }),
            Err(NoArguments::Broken(why)) => return self.broken(spot, why),
        };
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let span = text("duration").and_then(|text| text.parse::<Span>().ok());
        let until = match (span, text("until").map(str::parse)) {
            (Some(span), _) => later(self.around.now, span),
            (None, Some(Ok(until))) => until,
            _ => return self.broken(spot, "it says neither how long nor until when".to_owned()),
        };
        self.record(Event::Waits { path, until })
    }

    /// Whether what a repetition waits for has come before its first round, which comes later.
    pub(super) fn had_come(&self, spot: Spot, step: &Step) -> bool {
        let repeat = step.repeat.as_ref().filter(|repeat| repeat.wait_first);
        let until = repeat.and_then(|repeat| repeat.until.as_ref());
        until.is_some_and(|until| self.comes_true(spot, until, None) == Ok(true))
    }

    /// Begins what is permitted: now, or when the first round of it comes.
    pub(super) fn intend_or_rest(
        &mut self,
        spot: Spot,
        path: Path,
        step: &Step,
        permit: Permit,
    ) -> Result<(), Corrupt> {
        match &step.repeat {
            Some(repeat) if repeat.wait_first && matches!(self.run.place(spot), Some(Place::Pending)) => {
                self.begin_rest(spot, path, repeat)
            }
            _ => self.intend(path, step, permit),
        }
    }

    /// What was approved some time ago would be done otherwise now that its first round has come.
    pub(super) fn not_as_approved(&mut self, spot: Spot, path: Path, step: &Step) -> Result<(), Corrupt> {
        if !matches!(self.run.place(spot), Some(Place::Rested(_))) {
            return Ok(());
        }
        self.deny(
            path,
            Denial {
                kind: RefusalKind::Policy,
                detail: "it would be done otherwise than people approved".to_owned(),
                effect: step.action.effect,
            },
        )
    }

    /// A step whose first round comes later.
    fn begin_rest(&mut self, spot: Spot, path: Path, repeat: &Repeat) -> Result<(), Corrupt> {
        match self.pace(spot, repeat) {
            Ok(pace) if pace.times == 0 => self.record(Event::RoundsEnded {
                path,
                rounds: 0,
                done: false,
            }),
            Ok(pace) => self.record(Event::RoundScheduled {
                path,
                round: 1,
                at: later(self.around.now, pace.every),
            }),
            Err(NoArguments::Skip(cause)) => self.record(Event::Skipped { path, cause }),
            Err(NoArguments::Broken(why)) => self.broken(spot, why),
        }
    }

    /// What follows from a round that is over.
    pub(super) fn after_round(&mut self, spot: Spot, rest: &Rest) -> Result<(), Corrupt> {
        let (Some(path), Some(step)) = (self.path(spot), self.step(spot.step)) else {
            return Ok(());
        };
        let Some(repeat) = &step.repeat else {
            return Ok(());
        };
        let (rounds, began, started) = match self.run.steps.get(spot.step) {
            Some(state) => (state.rounds, state.round_began, state.started_at),
            None => return Ok(()),
        };
        let ended = |done: bool| Event::RoundsEnded {
            path: path.clone(),
            rounds,
            done,
        };
        match repeat
            .until
            .as_ref()
            .map(|until| self.comes_true(spot, until, rest.output.as_ref()))
        {
            Some(Ok(true)) => return self.record(ended(true)),
            Some(Err(why)) => return self.broken(spot, format!("repeat.until: {why}")),
            Some(Ok(false)) | None => {}
        }
        if let Some(cause) = self.run.stopping(step.section) {
            return self.record(Event::Skipped { path, cause });
        }
        let pace = match self.pace(spot, repeat) {
            Ok(pace) => pace,
            Err(NoArguments::Skip(_)) => return self.record(ended(false)),
            Err(NoArguments::Broken(why)) => return self.broken(spot, why),
        };
        let now = self.around.now;
        let at = later(began.unwrap_or(now), pace.every).max(now);
        let end = pace.at_most.map(|span| later(started.unwrap_or(now), span));
        if rounds >= pace.times || end.is_some_and(|end| at > end) {
            return self.record(ended(false));
        }
        self.record(Event::RoundScheduled {
            path,
            round: rounds + 1,
            at,
        })
    }

    /// Ends repetitions for which what they wait for has come between two rounds.
    pub(super) fn watch_rounds(&mut self) -> Result<(), Corrupt> {
        let resting: Vec<(Spot, Rest)> = self
            .run
            .timers
            .iter()
            .filter_map(|(_, spot)| match self.run.place(*spot)? {
                Place::Rested(rest) => Some((*spot, rest.clone())),
                _ => None,
            })
            .collect();
        for (spot, rest) in resting {
            let (Some(path), Some(step)) = (self.path(spot), self.step(spot.step)) else {
                continue;
            };
            let Some(until) = step.repeat.as_ref().and_then(|repeat| repeat.until.as_ref()) else {
                continue;
            };
            if self.comes_true(spot, until, rest.output.as_ref()) != Ok(true) {
                continue;
            }
            let rounds = self.run.steps.get(spot.step).map_or(0, |state| state.rounds);
            self.record(if rest.output.is_some() {
                Event::RoundsEnded {
                    path,
                    rounds,
                    done: true,
                }
            } else {
                let cause = SkipCause::UntilTrue;
                Event::Skipped { path, cause }
            })?;
        }
        Ok(())
    }

    /// A time that a place waited for has come.
    pub(super) fn time_has_come(&mut self, spot: Spot) -> Result<(), Corrupt> {
        let (Some(path), Some(step)) = (self.path(spot), self.step(spot.step)) else {
            return Ok(());
        };
        match self.run.place(spot) {
            Some(Place::Waits(_)) => self.record(Event::Finished {
                path,
                attempt: 1,
                outcome: Outcome::Succeeded {
                    output: json!({"at": self.around.now.to_string()}),
                    reference: None,
                },
                duration_ms: 0,
            }),
            Some(Place::Rested(Rest { last: None, .. })) => self.open(spot, step),
            Some(Place::Rested(Rest { last: Some(last), .. })) => {
                let last = Arc::clone(last);
                self.next_round(path, step, &last.arguments)
            }
            _ => Ok(()),
        }
    }

    /// The same once more, under a key of its own. The rules are asked again.
    fn next_round(&mut self, path: Path, step: &Step, arguments: &Value) -> Result<(), Corrupt> {
        let approved = self.run.was_approved(&path, arguments);
        let arguments = match arguments {
            Value::Object(arguments) => arguments.clone(),
            _ => Map::new(),
        };
        let examined = guardrails::examine(&Question {
            plan: self.plan,
            run: &self.run,
            step,
            arguments,
            repeated: None,
            approved,
            blocks_intended: self.blocks_intended,
            around: self.around,
        });
        match examined {
            Ok(Permit {
                needed: Some(needed),
                effect,
                ..
            }) if self.run.started.mode == Mode::Auto => self.deny(
                path,
                Denial {
                    kind: RefusalKind::Policy,
                    detail: format!("it needs an approval now: {}", needed.because),
                    effect,
                },
            ),
            Ok(permit) => self.intend(path, step, permit),
            Err(denial) => self.deny(path, denial),
        }
    }

    /// Whether a condition holds, with what the last round gave. Absent means no.
    fn comes_true(
        &self,
        spot: Spot,
        until: &playbooks::expression::Expression,
        result: Option<&Arc<Value>>,
    ) -> Result<bool, String> {
        if !until.reads().iter().all(|read| self.read_is_settled(read)) {
            return Ok(false);
        }
        let names = self.names(Some(spot)).with_result(result);
        match until.evaluate(&names) {
            Ok(value) => Ok(value == Some(Value::Bool(true))),
            Err(Unresolved::Absent { .. }) => Ok(false),
            Err(Unresolved::Failed(why)) => Err(why),
        }
    }

    fn pace(&self, spot: Spot, repeat: &Repeat) -> Result<Pace, NoArguments> {
        let names = self.names(Some(spot));
        let resolve = |name: &str, argument: &Argument, ty: &Type| {
            let value = argument.resolve(&names).map_err(|why| match why {
                Unresolved::Absent { .. } => NoArguments::Skip(self.absent_cause(&why)),
                Unresolved::Failed(why) => NoArguments::Broken(format!("repeat.{name}: {why}")),
            })?;
            values::check(&value.unwrap_or_default(), ty)
                .map_err(|why| NoArguments::Broken(format!("repeat.{name}: {why}")))
        };
        let span = |name: &str, argument: &Argument| {
            let value = resolve(name, argument, &Type::Duration)?;
            let span = value.as_str().and_then(|text| text.parse::<Span>().ok());
            span.ok_or_else(|| NoArguments::Broken(format!("repeat.{name}: {value} is not a duration")))
        };
        let times = match &repeat.times {
            Some(times) => {
                let value = resolve("times", times, &Type::Int)?;
                let times = value.as_i64().unwrap_or(0).clamp(0, i64::from(ROUNDS_MAX));
                u32::try_from(times).unwrap_or(ROUNDS_MAX)
            }
            None => ROUNDS_MAX,
        };
        Ok(Pace {
            every: span("every", &repeat.every)?.max(EVERY_MIN),
            times,
            at_most: match &repeat.at_most {
                Some(at_most) => Some(span("at_most", at_most)?),
                None => None,
            },
        })
    }
}
