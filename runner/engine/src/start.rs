//! Whether a playbook applies to an incident, and event 0 of its run.
//!
//! Owns preconditions and inputs. Whether an equal run exists already is the store's knowledge.

use std::collections::BTreeMap;

use playbooks::incident::Incident;
use playbooks::operator::{Entity, Organisation};
use playbooks::plan::Plan;
use serde_json::Value;
use state::access::Actor;
use state::event::{Mode, Started, StartedBy};
use state::ids::{IncidentId, RunId};
use state::store::Once;

use crate::surroundings::Surroundings;

/// What somebody wants to start.
#[derive(Debug, Clone)]
pub struct StartRequest<'a> {
    /// The id the run will have.
    pub run: RunId,
    /// The incident it works on, as it is now.
    pub incident: Option<(IncidentId, &'a Incident)>,
    /// Inputs as given; defaults are filled in here.
    pub inputs: BTreeMap<String, Value>,
    /// Why.
    pub by: StartedBy,
    /// Who.
    pub actor: Actor,
    /// Whether effects happen.
    pub mode: Mode,
}

/// Why a run may not start. Nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartRefusal {
    /// The playbook is not turned on for the entity.
    #[error(
        "`{playbook}` is off for {entity}; turn it to `auto` in the entity's file: rollout: {{{playbook}: auto}}"
    )]
    Off {
        /// The playbook.
        playbook: String,
        /// The entity.
        entity: String,
    },
    /// People may not start it.
    #[error("`{0}` may not be started by hand (trigger.manual is false)")]
    NotByHand(String),
    /// Its precondition does not hold.
    #[error("{0}")]
    Precondition(String),
    /// The incident is marked more strictly than the playbook accepts.
    #[error("{0}")]
    Marking(String),
    /// An input does not fit.
    #[error("input `{name}`: {reason}")]
    Input {
        /// Its name.
        name: String,
        /// What does not fit and what would.
        reason: String,
    },
}

/// What a playbook makes of an incident, for the match ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// It wants to run.
    Yes {
        /// `once_per`, resolved.
        once: Option<Once>,
    },
    /// It does not.
    No {
        /// Which part said no, in words.
        why: String,
    },
}

/// Whether a playbook's trigger matches.
pub fn matches(_plan: &Plan, _incident: &Incident, _entity: &Entity, _org: &Organisation) -> Match {
    Match::No { why: String::new() }
}

/// Event 0 of a run, or why it may not start.
pub fn start(
    plan: &Plan,
    _request: StartRequest<'_>,
    _surroundings: &Surroundings<'_>,
) -> Result<Started, StartRefusal> {
    Err(StartRefusal::NotByHand(plan.id.clone()))
}
