//! Whether an effect may happen without asking, and whom to ask if not.
//!
//! Owns that the strictest wins: what the playbook wrote, what the entity decided in daylight, and
//! what the class of the effect asks for. The entity can waive only what the playbook did not write.

use playbooks::duration::Span;
use playbooks::marking::EffectClass;
use playbooks::operator::{Entity, Operator, Rollout};
use playbooks::plan::{Approval, END_ARGUMENT};
use serde_json::{Map, Value};
use state::event::{RefusalKind, StartedBy};

use super::{Question, Ruled};

/// Persons that must agree to what cannot be taken back.
pub(crate) const DESTROY_COUNT: u32 = 2;

/// People have to approve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needed {
    /// Distinct persons.
    pub(crate) count: u32,
    /// Why, in words.
    pub(crate) because: String,
}

/// What must be asked before the effect, if anything. Whoever approved it, or agreed to its end
/// with the effect, is not asked again.
pub(super) fn needed(
    question: &Question<'_>,
    arguments: &Map<String, Value>,
    effect: EffectClass,
) -> Option<Needed> {
    if effect <= EffectClass::Read || question.run.started.by == StartedBy::Expiry {
        return None;
    }
    let entity = question.around.entity;
    let action = &question.step.action.name;
    let policy = entity.policy.get(action);
    let mut needed: Vec<Needed> = Vec::new();
    let mut ask = |count: u32, because: String| needed.push(Needed { count, because });
    if question.step.approval.is_some() {
        ask(1, "the playbook asks for it".to_owned());
    }
    if let Some(count) = policy.and_then(|policy| policy.ask) {
        ask(count, format!("the policy of {} asks for {count}", entity.id));
    }
    match effect {
        EffectClass::Destroy => ask(
            DESTROY_COUNT,
            match super::protected::critical(question) {
                Some(entry) => format!("{entry} is on the list of critical machines and people"),
                None => format!("{action} cannot be taken back"),
            },
        ),
        EffectClass::Contain if !policy.is_some_and(|policy| policy.auto) => ask(
            1,
            format!(
                "{action} is a {effect}, and {} has not pre-authorised it",
                entity.id
            ),
        ),
        EffectClass::Contain => {
            let max = policy.and_then(|policy| policy.max);
            if let (Some(span), Some(max)) = (span_of(arguments), max)
                && span > max
            {
                ask(
                    1,
                    format!(
                        "{} pre-authorised {action} for {max} at most, and this is {span}",
                        entity.id
                    ),
                );
            }
        }
        _ => {}
    }
    let rollout = entity.rollout.get(&question.plan.id).copied().unwrap_or_default();
    if rollout == Rollout::Suggest && effect > EffectClass::Record {
        ask(
            1,
            format!("`{}` only suggests for {}", question.plan.id, entity.id),
        );
    }
    // Of several reasons the one that asks for the most persons is told; of equals the first.
    needed
        .into_iter()
        .reduce(|most, other| if other.count > most.count { other } else { most })
}

fn span_of(arguments: &Map<String, Value>) -> Option<Span> {
    arguments.get(END_ARGUMENT)?.as_str()?.parse().ok()
}

/// The roles that are asked, resolved for an entity: those the playbook names, else those the
/// entity names for the class, else the operator's.
pub(crate) fn roles(
    approval: Option<&Approval>,
    effect: EffectClass,
    entity: &Entity,
    operator: &Operator,
) -> Ruled<Vec<String>> {
    let written: &[String] = match approval {
        Some(Approval::Ask(ask)) => &ask.who,
        Some(Approval::SameAs(_)) | None => &[],
    };
    let named = if !written.is_empty() {
        resolve(written, entity)?
    } else if let Some(roles) = entity.approvers.get(effect.word()) {
        roles.clone()
    } else {
        let defaults = operator.approvals.by_class.get(&effect);
        defaults.map_or_else(|| Ok(Vec::new()), |roles| resolve(roles, entity))?
    };
    let mut roles: Vec<String> = Vec::new();
    for role in named {
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    if roles.is_empty() {
        return Err((
            RefusalKind::Policy,
            format!(
                "nobody is named to approve it: add `approvers: {{{effect}: [ROLE]}}` to the file of {}, or \
                 `{effect} = [\"ROLE\"]` under [approvals] in sortie.toml",
                entity.id
            ),
        ));
    }
    Ok(roles)
}

/// Puts the entity's own approvers in place of `entity.<name>`.
pub(crate) fn resolve(who: &[String], entity: &Entity) -> Ruled<Vec<String>> {
    let mut roles = Vec::new();
    for role in who {
        match role.strip_prefix("entity.") {
            None => roles.push(role.clone()),
            Some(name) => match entity.approvers.get(name) {
                Some(own) => roles.extend(own.iter().cloned()),
                None => {
                    return Err((
                        RefusalKind::Policy,
                        format!("{} names no approvers `{name}`; add them to its file", entity.id),
                    ));
                }
            },
        }
    }
    Ok(roles)
}
