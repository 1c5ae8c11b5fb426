//! One connection as the operator set it up: where to, with which secret, how often.
//!
//! Owns the settings and their rules. A secret belongs to one destination: another scheme, host,
//! port or entity is another [`Binding`], and its secret must be given again.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use playbooks::duration::Span;
use playbooks::operator::Connection;
use secrecy::SecretString;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

pub mod provider;

/// Bytes of an answer that are read, after decompression, unless the connection says otherwise.
pub const ANSWER_BYTES_DEFAULT: usize = 5 * 1024 * 1024;

/// How the far end knows us.
#[derive(Debug, Clone, Default)]
pub enum Auth {
    /// It does not.
    #[default]
    None,
    /// `Authorization: Bearer <token>`.
    Bearer(SecretString),
    /// A header of its own, such as `x-apikey`.
    Header {
        /// The header's name.
        name: String,
        /// Its whole value.
        value: SecretString,
    },
    /// Name and password: HTTP basic, or the login of a mail server.
    Basic {
        /// The name; not secret.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A token that a server of its own gives out for our name and secret (OAuth 2.0, client
    /// credentials). Fetched through the same door when it is needed, kept in memory only.
    OAuth2(OAuth2),
}

/// Where the tokens of a connection come from.
#[derive(Debug, Clone)]
pub struct OAuth2 {
    /// The token endpoint; the only place that ever sees the secret.
    pub token_url: Url,
    /// Our name there; not secret.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: SecretString,
    /// What the token shall be good for, as the server calls it.
    pub scope: Option<String>,
}

/// How many calls in how much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls, which may come at once.
    pub calls: NonZeroU32,
    /// The time over which they come back.
    pub per: Span,
}

/// Everything about a connection, its secrets included. `Debug` does not show them.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// What the language and the engine may know.
    pub facts: Connection,
    /// `https://host/path`, or `smtp://host:587` (STARTTLS) and `smtps://host:465` for mail.
    /// `None` for providers in the house.
    pub base_url: Option<Url>,
    /// How the far end knows us.
    pub auth: Auth,
    /// Most calls in a time; `None` is no limit of ours.
    pub rate: Option<Rate>,
    /// Most calls in one day, which begins at 00:00 UTC.
    pub quota_per_day: Option<NonZeroU32>,
    /// Whether it may lead to private and loopback addresses.
    pub allow_private: bool,
    /// Whether it may go without TLS. Mail: only to loopback even then.
    pub allow_http: bool,
    /// Roots beside those of the platform, PEM.
    pub extra_roots: Vec<String>,
    /// Most bytes of an answer.
    pub answer_bytes_max: usize,
    /// What only the provider understands, for example a channel or a project.
    pub settings: BTreeMap<String, Value>,
    /// Further secrets of the provider by name, for example the path of a webhook.
    pub secrets: BTreeMap<String, SecretString>,
}

/// Where a secret may go. Two settings with the same binding may share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Binding {
    scheme: String,
    host: String,
    port: u16,
    entity: Option<String>,
    /// The origin of the server that gives out tokens, when there is one.
    token_origin: Option<String>,
}

impl ConnectionSettings {
    /// A connection with nothing but its facts and its address.
    pub fn new(facts: Connection, base_url: Option<Url>) -> Self {
        Self {
            facts,
            base_url,
            auth: Auth::None,
            rate: None,
            quota_per_day: None,
            allow_private: false,
            allow_http: false,
            extra_roots: Vec::new(),
            answer_bytes_max: ANSWER_BYTES_DEFAULT,
            settings: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }

    /// The destination its secrets belong to; `None` without an address.
    pub fn binding(&self) -> Option<Binding> {
        let url = self.base_url.as_ref()?;
        Some(Binding {
            scheme: url.scheme().to_owned(),
            host: url.host_str()?.trim_end_matches('.').to_ascii_lowercase(),
            port: url.port_or_known_default().or(match url.scheme() {
                "smtp" => Some(587),
                "smtps" => Some(465),
                _ => None,
            })?,
            entity: self.facts.entity.clone(),
            token_origin: match &self.auth {
                Auth::OAuth2(oauth) => Some(oauth.token_url.origin().ascii_serialization()),
                _ => None,
            },
        })
    }
}

impl Binding {
    /// A short name of the binding, 16 hexadecimal digits, to keep beside a stored secret.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.to_string());
        hex::encode(digest).chars().take(16).collect()
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entity = self.entity.as_deref().unwrap_or("*");
        write!(f, "{}://{}:{} for {entity}", self.scheme, self.host, self.port)?;
        match &self.token_origin {
            Some(origin) => write!(f, " with tokens of {origin}"),
            None => Ok(()),
        }
    }
}

/// A connection that cannot be used as it is set up. Names the setting and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("connection `{connection}`: {problem}")]
pub struct ConnectionProblem {
    /// Its name.
    pub connection: String,
    /// What is wrong and what to do.
    pub problem: String,
}

#[cfg(test)]
pub(crate) mod tests;
