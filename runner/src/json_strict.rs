//! The one reader of JSON that comes from outside: strict, bounded, with a place for every refusal.
//!
//! Owns syntax and limits, nothing about meaning. It is a reader of its own because two demands
//! cannot be met by a parser that has already built numbers and maps: an integer too large for
//! 64 bits keeps its digits, and a second key of the same name is refused where it stands.
//!
//! - Integers that fit `i64` or `u64` are numbers, exact even beyond 2^53. Larger ones become
//!   the *text* of their digits, so nothing is rounded.
//! - A number that a double cannot hold (`1e400`, `1e-400`) is refused.
//! - A byte order mark is refused: RFC 8259 forbids writing one, and a source that sends one is
//!   likely to send other encodings too.

mod strings;
#[cfg(test)]
mod tests;

use serde_json::{Map, Number, Value};

/// Bytes of one body. 1 MiB.
pub const BYTES_MAX: usize = 1 << 20;
/// Lists and objects inside each other.
pub const DEPTH_MAX: usize = 32;
/// Keys of one object.
pub const KEYS_MAX: usize = 1_000;
/// Bytes of one string or key, after escapes are resolved. 256 KiB.
pub const STRING_BYTES_MAX: usize = 256 << 10;
/// Items of one list, and documents of one body.
pub const ITEMS_MAX: usize = 10_000;
/// Characters of one number.
pub const NUMBER_BYTES_MAX: usize = 1_000;

/// What kind of refusal it is, for the status code of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bytes are not JSON.
    Syntax,
    /// The bytes are not UTF-8, or a string is not Unicode.
    Encoding,
    /// A limit is passed.
    Limit,
    /// One object has two keys of the same name.
    DuplicateKey,
}

/// Why bytes were refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}; {remedy}")]
pub struct JsonError {
    /// The kind.
    pub fault: Fault,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
    /// What the sender can do.
    pub remedy: &'static str,
}

/// Reads one JSON document.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut reader = Reader::over(bytes)?;
    let value = reader.value(0)?;
    reader.space();
    if reader.peek().is_some() {
        return Err(reader.syntax(
            "something follows the end of the document",
            "send one JSON document",
        ));
    }
    Ok(value)
}

/// Reads one or more JSON documents that follow each other, on lines (NDJSON) or not.
pub fn documents(bytes: &[u8]) -> Result<Vec<Value>, JsonError> {
    let mut reader = Reader::over(bytes)?;
    let mut documents = vec![reader.value(0)?];
    loop {
        reader.space();
        if reader.peek().is_none() {
            return Ok(documents);
        }
        if documents.len() == ITEMS_MAX {
            return Err(reader.limit(
                format!("more than {ITEMS_MAX} documents"),
                "send them in several requests",
            ));
        }
        documents.push(reader.value(0)?);
    }
}

