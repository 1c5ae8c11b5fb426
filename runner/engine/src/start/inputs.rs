//! Inputs of a start: types, defaults, bounds, choices.
//!
//! Owns the check that a run begins with exactly the inputs its playbook declares.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use playbooks::duration::Span;
use playbooks::plan::Input;
use playbooks::types::Type;
use playbooks::values::{check, describe};
use serde_json::Value;

/// An input's name and what does not fit.
type Unfit = (String, String);

/// The inputs in canonical form, defaults filled in. Optional ones may be missing.
pub(super) fn typed(
    declared: &IndexMap<String, Input>,
    mut given: BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, Unfit> {
    if let Some(stranger) = given.keys().find(|name| !declared.contains_key(*name)) {
        let known: Vec<_> = declared.keys().map(String::as_str).collect();
        let remedy = if known.is_empty() {
            "the playbook has no inputs".to_owned()
        } else {
            format!("there is no such input; the playbook has {}", known.join(", "))
        };
        return Err((stranger.clone(), remedy));
    }
    let mut inputs = BTreeMap::new();
    for (name, input) in declared {
        let value = given
            .remove(name)
            .filter(|value| !value.is_null())
            .or_else(|| input.default.clone());
        let Some(value) = value else {
            if matches!(input.ty, Type::Optional(_)) {
                continue;
            }
            return Err((name.clone(), format!("must be given: {}", input.ty)));
        };
        let value = check(&value, &input.ty).map_err(|why| (name.clone(), why.to_string()))?;
        bounded(input, &value).map_err(|why| (name.clone(), why))?;
        inputs.insert(name.clone(), value);
    }
    Ok(inputs)
}

fn bounded(input: &Input, value: &Value) -> Result<(), String> {
    if let Some(min) = &input.min
        && order(&input.ty, value, min) == Some(Ordering::Less)
    {
        return Err(format!(
            "{} is below the smallest, {}",
            describe(value),
            describe(min)
        ));
    }
    if let Some(max) = &input.max
        && order(&input.ty, value, max) == Some(Ordering::Greater)
    {
        return Err(format!(
            "{} is above the largest, {}",
            describe(value),
            describe(max)
        ));
    }
    if !input.choices.is_empty() && !input.choices.contains(value) {
        let choices: Vec<_> = input.choices.iter().map(describe).collect();
        return Err(format!("{} is none of {}", describe(value), choices.join(", ")));
    }
    Ok(())
}

/// How two values of a type compare; `None` for types without an order.
fn order(ty: &Type, one: &Value, other: &Value) -> Option<Ordering> {
    match ty.required() {
        Type::Int => Some(one.as_i64()?.cmp(&other.as_i64()?)),
        Type::Double => one.as_f64()?.partial_cmp(&other.as_f64()?),
        Type::Duration => Some(span(one)?.cmp(&span(other)?)),
        Type::Time => Some(time(one)?.cmp(&time(other)?)),
        Type::Ordered { words, .. } => {
            let rank = |value: &Value| {
                words
                    .iter()
                    .position(|word| Some(word.as_str()) == value.as_str())
            };
            Some(rank(one)?.cmp(&rank(other)?))
        }
        _ => None,
    }
}

fn span(value: &Value) -> Option<Span> {
    value.as_str()?.parse().ok()
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}
