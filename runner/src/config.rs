//! The operator's side: `sortie.toml`, the entity files, the environment, the secrets.
//!
//! Owns reading and checking them, and the only place where secrets are fetched. Every error of
//! every file is reported at once, with its place. Decides nothing about alerts or runs.

pub mod codes;
mod connections;
mod environment;
pub(crate) mod fields;
mod organisation;
mod people;
mod secret;
mod server;
mod settings;
pub mod skeleton;
mod sources;
mod tokens;
mod toml_text;
pub(crate) mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use actions::connection::ConnectionSettings;
use indexmap::IndexMap;
use jiff::Timestamp;
use playbooks::diagnostic::{Diagnostic, Level, Source};
use playbooks::operator::{Approvals, Connection, Entity, Guardrails, Operator, Organisation, Person};
use playbooks::yaml::Node;

pub use environment::Environment;
pub use secret::{NotAReference, SECRET_BYTES_MAX, SecretReference, Unavailable};
pub use server::{DATA_DIR_DEFAULT, DATA_DIR_VARIABLE, LISTEN_VARIABLE};
pub use settings::{EntitySetting, Limits, Listener, Origin, PORT_DEFAULT, Setting, SettingKind, Settings};

use crate::entities;
use connections::Surroundings;
use fields::{Codes, Sheet};

/// The name of the operator's file.
pub const FILE_NAME: &str = "sortie.toml";
/// Where it is looked for when the project folder has none.
pub const SYSTEM_FOLDER: &str = "/etc/sortie";
/// Bytes of `sortie.toml`.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

const CODES: Codes = Codes {
    unknown_key: codes::UNKNOWN_KEY,
    not_built: codes::NOT_BUILT,
    missing_key: codes::MISSING_KEY,
    wrong_kind: codes::WRONG_KIND,
    wrong_value: codes::WRONG_VALUE,
};

/// Tables that are designed and not built, with what holds instead.
const NOT_BUILT: &[(&str, &str)] = &[
    ("rollout", "a playbook that an entity file does not name is off"),
    ("users", "people use tokens"),
    ("oidc", "people use tokens"),
    ("webhooks", "alerts are posted with a token"),
    ("cluster", "Sortie runs on one machine"),
    ("audit", "the audit log needs no settings"),
];

/// What the configuration is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To look at: secrets stay where they are.
    Check,
    /// To run: every secret is fetched, and one that cannot be had is an error.
    Serve,
}

/// The providers that are built, with the capabilities each offers. Empty means unknown: then any
/// provider is accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Providers(BTreeMap<String, Vec<String>>);

impl Providers {
    /// What a provider offers; `None` when it is not built.
    pub fn capabilities(&self, provider: &str) -> Option<&[String]> {
        self.0.get(provider).map(Vec::as_slice)
    }
    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Vec<String>)> for Providers {
    fn from_iter<All: IntoIterator<Item = (String, Vec<String>)>>(all: All) -> Self {
        Self(all.into_iter().collect())
    }
}

/// What reading needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The folder with `sortie.toml`.
    pub project: &'a Path,
    /// The environment.
    pub environment: &'a Environment,
    /// What is built.
    pub providers: &'a Providers,
    /// What for.
    pub purpose: Purpose,
    /// Now, for ends of tokens and ages of contacts.
    pub now: Timestamp,
}

/// Why there are no settings: every error, and every warning, of every file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} in the configuration", counted(.findings))]
pub struct Problems {
    /// In order of file and place.
    pub findings: Vec<Diagnostic>,
}

fn counted(findings: &[Diagnostic]) -> String {
    let errors = findings
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .count();
    if errors == 1 {
        "1 error".to_owned()
    } else {
        format!("{errors} errors")
    }
}

/// The folder whose `sortie.toml` counts: the given one, else [`SYSTEM_FOLDER`] if there is one.
pub fn find_project(folder: &Path) -> PathBuf {
    let system = Path::new(SYSTEM_FOLDER);
    if !folder.join(FILE_NAME).is_file() && system.join(FILE_NAME).is_file() {
        return system.to_owned();
    }
    folder.to_owned()
}

