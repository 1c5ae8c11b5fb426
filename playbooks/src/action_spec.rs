//! What the language and the engine know of an action, without knowing how it is done.
//!
//! Owns the declarations that every action must make. `actions` implements them; the checker,
//! the engine, the guardrails, the documentation and the editor schema all read them from here.

use indexmap::IndexMap;

use crate::duration::Span;
use crate::marking::{EffectClass, Exposure};
use crate::types::Type;

/// How text is escaped on its way into a parameter. Escaping belongs to the sink, never to the
/// author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sink {
    /// Text without markup: titles, reasons, chat lines.
    Plain,
    /// Multi-line text; template blocks are allowed.
    Document,
    /// Markdown of a ticket system or chat.
    Markdown,
    /// The HTML part of a mail.
    Html,
    /// A path of a URL: each value is one segment, percent-encoded. For paths that an author
    /// writes; a value that a provider puts into a path by itself is `Plain` and encoded there.
    UrlPath,
    /// A query value of a URL.
    UrlQuery,
    /// A header value.
    Header,
    /// Text inside a JSON tree; the serializer escapes.
    Json,
}

/// One input of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its type. [`Type::Optional`] when it may be left out.
    pub ty: Type,
    /// Where its text ends up.
    pub sink: Sink,
    /// One line for documentation and hover texts.
    pub description: String,
}

/// How recovery may treat an intent without an outcome. See `docs/architecture.md`, recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// Reading again harms nobody.
    Read,
    /// A set or state: the end is the same however often it is done (block entry, account flag).
    Set,
    /// The far end refuses or folds a second request with our key.
    Keyed,
    /// Whether it happened can be asked; repeated only when the answer is a clear no.
    Probed,
    /// Neither repeatable nor askable: a doubtful outcome is `unknown` and waits for a person.
    Once,
}

/// The action with which a playbook asks people which way to go. No provider performs it: the
/// engine asks, a person's answer or silence is its outcome.
pub const ASK_HUMAN: &str = "ask.human";
/// The answer of [`ASK_HUMAN`] when nobody answers in time and there is no `default`.
pub const NO_ANSWER: &str = "none";

impl ActionSpec {
    /// Whether its outcome is what people answer.
    pub fn asks_people(&self) -> bool {
        self.name == ASK_HUMAN
    }
}

impl Recovery {
    /// Whether a failed or doubtful attempt may be sent again without asking first.
    pub const fn repeatable(self) -> bool {
        matches!(self, Self::Read | Self::Set | Self::Keyed)
    }
}

/// How an action may be tried again by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryDefault {
    /// Attempts in all, the first included; 1 to [`crate::plan::ATTEMPTS_MAX`].
    pub attempts: u32,
    /// Shortest and longest wait between two attempts.
    pub backoff: (Span, Span),
    /// Which failures are tried again; words of `retry.errors`.
    pub errors: Vec<ErrorKind>,
}

/// Why an attempt failed, as far as the engine must tell failures apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// No answer in time. For an effect the outcome is doubtful unless nothing had been sent.
    Timeout,
    /// Nothing was sent: no route, refused, name not found, TLS not agreed.
    Unreachable,
    /// The far end asks us to slow down.
    Throttled,
    /// The far end failed (5xx).
    ServerError,
    /// A device did not answer because it is switched off.
    Offline,
    /// A mail could not be handed over.
    Undelivered,
    /// The far end refused the request for good: bad request, not allowed, not found.
    Rejected,
    /// The answer did not have the promised form, or was over a size limit.
    BadAnswer,
    /// Arguments or configuration did not fit; nothing was sent.
    Invalid,
    /// A rule of ours forbids it: egress policy, marking, guardrail. Nothing was sent.
    Policy,
    /// A fault of Sortie itself (a panic in an action). Outcome doubtful for effects.
    Internal,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Timeout,
        Self::Unreachable,
        Self::Throttled,
        Self::ServerError,
        Self::Offline,
        Self::Undelivered,
        Self::Rejected,
        Self::BadAnswer,
        Self::Invalid,
        Self::Policy,
        Self::Internal,
    ];
    /// The kinds an author may list under `retry.errors`.
    pub const RETRYABLE: &'static [Self] = &[
        Self::Timeout,
        Self::Unreachable,
        Self::Throttled,
        Self::ServerError,
        Self::Offline,
        Self::Undelivered,
    ];
    /// The spelling in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::Offline => "offline",
            Self::Undelivered => "undelivered",
            Self::Rejected => "rejected",
            Self::BadAnswer => "bad_answer",
            Self::Invalid => "invalid",
            Self::Policy => "policy",
            Self::Internal => "internal",
        }
    }
}

