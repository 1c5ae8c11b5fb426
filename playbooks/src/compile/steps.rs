//! Steps: their action, texts and settings.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::action_spec::{ActionSpec, ErrorKind, Sink};
use crate::document::Step;
use crate::expression::TypeEnv;
use crate::plan::{self, ForEach, MailTemplate, Node, OnFailure, PARALLEL_DEFAULT, Retry};
use crate::snippet::Snippet;
use crate::suggestion::did_you_mean;
use crate::template::{Blocks, Template};
use crate::types::Type;

use super::work::{Reader, Work};
use super::{approvals, arguments, mail, order, questions, repeat, scope, undo};

/// Compiles every step, and the mail templates they name.
pub(super) fn compile(work: &mut Work<'_>) -> (IndexMap<String, plan::Step>, IndexMap<String, MailTemplate>) {
    let document = work.document;
    let mut actions: IndexMap<&str, Arc<ActionSpec>> = IndexMap::new();
    let mut steps = IndexMap::new();
    let mut templates = mail::Templates::default();
    for step in &document.steps {
        let Some(action) = work.action(step) else { continue };
        let action = actions
            .entry(&step.uses.value)
            .or_insert_with(|| Arc::new(action.clone()))
            .clone();
        questions::check(work, step, &action);
        let action = if action.asks_people() {
            Arc::new(ActionSpec {
                outputs: questions::outputs_of(step, &action),
                ..ActionSpec::clone(&action)
            })
        } else {
            action
        };
        if let Some(compiled) = one(work, step, action, &mut templates) {
            steps.insert(step.id.value.clone(), compiled);
        }
    }
    (steps, templates.into_compiled())
}

/// Reports every step whose action does not exist. `None` when there is one: without its outputs
/// everything that reads them would be blamed.
pub(super) fn actions_exist(work: &mut Work<'_>) -> Option<()> {
    let document = work.document;
    let unknown: Vec<&Step> = document
        .steps
        .iter()
        .filter(|step| work.action(step).is_none())
        .collect();
    for step in &unknown {
        unknown_action(work, step);
    }
    unknown.is_empty().then_some(())
}

fn unknown_action(work: &mut Work<'_>, step: &Step) {
    let name: String = step.uses.value.chars().take(60).collect();
    let finding = if name.starts_with("playbook.") {
        work.error(
            "PB199",
            &step.uses.place,
            "calling another playbook is not built yet",
        )
        .help("write its steps here")
    } else {
        let known = work.environment.catalog.names();
        let finding = work
            .error("PB201", &step.uses.place, format!("there is no action `{name}`"))
            .label("not in the catalogue");
        match did_you_mean(&name, known) {
            Some(help) => finding.help(help),
            None => finding.help("`sortie actions list` shows them"),
        }
    };
    work.report(finding);
}

/// What the parameters of a step may name: everything, its loop variable, and what its `if` and
/// its section prove.
pub(super) fn env_of(work: &Work<'_>, step: &Step) -> TypeEnv {
    let mut env = question_env(work, step);
    if let Some(each) = &step.for_each {
        let item = item_type(work, step);
        env.add_name(
            each.variable.value.clone(),
            item,
            Some(each.variable.place.clone()),
        );
    }
    env
}

fn item_type(work: &Work<'_>, step: &Step) -> Type {
    match work.lists.get(&step.id.value).map(|list| list.ty().required()) {
        Some(Type::List(item)) => (**item).clone(),
        _ => Type::Never,
    }
}

