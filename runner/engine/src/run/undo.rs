//! What can be taken back, and how far that is.
//!
//! Owns which inverse an effect has and with which arguments. Whether an effect is still in force
//! outside is not known here: the host asks its register.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use playbooks::arguments::Argument;
use playbooks::marking::EffectClass;
use playbooks::plan::{self, Plan, Step};
use playbooks::types::Type;
use playbooks::values;
use serde_json::{Map, Value};
use state::event::{Intended, Inverse, Mode, RunStatus};
use state::ids::{EffectKey, Path};

use super::{Final, Place, Run, Spot};
use crate::names::{Facts, RunNames};
use crate::surroundings::Surroundings;

/// The taking back of effects.
#[derive(Debug, Clone, Default)]
pub(crate) struct Undo {
    /// In the order in which they are taken back.
    pub(crate) order: Vec<(Spot, Arc<Inverse>)>,
    /// How each stands.
    pub(crate) places: BTreeMap<Spot, Place>,
    /// Those that are taken back while the run goes on.
    pub(crate) at_once: BTreeSet<Spot>,
    /// How the run had ended before, when it was over.
    pub(crate) was: Option<RunStatus>,
    /// A person takes note that some could not be taken back.
    pub(crate) accepted: bool,
}

/// One effect of a run, and whether it can be taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct UndoLine {
    /// Where it was had.
    pub path: Path,
    /// The attempt that had it.
    pub intended: Arc<Intended>,
    /// What takes it back, or why nothing does.
    pub inverse: Result<Inverse, String>,
}

impl Run {
    /// Every effect that the run had, newest first, and what would take it back.
    pub fn undo_plan(&self, plan: &Plan, around: &Surroundings<'_>) -> Vec<UndoLine> {
        let facts = Facts::of(around);
        let line = |spot: &Spot| {
            let Place::Done {
                last: Some(intended),
                result: Final::Succeeded(output),
            } = self.place(*spot)?
            else {
                return None;
            };
            let (id, step) = plan.steps.get_index(spot.step)?;
            let path = Path {
                step: id.as_str().into(),
                item: spot.item,
                undo: false,
            };
            let free = self.may_be_undone(*spot, intended, around.now);
            let inverse = free.and_then(|()| {
                let names = RunNames::new(plan, self, Some((spot.step, spot.item)), &facts);
                let (action, arguments) = taken_back_by(step, &names, intended, output, around)?;
                Ok(Inverse {
                    path: path.clone(),
                    action,
                    connections: intended.connections.clone(),
                    arguments,
                })
            });
            Some(UndoLine {
                path,
                intended: Arc::clone(intended),
                inverse,
            })
        };
        self.effects.iter().rev().filter_map(line).collect()
    }

    fn may_be_undone(&self, spot: Spot, intended: &Intended, now: Timestamp) -> Result<(), String> {
        if self.started.mode == Mode::Simulate {
            return Err("nothing was done: the run only says what it would have done".to_owned());
        }
        match self.undo.places.get(&Spot { undo: true, ..spot }) {
            None
            | Some(Place::Done {
                result: Final::Failed(_),
                ..
            }) => {}
            Some(Place::Done { .. }) => return Err("it was taken back before".to_owned()),
            Some(Place::Unknown { .. }) => {
                return Err("whether it was taken back is not known; settle that first".to_owned());
            }
            Some(_) => return Err("it is being taken back".to_owned()),
        }
        match intended.until {
            Some(until) if until <= now => Err(format!("it ended at {}", until.strftime("%Y-%m-%d %H:%MZ"))),
            _ => Ok(()),
        }
    }

    /// The key of the effect that a path takes back; none of a path that takes nothing back.
    pub fn undone_by(&self, plan: &Plan, path: &Path) -> Option<EffectKey> {
        let intended = path.undo.then(|| self.last_intended(plan, &path.effect()))??;
        Some(intended.key.clone())
    }

    /// Whether something is still to be taken back, or could not be and waits for a person.
    pub(crate) fn undo_goes_on(&self) -> bool {
        let open = |place: &Place| !matches!(place, Place::Done { .. });
        self.undo.places.values().any(open) || self.undo_has_failed()
    }

