//! Checking JSON values against the types of the language, and the one spelling of each text form.
//!
//! Owns validity and canonical form of values: everything that crosses a border (inputs,
//! resolved arguments, outputs) passes here. Knows nothing of expressions.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::duration::Span;
use crate::marking::Verdict;
use crate::types::Type;

mod texts;

pub use self::texts::canonical_text;

/// Longest list a value may hold.
pub const LIST_ITEMS_MAX: usize = 10_000;
/// How deep a value may nest.
pub const VALUE_DEPTH_MAX: usize = 64;

/// A value that is not of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{expected} is expected, found {found}", place(path))]
pub struct Mismatch {
    /// Where in the value, for example `messages[3].mailbox`; empty for the value itself.
    pub path: String,
    /// What belongs there, for people.
    pub expected: String,
    /// What is there, shortened, for people.
    pub found: String,
}

fn place(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!("`{path}`: ")
    }
}

/// The value in canonical form if it is of the type. Absent optional fields are left out, JSON
/// null counts as absent, fields that a record does not know are refused.
///
/// # Errors
/// [`Mismatch`] at the first place that does not fit.
pub fn check(value: &Value, ty: &Type) -> Result<Value, Mismatch> {
    Checker {
        path: Vec::new(),
        unknown_fields: UnknownFields::Refuse,
    }
    .value(value, ty)
}

/// Like [`check`], for what foreign systems answer: fields that a record does not know are
/// dropped instead of refused.
///
/// # Errors
/// [`Mismatch`] at the first place that does not fit.
pub fn check_foreign(value: &Value, ty: &Type) -> Result<Value, Mismatch> {
    Checker {
        path: Vec::new(),
        unknown_fields: UnknownFields::Drop,
    }
    .value(value, ty)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum UnknownFields {
    Refuse,
    Drop,
}

enum Segment {
    Field(String),
    Item(usize),
}

struct Checker {
    path: Vec<Segment>,
    unknown_fields: UnknownFields,
}

impl Checker {
    fn value(&mut self, value: &Value, ty: &Type) -> Result<Value, Mismatch> {
        if self.path.len() > VALUE_DEPTH_MAX {
            return Err(self.wrong(&format!("a value nested at most {VALUE_DEPTH_MAX} deep"), value));
        }
        match (ty, value) {
            (Type::Optional(_), Value::Null) => Ok(Value::Null),
            (Type::Optional(inner), value) => self.value(value, inner),
            (_, Value::Null) => Err(self.wrong(&ty.to_string(), value)),
            (ty, value) if is_as_written(ty, value) => Ok(value.clone()),
            (Type::Text(form), Value::String(text)) => canonical_text(text, *form)
                .map(Value::String)
                .map_err(|why| self.mismatch(&why, value)),
            (Type::Ordered { name, words }, _) => {
                Err(self.wrong(&format!("{name} ({})", words.join(", ")), value))
            }
            (Type::Duration, Value::String(text)) => match parse_span(text) {
                Some(span) => Ok(Value::String(span.to_string())),
                None => Err(self.wrong("a duration such as 30s or 7d", value)),
            },
            (Type::Time, Value::String(text)) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => Ok(Value::String(time.to_string())),
                Err(_) => Err(self.wrong("a time such as 2026-03-02T03:04:00Z", value)),
            },
            (Type::List(item), Value::Array(items)) => self.list(items, item, value),
            (Type::Record(_) | Type::File | Type::Mail, Value::Object(object)) => {
                self.record(object, &ty.fields().unwrap_or_default(), ty)
            }
            (Type::Open, value) => self.open(value),
            (ty, value) => Err(self.wrong(&ty.to_string(), value)),
        }
    }

    fn list(&mut self, items: &[Value], item: &Type, whole: &Value) -> Result<Value, Mismatch> {
        if items.len() > LIST_ITEMS_MAX {
            return Err(self.wrong(&format!("a list of at most {LIST_ITEMS_MAX} items"), whole));
        }
        let mut checked = Vec::with_capacity(items.len());
        for (index, value) in items.iter().enumerate() {
            self.path.push(Segment::Item(index));
            checked.push(self.value(value, item)?);
            self.path.pop();
        }
        Ok(Value::Array(checked))
    }

    fn record(
        &mut self,
        object: &Map<String, Value>,
        fields: &indexmap::IndexMap<String, Type>,
        ty: &Type,
    ) -> Result<Value, Mismatch> {
        let mut checked = Map::with_capacity(fields.len());
        for (name, field) in fields {
            self.path.push(Segment::Field(name.clone()));
            match (object.get(name), field) {
                (None | Some(Value::Null), Type::Optional(_)) => {}
                (None, _) => return Err(self.mismatch(&field.to_string(), &Value::Null)),
                (Some(value), _) => {
                    checked.insert(name.clone(), self.value(value, field)?);
                }
            }
            self.path.pop();
        }
        if self.unknown_fields == UnknownFields::Refuse
            && let Some((name, value)) = object.iter().find(|(name, _)| !fields.contains_key(*name))
        {
            self.path.push(Segment::Field(shorten(name)));
            return Err(self.wrong(&format!("no such field in {ty}"), value));
        }
        Ok(Value::Object(checked))
    }

    fn open(&mut self, value: &Value) -> Result<Value, Mismatch> {
        if depth_exceeds(value, VALUE_DEPTH_MAX - self.path.len().min(VALUE_DEPTH_MAX)) {
            return Err(self.wrong(&format!("a value nested at most {VALUE_DEPTH_MAX} deep"), value));
        }
        Ok(value.clone())
    }

    fn wrong(&self, expected: &str, found: &Value) -> Mismatch {
        self.mismatch(expected, found)
    }

    fn mismatch(&self, expected: &str, found: &Value) -> Mismatch {
        let mut path = String::new();
        for segment in &self.path {
            match segment {
                Segment::Item(index) => {
                    path.push('[');
                    path.push_str(&index.to_string());
                    path.push(']');
                }
                Segment::Field(name) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
            }
        }
        Mismatch {
            path,
            expected: expected.to_owned(),
            found: describe(found),
        }
    }
}

