//! Whether a playbook applies to an incident, and event 0 of its run.
//!
//! Owns preconditions and inputs. Whether an equal run exists already is the store's knowledge.

use std::collections::BTreeMap;

use playbooks::incident::Incident;
use playbooks::operator::{Entity, Organisation, Rollout};
use playbooks::plan::Plan;
use playbooks::revision::canonical_json;
use serde_json::{Map, Value};
use state::access::Actor;
use state::event::{Mode, PlaybookRef, Started, StartedBy, Turn};
use state::ids::{IncidentId, RunId};
use state::store::Once;

use crate::backoff::later;
use crate::guardrails;
use crate::names::{StartNames, TriggerNames};
use crate::surroundings::Surroundings;

mod inputs;

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

/// Whether a playbook's trigger matches an incident. Asked in this order: rollout, type, `when`,
/// marking, `once_per`; the first that says no is the answer.
pub fn matches(plan: &Plan, incident: &Incident, entity: &Entity, org: &Organisation) -> Match {
    match trigger(plan, incident, entity, org) {
        Ok(once) => Match::Yes { once },
        Err(why) => Match::No { why },
    }
}

fn trigger(
    plan: &Plan,
    incident: &Incident,
    entity: &Entity,
    org: &Organisation,
) -> Result<Option<Once>, String> {
    turned_on(plan, entity).map_err(|refusal| refusal.to_string())?;
    if plan.trigger.incident.is_empty() {
        return Err("no incident starts it by itself (trigger.incident is empty)".to_owned());
    }
    let names = TriggerNames::new(Some(incident), entity, org);
    precondition(plan, Some(incident), &names)?;
    if let Some(why) = guardrails::ceilings_of_start(plan, incident) {
        return Err(why);
    }
    let Some(once_per) = &plan.trigger.once_per else {
        return Ok(None);
    };
    match once_per.key.resolve(&names) {
        Ok(Some(key)) => Ok(Some(Once {
            key: once_key(&canonical_json(&key), rollout(plan, entity)),
            within: once_per.within,
        })),
        Ok(None) => Err("once_per.key has no value".to_owned()),
        Err(why) => Err(format!("once_per.key: {why}")),
    }
}

/// Type and `when`: what must hold however the run starts.
fn precondition(plan: &Plan, incident: Option<&Incident>, names: &TriggerNames) -> Result<(), String> {
    let wanted = &plan.trigger.incident;
    match incident {
        Some(incident) if !wanted.is_empty() && !wanted.contains(&incident.kind) => {
            let words: Vec<_> = wanted.iter().map(|kind| kind.word()).collect();
            return Err(format!(
                "it wants {}, this is {}",
                words.join(" or "),
                incident.kind
            ));
        }
        None if !wanted.is_empty() => {
            return Err(format!("`{}` works on an incident, and none was given", plan.id));
        }
        _ => {}
    }
    let Some(when) = &plan.trigger.when else {
        return Ok(());
    };
    match when.evaluate(names) {
        Ok(Some(Value::Bool(true))) => Ok(()),
        Ok(Some(Value::Bool(false))) => Err(format!("when: {}", when.why_false(names))),
        Ok(_) => Err(format!("when is neither true nor false: {}", when.source())),
        Err(why) => Err(format!("when could not be decided: {why}")),
    }
}

fn rollout(plan: &Plan, entity: &Entity) -> Rollout {
    entity.rollout.get(&plan.id).copied().unwrap_or_default()
}

/// A run in the shadow had no effects, so it must not swallow the incident that comes after the
/// playbook was turned on.
fn once_key(key: &str, rollout: Rollout) -> String {
    match rollout {
        Rollout::Shadow => format!("shadow {key}"),
        _ => key.to_owned(),
    }
}

/// In the shadow nothing is done, whoever starts it and whatever they ask for. What takes an
/// effect back belongs to a run that had effects.
fn mode(asked: Mode, by: StartedBy, rollout: Rollout) -> Mode {
    if rollout == Rollout::Shadow && by != StartedBy::Expiry {
        Mode::Simulate
    } else {
        asked
    }
}

fn turned_on(plan: &Plan, entity: &Entity) -> Result<(), StartRefusal> {
    match rollout(plan, entity) {
        Rollout::Auto | Rollout::Suggest | Rollout::Shadow => Ok(()),
        Rollout::Off => Err(StartRefusal::Off {
            playbook: plan.id.clone(),
            entity: entity.id.clone(),
        }),
    }
}

/// What a run takes turns with, from its event 0 and the playbook's `concurrency`; none when it
/// need not wait for others. What has no effects disturbs nobody and takes no turns. Whether it is
/// its turn is the host's knowledge.
///
/// # Errors
/// The key has no value, in words.
pub fn turn(plan: &Plan, started: &Started, surroundings: &Surroundings<'_>) -> Result<Option<Turn>, String> {
    let Some(concurrency) = &plan.concurrency else {
        return Ok(None);
    };
    if started.mode == Mode::Simulate {
        return Ok(None);
    }
    let names = StartNames::new(started, surroundings);
    match concurrency.key.resolve(&names) {
        Ok(Some(key)) => Ok(Some(Turn {
            key: canonical_json(&key),
            limit: concurrency.limit,
        })),
        Ok(None) => Err("concurrency.key has no value".to_owned()),
        Err(why) => Err(format!("concurrency.key: {why}")),
    }
}

/// Event 0 of a run, or why it may not start. A playbook that is off never starts, by hand
/// neither; only the agreed end of an effect ([`StartedBy::Expiry`]) does not ask.
pub fn start(
    plan: &Plan,
    request: StartRequest<'_>,
    surroundings: &Surroundings<'_>,
) -> Result<Started, StartRefusal> {
    let entity = surroundings.entity;
    if request.by != StartedBy::Expiry {
        turned_on(plan, entity)?;
    }
    if request.by == StartedBy::Hand && !plan.trigger.manual {
        return Err(StartRefusal::NotByHand(plan.id.clone()));
    }
    let incident = request.incident.as_ref().map(|(_, incident)| *incident);
    let names = TriggerNames::new(incident, entity, &surroundings.operator.organisation);
    precondition(plan, incident, &names).map_err(StartRefusal::Precondition)?;
    if let Some(why) = incident.and_then(|incident| guardrails::ceilings_of_start(plan, incident)) {
        return Err(StartRefusal::Marking(why));
    }
    let inputs = inputs::typed(&plan.inputs, request.inputs)
        .map_err(|(name, reason)| StartRefusal::Input { name, reason })?;
    let entity_id = entity
        .id
        .parse()
        .map_err(|why| StartRefusal::Precondition(format!("the entity of the run cannot be named: {why}")))?;
    Ok(Started {
        run: request.run,
        entity: entity_id,
        facts: incident.map_or_else(|| Value::Object(Map::new()), Incident::to_value),
        incident: request.incident.map(|(id, _)| id),
        playbook: PlaybookRef {
            id: plan.id.clone(),
            version: plan.version,
            revision: plan.revision.clone(),
        },
        by: request.by,
        actor: request.actor,
        mode: mode(request.mode, request.by, rollout(plan, entity)),
        inputs,
        deadline: later(surroundings.now, plan.limits.time),
        rerun_of: None,
        ends: None,
        turn: None,
    })
}
