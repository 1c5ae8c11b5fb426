//! The `with:` of a step: a tree whose leaves are literals, texts and values.
//!
//! Owns resolving the tree. Data enters through [`crate::template`] and [`crate::expression`]
//! only, so it can never become structure.

use indexmap::IndexMap;
use serde_json::Value;

use crate::action_spec::Sink;
use crate::diagnostic::Diagnostic;
use crate::expression::{Expected, Expression, TypeEnv};
use crate::names::{Names, Read, Unresolved};
use crate::snippet::Snippet;
use crate::template::{Blocks, Template};
use crate::types::Type;

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

/// Where a text of a `with:` tree goes.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// What the value is wanted for.
    pub expected: &'a Expected,
    /// How its text is escaped.
    pub sink: Sink,
    /// Whether blocks are allowed in it.
    pub blocks: Blocks,
}

impl Argument {
    /// Reads the text of one YAML scalar: wholly one `${{ }}` is a value, `{{ }}` in it makes it
    /// a template, anything else says what it says. A literal is not checked against the type;
    /// [`crate::values::check`] does that.
    ///
    /// # Errors
    /// PB107 for a mixture, and everything the expression or template finds.
    pub fn parse_text(
        snippet: &Snippet<'_>,
        env: &TypeEnv,
        destination: Destination<'_>,
    ) -> Result<Self, Vec<Diagnostic>> {
        match shape(snippet.text()) {
            Shape::Literal => Ok(Self::Literal(Value::String(snippet.text().to_owned()))),
            Shape::Value(inner) => {
                Expression::compile(&snippet.part(inner), env, destination.expected).map(Self::Value)
            }
            Shape::Text => {
                let template = Template::compile(snippet, env, destination.sink, destination.blocks)?;
                if let Expected::Parameter(name, ty) = destination.expected
                    && !ty.required().accepts(&Type::String)
                {
                    return Err(vec![
                        snippet
                            .error(
                                "PB210",
                                &(0..snippet.text().len()),
                                format!("`{name}` takes {ty}, and `{{{{ }}}}` always gives a text"),
                            )
                            .help("to pass a value, make the whole of it one `${{ ... }}`"),
                    ]);
                }
                Ok(Self::Text(template))
            }
            Shape::Mixed(place) => Err(vec![
                snippet
                    .error("PB107", &place, "`${{ }}` stands alone or not at all")
                    .help("to pass a value, make the whole of it one `${{ ... }}`")
                    .help("to write a text, use `{{ ... }}` without the `$`"),
            ]),
        }
    }

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

enum Shape {
    Literal,
    /// Bytes of the expression inside `${{ }}`.
    Value(std::ops::Range<usize>),
    Text,
    /// Bytes of the `${{` that does not stand alone.
    Mixed(std::ops::Range<usize>),
}

fn shape(text: &str) -> Shape {
    const OPEN: &str = "${{";
    const CLOSE: &str = "}}";
    let Some(first) = text.find(OPEN) else {
        return if text.contains("{{") {
            Shape::Text
        } else {
            Shape::Literal
        };
    };
    let trimmed = text.trim();
    let start = text.len() - text.trim_start().len();
    let inner = start + OPEN.len()..start + trimmed.len().saturating_sub(CLOSE.len());
    let alone = first == start && trimmed.ends_with(CLOSE) && inner.start <= inner.end;
    match text.get(inner.clone()) {
        Some(expression) if alone && !has_brace_pair_outside_strings(expression) => Shape::Value(inner),
        _ => {
            let culprit = if first == start {
                text.get(first + OPEN.len()..)
                    .and_then(|rest| rest.find(OPEN))
                    .map_or(first, |second| first + OPEN.len() + second)
            } else {
                first
            };
            Shape::Mixed(culprit..culprit + OPEN.len())
        }
    }
}

/// `}}` in CEL text would end the `${{ }}` early, unless it is quoted; nested map literals write
/// `} }`.
fn has_brace_pair_outside_strings(text: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    let mut previous = ' ';
    for character in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if character == '\\' => escaped = true,
            Some(open) if character == open => quote = None,
            None if matches!(character, '\'' | '"') => quote = Some(character),
            None if character == previous && matches!(character, '}' | '{') => return true,
            _ => {}
        }
        previous = if quote.is_some() { ' ' } else { character };
    }
    false
}

#[cfg(test)]
mod tests;
