//! What a playbook would do, or would have done, about incidents that are stored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use playbooks::duration::Span;
use playbooks::incident::IncidentType;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use state::ids::{EntityId, IncidentId};

/// What to simulate. Of `incident`, `last` and `since` at most one; without any the last
/// [`SIMULATED_INCIDENTS_DEFAULT`] incidents of its types.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct AskSimulation {
    /// One incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The newest so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<usize>,
    /// All that came within this span before now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Span>,
    /// Only of this entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityId>,
    /// One edition, or two to compare, the older first; the current one when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub editions: Vec<Edition>,
}

/// Incidents that are simulated when nobody says how many.
pub const SIMULATED_INCIDENTS_DEFAULT: usize = 50;
/// Incidents that one simulation looks at; with more it says how many it left out.
pub const SIMULATED_INCIDENTS_MAX: usize = 1_000;

/// Which text of a playbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Edition {
    /// `current`, a version of which a run exists, or the first eight or more characters of a
    /// revision.
    Named(String),
    /// A text that is not published: a draft.
    Draft {
        /// Its file name, for messages; the stem is the id.
        name: String,
        /// The playbook.
        playbook: String,
        /// The templates it may name.
        #[serde(default)]
        templates: BTreeMap<String, String>,
    },
}

/// What came of a simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// The playbook's id.
    pub playbook: String,
    /// The editions, in the order they were asked for.
    pub editions: Vec<EditionView>,
    /// Incidents, oldest first.
    pub incidents: Vec<SimulatedIncident>,
    /// Incidents that would have belonged to it and were left out because there were too many.
    pub left_out: usize,
}

/// An edition as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditionView {
    /// Its version.
    pub version: i64,
    /// Its content hash.
    pub revision: String,
}

/// One incident, simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulatedIncident {
    /// Which.
    pub incident: IncidentId,
    /// Whose.
    pub entity: EntityId,
    /// Its kind.
    pub kind: IncidentType,
    /// One line.
    pub title: String,
    /// When it came.
    pub received_at: Timestamp,
    /// What each edition would have done, in their order.
    pub foreseen: Vec<Foresight>,
    /// Effects that only the second edition has. Empty unless both are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gained: Vec<EffectLine>,
    /// Effects that only the first edition has. Empty unless both are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<EffectLine>,
}

/// What one edition would have done about an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Foresight {
    /// Its trigger says no, or a rule.
    NotStarted {
        /// Which part, in words.
        why: String,
    },
    /// It joins the run of an earlier incident.
    Attached {
        /// Of which.
        to: IncidentId,
    },
    /// It asks something that nobody asked before, so nothing is told.
    Undecided {
        /// The reads: place, action and what of.
        reads: Vec<EffectLine>,
    },
    /// It runs.
    Runs {
        /// How it would end or stand: a word of a run's status.
        status: String,
        /// Its effects, in order.
        effects: Vec<EffectLine>,
        /// What a rule would refuse.
        refused: Vec<RefusedLine>,
    },
    /// It could not be played.
    Broken {
        /// Why.
        why: String,
    },
}

/// Something that would be done or asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectLine {
    /// The step or item.
    pub place: String,
    /// The capability.
    pub action: String,
    /// With what.
    pub arguments: Value,
}

/// Something that a rule would refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLine {
    /// The step or item.
    pub place: String,
    /// Why.
    pub why: String,
}
