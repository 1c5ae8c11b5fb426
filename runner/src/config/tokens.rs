//! `[tokens.<name>]`: who may use the API. The file holds digests, never secrets.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use playbooks::operator::{self, Entity};
use playbooks::yaml::{Field, Node};
use state::access::{Permission, Person, Reach, TOKEN_DAYS_MAX, TokenRecord};
use state::ids::EntityId;

use super::codes;
use super::fields::{Sheet, Table, nearest};
use super::values;

/// Characters of the public part of a token.
const TOKEN_ID_CHARACTERS: usize = 8;
/// How long before its end a token is warned about.
const EXPIRY_WARNING_DAYS: i64 = 14;

/// The entities and people that tokens may name.
type Known<'k> = (
    &'k BTreeMap<String, Entity>,
    &'k BTreeMap<String, operator::Person>,
);

/// Reads `[tokens]`, and notes for whom their people can decide.
pub(super) fn read(
    sheet: &mut Sheet,
    table: &mut Table<'_>,
    entities: &BTreeMap<String, Entity>,
    people: &mut BTreeMap<String, operator::Person>,
    now: Timestamp,
) -> Vec<TokenRecord> {
    let node = table.get(sheet, "tokens");
    let tokens = node.map(|node| tokens(sheet, node, (entities, people), now));
    let tokens = tokens.unwrap_or_default();
    super::people::note_reach(people, &tokens, entities);
    tokens
}

fn tokens(sheet: &mut Sheet, node: &Node, known: Known<'_>, now: Timestamp) -> Vec<TokenRecord> {
    let Some(mut table) = sheet.table("tokens", node) else {
        return Vec::new();
    };
    let mut tokens: Vec<TokenRecord> = Vec::new();
    for field in table.rest() {
        let Some(token) = token(sheet, field, known, now) else {
            continue;
        };
        if tokens.iter().any(|other| other.id == token.id) {
            sheet.wrong(
                &field.key_place,
                format!("two tokens have the id {}", token.id),
                "make a new token",
            );
        }
        tokens.push(token);
    }
    tokens
}

fn token(
    sheet: &mut Sheet,
    field: &Field,
    (entities, people): Known<'_>,
    now: Timestamp,
) -> Option<TokenRecord> {
    if !values::is_name(&field.key) {
        sheet.wrong(
            &field.key_place,
            "this is not a name of a token",
            "use lower-case letters, digits and `-`",
        );
        return None;
    }
    let mut table = sheet.table(&format!("tokens.{}", field.key), &field.value)?;
    let id = table.need(sheet, "id").and_then(|node| token_id(sheet, node));
    let digest = table.need(sheet, "sha256").and_then(|node| digest(sheet, node));
    let permissions = table
        .need(sheet, "permissions")
        .map(|node| permissions(sheet, node));
    let reach = table
        .need(sheet, "entities")
        .and_then(|node| reach(sheet, node, entities));
    let expires_at = table
        .need(sheet, "expires")
        .and_then(|node| expiry(sheet, node, now));
    let person = table
        .get(sheet, "person")
        .and_then(|node| person(sheet, node, people));
    only_people_approve(sheet, field, permissions.as_ref(), person.as_ref());
    table.refuse(sheet, "cidr", "restrict addresses in the proxy");
    table.refuse(sheet, "playbooks", "the permission `start` covers every playbook");
    table.close(sheet);
    Some(TokenRecord {
        id: id?,
        name: field.key.clone(),
        secret_sha256: digest?,
        permissions: permissions?,
        reach: reach?,
        expires_at: expires_at?,
        person,
    })
}

/// The person a token belongs to, with the roles they have now.
fn person(sheet: &mut Sheet, node: &Node, people: &BTreeMap<String, operator::Person>) -> Option<Person> {
    let name = sheet.text(node)?;
    if let Some(person) = people.get(name) {
        return Some(Person {
            name: name.to_owned(),
            roles: person.roles.clone(),
        });
    }
    let help = match nearest(name, people.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "add them to sortie.toml: [people.NAME] with their roles".to_owned(),
    };
    let shown: String = name.chars().take(60).collect();
    sheet
        .error(
            codes::UNKNOWN_NAME,
            &node.place,
            format!("there is no person `{shown}`"),
        )
        .help
        .push(help);
    None
}

