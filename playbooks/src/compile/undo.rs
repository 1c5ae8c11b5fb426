//! `undo` of steps: how an effect ends and what takes it back.
//!
//! Owns that nothing reaches into a customer's house without a way back or a written reason, and
//! that every block has an end.

use crate::action_spec::{ActionSpec, Sink};
use crate::arguments::Argument;
use crate::document::{self, Step};
use crate::duration::Span;
use crate::expression::{Expected, Expression, TypeEnv};
use crate::marking::EffectClass;
use crate::operator::Guardrails;
use crate::plan::{self, END_ARGUMENT, Inverse};
use crate::suggestion::did_you_mean;
use crate::types::Type;
use crate::yaml::{self, Field};

use super::arguments::{self, value};
use super::effects::{class_of, named_connection};
use super::steps::one_action;
use super::work::{Reader, Work};
use super::{inputs, mail};

/// Compiles `undo` of a step. `None` when it has an error.
pub(super) fn compile(
    work: &mut Work<'_>,
    step: &Step,
    action: &ActionSpec,
    env: &TypeEnv,
    templates: &mut mail::Templates,
) -> Option<plan::Undo> {
    let class = class_of(work, step, action);
    let before = work.findings.len();
    let undo = match &step.undo {
        None => plan::Undo {
            after: old_end(work, step, action, env),
            ..plan::Undo::default()
        },
        Some(written) if class <= EffectClass::Read => {
            let finding = work
                .error(
                    "PB112",
                    &written.place,
                    format!(
                        "`{}` has no effect, so there is nothing to take back",
                        action.name
                    ),
                )
                .help("remove `undo`");
            work.report(finding);
            return None;
        }
        Some(written) => from(work, step, env, templates, written)?,
    };
    way_back(work, step, action, class, &undo);
    end(work, step, action, undo.after.as_ref());
    let failed = work.findings.get(before..).unwrap_or_default();
    let failed = failed
        .iter()
        .any(|finding| finding.level == crate::diagnostic::Level::Error);
    (!failed).then_some(undo)
}

fn from(
    work: &mut Work<'_>,
    step: &Step,
    env: &TypeEnv,
    templates: &mut mail::Templates,
    written: &document::Undo,
) -> Option<plan::Undo> {
    if let Some(reason) = &written.none {
        return Some(plan::Undo {
            inverse: Inverse::RuledOut(reason.value.clone()),
            ..plan::Undo::default()
        });
    }
    let after = match &written.after {
        Some(node) => Some(after(work, step, env, node)?),
        None => None,
    };
    let when = match &written.when {
        Some(cel) => {
            let expected = Expected::Condition("undo.when".to_owned());
            let reader = Reader::Watch(step.id.value.clone());
            Some(work.expression(cel, env, &expected, reader, "undo.when")?)
        }
        None => None,
    };
    if let Some(when) = &when {
        must_change(work, written, when);
    }
    let inverse = match &written.inverse {
        Some(inverse) => named(work, step, env, templates, inverse)?,
        None => Inverse::Declared,
    };
    Some(plan::Undo { after, when, inverse })
}

/// `undo.after`: longer than nothing.
fn after(work: &mut Work<'_>, step: &Step, env: &TypeEnv, node: &yaml::Node) -> Option<Argument> {
    let argument = value(
        work,
        step,
        env,
        (Sink::Plain, "undo.after"),
        node,
        &Type::Duration,
    )?;
    if let Argument::Literal(written) = &argument
        && span(written).is_none_or(|span| span <= Span::default())
    {
        let finding = work.error("PB114", &node.place, "`undo.after` must be longer than nothing");
        work.report(finding);
        return None;
    }
    Some(argument)
}