/// Whether a value is of a type of which each value has one spelling.
fn is_as_written(ty: &Type, value: &Value) -> bool {
    match (ty, value) {
        (Type::Bool, Value::Bool(_))
        | (Type::String, Value::String(_))
        | (Type::Double, Value::Number(_)) => true,
        (Type::Int, Value::Number(number)) => number.as_i64().is_some(),
        (Type::OneOf(words) | Type::Ordered { words, .. }, Value::String(word)) => words.contains(word),
        _ => false,
    }
}

fn depth_exceeds(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left == 0 || items.iter().any(|item| depth_exceeds(item, left - 1)),
        Value::Object(fields) => left == 0 || fields.values().any(|field| depth_exceeds(field, left - 1)),
        _ => false,
    }
}

/// A value in a few words, for messages. Long texts are cut.
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("`{}`", shorten(text)),
        Value::Array(items) => format!("a list of {} items", items.len()),
        Value::Object(fields) => format!("a record of {} fields", fields.len()),
    }
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// A span as values hold it. Unlike what an author may write it can be negative, as the
/// difference of two times, and longer than a run, as the age of a domain.
pub(crate) fn parse_span(text: &str) -> Option<Span> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = rest.split_at(digits);
    let size: i64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: i64 = number.parse().ok()?;
    number
        .checked_mul(size)?
        .checked_mul(sign)
        .map(Span::milliseconds)
}

/// An address in canonical form. IPv4 with leading zeros, which some read as octal, is none.
pub(crate) fn parse_ip(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// A verdict word.
pub(crate) fn is_verdict(text: &str) -> bool {
    text.parse::<Verdict>().is_ok()
}

#[cfg(test)]
mod tests;
