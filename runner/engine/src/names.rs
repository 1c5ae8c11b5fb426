//! What expressions and templates read of a run.
//!
//! Owns the values behind the names and the words for what is absent. Reads nothing but the run
//! and the facts of its surroundings.

use std::borrow::Cow;
use std::sync::Arc;

use playbooks::incident::Incident;
use playbooks::names::Names;
use playbooks::operator::{Entity, Organisation};
use playbooks::plan::Plan;
use serde_json::{Map, Value, json};
use state::event::{Mode, Started};
use state::ids::Path;

use crate::run::{LetState, Run, Spot, StepState, StepStatus, Work};
use crate::surroundings::Surroundings;
use crate::words;

/// Names whose values do not change within one decision.
#[derive(Debug)]
pub(crate) struct Facts {
    entity: Value,
    org: Value,
    now: Value,
}

impl Facts {
    pub(crate) fn of(surroundings: &Surroundings<'_>) -> Arc<Self> {
        Arc::new(Self {
            entity: surroundings.entity.to_value(),
            org: organisation(&surroundings.operator.organisation),
            now: json!(surroundings.now.to_string()),
        })
    }
}

/// What `org` is in the language.
fn organisation(org: &Organisation) -> Value {
    json!({"name": org.name, "language": org.language, "timezone": org.timezone})
}

/// The names of one run at one moment.
#[derive(Debug)]
pub struct RunNames<'a> {
    plan: &'a Plan,
    run: &'a Run,
    facts: Arc<Facts>,
    item: Option<(&'a str, &'a Value)>,
    /// What the last round of a repetition gave.
    result: Option<Arc<Value>>,
}

/// The names of a run; `at` names the item whose loop variable is in reach.
pub fn names<'a>(
    plan: &'a Plan,
    run: &'a Run,
    at: Option<&Path>,
    surroundings: &Surroundings<'_>,
) -> RunNames<'a> {
    let spot = at.and_then(|path| Spot::of(plan, path));
    RunNames::new(
        plan,
        run,
        spot.map(|spot| (spot.step, spot.item)),
        &Facts::of(surroundings),
    )
}

impl<'a> RunNames<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        run: &'a Run,
        at: Option<(usize, Option<u32>)>,
        facts: &Arc<Facts>,
    ) -> Self {
        let item = at.and_then(|(step, item)| {
            let variable = &plan.steps.get_index(step)?.1.for_each.as_ref()?.variable;
            let Work::Each(each) = &run.steps.get(step)?.work else {
                return None;
            };
            let value = each.items.get(usize::try_from(item?).ok()?)?;
            Some((variable.as_str(), value))
        });
        Self {
            plan,
            run,
            facts: Arc::clone(facts),
            item,
            result: None,
        }
    }

    /// The same with what the last round gave.
    pub(crate) fn with_result(mut self, result: Option<&Arc<Value>>) -> Self {
        self.result = result.cloned();
        self
    }

    fn run_value(&self) -> Value {
        let started = &self.run.started;
        let mut value = Map::new();
        value.insert("id".to_owned(), json!(started.run.as_str()));
        value.insert("started_at".to_owned(), json!(self.run.started_at.to_string()));
        let mode = match started.mode {
            Mode::Simulate => "shadow",
            Mode::Auto => "auto",
        };
        value.insert("mode".to_owned(), json!(mode));
        if let Some(failing) = &self.run.failing {
            let step = failing.step.and_then(|index| self.plan.steps.get_index(index));
            if let Some((id, _)) = step {
                value.insert("failed_step".to_owned(), json!(id));
            }
            value.insert("error".to_owned(), json!(failing.error));
        }
        value.insert(
            "summary".to_owned(),
            json!(crate::summary::so_far(self.plan, self.run)),
        );
        Value::Object(value)
    }

    fn state_of(&self, id: &str) -> Option<&StepState> {
        let index = self.plan.steps.get_index_of(id)?;
        self.run.steps.get(index).map(|state| &**state)
    }
}

