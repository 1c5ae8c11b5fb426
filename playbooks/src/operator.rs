//! The operator's side as the language and the engine see it: entities, connections, guardrails.
//!
//! Owns plain facts. Reading `sortie.toml` and entity files is the runner's work; secrets never
//! get here.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::duration::Span;
use crate::marking::{EffectClass, Exposure, Pap, Tlp};

/// The organisation that runs Sortie; `org` in the language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Name, for example `CERT-EX`.
    pub name: String,
    /// Language of its people, ISO 639-1.
    pub language: String,
    /// IANA time zone.
    pub timezone: String,
    /// The sender of mails, `CERT-EX <incident@cert.example>`.
    pub mail_from: String,
}

/// A way to reach one role of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// Phone number, E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The highest marking this channel may carry; above it goes a notice without content.
    pub tlp: Tlp,
}

/// What an entity decided beforehand about one action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ActionPolicy {
    /// Done without asking.
    pub auto: bool,
    /// The longest effect that is pre-authorised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Span>,
    /// Persons that must approve it, whatever its class asks for; a playbook may ask for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<u32>,
}

/// Whether a playbook acts for an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Rollout {
    /// Never starts. What every new playbook is.
    #[default]
    Off,
    /// Runs start and read for real; effects are only recorded as what they would have been.
    Shadow,
    /// Every effect above `record` waits for a person.
    Suggest,
    /// As written.
    Auto,
}

impl Rollout {
    /// Whether runs start at all.
    pub const fn starts(self) -> bool {
        !matches!(self, Self::Off)
    }
}

/// Who is asked when a playbook does not say, and how strictly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    /// Roles by effect class: as in [`crate::plan::Ask::who`].
    pub by_class: BTreeMap<EffectClass, Vec<String>>,
    /// Roles that are asked too when nobody replied in time.
    pub escalate: Vec<String>,
    /// Whether whoever started a run, or wrote an unreviewed playbook, may not approve its effects.
    pub four_eyes: bool,
}

impl Default for Approvals {
    fn default() -> Self {
        Self {
            by_class: BTreeMap::new(),
            escalate: Vec::new(),
            four_eyes: true,
        }
    }
}

/// The provider word of a mail relay.
const MAIL_RELAY: &str = "smtp";

/// A person of the organisation or of an entity, as far as others must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Roles: of the organisation, or `<entity>/<role>`.
    pub roles: BTreeSet<String>,
    /// Where they are told that they are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// The entities for which they can sign in and decide. Nobody else is told anything of them.
    #[serde(default)]
    pub decides_for: BTreeSet<String>,
}

/// What an unmarked incident counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marking {
    /// Who may know.
    pub tlp: Tlp,
    /// What may be done.
    pub pap: Pap,
}

impl Default for Marking {
    /// AMBER for both: passive look-ups at third parties are allowed, acting is not.
    fn default() -> Self {
        Self {
            tlp: Tlp::Amber,
            pap: Pap::Amber,
        }
    }
}

/// One constituent body we serve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// Its id, `[a-z0-9][a-z0-9-]{0,62}`; the first part of every key in the store.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Language of its contacts, ISO 639-1.
    pub language: String,
    /// IANA time zone.
    pub timezone: String,
    /// Its domains.
    pub domains: Vec<String>,
    /// Its web site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// Its address ranges.
    pub networks: Vec<IpNet>,
    /// Ways to reach it, by role.
    pub contacts: IndexMap<String, Contact>,
    /// Decisions made in daylight, by action.
    pub policy: BTreeMap<String, ActionPolicy>,
    /// Roles that may approve for it, by the name after `entity.` in `who`.
    #[serde(default)]
    pub approvers: BTreeMap<String, Vec<String>>,
    /// Values for playbooks, typed by `[entity_settings]`.
    pub settings: IndexMap<String, Value>,
    /// Addresses, prefixes and domains that must never be blocked here.
    pub never_block: Vec<String>,
    /// What an incident of it is marked when its source does not say.
    pub marking: Marking,
    /// Capability (or `family.*`) to connection name.
    pub connections: BTreeMap<String, String>,
    /// Playbook to rollout mode; anything not named is [`Rollout::Off`].
    pub rollout: BTreeMap<String, Rollout>,
}

impl Entity {
    /// What `entity` is in the language: `id name language timezone domains website? networks settings`.
    pub fn to_value(&self) -> Value {
        let mut value = serde_json::json!({
            "id": self.id, "name": self.name, "language": self.language, "timezone": self.timezone,
            "domains": self.domains, "networks": self.networks, "settings": self.settings,
        });
        if let (Some(website), Some(object)) = (&self.website, value.as_object_mut()) {
            object.insert("website".to_owned(), Value::String(website.clone()));
        }
        value
    }
}

/// A connection of `sortie.toml`, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its name in `using:`.
    pub name: String,
    /// The provider word, for example `virustotal`.
    pub provider: String,
    /// What it may be used for. A trailing `*` stands for a family (`edr.*`).
    pub capabilities: Vec<String>,
    /// The strictest TLP that may be sent there.
    pub tlp: Tlp,
    /// The strictest PAP under which it may be used.
    pub pap: Pap,
    /// One of ours: no ceilings.
    pub house: bool,
    /// The only entity that may use it, if it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// For `http.request`: what a write means there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<EffectClass>,
    /// For `http.request`: who may notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
}

