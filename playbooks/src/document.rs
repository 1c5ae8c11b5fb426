//! A playbook as its author wrote it: every key known, every value typed and placed.
//!
//! Owns the shape of the file: which keys exist, which are required, what kind of value each
//! takes, and which names are allowed. Says nothing about meaning: actions, data and types are
//! the compiler's work. Keys of the language that this version cannot do yet are refused here, by
//! name, so that nothing written is ever ignored.

mod approval;
mod declarations;
mod keys;
mod reader;
mod repeat;
mod schedule;
mod sections;
mod step;
mod trial;
mod undo;
mod words;

use crate::diagnostic::{Diagnostic, Place, Source};
use crate::duration::Span;
use crate::incident::IncidentType;
use crate::marking::{EffectClass, Pap, Tlp};
use crate::plan::{OnFailure, Section, WhenBusy};
use crate::schedule::Schedule;
use crate::yaml::{Field, Node};

pub use approval::{APPROVAL_ENTRIES_MAX, Approval, ApprovalForm, Ask};
pub use repeat::Repeat;
pub(crate) use trial::read as read_trials;
pub use undo::{Inverse, Undo};
pub use words::RESERVED;

/// Characters of an id or name of a step, input, let or enum.
pub const NAME_CHARACTERS_MAX: usize = 40;
/// Characters of `name`, `owner` and of one tag.
pub const LINE_CHARACTERS_MAX: usize = 200;
/// Characters of `description`.
pub const DESCRIPTION_CHARACTERS_MAX: usize = 4_000;
/// Entries of `tags`.
pub const TAGS_MAX: usize = 50;
/// Entries of `inputs`, and of `outputs`.
pub const INPUTS_MAX: usize = 50;
/// Entries of `let`.
pub const LETS_MAX: usize = 200;
/// Entries of `enums`, and words of one.
pub const ENUMS_MAX: usize = 20;

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// A CEL expression as written; its place is that of the node.
#[derive(Debug, Clone, PartialEq)]
pub struct Cel {
    /// The expression itself.
    pub text: String,
    /// The scalar that holds it.
    pub node: Node,
    /// Bytes of the scalar's text in front of the expression (`${{ ` or `item in `).
    pub offset: usize,
}

impl Cel {
    /// Where a part of the expression stands in the source.
    pub fn place_of(&self, source: &Source, part: std::ops::Range<usize>) -> Place {
        self.node
            .place_of(source, part.start + self.offset..part.end + self.offset)
    }
    /// Where the whole expression stands.
    pub fn place(&self) -> Place {
        self.node.place.clone()
    }
}

/// A playbook file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// `id`.
    pub id: Placed<String>,
    /// `name`.
    pub name: Placed<String>,
    /// `version`.
    pub version: i64,
    /// `description`.
    pub description: String,
    /// `owner`.
    pub owner: String,
    /// `tags`.
    pub tags: Vec<String>,
    /// `trigger`.
    pub trigger: Trigger,
    /// `concurrency`.
    pub concurrency: Option<Concurrency>,
    /// `limits`.
    pub limits: Limits,
    /// `may`.
    pub may: Vec<Placed<EffectClass>>,
    /// The whole value of `may`, when it is written.
    pub may_place: Option<Place>,
    /// `inputs`.
    pub inputs: Vec<Input>,
    /// `enums`.
    pub enums: Vec<Enum>,
    /// `let`.
    pub lets: Vec<Named>,
    /// All steps: `steps`, then `on_failure`, then `finally`.
    pub steps: Vec<Step>,
    /// `outputs`.
    pub outputs: Vec<Named>,
}

/// `trigger`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trigger {
    /// Where the key `trigger` stands, when it is written.
    pub place: Option<Place>,
    /// `incident`.
    pub incident: Vec<Placed<IncidentType>>,
    /// `when`.
    pub when: Option<Cel>,
    /// `once_per`.
    pub once_per: Option<OncePer>,
    /// `schedule`, with its place.
    pub schedule: Option<Placed<Schedule>>,
    /// `manual`, true when left out.
    pub manual: Option<bool>,
}

