//! Reading the resolved arguments of a call.
//!
//! Owns the errors for what the checker promised and did not come. An empty text counts as missing:
//! an empty indicator must never become a rule.

use playbooks::action_spec::ErrorKind;
use serde_json::Value;

use crate::action::{ActionError, Call};

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
