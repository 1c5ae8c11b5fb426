//! What expressions and templates may read, and what happens when it is not there.
//!
//! Owns the reading contract between the language and whoever runs it. There is no null:
//! JSON null and a missing field are both *absent*.

use std::borrow::Cow;

use serde_json::Value;

/// The values behind the names of the language at one moment of one run.
///
/// Implemented by the engine over its state, by intake for `trigger.when`, and by tests over
/// plain JSON. Values are JSON; the static type of the reader says how to take them (a `time` is
/// an RFC 3339 text, a `duration` a text like `7d`, an ordered word its spelling).
pub trait Names {
    /// The value of a root name other than `steps`: `incident`, `entity`, `org`, `inputs`,
    /// `run`, `now`, a `let` or a loop variable. `None` when it is absent.
    fn name(&self, name: &str) -> Option<Cow<'_, Value>>;

    /// What can be read of a step: an object with its outputs, if it has any, and always
    /// `status` and `attempts`. `None` for a step that does not exist or has not been reached.
    fn step(&self, id: &str) -> Option<Cow<'_, Value>>;

    /// Why a path is absent, in words for the record, for example
    /// `steps.copies, which was skipped: if was false`. The path itself when nothing is known.
    fn why_absent(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// No names at all: for expressions that read nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn name(&self, _name: &str) -> Option<Cow<'_, Value>> {
        None
    }
    fn step(&self, _id: &str) -> Option<Cow<'_, Value>> {
        None
    }
}

/// Why a value could not be had. Absence is data, not an error somebody has to interpret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// An unguarded read found nothing.
    #[error("needs {why}")]
    Absent {
        /// The dotted path that was read, for example `steps.copies.messages`.
        path: String,
        /// [`Names::why_absent`] of it.
        why: String,
    },
    /// The value was there and did not fit: a type that the publish check could not foresee
    /// (open records), a limit, an arithmetic overflow. Fails the step closed.
    #[error("{0}")]
    Failed(String),
}

/// One path a text reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Read {
    /// Segments, the root name first: `["steps", "links", "items"]`.
    pub path: Vec<String>,
    /// Whether the read is inside `has()` or `default()`, so that absence is handled there.
    pub guarded: bool,
}

impl Read {
    /// The path as an author writes it.
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }
    /// The step this reads, if it reads one.
    pub fn step(&self) -> Option<&str> {
        match self.path.as_slice() {
            [root, step, ..] if root == "steps" => Some(step),
            _ => None,
        }
    }
}

/// The value at a dotted path, borrowed where the implementation lends. `None` when any part of
/// the path is absent or null.
pub(crate) fn lookup<'n>(names: &'n dyn Names, root: &str, segments: &[String]) -> Option<Cow<'n, Value>> {
    let (start, rest) = match segments.split_first() {
        Some((id, rest)) if root == "steps" => (names.step(id)?, rest),
        _ => (names.name(root)?, segments),
    };
    descend(start, rest)
}

/// The value below another one; `None` when any part is absent or null.
pub(crate) fn descend<'v>(start: Cow<'v, Value>, segments: &[String]) -> Option<Cow<'v, Value>> {
    let found = match start {
        Cow::Borrowed(value) => segments
            .iter()
            .try_fold(value, |value, segment| value.get(segment.as_str()))
            .map(Cow::Borrowed),
        Cow::Owned(mut value) => {
            for segment in segments {
                value = value.get_mut(segment.as_str())?.take();
            }
            Some(Cow::Owned(value))
        }
    };
    found.filter(|value| !value.is_null())
}
