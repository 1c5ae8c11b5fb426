//! Playing editions of a playbook over incidents, one after the other, in the order in which they
//! came: an incident may join the run of an earlier one.

use std::collections::BTreeMap;
use std::sync::Arc;

use actions::registry::Route;
use engine::rehearsal::{Foreseen, Memory, Past, Stage, foresee};
use engine::{Match, StartRequest};
use jiff::{SignedDuration, Timestamp};
use playbooks::operator::{Entity, Operator, Rollout};
use serde_json::Value;
use state::access::Actor;
use state::event::{Intended, Mode, Outcome, Started, StartedBy};
use state::ids::{IncidentId, RunId};
use web::view::simulation::{EffectLine, Foresight, RefusedLine, SimulatedIncident};

use super::compare::compare;
use super::{Material, Remembered};
use crate::dispatch::Dispatcher;
use crate::dispatch::perform::call;
use crate::library::Compiled;

/// Keys of `once_per` that were used: when, and by which incident.
type Begun = BTreeMap<String, (Timestamp, IncidentId)>;

/// What each edition would have done about each incident.
pub(super) fn all(
    dispatcher: &Dispatcher,
    editions: &[Arc<Compiled>],
    material: &Material,
) -> Vec<SimulatedIncident> {
    let operator = dispatcher.operator();
    let nothing = Memory::default();
    let mut begun: Vec<Begun> = editions.iter().map(|_| Begun::new()).collect();
    let incidents = material.incidents.iter().map(|remembered| {
        let stored = &remembered.stored;
        let table = Table {
            dispatcher,
            operator: &operator,
            remembered,
            others: material.of_entity.get(&stored.entity).unwrap_or(&nothing),
        };
        let foreseen = editions
            .iter()
            .zip(&mut begun)
            .map(|(compiled, begun)| table.told(compiled, begun))
            .collect();
        let mut one = SimulatedIncident {
            incident: remembered.id.clone(),
            entity: stored.entity.clone(),
            kind: stored.incident.kind,
            title: stored.incident.title.clone(),
            received_at: stored.incident.received_at,
            foreseen,
            gained: Vec::new(),
            lost: Vec::new(),
        };
        compare(&mut one);
        one
    });
    incidents.collect()
}

/// One incident and what is known around it.
struct Table<'a> {
    dispatcher: &'a Dispatcher,
    operator: &'a Arc<Operator>,
    remembered: &'a Remembered,
    others: &'a Memory,
}

impl Table<'_> {
    fn told(&self, compiled: &Compiled, begun: &mut Begun) -> Foresight {
        let not_started = |why: String| Foresight::NotStarted { why };
        let stored = &self.remembered.stored;
        let Some(entity) = self.operator.entities.get(stored.entity.as_str()) else {
            return not_started(format!("entity `{}` is not configured any more", stored.entity));
        };
        // Whether it is turned on is not the question here.
        let mut entity = entity.clone();
        entity.rollout.insert(compiled.plan.id.clone(), Rollout::Auto);
        let at = stored.incident.received_at;
        let organisation = &self.operator.organisation;
        match engine::matches(&compiled.plan, &stored.incident, &entity, organisation) {
            Match::No { why } => return not_started(why),
            Match::Yes { once: Some(once) } => {
                let span = SignedDuration::from_millis(once.within.as_milliseconds());
                if let Some((first, to)) = begun.get(&once.key)
                    && at.duration_since(*first) < span
                {
                    return Foresight::Attached { to: to.clone() };
                }
                begun.insert(once.key, (at, self.remembered.id.clone()));
            }
            Match::Yes { once: None } => {}
        }
        self.run(compiled, &Arc::new(entity), at)
    }

    fn run(&self, compiled: &Compiled, entity: &Arc<Entity>, at: Timestamp) -> Foresight {
        let stage = Stage {
            plan: &compiled.plan,
            operator: self.operator,
            entity,
            catalog: &**self.dispatcher.registry(),
        };
        let request = StartRequest {
            run: RunId::from_parts(u64::try_from(at.as_millisecond()).unwrap_or(0), 1),
            incident: Some((self.remembered.id.clone(), &self.remembered.stored.incident)),
            inputs: BTreeMap::new(),
            by: StartedBy::Trigger,
            actor: Actor::engine(),
            mode: Mode::Simulate,
        };
        let started = match engine::start(&compiled.plan, request, &stage.at(at)) {
            Ok(started) => started,
            Err(refusal) => {
                return Foresight::NotStarted {
                    why: refusal.to_string(),
                };
            }
        };
        let compute = |started: &Started, intended: &Intended| self.compute(entity, at, started, intended);
        let past = Past {
            own: &self.remembered.own,
            others: self.others,
            compute: &compute,
        };
        match foresee(stage, started, at, past) {
            Ok(foreseen) => shown(foreseen),
            Err(why) => Foresight::Broken { why },
        }
    }

    /// Does what only computes, here and now, on a thread that may wait.
    fn compute(
        &self,
        entity: &Arc<Entity>,
        at: Timestamp,
        started: &Started,
        intended: &Intended,
    ) -> Outcome {
        let facts: Arc<Value> = Arc::new(started.facts.clone());
        let call = call(started, intended, at, entity, self.operator, &facts);
        let route = Route::in_the_house();
        let asked = self
            .dispatcher
            .registry()
            .perform(&call, &route, self.dispatcher.files());
        match tokio::runtime::Handle::current().block_on(asked) {
            Ok(done) => Outcome::Succeeded {
                output: done.output,
                reference: done.reference,
            },
            Err(error) => Outcome::Failed {
                kind: error.kind,
                detail: error.detail,
                not_sent: error.not_sent,
                retry_after: error.retry_after,
            },
        }
    }
}

fn shown(foreseen: Foreseen) -> Foresight {
    match foreseen {
        Foreseen::Undecided { reads } => Foresight::Undecided {
            reads: reads
                .into_iter()
                .map(|(place, action, arguments)| EffectLine {
                    place: place.to_string(),
                    action,
                    arguments,
                })
                .collect(),
        },
        Foreseen::Told {
            status,
            effects,
            refused,
        } => Foresight::Runs {
            status: status.to_owned(),
            effects: effects
                .into_iter()
                .map(|effect| EffectLine {
                    place: effect.path,
                    action: effect.action,
                    arguments: effect.arguments,
                })
                .collect(),
            refused: refused
                .into_iter()
                .map(|(place, why)| RefusedLine {
                    place: place.to_string(),
                    why,
                })
                .collect(),
        },
    }
}
