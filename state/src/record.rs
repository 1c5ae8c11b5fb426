//! What the journal holds: one record is one change, stored whole or not at all.
//!
//! Owns the closed set of records and their JSON form, under the same rule as events: kinds and
//! defaulted fields are added, nothing is renamed, removed or given another meaning. A record
//! says what was decided, so that reading the journal again decides nothing.

use jiff::Timestamp;
use playbooks::duration::Span;
use playbooks::incident::Incident;
use serde::{Deserialize, Serialize};

use crate::access::Actor;
use crate::event::{Event, Mode, PlaybookRef, Seq, Started};
use crate::ids::{EntityId, IncidentId, RunId};
use crate::store::{IncidentUpdate, MatchResult, MatchRow, MeasureChange, NewRun, Note, Once, RunRow};

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Record {
    /// An incident was kept.
    Accepted(Box<AcceptedRecord>),
    /// A known incident came again.
    Repeated {
        incident: IncidentId,
        actor: Actor,
        at: Timestamp,
    },
    /// Every enabled playbook has its answer to an incident.
    Decided {
        incident: IncidentId,
        rulings: Vec<Ruling>,
        at: Timestamp,
    },
    /// A run was started by hand.
    Started { begun: Box<Begun>, at: Timestamp },
    /// A start by hand attached to a run with an equal key.
    Attached {
        run: RunId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
        actor: Actor,
        at: Timestamp,
    },
    /// Events of one run, with what they are the outcome of.
    Committed(Box<CommittedRecord>),
    /// An incident was changed outside any commit.
    Updated {
        update: Box<IncidentUpdate>,
        at: Timestamp,
    },
    /// A measure was changed outside any commit.
    Measured { change: MeasureChange, at: Timestamp },
    /// Something outside any run.
    Noted { note: Note, at: Timestamp },
    /// A playbook revision was kept. Not an audit entry: publishing is noted by who publishes.
    Plan { playbook: PlaybookRef, bundle: String },
}

/// See [`Record::Accepted`]. The reference inside `incident` is the incident's identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptedRecord {
    pub(crate) entity: EntityId,
    pub(crate) source: String,
    pub(crate) dedup_key: String,
    pub(crate) dedup_within: Span,
    pub(crate) incident: Incident,
    pub(crate) actor: Actor,
    /// It came with a start by hand; its triggers are not asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) by_hand: bool,
    pub(crate) at: Timestamp,
}

/// A run's first event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begun {
    pub(crate) started: Started,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) once: Option<Once>,
    /// Decided, and recorded as what follows from it.
    #[serde(skip)]
    pub(crate) join: Option<RunId>,
    /// The facts are the incident as accepted: not stored a second time, `null` here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) facts_as_accepted: bool,
}

impl From<NewRun> for Begun {
    fn from(new: NewRun) -> Self {
        Self {
            started: new.started,
            once: new.once,
            join: new.join,
            facts_as_accepted: false,
        }
    }
}

/// What one playbook makes of one incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Ruling {
    /// A run of `begun.started.playbook`.
    Started(Box<Begun>),
    /// Attached to a run with an equal key.
    Attached { playbook: PlaybookRef, run: RunId },
    /// Nothing, because.
    No { playbook: PlaybookRef, why: String },
}

/// See [`Record::Committed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommittedRecord {
    pub(crate) run: RunId,
    /// Sequence number of the first event.
    pub(crate) from: Seq,
    /// Where the journal holds the run's record before this one. 0 in a store without a journal.
    #[serde(default)]
    pub(crate) previous: u64,
    /// When, for changes that come without an event: the time of the run's last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Timestamp>,
    pub(crate) events: Vec<(Timestamp, Event)>,
    pub(crate) row: RunRow,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) updates: Vec<IncidentUpdate>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) measures: Vec<MeasureChange>,
}

