//! Functions over lists, and the order and equality of values.
//!
//! Owns both relations, since they need the static type: an ordered word compares by rank, a
//! time by instant, a duration by length.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Number, Value};

use super::{Function, Given, Trouble};
use crate::expression::budget::Budget;
use crate::types::Type;
use crate::values::{describe, parse_span};

pub(super) fn apply(
    function: Function,
    list: Given<'_>,
    rest: &[Given<'_>],
    budget: &mut Budget,
) -> Result<Value, Trouble> {
    let items = list.list()?;
    let item = list.item_type();
    budget.steps(items.len()).map_err(Trouble::Failed)?;
    match (function, rest) {
        (Function::First, []) => {
            let first = items.first().ok_or(Trouble::Empty)?;
            budget.copy(first).map_err(Trouble::Failed)
        }
        (Function::Distinct, []) => {
            let mut seen = HashSet::new();
            let kept = items.iter().filter(|value| seen.insert(value.to_string()));
            copy_all(kept, budget)
        }
        (Function::Reverse, []) => copy_all(items.iter().rev(), budget),
        (Function::Sort, []) => {
            let mut sorted: Vec<&Value> = items.iter().collect();
            sort_by(&mut sorted, item, |value| value, budget)?;
            copy_all(sorted, budget)
        }
        (Function::Flatten, []) => {
            let mut flat = Vec::new();
            for inner in items {
                let inner = inner
                    .as_array()
                    .ok_or_else(|| Trouble::Failed(format!("a list is needed, found {}", describe(inner))))?;
                flat.extend(inner);
            }
            budget.steps(flat.len()).map_err(Trouble::Failed)?;
            copy_all(flat, budget)
        }
        (Function::Slice, [from, to]) => {
            let (from, to) = range(from.int()?, to.int()?, items.len())?;
            copy_all(items.iter().skip(from).take(to - from), budget)
        }
        (Function::Min | Function::Max, []) => extreme(function, items, item, budget),
        (Function::Sum, []) => sum(items, item),
        (Function::Join, rest) => {
            let by = rest.first().map_or(Ok(""), |by| by.text())?;
            let parts = items
                .iter()
                .map(super::texts::scalar_text)
                .collect::<Result<Vec<_>, _>>()?;
            let length = parts.iter().map(|part| part.len() + by.len()).sum();
            budget.bytes(length).map_err(Trouble::Failed)?;
            Ok(Value::String(parts.join(by)))
        }
        (function, _) => Err(Trouble::Failed(format!("write {}", function.usage()))),
    }
}

fn copy_all<'v>(items: impl IntoIterator<Item = &'v Value>, budget: &mut Budget) -> Result<Value, Trouble> {
    items
        .into_iter()
        .map(|item| budget.copy(item))
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
        .map_err(Trouble::Failed)
}

/// A half-open range inside a length.
pub(super) fn range(from: i64, to: i64, length: usize) -> Result<(usize, usize), Trouble> {
    match (usize::try_from(from), usize::try_from(to)) {
        (Ok(from), Ok(to)) if from <= to && to <= length => Ok((from, to)),
        _ => Err(Trouble::Failed(format!(
            "from {from} to {to} is outside of 0 to {length}"
        ))),
    }
}

/// Sorts by a key of the given type; stable.
pub(in crate::expression) fn sort_by<T>(
    values: &mut [T],
    ty: &Type,
    key: impl Fn(&T) -> &Value,
    budget: &mut Budget,
) -> Result<(), Trouble> {
    const COMPARISONS_EACH: usize = 16;
    budget
        .steps(values.len().saturating_mul(COMPARISONS_EACH))
        .map_err(Trouble::Failed)?;
    let mut wrong = None;
    values.sort_by(|one, two| match compare_values(key(one), key(two), ty) {
        Ok(order) => order,
        Err(why) => {
            wrong.get_or_insert(why);
            Ordering::Equal
        }
    });
    wrong.map_or(Ok(()), |why| Err(Trouble::Failed(why)))
}

fn extreme(function: Function, items: &[Value], ty: &Type, budget: &mut Budget) -> Result<Value, Trouble> {
    let wanted = if function == Function::Max {
        Ordering::Greater
    } else {
        Ordering::Less
    };
    let (first, others) = items.split_first().ok_or(Trouble::Empty)?;
    let mut best = first;
    for other in others {
        if compare_values(other, best, ty).map_err(Trouble::Failed)? == wanted {
            best = other;
        }
    }
    budget.copy(best).map_err(Trouble::Failed)
}