/// A position in a text.
#[derive(Debug)]
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn over(bytes: &'t [u8]) -> Result<Self, JsonError> {
        if bytes.len() > BYTES_MAX {
            let start = Reader { text: "", at: 0 };
            return Err(start.limit(
                format!("{} bytes; at most {BYTES_MAX} are read", bytes.len()),
                "send less, or several requests",
            ));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let text = std::str::from_utf8(valid).unwrap_or_default();
            let end = Reader { text, at: text.len() };
            end.fault(
                Fault::Encoding,
                "these bytes are not UTF-8",
                "send UTF-8, the only encoding of JSON",
            )
        })?;
        let reader = Reader { text, at: 0 };
        if text.starts_with('\u{feff}') {
            return Err(reader.fault(Fault::Encoding, "a byte order mark", "send the text without it"));
        }
        Ok(reader)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn fault(&self, fault: Fault, reason: impl Into<String>, remedy: &'static str) -> JsonError {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        JsonError {
            fault,
            line,
            column,
            reason: reason.into(),
            remedy,
        }
    }

    fn syntax(&self, reason: impl Into<String>, remedy: &'static str) -> JsonError {
        self.fault(Fault::Syntax, reason, remedy)
    }

    fn limit(&self, reason: impl Into<String>, remedy: &'static str) -> JsonError {
        self.fault(Fault::Limit, reason, remedy)
    }

    /// Reads a value with `depth` lists or objects around it. Recursion ends at [`DEPTH_MAX`].
    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.space();
        match self.peek() {
            None => Err(self.syntax(
                "the document ends where a value is expected",
                "send the whole document",
            )),
            Some(b'{' | b'[') if depth == DEPTH_MAX => {
                Err(self.limit(format!("nested deeper than {DEPTH_MAX}"), "send flatter data"))
            }
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.syntax("this does not start a JSON value", "send JSON as RFC 8259 has it")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.syntax(
            "this word is not JSON",
            "write true, false, null or a quoted text",
        ))
    }

    fn list(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            if items.len() == ITEMS_MAX {
                return Err(self.limit(format!("a list of more than {ITEMS_MAX} items"), "send fewer"));
            }
            items.push(self.value(depth + 1)?);
            self.space();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(self.syntax(
                    "`,` or `]` is expected here",
                    "check the brackets before this place",
                ));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut object = Map::new();
        self.space();
        if self.take(b'}') {
            return Ok(Value::Object(object));
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.syntax(
                    "a quoted key is expected here",
                    "check the commas and quotes before this place",
                ));
            }
            let key = self.string()?;
            if object.contains_key(&key) {
                self.at = start;
                let shown: String = key.chars().take(64).collect();
                return Err(self.fault(
                    Fault::DuplicateKey,
                    format!("the key `{shown}` is there twice"),
                    "send each key once",
                ));
            }
            if object.len() == KEYS_MAX {
                self.at = start;
                return Err(self.limit(format!("an object of more than {KEYS_MAX} keys"), "send fewer"));
            }
            self.space();
            if !self.take(b':') {
                return Err(self.syntax(
                    "`:` is expected after a key",
                    "check the quotes before this place",
                ));
            }
            let value = self.value(depth + 1)?;
            object.insert(key, value);
            self.space();
            if self.take(b'}') {
                return Ok(Value::Object(object));
            }
            if !self.take(b',') {
                return Err(self.syntax(
                    "`,` or `}` is expected here",
                    "check the brackets before this place",
                ));
            }
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.syntax("a digit is expected here", "write numbers as RFC 8259 has them"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        } else if matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.syntax(
                "a number starts with 0",
                "write it without leading zeros, or quote it",
            ));
        }
        let whole_end = self.at;
        if self.take(b'.') {
            self.digits()?;
        }
        let mantissa_end = self.at;
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let mantissa = self.text.get(start..mantissa_end).unwrap_or_default();
        let whole = self.at == whole_end;
        if text.len() > NUMBER_BYTES_MAX {
            self.at = start;
            return Err(self.limit(
                format!("a number of more than {NUMBER_BYTES_MAX} characters"),
                "send it as text",
            ));
        }
        exact_number(text, mantissa, whole).ok_or_else(|| {
            self.at = start;
            self.limit("a number that a double cannot hold", "send it as text")
        })
    }
}

/// The value of a number as written, or `None` when it would be rounded to infinity or to zero.
fn exact_number(text: &str, mantissa: &str, whole: bool) -> Option<Value> {
    if whole && text != "-0" {
        let number = text
            .parse::<i64>()
            .map(Number::from)
            .or_else(|_| text.parse::<u64>().map(Number::from));
        return Some(number.map_or_else(|_| Value::String(text.to_owned()), Value::Number));
    }
    let number: f64 = text.parse().ok()?;
    let lost = number == 0.0 && mantissa.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    if lost {
        None
    } else {
        Number::from_f64(number).map(Value::Number)
    }
}
