//! Which part of a condition decided, and what it saw there.
//!
//! Owns the words of that answer. Evaluates parts of the condition again, within one budget of
//! its own; where that is not enough the answer is the whole condition without values, never none.

use std::fmt;

use serde_json::Value;

use super::{Evaluator, Kind, Loop, Node, Root, Stop};
use crate::expression::tree::Comprehension;
use crate::names::{Names, Unresolved};
use crate::types::Type;

/// Characters of the text of a condition that an explanation shows.
pub const EXPLAINED_CHARS_MAX: usize = 160;
/// Characters of one text value that an explanation shows.
pub const SEEN_CHARS_MAX: usize = 60;
/// Values that an explanation shows.
pub const SEEN_VALUES_MAX: usize = 4;

/// The part of a condition that decided it, with the values it saw.
///
/// Values may hold anything an incident held: whoever shows them encodes them for the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The part as written, on one line, at most [`EXPLAINED_CHARS_MAX`] characters.
    pub part: String,
    /// What the part was; true below a `!`.
    pub was: bool,
    /// What it saw: `incident.severity is low`, at most [`SEEN_VALUES_MAX`].
    pub seen: Vec<String>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {}", self.part, self.was)?;
        if self.seen.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", self.seen.join(", "))
    }
}

/// Why a condition is false.
pub(in crate::expression) fn explain(root: &Node, text: &str, names: &dyn Names) -> Explanation {
    let mut evaluator = Evaluator::new(text, names);
    let (node, was) = evaluator.culprit(root, false).unwrap_or((root, false));
    let mut seen = Seen::default();
    evaluator.look(node, &mut seen);
    Explanation {
        part: cut(&evaluator.written(node), EXPLAINED_CHARS_MAX),
        was,
        seen: seen.phrases,
    }
}

/// What was seen, each once.
#[derive(Default)]
struct Seen {
    phrases: Vec<String>,
}

impl Seen {
    fn add(&mut self, phrase: String) {
        if self.phrases.len() < SEEN_VALUES_MAX && !self.phrases.contains(&phrase) {
            self.phrases.push(phrase);
        }
    }
}

/// What the items of a list say to the body of a quantifier.
struct Poll {
    count: usize,
    fitting: usize,
    /// The first item that does not fit, and its place from 1.
    misfit: Option<(usize, String)>,
}

impl<'v> Evaluator<'v> {
    /// The smallest part that made a condition what it was.
    fn culprit(&mut self, node: &'v Node, was: bool) -> Result<(&'v Node, bool), Stop> {
        match &node.kind {
            Kind::Not(inner) => self.culprit(inner, !was),
            // Both sides of `a && b` that is true, and of `a || b` that is false, decided.
            Kind::And(one, two) if !was => self.side(one, two, was),
            Kind::Or(one, two) if was => self.side(one, two, was),
            Kind::Conditional(question, one, two) => {
                let answer = self.condition(question)?;
                let taken = if answer { one } else { two };
                match taken.kind {
                    Kind::Literal(_) => self.culprit(question, answer),
                    _ => self.culprit(taken, was),
                }
            }
            _ => Ok((node, was)),
        }
    }

    /// The first side that is what the whole is.
    fn side(&mut self, one: &'v Node, two: &'v Node, was: bool) -> Result<(&'v Node, bool), Stop> {
        let decided = if self.condition(one)? == was { one } else { two };
        self.culprit(decided, was)
    }

    /// Notes the values that a part saw.
    fn look(&mut self, node: &'v Node, seen: &mut Seen) {
        match &node.kind {
            // The value of a name that stands alone has been told already.
            Kind::Path(..) => {}
            Kind::Not(inner) => self.look(inner, seen),
            Kind::And(one, two) | Kind::Or(one, two) => {
                for side in [one, two] {
                    match side.kind {
                        Kind::Path(..) => self.value_of(side, seen),
                        _ => self.look(side, seen),
                    }
                }
            }
            Kind::Compare(_, one, two) | Kind::In(one, two) => {
                self.value_of(one, seen);
                self.value_of(two, seen);
            }
            Kind::Matches(inner, _) | Kind::Has(inner) => self.value_of(inner, seen),
            Kind::Call(_, arguments) => {
                for argument in arguments {
                    self.value_of(argument, seen);
                }
            }
            Kind::Comprehension(this) => self.quantified(this, seen),
            _ => self.paths(node, seen),
        }
    }

    /// Notes the value of an operand, unless it is written out in the condition itself.
    fn value_of(&mut self, node: &'v Node, seen: &mut Seen) {
        if !reads(node) {
            return;
        }
        let value = self.value(node).map(std::borrow::Cow::into_owned);
        let what = cut(&self.written(node), SEEN_CHARS_MAX);
        match value {
            Ok(value) => seen.add(format!("{what} {}", words(&value, &node.ty))),
            Err(Stop::Unresolved(Unresolved::Absent { .. })) => seen.add(format!("{what} is absent")),
            Err(_) => {}
        }
    }

