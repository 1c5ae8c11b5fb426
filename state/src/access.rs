//! Who acts, through which channel, and what they may see.
//!
//! Owns the only ways to make a [`Scope`]: a verified API token, or holding the store itself.
//! No query can be asked without one, and there is no public constructor: tenancy is a type.
//!
//! A scope cannot be written down, only derived from a principal:
//!
//! ```compile_fail,E0451
//! let forged = state::access::Scope {
//!     permission: state::access::Permission::See,
//!     reach: state::access::Reach::All,
//! };
//! ```
//!
//! Nor can a principal:
//!
//! ```compile_fail,E0451
//! let forged = state::access::Principal {
//!     actor: state::access::Actor::engine(),
//!     person: None,
//!     permissions: Default::default(),
//!     reach: state::access::Reach::All,
//! };
//! ```
//!
//! Nor the proof that the store is in one's hands:
//!
//! ```compile_fail,E0423
//! let forged = state::access::OperatorProof(());
//! ```

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::EntityId;

mod token;
pub use token::{
    AuthError, AuthFailure, BadToken, MintedToken, TOKEN_DAYS_MAX, TOKEN_RANDOM_BYTES, TOKENS_MAX, TokenBook,
    TokenGrant, TokenRecord,
};

/// The way an operation came in. The record names the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A terminal on the machine that holds the store.
    Terminal,
    /// The HTTP API.
    Api,
    /// The page of an approval or a question, in a browser.
    Page,
    /// Sortie itself.
    Engine,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// `person:<name>`, `token:<name>` of a service, `operator:<system user>`, `engine`.
    pub name: String,
    /// Through what.
    pub channel: Channel,
}

impl Actor {
    /// Sortie itself: triggers, expiry, recovery.
    pub fn engine() -> Self {
        Self {
            name: "engine".to_owned(),
            channel: Channel::Engine,
        }
    }
}

/// What a principal may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Post incidents.
    Submit,
    /// See incidents and runs.
    See,
    /// Start playbooks, cancel, retry and repeat runs.
    Start,
    /// Reply to what people are asked: approvals and questions. Persons only.
    Approve,
    /// Read the audit trail.
    Audit,
    /// Say what became of an effect, take effects back, take note of a failure.
    Settle,
}

impl Permission {
    /// Every permission.
    pub const ALL: &'static [Self] = &[
        Self::Submit,
        Self::See,
        Self::Start,
        Self::Approve,
        Self::Audit,
        Self::Settle,
    ];

    /// Every permission that a token without a person behind it may have.
    pub const OF_SERVICES: &'static [Self] =
        &[Self::Submit, Self::See, Self::Start, Self::Audit, Self::Settle];

    /// Every permission in words, for messages.
    pub fn all_words() -> String {
        let words: Vec<&str> = Self::ALL.iter().map(|permission| permission.word()).collect();
        words.join(", ")
    }

    /// The spelling in files and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::See => "see",
            Self::Start => "start",
            Self::Approve => "approve",
            Self::Audit => "audit",
            Self::Settle => "settle",
        }
    }
}

/// Which entities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Every entity, also ones added later.
    All,
    /// These.
    Entities(BTreeSet<EntityId>),
}

impl Reach {
    /// Whether an entity is within.
    pub fn covers(&self, entity: &EntityId) -> bool {
        match self {
            Self::All => true,
            Self::Entities(entities) => entities.contains(entity),
        }
    }
}

/// A named person: who counts when distinct people are needed, whatever they signed in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Name for people and for the record, `[a-z0-9-]`, at most 63.
    pub name: String,
    /// Roles they have: of the organisation (`duty-officer`), or of one entity (`ville-exemple/rssi`).
    pub roles: BTreeSet<String>,
}

impl Person {
    /// The name of an actor who is this person.
    pub fn actor_name(&self) -> String {
        format!("person:{}", self.name)
    }
}

/// An authenticated actor with what they may do. Made by authentication only.
#[derive(Debug, Clone)]
pub struct Principal {
    actor: Actor,
    person: Option<Person>,
    permissions: BTreeSet<Permission>,
    reach: Reach,
}

/// The proof that a query is allowed: one permission over a set of entities. Made by
/// [`Principal::scope`] only.
#[derive(Debug, Clone)]
pub struct Scope {
    permission: Permission,
    reach: Reach,
}

/// Why an operation is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The principal lacks the permission.
    #[error("{actor} may not do this: the permission `{}` is needed", permission.word())]
    Permission {
        /// Who.
        actor: String,
        /// What.
        permission: Permission,
    },
    /// The entity is out of reach. Shown to the outside as "not found".
    #[error("{actor} has no access to entity `{entity}`")]
    Entity {
        /// Who.
        actor: String,
        /// Which.
        entity: EntityId,
    },
}

/// The proof that the process holds an opened store, made by an opened store only. Whoever can
/// open the data folder can read every byte of it, so this adds no right that was not there.
#[derive(Debug, Clone)]
pub struct OperatorProof(());

impl OperatorProof {
    #[cfg(any(feature = "embedded", feature = "memory", test))]
    pub(crate) const fn of_an_opened_store() -> Self {
        Self(())
    }
}

impl Principal {
    /// The local operator: somebody at a terminal of the machine, who opened the store or came in
    /// through the server's owner-only socket. Has every permission over every entity, and is no
    /// person with roles: a system user may stand for several people.
    /// `system_user` is the name the operating system knows them by.
    pub fn operator(system_user: &str, _proof: &OperatorProof) -> Self {
        Self {
            actor: Actor {
                name: format!("operator:{system_user}"),
                channel: Channel::Terminal,
            },
            person: None,
            permissions: Permission::ALL.iter().copied().collect(),
            reach: Reach::All,
        }
    }

    /// Whether an entity is within reach. The error is shown to the outside as "not found".
    pub fn may_reach(&self, entity: &EntityId) -> Result<(), Denied> {
        if self.reach.covers(entity) {
            Ok(())
        } else {
            Err(Denied::Entity {
                actor: self.actor.name.clone(),
                entity: entity.clone(),
            })
        }
    }

    /// Who.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The person behind it, if one is known.
    pub fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// The same principal, known to act at a terminal of the machine.
    #[must_use]
    pub fn at_the_terminal(mut self) -> Self {
        self.actor.channel = Channel::Terminal;
        self
    }

    /// The same principal, known to act on a page in a browser.
    #[must_use]
    pub fn on_a_page(mut self) -> Self {
        self.actor.channel = Channel::Page;
        self
    }

    /// The scope for one permission.
    pub fn scope(&self, permission: Permission) -> Result<Scope, Denied> {
        if self.permissions.contains(&permission) {
            Ok(Scope {
                permission,
                reach: self.reach.clone(),
            })
        } else {
            Err(Denied::Permission {
                actor: self.actor.name.clone(),
                permission,
            })
        }
    }
}

/// A scope without anybody behind it, for the suite that tries stores.
#[cfg(feature = "conformance")]
pub(crate) fn trial_scope(permission: Permission, reach: Reach) -> Scope {
    Scope { permission, reach }
}

impl Scope {
    /// What it permits.
    pub fn permission(&self) -> Permission {
        self.permission
    }
    /// Over which entities.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }
    /// Whether an entity is within.
    pub fn covers(&self, entity: &EntityId) -> bool {
        self.reach.covers(entity)
    }
}
