//! What the store takes in and gives out: incidents, runs, matches, measures, notes, pages.
//!
//! Owns plain data. The promises about it are those of [`super::Store`].

use crate::access::Actor;
use crate::event::{Event, Inquiry, InquiryEnd, PlaybookRef, RunStatus, Seq, Started};
use crate::ids::{EffectKey, EntityId, IncidentId, InquiryId, Path, RunId};
use jiff::Timestamp;
use playbooks::duration::Span;
use playbooks::incident::{Incident, IncidentStatus, IncidentType};
use playbooks::marking::{Pap, Severity, Tlp, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An incident to be kept. The store gives it its reference.
#[derive(Debug, Clone)]
pub struct NewIncident {
    /// Whose. Decided by who sent it, never by what it says.
    pub entity: EntityId,
    /// The mapper or source, for example `suricata`.
    pub source: String,
    /// Equal keys of one entity and source are the same incident.
    pub dedup_key: String,
    /// For how long the key counts.
    pub dedup_within: Span,
    /// Everything but the reference, which the store fills in.
    pub incident: Incident,
    /// Who sent it.
    pub actor: Actor,
    /// Whether it came with a start by hand, so that no trigger is asked. Kept with it, so that
    /// this holds also if the process ends before the ledger says so.
    pub by_hand: bool,
    /// Now.
    pub at: Timestamp,
}

/// What became of a new incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Kept under this reference.
    New(IncidentId),
    /// Already known; counted there.
    Duplicate {
        /// The known one.
        of: IncidentId,
        /// How often it has come, the first included.
        count: u64,
    },
}

/// A run to be started.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Event 0.
    pub started: Started,
    /// `trigger.once_per`, resolved: equal keys within the span attach instead.
    pub once: Option<Once>,
    /// An open run that the incident joins instead, when `once` names none.
    pub join: Option<RunId>,
}

/// A resolved `once_per`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// Canonical JSON of the key.
    pub key: String,
    /// For how long.
    pub within: Span,
}

/// What one playbook makes of one incident, before it is stored.
#[derive(Debug, Clone)]
pub struct MatchDecision {
    /// The playbook.
    pub playbook: PlaybookRef,
    /// Start it, or why not.
    pub verdict: MatchVerdict,
}

/// See [`MatchDecision`].
#[derive(Debug, Clone)]
pub enum MatchVerdict {
    /// Start (or attach, if `once` says so).
    Start(Box<NewRun>),
    /// Not, with the sub-expression or rule that said no.
    No {
        /// In words.
        why: String,
    },
}

/// One row of the match ledger. Every incident and enabled playbook has exactly one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchRow {
    /// The playbook.
    pub playbook: PlaybookRef,
    /// What happened.
    pub result: MatchResult,
    /// When.
    pub at: Timestamp,
}

/// See [`MatchRow`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchResult {
    /// A run started.
    Started {
        /// Which.
        run: RunId,
    },
    /// A run started in the shadow: its reads are real, its effects only recorded.
    Shadow {
        /// Which.
        run: RunId,
    },
    /// Attached to a run with an equal key.
    Attached {
        /// Which.
        run: RunId,
    },
    /// Not, because.
    No {
        /// In words.
        why: String,
    },
}

/// Events of one run to append, all or nothing.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The run.
    pub run: RunId,
    /// The sequence number of the first of `events`; a mismatch is [`StoreError::Conflict`](super::StoreError::Conflict).
    pub expect: Seq,
    /// The events, in order.
    pub events: Vec<(Timestamp, Event)>,
    /// The run as lists show it after these events.
    pub row: RunRow,
    /// Changes of incidents that these events are the outcome of. In the same commit, so that an
    /// effect on our own records happens exactly once.
    pub updates: Vec<IncidentUpdate>,
    /// Changes of the register of measures that these events are the outcome of. The pull list is
    /// this register: a block on it is done when this commit is durable, and not before.
    pub measures: Vec<MeasureChange>,
}

/// A run as lists and the scheduler see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// How it stands.
    pub status: RunStatus,
    /// When it wants to be looked at again without anything else happening (retry, deadline).
    pub wake_at: Option<Timestamp>,
    /// Effects done so far, and of these in doubt.
    pub effects: u32,
    /// One sentence: what it does, waits for, or ended with.
    pub note: String,
    /// It failed, and nobody has retried, undone, settled or acknowledged it yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub attention: bool,
    /// What it takes turns with, while it is open: equal for runs that may not all be at work at
    /// once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A run with its identity, for lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// Whose.
    pub entity: EntityId,
    /// Of which incident.
    pub incident: Option<IncidentId>,
    /// Which playbook.
    pub playbook: PlaybookRef,
    /// Who started it.
    pub actor: Actor,
    /// When.
    pub started_at: Timestamp,
    /// When its last event was.
    pub updated_at: Timestamp,
    /// Events so far.
    pub events: u64,
    /// How it stands.
    pub row: RunRow,
    /// Incidents attached by `once_per`, beyond the first.
    pub attached: u64,
}

/// Something that people were asked, with what the store knows about it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredInquiry {
    /// Its speakable id.
    pub id: InquiryId,
    /// Whose.
    pub entity: EntityId,
    /// The run that asks.
    pub run: RunId,
    /// When it asked.
    pub asked_at: Timestamp,
    /// What it asked, and whom at first.
    pub inquiry: Inquiry,
    /// How it ended, once it did.
    pub end: Option<InquiryEnd>,
}