    /// Notes how many items a quantifier saw, which one decided, and what else its body reads.
    fn quantified(&mut self, this: &'v Comprehension, seen: &mut Seen) {
        let what = cut(&self.written(&this.list), SEEN_CHARS_MAX);
        if let Ok(Poll {
            count,
            fitting,
            misfit,
        }) = self.poll(this)
        {
            seen.add(match (this.kind, misfit, fitting) {
                _ if count == 0 => format!("{what} is empty"),
                (Loop::All, Some((place, item)), _) => {
                    format!("item {place} of {what} does not fit: {item}")
                }
                (_, _, 0) => format!("none of {count} in {what} fits"),
                _ => format!("{fitting} of {count} in {what} fit"),
            });
        }
        self.paths(&this.body, seen);
    }

    /// Asks every item, also those after the one that decided.
    fn poll(&mut self, this: &'v Comprehension) -> Result<Poll, Stop> {
        let list = self.items(&this.list)?;
        let ty = crate::expression::functions::items(&this.list.ty).unwrap_or(&Type::Open);
        let mut poll = Poll {
            count: list.len(),
            fitting: 0,
            misfit: None,
        };
        for (place, item) in (1..).zip(list) {
            let (item, fits) = self.with(item, |evaluator| evaluator.condition(&this.body))?;
            if fits {
                poll.fitting += 1;
            } else if poll.misfit.is_none() {
                poll.misfit = Some((place, shown(&item, ty)));
            }
        }
        Ok(poll)
    }

    /// Notes the values of all names that a part reads.
    fn paths(&mut self, node: &'v Node, seen: &mut Seen) {
        if let Kind::Path(Root::Name(_), _) = &node.kind {
            return self.value_of(node, seen);
        }
        for part in parts(node) {
            self.paths(part, seen);
        }
    }
}

/// Whether a part reads a name outside itself.
fn reads(node: &Node) -> bool {
    match &node.kind {
        Kind::Path(Root::Name(_), _) => true,
        _ => parts(node).into_iter().any(reads),
    }
}

/// The parts a node is made of.
pub(in crate::expression) fn parts(node: &Node) -> Vec<&Node> {
    match &node.kind {
        Kind::Literal(_) | Kind::Omit | Kind::Path(..) => Vec::new(),
        Kind::Select(inner, _)
        | Kind::Not(inner)
        | Kind::Negate(inner)
        | Kind::Has(inner)
        | Kind::Matches(inner, _) => vec![inner],
        Kind::Index(one, two)
        | Kind::And(one, two)
        | Kind::Or(one, two)
        | Kind::Compare(_, one, two)
        | Kind::Arithmetic(_, one, two)
        | Kind::In(one, two)
        | Kind::Default(one, two) => vec![one, two],
        Kind::Conditional(question, one, two) => vec![question, one, two],
        Kind::List(items) | Kind::Call(_, items) => items.iter().collect(),
        Kind::Record(fields) => fields.iter().map(|(_, field)| field).collect(),
        Kind::Comprehension(this) => std::iter::once(&this.list)
            .chain(&this.condition)
            .chain([&this.body])
            .collect(),
    }
}

/// A value after a verb.
fn words(value: &Value, ty: &Type) -> String {
    match value {
        Value::Array(items) if items.is_empty() => "is empty".to_owned(),
        Value::Array(items) if items.len() == 1 => "has 1 item".to_owned(),
        Value::Array(items) => format!("has {} items", items.len()),
        Value::Object(_) => "is present".to_owned(),
        value => format!("is {}", shown(value, ty)),
    }
}

/// A value in a few words, as a condition would write it.
fn shown(value: &Value, ty: &Type) -> String {
    match (value, ty.required()) {
        (Value::String(text), Type::Ordered { .. } | Type::Duration | Type::Time) => {
            cut(text, SEEN_CHARS_MAX)
        }
        (Value::String(text), _) => format!("'{}'", cut(text, SEEN_CHARS_MAX)),
        (Value::Array(items), _) => format!("a list of {}", items.len()),
        (Value::Object(fields), _) => ["id", "name", "value", "url"]
            .iter()
            .find_map(|field| fields.get(*field)?.as_str())
            .map_or_else(
                || format!("a record of {} fields", fields.len()),
                |text| format!("'{}'", cut(text, SEEN_CHARS_MAX)),
            ),
        (value, _) => value.to_string(),
    }
}

/// Text on one line, at most so many characters, with an ellipsis when something is missing.
fn cut(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    line.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
