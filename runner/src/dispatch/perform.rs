//! From an intent to an outcome: one call of the registry, nothing else.
//!
//! Owns the translation between the engine's intents and the actions' calls. An intent is durable
//! before it gets here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actions::action::{ActionError, Call, HouseChange, Performed, Probe};
use actions::registry::{LeftOut, Route};
use futures_util::FutureExt as _;
use jiff::Timestamp;
use playbooks::action_spec::ErrorKind;
use playbooks::incident::IncidentStatus;
use playbooks::operator::{Entity, Operator};
use serde_json::Value;
use state::access::Actor;
use state::event::{Intended, Outcome, ProbeAnswer, Started, StartedBy};
use state::ids::EffectKey;
use state::store::{IncidentUpdate, Measure, MeasureChange, StoreError};

use super::Dispatcher;
use super::overlap::{covers, same_target};

/// What came of an intent.
pub(super) struct Answer {
    pub(super) intended: Arc<Intended>,
    pub(super) finding: Finding,
    pub(super) duration_ms: u64,
}

/// See [`Answer`].
pub(super) enum Finding {
    Finished {
        outcome: Outcome,
        changes: Vec<HouseChange>,
    },
    Probed {
        answer: ProbeAnswer,
        changes: Vec<HouseChange>,
    },
}

impl Dispatcher {
    /// Performs or probes. Never panics and never retries; the registry bounds the time.
    pub(super) async fn carry_out(&self, call: Call, intended: Arc<Intended>, probe: bool) -> Answer {
        let inner = &self.inner;
        // Its time runs from when it is sent.
        let _turn = inner.steps.of(&call.entity.id).await;
        let begun = self.now();
        let finding = if probe {
            let connection = intended.connections.first().map(String::as_str);
            let asked = AssertUnwindSafe(inner.registry.probe(&call, connection, &*inner.files));
            let answer = asked.catch_unwind().await;
            match answer.unwrap_or_else(|_| Probe::CannotTell(PANICKED.to_owned())) {
                Probe::Done(Performed { output, changes, .. }) => Finding::Probed {
                    answer: ProbeAnswer::Done { output },
                    changes,
                },
                Probe::NotDone => Finding::Probed {
                    answer: ProbeAnswer::NotDone,
                    changes: Vec::new(),
                },
                Probe::CannotTell(detail) => Finding::Probed {
                    answer: ProbeAnswer::CannotTell { detail },
                    changes: Vec::new(),
                },
            }
        } else {
            let route = route(&intended);
            let performed = AssertUnwindSafe(inner.registry.perform(&call, &route, &*inner.files));
            match performed.catch_unwind().await.unwrap_or_else(|_| Err(panicked())) {
                Ok(Performed {
                    output,
                    reference,
                    changes,
                }) => Finding::Finished {
                    outcome: Outcome::Succeeded { output, reference },
                    changes,
                },
                Err(ActionError {
                    kind,
                    detail,
                    not_sent,
                    retry_after,
                    changes,
                }) => Finding::Finished {
                    outcome: Outcome::Failed {
                        kind,
                        detail,
                        not_sent,
                        retry_after,
                    },
                    changes,
                },
            }
        };
        let spent = self.now().duration_since(begun).as_millis();
        Answer {
            intended,
            finding,
            duration_ms: u64::try_from(spent).unwrap_or(0),
        }
    }

    /// Takes an effect back, unless the same is in force for another reason: then only the register
    /// changes, since to run the inverse would end the other one too.
    pub(super) async fn take_back_here(
        &self,
        started: &Started,
        call: Call,
        intended: Arc<Intended>,
        undone: &EffectKey,
        probe: bool,
    ) -> Answer {
        match self.same_elsewhere(started, undone).await {
            Ok(None) => self.carry_out(call, intended, probe).await,
            Ok(Some((ours, other))) => Answer {
                intended,
                finding: Finding::Finished {
                    outcome: Outcome::Succeeded {
                        output: Value::Object(serde_json::Map::new()),
                        reference: Some(format!(
                            "only the register changed: run {} has the same in force until {}",
                            other.run.short(),
                            other.until.strftime("%Y-%m-%d %H:%MZ")
                        )),
                    },
                    changes: vec![HouseChange::LiftMeasures {
                        kind: kind_of(&ours.kind),
                        target: ours.target,
                        direction: ours.direction,
                    }],
                },
                duration_ms: 0,
            },
            Err(error) => Answer {
                intended,
                finding: Finding::Finished {
                    outcome: Outcome::Failed {
                        kind: ErrorKind::Internal,
                        detail: format!("the register could not be read: {error}"),
                        not_sent: true,
                        retry_after: None,
                    },
                    changes: Vec::new(),
                },
                duration_ms: 0,
            },
        }
    }

    /// The measure of an effect, and another one of the same target that stays in force.
    async fn same_elsewhere(
        &self,
        started: &Started,
        undone: &EffectKey,
    ) -> Result<Option<(Measure, Measure)>, StoreError> {
        let mut leaving = self.inner.leaving.lock().await;
        let in_force = self.inner.store.measures(&started.entity, self.now()).await?;
        let Some(ours) = in_force.iter().find(|measure| measure.key == *undone).cloned() else {
            return Ok(None);
        };
        let other = leaving.stays(&ours, &in_force);
        Ok(other.map(|other| (ours, other)))
    }

