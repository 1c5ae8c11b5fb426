//! Measures that reach their end where nothing ends them by itself.
//!
//! Owns starting the inverse. It runs as an ordinary run of a playbook that Sortie writes itself,
//! so that it is intended, performed, retried and recorded like any other effect.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use playbooks::action_spec::Catalog;
use playbooks::compile::Bundle;
use playbooks::duration::Span;
use playbooks::marking::EffectClass;
use playbooks::types::Type;
use serde_json::{Value, json};
use state::access::Actor;
use state::event::{Event, Mode, Recorded, StartedBy};
use state::ids::{EffectKey, RunId};
use state::store::{Measure, MeasureChange, NewRun, Once, StoreError};

use super::overlap::{covers, same_target};
use super::{Dispatcher, Message};
use crate::library::compile_kept;

/// How often the register is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Measures taken back in one look, beyond those that are being taken back already.
const BATCH: usize = 200;
/// A run of an inverse that goes on is looked at again after this.
const LOOK_AGAIN: Span = Span::minutes(1);
/// An inverse that failed is started again after this; the time doubles with each failure.
const TRY_AGAIN_MIN: Span = Span::minutes(15);
/// The longest time between two tries.
const TRY_AGAIN_MAX: Span = Span::hours(4);
/// For how long a try is known by its number, so that a restart does not try the same one twice.
const TRY_KNOWN: Span = Span::days(365);

/// Measures that are being taken back. Only a memory of what the store says: losing it costs some
/// look-ups.
#[derive(Debug, Default)]
pub(super) struct Returning {
    tries: Mutex<HashMap<EffectKey, Try>>,
}

/// The newest try to take a measure back.
#[derive(Debug, Clone)]
struct Try {
    /// From 0.
    number: u32,
    /// None when it could not even be started.
    run: Option<RunId>,
    /// Nothing is to be done before this.
    look_at: Timestamp,
}

/// What follows from the newest try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Wait(Timestamp),
    Try(u32),
}

impl Returning {
    fn count(&self) -> usize {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn known(&self, key: &EffectKey) -> Option<Try> {
        let tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        tries.get(key).cloned()
    }

    fn note(&self, key: &EffectKey, newest: Try) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        tries.insert(key.clone(), newest);
    }

    /// Forgets what is not due any more.
    fn keep_only(&self, due: &[Measure]) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        tries.retain(|key, _| due.iter().any(|measure| measure.key == *key));
    }
}

/// What to do after a try whose run closed at a time, or goes on. A try that closed at a time still
/// to come was made before the clock was set back: a pause counted from there could last as long as
/// the clock was wrong, and a measure would stand all that while.
fn after(number: u32, closed_at: Option<Timestamp>, now: Timestamp) -> Next {
    let Some(closed_at) = closed_at else {
        return Next::Wait(later(now, LOOK_AGAIN));
    };
    let again = later(closed_at, pause(number));
    if again <= now || closed_at > now {
        Next::Try(number.saturating_add(1))
    } else {
        Next::Wait(again)
    }
}

/// When a history closed and was not taken up again since. What people note after the end leaves
/// it closed.
fn end_of(events: &[Recorded]) -> Option<Timestamp> {
    let newest = events
        .iter()
        .rev()
        .find(|one| matches!(one.event, Event::Closed { .. } | Event::Retried { .. }))?;
    matches!(newest.event, Event::Closed { .. }).then_some(newest.at)
}

/// How long after a failed try the next one is made.
fn pause(number: u32) -> Span {
    let doubled = TRY_AGAIN_MIN
        .as_milliseconds()
        .saturating_mul(1_i64.checked_shl(number.min(16)).unwrap_or(1));
    Span::milliseconds(doubled.min(TRY_AGAIN_MAX.as_milliseconds()))
}

fn later(at: Timestamp, span: Span) -> Timestamp {
    at.checked_add(jiff::SignedDuration::from_millis(span.as_milliseconds()))
        .unwrap_or(at)
}

