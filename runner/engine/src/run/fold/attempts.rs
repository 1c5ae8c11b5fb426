//! What the events of attempts mean.
//!
//! Owns the path of one attempt: intended, finished, lost, asked about, repeated. Each is a pure
//! function of what is recorded, so that no reader of a history can see it otherwise.

use std::sync::Arc;

use jiff::Timestamp;
use playbooks::action_spec::Recovery;
use playbooks::marking::EffectClass;
use playbooks::plan::{Plan, Step};
use state::event::{Intended, Outcome, ProbeAnswer};
use state::ids::Path;

use super::places::step_of;
use super::{Folded, PROBES_MAX};
use crate::backoff;
use crate::run::place::Final;
use crate::run::{Doubt, Due, Failure, Place, Run};

impl Run {
    pub(super) fn intended(&mut self, plan: &Plan, intended: &Intended, at: Timestamp) -> Folded {
        let path = &intended.path;
        let (spot, place) = self.find(plan, path)?;
        let open = match place {
            Place::Pending | Place::Retry { .. } | Place::Again { .. } => true,
            Place::Rested(rest) => rest.due.is_some(),
            _ => false,
        };
        if !open {
            return Err(format!("`{path}` cannot be intended: {}", place.words()));
        }
        if place.last().is_some_and(|last| last.key != intended.key) {
            return Err(format!(
                "attempt {} of `{path}` has another key",
                intended.attempt
            ));
        }
        if intended.attempt != place.attempt() + 1 {
            return Err(format!(
                "attempt {} of `{path}` cannot follow attempt {}",
                intended.attempt,
                place.attempt()
            ));
        }
        if !spot.undo {
            if intended.attempt == 1 && intended.effect > EffectClass::Record {
                self.effects_intended += 1;
            }
            let state = self.state_mut(spot)?;
            state.attempts = state.attempts.saturating_add(1);
            state.started_at.get_or_insert(at);
            if intended.attempt == 1 {
                state.rounds = state.rounds.saturating_add(1);
                state.round_began = Some(at);
            }
        }
        self.put(plan, spot, Place::Live(Arc::new(intended.clone())), at)
    }

