//! `[people.<name>]` and `[approvals]`: who decides, and who is asked when a playbook does not say.
//!
//! Owns who a person is. A person signs in with tokens that name them; what a person may decide is
//! the engine's to say.

use std::collections::{BTreeMap, BTreeSet};

use playbooks::marking::EffectClass;
use playbooks::operator::{Approvals, Entity, Person};
use playbooks::yaml::{Field, Node};
use state::access::{Permission, Reach, TokenRecord};

use super::fields::{Sheet, Table, nearest};
use super::{codes, values};

/// People of one installation.
pub(crate) const PEOPLE_MAX: usize = 1_000;

/// Reads `[people]` and `[approvals]`. `declared` are the roles of the organisation.
pub(super) fn read(
    sheet: &mut Sheet,
    table: &mut Table<'_>,
    entities: &BTreeMap<String, Entity>,
    declared: Option<&BTreeSet<String>>,
) -> (BTreeMap<String, Person>, Approvals) {
    let people = table
        .get(sheet, "people")
        .map(|node| people(sheet, node, entities))
        .unwrap_or_default();
    let node = table.get(sheet, "approvals");
    let approvals = node.map(|node| approvals(sheet, node)).unwrap_or_default();
    let had = people.values().flat_map(|person| &person.roles);
    let known = declared
        .into_iter()
        .flatten()
        .chain(had)
        .map(String::as_str)
        .collect();
    check_roles(sheet, node, &known);
    (people, approvals)
}

/// Reads `[people]`.
fn people(sheet: &mut Sheet, node: &Node, entities: &BTreeMap<String, Entity>) -> BTreeMap<String, Person> {
    let mut people = BTreeMap::new();
    let Some(mut table) = sheet.table("people", node) else {
        return people;
    };
    for field in table.rest() {
        if let Some(person) = person(sheet, field, entities) {
            people.insert(field.key.clone(), person);
        }
    }
    if people.len() > PEOPLE_MAX {
        sheet.wrong(
            &node.place,
            format!("{} people", people.len()),
            format!("name at most {PEOPLE_MAX}"),
        );
    }
    people
}

fn person(sheet: &mut Sheet, field: &Field, entities: &BTreeMap<String, Entity>) -> Option<Person> {
    if !values::is_name(&field.key) {
        sheet.wrong(
            &field.key_place,
            "this is not a name of a person",
            "use lower-case letters, digits and `-`",
        );
        return None;
    }
    let mut table = sheet.table(&format!("people.{}", field.key), &field.value)?;
    let roles = table
        .need(sheet, "roles")
        .map(|node| roles(sheet, node, entities))
        .unwrap_or_default();
    let mail = table.get(sheet, "mail").and_then(|node| address(sheet, node));
    table.refuse(sheet, "phone", "people are told by mail only");
    table.refuse(sheet, "password", "people use tokens");
    table.close(sheet);
    Some(Person {
        roles,
        mail,
        decides_for: BTreeSet::new(),
    })
}

fn address(sheet: &mut Sheet, node: &Node) -> Option<String> {
    let text = sheet.text(node)?;
    if values::is_mail_address(text) {
        return Some(text.to_owned());
    }
    sheet.wrong(
        &node.place,
        "this is not a mail address",
        "write for example karim@cert.example",
    );
    None
}

/// Notes for whom people can decide: a token of theirs that may approve reaches the entity.
pub(super) fn note_reach(
    people: &mut BTreeMap<String, Person>,
    tokens: &[TokenRecord],
    entities: &BTreeMap<String, Entity>,
) {
    let approving = tokens
        .iter()
        .filter(|token| token.permissions.contains(&Permission::Approve));
    for token in approving {
        let owner = token.person.as_ref().map(|person| person.name.as_str());
        let Some(person) = owner.and_then(|name| people.get_mut(name)) else {
            continue;
        };
        let reached = entities.keys().filter(|id| match &token.reach {
            Reach::All => true,
            Reach::Entities(reach) => reach.iter().any(|entity| entity.as_str() == id.as_str()),
        });
        person.decides_for.extend(reached.cloned());
    }
}

