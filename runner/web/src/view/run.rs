//! Runs as people read them. Part of [`crate::view`], with the same promise about field names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use playbooks::marking::EffectClass;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use state::access::Actor;
use state::event::{Mode, Recorded, RunStatus, Seq};
use state::ids::{EntityId, IncidentId, RunId};
use state::store::RunSummary;

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunView {
    /// The run.
    pub id: RunId,
    /// Whose.
    pub entity: EntityId,
    /// Of which incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The playbook's id.
    pub playbook: String,
    /// Its version.
    pub version: i64,
    /// Its content hash.
    pub revision: String,
    /// Who started it.
    pub actor: Actor,
    /// How it stands.
    pub status: RunStatus,
    /// One sentence: what it does, waits for, or ended with.
    pub note: String,
    /// Effects done so far, and of these in doubt.
    pub effects: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// When its last event was.
    pub updated_at: Timestamp,
    /// Events so far.
    pub events: u64,
    /// Incidents attached beyond the first.
    pub attached: u64,
    /// It failed, and nobody has retried, undone, settled or acknowledged it yet.
    #[serde(default)]
    pub attention: bool,
}

impl From<RunSummary> for RunView {
    fn from(summary: RunSummary) -> Self {
        Self {
            id: summary.run,
            entity: summary.entity,
            incident: summary.incident,
            playbook: summary.playbook.id,
            version: summary.playbook.version,
            revision: summary.playbook.revision,
            actor: summary.actor,
            status: summary.row.status,
            note: summary.row.note,
            effects: summary.row.effects,
            started_at: summary.started_at,
            updated_at: summary.updated_at,
            events: summary.events,
            attached: summary.attached,
            attention: summary.row.attention,
        }
    }
}

/// One run with everything known about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDetail {
    /// As lists show it.
    pub run: RunView,
    /// The playbook's name.
    pub name: String,
    /// Whether effects happen.
    pub mode: Mode,
    /// Inputs after defaults.
    pub inputs: BTreeMap<String, Value>,
    /// Outputs, once it is over.
    pub outputs: BTreeMap<String, Value>,
    /// The run that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun_of: Option<RunId>,
    /// Runs that repeat this one, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reruns: Vec<RunId>,
    /// Steps in the order of the playbook; items of a `for_each` step follow it.
    pub steps: Vec<StepView>,
    /// Everything that happened, oldest first.
    pub events: Vec<Recorded>,
}

/// How a step or item stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not yet.
    Pending,
    /// Its attempt is in flight.
    Running,
    /// Waits for the time of its next attempt.
    Retrying,
    /// Waits for people.
    Waiting,
    /// Waits for a time: the playbook says so, or its next round is due then.
    Resting,
    /// Done.
    Done,
    /// Would have been done.
    Simulated,
    /// Will not run.
    Skipped,
    /// A rule forbade it; nothing was sent.
    Refused,
    /// Failed for good, as far as is known now.
    Failed,
    /// Nobody can tell whether its effect happened; waits for a person.
    Unknown,
}

impl StepView {
    /// Its place in the run, as people write it: `links` or `links[3]`.
    pub fn place(&self) -> String {
        match self.item {
            Some(item) => format!("{}[{item}]", self.step),
            None => self.step.clone(),
        }
    }
}

impl StepState {
    /// The spelling in JSON and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Waiting => "waiting",
            Self::Resting => "resting",
            Self::Done => "done",
            Self::Simulated => "simulated",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// One line of a run's timeline: a step, or one item of a `for_each` step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// The step's id.
    pub step: String,
    /// The item's place in the list, from 0, for items of a `for_each` step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// What it does, in the author's words.
    pub name: String,
    /// How it stands.
    pub state: StepState,
    /// What its action may do to the world.
    pub class: EffectClass,
    /// Whether that is an effect and not only a look: the `!` of the terminal.
    pub effect: bool,
    /// The connections it used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<String>,
    /// What came of it, or why not; may be empty.
    pub note: String,
    /// Attempts made; of a repeated step those of the present round.
    pub attempts: u32,
    /// Of a repeated step: the round that is next or in work, in the end how many there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
    /// When the first attempt was about to be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it reached its present final state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// A run that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The run; an older one when `attached`.
    pub run: RunId,
    /// The incident it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Whether `once_per` attached the wish to a run that existed.
    #[serde(default)]
    pub attached: bool,
}

/// One change of a run, as it is followed live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunChange {
    /// The run.
    pub run: RunId,
    /// Position of the event; where following can be taken up again.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// How the run stands after it.
    pub status: RunStatus,
    /// The timeline's line that changed, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepView>,
    /// What happened.
    pub event: Recorded,
}