/// Reads everything. Errors of all files come together.
pub fn load(reading: Reading<'_>) -> Result<Settings, Problems> {
    let path = reading.project.join(FILE_NAME);
    let name = path.display().to_string();
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(problem) => {
            let source = Source::new(name, "");
            let finding = Diagnostic::error(codes::UNREADABLE, &source, 0..0, problem).help(
                "start in the folder of a project, name it with --project, or make one with `sortie init`",
            );
            return Err(Problems {
                findings: vec![finding],
            });
        }
    };
    let source = Source::new(name, text);
    match toml_text::read(&source) {
        Ok(root) => read_all(reading, &path, source, &root),
        Err(findings) => Err(Problems { findings }),
    }
}

/// Reads a file of settings as text.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let facts = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    if facts.len() > CONFIG_BYTES_MAX {
        return Err(format!(
            "{} bytes; at most {CONFIG_BYTES_MAX} are read",
            facts.len()
        ));
    }
    std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
}

fn read_all(reading: Reading<'_>, path: &Path, source: Source, root: &Node) -> Result<Settings, Problems> {
    let mut sheet = Sheet::new(source, CODES);
    check_mode(&mut sheet, path);
    let mut origins = Vec::new();
    let Some(mut table) = sheet.table("", root) else {
        return Err(Problems {
            findings: sheet.into_findings(),
        });
    };
    let organisation = table
        .need(&mut sheet, "organisation")
        .and_then(|node| organisation::organisation(&mut sheet, node));
    let guardrails = table
        .get(&mut sheet, "guardrails")
        .map(|node| organisation::guardrails(&mut sheet, node));
    let entity_settings = table
        .get(&mut sheet, "entity_settings")
        .map(|node| organisation::entity_settings(&mut sheet, node));
    let server = table.get(&mut sheet, "server");
    let (listener, data_dir) = server::server(
        &mut sheet,
        server,
        reading.project,
        reading.environment,
        &mut origins,
    );
    let limits = table
        .get(&mut sheet, "limits")
        .map(|node| server::limits(&mut sheet, node));
    let around = Surroundings {
        project: reading.project,
        environment: reading.environment,
        providers: reading.providers,
        purpose: reading.purpose,
    };
    let connection_nodes = table.get(&mut sheet, "connections");
    let connections = connection_nodes.map(|node| connections::connections(&mut sheet, node, around));
    let connections = connections.unwrap_or_default();
    let entity_settings = entity_settings.unwrap_or_default();
    let (entities, entity_findings) = entities::load(&entities::Reading {
        folder: &reading.project.join(entities::FOLDER),
        settings: &entity_settings,
        connections: &named(&connections),
        now: reading.now,
    });
    let declared = organisation.as_ref().map(|(_, roles)| roles);
    let (mut people, approvals) = people::read(&mut sheet, &mut table, &entities, declared);
    let tokens = tokens::read(&mut sheet, &mut table, &entities, &mut people, reading.now);
    let sources = table
        .get(&mut sheet, "sources")
        .map(|node| sources::sources(&mut sheet, node, &entities));
    for (key, instead) in NOT_BUILT {
        table.refuse(&mut sheet, key, instead);
    }
    table.close(&mut sheet);
    check_owners(&mut sheet, connection_nodes, &connections, &entities);
    collect_origins(&sheet, &mut origins);
    let mut findings = sheet.into_findings();
    findings.sort_by_key(|finding| finding.primary.place.start);
    findings.extend(entity_findings);
    let guardrails = guardrails.unwrap_or_default();
    let parts = (organisation, guardrails, entities, approvals, people);
    let Some(mut operator) = operator(parts, &connections, &findings) else {
        return Err(Problems { findings });
    };
    operator.page = Some(listener.page());
    Ok(Settings {
        project: reading.project.to_owned(),
        operator,
        connections,
        listener,
        data_dir,
        limits: limits.unwrap_or_default(),
        tokens,
        sources: sources.unwrap_or_default(),
        entity_settings,
        origins,
        warnings: findings,
    })
}

/// What the operator's facts are made of.
type Parts = (
    Option<(Organisation, std::collections::BTreeSet<String>)>,
    Guardrails,
    BTreeMap<String, Entity>,
    Approvals,
    BTreeMap<String, Person>,
);

