//! Runs that somebody starts by hand, and keeping the playbooks that runs are pinned to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use playbooks::incident::Incident;
use playbooks::plan::Plan;
use serde_json::Value;
use state::access::Actor;
use state::event::{Mode, Started, StartedBy};
use state::ids::{EntityId, IncidentId, RunId};
use state::store::{NewRun, StoreError};

use super::turns::{Place, Ruling};
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

/// What came of a start by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedByHand {
    /// The run.
    pub run: RunId,
    /// It was open already, and the incident joined it (`concurrency`).
    pub attached: bool,
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
    /// What it takes turns with cannot be told.
    #[error("{0}")]
    Turn(String),
    /// As many runs of its key are open as there may be, and the playbook does not let more wait.
    #[error("{0}")]
    Busy(String),
    /// The store did not keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Dispatcher {
    /// Stores and begins a run that somebody starts by hand.
    pub async fn start_by_hand(
        &self,
        compiled: &Compiled,
        request: ByHand,
    ) -> Result<StartedByHand, StartError> {
        let now = self.now();
        let started = self.event_0(&compiled.plan, request, now)?;
        self.keep(compiled).await?;
        let join = match self.rule(&compiled.plan, &started) {
            Ruling::Start => None,
            // Another run on the same incident that only joins would be no other run.
            Ruling::Join(run) if started.rerun_of.is_some() => {
                return Err(StartError::Busy(format!(
                    "run {} is open for the same key",
                    run.short()
                )));
            }
            Ruling::Join(run) => Some(run),
            Ruling::Drop(why) => return Err(StartError::Busy(why)),
        };
        let place = Place::of(self, &started);
        let own = started.run.clone();
        let new = NewRun {
            started,
            once: None,
            join,
        };
        let run = self.inner.store.start(new, now).await?;
        place.stored_as(&run);
        self.tell(&run, Message::Go);
        Ok(StartedByHand {
            attached: run != own,
            run,
        })
    }

    fn event_0(&self, plan: &Plan, request: ByHand, now: Timestamp) -> Result<Started, StartError> {
        let operator = self.operator();
        let entity = operator
            .entities
            .get(request.entity.as_str())
            .ok_or_else(|| StartError::NoEntity(request.entity.clone()))?;
        let run = crate::clock::fresh_run_id(now);
        let around = self.surroundings(&operator, entity, now, engine::BlockCounts::default());
        let mut started = engine::start(
            plan,
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
            &around,
        )?;
        started.rerun_of = request.rerun_of;
        started.turn = engine::turn(plan, &started, &around).map_err(StartError::Turn)?;
        Ok(started)
    }

    /// What becomes of a start among those that it takes turns with.
    pub(super) fn rule(&self, plan: &Plan, started: &Started) -> Ruling {
        let when_busy = plan.concurrency.as_ref().map(|concurrency| concurrency.when_busy);
        self.inner.turns.rule(started, when_busy.unwrap_or_default())
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