/// A condition over nothing that changes would hold at once or never.
fn must_change(work: &mut Work<'_>, written: &document::Undo, when: &Expression) {
    let changes = when.reads().iter().any(|read| {
        read.step().is_some()
            || read
                .path
                .first()
                .is_some_and(|root| work.lets.contains_key(root.as_str()))
    });
    if changes {
        return;
    }
    let place = written
        .when
        .as_ref()
        .map_or_else(|| written.place.clone(), document::Cel::place);
    let finding = work
        .error(
            "PB112",
            &place,
            "`undo.when` reads nothing that changes while the run goes on",
        )
        .help("read a step or a let, or write `after` for an end by time");
    work.report(finding);
}

/// Another inverse. What it reads is read when it is needed, so nothing waits for it.
fn named(
    work: &mut Work<'_>,
    step: &Step,
    env: &TypeEnv,
    templates: &mut mail::Templates,
    written: &document::Inverse,
) -> Option<Inverse> {
    let Some(action) = work.environment.catalog.action(&written.uses.value) else {
        let shown: String = written.uses.value.chars().take(60).collect();
        let known = work.environment.catalog.names();
        let finding = work.error(
            "PB201",
            &written.uses.place,
            format!("there is no action `{shown}`"),
        );
        let finding = match did_you_mean(&written.uses.value, known) {
            Some(help) => finding.help(help),
            None => finding.help("`sortie actions list` shows them"),
        };
        work.report(finding);
        return None;
    };
    if action.effect <= EffectClass::Read {
        let finding = work
            .error(
                "PB112",
                &written.uses.place,
                format!("`{}` changes nothing, so it takes nothing back", action.name),
            )
            .help("name an action that has an effect");
        work.report(finding);
        return None;
    }
    super::effects::permitted(work, &written.uses, action.effect);
    let alone = Step {
        uses: written.uses.clone(),
        with: written.with.clone(),
        with_place: written.with_place.clone(),
        ..step.clone()
    };
    let readings = work.readings.len();
    let with = arguments::compile(work, &alone, action, env, templates);
    for reading in work.readings.iter_mut().skip(readings) {
        reading.reader = Reader::Watch(step.id.value.clone());
    }
    Some(Inverse::Named {
        action: one_action(action),
        with: with?,
    })
}

/// PB330: what reaches into a customer's house and cannot be taken back needs a written reason.
fn way_back(work: &mut Work<'_>, step: &Step, action: &ActionSpec, class: EffectClass, undo: &plan::Undo) {
    // What a write of `http.request` means is known only with its connection.
    let known = action.name != "http.request" || named_connection(work, step).is_some();
    let none_declared = action.inverse.is_none() && matches!(undo.inverse, Inverse::Declared);
    let ends = undo.after.is_some() || undo.when.is_some();
    if !none_declared || !(ends || (class == EffectClass::Contain && known)) {
        return;
    }
    let place = step
        .undo
        .as_ref()
        .map_or_else(|| step.uses.place.clone(), |written| written.place.clone());
    let why = action.no_inverse_because.as_deref();
    let finding = if ends {
        work.error(
            "PB330",
            &place,
            format!("nothing takes `{}` back, so it cannot end by itself", action.name),
        )
        .help("name what takes it back: `undo: {uses: ..., with: {...}, after: ...}`")
    } else {
        work.error(
            "PB330",
            &place,
            format!("`{}` is a `{class}`, and nothing takes it back", action.name),
        )
        .help(format!(
            "say why that is right: undo: {{none: {}}}",
            why.unwrap_or("the reason, for whoever approves it")
        ))
        .help("or name what takes it back: `undo: {uses: ..., with: {...}}`")
    };
    work.report(finding);
}