impl Connection {
    /// Whether it offers a capability.
    pub fn offers(&self, capability: &str) -> bool {
        self.capabilities
            .iter()
            .any(|offered| match offered.strip_suffix('*') {
                Some(family) => capability.starts_with(family),
                None => offered == capability,
            })
    }
}

/// Rules below every playbook. Nobody's `if` can loosen them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guardrails {
    /// Addresses, prefixes and domains that are never blocked for anybody.
    pub never_block: Vec<String>,
    /// Machines and accounts where cutting off or locking out counts as what cannot be taken back.
    #[serde(default)]
    pub critical: Vec<String>,
    /// Accounts that are never locked out.
    #[serde(default)]
    pub break_glass: Vec<String>,
    /// Effects one run may have.
    pub effects_per_run: u32,
    /// Blocks in one hour for one entity.
    pub blocks_per_entity_hour: u32,
    /// Blocks in one hour for all.
    pub blocks_per_hour: u32,
    /// How long a block lasts when the playbook does not say.
    pub block_for_default: Span,
    /// How long a block may last.
    pub block_for_max: Span,
    /// Whether effects are paused (the red button).
    pub effects_paused: bool,
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            never_block: Vec::new(),
            critical: Vec::new(),
            break_glass: Vec::new(),
            effects_per_run: 200,
            blocks_per_entity_hour: 20,
            blocks_per_hour: 100,
            block_for_default: Span::hours(24),
            block_for_max: Span::days(30),
            effects_paused: false,
        }
    }
}

/// Everything the operator configured, without secrets. What `check` tests playbooks against and
/// what the engine decides under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operator {
    /// Us.
    pub organisation: Organisation,
    /// The entities by id.
    pub entities: BTreeMap<String, Entity>,
    /// The connections by name.
    pub connections: BTreeMap<String, Connection>,
    /// The rules below playbooks.
    pub guardrails: Guardrails,
    /// Roles that exist in the organisation, beside those that people have.
    #[serde(default)]
    pub roles: BTreeSet<String>,
    /// Who is asked, and how strictly.
    #[serde(default)]
    pub approvals: Approvals,
    /// People by name.
    #[serde(default)]
    pub people: BTreeMap<String, Person>,
    /// The address under which people find the pages, without a slash at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// Which connections a step may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved<'a> {
    /// These, in name order; one unless the capability merges providers.
    Connections(Vec<&'a Connection>),
    /// None offers the capability to this entity.
    NoConnection,
    /// `using:` names a connection that does not exist, is another entity's, or does not offer it.
    NotUsable(String),
    /// Several offer it and nothing says which.
    Ambiguous(Vec<&'a str>),
}

impl Operator {
    /// The connection by which people are told that they are asked: the first mail relay, by name,
    /// that belongs to no entity.
    pub fn mail_relay(&self) -> Option<&Connection> {
        let mut relays = self.connections.values();
        relays.find(|connection| connection.provider == MAIL_RELAY && connection.entity.is_none())
    }

    /// Every role that exists: declared, or had by somebody.
    pub fn all_roles(&self) -> impl Iterator<Item = &str> {
        let had = self.people.values().flat_map(|person| &person.roles);
        self.roles.iter().chain(had).map(String::as_str)
    }

    /// Finds the connection for a capability: the step's `using:`, else the entity's choice, else
    /// the organisation's only one. `merges` asks for every permitted one (`enrich.*`).
    pub fn resolve(
        &self,
        capability: &str,
        using: Option<&str>,
        entity: &Entity,
        merges: bool,
    ) -> Resolved<'_> {
        let usable = |connection: &Connection| {
            connection.offers(capability)
                && connection.entity.as_ref().is_none_or(|owner| *owner == entity.id)
        };
        let named = |name: &str| match self.connections.get(name) {
            Some(connection) if usable(connection) => Resolved::Connections(vec![connection]),
            Some(_) => Resolved::NotUsable(format!(
                "connection `{name}` does not offer {capability} to {}",
                entity.id
            )),
            None => Resolved::NotUsable(format!("there is no connection `{name}`")),
        };
        if let Some(name) = using {
            return named(name);
        }
        let family = capability
            .split_once('.')
            .map(|(family, _)| format!("{family}.*"));
        let chosen = entity
            .connections
            .get(capability)
            .or_else(|| family.as_ref().and_then(|family| entity.connections.get(family)));
        if let Some(name) = chosen {
            return named(name);
        }
        let own: Vec<_> = self
            .connections
            .values()
            .filter(|c| c.entity.is_some() && usable(c))
            .collect();
        let shared: Vec<_> = self
            .connections
            .values()
            .filter(|c| c.entity.is_none() && usable(c))
            .collect();
        let candidates = if merges {
            [own, shared].concat()
        } else if own.is_empty() {
            shared
        } else {
            own
        };
        match candidates.as_slice() {
            [] => Resolved::NoConnection,
            [_] => Resolved::Connections(candidates),
            _ if merges => Resolved::Connections(candidates),
            several => Resolved::Ambiguous(several.iter().map(|c| c.name.as_str()).collect()),
        }
    }
}