/// `trigger.once_per`.
#[derive(Debug, Clone, PartialEq)]
pub struct OncePer {
    /// `key`, a literal, text or value.
    pub key: Node,
    /// `within`.
    pub within: Span,
}

/// `concurrency`.
#[derive(Debug, Clone, PartialEq)]
pub struct Concurrency {
    /// `key`, a literal, text or value.
    pub key: Node,
    /// `limit`.
    pub limit: u32,
    /// `when_busy`, `queue` when left out.
    pub when_busy: WhenBusy,
}

/// `limits`; `None` where the default holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// `tlp`.
    pub tlp: Option<Placed<Tlp>>,
    /// `pap`.
    pub pap: Option<Placed<Pap>>,
    /// `time`.
    pub time: Option<Placed<Span>>,
    /// `effects`.
    pub effects: Option<Placed<u32>>,
}

/// One of `inputs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: Placed<String>,
    /// `type`, as written.
    pub ty: Placed<String>,
    /// `default`.
    pub default: Option<Node>,
    /// `min`.
    pub min: Option<Node>,
    /// `max`.
    pub max: Option<Node>,
    /// `choices`.
    pub choices: Vec<Node>,
    /// `description`.
    pub description: Option<String>,
    /// `ask`.
    pub ask: Option<String>,
}

/// One of `enums`.
#[derive(Debug, Clone, PartialEq)]
pub struct Enum {
    /// Its name.
    pub name: Placed<String>,
    /// Its words, lowest first.
    pub words: Vec<Placed<String>>,
}

/// A named expression of `let` or `outputs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The name.
    pub name: Placed<String>,
    /// The expression.
    pub cel: Cel,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its id.
    pub id: Placed<String>,
    /// Where it stands.
    pub section: Section,
    /// `name`, when it is written.
    pub name: Option<Node>,
    /// `uses`.
    pub uses: Placed<String>,
    /// `using`.
    pub using: Option<Placed<String>>,
    /// `with`.
    pub with: Vec<Field>,
    /// The place of `with`, else of `uses`.
    pub with_place: Place,
    /// `if`.
    pub condition: Option<Cel>,
    /// `for_each`.
    pub for_each: Option<ForEach>,
    /// `max_parallel`.
    pub max_parallel: Option<usize>,
    /// `after`.
    pub after: Vec<Placed<String>>,
    /// `timeout`.
    pub timeout: Option<Placed<Span>>,
    /// `retry`.
    pub retry: Option<Retry>,
    /// `on_failure`.
    pub on_failure: Option<Placed<OnFailure>>,
    /// `if_refused`; true for `continue`.
    pub if_refused_continue: Option<Placed<bool>>,
    /// `approval`.
    pub approval: Option<Approval>,
    /// `repeat`.
    pub repeat: Option<Repeat>,
    /// `undo`; `None` for `auto`.
    pub undo: Option<Undo>,
}

/// `for_each: <variable> in <list>`.
#[derive(Debug, Clone, PartialEq)]
pub struct ForEach {
    /// The loop variable.
    pub variable: Placed<String>,
    /// The list.
    pub list: Cel,
}

/// `retry`; `None` where the action's default holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// The whole value.
    pub place: Place,
    /// `attempts`.
    pub attempts: Option<u32>,
    /// `backoff`, shortest and longest.
    pub backoff: Option<(Span, Span)>,
    /// `errors`.
    pub errors: Option<Vec<crate::action_spec::ErrorKind>>,
}

/// Reads a playbook tree. The document is there when the file is complete enough to be compiled;
/// findings come in order of place.
pub fn read(source: &Source, root: &Node) -> (Option<Document>, Vec<Diagnostic>) {
    let mut reader = reader::Reader::new(source);
    let document = sections::document(&mut reader, root);
    let mut findings = reader.into_findings();
    findings.sort_by_key(|finding| finding.primary.place.start);
    (document, findings)
}

#[cfg(test)]
mod tests;
