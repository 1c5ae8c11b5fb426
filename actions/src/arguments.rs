//! Reading what a call brings: its resolved arguments and its way out.
//!
//! Owns the errors for what the checker promised and did not come. An empty text counts as missing:
//! an empty indicator must never become a rule.

use serde_json::Value;

use crate::action::{ActionError, Call, Context};
use crate::egress::Door;

/// A text that must be there.
pub(crate) fn text<'a>(call: &'a Call, name: &str) -> Result<&'a str, ActionError> {
    optional_text(call, name)?.ok_or_else(|| {
        ActionError::invalid(format!(
            "{} needs the input `{name}`, which is missing or empty",
            call.action
        ))
    })
}

/// A text that may be left out.
pub(crate) fn optional_text<'a>(call: &'a Call, name: &str) -> Result<Option<&'a str>, ActionError> {
    match call.arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ActionError::invalid(format!(
            "the input `{name}` of {} is not a text",
            call.action
        ))),
    }
}

/// A truth value; false when it is left out.
pub(crate) fn flag(call: &Call, name: &str) -> bool {
    call.arguments.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The way out of a provider that has one.
pub(crate) fn way_out(context: Context<'_>) -> Result<&Door, ActionError> {
    context
        .door
        .ok_or_else(|| ActionError::invalid("the connection has no base URL, so there is no way out"))
}

/// The reference of the incident, `PH-2026-00417`. Only letters, digits and `-`, so that it fits
/// into any header or marker.
pub(crate) fn reference(call: &Call) -> String {
    call.incident
        .get("ref")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(40)
        .collect()
}
