//! Many answers to one question become one.
//!
//! Owns the rules: worst verdict, highest score, facts from the first that has them, provenance of
//! everything. `clean` is said only when everybody who may be asked has answered.

use indexmap::IndexMap;
use jiff::Timestamp;
use playbooks::action_spec::{ActionSpec, ErrorKind};
use playbooks::marking::Verdict;
use playbooks::types::Type;
use playbooks::values::check_foreign;
use serde_json::{Map, Value, json};

use crate::action::ActionError;
use crate::registry::LeftOut;

#[cfg(test)]
mod tests;

/// What came of one connection.
#[derive(Debug)]
pub(crate) struct Heard {
    connection: String,
    at: Timestamp,
    said: Said,
}

#[derive(Debug)]
enum Said {
    Answer(Value),
    Failure(ActionError),
    NotAsked(String),
}

impl Heard {
    /// It answered.
    pub(crate) fn answer(connection: String, at: Timestamp, output: Value) -> Self {
        Self {
            connection,
            at,
            said: Said::Answer(output),
        }
    }

    /// It did not answer.
    pub(crate) fn failure(connection: String, at: Timestamp, error: ActionError) -> Self {
        Self {
            connection,
            at,
            said: Said::Failure(error),
        }
    }

    /// It was not asked.
    pub(crate) fn left_out(left_out: &LeftOut, at: Timestamp) -> Self {
        Self {
            connection: left_out.connection.clone(),
            at,
            said: Said::NotAsked(format!("not asked: {}", left_out.reason)),
        }
    }

    fn output(&self) -> Option<&Value> {
        match &self.said {
            Said::Answer(output) => Some(output),
            Said::Failure(_) | Said::NotAsked(_) => None,
        }
    }

    fn provenance(&self) -> Value {
        let mut entry = Map::new();
        entry.insert("name".to_owned(), json!(self.connection));
        match &self.said {
            Said::Answer(output) => {
                for field in ["verdict", "score"] {
                    if let Some(value) = output.get(field) {
                        entry.insert(field.to_owned(), value.clone());
                    }
                }
            }
            Said::Failure(error) => {
                entry.insert("error".to_owned(), json!(error.detail));
            }
            Said::NotAsked(reason) => {
                entry.insert("error".to_owned(), json!(reason));
            }
        }
        entry.insert("at".to_owned(), json!(self.at));
        Value::Object(entry)
    }
}

/// One answer out of all. Fails only when nobody answered.
pub(crate) fn merge(spec: &ActionSpec, arguments: &Value, heard: Vec<Heard>) -> Result<Value, ActionError> {
    if heard.iter().all(|heard| heard.output().is_none()) {
        return Err(nobody_answered(heard));
    }
    let complete = heard.iter().all(|heard| heard.output().is_some());
    let mut merged = Map::new();
    for (name, ty) in &spec.outputs {
        let mut given = heard.iter().filter_map(|heard| heard.output()?.get(name));
        let value = match (name.as_str(), ty.required()) {
            ("providers", _) => Some(heard.iter().map(Heard::provenance).collect()),
            ("verdict", _) => Some(verdict(given, complete).word().into()),
            ("score", _) => score(given, ty),
            (_, Type::Bool) => Some(given.any(|value| *value == Value::Bool(true)).into()),
            (_, Type::List(_)) => Some(union(given)),
            _ => fact(given, ty).or_else(|| arguments.get(name).cloned()),
        };
        if let Some(value) = value {
            merged.insert(name.clone(), value);
        }
    }
    Ok(Value::Object(merged))
}

/// Somebody who does not know the thing takes nothing from another's `clean`; somebody who should
/// have been heard and was not, does.
fn verdict<'a>(given: impl Iterator<Item = &'a Value>, complete: bool) -> Verdict {
    let words: Vec<Verdict> = given.filter_map(|value| value.as_str()?.parse().ok()).collect();
    for bad in [Verdict::Malicious, Verdict::Suspicious] {
        if words.contains(&bad) {
            return bad;
        }
    }
    if complete && words.contains(&Verdict::Clean) {
        Verdict::Clean
    } else {
        Verdict::Unknown
    }
}

fn score<'a>(given: impl Iterator<Item = &'a Value>, ty: &Type) -> Option<Value> {
    let highest = given.filter_map(Value::as_i64).max();
    match (highest, ty) {
        (Some(highest), _) => Some(highest.into()),
        (None, Type::Optional(_)) => None,
        (None, _) => Some(0.into()),
    }
}

/// Every item once, in the order heard.
fn union<'a>(given: impl Iterator<Item = &'a Value>) -> Value {
    let mut items: IndexMap<String, Value> = IndexMap::new();
    for item in given.filter_map(Value::as_array).flatten() {
        items.entry(item.to_string()).or_insert_with(|| item.clone());
    }
    items.into_values().collect()
}

/// The first value that is of its type: a provider's odd fact is no reason to lose the others.
fn fact<'a>(mut given: impl Iterator<Item = &'a Value>, ty: &Type) -> Option<Value> {
    given.find_map(|value| check_foreign(value, ty.required()).ok())
}

fn nobody_answered(heard: Vec<Heard>) -> ActionError {
    let mut failures = Vec::new();
    let mut words = Vec::new();
    for heard in heard {
        match heard.said {
            Said::Failure(error) => {
                words.push(format!("{}: {}", heard.connection, error.detail));
                failures.push(error);
            }
            Said::NotAsked(reason) => words.push(format!("{}: {reason}", heard.connection)),
            Said::Answer(_) => {}
        }
    }
    let passing = failures
        .iter()
        .find(|error| ErrorKind::RETRYABLE.contains(&error.kind));
    let kind = passing
        .or(failures.first())
        .map_or(ErrorKind::Policy, |error| error.kind);
    ActionError {
        not_sent: failures.iter().all(|error| error.not_sent),
        retry_after: failures.iter().filter_map(|error| error.retry_after).min(),
        ..ActionError::new(kind, words.join("; "))
    }
}
