//! Looking into foreign JSON without trusting its shape.

use serde_json::Value;

/// A value to look into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'v>(pub(super) &'v Value);

impl<'v> Look<'v> {
    /// The value at a dotted path. `null` counts as absent. At every level the key is taken as
    /// written, else with its first letter in the other case (AWS and others publish both), and
    /// the rest of the path may be one key with dots in it.
    pub(super) fn at(self, path: &str) -> Option<&'v Value> {
        if let Some(value) = self.0.get(path) {
            return Some(value).filter(|value| !value.is_null());
        }
        let (key, rest) = path
            .split_once('.')
            .map_or((path, None), |(key, rest)| (key, Some(rest)));
        let value = self.0.get(key).or_else(|| self.0.get(other_case(key)))?;
        match rest {
            Some(rest) => Look(value).at(rest),
            None => Some(value).filter(|value| !value.is_null()),
        }
    }

    /// The first of several paths that has something.
    pub(super) fn first(self, paths: &[&str]) -> Option<&'v Value> {
        paths.iter().find_map(|path| self.at(path))
    }

    /// A text that is not empty; a number as its digits.
    pub(super) fn text(self, path: &str) -> Option<String> {
        as_text(self.at(path)?)
    }

    /// The first text of several paths.
    pub(super) fn first_text(self, paths: &[&str]) -> Option<String> {
        paths.iter().find_map(|path| self.text(path))
    }

    /// A number; a text of digits counts.
    pub(super) fn number(self, path: &str) -> Option<f64> {
        let value = self.at(path)?;
        value
            .as_f64()
            .or_else(|| value.as_str()?.trim().parse().ok())
            .filter(|number| number.is_finite())
    }

    /// A port; a text of digits counts.
    pub(super) fn port(self, path: &str) -> Option<u16> {
        let value = self.at(path)?;
        let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
        u16::try_from(number).ok()
    }

    /// The items of a list; one value counts as a list of one.
    pub(super) fn items(self, path: &str) -> Vec<&'v Value> {
        match self.at(path) {
            Some(Value::Array(items)) => items.iter().filter(|item| !item.is_null()).collect(),
            Some(value) => vec![value],
            None => Vec::new(),
        }
    }

    /// The texts of a list.
    pub(super) fn texts(self, path: &str) -> Vec<String> {
        self.items(path).into_iter().filter_map(as_text).collect()
    }

    /// Whether a path holds `true`.
    pub(super) fn is_true(self, path: &str) -> bool {
        self.at(path).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether a path holds an object.
    pub(super) fn has_object(self, path: &str) -> bool {
        self.at(path).is_some_and(Value::is_object)
    }
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn other_case(key: &str) -> String {
    let mut letters = key.chars();
    match letters.next() {
        Some(first) if first.is_lowercase() => first.to_uppercase().chain(letters).collect(),
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}
