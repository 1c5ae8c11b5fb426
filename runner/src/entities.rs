//! The entity files: who we serve, how to reach them, what they decided beforehand.
//!
//! Owns reading and checking `entities/*.yaml`. What an alert says never gets here: entities are
//! the operator's alone.

mod contacts;
mod decisions;
mod overlaps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use jiff::Timestamp;
use playbooks::diagnostic::{Diagnostic, Place, Source};
use playbooks::operator::{Connection, Entity};
use playbooks::yaml::Node;
use serde_json::Value;
use state::ids::EntityId;

use crate::config::fields::{Codes, Sheet, Table};
use crate::config::{EntitySetting, values};

/// The folder of entity files, inside the project.
pub(crate) const FOLDER: &str = "entities";
/// Entities of one installation.
pub(crate) const ENTITIES_MAX: usize = 1_000;
/// Domains, and networks, of one entity.
pub(crate) const RANGES_MAX: usize = 1_000;

/// Something in an entity file is wrong.
pub(crate) const ENTITY_FILE: &str = "PB601";
/// A never-block entry that is none, or networks of two entities that overlap.
pub(crate) const RANGES: &str = "PB605";
/// A contact nobody has verified for a year.
pub(crate) const UNVERIFIED: &str = "PB606";
/// A setting that is missing or does not fit.
pub(crate) const SETTING: &str = "PB607";

const CODES: Codes = Codes {
    unknown_key: ENTITY_FILE,
    not_built: ENTITY_FILE,
    missing_key: ENTITY_FILE,
    wrong_kind: ENTITY_FILE,
    wrong_value: ENTITY_FILE,
};

/// What reading entities needs to know.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) settings: &'a IndexMap<String, EntitySetting>,
    pub(crate) connections: &'a BTreeMap<String, Connection>,
    pub(crate) now: Timestamp,
}

/// An entity with the places that later checks point at.
#[derive(Debug)]
struct Placed {
    entity: Entity,
    source: Source,
    /// One for each network, in order.
    networks: Vec<Place>,
}

/// Reads every entity file. The entities that could be read, and all findings.
pub(crate) fn load(reading: &Reading<'_>) -> (BTreeMap<String, Entity>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let mut entities: Vec<Placed> = Vec::new();
    for path in files(reading.folder, &mut findings) {
        let name = path.display().to_string();
        let read = crate::config::read_text(&path).map_err(|problem| {
            vec![Diagnostic::error(
                ENTITY_FILE,
                &Source::new(name.clone(), ""),
                0..0,
                problem,
            )]
        });
        let parsed = read.and_then(|text| {
            let source = Source::new(name, text);
            let root = playbooks::yaml::read(&source)?;
            Ok((source, root))
        });
        match parsed {
            Ok((source, root)) => {
                let stem = path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let (placed, found) = entity(reading, source, &root, &stem);
                entities.extend(placed);
                findings.extend(found);
            }
            Err(found) => findings.extend(found),
        }
    }
    findings.extend(overlaps::check(&entities));
    let entities = entities
        .into_iter()
        .map(|placed| (placed.entity.id.clone(), placed.entity))
        .collect();
    (entities, findings)
}

/// The files to read, in order of name.
fn files(folder: &Path, findings: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let source = Source::new(folder.display().to_string(), "");
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("the entity files cannot be read: {error}");
            findings.push(
                Diagnostic::error(ENTITY_FILE, &source, 0..0, message)
                    .help("write entities/<id>.yaml for every body you serve"),
            );
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml") => files.push(path),
            Some("yml") => {
                let name = Source::new(path.display().to_string(), "");
                findings.push(
                    Diagnostic::error(ENTITY_FILE, &name, 0..0, "a file that is not read")
                        .help("rename it: entity files end in .yaml"),
                );
            }
            _ => {}
        }
    }
    files.sort();
    if files.is_empty() {
        findings.push(
            Diagnostic::warning(ENTITY_FILE, &source, 0..0, "there is no entity")
                .help("write entities/<id>.yaml for every body you serve"),
        );
    }
    if files.len() > ENTITIES_MAX {
        let message = format!("{} entity files; at most {ENTITIES_MAX} are read", files.len());
        findings
            .push(Diagnostic::error(ENTITY_FILE, &source, 0..0, message).help("run several installations"));
        files.truncate(ENTITIES_MAX);
    }
    files
}

