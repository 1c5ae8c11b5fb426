//! The words of the timeline. Owns phrasing only; nothing here is ever parsed again.

use serde_json::Value;
use state::event::SkipCause;

use super::NOTE_CHARACTERS_MAX;

/// The few words of an output that tell a person what happened.
pub(super) fn output_words(output: &Value, reference: Option<&str>) -> String {
    let mut words = Vec::new();
    if let Some(verdict) = output.get("verdict").and_then(Value::as_str) {
        match output.get("score").and_then(Value::as_i64) {
            Some(score) => words.push(format!("{verdict} ({score}/100)")),
            None => words.push(verdict.to_owned()),
        }
    }
    if let Some(providers) = output.get("providers").and_then(Value::as_array) {
        let failed = providers.iter().filter(|one| one.get("error").is_some()).count();
        let answered = providers.len() - failed;
        words.push(if failed == 0 {
            format!("{answered} answered")
        } else {
            format!("{answered} answered, {failed} did not")
        });
    }
    for (field, label) in [("age", "age"), ("registrar", "registrar"), ("as_name", "network")] {
        words.extend(
            output
                .get(field)
                .and_then(Value::as_str)
                .map(|text| format!("{label} {text}")),
        );
    }
    for field in ["urls", "attachments", "domains", "ips"] {
        let count = output.get(field).and_then(Value::as_array).map_or(0, Vec::len);
        match count {
            0 => {}
            1 => words.push(format!("1 {}", field.trim_end_matches('s'))),
            _ => words.push(format!("{count} {field}")),
        }
    }
    let reader = output.get("to").and_then(Value::as_str);
    if let (Some(reader), Some("<")) = (reader, reference.and_then(|text| text.get(..1))) {
        // Of a mail, who got it tells more than its message id.
        words.push(format!("to {reader}"));
    } else if let Some(reference) = reference {
        words.push(reference.to_owned());
    } else if words.is_empty() {
        let telling = ["domain", "ip", "cidr", "url", "to", "id", "code"];
        words.extend(
            telling
                .iter()
                .find_map(|field| output.get(*field))
                .map(item_words),
        );
    }
    words.join(", ")
}

/// A value in one line.
pub(super) fn item_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => ["name", "value", "url", "domain", "ip", "id"]
            .iter()
            .find_map(|field| fields.get(*field).and_then(Value::as_str))
            .map_or_else(|| value.to_string(), str::to_owned),
        other => other.to_string(),
    }
}

/// Why something was skipped, in words.
pub fn skip_note(cause: &SkipCause) -> String {
    match cause {
        SkipCause::IfFalse {
            because: Some(because),
            ..
        } => format!("if: {because}"),
        SkipCause::IfFalse { condition, .. } => format!("if was false: {condition}"),
        SkipCause::IfUndecided { why }
        | SkipCause::Needs { why }
        | SkipCause::Absent { why }
        | SkipCause::ApprovalRefused { why }
        | SkipCause::ApprovalExpired { why } => why.clone(),
        SkipCause::UntilTrue => "until was already true".to_owned(),
        SkipCause::RunFailing => "run is failing".to_owned(),
        SkipCause::RunCancelled => "run was cancelled".to_owned(),
    }
}

/// One line of at most [`NOTE_CHARACTERS_MAX`] characters, without control characters.
pub(super) fn cut(text: &str) -> String {
    let mut characters = text
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character });
    let mut line: String = characters.by_ref().take(NOTE_CHARACTERS_MAX).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}
