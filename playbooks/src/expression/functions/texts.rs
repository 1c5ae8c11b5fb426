//! Functions over texts, and conversions.
//!
//! Owns positions in texts: they count characters, never bytes.

use serde_json::Value;

use super::lists::{double_of, number, range};
use super::{Function, Given, Trouble};
use crate::expression::budget::Budget;
use crate::values::describe;

/// Up to here every whole number is a double of its own: 2^53.
const WHOLE_DOUBLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Longest text that is compared for likeness, in characters.
const SIMILARITY_CHARACTERS_MAX: usize = 512;

pub(super) fn apply(function: Function, given: &[Given<'_>], budget: &mut Budget) -> Result<Value, Trouble> {
    match (function, given) {
        (Function::Similarity, [one, two]) => {
            let score = likeness(one.text()?, two.text()?, budget)?;
            number(score).map_err(Trouble::Failed)
        }
        (Function::MostSimilar, [text, list]) => most_similar(text.text()?, list.list()?, budget),
        (Function::Size, [it]) => size(it.value),
        (Function::Int, [it]) => int(it.value),
        (Function::Double, [it]) => match it.value {
            Value::String(text) => text
                .trim()
                .parse::<f64>()
                .map_err(|_| Trouble::Failed(format!("{} is not a number", describe(it.value))))
                .and_then(|value| number(value).map_err(Trouble::Failed)),
            other => double_of(other).and_then(number).map_err(Trouble::Failed),
        },
        (Function::Text, [it]) => made(scalar_text(it.value)?, budget),
        (Function::ParseJson, [text]) => parse_json(text.text()?, budget),
        (function, given) => {
            let texts = given.first().map_or(Ok(""), |first| first.text())?;
            budget.steps(texts.len() / 64).map_err(Trouble::Failed)?;
            over_text(function, texts, given.get(1..).unwrap_or_default(), budget)
        }
    }
}

fn over_text(
    function: Function,
    text: &str,
    rest: &[Given<'_>],
    budget: &mut Budget,
) -> Result<Value, Trouble> {
    match (function, rest) {
        (Function::Contains, [part]) => Ok(Value::Bool(text.contains(part.text()?))),
        (Function::StartsWith, [part]) => Ok(Value::Bool(text.starts_with(part.text()?))),
        (Function::EndsWith, [part]) => Ok(Value::Bool(text.ends_with(part.text()?))),
        (Function::LowerAscii, []) => made(text.to_ascii_lowercase(), budget),
        (Function::UpperAscii, []) => made(text.to_ascii_uppercase(), budget),
        (Function::Trim, []) => made(text.trim().to_owned(), budget),
        (Function::Replace, [old, new]) => {
            let (old, new) = (old.text()?, new.text()?);
            let found = if old.is_empty() {
                0
            } else {
                text.matches(old).count()
            };
            budget
                .bytes(text.len().saturating_add(found.saturating_mul(new.len())))
                .map_err(Trouble::Failed)?;
            Ok(Value::String(if old.is_empty() {
                text.to_owned()
            } else {
                text.replace(old, new)
            }))
        }
        (Function::Substring, [from, to @ ..]) => {
            let length = text.chars().count();
            let to = to
                .first()
                .map_or(Ok(i64::try_from(length).unwrap_or(i64::MAX)), |to| to.int())?;
            let (from, to) = range(from.int()?, to, length)?;
            made(text.chars().skip(from).take(to - from).collect(), budget)
        }
        (Function::IndexOf, [part]) => {
            let found = text
                .find(part.text()?)
                .and_then(|at| text.get(..at))
                .map(|before| before.chars().count());
            Ok(Value::from(
                found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1),
            ))
        }
        (Function::Split, [by]) => {
            let by = by.text()?;
            if by.is_empty() {
                return Err(Trouble::failed("a text is split at a text that is not empty"));
            }
            let parts = text.matches(by).count() + 1;
            if parts > crate::values::LIST_ITEMS_MAX {
                return Err(Trouble::Failed(format!(
                    "a list has at most {} items, this would have {parts}",
                    crate::values::LIST_ITEMS_MAX
                )));
            }
            budget.bytes(text.len() + parts * 32).map_err(Trouble::Failed)?;
            Ok(Value::Array(
                text.split(by)
                    .map(|part| Value::String(part.to_owned()))
                    .collect(),
            ))
        }
        (function, _) => Err(Trouble::Failed(format!("write {}", function.usage()))),
    }
}

fn made(text: String, budget: &mut Budget) -> Result<Value, Trouble> {
    budget.bytes(text.len()).map_err(Trouble::Failed)?;
    Ok(Value::String(text))
}

/// A text, number or truth value as a text.
pub(in crate::expression) fn scalar_text(value: &Value) -> Result<String, Trouble> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        other => Err(Trouble::Failed(format!(
            "a text is needed, found {}",
            describe(other)
        ))),
    }
}

fn size(value: &Value) -> Result<Value, Trouble> {
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        other => return Err(Trouble::Failed(format!("{} has no size", describe(other)))),
    };
    Ok(Value::from(size))
}

fn int(value: &Value) -> Result<Value, Trouble> {
    let wrong = || Trouble::Failed(format!("{} is not a whole number", describe(value)));
    match value {
        Value::String(text) => text.trim().parse::<i64>().map(Value::from).map_err(|_| wrong()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Value::from(whole)),
            (None, Some(float)) => {
                if float.abs() > WHOLE_DOUBLE_MAX {
                    return Err(wrong());
                }
                #[expect(clippy::cast_possible_truncation, reason = "the range is checked above")]
                let whole = float.trunc() as i64;
                Ok(Value::from(whole))
            }
            (None, None) => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// Likeness of two texts, 0 to 1, by edit distance.
fn likeness(one: &str, two: &str, budget: &mut Budget) -> Result<f64, Trouble> {
    let lengths = (one.chars().count(), two.chars().count());
    if lengths.0.max(lengths.1) > SIMILARITY_CHARACTERS_MAX {
        return Err(Trouble::Failed(format!(
            "texts of at most {SIMILARITY_CHARACTERS_MAX} characters can be compared for likeness"
        )));
    }
    budget
        .steps(lengths.0.saturating_mul(lengths.1) / 16)
        .map_err(Trouble::Failed)?;
    Ok(strsim::normalized_damerau_levenshtein(one, two))
}

fn most_similar(text: &str, list: &[Value], budget: &mut Budget) -> Result<Value, Trouble> {
    let mut best: Option<(f64, &str)> = None;
    for item in list {
        let candidate = item
            .as_str()
            .ok_or_else(|| Trouble::Failed(format!("a text is needed, found {}", describe(item))))?;
        let score = likeness(text, candidate, budget)?;
        if best.is_none_or(|(highest, _)| score > highest) {
            best = Some((score, candidate));
        }
    }
    let (score, value) = best.ok_or(Trouble::Empty)?;
    Ok(serde_json::json!({ "value": value, "score": score }))
}

fn parse_json(text: &str, budget: &mut Budget) -> Result<Value, Trouble> {
    const CELLS_PER_BYTE: usize = 16;
    budget
        .bytes(text.len().saturating_mul(CELLS_PER_BYTE))
        .map_err(Trouble::Failed)?;
    // The parser refuses to nest deeper than 128.
    serde_json::from_str(text).map_err(|_| Trouble::failed("the text is not JSON"))
}