impl Dispatcher {
    pub(super) fn spawn_expiry(&self) {
        let dispatcher = self.clone();
        tokio::spawn(async move {
            loop {
                dispatcher.take_back_what_is_due().await;
                tokio::select! {
                    () = dispatcher.inner.draining.cancelled() => return,
                    () = dispatcher.inner.broken.cancelled() => return,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        });
    }

    async fn take_back_what_is_due(&self) {
        let returning = &self.inner.returning;
        // Those that cannot be taken back now must not keep the others waiting.
        let limit = BATCH.saturating_add(returning.count());
        match self.inner.store.measures_due(self.now(), limit).await {
            Ok(due) => {
                returning.keep_only(&due);
                for measure in due {
                    if self.is_draining() {
                        return;
                    }
                    self.take_back(measure).await;
                }
            }
            Err(error) => tracing::error!(%error, "The register of measures could not be read."),
        }
    }

    async fn take_back(&self, measure: Measure) {
        let Some(inverse) = measure.inverse.clone() else {
            return;
        };
        let (key, target) = (measure.key.clone(), measure.target.clone());
        let known = self.inner.returning.known(&key);
        let number = known.as_ref().map_or(0, |known| known.number);
        if known.is_some_and(|known| known.look_at > self.now()) {
            return;
        }
        if let Err(reason) = self.next_try(measure, &inverse).await {
            let look_at = later(self.now(), TRY_AGAIN_MIN);
            tracing::error!(
                inverse,
                target,
                reason,
                again_at = %look_at,
                "A measure reached its end and could not be taken back; this is tried again."
            );
            let run = None;
            self.inner.returning.note(&key, Try { number, run, look_at });
        }
    }

    /// Makes the next try, unless one goes on or the last one is too fresh.
    async fn next_try(&self, measure: Measure, inverse: &str) -> Result<(), String> {
        let words = |error: StoreError| error.to_string();
        if self.goes_on_elsewhere(&measure).await.map_err(words)? {
            return Ok(());
        }
        let key = measure.key.clone();
        let known = self.inner.returning.known(&key);
        let mut number = known.as_ref().map_or(0, |known| known.number);
        let mut run = known.and_then(|known| known.run);
        loop {
            if let Some(run) = &run {
                match after(number, self.closed_at(run).await.map_err(words)?, self.now()) {
                    Next::Try(next) => number = next,
                    Next::Wait(look_at) => {
                        let run = Some(run.clone());
                        self.inner.returning.note(&key, Try { number, run, look_at });
                        return Ok(());
                    }
                }
            }
            run = Some(self.start_inverse(&measure, inverse, number).await?);
        }
    }

    /// When a run closed; none while it goes on.
    async fn closed_at(&self, run: &RunId) -> Result<Option<Timestamp>, StoreError> {
        Ok(end_of(&self.inner.store.load(run).await?))
    }

    /// The same target may be blocked for longer by another measure. Where that one covers this
    /// one only the register changes: to run the inverse would end the other one too. Where they
    /// share a part, this one waits for the end of the other and is then taken back as a whole.
    async fn goes_on_elsewhere(&self, measure: &Measure) -> Result<bool, StoreError> {
        let now = self.now();
        let in_force = self.inner.store.measures(&measure.entity, now).await?;
        let others = in_force.iter().filter(|other| {
            (&other.kind, &other.connection) == (&measure.kind, &measure.connection)
                && same_target(&other.target, &measure.target)
        });
        let mut waits = false;
        for other in others {
            let (theirs, ours) = (other.direction.as_deref(), measure.direction.as_deref());
            if covers(theirs, ours) {
                let lifted = MeasureChange::Lifted {
                    key: measure.key.clone(),
                    entity: measure.entity.clone(),
                    reason: format!(
                        "it has ended; run {} has the same in force until {}",
                        other.run.short(),
                        other.until
                    ),
                };
                self.inner.store.change_measure(lifted, now).await?;
                return Ok(true);
            }
            waits |= covers(ours, theirs);
        }
        Ok(waits)
    }

    /// Starts a try, or finds the run that an earlier process started for it.
    async fn start_inverse(&self, measure: &Measure, inverse: &str, number: u32) -> Result<RunId, String> {
        let (bundle, inputs) = inverse_playbook(measure, inverse, &*self.inner.registry)?;
        let compiled = compile_kept(bundle, &*self.inner.registry).map_err(|found| {
            found
                .iter()
                .map(|one| one.message.clone())
                .collect::<Vec<_>>()
                .join("; ")
        })?;
        let compiled = self.inner.library.pin(compiled);
        let operator = self.operator();
        let entity = operator
            .entities
            .get(measure.entity.as_str())
            .ok_or_else(|| format!("entity `{}` is not configured", measure.entity))?;
        let now = self.now();
        let stored = match &measure.incident {
            Some(id) => self
                .inner
                .store
                .incident(id)
                .await
                .map_err(|error| error.to_string())?,
            None => None,
        };
        let incident = measure
            .incident
            .clone()
            .zip(stored.as_ref().map(|stored| &stored.incident));
        let request = engine::StartRequest {
            run: crate::clock::fresh_run_id(now),
            incident,
            inputs,
            by: StartedBy::Expiry,
            actor: Actor::engine(),
            mode: Mode::Auto,
        };
        let mut started = engine::start(
            &compiled.plan,
            request,
            &self.surroundings(&operator, entity, now, engine::BlockCounts::default()),
        )
        .map_err(|refusal| refusal.to_string())?;
        started.ends = Some(measure.key.clone());
        self.keep(&compiled).await.map_err(|error| error.to_string())?;
        let once = Some(Once {
            key: format!("{}#{number}", measure.key.as_str()),
            within: TRY_KNOWN,
        });
        let run = self
            .inner
            .store
            .start(
                NewRun {
                    started,
                    once,
                    join: None,
                },
                now,
            )
            .await
            .map_err(|error| error.to_string())?;
        self.tell(&run, Message::Go);
        Ok(run)
    }
}

/// The playbook that takes one measure back, and its inputs. The arguments travel as inputs, never
/// as text of the playbook, so nothing in a measure can become syntax.
fn inverse_playbook(
    measure: &Measure,
    inverse: &str,
    catalog: &dyn Catalog,
) -> Result<(Bundle, BTreeMap<String, Value>), String> {
    let spec = catalog
        .action(inverse)
        .ok_or_else(|| format!("there is no action `{inverse}`"))?;
    let arguments = measure.inverse_arguments.as_object().cloned().unwrap_or_default();
    let mut types = serde_json::Map::new();
    let mut with = serde_json::Map::new();
    for name in arguments.keys() {
        let parameter = spec
            .inputs
            .get(name)
            .ok_or_else(|| format!("`{inverse}` has no input `{name}`"))?;
        let ty = match parameter.ty.required() {
            // A choice of words has no name; the engine checks the word before the effect.
            Type::OneOf(_) => Type::String.to_string(),
            named => named.to_string(),
        };
        types.insert(name.clone(), json!({ "type": ty }));
        with.insert(name.clone(), json!(format!("${{{{ inputs.{name} }}}}")));
    }
    let may: Vec<&str> = (spec.effect > EffectClass::Record)
        .then(|| spec.effect.word())
        .into_iter()
        .collect();
    let id = format!("expiry-{}", inverse.replace(['.', '_'], "-"));
    let playbook = json!({
        "id": id,
        "name": format!("End of {}", measure.action),
        "version": 1,
        "description": "A measure has reached its end. Written by Sortie itself.",
        "owner": "sortie",
        "trigger": { "manual": false },
        "limits": { "tlp": "red", "pap": "green", "time": "24h" },
        "may": may,
        "inputs": types,
        "steps": { "lift": { "uses": inverse, "using": measure.connection, "with": with } },
    });
    let playbook = serde_yaml::to_string(&playbook).map_err(|error| error.to_string())?;
    let bundle = Bundle {
        name: format!("{id}.yaml"),
        playbook,
        templates: indexmap::IndexMap::new(),
    };
    Ok((bundle, arguments.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use state::event::RunStatus;

    use super::*;

    #[test]
    fn a_try_that_goes_on_is_waited_for_and_a_failed_one_is_made_again() {
        let closed = Timestamp::UNIX_EPOCH;
        let at = |minutes| later(closed, Span::minutes(minutes));
        assert_eq!(after(0, None, closed), Next::Wait(at(1)));
        assert_eq!(after(0, Some(closed), at(14)), Next::Wait(at(15)));
        assert_eq!(after(0, Some(closed), at(15)), Next::Try(1));
        assert_eq!(after(1, Some(closed), at(29)), Next::Wait(at(30)));
        assert_eq!(after(1, Some(closed), at(30)), Next::Try(2));
        assert_eq!(
            after(0, Some(at(60)), at(0)),
            Next::Try(1),
            "the clock was set back"
        );
        assert_eq!(pause(4), TRY_AGAIN_MAX);
        assert_eq!(pause(u32::MAX), TRY_AGAIN_MAX);
    }

    #[test]
    fn what_people_note_after_the_end_leaves_it_closed_and_a_retry_opens_it() {
        let closed = Event::Closed {
            status: RunStatus::Failed,
            outputs: BTreeMap::new(),
            summary: "failed".to_owned(),
            handled_failures: 0,
            records: 0,
        };
        let noted = Event::Acknowledged {
            actor: Actor::engine(),
            reason: "seen".to_owned(),
        };
        let again = Event::Retried {
            places: Vec::new(),
            deadline: Timestamp::MAX,
            actor: Actor::engine(),
            reason: "once more".to_owned(),
        };
        let history = |events: &[&Event]| {
            let numbered = (0..).zip(events);
            let recorded: Vec<Recorded> = numbered
                .map(|(seq, event)| Recorded {
                    seq,
                    at: later(Timestamp::UNIX_EPOCH, Span::minutes(seq.try_into().unwrap())),
                    event: (*event).clone(),
                })
                .collect();
            end_of(&recorded)
        };
        let at = |minutes| Some(later(Timestamp::UNIX_EPOCH, Span::minutes(minutes)));
        assert_eq!(history(&[]), None);
        assert_eq!(history(&[&closed]), at(0));
        assert_eq!(history(&[&closed, &noted]), at(0));
        assert_eq!(history(&[&closed, &again]), None);
        assert_eq!(history(&[&closed, &again, &closed, &noted]), at(2));
    }
}