impl Names for RunNames<'_> {
    fn name(&self, name: &str) -> Option<Cow<'_, Value>> {
        if let Some((variable, value)) = self.item
            && variable == name
        {
            return present(value);
        }
        if let Some(index) = self.plan.lets.get_index_of(name) {
            return match self.run.lets.get(index)?.as_deref()? {
                LetState::Value(value) => present(value),
                LetState::Absent(_) => None,
            };
        }
        match name {
            "incident" => present(&self.run.started.facts),
            "entity" => Some(Cow::Borrowed(&self.facts.entity)),
            "org" => Some(Cow::Borrowed(&self.facts.org)),
            "inputs" => Some(Cow::Borrowed(&self.run.inputs)),
            "now" => Some(Cow::Borrowed(&self.facts.now)),
            "run" => Some(Cow::Owned(self.run_value())),
            "result" => self.result.as_deref().and_then(present),
            _ => None,
        }
    }

    fn step(&self, id: &str) -> Option<Cow<'_, Value>> {
        let state = self.state_of(id)?;
        match &state.settled {
            Some(settled) => Some(Cow::Borrowed(&settled.view)),
            None if state.is_pending() => None,
            None => Some(Cow::Owned(state.unsettled_view())),
        }
    }

    fn why_absent(&self, path: &str) -> String {
        let mut segments = path.split('.');
        let root = segments.next().unwrap_or_default();
        if root == "steps" {
            return match segments.next() {
                Some(id) => self.why_step_absent(id, path),
                None => path.to_owned(),
            };
        }
        if let Some(index) = self.plan.lets.get_index_of(root) {
            return match self.run.lets.get(index).and_then(|state| state.as_deref()) {
                Some(LetState::Absent(why)) => format!("{root}, which is absent: {}", words::carried(why)),
                Some(LetState::Value(_)) => format!("{path}, which is absent"),
                None => format!("{root}, which was not settled"),
            };
        }
        match root {
            "incident" if self.run.started.incident.is_none() => {
                format!("{path}, and the run has no incident")
            }
            "incident" => format!("{path}, which this incident does not have"),
            "inputs" => format!("{path}, which was not given"),
            _ => path.to_owned(),
        }
    }
}

impl RunNames<'_> {
    fn why_step_absent(&self, id: &str, path: &str) -> String {
        let Some(state) = self.state_of(id) else {
            return path.to_owned();
        };
        let reason = |verb: &str| match state
            .settled
            .as_ref()
            .and_then(|settled| settled.reason.as_deref())
        {
            Some(reason) => format!("steps.{id}, which {verb}: {}", words::carried(reason)),
            None => format!("steps.{id}, which {verb}"),
        };
        match state.status() {
            StepStatus::Skipped => reason("was skipped"),
            StepStatus::Failed => reason("failed"),
            StepStatus::Refused => reason("was refused"),
            StepStatus::Unknown => format!("steps.{id}, whose outcome is unknown"),
            StepStatus::Succeeded => format!("{path}, which `{id}` did not give"),
            StepStatus::Pending | StepStatus::Waiting | StepStatus::Running => {
                format!("steps.{id}, which was not reached")
            }
        }
    }
}

/// JSON null is absent.
fn present(value: &Value) -> Option<Cow<'_, Value>> {
    (!value.is_null()).then_some(Cow::Borrowed(value))
}

/// The names of `concurrency.key`: what is known when a run starts.
#[derive(Debug)]
pub(crate) struct StartNames {
    trigger: TriggerNames,
    inputs: Value,
}

impl StartNames {
    pub(crate) fn new(started: &Started, around: &Surroundings<'_>) -> Self {
        Self {
            trigger: TriggerNames {
                incident: started.incident.is_some().then(|| started.facts.clone()),
                entity: around.entity.to_value(),
                org: organisation(&around.operator.organisation),
            },
            inputs: Value::Object(started.inputs.clone().into_iter().collect()),
        }
    }
}

impl Names for StartNames {
    fn name(&self, name: &str) -> Option<Cow<'_, Value>> {
        match name {
            "inputs" => Some(Cow::Borrowed(&self.inputs)),
            _ => self.trigger.name(name),
        }
    }

    fn step(&self, _id: &str) -> Option<Cow<'_, Value>> {
        None
    }

    fn why_absent(&self, path: &str) -> String {
        self.trigger.why_absent(path)
    }
}

/// The names of `trigger.when` and `once_per.key`: there is no run yet.
#[derive(Debug)]
pub(crate) struct TriggerNames {
    incident: Option<Value>,
    entity: Value,
    org: Value,
}

impl TriggerNames {
    pub(crate) fn new(incident: Option<&Incident>, entity: &Entity, org: &Organisation) -> Self {
        Self {
            incident: incident.map(Incident::to_value),
            entity: entity.to_value(),
            org: organisation(org),
        }
    }
}

impl Names for TriggerNames {
    fn name(&self, name: &str) -> Option<Cow<'_, Value>> {
        match name {
            "incident" => self.incident.as_ref().map(Cow::Borrowed),
            "entity" => Some(Cow::Borrowed(&self.entity)),
            "org" => Some(Cow::Borrowed(&self.org)),
            _ => None,
        }
    }

    fn step(&self, _id: &str) -> Option<Cow<'_, Value>> {
        None
    }

    fn why_absent(&self, path: &str) -> String {
        if path == "incident" || path.starts_with("incident.") {
            format!("{path}, which this incident does not have")
        } else {
            path.to_owned()
        }
    }
}
