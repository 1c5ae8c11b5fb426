//! What people decide about a run, and what follows from it. Part of [`crate::view`], with the same
//! promise about field names.

use jiff::Timestamp;
use playbooks::marking::EffectClass;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use state::access::Permission;
use state::ids::{EntityId, IncidentId, RunId};
use state::store::Measure;

use super::RunView;

/// Longest reason, in characters.
pub const REASON_CHARACTERS_MAX: usize = 500;

/// What somebody wants done with a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunVerb {
    /// Say what became of a place in doubt, or of a failed one that it was done by hand.
    Settle(Settle),
    /// Take note of a failure.
    Acknowledge,
    /// Try again, in the same run, what failed and what was left out because of it.
    Retry(Retry),
    /// Start another run on the same incident and inputs.
    Rerun(Rerun),
    /// Take effects back, newest first.
    Undo(Undo),
}

impl RunVerb {
    /// The permission it needs.
    pub const fn permission(&self) -> Permission {
        match self {
            Self::Settle(_) | Self::Acknowledge | Self::Undo(_) => Permission::Settle,
            Self::Retry(_) | Self::Rerun(_) => Permission::Start,
        }
    }

    /// The last part of its address.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Settle(_) => "settle",
            Self::Acknowledge => "ack",
            Self::Retry(_) => "retry",
            Self::Rerun(_) => "rerun",
            Self::Undo(_) => "undo",
        }
    }
}

/// See [`RunVerb::Settle`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// The place: `block`, or `block[2]` for an item.
    pub place: String,
    /// What became of it.
    pub answer: SettleWord,
    /// Outputs that later steps may read, by name; those that bear the name of an argument may be
    /// left out.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub output: Map<String, Value>,
}

/// What became of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettleWord {
    /// It had happened.
    Done,
    /// It had not; the playbook's policy says whether it is tried again.
    NotDone,
    /// A person did it, beside Sortie.
    DoneByHand,
    /// The far end shall say.
    Probe,
}

/// See [`RunVerb::Retry`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The step to start from; all that failed when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// See [`RunVerb::Rerun`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rerun {
    /// Which version of the playbook.
    #[serde(default)]
    pub version: Version,
}

/// See [`RunVerb::Undo`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// The place of one effect, `block[2]`; all that can be taken back when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

/// Which version of a playbook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// The one the run had.
    #[default]
    Own,
    /// The one that is published now.
    Current,
}

/// A decision with its reason, as it is sent: the fields of the verb stand beside `reason`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reasoned<T> {
    /// Why, for the record.
    pub reason: String,
    /// What.
    #[serde(flatten)]
    pub what: T,
}

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDecided {
    /// The run as it stands now; the new one of a rerun.
    pub run: RunView,
    /// In one sentence.
    pub said: String,
}

/// What a verb would do, before anybody decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// The run as it stands.
    pub run: RunView,
    /// Effects that it would have, or that it would take back, in the order in which it would.
    pub effects: Vec<PreviewEffect>,
    /// What else would be done, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub besides: Vec<String>,
}

/// One effect of a preview.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreviewEffect {
    /// The run it is of.
    pub run: RunId,
    /// Its place there: `block` or `block[2]`.
    pub place: String,
    /// The capability.
    pub action: String,
    /// Its class.
    pub class: EffectClass,
    /// The arguments, when they are known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// What became of it before, or why it cannot be done.
    pub note: String,
    /// Whether it would be done.
    pub possible: bool,
}

/// A measure in force at an entity: one line of the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectView {
    /// Whose.
    pub entity: EntityId,
    /// The capability that made it.
    pub action: String,
    /// What it is about: an address, a domain, a URL.
    pub target: String,
    /// The connection that holds it.
    pub connection: String,
    /// `inbound`, `outbound` or `both`, for addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// Why, for people.
    pub reason: String,
    /// The run that made it.
    pub run: RunId,
    /// The incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl From<Measure> for EffectView {
    fn from(measure: Measure) -> Self {
        Self {
            entity: measure.entity,
            action: measure.action,
            target: measure.target,
            connection: measure.connection,
            direction: measure.direction,
            reason: measure.reason,
            run: measure.run,
            incident: measure.incident,
            since: measure.since,
            until: measure.until,
        }
    }
}
