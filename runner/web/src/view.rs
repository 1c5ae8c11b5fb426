//! The forms in which answers are shown: the JSON of the API, of `--json`, and what the terminal
//! renders.
//!
//! Owns field names and their promise: within one [`FORMAT`] a field may be added and none is
//! renamed, removed or given another meaning. No behaviour lives here.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use playbooks::diagnostic::{Diagnostic, Level};
use playbooks::incident::{Incident, IncidentType};
use playbooks::operator::Rollout;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use state::access::Actor;
use state::event::Mode;
use state::ids::{EntityId, IncidentId, RunId};
use state::store::{MatchResult, MatchRow, StoreFigures, StoredIncident, StoredUpdate};

pub mod decision;
pub mod inquiry;
pub mod run;
pub mod simulation;

pub use decision::{
    EffectView, Preview, PreviewEffect, Reasoned, Rerun, Retry, RunDecided, RunVerb, Settle, SettleWord,
    Undo, Version,
};
pub use inquiry::{
    GivenReply, InquiryDetail, InquiryKind, InquiryState, InquiryView, SayToInquiry, Standing,
};
pub use run::{RunChange, RunDetail, RunStarted, RunView, StepState, StepView};

/// The name of this set of forms. Every JSON object at the top of an answer carries it.
pub const FORMAT: &str = "sortie.run/1";

/// An answer with its format in front.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Versioned<T> {
    /// Always [`FORMAT`].
    pub format: Format,
    /// The answer; its fields stand beside `format`.
    #[serde(flatten)]
    pub body: T,
}

impl<T> Versioned<T> {
    /// Puts the format in front.
    pub const fn new(body: T) -> Self {
        Self { format: Format, body }
    }
}

/// The text [`FORMAT`]; reading any other text fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Format;

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(FORMAT)
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = String::deserialize(deserializer)?;
        if found == FORMAT {
            Ok(Self)
        } else {
            Err(serde::de::Error::custom(format_args!(
                "this is `{found}`; only `{FORMAT}` is understood"
            )))
        }
    }
}

/// A list that is not paged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rows<T> {
    /// The rows.
    pub rows: Vec<T>,
}

/// A fault with its place and remedy: a diagnostic as JSON shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable code such as `PB204`, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Error or warning.
    pub level: Level,
    /// One sentence without a full stop.
    pub message: String,
    /// Where: a file with line and column, a JSON pointer, or a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What to do, nearest remedy first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

impl Finding {
    /// An error at a place.
    pub fn error(message: impl Into<String>, place: impl Into<String>) -> Self {
        Self {
            code: None,
            level: Level::Error,
            message: message.into(),
            place: Some(place.into()),
            help: Vec::new(),
        }
    }
    /// What to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

impl From<&Diagnostic> for Finding {
    fn from(diagnostic: &Diagnostic) -> Self {
        let label = &diagnostic.primary;
        let (line, column) = label.source.line_column(label.place.start);
        Self {
            code: Some(diagnostic.code.to_owned()),
            level: diagnostic.level,
            message: diagnostic.message.clone(),
            place: Some(format!("{}:{line}:{column}", label.source.name)),
            help: diagnostic.help.clone(),
        }
    }
}

/// Bytes that hold incidents, as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// What they are.
    pub content: Content,
    /// The bytes.
    pub bytes: Bytes,
    /// For which entity, when the caller may submit for several. Never read from the bytes.
    pub entity: Option<EntityId>,
}

/// What submitted bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Sortie's own JSON form of an incident.
    Json,
    /// A mail (RFC 5322) that somebody reports.
    Mail,
    /// What a named mapper reads, for example `suricata`. The name has the form of an id.
    Mapper(String),
}

/// What became of a submission: one line an incident found in it, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitReport {
    /// The lines.
    pub results: Vec<Submitted>,
}

/// What became of one incident of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Submitted {
    /// Kept under this reference.
    Accepted {
        /// The reference.
        id: IncidentId,
    },
    /// Already known; counted there.
    Duplicate {
        /// The known one.
        id: IncidentId,
        /// How often it has come, the first included.
        count: u64,
    },
    /// Understood, and not an incident by the mapper's rules (a statistics line, a test event).
    Ignored {
        /// Why.
        why: String,
    },
    /// Not understood, or over a limit. The others of the submission are not affected.
    Refused {
        /// Each fault with its place and remedy.
        diagnostics: Vec<Finding>,
    },
}

