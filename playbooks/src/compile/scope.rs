//! Which names are in reach where, and the texts outside of steps: `trigger` and `outputs`.

use indexmap::IndexMap;

use crate::action_spec::Sink;
use crate::arguments::{Argument, Destination};
use crate::expression::{Expected, Expression, TypeEnv};
use crate::incident::IncidentType;
use crate::operator::Operator;
use crate::plan::{Concurrency, Input, OncePer, Section, Trigger};
use crate::snippet::Snippet;
use crate::template::Blocks;
use crate::types::Type;
use crate::yaml;

use super::work::{Reader, Work};

/// `incident`, `entity`, `org`: what can be read before a run exists.
pub(super) fn outside(work: &Work<'_>) -> TypeEnv {
    let kinds: Vec<IncidentType> = work
        .document
        .trigger
        .incident
        .iter()
        .map(|kind| kind.value)
        .collect();
    let mut env = TypeEnv::new(work.enums.clone());
    // A run that the clock starts has no incident.
    if work.document.trigger.schedule.is_none() {
        env.add_name("incident", Type::incident(&kinds), None);
    }
    env.add_name("entity", entity(work.environment.operator), None);
    env.add_name("org", Type::organisation(), None);
    env
}

/// The type of `entity`. The settings are those the entities have; unknown without an operator.
fn entity(operator: Option<&Operator>) -> Type {
    let Some(operator) = operator else {
        return match Type::entity(&IndexMap::new()) {
            Type::Record(mut fields) => {
                fields.insert("settings".to_owned(), Type::Open);
                Type::Record(fields)
            }
            other => other,
        };
    };
    let mut settings: IndexMap<String, Type> = IndexMap::new();
    for (name, value) in operator.entities.values().flat_map(|entity| &entity.settings) {
        let ty = type_of(value);
        let joined = match settings.get(name) {
            Some(known) => known.join(&ty).unwrap_or(Type::Open),
            None => ty,
        };
        settings.insert(name.clone(), joined);
    }
    for (name, ty) in &mut settings {
        if operator
            .entities
            .values()
            .any(|entity| !entity.settings.contains_key(name))
        {
            *ty = ty.clone().optional();
        }
    }
    Type::entity(&settings)
}

fn type_of(value: &serde_json::Value) -> Type {
    use serde_json::Value;
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Number(number) if number.is_i64() => Type::Int,
        Value::Number(_) => Type::Double,
        Value::String(_) => Type::String,
        Value::Array(items) => items.first().map_or(Type::Never, type_of).list(),
        Value::Null | Value::Object(_) => Type::Open,
    }
}

/// What steps and lets can read beside steps and lets.
pub(super) fn inside(work: &Work<'_>, inputs: &IndexMap<String, Input>) -> TypeEnv {
    let mut env = outside(work);
    env.add_name("inputs", input_record(inputs), None);
    env.add_name("run", Type::run(), None);
    env.add_name("now", Type::Time, None);
    env.add_proven(work.env.proven().iter().cloned());
    env
}

/// The type of `inputs`.
fn input_record(inputs: &IndexMap<String, Input>) -> Type {
    Type::Record(
        inputs
            .iter()
            .map(|(name, input)| (name.clone(), input.ty.clone()))
            .collect(),
    )
}

/// What the name of a step may read: `incident`, `entity`, `org`, `inputs` and its loop variable.
pub(super) fn of_names(work: &Work<'_>, variable: Option<(&str, &Type)>) -> TypeEnv {
    let mut env = outside(work);
    if let Some(inputs) = work.env.names().get("inputs") {
        env.add_name("inputs", inputs.ty.clone(), None);
    }
    if let Some((name, ty)) = variable {
        env.add_name(name, ty.clone(), None);
    }
    env.add_proven(work.env.proven().iter().cloned());
    env
}

/// Paths that are always there in a section: a failing run has a failed step and an error.
pub(super) fn section_facts(section: Section) -> Vec<String> {
    match section {
        Section::OnFailure => vec!["run.failed_step".to_owned(), "run.error".to_owned()],
        Section::Steps | Section::Finally => Vec::new(),
    }
}

