//! The only writer of YAML: output for people and for other programs.
//!
//! Owns one promise: what is written here, [`crate::yaml::read`] reads back equal. Texts that
//! only a quoting can carry safely (controls, invisible characters, what some readers take for a
//! number or boolean) are written in double quotes with escapes, so nothing hides in the output.

use serde::Serialize;
use serde_json::Value;

/// Why a value cannot be written as YAML.
#[derive(Debug, thiserror::Error)]
pub enum NotWritable {
    /// It cannot be expressed as JSON, for example a map with keys that are not texts.
    #[error("this value has no JSON form: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A number beyond what the reader accepts.
    #[error("the number {0} does not fit into 64 bits")]
    Number(serde_json::Number),
    /// The YAML library refused.
    #[error("cannot write YAML: {0}")]
    Yaml(#[from] serde_yaml::Error),
}

/// Writes a value as one YAML document.
///
/// # Errors
/// [`NotWritable`] for values that JSON cannot express and for integers beyond 64 bits.
pub fn to_yaml<T: Serialize + ?Sized>(value: &T) -> Result<String, NotWritable> {
    let mut value = serde_json::to_value(value)?;
    let mut quoted = Vec::new();
    let mark = unused_mark(&value);
    protect(&mut value, &mark, &mut quoted)?;
    let written = serde_yaml::to_string(&value)?;
    Ok(restore(&written, &mark, &quoted))
}

/// A word that occurs in no text of the value, and that every reader takes for plain text.
fn unused_mark(value: &Value) -> String {
    let text = value.to_string();
    let mut mark = "QuotedText".to_owned();
    while text.contains(&mark) {
        mark.push('X');
    }
    mark
}

/// Replaces every text that needs quotes of ours by a numbered mark.
fn protect(value: &mut Value, mark: &str, quoted: &mut Vec<String>) -> Result<(), NotWritable> {
    match value {
        Value::Number(number) if number.is_u64() && number.as_i64().is_none() => {
            return Err(NotWritable::Number(number.clone()));
        }
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|_| number.is_f64()) {
                *value = Value::String(substitute(float_text(float), mark, quoted));
            }
        }
        Value::String(text) => {
            if needs_quotes(text) {
                *text = substitute(in_quotes(text), mark, quoted);
            }
        }
        Value::Array(items) => {
            for item in items {
                protect(item, mark, quoted)?;
            }
        }
        Value::Object(fields) => {
            let mut protected = serde_json::Map::with_capacity(fields.len());
            for (key, mut field) in std::mem::take(fields) {
                protect(&mut field, mark, quoted)?;
                let key = if needs_quotes(&key) || key == "<<" {
                    substitute(in_quotes(&key), mark, quoted)
                } else {
                    key
                };
                protected.insert(key, field);
            }
            *fields = protected;
        }
        Value::Null | Value::Bool(_) => {}
    }
    Ok(())
}

fn substitute(written: String, mark: &str, quoted: &mut Vec<String>) -> String {
    quoted.push(written);
    format!("{mark}{}E", quoted.len() - 1)
}

/// A float with a decimal point and without exponent, so that it reads as a float everywhere.
fn float_text(float: f64) -> String {
    let text = format!("{float}");
    if text.contains('.') {
        text
    } else {
        format!("{text}.0")
    }
}

/// Whether a text must stand in double quotes of ours.
fn needs_quotes(text: &str) -> bool {
    let lines = text.contains('\n');
    let odd = text
        .chars()
        .any(|character| character != '\n' && (character.is_control() || crate::yaml::is_hidden(character)));
    let edges =
        text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) && !text.ends_with('\n');
    odd || !crate::yaml::is_plain_text(text)
        || text.ends_with("\n\n")
        || (lines && (edges || text.contains(" \n")))
}

/// The text in double quotes; JSON's escapes are YAML's, and what is hidden is escaped as well.
fn in_quotes(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            hidden if hidden.is_control() || crate::yaml::is_hidden(hidden) => {
                let code = u32::from(hidden);
                let escape = if code > 0xffff {
                    format!("\\U{code:08X}")
                } else {
                    format!("\\u{code:04X}")
                };
                out.push_str(&escape);
            }
            visible => out.push(visible),
        }
    }
    out.push('"');
    out
}

fn restore(written: &str, mark: &str, quoted: &[String]) -> String {
    let mut out = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find(mark) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let after = found.get(mark.len()..).unwrap_or("");
        let number = after.split('E').next().unwrap_or("");
        let text = number.parse::<usize>().ok().and_then(|index| quoted.get(index));
        out.push_str(text.map_or("", String::as_str));
        rest = after.get(number.len() + 1..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