/// PB331: a block without an end. PB332: an end that is later than anybody allows.
fn end(work: &mut Work<'_>, step: &Step, action: &ActionSpec, after: Option<&Argument>) {
    let Some(argument) = after else {
        if action.must_end() {
            let place = step
                .undo
                .as_ref()
                .map_or_else(|| step.uses.place.clone(), |written| written.place.clone());
            let finding = work
                .error("PB331", &place, format!("`{}` has no end", action.name))
                .label("nobody would take this out again")
                .help("add for example `undo: {after: 24h}`");
            work.report(finding);
        }
        return;
    };
    let Some(place) = step
        .undo
        .as_ref()
        .and_then(|written| written.after.as_ref())
        .map(|node| node.place.clone())
    else {
        return;
    };
    let longest = match argument {
        Argument::Literal(written) => Some(written.clone()),
        Argument::Value(expression) => input_maximum(work, expression.source()),
        _ => None,
    };
    let Some(longest) = longest.as_ref().and_then(span) else {
        return;
    };
    let ceiling = work.environment.operator.map_or_else(
        || Guardrails::default().block_for_max,
        |operator| operator.guardrails.block_for_max,
    );
    if action.must_end() && longest > ceiling {
        let finding = work
            .warning(
                "PB332",
                &place,
                format!("this may last {longest}, and a block lasts at most {ceiling} here"),
            )
            .help(format!(
                "the engine would refuse it; write at most {ceiling}, or set `max: {ceiling}` on the input"
            ));
        work.report(finding);
        return;
    }
    // Whoever starts it by hand with more is asked, as they should be.
    let usual = match argument {
        Argument::Value(expression) => input_default(work, expression.source()),
        _ => Some(longest),
    };
    if let Some(usual) = usual {
        beyond_policies(work, &place, action, usual);
    }
}

/// PB332: entities that pre-authorised the action for less.
fn beyond_policies(
    work: &mut Work<'_>,
    place: &crate::diagnostic::Place,
    action: &ActionSpec,
    longest: Span,
) {
    let Some(operator) = work.environment.operator else {
        return;
    };
    let shorter: Vec<(&str, Span)> = mail::served(work, operator)
        .filter_map(|entity| {
            let policy = entity.policy.get(&action.name).filter(|policy| policy.auto)?;
            Some((entity.id.as_str(), policy.max.filter(|max| longest > *max)?))
        })
        .collect();
    let Some((_, least)) = shorter.iter().min_by_key(|(_, max)| *max) else {
        return;
    };
    let names: Vec<&str> = shorter.iter().map(|(id, _)| *id).take(5).collect();
    let finding = work
        .warning(
            "PB332",
            place,
            format!(
                "this may last {longest}; {} pre-authorised `{}` for less",
                names.join(", "),
                action.name
            ),
        )
        .help(format!(
            "it would ask there; write at most {least} to act without asking"
        ));
    work.report(finding);
}

fn span(value: &serde_json::Value) -> Option<Span> {
    value.as_str()?.parse().ok()
}

/// The default of `inputs.<name>` when that is all the expression says.
fn input_default(work: &Work<'_>, expression: &str) -> Option<Span> {
    let name = expression.trim().strip_prefix("inputs.")?;
    let mut inputs = work.document.inputs.iter();
    let input = inputs.find(|input| input.name.value == name)?;
    span(&input.default.as_ref()?.to_json())
}

/// The longest value of `inputs.<name>` when that is all the expression says.
pub(super) fn input_maximum(work: &Work<'_>, expression: &str) -> Option<serde_json::Value> {
    let name = expression.trim().strip_prefix("inputs.")?;
    let input = work
        .document
        .inputs
        .iter()
        .find(|input| input.name.value == name)?;
    let node = [&input.max, &input.default]
        .into_iter()
        .flatten()
        .max_by(|a, b| {
            let size = |node: &yaml::Node| inputs::comparable(&node.to_json()).unwrap_or(0.0);
            size(a).total_cmp(&size(b))
        })?;
    Some(node.to_json())
}

/// Whether a parameter is how earlier versions wrote the end of a block.
pub(super) fn is_old_end(field: &Field, action: &ActionSpec) -> bool {
    action.must_end() && field.key == END_ARGUMENT
}

/// The end of a block as earlier versions wrote it; only of a playbook that was accepted then.
fn old_end(work: &mut Work<'_>, step: &Step, action: &ActionSpec, env: &TypeEnv) -> Option<Argument> {
    let field = step.with.iter().find(|field| is_old_end(field, action))?;
    if !work.kept {
        return None;
    }
    after(work, step, env, &field.value)
}
