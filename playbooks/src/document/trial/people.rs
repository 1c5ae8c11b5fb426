//! `approvals` of a test: what people say.

use super::super::reader::Reader;
use crate::document::Placed;
use crate::trial::{ApprovalAnswer, Approvals, PersonSays};
use crate::yaml::{Data, Node};

/// What people say, by step.
pub(super) fn approvals(reader: &mut Reader<'_>, node: &Node) -> Vec<Approvals> {
    let Data::Map(fields) = &node.data else {
        reader.wrong_kind(node, "approvals", "a map of steps", "approvals: {block: approve}");
        return Vec::new();
    };
    let mut found = Vec::with_capacity(fields.len());
    for field in fields {
        let answer = match (&field.value.data, field.value.text()) {
            (_, Some("approve")) => Some(ApprovalAnswer::Approve),
            (_, Some("refuse")) => Some(ApprovalAnswer::Refuse),
            (_, Some("silence")) => Some(ApprovalAnswer::Silence),
            (_, Some(choice)) => Some(ApprovalAnswer::Choose(choice.to_owned())),
            (Data::List(items), _) => items
                .iter()
                .map(person_says)
                .collect::<Option<Vec<_>>>()
                .map(ApprovalAnswer::By),
            _ => None,
        };
        match answer {
            Some(answer) => found.push(Approvals {
                step: Placed {
                    value: field.key.clone(),
                    place: field.key_place.clone(),
                },
                answer,
                place: field.value.place.clone(),
            }),
            None => {
                let finding = reader
                    .error("PB112", &field.value.place, "this is nothing that people say")
                    .help("write `approve`, `refuse`, `silence`, an answer, or who says what: [{approve: alice}]");
                reader.report(finding);
            }
        }
    }
    found
}

/// `{approve: alice}` or `{refuse: bob}`.
fn person_says(node: &Node) -> Option<PersonSays> {
    let Data::Map(fields) = &node.data else {
        return None;
    };
    let [only] = fields.as_slice() else {
        return None;
    };
    let approves = match only.key.as_str() {
        "approve" => true,
        "refuse" => false,
        _ => return None,
    };
    let name = only.value.text()?.to_owned();
    Some(PersonSays { name, approves })
}