/// A service never approves.
fn only_people_approve(
    sheet: &mut Sheet,
    field: &Field,
    permissions: Option<&BTreeSet<Permission>>,
    person: Option<&Person>,
) {
    let approves = permissions.is_some_and(|permissions| permissions.contains(&Permission::Approve));
    if approves && person.is_none() && field.value.get("person").is_none() {
        sheet.wrong(
            &field.key_place,
            "this token may approve and belongs to nobody",
            "add `person = \"NAME\"`, or remove the permission `approve`; a service never approves",
        );
    }
}

fn token_id(sheet: &mut Sheet, node: &Node) -> Option<String> {
    let text = sheet.text(node)?;
    if text.len() == TOKEN_ID_CHARACTERS
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    {
        return Some(text.to_owned());
    }
    sheet.wrong(
        &node.place,
        "this is not the id of a token",
        "copy what `sortie tokens create` printed",
    );
    None
}

fn digest(sheet: &mut Sheet, node: &Node) -> Option<String> {
    let text = sheet.text(node)?;
    if text.len() == 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    {
        return Some(text.to_owned());
    }
    sheet.hidden.push(node.place.clone());
    let code = if text.starts_with("sortie_") {
        codes::SECRET_IN_FILE
    } else {
        codes::WRONG_VALUE
    };
    sheet
        .error(
            code,
            &node.place,
            "this is not a SHA-256 of a token's secret, 64 hexadecimal digits",
        )
        .help
        .push("copy what `sortie tokens create` printed; the token itself never stands in a file".to_owned());
    None
}

fn permissions(sheet: &mut Sheet, node: &Node) -> BTreeSet<Permission> {
    let mut permissions = BTreeSet::new();
    for (item, text) in sheet.texts(node) {
        match Permission::ALL
            .iter()
            .find(|permission| permission.word() == text)
        {
            Some(permission) => {
                permissions.insert(*permission);
            }
            None => sheet.wrong(
                &item.place,
                format!("`{text}` is not a permission"),
                format!("use one of {}", Permission::all_words()),
            ),
        }
    }
    permissions
}

fn reach(sheet: &mut Sheet, node: &Node, entities: &BTreeMap<String, Entity>) -> Option<Reach> {
    let names = sheet.texts(node);
    if let [(_, "*")] = names.as_slice() {
        return Some(Reach::All);
    }
    let mut reach = BTreeSet::new();
    for (item, name) in names {
        if let Some(entity) = known_entity(sheet, item, name, entities) {
            reach.insert(entity);
        }
    }
    if reach.is_empty() {
        if !sheet.has_errors() {
            sheet.wrong(
                &node.place,
                "a token without entities",
                "name entities, or \"*\" for all",
            );
        }
        return None;
    }
    Some(Reach::Entities(reach))
}

/// The entity of this name, or a finding with the nearest one.
pub(super) fn known_entity(
    sheet: &mut Sheet,
    node: &Node,
    name: &str,
    entities: &BTreeMap<String, Entity>,
) -> Option<EntityId> {
    if entities.contains_key(name) {
        return name.parse().ok();
    }
    let help = match nearest(name, entities.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write entities/{name}.yaml first"),
    };
    sheet
        .error(
            codes::UNKNOWN_NAME,
            &node.place,
            format!("there is no entity `{name}`"),
        )
        .help
        .push(help);
    None
}

fn expiry(sheet: &mut Sheet, node: &Node, now: Timestamp) -> Option<Timestamp> {
    let text = sheet.text(node)?;
    let end = text
        .parse::<Timestamp>()
        .or_else(|_| format!("{text}T00:00:00Z").parse::<Timestamp>());
    let Ok(end) = end else {
        sheet.wrong(
            &node.place,
            "this is not a time",
            "write for example 2027-01-31 or 2027-01-31T12:00:00Z",
        );
        return None;
    };
    let days = end.duration_since(now).as_hours() / 24;
    if days > TOKEN_DAYS_MAX {
        sheet.wrong(
            &node.place,
            format!("{days} days is too long a life"),
            format!("write at most {TOKEN_DAYS_MAX} days from now"),
        );
        return None;
    }
    if end <= now {
        sheet
            .warning(codes::TOKEN_EXPIRY, &node.place, "this token is over")
            .help
            .push("make a new one, or remove it".to_owned());
    } else if days < EXPIRY_WARNING_DAYS {
        let message = format!("this token is over in {days} days");
        sheet
            .warning(codes::TOKEN_EXPIRY, &node.place, message)
            .help
            .push("make a new one".to_owned());
    }
    Some(end)
}
