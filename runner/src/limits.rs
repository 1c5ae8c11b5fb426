//! How much at once: alerts of an entity, and its active runs.
//!
//! Owns the counting and nothing else. One entity in trouble must not take the service away from
//! the others, so every count is kept for each entity. Time is a parameter.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use state::ids::EntityId;
use tokio::sync::Semaphore;

use crate::config::Limits;
use crate::intake::ALERTS_MAX;

#[cfg(test)]
mod tests;

/// How fast alerts are taken in, for each entity: so many at once, so many in a second over time.
///
/// A submission is taken whole or not at all. One with more alerts than may come at once is taken
/// when nothing else was taken for a while, and the ones after it wait the longer.
#[derive(Debug)]
pub(crate) struct AlertRate {
    /// Time that one alert uses up.
    each: Duration,
    per_second: u32,
    burst: u32,
    /// When an entity will have used up nothing any more.
    free_at: Mutex<BTreeMap<EntityId, Timestamp>>,
}

/// Alerts of an entity come too fast.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("alerts of `{entity}` come too fast: {burst} at once and {per_second} in a second are taken")]
pub(crate) struct TooFast {
    entity: EntityId,
    burst: u32,
    per_second: u32,
    /// How long until the same submission would be taken.
    pub(crate) wait: Duration,
}

impl AlertRate {
    /// A rate nobody has used yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            each: Duration::from_secs(1) / limits.alerts_per_second.max(1),
            per_second: limits.alerts_per_second,
            burst: limits.alerts_burst.max(1),
            free_at: Mutex::default(),
        }
    }

    /// Counts the alerts of a submission, or counts nothing when one entity has too many.
    pub(crate) fn take(&self, alerts: &BTreeMap<EntityId, usize>, now: Timestamp) -> Result<(), TooFast> {
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let allowance = self.each * self.burst;
        let mut after = Vec::with_capacity(alerts.len());
        for (entity, count) in alerts {
            let count = u32::try_from(*count).unwrap_or(u32::MAX);
            let used = self.used(free_at.get(entity).copied(), now);
            let needed = used + self.each * count.min(self.burst);
            if let Some(wait) = needed.checked_sub(allowance).filter(|wait| !wait.is_zero()) {
                return Err(TooFast {
                    entity: entity.clone(),
                    burst: self.burst,
                    per_second: self.per_second,
                    wait,
                });
            }
            let until = now.checked_add(used + self.each.saturating_mul(count));
            after.push((entity.clone(), until.unwrap_or(Timestamp::MAX)));
        }
        free_at.extend(after);
        Ok(())
    }

    /// What an entity has used up and not got back yet. A clock that was put back costs at most
    /// what the largest submission costs.
    fn used(&self, free_at: Option<Timestamp>, now: Timestamp) -> Duration {
        let most = u32::try_from(ALERTS_MAX)
            .unwrap_or(u32::MAX)
            .saturating_add(self.burst);
        free_at
            .and_then(|at| Duration::try_from(at.duration_since(now)).ok())
            .unwrap_or_default()
            .min(self.each * most)
    }
}

/// Places for active runs, for each entity.
#[derive(Debug)]
pub(crate) struct Places {
    each: usize,
    of: Mutex<HashMap<EntityId, Arc<Semaphore>>>,
}

impl Places {
    /// As many for every entity.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            each: usize::try_from(limits.active_runs_per_entity).map_or(1, |each| each.max(1)),
            of: Mutex::default(),
        }
    }

    /// The places of an entity, given in order of arrival.
    pub(crate) fn of(&self, entity: &EntityId) -> Arc<Semaphore> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let places = of.entry(entity.clone());
        Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }
}
