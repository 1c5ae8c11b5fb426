//! What the far end said, read within limits and freed of our secrets.
//!
//! Owns reading an answer as JSON. Judges no field of it.

use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::action::ActionError;

/// Characters of a far end's words that a message repeats.
const EXCERPT_CHARS_MAX: usize = 200;

/// A 2xx answer, or one whose status the action declared to be data.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header, if it is there and legible.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, ActionError> {
        self.json_as()
    }

    /// The body as JSON of a known form.
    pub fn json_as<T: DeserializeOwned>(&self) -> Result<T, ActionError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let kind = self.header("content-type").unwrap_or("no content type");
            let problem = match error.classify() {
                serde_json::error::Category::Eof => "which ends too early",
                serde_json::error::Category::Data => "in which a field is missing or of another type",
                _ => "which is not JSON",
            };
            ActionError::bad_answer(format!(
                "the answer is {} bytes of {kind}, {problem} (line {}, column {})",
                self.body.len(),
                error.line(),
                error.column()
            ))
        })
    }

    /// The beginning of the body, for a message.
    pub(super) fn excerpt(&self) -> String {
        let text = self.text();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        words.chars().take(EXCERPT_CHARS_MAX).collect()
    }
}