/// The operator's facts, when nothing is wrong.
fn operator(parts: Parts, connections: &[ConnectionSettings], findings: &[Diagnostic]) -> Option<Operator> {
    let (organisation, guardrails, entities, approvals, people) = parts;
    let (organisation, roles) = organisation?;
    let wrong = findings.iter().any(|finding| finding.level == Level::Error);
    (!wrong).then(|| Operator {
        organisation,
        entities,
        connections: named(connections),
        guardrails,
        roles,
        approvals,
        people,
        page: None,
    })
}

fn named(connections: &[ConnectionSettings]) -> BTreeMap<String, Connection> {
    connections
        .iter()
        .map(|settings| (settings.facts.name.clone(), settings.facts.clone()))
        .collect()
}

/// Others must not be able to change what Sortie may do.
fn check_mode(sheet: &mut Sheet, path: &Path) {
    let Ok(facts) = std::fs::metadata(path) else {
        return;
    };
    let mode = facts.permissions().mode() & 0o777;
    let help = "chmod go-w".to_owned();
    if mode & 0o002 != 0 {
        let message = format!("everybody on this machine may change this file (mode {mode:03o})");
        sheet.error(codes::FILE_MODE, &(0..0), message).help.push(help);
    } else if mode & 0o020 != 0 {
        let message = format!("the group may change this file (mode {mode:03o})");
        sheet.warning(codes::FILE_MODE, &(0..0), message).help.push(help);
    }
}

/// A connection that belongs to one entity needs that entity.
fn check_owners(
    sheet: &mut Sheet,
    nodes: Option<&Node>,
    connections: &[ConnectionSettings],
    entities: &BTreeMap<String, Entity>,
) {
    for settings in connections {
        let Some(owner) = &settings.facts.entity else {
            continue;
        };
        let node = nodes.and_then(|node| node.get(&settings.facts.name)?.get("entity"));
        if let Some(node) = node {
            tokens::known_entity(sheet, node, owner, entities);
        }
    }
}

/// Where each value of the file came from, and the defaults nobody changed.
fn collect_origins(sheet: &Sheet, origins: &mut Vec<Setting>) {
    for (key, (place, value)) in &sheet.given {
        let (line, _) = sheet.source.line_column(place.start);
        if !origins.iter().any(|setting| setting.key == *key) {
            let origin = Origin::File {
                name: sheet.source.name.to_string(),
                line,
            };
            origins.push(Setting {
                key: key.clone(),
                value: value.clone(),
                origin,
            });
        }
    }
    let limits = Limits::default();
    let guardrails = Guardrails::default();
    let defaults: IndexMap<&str, String> = [
        ("server.listen", Listener::default().address.to_string()),
        ("server.data_dir", DATA_DIR_DEFAULT.to_owned()),
        (
            "limits.active_runs_per_entity",
            limits.active_runs_per_entity.to_string(),
        ),
        ("limits.alerts_per_second", limits.alerts_per_second.to_string()),
        ("limits.alerts_burst", limits.alerts_burst.to_string()),
        ("limits.steps_at_once", limits.steps_at_once.to_string()),
        (
            "limits.requests_per_second",
            limits.requests_per_second.to_string(),
        ),
        ("limits.requests_burst", limits.requests_burst.to_string()),
        (
            "guardrails.effects_per_run",
            guardrails.effects_per_run.to_string(),
        ),
        (
            "guardrails.blocks_per_entity_hour",
            guardrails.blocks_per_entity_hour.to_string(),
        ),
        (
            "guardrails.blocks_per_hour",
            guardrails.blocks_per_hour.to_string(),
        ),
        (
            "guardrails.block_for_default",
            guardrails.block_for_default.to_string(),
        ),
        ("guardrails.block_for_max", guardrails.block_for_max.to_string()),
        ("guardrails.effects_paused", guardrails.effects_paused.to_string()),
    ]
    .into_iter()
    .collect();
    for (key, value) in defaults {
        if !origins.iter().any(|setting| setting.key == key) {
            origins.push(Setting {
                key: key.to_owned(),
                value,
                origin: Origin::Default,
            });
        }
    }
    origins.sort_by(|left, right| left.key.cmp(&right.key));
}
