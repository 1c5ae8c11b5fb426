//! Handlebars behind a façade: `{{ }}` writes text, always a string, escaped for its sink.

use crate::action_spec::Sink;
use crate::names::{Names, Read, Unresolved};

/// A compiled, checked template.
#[derive(Debug, Clone)]
pub struct Template {
    source: String,
    sink: Sink,
    reads: Vec<Read>,
}

impl Template {
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