fn one(
    work: &mut Work<'_>,
    step: &Step,
    action: Arc<ActionSpec>,
    templates: &mut mail::Templates,
) -> Option<plan::Step> {
    let id = step.id.value.clone();
    if step.for_each.is_none() {
        order::condition(work, step);
    }
    if step.condition.is_some() && !work.conditions.contains_key(&id) {
        // Without the condition nobody knows what it proves for the parameters.
        return None;
    }
    let env = env_of(work, step);
    let name = name(work, step);
    // A list is approved as one, so no item is in reach of the question.
    let approval = approvals::compile(work, step, &action, &question_env(work, step));
    let with = arguments::compile(work, step, &action, &env, templates);
    let repeat = repeat::compile(work, step, &action, &env).ok();
    let undo = undo::compile(work, step, &action, &env, templates);
    let condition = work.conditions.get(&id).cloned();
    let for_each = match &step.for_each {
        Some(each) => Some(ForEach {
            variable: each.variable.value.clone(),
            list: work.lists.get(&id)?.clone(),
            max_parallel: step.max_parallel.unwrap_or(PARALLEL_DEFAULT),
        }),
        None => None,
    };
    Some(plan::Step {
        name: name?,
        section: step.section,
        using: step.using.as_ref().map(|using| using.value.clone()),
        with: with?,
        condition,
        for_each,
        waits_for: std::collections::BTreeMap::new(),
        timeout: step
            .timeout
            .as_ref()
            .map_or(action.timeout, |timeout| timeout.value),
        retry: retry(step, &action),
        on_failure: step
            .on_failure
            .as_ref()
            .map_or(OnFailure::Stop, |placed| placed.value),
        if_refused_continue: step
            .if_refused_continue
            .as_ref()
            .is_some_and(|placed| placed.value),
        approval,
        repeat: repeat?,
        undo: undo?,
        action,
        id,
    })
}

/// An action that only one place of the plan holds.
pub(super) fn one_action(action: &ActionSpec) -> Arc<ActionSpec> {
    Arc::new(action.clone())
}

/// What an approval may name: what its step may, without the loop variable.
fn question_env(work: &Work<'_>, step: &Step) -> TypeEnv {
    let mut env = work.env.clone();
    env.add_proven(scope::section_facts(step.section));
    if let Some(condition) = work.conditions.get(&step.id.value) {
        env.add_proven(condition.proves().iter().cloned());
    }
    env
}

/// The name for timeline and report; the id when none is written.
fn name(work: &mut Work<'_>, step: &Step) -> Option<Template> {
    let node = step.name.as_ref();
    let text = match node {
        Some(node) => {
            if let Some(text) = node.text() {
                text.to_owned()
            } else {
                let finding = work.error(
                    "PB112",
                    &node.place,
                    format!("`name` wants a text, this is {}", node.kind()),
                );
                work.report(finding);
                return None;
            }
        }
        None => step.id.value.clone(),
    };
    let place = node.map_or_else(|| step.id.place.clone(), |node| node.place.clone());
    if let Some(node) = node
        && work.names_secret(node)
    {
        return None;
    }
    let item = item_type(work, step);
    let variable = step
        .for_each
        .as_ref()
        .map(|each| (each.variable.value.as_str(), &item));
    let env = scope::of_names(work, variable);
    let snippet = Snippet::new(work.source, place, &text);
    match Template::compile(&snippet, &env, Sink::Plain, Blocks::Refused) {
        Ok(template) => Some(template),
        Err(findings) => {
            work.findings.extend(findings);
            None
        }
    }
}

fn retry(step: &Step, action: &ActionSpec) -> Retry {
    let default = &action.retry;
    let written = step.retry.as_ref();
    let errors: Vec<ErrorKind> = written
        .and_then(|retry| retry.errors.clone())
        .unwrap_or_else(|| default.errors.clone());
    Retry {
        attempts: written
            .and_then(|retry| retry.attempts)
            .unwrap_or(default.attempts),
        backoff: written.and_then(|retry| retry.backoff).unwrap_or(default.backoff),
        errors: errors.into_iter().collect(),
    }
}

/// The reader of a step's texts.
pub(super) fn reader(step: &Step) -> Reader {
    Reader::Node(Node::Step(step.id.value.clone()))
}