/// A capability of the catalogue: the contract a playbook is written against. Providers behind
/// connections fulfil it (see [`ProviderSpec`]).
#[derive(Debug, Clone, PartialEq)]
pub struct ActionSpec {
    /// The name in `uses:`, for example `enrich.url`.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// What it may do to the world.
    pub effect: EffectClass,
    /// Who may notice.
    pub exposure: Exposure,
    /// Inputs whose value leaves the house: names of `inputs`.
    pub discloses: Vec<String>,
    /// Inputs by name, in documentation order.
    pub inputs: IndexMap<String, Parameter>,
    /// Groups of inputs of which exactly one must be given, for example `[["ip", "cidr"]]`.
    pub exactly_one_of: Vec<Vec<String>>,
    /// Output fields; [`Type::Optional`] when one may be absent.
    pub outputs: IndexMap<String, Type>,
    /// Inputs that together say "the same thing again".
    pub natural_key: Vec<String>,
    /// The action that takes the effect back, if there is one.
    pub inverse: Option<String>,
    /// Why there is no inverse; required when a `contain` action has none.
    pub no_inverse_because: Option<String>,
    /// Longest one attempt may take.
    pub timeout: Span,
    /// Default retry.
    pub retry: RetryDefault,
    /// Whether it needs a connection (`false`: computed in the house, like `extract.mail`).
    pub needs_connection: bool,
    /// Whether several connections are asked side by side and merged (`enrich.*`).
    pub merges_providers: bool,
    /// Whether it sends a mail made from a template. Such an action has inputs `template` and
    /// `params`; the engine renders at intent and adds `rendered: {subject, text, language, tlp}`
    /// to the arguments, so that the record holds what was said.
    pub renders_mail: bool,
    /// Inputs of an example call and the outputs it gives. Feeds docs and mocks.
    pub example: (serde_json::Value, serde_json::Value),
}

impl ActionSpec {
    /// Whether it writes to people of neither house: then the language is ours, not the entity's.
    pub fn mails_strangers(&self) -> bool {
        self.renders_mail && self.exposure == Exposure::Public
    }

    /// Whether what it does must have an end: every block has one.
    pub fn must_end(&self) -> bool {
        self.name.starts_with("block.")
    }

    /// Whether nothing is performed: the run itself waits.
    pub fn waits(&self) -> bool {
        self.name == "wait.for"
    }
}

/// What a provider declares about its way to fulfil one capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSpec {
    /// The capability, for example `block.ip`.
    pub capability: String,
    /// The provider word of `sortie.toml`, for example `opnsense`. `house` for actions that need
    /// no connection.
    pub provider: String,
    /// How recovery may treat a doubtful attempt.
    pub recovery: Recovery,
    /// How long after a call a probe's "not there" still means "cannot tell".
    pub settle: Span,
    /// Whom the disclosed values reach, for people: `VirusTotal`, `the entity's firewall`.
    pub discloses_to: String,
    /// Whether it honours an end of the effect by itself (a pull list does, a firewall alias
    /// does not and needs the inverse run at expiry).
    pub expires_by_itself: bool,
}

/// The capabilities that exist. Implemented by `actions::Registry`; by small tables in tests.
pub trait Catalog {
    /// The contract of a capability.
    fn action(&self, name: &str) -> Option<&ActionSpec>;
    /// Every name, for suggestions, sorted.
    fn names(&self) -> Vec<&str>;
    /// The providers that fulfil a capability.
    fn providers(&self, capability: &str) -> Vec<&ProviderSpec>;
}
