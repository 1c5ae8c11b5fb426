//! CEL behind a façade: compile once at publish, evaluate often, never surprise.
//!
//! Owns everything between the text of an expression and its value. CEL's parser reads the text;
//! names, types and presence are checked over its tree; a small evaluator of our own walks the
//! checked tree, because CEL's has no limit of work, no static types and its own idea of null.

use std::sync::Arc;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::names::{Names, Read, Unresolved, lookup};
use crate::snippet::Snippet;
use crate::types::Type;

mod branches;
pub(crate) mod budget;
mod check;
mod evaluate;
pub(crate) mod functions;
pub(crate) mod paths;
mod scope;
pub(crate) mod syntax;
pub(crate) mod tree;

pub use self::budget::{EVALUATION_BYTES_MAX, EVALUATION_STEPS_MAX};
pub use self::check::{COMPREHENSION_DEPTH_MAX, REGEX_BYTES_MAX};
pub use self::evaluate::{
    EXPLAINED_CHARS_MAX, Explanation, INNER_LIST_ITEMS_MAX, SEEN_CHARS_MAX, SEEN_VALUES_MAX,
};
pub use self::scope::{Expected, NameType, StepType, TypeEnv};
pub use self::syntax::{BRACKET_DEPTH_MAX, EXPRESSION_BYTES_MAX, TREE_DEPTH_MAX};

/// A compiled, checked expression. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expression {
    source: Arc<str>,
    root: Arc<tree::Node>,
    ty: Type,
    must_be_bool: bool,
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
        env: &TypeEnv,
        expected: &Expected,
    ) -> Result<Self, Vec<Diagnostic>> {
        let syntax = syntax::parse(snippet)?;
        let checked = check::check(snippet, &syntax, env, expected)?;
        Ok(Self {
            source: snippet.text().into(),
            proves: checked.root.proves(true).into_iter().collect(),
            root: Arc::new(checked.root),
            ty: checked.ty,
            must_be_bool: matches!(expected, Expected::Condition(_)),
            reads: checked.reads,
            warnings: checked.warnings,
        })
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }
    /// The static type of its value. [`Type::Optional`] when it may be absent: by `omit`, or as
    /// an output that reads an optional part.
    pub const fn ty(&self) -> &Type {
        &self.ty
    }
    /// What it reads, each path once.
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

    /// Its value; `omit` as a whole value is `Ok(None)`. A condition is true or false, never
    /// anything else.
    ///
    /// # Errors
    /// [`Unresolved::Absent`] when something it reads outside `has` and `default` is absent,
    /// even where evaluation would not have come past it, so that the same things are needed
    /// every time. [`Unresolved::Failed`] when a value did not fit or a limit was reached.
    pub fn evaluate(&self, names: &dyn Names) -> Result<Option<Value>, Unresolved> {
        all_present(&self.reads, names)?;
        let value = evaluate::evaluate(&self.root, &self.source, names)?;
        match value {
            Some(value) if self.must_be_bool && !value.is_boolean() => Err(Unresolved::Failed(format!(
                "`{}` must be true or false, it is {}",
                self.source,
                crate::values::describe(&value)
            ))),
            value => Ok(value),
        }
    }
}

impl Expression {
    /// Which part of a condition that is false said no, and what it saw. Only for a condition that
    /// [`Self::evaluate`] has just found false under the same names.
    pub fn why_false(&self, names: &dyn Names) -> Explanation {
        evaluate::explain(&self.root, &self.source, names)
    }
}

/// Whether everything that is read without a guard is there.
pub(crate) fn all_present(reads: &[Read], names: &dyn Names) -> Result<(), Unresolved> {
    for read in reads.iter().filter(|read| !read.guarded) {
        let Some((root, segments)) = read.path.split_first() else {
            continue;
        };
        if lookup(names, root, segments).is_none() {
            let path = read.dotted();
            return Err(Unresolved::Absent {
                why: names.why_absent(&path),
                path,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