/// One incident with everything known about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentDetail {
    /// Whose.
    pub entity: EntityId,
    /// The mapper or source.
    pub source: String,
    /// How often it came.
    pub count: u64,
    /// Who sent it first.
    pub actor: Actor,
    /// The incident, with later updates folded in.
    pub incident: Incident,
    /// Changes since, oldest first.
    pub updates: Vec<StoredUpdate>,
}

impl From<StoredIncident> for IncidentDetail {
    fn from(stored: StoredIncident) -> Self {
        Self {
            entity: stored.entity,
            source: stored.source,
            count: stored.count,
            actor: stored.actor,
            incident: stored.incident,
            updates: stored.updates,
        }
    }
}

/// What one playbook made of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchView {
    /// The playbook's id.
    pub playbook: String,
    /// Its version.
    pub version: i64,
    /// What happened.
    pub result: MatchWord,
    /// The run that started or was attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Why not, when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it was decided.
    pub at: Timestamp,
}

/// See [`MatchView`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchWord {
    /// A run started.
    Started,
    /// A run started that reads for real and only records the effects it would have.
    Shadow,
    /// Attached to a run with an equal key.
    Attached,
    /// Did not match.
    No,
}

impl From<MatchRow> for MatchView {
    fn from(row: MatchRow) -> Self {
        let (result, run, why) = match row.result {
            MatchResult::Started { run } => (MatchWord::Started, Some(run), None),
            MatchResult::Shadow { run } => (MatchWord::Shadow, Some(run), None),
            MatchResult::Attached { run } => (MatchWord::Attached, Some(run), None),
            MatchResult::No { why } => (MatchWord::No, None, Some(why)),
        };
        Self {
            playbook: row.playbook.id,
            version: row.playbook.version,
            result,
            run,
            why,
            at: row.at,
        }
    }
}

/// A playbook as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i64,
    /// Its content hash.
    pub revision: String,
    /// What it does, for people.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// Free tags.
    pub tags: Vec<String>,
    /// Incident types that start it; empty when only people do.
    pub incident_types: Vec<IncidentType>,
    /// Whether people may start it.
    pub manual: bool,
    /// How many steps.
    pub steps: usize,
    /// The mode it has for each entity in the caller's reach for which it is not off.
    pub rollout: BTreeMap<EntityId, Rollout>,
    /// When the clock starts it next, for each of these entities.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub next_start: BTreeMap<EntityId, Timestamp>,
}

/// A wish to start a playbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRun {
    /// The playbook's id.
    pub playbook: String,
    /// The incident to work on, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentChoice>,
    /// Inputs by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Value>,
    /// Whether effects happen.
    #[serde(default = "as_written")]
    pub mode: Mode,
    /// For which entity, when the caller may start for several and no kept incident decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityId>,
}

fn as_written() -> Mode {
    Mode::Auto
}

/// Which incident a run works on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentChoice {
    /// One that is kept: `{"id": "PH-2026-00417"}`.
    Id(IncidentId),
    /// One that comes with the request, in Sortie's JSON form; it is taken in first, without
    /// asking triggers: `{"inline": {...}}`.
    Inline(Value),
    /// A file that comes with the request, taken in likewise:
    /// `{"raw": {"format": "mail", "base64": "..."}}`.
    Raw {
        /// What it is: `json`, `mail`, the name of a mapper, or `auto`.
        format: String,
        /// Its bytes, RFC 4648 section 4.
        base64: String,
    },
}

/// The lists a device can poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListKind {
    /// IPv4 and IPv6 addresses and prefixes.
    Ip,
    /// IPv6 only, for readers that want them apart.
    Ip6,
    /// Domain names.
    Domain,
    /// URLs.
    Url,
}

impl ListKind {
    /// Every list.
    pub const ALL: &'static [Self] = &[Self::Ip, Self::Ip6, Self::Domain, Self::Url];

    /// The spelling in addresses.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Domain => "domain",
            Self::Url => "url",
        }
    }
}

/// A block list as a device reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockList {
    /// One entry a line, sorted, each line ended by a newline; no comments, no byte-order mark.
    pub text: String,
    /// Changes exactly when `text` does. Without quotes, of `[A-Za-z0-9_-]`.
    pub etag: String,
}

/// Figures for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Version of the program.
    pub version: String,
    /// When the server started.
    pub started_at: Timestamp,
    /// The store.
    pub store: StoreFigures,
    /// Steps in flight.
    pub in_flight: u64,
    /// Playbooks loaded.
    pub playbooks: usize,
    /// Entities served.
    pub entities: usize,
    /// Settings that are weaker than the default, one sentence each.
    #[serde(default)]
    pub weakened: Vec<String>,
}

/// Whether new work is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether it is.
    pub ready: bool,
    /// Why not, in general words that may be shown to strangers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
