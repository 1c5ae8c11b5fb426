//! Handlebars behind a façade: `{{ }}` writes text, always a string, escaped for its sink.

use crate::action_spec::Sink;
use crate::diagnostic::Diagnostic;
use crate::expression::TypeEnv;
use crate::names::{Names, Read, Unresolved};
use crate::snippet::Snippet;

/// Whether a template may have `{{#if}}`, `{{#each}}` and their kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// In parameters of kind `document` and in template files.
    Allowed,
    /// Anywhere else (PB117).
    Refused,
}

/// A compiled, checked template.
#[derive(Debug, Clone)]
pub struct Template {
    source: String,
    sink: Sink,
    reads: Vec<Read>,
}

impl Template {
    /// Parses and checks a template.
    ///
    /// # Errors
    /// Every error found, in order of place.
    pub fn compile(
        snippet: &Snippet<'_>,
        _env: &TypeEnv,
        _sink: Sink,
        _blocks: Blocks,
    ) -> Result<Self, Vec<Diagnostic>> {
        Err(vec![snippet.error(
            "PB116",
            &(0..snippet.text().len()),
            "templates are not built yet",
        )])
    }
    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }
    /// Where its text goes.
    pub fn sink(&self) -> Sink {
        self.sink
    }
    /// What it reads.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }
    /// Its text.
    pub fn render(&self, _names: &dyn Names) -> Result<String, Unresolved> {
        Err(Unresolved::Failed(
            "templates land with the language crate".to_owned(),
        ))
    }
}
