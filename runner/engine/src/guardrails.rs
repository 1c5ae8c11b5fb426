//! The rules below every playbook, asked before every effect and before every repetition of one.
//!
//! Owns their order and their answers. Nobody's `if` loosens them, and a denial names the rule in
//! a sentence a person can act on. Knows nothing of how effects are done.

use jiff::Timestamp;
use playbooks::action_spec::Recovery;
use playbooks::marking::{EffectClass, Pap, Tlp};
use playbooks::operator::{Connection, Rollout};
use playbooks::plan::{Plan, Step};
use serde_json::{Map, Value};
use state::event::{Intended, LeftOut, Mode, RefusalKind, StartedBy};

use crate::run::Run;
use crate::surroundings::Surroundings;

mod connection;
mod duration;
mod marking;
mod never_block;
mod policy;
mod protected;
mod special_ranges;
mod target;

pub use marking::ceilings_of_start;
pub(crate) use marking::of_incident;
pub(crate) use policy::{Needed, resolve as resolve_roles, roles};

/// The action whose class and exposure are what its connection says.
const HTTP_REQUEST: &str = "http.request";
/// Methods of [`HTTP_REQUEST`] that change nothing.
const READING_METHODS: [&str; 2] = ["GET", "HEAD"];

/// What is about to be done.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) run: &'a Run,
    pub(crate) step: &'a Step,
    pub(crate) arguments: Map<String, Value>,
    /// The attempt that would be repeated: budgets have counted it already.
    pub(crate) repeated: Option<&'a Intended>,
    /// People approved exactly this.
    pub(crate) approved: bool,
    /// Blocks of this decision so far: the counts of the surroundings do not have them yet.
    pub(crate) blocks_intended: u64,
    pub(crate) around: &'a Surroundings<'a>,
}

/// It may be done, like this.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Permit {
    pub(crate) effect: EffectClass,
    pub(crate) connections: Vec<String>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) arguments: Value,
    pub(crate) tlp: Tlp,
    pub(crate) pap: Pap,
    pub(crate) recovery: Recovery,
    pub(crate) until: Option<Timestamp>,
    /// What people have to be asked first.
    pub(crate) needed: Option<Needed>,
}

/// It may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    pub(crate) kind: RefusalKind,
    pub(crate) detail: String,
    /// What it would have been.
    pub(crate) effect: EffectClass,
}

/// A rule that said no, before the class is added.
type Ruled<T> = Result<T, (RefusalKind, String)>;

/// Whether an action blocks something, and so has a target, an end and an hourly budget.
pub(crate) fn is_block(action: &str) -> bool {
    action.starts_with("block.")
}

/// Asks every rule, in the order in which they are documented: pause, rollout, blast radius and
/// budgets of the run, break-glass accounts, target, end of a block, connection and marking, hourly budgets. What
/// people have to be asked is part of the permit.
pub(crate) fn examine(question: &Question<'_>) -> Result<Permit, Denial> {
    let chosen = connection::choose(question);
    let first = chosen.as_ref().ok().and_then(|chosen| chosen.first().copied());
    let declared = class_of(question, first);
    let effect = protected::class(question, declared);
    rule(question, chosen, (declared, effect)).map_err(|(kind, detail)| Denial { kind, detail, effect })
}

/// `declared` is what the playbook's `may` speaks of, `effect` with what care it is done here.
fn rule(
    question: &Question<'_>,
    chosen: Ruled<Vec<&Connection>>,
    (declared, effect): (EffectClass, EffectClass),
) -> Ruled<Permit> {
    if effect > EffectClass::Read {
        may_act(question, declared)?;
        protected::no_break_glass(question)?;
    }
    let mut arguments = question.arguments.clone();
    if is_block(&question.step.action.name) {
        target::examine(question, &mut arguments)?;
    }
    let until = match question.repeated {
        Some(repeated) => still_to_come(repeated.until, question.around.now)?,
        None => duration::end_of_effect(question, &mut arguments)?,
    };
    let needed = needed(question, &arguments, effect)?;
    let marking = marking::of_step(question.run, &arguments);
    let used = marking::below_ceilings(question, chosen?, marking, effect)?;
    let recovery = connection::recovery(question, &used.connections)?;
    if effect > EffectClass::Read {
        hourly_budget(question)?;
    }
    Ok(Permit {
        effect,
        connections: used
            .connections
            .iter()
            .map(|connection| connection.name.clone())
            .collect(),
        left_out: used.left_out,
        arguments: Value::Object(arguments),
        tlp: marking.tlp,
        pap: marking.pap,
        recovery,
        until,
        needed,
    })
}

