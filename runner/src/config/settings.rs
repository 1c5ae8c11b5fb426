//! What the operator decided, checked and ready to use.
//!
//! Owns plain facts; reading them is the work of the modules beside it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use actions::connection::ConnectionSettings;
use indexmap::IndexMap;
use ipnet::IpNet;
use playbooks::diagnostic::Diagnostic;
use playbooks::duration::Span;
use playbooks::operator::Operator;
use serde_json::Value;
use state::access::TokenRecord;
use web::RequestLimits;
use web::pace::{REQUESTS_BURST_MAX, REQUESTS_PER_SECOND_MAX};

use crate::intake::Source;

/// The port Sortie listens on when nothing is said.
pub const PORT_DEFAULT: u16 = 8800;

/// Everything of `sortie.toml` and the entity files.
#[derive(Debug)]
pub struct Settings {
    /// The folder of the project; relative paths start here.
    pub project: PathBuf,
    /// Organisation, entities, connections without secrets, guardrails, roles.
    pub operator: Operator,
    /// The connections as actions need them. Without secrets when the project was only checked.
    pub connections: Vec<ConnectionSettings>,
    /// Where HTTP is served.
    pub listener: Listener,
    /// Where the store lives.
    pub data_dir: PathBuf,
    /// How much at once.
    pub limits: Limits,
    /// Who may use the API.
    pub tokens: Vec<TokenRecord>,
    /// Who alerts come from, by name.
    pub sources: BTreeMap<String, Source>,
    /// The settings entities have, with their types.
    pub entity_settings: IndexMap<String, EntitySetting>,
    /// Where each value came from, by dotted key.
    pub origins: Vec<Setting>,
    /// Findings that do not stop the start.
    pub warnings: Vec<Diagnostic>,
}

/// Where HTTP is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Address and port.
    pub address: SocketAddr,
    /// The proxies in front, whose `X-Forwarded-*` headers count. Empty: nobody's do.
    pub trusted_proxies: Vec<IpNet>,
    /// The address under which people reach it, when that is another one: `https://sortie.cert.example`.
    pub url: Option<String>,
}

impl Listener {
    /// The address of its pages, without a slash at the end.
    pub fn page(&self) -> String {
        self.url
            .clone()
            .unwrap_or_else(|| format!("http://{}", self.address))
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT_DEFAULT)),
            trusted_proxies: Vec::new(),
            url: None,
        }
    }
}

/// How much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Runs of one entity that are active at once.
    pub active_runs_per_entity: u32,
    /// Alerts of one entity in a second, over time.
    pub alerts_per_second: u32,
    /// Alerts of one entity at once.
    pub alerts_burst: u32,
    /// Steps that are performed at once, over all runs.
    pub steps_at_once: u32,
    /// Requests of one token in a second, over time.
    pub requests_per_second: u32,
    /// Requests of one token at once.
    pub requests_burst: u32,
}

impl Limits {
    /// How fast the API answers one token.
    pub(crate) const fn of_requests(&self) -> RequestLimits {
        RequestLimits {
            per_second: self.requests_per_second,
            burst: self.requests_burst,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            active_runs_per_entity: 50,
            alerts_per_second: 10,
            alerts_burst: 200,
            steps_at_once: 64,
            requests_per_second: REQUESTS_PER_SECOND_MAX,
            requests_burst: REQUESTS_BURST_MAX,
        }
    }
}

/// The type of a setting that entities have.
#[derive(Debug, Clone, PartialEq)]
pub struct EntitySetting {
    /// What its values are.
    pub kind: SettingKind,
    /// The only values it may have; empty means any.
    pub choices: Vec<Value>,
    /// What an entity has that says nothing.
    pub default: Option<Value>,
}

/// What the values of an entity setting are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// A text.
    String,
    /// A whole number.
    Int,
    /// `true` or `false`.
    Bool,
    /// A span of time such as `4h`.
    Duration,
}

impl SettingKind {
    /// Whether a value is of this kind.
    pub fn accepts(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Int => value.is_i64(),
            Self::Bool => value.is_boolean(),
            Self::Duration => value.as_str().is_some_and(|text| text.parse::<Span>().is_ok()),
        }
    }
}

/// One value with where it came from, for `sortie config show --origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Dotted key, for example `server.listen`.
    pub key: String,
    /// The value as written; secrets are shown as their references.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A variable of the environment.
    Environment(&'static str),
    /// A line of a file.
    File {
        /// Which.
        name: String,
        /// From 1.
        line: usize,
    },
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
        }
    }
}
