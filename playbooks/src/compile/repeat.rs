//! `repeat` of steps.
//!
//! Owns that every repetition comes to an end, and that what is repeated may be.

use crate::action_spec::{ActionSpec, Sink};
use crate::arguments::Argument;
use crate::document::{self, Step};
use crate::duration::Span;
use crate::expression::{Expected, Expression, TypeEnv};
use crate::marking::EffectClass;
use crate::plan::{self, EVERY_MIN, ROUNDS_MAX};
use crate::types::Type;
use crate::yaml;

use super::arguments::value;
use super::effects::class_of;
use super::work::{Reader, Work};

/// An error was reported.
pub(super) struct Reported;

/// Compiles `repeat` of a step.
pub(super) fn compile(
    work: &mut Work<'_>,
    step: &Step,
    action: &ActionSpec,
    env: &TypeEnv,
) -> Result<Option<plan::Repeat>, Reported> {
    let Some(written) = &step.repeat else {
        return Ok(None);
    };
    fits(work, step, action, written)?;
    if written.times.is_none() && written.at_most.is_none() {
        let finding = work
            .error("PB334", &written.place, "this has no end")
            .label("nothing says when to give up")
            .help("add `times: 10`, or `at_most: 30d`");
        work.report(finding);
        return Err(Reported);
    }
    let span = |work: &mut Work<'_>, key: &'static str, node: &yaml::Node, least: Span| {
        let argument = value(work, step, env, (Sink::Plain, key), node, &Type::Duration).ok_or(Reported)?;
        let short = literal(&argument).is_some_and(|span| span < least);
        if short {
            let finding = work.error("PB114", &node.place, format!("`{key}` is at least {least}"));
            work.report(finding);
            return Err(Reported);
        }
        Ok(argument)
    };
    let every = span(work, "repeat.every", &written.every, EVERY_MIN)?;
    let at_most = match &written.at_most {
        Some(node) => Some(span(work, "repeat.at_most", node, EVERY_MIN)?),
        None => None,
    };
    let times = match &written.times {
        Some(node) => Some(times(work, step, env, node)?),
        None => None,
    };
    if let (Some(every), Some(at_most), None) = (literal(&every), at_most.as_ref().and_then(literal), &times)
    {
        few_enough(work, written, every, at_most)?;
    }
    let until = match &written.until {
        Some(cel) => Some(until(work, step, action, env, cel)?),
        None => None,
    };
    Ok(Some(plan::Repeat {
        every,
        until,
        times,
        at_most,
        wait_first: written.wait_first,
    }))
}

/// What cannot be repeated.
fn fits(
    work: &mut Work<'_>,
    step: &Step,
    action: &ActionSpec,
    written: &document::Repeat,
) -> Result<(), Reported> {
    let class = class_of(work, step, action);
    let (why, help) = if step.for_each.is_some() {
        (
            "`repeat` and `for_each` do not go together".to_owned(),
            "repeat one look-up that says enough about all of them, or use two steps",
        )
    } else if action.waits() || action.asks_people() {
        (
            format!("`{}` waits already", action.name),
            "repeat the step that looks, with `every`",
        )
    } else if class >= EffectClass::Contain {
        (
            format!(
                "`{}` is a `{class}`, and each round would be one more of them",
                action.name
            ),
            "do it once, and give it an end with `undo: {after: ...}`",
        )
    } else {
        return Ok(());
    };
    let finding = work.error("PB112", &written.place, why).help(help);
    work.report(finding);
    Err(Reported)
}

fn times(work: &mut Work<'_>, step: &Step, env: &TypeEnv, node: &yaml::Node) -> Result<Argument, Reported> {
    let argument = value(work, step, env, (Sink::Plain, "repeat.times"), node, &Type::Int).ok_or(Reported)?;
    if let Argument::Literal(written) = &argument
        && !written
            .as_u64()
            .is_some_and(|times| (1..=u64::from(ROUNDS_MAX)).contains(&times))
    {
        let finding = work.error(
            "PB114",
            &node.place,
            format!("`times` is {written}; it may be 1 to {ROUNDS_MAX}"),
        );
        work.report(finding);
        return Err(Reported);
    }
    Ok(argument)
}

fn few_enough(
    work: &mut Work<'_>,
    written: &document::Repeat,
    every: Span,
    at_most: Span,
) -> Result<(), Reported> {
    let rounds = at_most.as_milliseconds() / every.as_milliseconds().max(1);
    if rounds < i64::from(ROUNDS_MAX) {
        return Ok(());
    }
    let finding = work
        .error(
            "PB114",
            &written.place,
            format!("every {every} for {at_most} is {rounds} rounds; at most {ROUNDS_MAX} are made"),
        )
        .help("look less often");
    work.report(finding);
    Err(Reported)
}

fn until(
    work: &mut Work<'_>,
    step: &Step,
    action: &ActionSpec,
    env: &TypeEnv,
    cel: &document::Cel,
) -> Result<Expression, Reported> {
    let mut env = env.clone();
    env.add_name(
        "result",
        Type::Record(action.outputs.clone()),
        Some(step.uses.place.clone()),
    );
    let expected = Expected::Condition("until".to_owned());
    let reader = Reader::Watch(step.id.value.clone());
    work.expression(cel, &env, &expected, reader, "repeat.until")
        .ok_or(Reported)
}

pub(super) fn literal(argument: &Argument) -> Option<Span> {
    match argument {
        Argument::Literal(value) => value.as_str()?.parse().ok(),
        _ => None,
    }
}
