//! From an acknowledged incident to runs: what every playbook makes of it, and why.
//!
//! Owns the match ledger's content. The incident is durable before it gets here; if the process
//! ends in between, recovery comes back to it.

use std::collections::BTreeMap;

use engine::Match;
use playbooks::operator::{Entity, Operator};
use state::access::Actor;
use state::event::{Mode, Started, StartedBy};
use state::ids::{EntityId, IncidentId};
use state::store::{
    Accepted, MatchDecision, MatchResult, MatchRow, MatchVerdict, NewIncident, NewRun, StoreError,
    StoredIncident,
};

use super::setbacks::pause_after;
use super::turns::{Place, Ruling};
use super::{Dispatcher, Message};
use crate::library::Compiled;

/// What the ledger says of an incident that came with a start by hand.
pub const NOT_ASKED: &str = "not asked: the incident came with a start by hand";

/// Why triggers could not be decided.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The incident is not there, or its entity is not configured.
    #[error("{0}")]
    Missing(String),
}

impl Dispatcher {
    /// Keeps an incident. When this returns it is durable; its triggers are decided at once after
    /// that, and also if the process ends now.
    pub async fn accept(&self, new: NewIncident) -> Result<Accepted, StoreError> {
        let entity = new.entity.clone();
        let accepted = self.inner.store.accept(new).await;
        match &accepted {
            Ok(Accepted::New(id)) => self.decide_later(id.clone(), Some(entity)),
            Err(error @ StoreError::Stopped { .. }) => self.break_down(error),
            _ => {}
        }
        accepted
    }

    /// Keeps an incident that somebody starts a playbook on by hand. That is kept with it, so that
    /// its triggers are not asked, now or after a crash; the ledger says so.
    pub async fn accept_for_hand(&self, new: NewIncident) -> Result<IncidentId, StoreError> {
        let new = NewIncident { by_hand: true, ..new };
        let entity = new.entity.clone();
        let id = match self.inner.store.accept(new).await? {
            Accepted::Duplicate { of, .. } => return Ok(of),
            Accepted::New(id) => id,
        };
        match self.decide_triggers(&id).await {
            Ok(_) => {}
            Err(TriggerError::Store(error @ StoreError::Stopped { .. })) => return Err(error),
            // The start does not need the ledger, which is written as soon as it can be.
            Err(_) => self.decide_later(id.clone(), Some(entity)),
        }
        Ok(id)
    }

    /// Decides the triggers of an incident when it is its entity's turn, and again until that is
    /// stored. Who does not know the entity leaves it to this.
    pub(super) fn decide_later(&self, incident: IncidentId, entity: Option<EntityId>) {
        let dispatcher = self.clone();
        self.inner.tasks.spawn(async move {
            for failures in 0_u32.. {
                if dispatcher.is_draining() {
                    return;
                }
                let decided = dispatcher.decide_in_turn(&incident, entity.as_ref()).await;
                let error = match decided {
                    Ok(_) => return,
                    Err(TriggerError::Store(error @ StoreError::Stopped { .. })) => {
                        return dispatcher.break_down(&error);
                    }
                    Err(error) => error,
                };
                let pause = pause_after(failures);
                tracing::error!(%incident, %error, again_in_seconds = pause.as_secs(), "The triggers of an incident could not be decided; this is tried again.");
                tokio::select! {
                    () = dispatcher.inner.draining.cancelled() => return,
                    () = dispatcher.inner.broken.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        });
    }

    async fn decide_in_turn(
        &self,
        incident: &IncidentId,
        entity: Option<&EntityId>,
    ) -> Result<Vec<MatchRow>, TriggerError> {
        let entity = match entity {
            Some(entity) => entity.clone(),
            None => self.stored(incident).await?.entity,
        };
        let _turn = self.inner.decisions.of(entity.as_str()).await;
        if self.is_draining() {
            return Ok(Vec::new());
        }
        self.decide_triggers(incident).await
    }

    async fn stored(&self, incident: &IncidentId) -> Result<StoredIncident, TriggerError> {
        let stored = self.inner.store.incident(incident).await?;
        stored.ok_or_else(|| TriggerError::Missing(format!("there is no incident {incident}")))
    }

    /// Decides the triggers of an incident and begins the runs that start. Deciding again changes
    /// nothing.
    pub async fn decide_triggers(&self, incident: &IncidentId) -> Result<Vec<MatchRow>, TriggerError> {
        let stored = self.stored(incident).await?;
        let operator = self.operator();
        let entity = operator.entities.get(stored.entity.as_str()).ok_or_else(|| {
            TriggerError::Missing(format!(
                "entity `{}` of {incident} is not configured",
                stored.entity
            ))
        })?;
        let now = self.now();
        let mut decisions = Vec::new();
        let mut places = BTreeMap::new();
        for compiled in self.inner.library.current().values() {
            let verdict = if stored.by_hand {
                MatchVerdict::No {
                    why: NOT_ASKED.to_owned(),
                }
            } else {
                self.verdict(compiled, &stored, &operator, entity)
            };
            if let MatchVerdict::Start(new) = &verdict {
                places.insert(new.started.run.clone(), Place::of(self, &new.started));
                self.keep(compiled).await?;
            }
            decisions.push(MatchDecision {
                playbook: compiled.reference(),
                verdict,
            });
        }
        let rows = self.inner.store.decide_matches(incident, decisions, now).await?;
        let begun = rows.iter().filter_map(|row| match &row.result {
            MatchResult::Started { run } | MatchResult::Shadow { run } => Some(run),
            MatchResult::Attached { .. } | MatchResult::No { .. } => None,
        });
        for run in begun {
            if let Some(place) = places.remove(run) {
                place.stored_as(run);
            }
            self.tell(run, Message::Go);
        }
        Ok(rows)
    }

    fn verdict(
        &self,
        compiled: &Compiled,
        stored: &StoredIncident,
        operator: &Operator,
        entity: &Entity,
    ) -> MatchVerdict {
        let plan = &compiled.plan;
        let now = self.now();
        let once = match engine::matches(plan, &stored.incident, entity, &operator.organisation) {
            Match::No { why } => return MatchVerdict::No { why },
            Match::Yes { once } => once,
        };
        if !entity.rollout.get(&plan.id).copied().unwrap_or_default().starts() {
            let why = format!(
                "rollout is off for {}; set `rollout: {{{}: auto}}` in its entity file",
                entity.id, plan.id
            );
            return MatchVerdict::No { why };
        }
        let Ok(incident) = stored.incident.reference.parse::<IncidentId>() else {
            return MatchVerdict::No {
                why: "the incident has no reference".to_owned(),
            };
        };
        let request = engine::StartRequest {
            run: crate::clock::fresh_run_id(now),
            incident: Some((incident, &stored.incident)),
            inputs: std::collections::BTreeMap::new(),
            by: StartedBy::Trigger,
            actor: Actor::engine(),
            mode: Mode::Auto,
        };
        let around = self.surroundings(operator, entity, now, engine::BlockCounts::default());
        let started = engine::start(plan, request, &around)
            .map_err(|refusal| refusal.to_string())
            .and_then(|started| {
                let turn = engine::turn(plan, &started, &around)?;
                Ok(Started { turn, ..started })
            });
        let started = match started {
            Ok(started) => started,
            Err(why) => return MatchVerdict::No { why },
        };
        let join = match self.rule(plan, &started) {
            Ruling::Start => None,
            Ruling::Join(run) => Some(run),
            Ruling::Drop(why) => return MatchVerdict::No { why },
        };
        MatchVerdict::Start(Box::new(NewRun { started, once, join }))
    }
}
