//! What an expression or template may name, with types, and what its value is wanted for.
//!
//! Owns the static side of names; [`crate::names::Names`] is the side with values.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::Place;
use crate::types::{Enums, Type};

/// The names in reach, with their types. Cheap to clone: the maps are shared until one of the
/// clones adds a name.
#[derive(Debug, Clone, Default)]
pub struct TypeEnv {
    names: Arc<IndexMap<String, NameType>>,
    steps: Arc<IndexMap<String, StepType>>,
    enums: Enums,
    proven: BTreeSet<String>,
}

/// A root name.
#[derive(Debug, Clone)]
pub struct NameType {
    /// Its type.
    pub ty: Type,
    /// Where it is declared in the same source, for evidence in messages.
    pub declared: Option<Place>,
}

/// A step.
#[derive(Debug, Clone)]
pub struct StepType {
    /// The action it uses, for messages.
    pub action: String,
    /// What can be read of it: [`Type::step`] or [`Type::step_for_each`].
    pub ty: Type,
    /// Whether it has `for_each`, so that outputs are below `items`.
    pub for_each: bool,
    /// The place of its `uses:` in the same source, for evidence in messages.
    pub uses: Option<Place>,
}

impl TypeEnv {
    /// No names, but the enums of the playbook.
    pub fn new(enums: Enums) -> Self {
        Self {
            enums,
            ..Self::default()
        }
    }
    /// Adds a root name (`incident`, `inputs`, `now`, a let, a loop variable).
    pub fn add_name(&mut self, name: impl Into<String>, ty: Type, declared: Option<Place>) {
        Arc::make_mut(&mut self.names).insert(name.into(), NameType { ty, declared });
    }
    /// Adds a step.
    pub fn add_step(&mut self, id: impl Into<String>, step: StepType) {
        Arc::make_mut(&mut self.steps).insert(id.into(), step);
    }
    /// Adds paths known to be present, such as [`super::Expression::proves`] of the step's `if`
    /// and of `trigger.when`.
    pub fn add_proven(&mut self, paths: impl IntoIterator<Item = String>) {
        self.proven.extend(paths);
    }
    /// The root names.
    pub fn names(&self) -> &IndexMap<String, NameType> {
        &self.names
    }
    /// The steps.
    pub fn steps(&self) -> &IndexMap<String, StepType> {
        &self.steps
    }
    /// The playbook's own enums.
    pub const fn enums(&self) -> &Enums {
        &self.enums
    }
    /// The paths known to be present.
    pub const fn proven(&self) -> &BTreeSet<String> {
        &self.proven
    }
}

/// What a value is wanted for; decides which types are right and whether it may be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// `if`, `when`: true or false (PB211). The name of the key, for messages.
    Condition(String),
    /// A parameter of this type (PB210). [`Type::Optional`] also takes `omit`. The name of the
    /// parameter, for messages.
    Parameter(String, Type),
    /// `for_each`: a list (PB218).
    List,
    /// `let`: anything.
    Any,
    /// `outputs`: anything, and optional fields need no proof, because an output whose value is
    /// absent is left out.
    Output,
}
