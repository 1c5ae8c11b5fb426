//! The only reader of YAML: from text to a tree in which every key and value has a place.
//!
//! Owns what YAML is accepted: one document of plain data, without anchors, aliases, merge keys
//! and tags, in which every scalar means the same to every YAML reader. Knows nothing of
//! playbooks. The parser below is the one of serde-saphyr; its events are walked here, because
//! only events tell how a scalar was written (plain, quoted, block), where a tag stands, and
//! where a collection ends. Total: any text gives a tree or diagnostics, in linear time.

mod builder;
mod characters;
mod place;
pub(crate) mod quoting;
mod scalar;
mod traps;

pub(crate) use self::characters::is_hidden;

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Place, Source};

/// Bytes of one YAML file.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;
/// Maps and lists inside each other.
pub const DEPTH_MAX: usize = 32;
/// Maps, lists and scalars of one file, keys included.
pub const NODES_MAX: usize = 20_000;
/// Findings of one file; reading stops there.
pub const FINDINGS_MAX: usize = 100;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Bytes of the source, without leading and trailing white space.
    pub place: Place,
    /// What it is.
    pub data: Data,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Nothing after the colon, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a decimal point.
    Float(f64),
    /// Text.
    Text(String, Style),
    /// Items.
    List(Vec<Node>),
    /// Fields in file order; keys are texts and differ.
    Map(Vec<Field>),
}

/// How a text was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// After `|` or `>`.
    Block,
}

/// A field of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_place: Place,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The field of a map; `None` for other values.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.data {
            Data::Map(fields) => fields
                .iter()
                .find(|field| field.key == key)
                .map(|field| &field.value),
            _ => None,
        }
    }

    /// The text, when it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text, _) => Some(text),
            _ => None,
        }
    }

    /// The value without places. A float that JSON cannot write cannot occur.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Int(value) => Value::from(*value),
            Data::Float(value) => Value::from(*value),
            Data::Text(text, _) => Value::String(text.clone()),
            Data::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Data::Map(fields) => Value::Object(
                fields
                    .iter()
                    .map(|field| (field.key.clone(), field.value.to_json()))
                    .collect(),
            ),
        }
    }

    /// What it is, for messages: `a map`, `a list`, `a text`, `a whole number`...
    pub const fn kind(&self) -> &'static str {
        match &self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "true or false",
            Data::Int(_) => "a whole number",
            Data::Float(_) => "a number",
            Data::Text(..) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }

    /// Where a part of this text stands in the source, given as bytes of the decoded text. Exact
    /// for every style of scalar; the whole value when the part cannot be found or the value is
    /// no text.
    pub fn place_of(&self, source: &Source, part: std::ops::Range<usize>) -> Place {
        match &self.data {
            Data::Text(text, style) => place::of(source, &self.place, text, *style, part),
            _ => self.place.clone(),
        }
    }
}

/// Reads one document. An empty text reads as [`Data::Null`].
///
/// # Errors
/// Every finding (at most [`FINDINGS_MAX`]), in order of place; all of them are errors.
pub fn read(source: &Source) -> Result<Node, Vec<Diagnostic>> {
    if source.text.len() > SOURCE_BYTES_MAX {
        let message = format!(
            "this file has {} bytes; at most {SOURCE_BYTES_MAX} are read",
            source.text.len()
        );
        return Err(vec![
            Diagnostic::error("PB114", source, 0..0, message).help("split it into several files"),
        ]);
    }
    let hidden = characters::check(source);
    if !hidden.is_empty() {
        return Err(hidden);
    }
    builder::build(source)
}

/// Whether a text, written without quotes, reads back as this text and nothing else, as far as the
/// meaning of plain scalars goes.
pub(crate) fn is_plain_text(text: &str) -> bool {
    matches!(scalar::resolve(text), scalar::Plain::Means(Data::Text(..)))
}

/// The fields of a map by key, for readers that look several up.
pub fn fields(node: &Node) -> IndexMap<&str, &Field> {
    match &node.data {
        Data::Map(fields) => fields.iter().map(|field| (field.key.as_str(), field)).collect(),
        _ => IndexMap::new(),
    }
}

#[cfg(test)]
mod tests;