/// The end of an effect that is to be attempted again, if it has not come meanwhile.
fn still_to_come(until: Option<Timestamp>, now: Timestamp) -> Ruled<Option<Timestamp>> {
    match until {
        Some(until) if until <= now => Err((
            RefusalKind::Policy,
            format!("it was to end at {until}, which has passed"),
        )),
        other => Ok(other),
    }
}

/// What the action may do to the world, here. For `http.request` the connection says it.
fn class_of(question: &Question<'_>, connection: Option<&Connection>) -> EffectClass {
    let action = &question.step.action;
    if action.name != HTTP_REQUEST {
        return action.effect;
    }
    let method = question.arguments.get("method").and_then(Value::as_str);
    if method.is_some_and(|method| READING_METHODS.contains(&method)) {
        EffectClass::Read
    } else {
        connection
            .and_then(|connection| connection.effect)
            .unwrap_or(action.effect)
    }
}

fn may_act(question: &Question<'_>, effect: EffectClass) -> Ruled<()> {
    let Question {
        plan, run, around, ..
    } = question;
    let rails = &around.operator.guardrails;
    if rails.effects_paused {
        return Err((
            RefusalKind::Paused,
            "effects are paused; somebody pressed the red button".to_owned(),
        ));
    }
    let entity = around.entity;
    let by_itself = run.started.by == StartedBy::Expiry;
    let rollout = entity.rollout.get(&plan.id).copied().unwrap_or_default();
    if !rollout.starts() && !by_itself {
        return Err((
            RefusalKind::Policy,
            format!("`{}` was turned off for {} while it ran", plan.id, entity.id),
        ));
    }
    if rollout == Rollout::Shadow && run.started.mode != Mode::Simulate && !by_itself {
        return Err((
            RefusalKind::Policy,
            format!(
                "`{}` was turned to shadow for {} while it ran",
                plan.id, entity.id
            ),
        ));
    }
    if effect <= EffectClass::Record {
        return Ok(());
    }
    if !plan.may.contains(&effect) {
        return Err((
            RefusalKind::Policy,
            format!("`{}` may not {effect}: the class is not in its `may`", plan.id),
        ));
    }
    if question.repeated.is_none() {
        let limit = plan.limits.effects.min(rails.effects_per_run);
        if run.effects_intended >= limit {
            return Err((
                RefusalKind::Budget,
                format!("the run has had {limit} effects, all that it may have"),
            ));
        }
    }
    Ok(())
}

fn hourly_budget(question: &Question<'_>) -> Ruled<()> {
    if !is_block(&question.step.action.name) || question.repeated.is_some() {
        return Ok(());
    }
    let rails = &question.around.operator.guardrails;
    let counts = question.around.blocks_last_hour;
    let over = |count: u64, limit: u32| count.saturating_add(question.blocks_intended) >= u64::from(limit);
    if over(counts.entity, rails.blocks_per_entity_hour) {
        return Err((
            RefusalKind::Budget,
            format!(
                "{} has had {} blocks in the last hour, all that one entity may have",
                question.around.entity.id, rails.blocks_per_entity_hour
            ),
        ));
    }
    if over(counts.all, rails.blocks_per_hour) {
        return Err((
            RefusalKind::Budget,
            format!(
                "there were {} blocks in the last hour, all that there may be",
                rails.blocks_per_hour
            ),
        ));
    }
    Ok(())
}

/// What people have to be asked first. A repetition asks nobody: either it was approved before its
/// first attempt, or nobody had to be asked then and nobody may have to be asked now.
fn needed(
    question: &Question<'_>,
    arguments: &Map<String, Value>,
    effect: EffectClass,
) -> Ruled<Option<Needed>> {
    let needed = policy::needed(question, arguments, effect);
    match (needed, question.repeated) {
        (Some(_), _) if question.approved => Ok(None),
        (Some(needed), Some(_)) => Err((
            RefusalKind::Policy,
            format!("it needs an approval now: {}", needed.because),
        )),
        (needed, _) => Ok(needed),
    }
}