fn entity(
    reading: &Reading<'_>,
    source: Source,
    root: &Node,
    stem: &str,
) -> (Option<Placed>, Vec<Diagnostic>) {
    let mut sheet = Sheet::new(source.clone(), CODES);
    let placed = sheet.table("", root).and_then(|mut table| {
        let id = table
            .need(&mut sheet, "id")
            .and_then(|node| id(&mut sheet, node, stem));
        let name = table
            .need(&mut sheet, "name")
            .and_then(|node| sheet.line(node, 200));
        let language = table
            .need(&mut sheet, "language")
            .and_then(|node| values::language(&mut sheet, node));
        let timezone = table
            .need(&mut sheet, "timezone")
            .and_then(|node| values::timezone(&mut sheet, node));
        let domains = table
            .get(&mut sheet, "domains")
            .map(|node| domains(&mut sheet, node));
        let website = table
            .get(&mut sheet, "website")
            .and_then(|node| website(&mut sheet, node));
        let networks = table
            .get(&mut sheet, "networks")
            .map(|node| networks(&mut sheet, node));
        let contacts = table
            .get(&mut sheet, "contacts")
            .map(|node| contacts::contacts(&mut sheet, node, reading.now));
        let policy = table
            .get(&mut sheet, "policy")
            .map(|node| decisions::policy(&mut sheet, node));
        let settings = settings(&mut sheet, &mut table, reading.settings);
        let never_block = table
            .get(&mut sheet, "never_block")
            .map(|node| values::never_block(&mut sheet, node, RANGES));
        let marking = table
            .get(&mut sheet, "marking")
            .map(|node| decisions::marking(&mut sheet, node));
        let own = id.as_deref().unwrap_or(stem);
        let connections = table
            .get(&mut sheet, "connections")
            .map(|node| decisions::connections(&mut sheet, node, own, reading.connections));
        let rollout = table
            .get(&mut sheet, "rollout")
            .map(|node| decisions::rollout(&mut sheet, node));
        let approvers = table
            .get(&mut sheet, "approvers")
            .map(|node| decisions::approvers(&mut sheet, node));
        table.refuse(&mut sheet, "quiet_hours", "nobody is called yet");
        table.close(&mut sheet);
        let (networks, places) = networks.unwrap_or_default().into_iter().unzip();
        let entity = Entity {
            id: id?,
            name: name?,
            language: language?,
            timezone: timezone?,
            domains: domains.unwrap_or_default(),
            website,
            networks,
            contacts: contacts.unwrap_or_default(),
            policy: policy.unwrap_or_default(),
            approvers: approvers.unwrap_or_default(),
            settings,
            never_block: never_block.unwrap_or_default(),
            marking: marking.unwrap_or_default(),
            connections: connections.unwrap_or_default(),
            rollout: rollout.unwrap_or_default(),
        };
        Some(Placed {
            entity,
            source,
            networks: places,
        })
    });
    (placed, sheet.into_findings())
}

fn id(sheet: &mut Sheet, node: &Node, stem: &str) -> Option<String> {
    let id: EntityId = sheet.parsed(node, "write for example ville-exemple")?;
    if id.as_str() != stem {
        let message = format!("the id is `{id}` and the file is named `{stem}.yaml`");
        sheet.wrong(
            &node.place,
            message,
            format!("rename the file to {id}.yaml, or write id: {stem}"),
        );
        return None;
    }
    Some(id.to_string())
}