/// Roles of people: `duty-officer`, or of one entity `ville-exemple/rssi`.
fn roles(sheet: &mut Sheet, node: &Node, entities: &BTreeMap<String, Entity>) -> BTreeSet<String> {
    let mut roles = BTreeSet::new();
    for (item, text) in sheet.texts(node) {
        if role(sheet, item, text, entities) {
            roles.insert(text.to_owned());
        }
    }
    roles
}

fn role(sheet: &mut Sheet, item: &Node, text: &str, entities: &BTreeMap<String, Entity>) -> bool {
    let (entity, name) = match text.split_once('/') {
        Some((entity, name)) => (Some(entity), name),
        None => (None, text),
    };
    if !values::is_name(name) {
        sheet.wrong(
            &item.place,
            format!(
                "`{}` is not a name of a role",
                text.chars().take(60).collect::<String>()
            ),
            "write for example duty-officer, or ville-exemple/rssi for a role of one entity",
        );
        return false;
    }
    entity.is_none_or(|entity| super::tokens::known_entity(sheet, item, entity, entities).is_some())
}

/// Reads `[approvals]`.
fn approvals(sheet: &mut Sheet, node: &Node) -> Approvals {
    let mut approvals = Approvals::default();
    let Some(mut table) = sheet.table("approvals", node) else {
        return approvals;
    };
    for class in EffectClass::ALL
        .iter()
        .filter(|class| **class > EffectClass::Read)
    {
        if let Some(node) = table.get(sheet, class.word()) {
            approvals.by_class.insert(*class, who(sheet, node));
        }
    }
    if let Some(node) = table.get(sheet, "escalate") {
        approvals.escalate = who(sheet, node);
    }
    if let Some(node) = table.get(sheet, "four_eyes")
        && let Some(four_eyes) = sheet.flag(node)
    {
        if !four_eyes {
            sheet
                .warning(
                    codes::LIMIT_RAISED,
                    &node.place,
                    "whoever starts a run may approve its effects alone",
                )
                .help
                .push("true is the safe value".to_owned());
        }
        approvals.four_eyes = four_eyes;
    }
    table.close(sheet);
    approvals
}

/// Roles, and `entity.<name>` for those that each entity names.
fn who(sheet: &mut Sheet, node: &Node) -> Vec<String> {
    let mut who = Vec::new();
    for (item, text) in sheet.texts(node) {
        let name = text.strip_prefix("entity.");
        let plain = text.rsplit('/').next().unwrap_or_default();
        if name.map_or_else(|| values::is_name(plain), values::is_word) {
            who.push(text.to_owned());
        } else {
            sheet.wrong(
                &item.place,
                "this is not a name of a role",
                "write for example duty-lead, or entity.contain for those that the entity names",
            );
        }
    }
    who
}

/// Every role that is asked must be had or declared, or the question would be asked of nobody.
fn check_roles(sheet: &mut Sheet, node: Option<&Node>, known: &BTreeSet<&str>) {
    let lists = node.into_iter().flat_map(|node| match &node.data {
        playbooks::yaml::Data::Map(fields) => fields.as_slice(),
        _ => &[],
    });
    for list in lists {
        let playbooks::yaml::Data::List(items) = &list.value.data else {
            continue;
        };
        for item in items {
            let Some(text) = item.text() else { continue };
            if text.starts_with("entity.") || known.contains(text) {
                continue;
            }
            let help = match nearest(text, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "give the role to somebody under [people], or declare it under [organisation] roles"
                    .to_owned(),
            };
            let shown: String = text.chars().take(60).collect();
            sheet
                .error(
                    codes::UNKNOWN_NAME,
                    &item.place,
                    format!("there is no role `{shown}`"),
                )
                .help
                .push(help);
        }
    }
}
