//! From what is stored of a run to what people see of it.
//!
//! Owns no state and changes nothing. Everything is read within the caller's scope.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use playbooks::names::Names;
use state::access::{Reach, Scope};
use state::event::{Event, Mode, Recorded, Seq};
use state::ids::{EntityId, RunId};
use state::store::RunSummary;
use web::OperationError;
use web::operations::Answer;
use web::timeline::{StepLine, Timeline};
use web::view::RunDetail;

use super::LocalOperations;
use crate::dispatch::Dispatcher;
use crate::library::{Compiled, compile_kept};

/// Characters of a run's id from a caller that reaches some entities only: the time of its start to
/// about a second. Fewer would rather tell about runs than name one.
pub const RUN_PREFIX_CHARACTERS_MIN: usize = 8;

impl LocalOperations {
    pub(super) async fn summary(&self, scope: &Scope, run: &str) -> Answer<RunSummary> {
        if run.len() < RUN_PREFIX_CHARACTERS_MIN && !matches!(scope.reach(), Reach::All) {
            return Err(OperationError::invalid(format!(
                "`{run}` is too short: write at least {RUN_PREFIX_CHARACTERS_MIN} characters of the run's id"
            )));
        }
        let mut found = self.dispatcher.store().find_run(scope, run).await?;
        match (found.pop(), found.pop()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(OperationError::not_found(format!(
                "run `{}`",
                run.chars().take(40).collect::<String>()
            ))),
            (Some(_), Some(_)) => Err(OperationError::invalid(format!(
                "`{run}` is the beginning of several runs; write more of the id"
            ))),
        }
    }

    /// The revision a run pinned, for showing it.
    pub(super) async fn compiled(&self, revision: &str) -> Answer<Arc<Compiled>> {
        if let Some(compiled) = self.dispatcher.library().revision(revision) {
            return Ok(compiled);
        }
        let text = self.dispatcher.store().plan(revision).await?;
        let text =
            text.ok_or_else(|| OperationError::internal(format!("revision {revision} is not kept")))?;
        let bundle = serde_json::from_str(&text).map_err(OperationError::internal)?;
        let compiled = compile_kept(bundle, &**self.dispatcher.registry()).map_err(|_| {
            OperationError::internal(format!("revision {revision} does not compile any more"))
        })?;
        Ok(self.dispatcher.library().pin(compiled))
    }

    /// The steps of a run, still pending, named as the author wrote.
    pub(super) fn timeline(
        &self,
        compiled: &Compiled,
        entity: &EntityId,
        first: Option<&Recorded>,
    ) -> Timeline {
        let operator = self.dispatcher.operator();
        let facts = operator
            .entities
            .get(entity.as_str())
            .map(playbooks::operator::Entity::to_value);
        let (incident, inputs) = match first.map(|first| &first.event) {
            Some(Event::Started(started)) => (
                started.facts.clone(),
                serde_json::to_value(&started.inputs).unwrap_or_default(),
            ),
            _ => Default::default(),
        };
        let names = StartNames {
            facts: incident,
            inputs,
            entity: facts.unwrap_or_default(),
            organisation: serde_json::to_value(&operator.organisation).unwrap_or_default(),
        };
        Timeline::new(compiled.plan.steps.values().map(|step| StepLine {
            id: step.id.clone(),
            // A name over the loop variable has no value yet; the id says enough then.
            name: step.name.render(&names).unwrap_or_else(|_| step.id.clone()),
            class: step.action.effect,
        }))
    }
}

/// Events of runs within one scope.
pub(super) struct ScopedEvents {
    pub(super) dispatcher: Dispatcher,
    pub(super) scope: Scope,
}

#[async_trait]
impl web::live::EventSource for ScopedEvents {
    async fn events_from(&self, run: &RunId, from: Seq) -> Answer<Vec<Recorded>> {
        let events = self
            .dispatcher
            .store()
            .events(&self.scope, run)
            .await?
            .unwrap_or_default();
        Ok(events
            .into_iter()
            .skip(usize::try_from(from).unwrap_or(usize::MAX))
            .collect())
    }
}

/// What a step's name may read, all of it known at the start: the incident, the entity, inputs.
struct StartNames {
    facts: serde_json::Value,
    inputs: serde_json::Value,
    entity: serde_json::Value,
    organisation: serde_json::Value,
}

impl Names for StartNames {
    fn name(&self, name: &str) -> Option<Cow<'_, serde_json::Value>> {
        match name {
            "incident" => Some(Cow::Borrowed(&self.facts)),
            "inputs" => Some(Cow::Borrowed(&self.inputs)),
            "entity" => Some(Cow::Borrowed(&self.entity)),
            "org" => Some(Cow::Borrowed(&self.organisation)),
            _ => None,
        }
    }

    fn step(&self, _id: &str) -> Option<Cow<'_, serde_json::Value>> {
        None
    }
}

pub(super) fn detail(
    summary: RunSummary,
    compiled: &Compiled,
    steps: Vec<web::view::StepView>,
    events: Vec<Recorded>,
) -> RunDetail {
    let (mode, inputs) = match events.first().map(|first| &first.event) {
        Some(Event::Started(started)) => (started.mode, started.inputs.clone()),
        _ => (Mode::Auto, std::collections::BTreeMap::new()),
    };
    let mut outputs = std::collections::BTreeMap::new();
    let mut rerun_of = None;
    let mut reruns = Vec::new();
    for recorded in &events {
        match &recorded.event {
            Event::Started(started) => rerun_of.clone_from(&started.rerun_of),
            Event::Closed { outputs: given, .. } => outputs.clone_from(given),
            Event::Retried { .. } => outputs.clear(),
            Event::Rerun { run, .. } => reruns.push(run.clone()),
            _ => {}
        }
    }
    RunDetail {
        run: summary.into(),
        name: compiled.plan.name.clone(),
        mode,
        inputs,
        outputs,
        rerun_of,
        reruns,
        steps,
        events,
    }
}
