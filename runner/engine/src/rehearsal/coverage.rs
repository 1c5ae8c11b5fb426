//! What the tests of a playbook reached: steps, both sides of every `if`, every branch of a let.
//!
//! Owns what counts as reached. A let's branches are found by evaluating it again under the names
//! of the finished run, which hold what it read.

use std::collections::BTreeSet;

use playbooks::diagnostic::Place;
use playbooks::plan::Plan;
use state::event::{Event, SkipCause};

use super::{Rehearsal, Stage, World};
use crate::names::names;

/// What was reached, over any number of runs of one playbook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    steps: BTreeSet<String>,
    sides: BTreeSet<(String, bool)>,
    /// Let, and the bytes of the branch in its expression.
    branches: BTreeSet<(String, usize, usize)>,
}

/// Something that no test reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uncovered {
    /// A step was never attempted.
    Step(String),
    /// The `if` of a step was never this.
    Side(String, bool),
    /// A branch of a let was never taken: the bytes of the let's expression.
    Branch(String, Place),
}

impl Coverage {
    /// Adds what one run reached.
    pub(super) fn add<W: World>(&mut self, stage: &Stage<'_>, rehearsal: &Rehearsal<'_, W>) {
        for recorded in rehearsal.events() {
            self.event(&recorded.event);
        }
        let surroundings = stage.at(rehearsal.now());
        let names = names(stage.plan, rehearsal.run(), None, &surroundings);
        for (name, definition) in &stage.plan.lets {
            let settled = rehearsal.events().iter().any(|recorded| {
                matches!(&recorded.event, Event::LetSettled { name: settled, value: Some(_), .. } if settled == name)
            });
            if settled {
                for place in definition.expression.branches_taken(&names) {
                    self.branches.insert((name.clone(), place.start, place.end));
                }
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let (path, said) = match event {
            Event::Intended(intended) => {
                self.steps.insert(intended.path.step.to_string());
                (&*intended.path.step, true)
            }
            Event::Waits { path, .. } | Event::RoundScheduled { path, .. } => {
                self.steps.insert(path.step.to_string());
                (&*path.step, true)
            }
            Event::Expanded { step, .. } => (step.as_str(), true),
            Event::Refused { path, .. } | Event::Finished { path, .. } => (&*path.step, true),
            Event::Skipped { path, cause } => match cause {
                SkipCause::IfFalse { .. } => (&*path.step, false),
                SkipCause::Needs { .. } | SkipCause::Absent { .. } => (&*path.step, true),
                _ => return,
            },
            _ => return,
        };
        self.sides.insert((path.to_owned(), said));
    }

    /// Takes over what another coverage of the same playbook reached.
    pub fn merge(&mut self, other: &Self) {
        self.steps.extend(other.steps.iter().cloned());
        self.sides.extend(other.sides.iter().cloned());
        self.branches.extend(other.branches.iter().cloned());
    }

    /// Whether a step was attempted.
    pub fn reached(&self, step: &str) -> bool {
        self.steps.contains(step)
    }

    /// Steps reached, and all of them.
    pub fn steps(&self, plan: &Plan) -> (usize, usize) {
        let reached = plan.steps.keys().filter(|id| self.steps.contains(*id)).count();
        (reached, plan.steps.len())
    }

    /// Sides of `if` seen, and all of them.
    pub fn sides(&self, plan: &Plan) -> (usize, usize) {
        count(sides(plan).map(|(step, side)| self.sides.contains(&(step.to_owned(), side))))
    }

    /// Branches of lets taken, and all of them.
    pub fn branches(&self, plan: &Plan) -> (usize, usize) {
        count(
            branches(plan)
                .map(|(name, place)| self.branches.contains(&(name.to_owned(), place.start, place.end))),
        )
    }

    /// What is not covered, steps first, in file order.
    pub fn uncovered(&self, plan: &Plan) -> Vec<Uncovered> {
        let steps = plan
            .steps
            .keys()
            .filter(|id| !self.steps.contains(*id))
            .map(|id| Uncovered::Step(id.clone()));
        let sides = sides(plan)
            .filter(|(step, side)| !self.sides.contains(&((*step).to_owned(), *side)))
            .map(|(step, side)| Uncovered::Side(step.to_owned(), side));
        let branches = branches(plan)
            .filter(|(name, place)| {
                !self
                    .branches
                    .contains(&((*name).to_owned(), place.start, place.end))
            })
            .map(|(name, place)| Uncovered::Branch(name.to_owned(), place));
        steps.chain(sides).chain(branches).collect()
    }
}

fn sides(plan: &Plan) -> impl Iterator<Item = (&str, bool)> {
    plan.steps
        .values()
        .filter(|step| step.condition.is_some())
        .flat_map(|step| [(step.id.as_str(), true), (step.id.as_str(), false)])
}

fn branches(plan: &Plan) -> impl Iterator<Item = (&str, Place)> {
    plan.lets.iter().flat_map(|(name, definition)| {
        let places = definition.expression.branches();
        places.into_iter().map(move |place| (name.as_str(), place))
    })
}

fn count(reached: impl Iterator<Item = bool>) -> (usize, usize) {
    reached.fold((0, 0), |(some, all), yes| (some + usize::from(yes), all + 1))
}
