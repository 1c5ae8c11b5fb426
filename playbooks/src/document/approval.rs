//! `approval` of a step as written: who is asked before the effect, what they are shown, and what
//! silence means.

use crate::duration::Span;
use crate::yaml::{Data, Field, Node};

use super::reader::Reader;
use super::step::positive;
use super::{LINE_CHARACTERS_MAX, Placed, keys};
use crate::diagnostic::Place;

/// Entries of `who`, and of `show`.
pub const APPROVAL_ENTRIES_MAX: usize = 20;

/// `approval` of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// The whole value.
    pub place: Place,
    /// What is written.
    pub form: ApprovalForm,
}

/// See [`Approval::form`].
#[derive(Debug, Clone, PartialEq)]
pub enum ApprovalForm {
    /// `{same_as: step}`: decided together with that step.
    SameAs(Placed<String>),
    /// A question of its own.
    Ask(Box<Ask>),
}

/// A question of its own; everything has a default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ask {
    /// `who`.
    pub who: Vec<Placed<String>>,
    /// `count`, a number or a value.
    pub count: Option<Node>,
    /// `ask`.
    pub ask: Option<Node>,
    /// `show`.
    pub show: Vec<Field>,
    /// `within`.
    pub within: Option<Placed<Span>>,
    /// `on_timeout`, a word or a value.
    pub on_timeout: Option<Node>,
}

pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Approval> {
    let fields = reader.map(node, &keys::APPROVAL)?;
    let value = |key: &str| fields.get(key).map(|field| &field.value);
    if let Some(leader) = fields.get("same_as") {
        if let Some(other) = fields.values().find(|field| field.key != "same_as") {
            let finding = reader
                .error(
                    "PB112",
                    &other.key_place,
                    format!("`same_as` stands alone, and here is `{}`", other.key),
                )
                .help("the step named by `same_as` says who is asked; remove the other keys");
            reader.report(finding);
            return None;
        }
        let leader = reader.text(&leader.value, "same_as", LINE_CHARACTERS_MAX)?;
        return Some(Approval {
            place: node.place.clone(),
            form: ApprovalForm::SameAs(leader),
        });
    }
    let who = value("who").map(|node| who(reader, node)).unwrap_or_default();
    let show = value("show").map(|node| show(reader, node)).unwrap_or_default();
    let within = value("within").and_then(|node| positive(reader, node, "within", "within: 30m"));
    Some(Approval {
        place: node.place.clone(),
        form: ApprovalForm::Ask(Box::new(Ask {
            who,
            count: value("count").cloned(),
            ask: value("ask").cloned(),
            show,
            within,
            on_timeout: value("on_timeout").cloned(),
        })),
    })
}

fn who(reader: &mut Reader<'_>, node: &Node) -> Vec<Placed<String>> {
    let items = reader.list(node, "who", "duty-officer");
    if items.len() > APPROVAL_ENTRIES_MAX {
        reader.over_limit(&node.place, "entries in `who`", items.len(), APPROVAL_ENTRIES_MAX);
        return Vec::new();
    }
    items
        .iter()
        .filter_map(|item| reader.text(item, "who", LINE_CHARACTERS_MAX))
        .collect()
}

fn show(reader: &mut Reader<'_>, node: &Node) -> Vec<Field> {
    let Data::Map(fields) = &node.data else {
        reader.wrong_kind(
            node,
            "show",
            "a map of labels",
            "show: {Verdict: \"${{ verdict }}\"}",
        );
        return Vec::new();
    };
    if fields.len() > APPROVAL_ENTRIES_MAX {
        reader.over_limit(
            &node.place,
            "entries in `show`",
            fields.len(),
            APPROVAL_ENTRIES_MAX,
        );
        return Vec::new();
    }
    fields.clone()
}