fn sum(items: &[Value], ty: &Type) -> Result<Value, Trouble> {
    let too_large = || Trouble::failed("the sum is too large");
    match ty {
        Type::Duration => {
            let mut total = 0_i64;
            for item in items {
                let span = span_of(item).map_err(Trouble::Failed)?;
                total = total.checked_add(span).ok_or_else(too_large)?;
            }
            Ok(Value::String(
                crate::duration::Span::milliseconds(total).to_string(),
            ))
        }
        Type::Double => {
            let mut total = 0.0;
            for item in items {
                total += double_of(item).map_err(Trouble::Failed)?;
            }
            number(total).map_err(Trouble::Failed)
        }
        _ => {
            let mut total = 0_i64;
            for item in items {
                total = total
                    .checked_add(Given { value: item, ty }.int()?)
                    .ok_or_else(too_large)?;
            }
            Ok(Value::from(total))
        }
    }
}

/// A finite float as JSON.
pub(in crate::expression) fn number(value: f64) -> Result<Value, String> {
    Number::from_f64(value)
        .map(Value::Number)
        .ok_or_else(|| "the result is not a number".to_owned())
}

pub(in crate::expression) fn double_of(value: &Value) -> Result<f64, String> {
    value
        .as_f64()
        .ok_or_else(|| format!("a number is needed, found {}", describe(value)))
}

/// Milliseconds of a duration value.
pub(in crate::expression) fn span_of(value: &Value) -> Result<i64, String> {
    value
        .as_str()
        .and_then(parse_span)
        .map(crate::duration::Span::as_milliseconds)
        .ok_or_else(|| format!("a duration is needed, found {}", describe(value)))
}

/// The instant of a time value.
pub(in crate::expression) fn time_of(value: &Value) -> Result<jiff::Timestamp, String> {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("a time is needed, found {}", describe(value)))
}

fn rank_of(value: &Value, name: &str, words: &[String]) -> Result<usize, String> {
    words
        .iter()
        .position(|word| Some(word.as_str()) == value.as_str())
        .ok_or_else(|| format!("a {name} is needed, found {}", describe(value)))
}

/// The order of two values of one type.
pub(in crate::expression) fn compare_values(one: &Value, two: &Value, ty: &Type) -> Result<Ordering, String> {
    match ty {
        Type::Ordered { name, words } => Ok(rank_of(one, name, words)?.cmp(&rank_of(two, name, words)?)),
        Type::Time => Ok(time_of(one)?.cmp(&time_of(two)?)),
        Type::Duration => Ok(span_of(one)?.cmp(&span_of(two)?)),
        _ => match (one, two) {
            (Value::String(one), Value::String(two)) => Ok(one.cmp(two)),
            (Value::Number(one), Value::Number(two)) => {
                if let (Some(one), Some(two)) = (one.as_i64(), two.as_i64()) {
                    return Ok(one.cmp(&two));
                }
                let (one, two) = (one.as_f64().unwrap_or(f64::NAN), two.as_f64().unwrap_or(f64::NAN));
                one.partial_cmp(&two)
                    .ok_or_else(|| "these numbers have no order".to_owned())
            }
            (one, two) => Err(format!("{} and {} have no order", describe(one), describe(two))),
        },
    }
}

/// Whether two values of one type are equal.
pub(in crate::expression) fn equal_values(one: &Value, two: &Value, ty: &Type) -> bool {
    if one == two {
        return true;
    }
    match (ty, one, two) {
        (Type::Time | Type::Duration, one, two) => {
            compare_values(one, two, ty).is_ok_and(|order| order == Ordering::Equal)
        }
        (_, Value::Number(_), Value::Number(_)) => {
            compare_values(one, two, ty).is_ok_and(|order| order == Ordering::Equal)
        }
        (Type::Optional(inner), one, two) => equal_values(one, two, inner),
        (Type::List(item), Value::Array(one), Value::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| equal_values(one, two, item))
        }
        (ty, Value::Object(one), Value::Object(two)) => {
            let fields = ty.fields().unwrap_or_default();
            one.len() == two.len()
                && one.iter().all(|(name, one)| {
                    let ty = fields.get(name).unwrap_or(&Type::Open);
                    two.get(name).is_some_and(|two| equal_values(one, two, ty))
                })
        }
        _ => false,
    }
}