fn domains(sheet: &mut Sheet, node: &Node) -> Vec<String> {
    let mut domains = Vec::new();
    for (item, text) in sheet.texts(node) {
        match values::domain(text) {
            Some(domain) => domains.push(domain),
            None => sheet.wrong(
                &item.place,
                format!("`{text}` is not a domain"),
                "write for example ville.example",
            ),
        }
    }
    bounded(sheet, node, domains.len());
    domains
}

fn website(sheet: &mut Sheet, node: &Node) -> Option<String> {
    let text = sheet.text(node)?;
    let web = url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.username().is_empty());
    if web {
        return Some(text.to_owned());
    }
    sheet.wrong(
        &node.place,
        "this is not the address of a web site",
        "write for example https://www.ville.example/",
    );
    None
}

fn networks(sheet: &mut Sheet, node: &Node) -> Vec<(ipnet::IpNet, Place)> {
    let mut networks: Vec<(ipnet::IpNet, Place)> = Vec::new();
    for (item, text) in sheet.texts(node) {
        match values::network(text) {
            Some(network) if network.prefix_len() == 0 => {
                let help = "write the ranges of this entity".to_owned();
                sheet
                    .error(RANGES, &item.place, format!("`{text}` is the whole internet"))
                    .help
                    .push(help);
            }
            Some(network) if network.trunc() != network => {
                let trunc = network.trunc();
                let help = format!("write {trunc}, or the single address");
                sheet
                    .error(
                        RANGES,
                        &item.place,
                        format!("`{text}` has bits behind its prefix"),
                    )
                    .help
                    .push(help);
            }
            Some(network) => networks.push((network, item.place.clone())),
            None => {
                let help = "write for example 198.51.100.0/24".to_owned();
                sheet
                    .error(RANGES, &item.place, format!("`{text}` is not a network"))
                    .help
                    .push(help);
            }
        }
    }
    bounded(sheet, node, networks.len());
    networks
}

fn bounded(sheet: &mut Sheet, node: &Node, count: usize) {
    if count > RANGES_MAX {
        sheet.wrong(
            &node.place,
            format!("{count} entries"),
            format!("name at most {RANGES_MAX}"),
        );
    }
}

/// The settings of an entity, each declared in `[entity_settings]`, defaults filled in.
fn settings(
    sheet: &mut Sheet,
    table: &mut Table<'_>,
    declared: &IndexMap<String, EntitySetting>,
) -> IndexMap<String, Value> {
    let node = table.get(sheet, "settings");
    let mut given = node.and_then(|node| sheet.table("settings", node));
    let fields: BTreeMap<&str, _> = given
        .as_mut()
        .map(Table::rest)
        .unwrap_or_default()
        .into_iter()
        .map(|field| (field.key.as_str(), field))
        .collect();
    let mut settings = IndexMap::new();
    for (name, setting) in declared {
        let value = match (fields.get(name.as_str()), &setting.default) {
            (Some(field), _) => {
                let value = field.value.to_json();
                if let Some(problem) = setting.problem(&value) {
                    let help = format!("see [entity_settings.{name}] in sortie.toml");
                    sheet.error(SETTING, &field.value.place, problem).help.push(help);
                }
                value
            }
            (None, Some(default)) => default.clone(),
            (None, None) => {
                let help = format!("write settings: {{{name}: …}}, or give it a default in sortie.toml");
                let message = format!("the setting `{name}` is missing and has no default");
                sheet.error(SETTING, table.place(), message).help.push(help);
                continue;
            }
        };
        settings.insert(name.clone(), value);
    }
    for (name, field) in fields {
        if !declared.contains_key(name) {
            let near = crate::config::fields::nearest(name, declared.keys().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("declare [entity_settings.{name}] in sortie.toml, or remove it"),
            };
            sheet
                .error(SETTING, &field.key_place, format!("there is no setting `{name}`"))
                .help
                .push(help);
        }
    }
    settings
}