    pub(super) fn finished(
        &mut self,
        plan: &Plan,
        path: &Path,
        attempt: u32,
        outcome: &Outcome,
        at: Timestamp,
    ) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let last = match place {
            Place::Live(last) | Place::Again { last, .. } if last.attempt == attempt => Arc::clone(last),
            Place::Waits(_) if attempt == 1 => {
                let Outcome::Succeeded { output, .. } = outcome else {
                    return Err(format!("`{path}` waits, and nothing else can come of it"));
                };
                return self.end(plan, spot, Final::Succeeded(Arc::new(output.clone())), at);
            }
            // Attempt 0: it failed before anything could be intended.
            Place::Pending | Place::Rested(_) if attempt == 0 => {
                let Outcome::Failed { detail, .. } = outcome else {
                    return Err(format!("`{path}` cannot succeed without an intent"));
                };
                return self.end(plan, spot, Final::Failed(detail.clone()), at);
            }
            other => {
                return Err(format!(
                    "attempt {attempt} of `{path}` is not awaited: {}",
                    other.words()
                ));
            }
        };
        let given_up = matches!(place, Place::Again { .. });
        match outcome {
            Outcome::Succeeded { output, .. } => {
                if last.effect > EffectClass::Record && !spot.undo {
                    self.effects_done += 1;
                }
                self.succeeded(plan, spot, output, at)
            }
            Outcome::Simulated { output } => self.succeeded(plan, spot, output, at),
            Outcome::Failed {
                kind,
                detail,
                not_sent,
                retry_after,
            } => {
                let failure = Failure {
                    kind: *kind,
                    detail: detail.clone(),
                    not_sent: *not_sent,
                    retry_after: *retry_after,
                };
                if given_up {
                    return self.end(plan, spot, Final::Failed(failure.detail), at);
                }
                let place = self.after_failure(step_of(plan, spot)?, last, failure, at);
                self.put(plan, spot, place, at)
            }
        }
    }

    /// What a failed attempt leads to. A pure function of what is recorded, so that no reader of
    /// the history can see it otherwise.
    fn after_failure(&self, step: &Step, last: Arc<Intended>, failure: Failure, at: Timestamp) -> Place {
        let doubtful = !failure.not_sent && last.effect > EffectClass::Read;
        match last.recovery {
            Recovery::Probed if doubtful => {
                return Place::Doubtful(Doubt {
                    last,
                    since: at,
                    failure: Some(failure),
                    probes: 0,
                    due: Due::Now,
                });
            }
            Recovery::Once if doubtful => {
                let detail = format!("{}; it can neither be asked for nor repeated", failure.detail);
                return Place::Unknowable {
                    last,
                    detail,
                    failure: Some(failure),
                };
            }
            _ => {}
        }
        self.retry_or_end(step, last, failure)
    }

    pub(super) fn retry_or_end(&self, step: &Step, last: Arc<Intended>, failure: Failure) -> Place {
        let again = last.attempt < step.retry.attempts
            && step.retry.errors.contains(&failure.kind)
            && backoff::waits_that_long(failure.retry_after)
            && (last.path.undo || self.stopping(step.section).is_none());
        if again {
            Place::Retry {
                last,
                failure,
                due: None,
            }
        } else {
            let doubtful = !failure.not_sent && last.effect > EffectClass::Read;
            let detail = if doubtful {
                format!("{}; it may have happened all the same", failure.detail)
            } else {
                failure.detail
            };
            Place::Done {
                last: Some(last),
                result: Final::Failed(detail),
            }
        }
    }

    pub(super) fn lost(&mut self, plan: &Plan, path: &Path, attempt: u32, at: Timestamp) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let last = match place {
            Place::Live(last) if last.attempt == attempt => Arc::clone(last),
            other => {
                return Err(format!(
                    "attempt {attempt} of `{path}` cannot be lost: {}",
                    other.words()
                ));
            }
        };
        let effect = last.effect > EffectClass::Read;
        let place = match last.recovery {
            Recovery::Probed if effect => Place::Doubtful(Doubt {
                last,
                since: at,
                failure: None,
                probes: 0,
                due: Due::Now,
            }),
            Recovery::Once if effect => Place::Unknowable {
                last,
                detail: "Sortie stopped while it was in work, and it can neither be asked for nor repeated"
                    .to_owned(),
                failure: None,
            },
            _ => Place::Again {
                last,
                doubtful: effect,
            },
        };
        self.put(plan, spot, place, at)
    }

    pub(super) fn probed(
        &mut self,
        plan: &Plan,
        path: &Path,
        attempt: u32,
        answer: &ProbeAnswer,
        at: Timestamp,
    ) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let doubt = match place {
            Place::Doubtful(doubt) if doubt.last.attempt == attempt => doubt.clone(),
            other => {
                return Err(format!(
                    "attempt {attempt} of `{path}` is not asked for: {}",
                    other.words()
                ));
            }
        };
        let place = match answer {
            ProbeAnswer::Done { output } => {
                if doubt.last.effect > EffectClass::Record && !spot.undo {
                    self.effects_done += 1;
                }
                return self.succeeded(plan, spot, output, at);
            }
            ProbeAnswer::NotDone => match doubt.failure {
                Some(failure) => {
                    let certain = Failure {
                        not_sent: true,
                        ..failure
                    };
                    self.retry_or_end(step_of(plan, spot)?, doubt.last, certain)
                }
                None => Place::Again {
                    last: doubt.last,
                    doubtful: false,
                },
            },
            ProbeAnswer::CannotTell { .. } if doubt.probes + 1 < PROBES_MAX => Place::Doubtful(Doubt {
                probes: doubt.probes + 1,
                due: Due::Unscheduled,
                ..doubt
            }),
            ProbeAnswer::CannotTell { detail } => Place::Unknowable {
                last: doubt.last,
                detail: format!("asked {PROBES_MAX} times, the last answer: {detail}"),
                failure: doubt.failure,
            },
        };
        self.put(plan, spot, place, at)
    }

    pub(super) fn retry_scheduled(
        &mut self,
        plan: &Plan,
        path: &Path,
        attempt: u32,
        due: Timestamp,
        at: Timestamp,
    ) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let place = match place {
            Place::Retry {
                last,
                failure,
                due: None,
            } if last.attempt + 1 == attempt => Place::Retry {
                last: Arc::clone(last),
                failure: failure.clone(),
                due: Some(due),
            },
            Place::Doubtful(doubt) if doubt.last.attempt == attempt && doubt.due == Due::Unscheduled => {
                Place::Doubtful(Doubt {
                    due: Due::At(due),
                    ..doubt.clone()
                })
            }
            other => return Err(format!("`{path}` cannot be scheduled: {}", other.words())),
        };
        self.put(plan, spot, place, at)
    }

    pub(super) fn outcome_unknown(
        &mut self,
        plan: &Plan,
        path: &Path,
        attempt: u32,
        detail: &str,
        at: Timestamp,
    ) -> Folded {
        let (spot, place) = self.find(plan, path)?;
        let open = matches!(
            place,
            Place::Unknowable { .. } | Place::Again { .. } | Place::Retry { .. } | Place::Doubtful(_)
        );
        let failure = match place {
            Place::Retry { failure, .. } => Some(failure.clone()),
            Place::Doubtful(Doubt { failure, .. }) | Place::Unknowable { failure, .. } => failure.clone(),
            _ => None,
        };
        match place.last() {
            Some(last) if open && last.attempt == attempt => {
                let unknown = Place::Unknown {
                    last: Arc::clone(last),
                    detail: detail.to_owned(),
                    failure,
                    since: at,
                };
                self.put(plan, spot, unknown, at)
            }
            _ => Err(format!(
                "the outcome of attempt {attempt} of `{path}` is not open: {}",
                place.words()
            )),
        }
    }
}
