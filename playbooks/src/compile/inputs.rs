//! The inputs of a start: types, defaults and bounds.

use indexmap::IndexMap;
use serde_json::Value;

use crate::diagnostic::Place;
use crate::document;
use crate::duration::Span;
use crate::plan::Input;
use crate::types::Type;
use crate::values;
use crate::yaml::Node;

use super::work::Work;

/// Reads every input.
pub(super) fn read(work: &mut Work<'_>) -> IndexMap<String, Input> {
    let document = work.document;
    let mut inputs = IndexMap::new();
    for written in &document.inputs {
        // An input with an error keeps its name, so that its readers are not blamed.
        let input = input(work, written).unwrap_or_else(|| Input {
            ty: Type::Never,
            default: None,
            min: None,
            max: None,
            choices: Vec::new(),
            description: None,
            ask: None,
        });
        inputs.insert(written.name.value.clone(), input);
    }
    inputs
}

fn input(work: &mut Work<'_>, written: &document::Input) -> Option<Input> {
    let ty = parse_type(work, &written.ty.value, &written.ty.place)?;
    let default = written
        .default
        .as_ref()
        .map(|node| value(work, node, &ty))
        .transpose();
    let bound = |work: &mut Work<'_>, node: &Option<Node>, key: &str| match node {
        None => Ok(None),
        Some(node) if !matches!(ty.required(), Type::Int | Type::Double | Type::Duration) => {
            let finding = work
                .error(
                    "PB112",
                    &node.place,
                    format!("`{key}` fits int, double and duration, not {ty}"),
                )
                .help("remove it, or list the allowed values under `choices`");
            work.report(finding);
            Err(())
        }
        Some(node) => value(work, node, &ty).map(Some),
    };
    let min = bound(work, &written.min, "min");
    let max = bound(work, &written.max, "max");
    let choices: Result<Vec<Value>, ()> = written
        .choices
        .iter()
        .map(|node| value(work, node, &ty))
        .collect();
    let input = Input {
        default: default.ok()?,
        min: min.ok()?,
        max: max.ok()?,
        choices: choices.ok()?,
        description: written.description.clone(),
        ask: written.ask.clone(),
        ty,
    };
    default_fits(work, written, &input);
    Some(input)
}

/// Parses a type written in the playbook.
pub(super) fn parse_type(work: &mut Work<'_>, text: &str, place: &Place) -> Option<Type> {
    match Type::parse(text, &work.enums) {
        Ok(ty) => Some(ty),
        Err(problem) => {
            let finding = work.error("PB112", place, problem.message.clone());
            let finding = match &problem.suggestion {
                Some(known) => finding.help(format!("did you mean `{known}`?")),
                None => finding.help("a type is for example `int`, `duration`, `list<domain>`"),
            };
            work.report(finding);
            None
        }
    }
}

fn value(work: &mut Work<'_>, node: &Node, ty: &Type) -> Result<Value, ()> {
    values::check(&node.to_json(), ty).map_err(|mismatch| {
        let finding = work.error("PB210", &node.place, mismatch.to_string());
        work.report(finding);
    })
}

fn default_fits(work: &mut Work<'_>, written: &document::Input, input: &Input) {
    let (Some(node), Some(default)) = (&written.default, &input.default) else {
        return;
    };
    let outside = match (comparable(default), &input.min, &input.max) {
        (Some(value), min, max) => {
            let below = min.as_ref().and_then(comparable).is_some_and(|min| value < min);
            let above = max.as_ref().and_then(comparable).is_some_and(|max| value > max);
            below || above
        }
        _ => false,
    };
    let stranger = !input.choices.is_empty() && !input.choices.contains(default);
    if outside || stranger {
        let limit = if stranger {
            "is none of `choices`"
        } else {
            "is outside of `min` and `max`"
        };
        let finding = work
            .error(
                "PB210",
                &node.place,
                format!("the default of `{}` {limit}", written.name.value),
            )
            .help("change the default or the limit");
        work.report(finding);
    }
}

/// A number to compare by: itself, or milliseconds of a duration.
pub(super) fn comparable(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let span: Span = text.parse().ok()?;
            #[expect(clippy::cast_precision_loss, reason = "a year in milliseconds fits exactly")]
            Some(span.as_milliseconds() as f64)
        }
        _ => None,
    }
}
