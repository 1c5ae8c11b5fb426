//! Taking effects back, one after the other, once nothing else of the run is left to do.
//!
//! Owns that each has an intent that is complete and durable before anything is sent. What cannot be
//! taken back does not keep the others in force; the run then waits for a person.

use playbooks::action_spec::Recovery;
use playbooks::expression::Expression;
use playbooks::marking::EffectClass;
use playbooks::plan::{OnFailure, Section};
use serde_json::Value;
use state::access::Actor;
use state::event::{Event, Intended, Inverse, Mode};

use super::draft::Draft;
use crate::key::effect_key;
use crate::run::{Corrupt, Spot};

impl Draft<'_> {
    pub(super) fn undo_next(&mut self) -> Result<(), Corrupt> {
        let run = &self.run;
        let failing = run.failing.as_ref().is_some_and(|failing| !failing.late);
        let over = [Section::Steps, Section::OnFailure, Section::Finally]
            .into_iter()
            .filter(|section| *section != Section::OnFailure || failing)
            .all(|section| run.section_is_over(self.plan, section));
        if over && self.failure_undoes() {
            self.undo_everything()?;
        }
        match self.run.next_undo() {
            Some((spot, inverse)) if over || self.run.undo.at_once.contains(&spot) => {
                self.intend_undo(spot, &inverse)
            }
            _ => Ok(()),
        }
    }

    /// Takes back what steps watch for, while the run goes on. What is watched is read only when it
    /// is settled, and absent means no.
    pub(super) fn watch_for_undo(&mut self) -> Result<(), Corrupt> {
        let watched = self.plan.steps.values().any(|step| step.undo.when.is_some());
        if !watched || self.run.started.mode == Mode::Simulate {
            return Ok(());
        }
        let effects = self.run.effects.clone();
        for spot in effects {
            let known = self.run.undo.places.contains_key(&Spot { undo: true, ..spot });
            let Some(when) = self.step(spot.step).and_then(|step| step.undo.when.as_ref()) else {
                continue;
            };
            if known || !self.holds_now(spot, when) {
                continue;
            }
            let path = self.path(spot);
            let mut lines = self.run.undo_plan(self.plan, self.around).into_iter();
            let Some(Ok(inverse)) = lines
                .find(|line| path.as_ref() == Some(&line.path))
                .map(|line| line.inverse)
            else {
                continue;
            };
            self.record(Event::UndoRequested {
                inverses: vec![inverse],
                actor: Actor::engine(),
                reason: format!("undo.when: {}", when.source()),
                goes_on: true,
            })?;
        }
        Ok(())
    }

    /// Whether a watched condition holds: everything that it reads is settled, and it says yes.
    pub(super) fn holds_now(&self, spot: Spot, condition: &Expression) -> bool {
        let settled = condition.reads().iter().all(|read| self.read_is_settled(read));
        settled && condition.evaluate(&self.names(Some(spot))) == Ok(Some(Value::Bool(true)))
    }

    /// Whether the step that made the run fail says so, and nothing was asked for yet.
    fn failure_undoes(&self) -> bool {
        let step = self.run.failing.as_ref().and_then(|failing| failing.step);
        let says_so = step
            .and_then(|index| self.step(index))
            .is_some_and(|step| step.on_failure == OnFailure::Undo);
        says_so && !self.run.undo_is_requested()
    }

    fn undo_everything(&mut self) -> Result<(), Corrupt> {
        let lines = self.run.undo_plan(self.plan, self.around);
        let inverses: Vec<Inverse> = lines.into_iter().filter_map(|line| line.inverse.ok()).collect();
        if inverses.is_empty() {
            return Ok(());
        }
        self.record(Event::UndoRequested {
            inverses,
            actor: Actor::engine(),
            reason: "the step that failed says on_failure: undo".to_owned(),
            goes_on: false,
        })
    }

    fn intend_undo(&mut self, spot: Spot, inverse: &Inverse) -> Result<(), Corrupt> {
        let corrupt = |reason: &str| Corrupt {
            seq: self.run.next_seq,
            reason: reason.to_owned(),
        };
        let path = inverse.path.undoing();
        let effect = self
            .run
            .last_intended(self.plan, &inverse.path)
            .ok_or_else(|| corrupt("what is taken back was never intended"))?;
        let generation = self.run.generation(spot);
        let started = &self.run.started;
        let key = effect_key(started, &path, generation, &inverse.action, &inverse.arguments)
            .ok_or_else(|| corrupt("a digest is not a key"))?;
        let spec = self.around.catalog.action(&inverse.action);
        let intended = Intended {
            path,
            attempt: 1,
            key,
            action: inverse.action.clone(),
            effect: spec.map_or(EffectClass::Contain, |spec| spec.effect),
            connections: inverse.connections.clone(),
            left_out: Vec::new(),
            arguments: inverse.arguments.clone(),
            tlp: effect.tlp,
            pap: effect.pap,
            recovery: self.recovery_of(inverse),
            timeout: spec.map_or(effect.timeout, |spec| spec.timeout),
            until: None,
        };
        self.record(Event::Intended(intended))
    }

    /// How the provider behind the connection lets a doubtful attempt be treated; the most careful
    /// way when that is not known.
    fn recovery_of(&self, inverse: &Inverse) -> Recovery {
        let name = inverse.connections.first();
        let connection = name.and_then(|name| self.around.operator.connections.get(name));
        let providers = self.around.catalog.providers(&inverse.action);
        let provider = connection.and_then(|connection| {
            let mut providers = providers.into_iter();
            providers.find(|spec| spec.provider == connection.provider)
        });
        provider.map_or(Recovery::Once, |spec| spec.recovery)
    }
}