    /// Whether an effect could not be taken back and nobody has taken note of it.
    pub(crate) fn undo_has_failed(&self) -> bool {
        !self.undo.accepted && self.undone().1.is_some()
    }

    /// The next effect to take back, when none is being taken back.
    pub(crate) fn next_undo(&self) -> Option<(Spot, Arc<Inverse>)> {
        if self.undo.places.values().any(Place::in_work) {
            return None;
        }
        let pending = |spot: &Spot| matches!(self.undo.places.get(spot), Some(Place::Pending));
        let next = self.undo.order.iter().find(|(spot, _)| pending(spot));
        next.map(|(spot, inverse)| (*spot, Arc::clone(inverse)))
    }

    /// Whether somebody wants effects taken back, or a failure does; not what a step watches for.
    pub(crate) fn undo_is_requested(&self) -> bool {
        let mut order = self.undo.order.iter();
        order.any(|(spot, _)| !self.undo.at_once.contains(spot))
    }

    /// How many effects were taken back, and the first that could not be, with the reason.
    pub(crate) fn undone(&self) -> (usize, Option<(Spot, &str)>) {
        let mut done = 0;
        let mut failed = None;
        for (spot, place) in &self.undo.places {
            match place {
                Place::Done {
                    result: Final::Failed(why),
                    ..
                } => {
                    failed.get_or_insert((*spot, why.as_str()));
                }
                Place::Done { .. } => done += 1,
                _ => {}
            }
        }
        (done, failed)
    }
}

/// What takes an effect back, as the playbook says or as the action declares.
fn taken_back_by(
    step: &Step,
    names: &RunNames<'_>,
    intended: &Intended,
    output: &Value,
    around: &Surroundings<'_>,
) -> Result<(String, Value), String> {
    let (action, with) = match &step.undo.inverse {
        plan::Inverse::Declared => return inverse_of(intended, output, around),
        plan::Inverse::RuledOut(reason) => return Err(format!("the playbook rules it out: {reason}")),
        plan::Inverse::Named { action, with } => (action, with),
    };
    let mut arguments = Map::new();
    for (name, argument) in with {
        let value = Argument::resolve(argument, names)
            .map_err(|why| format!("`{name}` of {}: {why}", action.name))?;
        let ty = action.inputs.get(name).map(|parameter| &parameter.ty);
        match (value, ty) {
            (Some(value), Some(ty)) => {
                let value =
                    values::check(&value, ty).map_err(|why| format!("`{name}` of {}: {why}", action.name))?;
                arguments.insert(name.clone(), value);
            }
            (None, Some(Type::Optional(_))) => {}
            _ => return Err(format!("`{}` needs `{name}`, which is not known", action.name)),
        }
    }
    Ok((action.name.clone(), Value::Object(arguments)))
}

/// The inverse that the action declares, with those of its inputs that bear the name of an argument
/// of the effect, or of an output of it.
fn inverse_of(
    intended: &Intended,
    output: &Value,
    around: &Surroundings<'_>,
) -> Result<(String, Value), String> {
    if intended.effect <= EffectClass::Record {
        return Err("it is a record of the house; correct it there".to_owned());
    }
    let spec = around
        .catalog
        .action(&intended.action)
        .ok_or_else(|| format!("there is no action `{}` any more", intended.action))?;
    let Some(inverse) = spec
        .inverse
        .as_deref()
        .and_then(|name| around.catalog.action(name))
    else {
        let why = spec.no_inverse_because.clone();
        return Err(why.unwrap_or_else(|| "it has no inverse".to_owned()));
    };
    let mut arguments = Map::new();
    for (name, parameter) in &inverse.inputs {
        let given = [&intended.arguments, output]
            .into_iter()
            .find_map(|from| from.get(name))
            .and_then(|value| values::check(value, &parameter.ty).ok());
        match given.filter(|value| !value.is_null()) {
            Some(value) => {
                arguments.insert(name.clone(), value);
            }
            None if matches!(parameter.ty, Type::Optional(_)) => {}
            None => return Err(format!("`{}` needs `{name}`, which is not known", inverse.name)),
        }
    }
    Ok((inverse.name.clone(), Value::Object(arguments)))
}