/// Compiles `trigger`. What `when` proves is known to everything after it.
pub(super) fn trigger(work: &mut Work<'_>) -> Option<Trigger> {
    let document = work.document;
    let mut env = outside(work);
    if let (Some(schedule), Some(kind)) = (&document.trigger.schedule, document.trigger.incident.first()) {
        let finding = work
            .error(
                "PB112",
                &kind.place,
                "a playbook is started by incidents or by the clock, not by both".to_owned(),
            )
            .help("make it two playbooks: a run that the clock starts has no incident");
        let finding = finding.evidence(work.source, schedule.place.clone(), "the clock starts it here");
        work.report(finding);
    }
    let when = match &document.trigger.when {
        Some(cel) => {
            let expected = Expected::Condition("when".to_owned());
            Some(work.expression(cel, &env, &expected, Reader::Trigger, "when"))
        }
        None => None,
    };
    if let Some(Some(when)) = &when {
        let proven: Vec<String> = when.proves().to_vec();
        env.add_proven(proven.iter().cloned());
        work.env.add_proven(proven);
    }
    let once_per = match &document.trigger.once_per {
        Some(written) => {
            let key = key(work, &written.key, &env)?;
            Some(OncePer {
                key,
                within: written.within,
            })
        }
        None => None,
    };
    let when = match when {
        Some(None) => return None,
        Some(Some(when)) => Some(when),
        None => None,
    };
    Some(Trigger {
        incident: document.trigger.incident.iter().map(|kind| kind.value).collect(),
        when,
        once_per,
        schedule: document
            .trigger
            .schedule
            .as_ref()
            .map(|placed| placed.value.clone()),
        manual: document.trigger.manual.unwrap_or(true),
    })
}

/// Compiles `concurrency`. Its key is decided at the start: it reads what is known then. Nothing
/// else depends on it, so one that is wrong leaves a finding and no more.
pub(super) fn concurrency(work: &mut Work<'_>, inputs: &IndexMap<String, Input>) -> Option<Concurrency> {
    let written = work.document.concurrency.as_ref()?;
    let mut env = outside(work);
    env.add_name("inputs", input_record(inputs), None);
    env.add_proven(work.env.proven().iter().cloned());
    Some(Concurrency {
        key: key(work, &written.key, &env)?,
        limit: written.limit,
        when_busy: written.when_busy,
    })
}

/// What makes incidents or runs equal: a value, or a list of values.
fn key(work: &mut Work<'_>, node: &yaml::Node, env: &TypeEnv) -> Option<Argument> {
    if let yaml::Data::List(items) = &node.data {
        let mut list = Vec::new();
        for item in items {
            list.push(key(work, item, env)?);
        }
        return Some(Argument::List(list));
    }
    let Some(text) = node.text() else {
        let finding = work
            .error(
                "PB112",
                &node.place,
                format!("`key` wants a value, this is {}", node.kind()),
            )
            .help("write for example `key: ${{ incident.ref }}`");
        work.report(finding);
        return None;
    };
    if work.names_secret(node) {
        return None;
    }
    let snippet = Snippet::new(work.source, node.place.clone(), text);
    let destination = Destination {
        expected: &Expected::Any,
        sink: Sink::Plain,
        blocks: Blocks::Refused,
    };
    match Argument::parse_text(&snippet, env, destination) {
        Ok(argument) => {
            work.remember(Reader::Trigger, "key", node, &argument);
            Some(argument)
        }
        Err(findings) => {
            work.findings.extend(findings);
            None
        }
    }
}

/// Compiles `outputs`.
pub(super) fn outputs(work: &mut Work<'_>) -> IndexMap<String, Expression> {
    let document = work.document;
    let env = work.env.clone();
    let mut outputs = IndexMap::new();
    for named in &document.outputs {
        let reader = Reader::Output(named.name.value.clone());
        let compiled = work.expression(&named.cel, &env, &Expected::Output, reader, &named.name.value);
        if let Some(expression) = compiled {
            outputs.insert(named.name.value.clone(), expression);
        }
    }
    outputs
}
