//! Runs that somebody starts by hand, and keeping the playbooks that runs are pinned to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use playbooks::incident::Incident;
use serde_json::Value;
use state::access::Actor;
use state::event::{Mode, StartedBy};
use state::ids::{EntityId, IncidentId, RunId};
use state::store::{NewRun, StoreError};

use super::{Dispatcher, Message};
use crate::library::Compiled;

/// A start by hand.
#[derive(Debug)]
pub struct ByHand {
    /// Whose run it is; the incident's entity.
    pub entity: EntityId,
    /// The incident it works on.
    pub incident: Option<(IncidentId, Incident)>,
    /// Inputs as given.
    pub inputs: BTreeMap<String, Value>,
    /// Who.
    pub actor: Actor,
    /// Whether effects happen.
    pub mode: Mode,
    /// The run that it repeats.
    pub rerun_of: Option<RunId>,
}

/// Why a run did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The entity is not configured.
    #[error("there is no entity `{0}`; its file is missing from entities/")]
    NoEntity(EntityId),
    /// The engine refused: inputs, marking, precondition, rollout.
    #[error(transparent)]
    Refused(#[from] engine::StartRefusal),
    /// The store did not keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Dispatcher {
    /// Stores and begins a run that somebody starts by hand.
    pub async fn start_by_hand(&self, compiled: &Compiled, request: ByHand) -> Result<RunId, StartError> {
        let operator = self.operator();
        let entity = operator
            .entities
            .get(request.entity.as_str())
            .ok_or_else(|| StartError::NoEntity(request.entity.clone()))?;
        let now = self.now();
        let run = crate::clock::fresh_run_id(now);
        let mut started = engine::start(
            &compiled.plan,
            engine::StartRequest {
                run: run.clone(),
                incident: request
                    .incident
                    .as_ref()
                    .map(|(id, incident)| (id.clone(), incident)),
                inputs: request.inputs,
                by: StartedBy::Hand,
                actor: request.actor,
                mode: request.mode,
            },
            &self.surroundings(&operator, entity, now, engine::BlockCounts::default()),
        )?;
        started.rerun_of = request.rerun_of;
        self.keep(compiled).await?;
        let run = self
            .inner
            .store
            .start(NewRun { started, once: None }, now)
            .await?;
        self.tell(&run, Message::Go);
        Ok(run)
    }

    /// Keeps the text of a playbook with the store, once for each process.
    pub(super) async fn keep(&self, compiled: &Compiled) -> Result<(), StoreError> {
        let reference = compiled.reference();
        let known = |set: &Mutex<BTreeSet<String>>| {
            set.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&reference.revision)
        };
        if known(&self.inner.kept) {
            return Ok(());
        }
        let text = serde_json::to_string(&compiled.bundle).map_err(|error| StoreError::Damaged {
            place: compiled.bundle.name.clone(),
            reason: error.to_string(),
        })?;
        self.inner.store.keep_plan(&reference, &text).await?;
        self.inner
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(reference.revision);
        Ok(())
    }
}
