//! `undo` of a step as written: how what it did ends, and what takes it back.

use crate::diagnostic::Place;
use crate::yaml::{Data, Field, Node};

use super::reader::Reader;
use super::step::parameters;
use super::{Cel, LINE_CHARACTERS_MAX, Placed, keys};

/// `undo` of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Undo {
    /// The whole value.
    pub place: Place,
    /// `none`: why nothing takes it back. Stands alone.
    pub none: Option<Placed<String>>,
    /// `after`, a duration or a value.
    pub after: Option<Node>,
    /// `when`.
    pub when: Option<Cel>,
    /// `uses` and `with`: another inverse than the one the action declares.
    pub inverse: Option<Inverse>,
}

/// See [`Undo::inverse`].
#[derive(Debug, Clone, PartialEq)]
pub struct Inverse {
    /// `uses`.
    pub uses: Placed<String>,
    /// `with`.
    pub with: Vec<Field>,
    /// The place of `with`, else of `uses`.
    pub with_place: Place,
}

/// `None` also for `auto`, which is what holds without the key.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Undo> {
    if let Some(word) = node.text() {
        if word != "auto" {
            reader.wrong_kind(node, "undo", "`auto` or a map", "undo: {after: 24h}");
        }
        return None;
    }
    let fields = reader.map(node, &keys::UNDO)?;
    let value = |key: &str| fields.get(key).map(|field| &field.value);
    if matches!(&node.data, Data::Map(written) if written.is_empty()) {
        let finding = reader
            .error("PB112", &node.place, "`undo` says nothing")
            .help("write for example `undo: {after: 24h}`, or remove it");
        reader.report(finding);
        return None;
    }
    if fields.contains_key("none")
        && let Some(other) = fields.values().find(|field| field.key != "none")
    {
        let finding = reader
            .error(
                "PB112",
                &other.key_place,
                format!("`none` stands alone, and here is `{}`", other.key),
            )
            .help("either nothing takes it back, or something does");
        reader.report(finding);
        return None;
    }
    if let (None, Some(with)) = (fields.get("uses"), fields.get("with")) {
        reader.missing(&with.key_place, "`undo`", "uses", "unblock.ip");
        return None;
    }
    let none = match value("none") {
        Some(node) => Some(reader.text(node, "none", LINE_CHARACTERS_MAX)?),
        None => None,
    };
    let when = match value("when") {
        Some(node) => Some(reader.cel(node, "when")?),
        None => None,
    };
    let inverse = match value("uses") {
        Some(node) => {
            let uses = reader.text(node, "uses", LINE_CHARACTERS_MAX)?;
            let with = fields.get("with");
            Some(Inverse {
                with: with.map(|field| parameters(reader, field)).unwrap_or_default(),
                with_place: with.map_or_else(|| uses.place.clone(), |field| field.key_place.clone()),
                uses,
            })
        }
        None => None,
    };
    Some(Undo {
        place: node.place.clone(),
        none,
        after: value("after").cloned(),
        when,
        inverse,
    })
}