/// A filter over inquiries; every part given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InquiryFilter {
    /// Of one entity.
    pub entity: Option<EntityId>,
    /// Of one run.
    pub run: Option<RunId>,
    /// Only those that wait for a reply.
    pub open: bool,
}

/// An incident with what the store knows about it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredIncident {
    /// Whose.
    pub entity: EntityId,
    /// The mapper or source.
    pub source: String,
    /// The incident, with later updates folded in.
    pub incident: Incident,
    /// How often it came.
    pub count: u64,
    /// Who sent it first.
    pub actor: Actor,
    /// Whether it came with a start by hand.
    pub by_hand: bool,
    /// Changes since, oldest first.
    pub updates: Vec<StoredUpdate>,
}

/// An incident as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentSummary {
    /// The incident.
    pub id: IncidentId,
    /// Whose.
    pub entity: EntityId,
    /// The mapper or source.
    pub source: String,
    /// Its kind.
    pub kind: IncidentType,
    /// One line.
    pub title: String,
    /// Open or closed.
    pub status: IncidentStatus,
    /// How bad.
    pub severity: Severity,
    /// Marking.
    pub tlp: Tlp,
    /// Marking.
    pub pap: Pap,
    /// What was concluded.
    pub verdict: Verdict,
    /// When received.
    pub received_at: Timestamp,
    /// How often it came.
    pub count: u64,
}

/// A change of an incident, by a playbook or a person. Idempotent by `key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentUpdate {
    /// The incident.
    pub incident: IncidentId,
    /// Its entity; a mismatch is "not found".
    pub entity: EntityId,
    /// A second update with the same key changes nothing.
    pub key: EffectKey,
    /// New status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<IncidentStatus>,
    /// New verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// New severity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// A note for the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Which run, if a run did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Who.
    pub actor: Actor,
}

/// An update with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredUpdate {
    /// When.
    pub at: Timestamp,
    /// What.
    pub update: IncidentUpdate,
}

/// A measure in force at an entity: a block, until when, by which effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// The effect that made it; also its id.
    pub key: EffectKey,
    /// Whose.
    pub entity: EntityId,
    /// The capability, for example `block.ip`.
    pub action: String,
    /// What is blocked: the canonical address, prefix, domain or URL.
    pub target: String,
    /// `ip`, `domain`, `url`.
    pub kind: String,
    /// The connection that holds it.
    pub connection: String,
    /// `inbound`, `outbound` or `both`, for addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// Why, for people.
    pub reason: String,
    /// The run.
    pub run: RunId,
    /// The incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Since when.
    pub since: Timestamp,
    /// Until when. Every measure has an end.
    pub until: Timestamp,
    /// The inverse action that must be run at the end, when the provider does not end it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inverse: Option<String>,
    /// The arguments of the inverse.
    #[serde(default)]
    pub inverse_arguments: Value,
}

impl Measure {
    /// Whether it blocks something, and so counts in the budgets of blocks.
    pub fn is_block(&self) -> bool {
        self.action.starts_with("block.")
    }
}

/// A change of the register of measures. Idempotent by the measure's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureChange {
    /// In force from now.
    Put(Box<Measure>),
    /// No longer in force.
    Lifted {
        /// Which.
        key: EffectKey,
        /// Whose.
        entity: EntityId,
        /// Why.
        reason: String,
    },
}

/// A record outside any run: about one entity, or about the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Whose; none for the system.
    pub entity: Option<EntityId>,
    /// Dotted lower-case type, for example `process.started`.
    pub kind: String,
    /// Who.
    pub actor: Actor,
    /// Named values; no free text from incidents.
    pub fields: Value,
}

/// One line of the audit list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Position in the journal's order of commitment, from 0 without gaps.
    pub index: u64,
    /// When.
    pub at: Timestamp,
    /// Whose; none for the system.
    pub entity: Option<EntityId>,
    /// `run.started`, `attempt.intended`, `incident.accepted`, `process.started`...
    pub kind: String,
    /// The run, if any.
    pub run: Option<RunId>,
    /// Position in the run, if any.
    pub seq: Option<Seq>,
    /// The incident, if any.
    pub incident: Option<IncidentId>,
    /// Who.
    pub actor: Actor,
    /// The place in the run, if any.
    pub path: Option<Path>,
    /// The whole record as stored.
    pub body: Value,
}

/// A record (one incident, one commit) is at most this many bytes of JSON.
pub const RECORD_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// A file held by hash is at most this many bytes.
pub const FILE_BYTES_MAX: u64 = 25 * 1024 * 1024;
/// Names that lists and keys are made of (sources, actors, playbook ids, revisions, connections)
/// are at most this many bytes.
pub const NAME_BYTES_MAX: u64 = 256;
/// A key of `once_per` or of deduplication is at most this many bytes.
pub const KEY_BYTES_MAX: u64 = 16 * 1024;
/// A run's note is cut to this many bytes when it is stored.
pub const NOTE_BYTES_MAX: usize = 320;
/// A title is cut to this many bytes in lists; the incident keeps all of it.
pub const LIST_TITLE_BYTES_MAX: usize = 512;

/// Figures for `doctor` and metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreFigures {
    /// Records in the journal.
    pub records: u64,
    /// Bytes of journal segments.
    pub journal_bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Bytes of files held by hash.
    pub file_bytes: u64,
    /// Incidents.
    pub incidents: u64,
    /// Runs that are not over.
    pub open_runs: u64,
    /// Whether the index was rebuilt at this start, and why.
    pub rebuilt: Option<String>,
}
