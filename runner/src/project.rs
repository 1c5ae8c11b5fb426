//! One project: its settings read for a purpose, and what the rest of Sortie makes of them.
//!
//! Owns the translation from what the operator wrote to what actions, tokens and the server need.

use std::path::{Path, PathBuf};

use actions::clock::Clock as _;
use playbooks::action_spec::Catalog as _;
use playbooks::diagnostic::Diagnostic;
use state::access::{Reach, TokenRecord};

use crate::clock::SystemClock;
use crate::config::{self, Environment, Providers, Purpose, Reading, Settings};

/// The socket file inside the data folder.
const SOCKET: &str = "sortie.sock";

/// Reads the settings of a project. Errors of all its files come together.
pub fn read(folder: &Path, purpose: Purpose) -> Result<Settings, Vec<Diagnostic>> {
    let environment = Environment::of_this_process();
    let reading = Reading {
        project: &config::find_project(folder),
        environment: &environment,
        providers: &providers(),
        purpose,
        now: SystemClock::new().now(),
    };
    config::load(reading).map_err(|problems| problems.findings)
}

/// The providers that are built, with what each can do.
fn providers() -> Providers {
    let Ok(catalogue) = crate::app::catalogue() else {
        return Providers::default();
    };
    let mut by_provider: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for capability in catalogue.names() {
        for provider in catalogue.providers(capability) {
            by_provider
                .entry(provider.provider.clone())
                .or_default()
                .push(capability.to_owned());
        }
    }
    by_provider.remove(actions::registry::HOUSE);
    by_provider.into_iter().collect()
}

/// Where the local command line reaches a running server.
pub(crate) fn socket(settings: &Settings) -> PathBuf {
    settings.data_dir.join(SOCKET)
}

/// Settings weaker than the default, one sentence each.
pub(crate) fn weakened(settings: &Settings) -> Vec<String> {
    let mut found = Vec::new();
    if !settings.listener.address.ip().is_loopback() {
        found.push(format!(
            "the API listens beyond this machine: {}",
            settings.listener.address
        ));
    }
    for connection in &settings.connections {
        let name = &connection.facts.name;
        if connection.allow_http {
            found.push(format!("connection `{name}` may go without TLS"));
        }
        if connection.allow_private {
            found.push(format!("connection `{name}` may lead to private addresses"));
        }
    }
    if !settings.operator.approvals.four_eyes {
        found.push("whoever starts a run may approve its effects alone".to_owned());
    }
    found
}

/// The table of a token for sortie.toml. Holds a hash, never the secret.
pub fn token_table(record: &TokenRecord) -> String {
    let permissions: Vec<String> = record
        .permissions
        .iter()
        .map(|one| format!("{:?}", one.word()))
        .collect();
    let entities: Vec<String> = match &record.reach {
        Reach::All => vec!["\"*\"".to_owned()],
        Reach::Entities(entities) => entities
            .iter()
            .map(|entity| format!("{:?}", entity.as_str()))
            .collect(),
    };
    let person = record
        .person
        .as_ref()
        .map_or_else(String::new, |person| format!("person = {:?}\n", person.name));
    format!(
        "[tokens.{}]\n{person}id = {:?}\nsha256 = {:?}\npermissions = [{}]\nentities = [{}]\nexpires = {:?}\n",
        record.name,
        record.id,
        record.secret_sha256,
        permissions.join(", "),
        entities.join(", "),
        record.expires_at.to_string(),
    )
}

/// The system user of this process, for the record.
pub(crate) fn system_user() -> String {
    let environment = Environment::of_this_process();
    let named = environment.get("USER").or_else(|| environment.get("LOGNAME"));
    named.map_or_else(
        || format!("uid {}", rustix::process::geteuid().as_raw()),
        str::to_owned,
    )
}

/// Whether the terminal says that it can do nothing but lines.
pub(crate) fn terminal_is_dumb() -> bool {
    Environment::of_this_process().get("TERM") == Some("dumb")
}
