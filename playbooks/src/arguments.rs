//! The `with:` of a step: a tree whose leaves are literals, texts and values.
//!
//! Owns resolving the tree. Data enters through [`crate::template`] and [`crate::expression`]
//! only, so it can never become structure.

use indexmap::IndexMap;
use serde_json::Value;

use crate::expression::Expression;
use crate::names::{Names, Read, Unresolved};
use crate::template::Template;

/// One node of a `with:` tree.
#[derive(Debug, Clone)]
pub enum Argument {
    /// What it says.
    Literal(Value),
    /// `{{ }}`: a text.
    Text(Template),
    /// `${{ }}`: a value.
    Value(Expression),
    /// Items in order.
    List(Vec<Argument>),
    /// Fields in order.
    Map(IndexMap<String, Argument>),
}

impl Argument {
    /// The JSON value. `Ok(None)` when the value is `omit`; an omitted field is left out of its
    /// map, an omitted item out of its list.
    pub fn resolve(&self, names: &dyn Names) -> Result<Option<Value>, Unresolved> {
        Ok(match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Text(template) => Some(Value::String(template.render(names)?)),
            Self::Value(expression) => expression.evaluate(names)?,
            Self::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(item.resolve(names)?);
                }
                Some(Value::Array(list))
            }
            Self::Map(fields) => {
                let mut map = serde_json::Map::with_capacity(fields.len());
                for (name, field) in fields {
                    if let Some(value) = field.resolve(names)? {
                        map.insert(name.clone(), value);
                    }
                }
                Some(Value::Object(map))
            }
        })
    }

    /// Everything the tree reads.
    pub fn reads(&self) -> Vec<Read> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Text(template) => template.reads().to_vec(),
            Self::Value(expression) => expression.reads().to_vec(),
            Self::List(items) => items.iter().flat_map(Self::reads).collect(),
            Self::Map(fields) => fields.values().flat_map(Self::reads).collect(),
        }
    }
}
