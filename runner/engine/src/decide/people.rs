//! What people decide about a run: settling what nobody could tell, taking note, trying again.
//!
//! Owns what they may say of which place, and that outputs a person gives keep the promise of the
//! action as if it had given them itself.

use playbooks::action_spec::ActionSpec;
use playbooks::types::Type;
use playbooks::values;
use serde_json::{Map, Value};
use state::access::Actor;
use state::event::{Event, Settlement};
use state::ids::Path;

use super::Refusal;
use super::command::place;
use super::draft::Draft;
use crate::backoff::later;
use crate::run::{Final, Place};

impl Draft<'_> {
    pub(super) fn settle(
        &mut self,
        path: Path,
        answer: Settlement,
        probed: bool,
        actor: Actor,
        reason: String,
    ) -> Result<(), Refusal> {
        let found = place(self.plan, &self.run, &path);
        let (Some(found), Some(step)) = (found, self.plan.steps.get(&*path.step)) else {
            return Err(unfit(format!("the run has no place `{path}`")));
        };
        self.may_settle(&path, found, &answer, probed)?;
        let attempt = found.attempt();
        let arguments = found.last().map(|last| &last.arguments);
        let answer = match answer {
            // Nobody reads what taking back gives.
            answer if path.undo => answer,
            Settlement::Done { output } => Settlement::Done {
                output: promised(&step.action, arguments, output)?,
            },
            Settlement::ByHand { output } => Settlement::ByHand {
                output: promised(&step.action, arguments, output)?,
            },
            Settlement::NotDone => Settlement::NotDone,
        };
        self.record(Event::Settled {
            path,
            attempt,
            answer,
            probed,
            actor,
            reason,
        })?;
        Ok(())
    }

    fn may_settle(
        &self,
        path: &Path,
        found: &Place,
        answer: &Settlement,
        probed: bool,
    ) -> Result<(), Refusal> {
        match found {
            Place::Unknown { last, since, .. } => match self.settle_time(last) {
                Some(settle)
                    if probed
                        && *answer == Settlement::NotDone
                        && self.around.now < self.believable(*since, settle) =>
                {
                    Err(unfit(format!(
                        "it is not there, which means nothing for the first {settle}; ask again later"
                    )))
                }
                _ => Ok(()),
            },
            Place::Done {
                result: Final::Failed(_),
                ..
            } => match answer {
                Settlement::ByHand { .. } => Ok(()),
                _ => Err(unfit(format!(
                    "`{path}` failed, which is certain; it can be retried, or settled with --done-by-hand"
                ))),
            },
            other => Err(unfit(format!(
                "there is nothing to settle about `{path}`: {}",
                other.words()
            ))),
        }
    }

    pub(super) fn acknowledge(&mut self, actor: Actor, reason: String) -> Result<(), Refusal> {
        if !self.run.needs_attention() && !self.run.undo_has_failed() {
            return Err(unfit(
                "there is no failure that waits for somebody to take note of it".to_owned(),
            ));
        }
        Ok(self.record(Event::Acknowledged { actor, reason })?)
    }

    pub(super) fn undo(&mut self, paths: &[Path], actor: Actor, reason: String) -> Result<(), Refusal> {
        let mut inverses = Vec::new();
        for line in self.run.undo_plan(self.plan, self.around) {
            if paths.contains(&line.path) {
                inverses.push(
                    line.inverse
                        .map_err(|why| unfit(format!("`{}`: {why}", line.path)))?,
                );
            }
        }
        if inverses.is_empty() {
            return Err(unfit("there is nothing to take back".to_owned()));
        }
        Ok(self.record(Event::UndoRequested {
            inverses,
            actor,
            reason,
            goes_on: false,
        })?)
    }

    pub(super) fn retry(&mut self, from: Option<&str>, actor: Actor, reason: String) -> Result<(), Refusal> {
        let places = self.run.again(self.plan, from).map_err(unfit)?;
        let deadline = later(self.around.now, self.plan.limits.time);
        Ok(self.record(Event::Retried {
            places: places.into_iter().map(|again| again.path).collect(),
            deadline,
            actor,
            reason,
        })?)
    }
}

const fn unfit(why: String) -> Refusal {
    Refusal::Unfit { why }
}

/// The outputs of an action as a person gives them. What they leave out is taken from the argument
/// of the same name: whoever blocked a domain by hand need not write it again.
fn promised(action: &ActionSpec, arguments: Option<&Value>, output: Value) -> Result<Value, Refusal> {
    let Value::Object(mut given) = output else {
        return Err(unfit("outputs are given as name=value".to_owned()));
    };
    if let Some(unknown) = given.keys().find(|name| !action.outputs.contains_key(*name)) {
        let known: Vec<&str> = action.outputs.keys().map(String::as_str).collect();
        return Err(unfit(format!(
            "`{}` has no output `{unknown}`; it has {}",
            action.name,
            known.join(", ")
        )));
    }
    let mut outputs = Map::new();
    let mut missing = Vec::new();
    for (name, ty) in &action.outputs {
        let given = given.remove(name).filter(|value| !value.is_null());
        let value = match given {
            Some(value) => {
                Some(values::check(&value, ty).map_err(|why| unfit(format!("output `{name}`: {why}")))?)
            }
            None => arguments
                .and_then(|arguments| arguments.get(name))
                .and_then(|argument| values::check(argument, ty).ok())
                .filter(|value| !value.is_null()),
        };
        match value {
            Some(value) => {
                outputs.insert(name.clone(), value);
            }
            None if matches!(ty, Type::Optional(_)) => {}
            None => missing.push(format!("{name} ({ty})")),
        }
    }
    if missing.is_empty() {
        return Ok(Value::Object(outputs));
    }
    Err(unfit(format!(
        "later steps may read what `{}` gives, and it is not known: {}; give it as an output",
        action.name,
        missing.join(", ")
    )))
}
