//! Handlebars behind a façade: `{{ }}` writes text, always a string, escaped for its sink.
//!
//! Owns the fence around the engine. The text is scanned before it is parsed, every name and
//! function of the parsed tree is checked against types, every path is replaced by a slot of a
//! flat context, and every value goes out through one door that the sink's escape sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::action_spec::Sink;
use crate::diagnostic::Diagnostic;
use crate::expression::{TypeEnv, all_present};
use crate::names::{Names, Read, Unresolved};
use crate::snippet::Snippet;
#[cfg(test)]
use crate::types::Type;

mod check;
mod functions;
mod render;
mod scan;

pub use self::render::{EACH_ITEMS_MAX, EACH_ITEMS_TOTAL_MAX, FUNCTION_BYTES_MAX, OUTPUT_BYTES_MAX};
pub use self::scan::{TEMPLATE_BYTES_MAX, TEMPLATE_DEPTH_MAX};

/// Whether a template may have `{{#if}}`, `{{#each}}` and their kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// In parameters of kind `document` and in template files.
    Allowed,
    /// Anywhere else (PB117).
    Refused,
}

/// A compiled, checked template. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template {
    source: Arc<str>,
    sink: Sink,
    reads: Vec<Read>,
    compiled: Arc<handlebars::Template>,
    slots: Vec<Slot>,
    /// How an author wrote what the compiled template calls otherwise.
    written: BTreeMap<String, String>,
    /// Whether it writes times.
    needs_zone: bool,
}

/// A value of the context and the path it is read from.
#[derive(Debug, Clone)]
struct Slot {
    name: String,
    path: Vec<String>,
}

impl Template {
    /// Parses and checks a template.
    ///
    /// # Errors
    /// Every error found, in order of place.
    pub fn compile(
        snippet: &Snippet<'_>,
        env: &TypeEnv,
        sink: Sink,
        blocks: Blocks,
    ) -> Result<Self, Vec<Diagnostic>> {
        scan::fence(snippet)?;
        let checked = check::check(snippet, env, blocks)?;
        Ok(Self {
            source: snippet.text().into(),
            sink,
            reads: checked.reads,
            compiled: Arc::new(checked.compiled),
            slots: checked.slots,
            written: checked.written,
            needs_zone: checked.needs_zone,
        })
    }
    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }
    /// Where its text goes.
    pub const fn sink(&self) -> Sink {
        self.sink
    }
    /// What it reads, each path once.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }
    /// Its text, escaped for its sink. The text is finished: nothing may render it again.
    ///
    /// # Errors
    /// [`Unresolved::Absent`] when something it reads outside `default` and `{{#if}}` is absent.
    /// [`Unresolved::Failed`] when a value did not fit or a limit was reached.
    pub fn render(&self, names: &dyn Names) -> Result<String, Unresolved> {
        all_present(&self.reads, names)?;
        render::render(self, names)
    }
}

#[cfg(test)]
mod tests;