impl CommittedRecord {
    /// The time of its last event.
    pub(crate) fn last_at(&self) -> Timestamp {
        let last = self.events.last().map(|(at, _)| *at);
        last.or(self.at).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl Ruling {
    /// The run it starts, if it does.
    pub(crate) fn begun(&self) -> Option<&Begun> {
        match self {
            Self::Started(begun) => Some(begun),
            Self::Attached { .. } | Self::No { .. } => None,
        }
    }

    /// The row of the match ledger.
    pub(crate) fn row(&self, at: Timestamp) -> MatchRow {
        let (playbook, result) = match self {
            Self::Started(begun) => {
                let Started {
                    playbook, run, mode, ..
                } = &begun.started;
                let run = run.clone();
                let result = match mode {
                    Mode::Auto => MatchResult::Started { run },
                    Mode::Simulate => MatchResult::Shadow { run },
                };
                (playbook, result)
            }
            Self::Attached { playbook, run } => (playbook, MatchResult::Attached { run: run.clone() }),
            Self::No { playbook, why } => (playbook, MatchResult::No { why: why.clone() }),
        };
        MatchRow {
            playbook: playbook.clone(),
            result,
            at,
        }
    }
}

/// The match ledger of an incident, by playbook.
pub(crate) fn match_rows(rulings: &[Ruling], at: Timestamp) -> Vec<MatchRow> {
    let mut rows: Vec<MatchRow> = rulings.iter().map(|ruling| ruling.row(at)).collect();
    rows.sort_by(|a, b| a.playbook.id.cmp(&b.playbook.id));
    rows
}

/// Whose a record is, as far as the record itself says.
pub(crate) enum Owner<'a> {
    /// An entity's, perhaps about an incident.
    Entity(&'a EntityId, Option<&'a IncidentId>),
    /// Of the entity of this incident.
    Incident(&'a IncidentId),
    /// Of the entity and incident of this run.
    Run(&'a RunId),
    /// Of an entity, about the incident that carries this reference.
    Reference(&'a EntityId, &'a str),
    /// The system's.
    System,
}

impl Record {
    /// How many audit entries it is.
    #[cfg(feature = "embedded")]
    pub(crate) fn entries(&self) -> u64 {
        let many = match self {
            Self::Decided { rulings, .. } => 1 + rulings.iter().filter(|one| one.begun().is_some()).count(),
            Self::Committed(commit) => commit.events.len() + commit.updates.len() + commit.measures.len(),
            Self::Plan { .. } => 0,
            Self::Accepted(_)
            | Self::Repeated { .. }
            | Self::Started { .. }
            | Self::Attached { .. }
            | Self::Updated { .. }
            | Self::Measured { .. }
            | Self::Noted { .. } => 1,
        };
        u64::try_from(many).unwrap_or(u64::MAX)
    }

    /// Whose it is.
    pub(crate) fn owner(&self) -> Owner<'_> {
        match self {
            Self::Accepted(accepted) => Owner::Reference(&accepted.entity, &accepted.incident.reference),
            Self::Repeated { incident, .. } | Self::Decided { incident, .. } => Owner::Incident(incident),
            Self::Started { begun, .. } => {
                Owner::Entity(&begun.started.entity, begun.started.incident.as_ref())
            }
            Self::Attached { run, .. } => Owner::Run(run),
            Self::Committed(commit) => Owner::Run(&commit.run),
            Self::Updated { update, .. } => Owner::Entity(&update.entity, Some(&update.incident)),
            Self::Measured { change, .. } => {
                let (entity, incident) = measure_owner(change);
                Owner::Entity(entity, incident)
            }
            Self::Noted { note, .. } => match &note.entity {
                Some(entity) => Owner::Entity(entity, None),
                None => Owner::System,
            },
            Self::Plan { .. } => Owner::System,
        }
    }
}

/// Whose a change of a measure is, and of which incident, as far as it says.
pub(crate) fn measure_owner(change: &MeasureChange) -> (&EntityId, Option<&IncidentId>) {
    match change {
        MeasureChange::Put(measure) => (&measure.entity, measure.incident.as_ref()),
        MeasureChange::Lifted { entity, .. } => (entity, None),
    }
}

#[cfg(test)]
mod tests;
