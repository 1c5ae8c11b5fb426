//! From text to plan.
//!
//! Owns the order of the passes. Each pass lives in a file of its own below this one:
//! inputs and names, expressions in the order of their types, steps and their parameters, mail
//! templates, the order graph, and then the rules that look at the whole.

mod absence;
mod approvals;
mod arguments;
mod circle;
mod effects;
mod guards;
mod inputs;
mod mail;
mod markings;
mod order;
mod pace;
mod questions;
mod repeat;
mod scan;
mod scope;
mod steps;
mod undo;
mod unused;
mod work;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::action_spec::Catalog;
use crate::diagnostic::{Diagnostic, Level, Source};
use crate::operator::Operator;
use crate::plan::Plan;
use crate::{document, revision, yaml};

use self::work::Work;

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
///
/// Findings of one stage (YAML, shape of the file, meaning) hide the later stages, because those
/// would only repeat them in other words.
pub fn compile(bundle: &Bundle, environment: Environment<'_>) -> Compilation {
    build(bundle, environment, false)
}

/// Compiles a playbook that an earlier version accepted, for the runs that are pinned to it: rules
/// that came later are not held against it.
pub fn compile_kept(bundle: &Bundle, environment: Environment<'_>) -> Compilation {
    build(bundle, environment, true)
}

/// Rules that playbooks were accepted without.
const LATER_RULES: &[&str] = &["PB308", "PB330", "PB331"];

fn build(bundle: &Bundle, environment: Environment<'_>, kept: bool) -> Compilation {
    let source = bundle.source();
    let root = match yaml::read(&source) {
        Ok(root) => root,
        Err(diagnostics) => return refused(diagnostics),
    };
    let (document, findings) = document::read(&source, &root);
    let (Some(document), true) = (document, findings.is_empty()) else {
        return refused(findings);
    };
    let mut work = Work::new(&source, &document, bundle, environment);
    work.kept = kept;
    let parts = passes(&mut work);
    let mut diagnostics = work.findings;
    diagnostics.sort_by(|a, b| {
        let key = |finding: &Diagnostic| (finding.primary.source.name.clone(), finding.primary.place.start);
        key(a).cmp(&key(b))
    });
    diagnostics.dedup();
    let failed = diagnostics.iter().any(|finding| finding.level == Level::Error);
    let plan = if failed { None } else { parts };
    let plan = plan.map(|mut plan| {
        let named = plan
            .templates
            .keys()
            .filter_map(|name| Some((name.as_str(), bundle.templates.get(name)?.as_str())));
        plan.revision = revision::of(&root.to_json(), named);
        plan
    });
    Compilation { plan, diagnostics }
}

fn refused(diagnostics: Vec<Diagnostic>) -> Compilation {
    Compilation {
        plan: None,
        diagnostics,
    }
}

/// Runs the passes. `None` when something is so wrong that there is no plan to build.
fn passes(work: &mut Work<'_>) -> Option<Plan> {
    let inputs = inputs::read(work);
    let trigger = scope::trigger(work)?;
    let concurrency = scope::concurrency(work, &inputs);
    steps::actions_exist(work)?;
    order::typed(work, &inputs)?;
    let (steps, templates) = steps::compile(work);
    let outputs = scope::outputs(work);
    let (graph, lets) = order::graph(work)?;
    // Next to an error, something may look missing or unused only because its reader did not
    // compile.
    let sound = !failed(work);
    effects::check(work);
    approvals::groups(work, &graph);
    pace::check(work, &graph, &steps);
    if sound {
        absence::check(work);
    }
    if !failed(work) {
        unused::check(work, &graph);
    }
    let document = work.document;
    let mut steps = steps;
    order::waits(&graph, work, &mut steps);
    Some(Plan {
        id: document.id.value.clone(),
        name: document.name.value.clone(),
        version: document.version,
        description: document.description.clone(),
        owner: document.owner.clone(),
        tags: document.tags.clone(),
        revision: String::new(),
        source: work.source.text.clone(),
        trigger,
        concurrency,
        limits: work.limits,
        may: document.may.iter().map(|class| class.value).collect(),
        inputs,
        lets,
        steps,
        graph,
        outputs,
        templates,
    })
}

fn failed(work: &Work<'_>) -> bool {
    work.findings.iter().any(|finding| finding.level == Level::Error)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use self::tests::catalogue as test_catalogue;
