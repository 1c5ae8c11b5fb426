//! What an entity decided in daylight: pre-authorised actions, its products, which playbooks act.

use std::collections::BTreeMap;

use playbooks::duration::Span;
use playbooks::operator::{ActionPolicy, Connection, Marking, Rollout};
use playbooks::yaml::{Field, Node};

use super::ENTITY_FILE;
use crate::config::fields::{Sheet, nearest};
use crate::config::values;

/// Reads `marking`: what an incident counts as when its source does not say.
pub(super) fn marking(sheet: &mut Sheet, node: &Node) -> Marking {
    let mut marking = Marking::default();
    let Some(mut table) = sheet.table("marking", node) else {
        return marking;
    };
    let tlp = table
        .get(sheet, "tlp")
        .and_then(|node| sheet.parsed(node, "write for example amber"));
    let pap = table
        .get(sheet, "pap")
        .and_then(|node| sheet.parsed(node, "write for example green"));
    table.close(sheet);
    marking.tlp = tlp.unwrap_or(marking.tlp);
    marking.pap = pap.unwrap_or(marking.pap);
    marking
}

/// Reads `approvers`: the roles that may approve for the entity, by what they approve.
pub(super) fn approvers(sheet: &mut Sheet, node: &Node) -> BTreeMap<String, Vec<String>> {
    let mut approvers = BTreeMap::new();
    let Some(mut table) = sheet.table("approvers", node) else {
        return approvers;
    };
    for field in table.rest() {
        if !values::is_word(&field.key) {
            sheet.wrong(
                &field.key_place,
                "this is not a name of approvers",
                "write for example contain, which playbooks name as entity.contain",
            );
            continue;
        }
        let mut roles = Vec::new();
        for (item, role) in sheet.texts(&field.value) {
            if values::is_name(role.rsplit('/').next().unwrap_or_default()) {
                roles.push(role.to_owned());
            } else {
                sheet.wrong(
                    &item.place,
                    "this is not a name of a role",
                    "write for example duty-officer, or ville-exemple/rssi for a role of one entity",
                );
            }
        }
        if roles.is_empty() && !sheet.has_errors() {
            sheet.wrong(
                &field.value.place,
                "nobody could approve",
                "name at least one role",
            );
        }
        approvers.insert(field.key.clone(), roles);
    }
    approvers
}

/// Reads `policy`.
pub(super) fn policy(sheet: &mut Sheet, node: &Node) -> BTreeMap<String, ActionPolicy> {
    let mut policy = BTreeMap::new();
    let Some(mut table) = sheet.table("policy", node) else {
        return policy;
    };
    for field in table.rest() {
        let action = field.key.as_str();
        if !action.contains('.') || !action.split('.').all(values::is_word) {
            sheet.wrong(
                &field.key_place,
                format!("`{action}` is not a name of an action"),
                "write for example block.ip",
            );
        } else if let Some(decision) = action_policy(sheet, field) {
            policy.insert(action.to_owned(), decision);
        }
    }
    policy
}

fn action_policy(sheet: &mut Sheet, field: &Field) -> Option<ActionPolicy> {
    let mut table = sheet.table(&format!("policy.{}", field.key), &field.value)?;
    let auto = table
        .get(sheet, "auto")
        .and_then(|node| sheet.flag(node))
        .unwrap_or(false);
    let max = table.get(sheet, "max").and_then(|node| longest(sheet, node));
    let ask = table.get(sheet, "ask").and_then(|node| sheet.whole(node, 1..=10));
    table.close(sheet);
    if auto && ask.is_some() {
        sheet.wrong(
            &field.value.place,
            "this is allowed beforehand and asked about at once",
            "write {auto: true} to allow the action beforehand, or {ask: 1} to have it approved",
        );
    }
    Some(ActionPolicy { auto, max, ask })
}

fn longest(sheet: &mut Sheet, node: &Node) -> Option<Span> {
    let span: Span = sheet.parsed(node, "write for example 24h or 7d")?;
    if span > Span::default() {
        return Some(span);
    }
    sheet.wrong(
        &node.place,
        "an effect that ends at once",
        "write for example 24h",
    );
    None
}

/// Reads `connections`: capability to connection.
pub(super) fn connections(
    sheet: &mut Sheet,
    node: &Node,
    entity: &str,
    known: &BTreeMap<String, Connection>,
) -> BTreeMap<String, String> {
    let mut chosen = BTreeMap::new();
    let Some(mut table) = sheet.table("connections", node) else {
        return chosen;
    };
    for field in table.rest() {
        let Some(name) = sheet.text(&field.value) else {
            continue;
        };
        let problem = match known.get(name) {
            None => Some((
                format!("there is no connection `{name}`"),
                nearest(name, known.keys().map(String::as_str)).map_or_else(
                    || "declare it in sortie.toml".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ),
            )),
            Some(connection) if connection.entity.as_deref().is_some_and(|owner| owner != entity) => Some((
                format!("the connection `{name}` belongs to another entity"),
                "choose another".to_owned(),
            )),
            Some(connection) if !offers(connection, &field.key) => Some((
                format!("the connection `{name}` does not offer `{}`", field.key),
                format!("it offers {}", connection.capabilities.join(", ")),
            )),
            Some(_) => None,
        };
        match problem {
            Some((message, help)) => sheet
                .error(ENTITY_FILE, &field.value.place, message)
                .help
                .push(help),
            None => {
                chosen.insert(field.key.clone(), name.to_owned());
            }
        }
    }
    chosen
}

/// Whether a connection offers a capability, or anything of a family such as `edr.*`.
fn offers(connection: &Connection, capability: &str) -> bool {
    match capability.strip_suffix('*') {
        Some(family) => connection.capabilities.iter().any(|offered| {
            offered.starts_with(family)
                || (offered.ends_with('*') && family.starts_with(offered.trim_end_matches('*')))
        }),
        None => connection.offers(capability),
    }
}

/// Reads `rollout`: playbook to mode.
pub(super) fn rollout(sheet: &mut Sheet, node: &Node) -> BTreeMap<String, Rollout> {
    let mut modes = BTreeMap::new();
    let Some(mut table) = sheet.table("rollout", node) else {
        return modes;
    };
    for field in table.rest() {
        let Some(mode) = sheet.text(&field.value) else {
            continue;
        };
        let place = &field.value.place;
        match mode {
            "off" => {
                modes.insert(field.key.clone(), Rollout::Off);
            }
            "auto" => {
                modes.insert(field.key.clone(), Rollout::Auto);
            }
            "suggest" => {
                modes.insert(field.key.clone(), Rollout::Suggest);
            }
            "shadow" => {
                modes.insert(field.key.clone(), Rollout::Shadow);
            }
            _ => sheet.wrong(
                place,
                format!("`{}` is not a mode", mode.chars().take(40).collect::<String>()),
                "write off, shadow, suggest or auto",
            ),
        }
    }
    modes
}
