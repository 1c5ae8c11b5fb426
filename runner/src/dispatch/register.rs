//! What an effect leaves in the register of measures besides what its action says of itself.
//!
//! Owns that everything with an end has an entry with what ends it, in the commit of its outcome,
//! and that the entry goes in the commit that takes it back. The end then outlives the run.

use playbooks::plan::Inverse as Written;
use state::event::{Event, Intended, Inverse, Outcome, ProbeAnswer, Recorded, Settlement, Started};
use state::ids::EffectKey;
use state::store::{Measure, MeasureChange};

use super::Dispatcher;
use super::worker::Loaded;

/// An answer that says the effect happened, as the event that will record it.
pub(super) fn as_done(intended: &Intended, outcome: &Outcome) -> Option<Event> {
    matches!(outcome, Outcome::Succeeded { .. }).then(|| Event::Finished {
        path: intended.path.clone(),
        attempt: intended.attempt,
        outcome: outcome.clone(),
        duration_ms: 0,
    })
}

/// The same of a question.
pub(super) fn as_found(intended: &Intended, answer: &ProbeAnswer) -> Option<Event> {
    matches!(answer, ProbeAnswer::Done { .. }).then(|| Event::Probed {
        path: intended.path.clone(),
        attempt: intended.attempt,
        answer: answer.clone(),
    })
}

/// The same of what a person says.
pub(super) fn as_settled(intended: &Intended, answer: &Settlement) -> Option<Event> {
    matches!(answer, Settlement::Done { .. }).then(|| Event::Settled {
        path: intended.path.clone(),
        attempt: intended.attempt,
        answer: answer.clone(),
        probed: false,
        actor: state::access::Actor::engine(),
        reason: String::new(),
    })
}

impl Dispatcher {
    /// Adds to the changes of the register what follows from an effect that happened.
    pub(super) async fn also_register(
        &self,
        loaded: &Loaded,
        intended: &Intended,
        done: Option<Event>,
        measures: &mut Vec<MeasureChange>,
    ) {
        let Some(done) = done else { return };
        let plan = &loaded.compiled.plan;
        let ended = loaded.run.undone_by(plan, &intended.path);
        if let Some(key) = ended.or_else(|| loaded.started.ends.clone()) {
            self.also_lift(&loaded.started, intended, key, measures).await;
        }
        let named = plan
            .steps
            .get(&*intended.path.step)
            .is_some_and(|step| matches!(step.undo.inverse, Written::Named { .. }));
        let own = |change: &&mut MeasureChange| matches!(change, MeasureChange::Put(measure) if measure.key == intended.key);
        let put = measures.iter_mut().find(own);
        if intended.path.undo || intended.until.is_none() || (put.is_some() && !named) {
            return;
        }
        let inverse = match self.inverse(loaded, intended, done) {
            Ok(inverse) => inverse,
            Err(why) => {
                tracing::error!(
                    run = %loaded.started.run,
                    path = %intended.path,
                    why,
                    "What ends an effect is not known; a person has to end it."
                );
                return;
            }
        };
        match put {
            Some(MeasureChange::Put(measure)) => {
                measure.inverse = Some(inverse.action);
                measure.inverse_arguments = inverse.arguments;
            }
            _ => measures.push(self.measure(&loaded.started, intended, inverse)),
        }
    }

    /// What takes the effect back, once it is recorded that it happened.
    fn inverse(&self, loaded: &Loaded, intended: &Intended, done: Event) -> Result<Inverse, String> {
        let now = self.now();
        let plan = &loaded.compiled.plan;
        let mut run = loaded.run.clone();
        let recorded = Recorded {
            seq: run.next_seq(),
            at: now,
            event: done,
        };
        run.apply(plan, &recorded)
            .map_err(|corrupt| corrupt.to_string())?;
        let surroundings = self.surroundings(
            &loaded.operator,
            &loaded.entity,
            now,
            engine::BlockCounts::default(),
        );
        let lines = run.undo_plan(plan, &surroundings);
        let line = lines.into_iter().find(|line| line.path == intended.path);
        line.ok_or("it is not among the effects of the run")?.inverse
    }

    fn measure(&self, started: &Started, intended: &Intended, inverse: Inverse) -> MeasureChange {
        let now = self.now();
        let arguments = &intended.arguments;
        let spec = playbooks::action_spec::Catalog::action(&*self.inner.registry, &intended.action);
        let target: Vec<String> = spec
            .into_iter()
            .flat_map(|spec| &spec.natural_key)
            .filter_map(|name| arguments.get(name))
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        let reason = arguments.get("reason").and_then(serde_json::Value::as_str);
        MeasureChange::Put(Box::new(Measure {
            key: intended.key.clone(),
            entity: started.entity.clone(),
            action: intended.action.clone(),
            target: target.join(", "),
            kind: intended.action.clone(),
            connection: intended.connections.first().cloned().unwrap_or_default(),
            direction: None,
            reason: reason.unwrap_or_default().to_owned(),
            run: started.run.clone(),
            incident: started.incident.clone(),
            since: now,
            until: intended.until.unwrap_or(now),
            inverse: Some(inverse.action),
            inverse_arguments: inverse.arguments,
        }))
    }

    /// Takes a measure out that was taken back by an action that keeps no register of its own.
    async fn also_lift(
        &self,
        started: &Started,
        intended: &Intended,
        key: EffectKey,
        measures: &mut Vec<MeasureChange>,
    ) {
        let lifted = |change: &MeasureChange| matches!(change, MeasureChange::Lifted { key: known, .. } if *known == key);
        if measures.iter().any(lifted) {
            return;
        }
        match self.held(started, self.now()).await {
            Ok(held) if held.iter().any(|measure| measure.key == key) => {
                measures.push(MeasureChange::Lifted {
                    key,
                    entity: started.entity.clone(),
                    reason: format!("{} of run {}", intended.action, started.run.short()),
                });
            }
            Ok(_) => {}
            // It is taken back once more at its end, which changes nothing outside.
            Err(error) => {
                tracing::error!(run = %started.run, %error, "The register of measures could not be read; nothing is lifted in it.");
            }
        }
    }
}
