//! The evaluator: total, bounded, lazy where the language says so.
//!
//! Owns how a checked tree becomes a value. Values are JSON and stay borrowed as long as they
//! can; only paths that are read are ever touched. Left to right, the first trouble wins.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::budget::Budget;
use super::functions::{Given, Trouble, apply, compare_values, equal_values, items, sort_by};
use super::tree::{Comparison, Comprehension, Kind, Loop, Node, Root};
use crate::diagnostic::Place;
use crate::names::{Names, Unresolved, descend, lookup};
use crate::types::Type;
use crate::values::{LIST_ITEMS_MAX, describe};

mod arithmetic;
mod explain;

pub use self::explain::{EXPLAINED_CHARS_MAX, Explanation, SEEN_CHARS_MAX, SEEN_VALUES_MAX};
pub(super) use self::explain::{explain, parts};

/// Items of a list inside another comprehension.
pub const INNER_LIST_ITEMS_MAX: usize = 1_000;

/// Evaluates a tree made from a text. `Ok(None)` is `omit`.
pub(super) fn evaluate(root: &Node, text: &str, names: &dyn Names) -> Result<Option<Value>, Unresolved> {
    let mut evaluator = Evaluator::new(text, names);
    match evaluator.value(root) {
        Ok(value) => Ok(Some(value.into_owned())),
        Err(Stop::Omit) => Ok(None),
        Err(Stop::Unresolved(why)) => Err(why),
    }
}

/// Evaluates a tree for the sides of its questions that are taken.
pub(super) fn trail(root: &Node, text: &str, names: &dyn Names) -> Vec<Place> {
    let mut evaluator = Evaluator::new(text, names);
    evaluator.trail = Some(Vec::new());
    // What became of it is of no interest here; a budget that ends cuts the trail.
    let _ = evaluator.value(root);
    evaluator.trail.unwrap_or_default()
}

/// Why evaluation stops early.
enum Stop {
    /// `omit` was reached as the value of the whole.
    Omit,
    Unresolved(Unresolved),
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Unresolved(Unresolved::Failed(why))
    }
}

struct Evaluator<'v> {
    names: &'v dyn Names,
    text: &'v str,
    locals: Vec<Cow<'v, Value>>,
    budget: Budget,
    /// The sides of questions that were taken, when somebody wants to know.
    trail: Option<Vec<Place>>,
}

type Outcome<'v> = Result<Cow<'v, Value>, Stop>;

impl<'v> Evaluator<'v> {
    fn new(text: &'v str, names: &'v dyn Names) -> Self {
        Self {
            names,
            text,
            locals: Vec::new(),
            budget: Budget::new(),
            trail: None,
        }
    }

