//! Which connections an action uses.
//!
//! Owns the choice and its refusals; ceilings are another rule.

use playbooks::action_spec::Recovery;
use playbooks::marking::EffectClass;
use playbooks::operator::{Connection, Resolved};
use state::event::RefusalKind;

use super::{Question, Ruled};

/// The provider of actions that need no connection.
const HOUSE: &str = "house";

/// The connections for a step; none for an action in the house.
pub(super) fn choose<'a>(question: &Question<'a>) -> Ruled<Vec<&'a Connection>> {
    let action = &question.step.action;
    if !action.needs_connection {
        return Ok(Vec::new());
    }
    let entity = question.around.entity;
    let using = question.step.using.as_deref();
    let resolved = question
        .around
        .operator
        .resolve(&action.name, using, entity, action.merges_providers);
    let why = match resolved {
        Resolved::Connections(connections) => return Ok(connections),
        Resolved::NoConnection => format!("no connection offers {} to {}", action.name, entity.id),
        Resolved::NotUsable(why) => why,
        Resolved::Ambiguous(names) => format!(
            "{} could go through {}; say which with `using:` or in the file of {}",
            action.name,
            names.join(", "),
            entity.id
        ),
    };
    Err((RefusalKind::Policy, why))
}

/// How a doubtful attempt may be treated: what the provider declares.
pub(super) fn recovery(question: &Question<'_>, connections: &[&Connection]) -> Ruled<Recovery> {
    let action = &question.step.action;
    if action.effect == EffectClass::Read {
        return Ok(Recovery::Read);
    }
    let provider = connections
        .first()
        .map_or(HOUSE, |connection| connection.provider.as_str());
    question
        .around
        .catalog
        .providers(&action.name)
        .into_iter()
        .find(|spec| spec.provider == provider)
        .map(|spec| spec.recovery)
        .ok_or_else(|| {
            (
                RefusalKind::Policy,
                format!("the provider `{provider}` does not do {}", action.name),
            )
        })
}
