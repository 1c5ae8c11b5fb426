//! CEL behind a façade: compile once at publish, evaluate often, never surprise.

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::names::{Names, Read, Unresolved};
use crate::snippet::Snippet;
use crate::types::Type;

mod scope;

pub use self::scope::{Expected, NameType, StepType, TypeEnv};

/// A compiled, checked expression.
#[derive(Debug, Clone)]
pub struct Expression {
    source: String,
    ty: Type,
    reads: Vec<Read>,
    proves: Vec<String>,
    warnings: Vec<Diagnostic>,
}

impl Expression {
    /// Parses and checks an expression. The snippet is the CEL text alone, without `${{ }}`.
    ///
    /// # Errors
    /// Every error found, in order of place.
    pub fn compile(
        snippet: &Snippet<'_>,
        _env: &TypeEnv,
        _expected: &Expected,
    ) -> Result<Self, Vec<Diagnostic>> {
        Err(vec![snippet.error(
            "PB118",
            &(0..snippet.text().len()),
            "expressions are not built yet",
        )])
    }
    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }
    /// The static type of its value. [`Type::Optional`] when it may be `omit`.
    pub fn ty(&self) -> &Type {
        &self.ty
    }
    /// What it reads.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }
    /// The dotted paths that are present whenever its value is true.
    pub fn proves(&self) -> &[String] {
        &self.proves
    }
    /// Findings that do not stop the playbook (PB217).
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
    /// Its value. An unguarded read of something absent is [`Unresolved::Absent`]; `omit` as a
    /// whole value is `Ok(None)`.
    pub fn evaluate(&self, _names: &dyn Names) -> Result<Option<Value>, Unresolved> {
        Err(Unresolved::Failed(
            "expressions land with the language crate".to_owned(),
        ))
    }
}
