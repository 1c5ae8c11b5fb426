//! Playbooks that start by the clock.
//!
//! Owns noticing that a time has come. That a time starts one run and no second is the store's
//! work: the time is part of the key under which the run is started.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use engine::BlockCounts;
use jiff::{SignedDuration, Timestamp};
use playbooks::duration::Span;
use playbooks::operator::{Entity, Operator};
use playbooks::schedule::Schedule;
use state::access::Actor;
use state::event::{Mode, Started, StartedBy};
use state::store::{NewRun, Once, StoreError};

use super::turns::{Place, Ruling};
use super::{Dispatcher, Message};
use crate::library::Compiled;

/// The longest until the clock is looked at again: one that jumps is noticed within this.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The shortest, so that what could not be stored is not tried in a circle.
const LOOK_SOON: Duration = Duration::from_secs(1);
/// What came due this long before the process began, and has had no run, is made up for: a restart
/// at the wrong moment must not cost the run of a day. What is older is over.
const MADE_UP_FOR: SignedDuration = SignedDuration::from_mins(15);
/// For how long a time is known to have had its run. Longer than [`MADE_UP_FOR`], and than any
/// clock is set back.
const KNOWN_FOR: Span = Span::days(32);

/// The newest time of each playbook and entity that was dealt with.
type DealtWith = HashMap<(String, String), Timestamp>;

/// Why a time has no run.
#[derive(Debug, thiserror::Error)]
enum NoRun {
    /// It is tried again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The playbook, the entity or the rules do not want one.
    #[error("{0}")]
    Refused(String),
}

impl Dispatcher {
    pub(super) fn spawn_schedule(&self) {
        let current = self.inner.library.current();
        let by_the_clock = |compiled: &Arc<Compiled>| compiled.plan.trigger.schedule.is_some();
        if !current.values().any(by_the_clock) {
            return;
        }
        let dispatcher = self.clone();
        tokio::spawn(async move {
            let mut dealt_with = DealtWith::new();
            let began = dispatcher.now();
            let since = began.checked_sub(MADE_UP_FOR).unwrap_or(began);
            loop {
                dispatcher.start_what_is_due(&mut dealt_with, since).await;
                tokio::select! {
                    () = dispatcher.inner.draining.cancelled() => return,
                    () = dispatcher.inner.broken.cancelled() => return,
                    () = tokio::time::sleep(dispatcher.until_the_next()) => {}
                }
            }
        });
    }

    fn until_the_next(&self) -> Duration {
        let (now, operator) = (self.now(), self.operator());
        let current = self.inner.library.current();
        let schedules = current
            .values()
            .filter_map(|one| one.plan.trigger.schedule.as_ref());
        let zones = || operator.entities.values().map(|entity| &entity.timezone);
        let next =
            schedules.flat_map(|schedule| zones().filter_map(move |zone| schedule.next_due(now, zone)));
        let next = next
            .min()
            .map_or(LOOK_AGAIN, |next| crate::clock::until(now, next));
        next.clamp(LOOK_SOON, LOOK_AGAIN)
    }

    /// Starts one run for each playbook and entity whose time has come, however many times have
    /// come since the last look.
    async fn start_what_is_due(&self, dealt_with: &mut DealtWith, since: Timestamp) {
        let now = self.now();
        let operator = self.operator();
        for compiled in self.inner.library.current().values() {
            let Some(schedule) = &compiled.plan.trigger.schedule else {
                continue;
            };
            for entity in operator.entities.values() {
                let rollout = entity.rollout.get(&compiled.plan.id).copied();
                if !rollout.unwrap_or_default().starts() || self.is_draining() {
                    continue;
                }
                let key = (compiled.plan.id.clone(), entity.id.clone());
                let before = dealt_with.get(&key).copied().unwrap_or(since);
                let due = schedule.last_due(now, &entity.timezone);
                let Some(due) = due.filter(|due| *due > before) else {
                    continue;
                };
                match self.start_at(compiled, schedule, (&operator, entity), due).await {
                    Ok(()) => {}
                    Err(NoRun::Refused(why)) => {
                        tracing::warn!(playbook = key.0, entity = key.1, %due, why, "The time of a playbook has come, and it did not start.");
                    }
                    Err(NoRun::Store(error)) => {
                        tracing::error!(playbook = key.0, entity = key.1, %due, %error, "The time of a playbook has come, and its run could not be stored; this is tried again.");
                        continue;
                    }
                }
                dealt_with.insert(key, due);
            }
        }
    }

    async fn start_at(
        &self,
        compiled: &Arc<Compiled>,
        schedule: &Schedule,
        (operator, entity): (&Operator, &Entity),
        due: Timestamp,
    ) -> Result<(), NoRun> {
        let (started, ruling) = self.scheduled(compiled, operator, entity)?;
        if let Ruling::Join(run) = &ruling {
            return Err(NoRun::Refused(format!(
                "run {} is open for the same key",
                run.short()
            )));
        }
        if let Ruling::Drop(why) = ruling {
            return Err(NoRun::Refused(why));
        }
        let place = Place::of(self, &started);
        self.keep(compiled).await?;
        let new = NewRun {
            started,
            once: Some(Once {
                key: format!("schedule {due}"),
                within: KNOWN_FOR,
            }),
            join: None,
        };
        let run = self.inner.store.start(new, self.now()).await?;
        place.stored_as(&run);
        self.tell(&run, Message::Go);
        let next = schedule.next_due(due, &entity.timezone);
        let next = next.map(|next| next.to_string()).unwrap_or_default();
        tracing::info!(playbook = compiled.plan.id, entity = entity.id, %due, %run, next, "A playbook was started by the clock.");
        Ok(())
    }

    fn scheduled(
        &self,
        compiled: &Compiled,
        operator: &Operator,
        entity: &Entity,
    ) -> Result<(Started, Ruling), NoRun> {
        let now = self.now();
        let around = self.surroundings(operator, entity, now, BlockCounts::default());
        let request = engine::StartRequest {
            run: crate::clock::fresh_run_id(now),
            incident: None,
            inputs: BTreeMap::new(),
            by: StartedBy::Schedule,
            actor: Actor::engine(),
            mode: Mode::Auto,
        };
        let mut started = engine::start(&compiled.plan, request, &around)
            .map_err(|refusal| NoRun::Refused(refusal.to_string()))?;
        started.turn = engine::turn(&compiled.plan, &started, &around).map_err(NoRun::Refused)?;
        let ruling = self.rule(&compiled.plan, &started);
        Ok((started, ruling))
    }
}
