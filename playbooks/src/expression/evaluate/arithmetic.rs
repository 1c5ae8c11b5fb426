//! `+ - * / %` over numbers, texts, lists, times and durations.
//!
//! Owns overflow: a result that does not fit is trouble, never a wrapped number.

use serde_json::Value;

use crate::duration::Span;
use crate::expression::budget::Budget;
use crate::expression::functions::{double_of, number, span_of, time_of};
use crate::expression::tree::Arithmetic;
use crate::types::Type;
use crate::values::{LIST_ITEMS_MAX, describe};

pub(super) fn negate(value: &Value, ty: &Type) -> Result<Value, String> {
    let overflow = || "the number has no negative".to_owned();
    match ty {
        Type::Duration => {
            let negative = span_of(value)?.checked_neg().ok_or_else(overflow)?;
            Ok(Value::String(Span::milliseconds(negative).to_string()))
        }
        _ => match value.as_i64() {
            Some(whole) => whole.checked_neg().map(Value::from).ok_or_else(overflow),
            None => number(-double_of(value)?),
        },
    }
}

pub(super) fn apply(
    how: Arithmetic,
    (one, one_type): (&Value, &Type),
    (two, two_type): (&Value, &Type),
    budget: &mut Budget,
) -> Result<Value, String> {
    match (how, one_type, two_type) {
        (Arithmetic::Subtract, Type::Time, Type::Time) => {
            let (one, two) = (time_of(one)?.as_millisecond(), time_of(two)?.as_millisecond());
            Ok(span(one.checked_sub(two).ok_or_else(too_long)?))
        }
        (_, Type::Time, _) => shifted(how, one, two),
        (_, _, Type::Time) => shifted(how, two, one),
        (_, Type::Duration, _) | (_, _, Type::Duration) => {
            let (one, two) = (span_of(one)?, span_of(two)?);
            let sum = if how == Arithmetic::Subtract {
                one.checked_sub(two)
            } else {
                one.checked_add(two)
            };
            Ok(span(sum.ok_or_else(too_long)?))
        }
        _ => match (how, one, two) {
            (Arithmetic::Add, Value::String(one), Value::String(two)) => {
                budget.bytes(one.len() + two.len())?;
                Ok(Value::String(format!("{one}{two}")))
            }
            (Arithmetic::Add, Value::Array(one), Value::Array(two)) => {
                let total = one.len() + two.len();
                if total > LIST_ITEMS_MAX {
                    return Err(format!(
                        "a list has at most {LIST_ITEMS_MAX} items, this would have {total}"
                    ));
                }
                one.iter()
                    .chain(two)
                    .map(|item| budget.copy(item))
                    .collect::<Result<Vec<_>, _>>()
                    .map(Value::Array)
            }
            (how, Value::Number(_), Value::Number(_)) => numbers(how, one, two),
            (how, one, two) => Err(format!(
                "`{}` does not fit {} and {}",
                how.sign(),
                describe(one),
                describe(two)
            )),
        },
    }
}

fn too_long() -> String {
    "the span of time is too long".to_owned()
}

fn span(milliseconds: i64) -> Value {
    Value::String(Span::milliseconds(milliseconds).to_string())
}

/// A time moved by a span.
fn shifted(how: Arithmetic, time: &Value, by: &Value) -> Result<Value, String> {
    let by = jiff::SignedDuration::from_millis(span_of(by)?);
    let time = time_of(time)?;
    let moved = if how == Arithmetic::Subtract {
        time.checked_sub(by)
    } else {
        time.checked_add(by)
    };
    moved
        .map(|time| Value::String(time.to_string()))
        .map_err(|_| "the time is out of range".to_owned())
}

fn numbers(how: Arithmetic, one: &Value, two: &Value) -> Result<Value, String> {
    let (Some(left), Some(right)) = (one.as_i64(), two.as_i64()) else {
        let (left, right) = (double_of(one)?, double_of(two)?);
        return number(match how {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
            Arithmetic::Remainder => left % right,
        });
    };
    if right == 0 && matches!(how, Arithmetic::Divide | Arithmetic::Remainder) {
        return Err(format!("{left} {} 0 has no value", how.sign()));
    }
    let whole = match how {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide => left.checked_div(right),
        Arithmetic::Remainder => left.checked_rem(right),
    };
    whole
        .map(Value::from)
        .ok_or_else(|| format!("{left} {} {right} is too large", how.sign()))
}
