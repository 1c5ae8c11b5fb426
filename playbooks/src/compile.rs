//! From text to plan.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::action_spec::Catalog;
use crate::diagnostic::{Diagnostic, Source};
use crate::operator::Operator;
use crate::plan::Plan;

/// A playbook with the templates it may name. What a run pins and what the store keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// File name, for messages; its stem must be the id.
    pub name: String,
    /// The playbook.
    pub playbook: String,
    /// Template texts by `mail/<name>.<language>`.
    #[serde(default)]
    pub templates: IndexMap<String, String>,
}

impl Bundle {
    /// The playbook as a source for diagnostics.
    pub fn source(&self) -> Source {
        Source::new(self.name.as_str(), self.playbook.as_str())
    }
}

/// What a playbook is checked against.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// The actions that exist.
    pub catalog: &'a dyn Catalog,
    /// Entities and connections, when they are known. Without them only what the text itself
    /// shows is checked.
    pub operator: Option<&'a Operator>,
}

impl std::fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("operator", &self.operator.is_some())
            .finish_non_exhaustive()
    }
}

/// The result of compiling: a plan exactly when no diagnostic is an error.
#[derive(Debug)]
pub struct Compilation {
    /// The plan.
    pub plan: Option<Plan>,
    /// Findings in order of place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads, checks and compiles a playbook. Total: any text gives a plan or diagnostics.
pub fn compile(_bundle: &Bundle, _environment: Environment<'_>) -> Compilation {
    Compilation {
        plan: None,
        diagnostics: Vec::new(),
    }
}