    fn value(&mut self, node: &'v Node) -> Outcome<'v> {
        self.budget.steps(1)?;
        match &node.kind {
            Kind::Literal(value) => Ok(Cow::Borrowed(value)),
            Kind::Omit => Err(Stop::Omit),
            Kind::Path(root, segments) => self.path(root, segments),
            Kind::Select(record, field) => {
                let record = self.value(record)?;
                descend(record, std::slice::from_ref(field)).ok_or_else(|| self.absent(node, None))
            }
            Kind::Index(list, index) => self.index(node, list, index),
            Kind::List(nodes) => self.list(nodes),
            Kind::Record(fields) => self.record(fields),
            Kind::Not(inner) => Ok(truth(!self.condition(inner)?)),
            Kind::And(one, two) => Ok(truth(self.condition(one)? && self.condition(two)?)),
            Kind::Or(one, two) => Ok(truth(self.condition(one)? || self.condition(two)?)),
            Kind::Conditional(question, one, two) => {
                let taken = if self.condition(question)? { one } else { two };
                if let Some(trail) = &mut self.trail {
                    trail.push(taken.place.clone());
                }
                self.value(taken)
            }
            Kind::Negate(inner) => {
                let value = self.value(inner)?;
                Ok(Cow::Owned(arithmetic::negate(&value, &inner.ty)?))
            }
            Kind::Arithmetic(how, one, two) => {
                let (left, right) = (self.value(one)?, self.value(two)?);
                let value = arithmetic::apply(*how, (&left, &one.ty), (&right, &two.ty), &mut self.budget)?;
                Ok(Cow::Owned(value))
            }
            Kind::Compare(how, one, two) => self.compare(*how, one, two),
            Kind::In(item, list) => self.contained(item, list),
            Kind::Has(inner) => match self.value(inner) {
                Ok(_) => Ok(truth(true)),
                Err(Stop::Unresolved(Unresolved::Absent { .. })) => Ok(truth(false)),
                Err(other) => Err(other),
            },
            Kind::Default(inner, fallback) => match self.value(inner) {
                Err(Stop::Unresolved(Unresolved::Absent { .. })) => self.value(fallback),
                other => other,
            },
            Kind::Matches(inner, regex) => {
                let text = self.value(inner)?;
                let text = text
                    .as_str()
                    .ok_or_else(|| format!("a text is needed, found {}", describe(&text)))?;
                self.budget.steps(text.len() / 64)?;
                Ok(truth(regex.is_match(text)))
            }
            Kind::Call(function, nodes) => {
                let values = nodes
                    .iter()
                    .map(|argument| self.value(argument))
                    .collect::<Result<Vec<_>, _>>()?;
                let given: Vec<Given<'_>> = values
                    .iter()
                    .zip(nodes)
                    .map(|(value, argument)| Given {
                        value,
                        ty: &argument.ty,
                    })
                    .collect();
                apply(*function, &given, &mut self.budget)
                    .map(Cow::Owned)
                    .map_err(|trouble| match trouble {
                        Trouble::Empty => self.absent(node, Some("the list is empty".to_owned())),
                        Trouble::Failed(why) => Stop::from(format!("{}: {why}", self.written(node))),
                    })
            }
            Kind::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn written(&self, node: &Node) -> String {
        self.text.get(node.place.clone()).unwrap_or("").to_owned()
    }

    /// Something that is not there and has no path of its own.
    fn absent(&self, node: &Node, why: Option<String>) -> Stop {
        let path = self.written(node);
        Stop::Unresolved(Unresolved::Absent {
            why: match why {
                Some(why) => format!("{path}, but {why}"),
                None => path.clone(),
            },
            path,
        })
    }

    fn path(&self, root: &Root, segments: &[String]) -> Outcome<'v> {
        let found = match root {
            Root::Name(name) => lookup(self.names, name, segments),
            Root::Local(depth, _) => match self.locals.get(*depth) {
                Some(Cow::Borrowed(value)) => descend(Cow::Borrowed(*value), segments),
                // Only the part that is read is copied out of a computed item.
                Some(Cow::Owned(value)) => segments
                    .iter()
                    .try_fold(value, |value, segment| value.get(segment.as_str()))
                    .filter(|value| !value.is_null())
                    .map(|value| Cow::Owned(value.clone())),
                None => None,
            },
        };
        found.ok_or_else(|| {
            let path = root.dotted(segments);
            let why = match root {
                Root::Name(_) => self.names.why_absent(&path),
                Root::Local(..) => path.clone(),
            };
            Stop::Unresolved(Unresolved::Absent { path, why })
        })
    }

    fn condition(&mut self, node: &'v Node) -> Result<bool, Stop> {
        let value = self.value(node)?;
        value.as_bool().ok_or_else(|| {
            Stop::from(format!(
                "`{}` must be true or false, it is {}",
                self.written(node),
                describe(&value)
            ))
        })
    }

    fn items(&mut self, node: &'v Node) -> Result<Items<'v>, Stop> {
        match self.value(node)? {
            Cow::Borrowed(Value::Array(list)) => Ok(Items::Lent(list)),
            Cow::Owned(Value::Array(list)) => Ok(Items::Made(list)),
            other => Err(Stop::from(format!(
                "`{}` must be a list, it is {}",
                self.written(node),
                describe(&other)
            ))),
        }
    }

    fn index(&mut self, node: &'v Node, list: &'v Node, index: &'v Node) -> Outcome<'v> {
        let at = self.value(index)?;
        let at = at
            .as_i64()
            .ok_or_else(|| format!("a whole number is needed, found {}", describe(&at)))?;
        let list = self.items(list)?;
        let length = list.len();
        let found = usize::try_from(at).ok().and_then(|at| match list {
            Items::Lent(list) => list.get(at).map(Cow::Borrowed),
            Items::Made(list) => list.into_iter().nth(at).map(Cow::Owned),
        });
        found
            .filter(|value| !value.is_null())
            .ok_or_else(|| self.absent(node, Some(format!("the list has {length} items"))))
    }

    fn list(&mut self, nodes: &'v [Node]) -> Outcome<'v> {
        let mut list = Vec::with_capacity(nodes.len());
        for node in nodes {
            let value = self.value(node)?;
            list.push(self.owned(value)?);
        }
        Ok(Cow::Owned(Value::Array(list)))
    }

    fn record(&mut self, fields: &'v [(String, Node)]) -> Outcome<'v> {
        let mut record = Map::with_capacity(fields.len());
        for (name, node) in fields {
            let value = self.value(node)?;
            record.insert(name.clone(), self.owned(value)?);
        }
        Ok(Cow::Owned(Value::Object(record)))
    }

    fn owned(&mut self, value: Cow<'v, Value>) -> Result<Value, String> {
        match value {
            Cow::Borrowed(value) => self.budget.copy(value),
            Cow::Owned(value) => Ok(value),
        }
    }

    fn compare(&mut self, how: Comparison, one: &'v Node, two: &'v Node) -> Outcome<'v> {
        let (left, right) = (self.value(one)?, self.value(two)?);
        let ty = if one.ty == Type::Open { &two.ty } else { &one.ty };
        if how.is_equality() {
            let equal = equal_values(&left, &right, ty);
            return Ok(truth(equal == (how == Comparison::Equal)));
        }
        let order = compare_values(&left, &right, ty)?;
        Ok(truth(match how {
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
            Comparison::Equal | Comparison::NotEqual => false,
        }))
    }

    fn contained(&mut self, item: &'v Node, list: &'v Node) -> Outcome<'v> {
        let wanted = self.value(item)?;
        let members = self.items(list)?;
        let members = members.as_slice();
        self.budget.steps(members.len())?;
        let ty = match (&item.ty, items(&list.ty)) {
            (Type::Open, Some(of)) => of,
            (ty, _) => ty,
        };
        Ok(truth(
            members.iter().any(|member| equal_values(&wanted, member, ty)),
        ))
    }

    fn comprehension(&mut self, this: &'v Comprehension) -> Outcome<'v> {
        let list = self.items(&this.list)?;
        let most = if self.locals.is_empty() {
            LIST_ITEMS_MAX
        } else {
            INNER_LIST_ITEMS_MAX
        };
        if list.len() > most {
            return Err(Stop::from(format!(
                "`{}` has {} items; at most {most} can be looped over here",
                self.written(&this.list),
                list.len()
            )));
        }
        match this.kind {
            Loop::All | Loop::Exists | Loop::ExistsOne => self.quantifier(this, list),
            Loop::Filter => {
                let mut kept = Vec::new();
                for item in list {
                    let (item, keep) = self.with(item, |evaluator| evaluator.condition(&this.body))?;
                    if keep {
                        kept.push(self.owned(item)?);
                    }
                }
                Ok(Cow::Owned(Value::Array(kept)))
            }
            Loop::Map => self.map(this, list),
            Loop::SortBy => {
                let mut keyed = Vec::with_capacity(list.len());
                for item in list {
                    let (item, key) = self.with(item, |evaluator| evaluator.value(&this.body))?;
                    keyed.push((key, self.owned(item)?));
                }
                sort_by(&mut keyed, &this.body.ty, |(key, _)| key, &mut self.budget).map_err(|trouble| {
                    Stop::from(match trouble {
                        Trouble::Failed(why) => why,
                        Trouble::Empty => String::new(),
                    })
                })?;
                Ok(Cow::Owned(Value::Array(
                    keyed.into_iter().map(|(_, item)| item).collect(),
                )))
            }
        }
    }

    fn quantifier(&mut self, this: &'v Comprehension, list: Items<'v>) -> Outcome<'v> {
        let mut holding = 0_usize;
        let total = list.len();
        for item in list {
            let (_, holds) = self.with(item, |evaluator| evaluator.condition(&this.body))?;
            holding += usize::from(holds);
            match this.kind {
                Loop::All if !holds => return Ok(truth(false)),
                Loop::Exists if holds => return Ok(truth(true)),
                _ => {}
            }
        }
        Ok(truth(match this.kind {
            Loop::All => holding == total,
            Loop::ExistsOne => holding == 1,
            _ => holding > 0,
        }))
    }

    fn map(&mut self, this: &'v Comprehension, list: Items<'v>) -> Outcome<'v> {
        let mut made = Vec::new();
        for item in list {
            let (_, value) = self.with(item, |evaluator| {
                if let Some(condition) = &this.condition
                    && !evaluator.condition(condition)?
                {
                    return Ok(None);
                }
                let value = evaluator.value(&this.body)?;
                Ok(Some(evaluator.owned(value)?))
            })?;
            made.extend(value);
        }
        Ok(Cow::Owned(Value::Array(made)))
    }

    /// Walks with one more variable, and gives its value back.
    fn with<T>(
        &mut self,
        item: Cow<'v, Value>,
        walk: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<(Cow<'v, Value>, T), Stop> {
        self.locals.push(item);
        let result = walk(self);
        let item = self.locals.pop().unwrap_or_default();
        result.map(|result| (item, result))
    }
}

fn truth<'v>(value: bool) -> Cow<'v, Value> {
    Cow::Owned(Value::Bool(value))
}

/// The items of a list, lent or made.
enum Items<'v> {
    Lent(&'v [Value]),
    Made(Vec<Value>),
}

impl Items<'_> {
    fn as_slice(&self) -> &[Value] {
        match self {
            Self::Lent(list) => list,
            Self::Made(list) => list,
        }
    }
    fn len(&self) -> usize {
        self.as_slice().len()
    }
}

impl<'v> IntoIterator for Items<'v> {
    type Item = Cow<'v, Value>;
    type IntoIter = Box<dyn Iterator<Item = Cow<'v, Value>> + 'v>;
    fn into_iter(self) -> Self::IntoIter {
        match self {
            Self::Lent(list) => Box::new(list.iter().map(Cow::Borrowed)),
            Self::Made(list) => Box::new(list.into_iter().map(Cow::Owned)),
        }
    }
}
