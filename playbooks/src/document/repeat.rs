//! `repeat` of a step as written: how often, how far apart, and until what.

use crate::diagnostic::Place;
use crate::yaml::Node;

use super::reader::Reader;
use super::{Cel, keys};

/// `repeat` of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeat {
    /// The whole value.
    pub place: Place,
    /// `every`, a duration or a value.
    pub every: Node,
    /// `until`.
    pub until: Option<Cel>,
    /// `times`, a number or a value.
    pub times: Option<Node>,
    /// `at_most`, a duration or a value.
    pub at_most: Option<Node>,
    /// `first: wait`: the first round comes after one `every`.
    pub wait_first: bool,
}

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Repeat> {
    let fields = reader.map(node, &keys::REPEAT)?;
    let value = |key: &str| fields.get(key).map(|field| &field.value);
    let Some(every) = value("every") else {
        reader.missing(&node.place, "`repeat`", "every", "6h");
        return None;
    };
    let until = match value("until") {
        Some(node) => Some(reader.cel(node, "until")?),
        None => None,
    };
    let wait_first = match value("first") {
        None => false,
        Some(node) => match node.text() {
            Some("now") => false,
            Some("wait") => true,
            _ => {
                reader.wrong_kind(node, "first", "`now` or `wait`", "first: wait");
                return None;
            }
        },
    };
    Some(Repeat {
        place: node.place.clone(),
        every: every.clone(),
        until,
        times: value("times").cloned(),
        at_most: value("at_most").cloned(),
        wait_first,
    })
}
