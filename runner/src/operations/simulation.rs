//! What a playbook would have done about incidents that are stored, and in what two editions of
//! it differ.
//!
//! Owns the choice of editions, incidents and remembered answers, all within the caller's scope.
//! What is played is the engine's; nothing is asked of the world and nothing is stored. Answers
//! are remembered for each entity alone: what one was told is never used for another.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::rehearsal::Memory;
use jiff::Timestamp;
use playbooks::incident::IncidentType;
use state::access::{Permission, Principal, Scope};
use state::ids::{EntityId, IncidentId};
use state::store::{IncidentFilter, IncidentSummary, PAGE_ROWS_MAX, PageRequest, RunFilter, StoredIncident};
use web::OperationError;
use web::operations::Answer;
use web::view::simulation::{
    AskSimulation, EditionView, SIMULATED_INCIDENTS_DEFAULT, SIMULATED_INCIDENTS_MAX, Simulation,
};

use super::LocalOperations;
use crate::library::Compiled;

mod compare;
mod editions;
mod play;

/// Runs of one incident whose answers are remembered, newest first.
const RUNS_REMEMBERED_MAX: usize = 20;
/// Incidents that are looked through for those that belong to a simulation.
const INCIDENTS_SEARCHED_MAX: usize = 20_000;

/// An incident with what its own runs were answered.
struct Remembered {
    id: IncidentId,
    stored: StoredIncident,
    own: Memory,
}

/// Everything a simulation is told from.
struct Material {
    incidents: Vec<Remembered>,
    of_entity: BTreeMap<EntityId, Memory>,
    left_out: usize,
}

impl LocalOperations {
    pub(super) async fn simulated(
        &self,
        caller: &Principal,
        playbook: &str,
        ask: AskSimulation,
    ) -> Answer<Simulation> {
        let scope = caller.scope(Permission::See)?;
        let ways = [ask.incident.is_some(), ask.last.is_some(), ask.since.is_some()];
        if ways.iter().filter(|given| **given).count() > 1 {
            return Err(OperationError::invalid(
                "give one of `incident`, `last` and `since`, not several",
            ));
        }
        if let Some(entity) = &ask.entity
            && !(scope.covers(entity) && self.dispatcher.operator().entities.contains_key(entity.as_str()))
        {
            return Err(OperationError::not_found(format!("entity `{entity}`")));
        }
        // One at a time: it is only a matter of computing, and both cores belong to the runs.
        let Ok(turn) = Arc::clone(&self.simulations).try_acquire_owned() else {
            return Err(OperationError::Busy {
                why: "another simulation is under way".to_owned(),
                retry_after: web::error::RETRY_AFTER_DEFAULT,
            });
        };
        let editions = self.editions(&scope, playbook, &ask.editions).await?;
        let material = self.material(&scope, &ask, &editions).await?;
        let left_out = material.left_out;
        let shown = editions
            .iter()
            .map(|compiled| EditionView {
                version: compiled.plan.version,
                revision: compiled.plan.revision.clone(),
            })
            .collect();
        let dispatcher = self.dispatcher.clone();
        let played = tokio::task::spawn_blocking(move || {
            // Whoever asked may have left; it is over only when the computing is.
            let _turn = turn;
            play::all(&dispatcher, &editions, &material)
        });
        Ok(Simulation {
            playbook: playbook.to_owned(),
            editions: shown,
            incidents: played.await.map_err(OperationError::internal)?,
            left_out,
        })
    }

    async fn material(
        &self,
        scope: &Scope,
        ask: &AskSimulation,
        editions: &[Arc<Compiled>],
    ) -> Answer<Material> {
        let (chosen, left_out) = match &ask.incident {
            Some(id) => (vec![id.clone()], 0),
            None => self.chosen_incidents(scope, ask, editions).await?,
        };
        let mut material = Material {
            incidents: Vec::with_capacity(chosen.len()),
            of_entity: BTreeMap::new(),
            left_out,
        };
        for id in chosen {
            let found = self.dispatcher.store().incident_in(scope, &id).await?;
            let stored = found.ok_or_else(|| OperationError::not_found(format!("incident {id}")))?;
            let own = self
                .remembered(scope, &id, &stored.entity, &mut material.of_entity)
                .await?;
            material.incidents.push(Remembered { id, stored, own });
        }
        Ok(material)
    }

    /// What runs of an incident were answered. Adds the same to what its entity was told.
    async fn remembered(
        &self,
        scope: &Scope,
        incident: &IncidentId,
        entity: &EntityId,
        of_entity: &mut BTreeMap<EntityId, Memory>,
    ) -> Answer<Memory> {
        let filter = RunFilter {
            incident: Some(incident.clone()),
            ..RunFilter::default()
        };
        let page = PageRequest {
            after: None,
            limit: RUNS_REMEMBERED_MAX,
        };
        let mut runs = self.dispatcher.store().runs(scope, filter, page).await?.rows;
        // Oldest first, so that the newest answer is the one that stays.
        runs.reverse();
        let mut own = Memory::default();
        for run in runs {
            let events = self.dispatcher.store().events(scope, &run.run).await?;
            let events = events.unwrap_or_default();
            own.learn(&events);
            of_entity.entry(entity.clone()).or_default().learn(&events);
        }
        Ok(own)
    }

    /// The incidents of a simulation, oldest first, and how many more there were.
    async fn chosen_incidents(
        &self,
        scope: &Scope,
        ask: &AskSimulation,
        editions: &[Arc<Compiled>],
    ) -> Answer<(Vec<IncidentId>, usize)> {
        let since = match ask.since {
            Some(span) => Some(before(self.dispatcher.now(), span.as_milliseconds())?),
            None => None,
        };
        let most = match (ask.last, since) {
            (Some(last), _) => last.min(SIMULATED_INCIDENTS_MAX),
            (None, Some(_)) => SIMULATED_INCIDENTS_MAX,
            (None, None) => SIMULATED_INCIDENTS_DEFAULT,
        };
        let wanted = |row: &IncidentSummary| {
            editions.iter().any(|compiled| {
                let kinds: &[IncidentType] = &compiled.plan.trigger.incident;
                kinds.is_empty() || kinds.contains(&row.kind)
            })
        };
        let (mut chosen, mut left_out, mut searched) = (Vec::new(), 0, 0);
        let mut after = None;
        loop {
            let filter = IncidentFilter {
                entity: ask.entity.clone(),
                ..IncidentFilter::default()
            };
            let request = PageRequest {
                after,
                limit: PAGE_ROWS_MAX,
            };
            let page = self.dispatcher.store().incidents(scope, filter, request).await?;
            after = page.next;
            for row in page.rows {
                searched += 1;
                if since.is_some_and(|since| row.received_at < since) {
                    after = None;
                    break;
                }
                if wanted(&row) {
                    if chosen.len() < most {
                        chosen.push(row.id);
                    } else if since.is_some() {
                        left_out += 1;
                    }
                }
            }
            let enough = since.is_none() && chosen.len() >= most;
            if after.is_none() || enough || searched >= INCIDENTS_SEARCHED_MAX {
                chosen.reverse();
                return Ok((chosen, left_out));
            }
        }
    }
}

fn before(now: Timestamp, milliseconds: i64) -> Answer<Timestamp> {
    now.checked_sub(jiff::SignedDuration::from_millis(milliseconds))
        .map_err(|_| OperationError::invalid("`since` reaches too far back"))
}
