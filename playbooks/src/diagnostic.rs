//! Messages with a place: what is wrong, where, why, and what to do.
//!
//! Owns the data. Printing for terminals, JSON and SARIF is the command line's work.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A text with a name, as it was read. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Path or other name, as shown to people.
    pub name: Arc<str>,
    /// The text.
    pub text: Arc<str>,
}

impl Source {
    /// A named text.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before.get(start..).unwrap_or("").chars().count() + 1)
    }
}

/// Bytes of a source, end exclusive.
pub type Place = Range<usize>;

/// Whether a message stops the playbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing; stops under `--strict`.
    Warning,
    /// Must be repaired.
    Error,
}

/// A place with a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The text it is in.
    pub source: Source,
    /// Where.
    pub place: Place,
    /// What is seen there; may be empty.
    pub text: String,
}

/// A replacement that repairs the finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What to replace.
    pub place: Place,
    /// With what.
    pub replacement: String,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code such as `PB204`; `sortie explain` has a page for each.
    pub code: &'static str,
    /// Error or warning.
    pub level: Level,
    /// One sentence without a full stop.
    pub message: String,
    /// The culprit.
    pub primary: Label,
    /// The evidence.
    pub secondary: Vec<Label>,
    /// What to do, nearest remedy first.
    pub help: Vec<String>,
    /// Background.
    pub notes: Vec<String>,
    /// What `--fix` would do.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, source: &Source, place: Place, message: impl Into<String>) -> Self {
        Self::new(Level::Error, code, source, place, message)
    }
    /// A warning at a place.
    pub fn warning(code: &'static str, source: &Source, place: Place, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, code, source, place, message)
    }
    fn new(
        level: Level,
        code: &'static str,
        source: &Source,
        place: Place,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            level,
            message: message.into(),
            primary: Label {
                source: source.clone(),
                place,
                text: String::new(),
            },
            secondary: Vec::new(),
            help: Vec::new(),
            notes: Vec::new(),
            fix: None,
        }
    }
    /// Words under the primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }
    /// A second place that proves the point.
    #[must_use]
    pub fn evidence(mut self, source: &Source, place: Place, text: impl Into<String>) -> Self {
        self.secondary.push(Label {
            source: source.clone(),
            place,
            text: text.into(),
        });
        self
    }
    /// What to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }
    /// Background.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }
    /// A repair a machine may make.
    #[must_use]
    pub fn fix(mut self, place: Place, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix {
            place,
            replacement: replacement.into(),
        });
        self
    }
}