    /// What the commit of an outcome also stores. `undone` is the effect that is taken back: only its
    /// own measure ends, not that of others of the same target. An outcome that is known
    /// must not be lost, so a register that cannot be read lifts nothing: what it lists is taken back
    /// at its end.
    pub(super) async fn house_changes(
        &self,
        started: &Started,
        intended: &Intended,
        undone: Option<&EffectKey>,
        changes: Vec<HouseChange>,
        now: Timestamp,
    ) -> (Vec<IncidentUpdate>, Vec<MeasureChange>) {
        let mut updates = Vec::new();
        let mut measures = Vec::new();
        for change in changes {
            match change {
                HouseChange::UpdateIncident {
                    status,
                    verdict,
                    severity,
                    note,
                } => {
                    updates.extend(update(started, intended, (status, verdict, severity, note)));
                }
                HouseChange::PutMeasure {
                    kind,
                    target,
                    direction,
                    reason,
                    inverse,
                } => {
                    let (inverse, inverse_arguments) = inverse.unzip();
                    measures.push(MeasureChange::Put(Box::new(Measure {
                        key: intended.key.clone(),
                        entity: started.entity.clone(),
                        action: intended.action.clone(),
                        target,
                        kind: kind.to_owned(),
                        connection: intended.connections.first().cloned().unwrap_or_default(),
                        direction,
                        reason,
                        run: started.run.clone(),
                        incident: started.incident.clone(),
                        since: now,
                        until: intended.until.unwrap_or(now),
                        inverse,
                        inverse_arguments: inverse_arguments.unwrap_or_default(),
                    })));
                }
                HouseChange::LiftMeasures {
                    kind,
                    target,
                    direction,
                } => {
                    let held = self.held(started, now).await.unwrap_or_else(|error| {
                        tracing::error!(run = %started.run, %error, "The register of measures could not be read; nothing is lifted in it.");
                        Vec::new()
                    });
                    measures.extend(
                        held.into_iter()
                            .filter(|one| {
                                undone.is_none_or(|key| one.key == *key)
                                    && one.kind == kind
                                    && same_target(&one.target, &target)
                                    && covers(direction.as_deref(), one.direction.as_deref())
                                    && intended.connections.contains(&one.connection)
                            })
                            .map(|one| MeasureChange::Lifted {
                                key: one.key,
                                entity: one.entity,
                                reason: format!("{} of run {}", intended.action, started.run.short()),
                            }),
                    );
                }
            }
        }
        (updates, measures)
    }

    /// The measures that an action may have taken back: those of the entity that are in force or
    /// wait for their end. The end of one measure is not the end of others of the same target.
    pub(super) async fn held(&self, started: &Started, now: Timestamp) -> Result<Vec<Measure>, StoreError> {
        let mut held = self.inner.store.measures_due(now, usize::MAX).await?;
        held.retain(|measure| measure.entity == started.entity);
        if started.by != StartedBy::Expiry {
            held.extend(self.inner.store.measures(&started.entity, now).await?);
        }
        Ok(held)
    }
}

/// The call an intent stands for.
pub(crate) fn call(
    started: &Started,
    intended: &Intended,
    now: Timestamp,
    entity: &Arc<Entity>,
    operator: &Arc<Operator>,
    facts: &Arc<Value>,
) -> Call {
    Call {
        key: intended.key.as_str().to_owned(),
        run: started.run.as_str().to_owned(),
        action: intended.action.clone(),
        attempt: intended.attempt,
        now,
        entity: Arc::clone(entity),
        organisation: Arc::new(operator.organisation.clone()),
        incident: Arc::clone(facts),
        arguments: intended.arguments.clone(),
        tlp: intended.tlp,
        until: intended.until,
        timeout: intended.timeout,
    }
}

/// A change of the run's incident, when it has one.
fn update(
    started: &Started,
    intended: &Intended,
    (status, verdict, severity, note): UpdateParts,
) -> Option<IncidentUpdate> {
    Some(IncidentUpdate {
        incident: started.incident.clone()?,
        entity: started.entity.clone(),
        key: intended.key.clone(),
        status,
        verdict,
        severity,
        note,
        run: Some(started.run.clone()),
        actor: Actor::engine(),
    })
}

/// The kind of a measure as actions write it.
fn kind_of(kind: &str) -> &'static str {
    ["ip", "domain", "url", "hash"]
        .into_iter()
        .find(|known| *known == kind)
        .unwrap_or_default()
}

/// What a person reads when an action panicked.
const PANICKED: &str = "a fault in Sortie itself: the action panicked; please report this with the log";

/// The failure of an action that panicked: it may have sent something.
fn panicked() -> ActionError {
    ActionError::new(ErrorKind::Internal, PANICKED)
}

/// The way out that the engine settled.
fn route(intended: &Intended) -> Route {
    let left_out = intended.left_out.iter();
    Route {
        connections: intended.connections.clone(),
        left_out: left_out
            .map(|one| LeftOut {
                connection: one.connection.clone(),
                reason: one.why.clone(),
            })
            .collect(),
    }
}

type UpdateParts = (
    Option<IncidentStatus>,
    Option<playbooks::marking::Verdict>,
    Option<playbooks::marking::Severity>,
    Option<String>,
);
