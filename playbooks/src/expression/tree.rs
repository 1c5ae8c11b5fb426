//! The checked tree: what the checker makes and the evaluator walks.
//!
//! Owns the shape only. Every node knows its static type, because values are plain JSON and the
//! type says how to take them.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::functions::Function;
use crate::diagnostic::Place;
use crate::types::Type;

/// A checked expression.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) ty: Type,
    /// Bytes of the expression's own text.
    pub(crate) place: Place,
}

/// Where a path starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    /// A root name; for `steps` the first segment is the step.
    Name(String),
    /// A variable of a comprehension, by its depth; the name is for messages.
    Local(usize, String),
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Literal(Value),
    /// The parameter is left out.
    Omit,
    /// `a.b.c`, the root apart.
    Path(Root, Vec<String>),
    /// A field of a computed record.
    Select(Box<Node>, String),
    /// An item of a list.
    Index(Box<Node>, Box<Node>),
    List(Vec<Node>),
    Record(Vec<(String, Node)>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Conditional(Box<Node>, Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    In(Box<Node>, Box<Node>),
    Has(Box<Node>),
    Default(Box<Node>, Box<Node>),
    Matches(Box<Node>, Box<Regex>),
    Call(Function, Vec<Node>),
    Comprehension(Box<Comprehension>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// `list.kind(variable, condition?, body)`.
#[derive(Debug, Clone)]
pub(crate) struct Comprehension {
    pub(crate) kind: Loop,
    pub(crate) list: Node,
    /// Only for the three-part `map`.
    pub(crate) condition: Option<Node>,
    pub(crate) body: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loop {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
    SortBy,
}

impl Comprehension {
    /// Whether the items of the result are items of the list.
    pub(super) const fn keeps_items(&self) -> bool {
        matches!(self.kind, Loop::Filter | Loop::SortBy)
    }
}

impl Node {
    /// Something about which an error has been reported.
    pub(super) fn wrong(place: Place) -> Self {
        Self {
            kind: Kind::Literal(Value::Null),
            ty: Type::Never,
            place,
        }
    }

    /// Whether this is a node about which an error has been reported.
    pub(super) fn is_wrong(&self) -> bool {
        self.ty == Type::Never
    }

    /// The dotted paths that are there whenever this condition has the given value.
    pub(super) fn proves(&self, value: bool) -> BTreeSet<String> {
        match (&self.kind, value) {
            (Kind::Has(path), true) => path.prefixes(),
            (Kind::Not(inner), value) => inner.proves(!value),
            (Kind::And(one, two), true) | (Kind::Or(one, two), false) => {
                &one.proves(value) | &two.proves(value)
            }
            (Kind::And(one, two), false) | (Kind::Or(one, two), true) => {
                &one.proves(value) & &two.proves(value)
            }
            _ => BTreeSet::new(),
        }
    }

    fn prefixes(&self) -> BTreeSet<String> {
        let Kind::Path(root, segments) = &self.kind else {
            return BTreeSet::new();
        };
        (0..=segments.len())
            .map(|length| root.dotted(segments.get(..length).unwrap_or(segments)))
            .collect()
    }
}

impl Root {
    /// The path as an author writes it.
    pub(crate) fn dotted(&self, segments: &[String]) -> String {
        let (Self::Name(name) | Self::Local(_, name)) = self;
        let mut path = name.clone();
        for segment in segments {
            path.push('.');
            path.push_str(segment);
        }
        path
    }
}

impl Comparison {
    /// The sign an author writes.
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
    /// Whether it asks for equality only.
    pub(crate) const fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Arithmetic {
    /// The sign an author writes.
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}
