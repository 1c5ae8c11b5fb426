//! The end of an effect.
//!
//! Owns that every block has one, and how long it may last. It is written into the arguments: whoever
//! approves the effect sees it.

use jiff::Timestamp;
use playbooks::duration::Span;
use playbooks::plan::{END_ARGUMENT, Step};
use serde_json::{Map, Value};
use state::event::RefusalKind;

use super::{Question, Ruled};
use crate::backoff::later;

/// When the effect ends. Fills in the span that the playbook leaves open.
pub(super) fn end_of_effect(
    question: &Question<'_>,
    arguments: &mut Map<String, Value>,
) -> Ruled<Option<Timestamp>> {
    let action = &question.step.action;
    let span = match arguments.get(END_ARGUMENT) {
        None if !action.must_end() => return Ok(None),
        None => default_span(question),
        Some(given) => given.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
            (
                RefusalKind::Policy,
                format!("`undo.after: {given}` is not a duration"),
            )
        })?,
    };
    within_bounds(question, span)?;
    arguments.insert(END_ARGUMENT.to_owned(), Value::String(span.to_string()));
    Ok(Some(later(question.around.now, span)))
}

fn pre_authorised_max(question: &Question<'_>) -> Option<Span> {
    let Step { action, .. } = question.step;
    question.around.entity.policy.get(&action.name)?.max
}

/// The operator's default, cut to what the entity and the operator allow.
fn default_span(question: &Question<'_>) -> Span {
    let rails = &question.around.operator.guardrails;
    let span = rails.block_for_default.min(rails.block_for_max);
    pre_authorised_max(question).map_or(span, |max| span.min(max))
}

fn within_bounds(question: &Question<'_>, span: Span) -> Ruled<()> {
    let action = &question.step.action.name;
    let most = question.around.operator.guardrails.block_for_max;
    if span <= Span::milliseconds(0) {
        return Err((
            RefusalKind::Policy,
            format!("{action} for {span} would have no length"),
        ));
    }
    if question.step.action.must_end() && span > most {
        return Err((
            RefusalKind::Policy,
            format!("{action} for {span} is longer than the {most} that guardrails allow"),
        ));
    }
    Ok(())
}
