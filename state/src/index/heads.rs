//! The values of the index: small heads that point into the journal.
//!
//! Owns their form, which may change with any release: the index is rebuilt then. Names are one
//! letter in storage, since a head is written again with every commit.

use jiff::Timestamp;
use playbooks::incident::{IncidentStatus, IncidentType};
use playbooks::marking::{Severity, Verdict};
use serde::{Deserialize, Serialize};

use crate::event::InquiryEnd;
use crate::ids::{IncidentId, RunId};
use crate::journal::Position;
use crate::store::RunRow;

/// A place in the journal and, in it, which part of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place(u64, u32);

impl Place {
    pub(crate) fn new(position: Position, part: usize) -> Self {
        Self(position.to_number(), u32::try_from(part).unwrap_or(u32::MAX))
    }
    pub(crate) fn position(self) -> Position {
        Position::from_number(self.0)
    }
    pub(crate) fn part(self) -> usize {
        usize::try_from(self.1).unwrap_or(usize::MAX)
    }
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct IncidentHead {
    /// Order of acceptance.
    #[serde(rename = "n")]
    pub(crate) number: u64,
    /// Where it was accepted.
    #[serde(rename = "p")]
    pub(crate) accepted: Place,
    /// Where its matches were decided.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) decided: Option<Place>,
    #[serde(rename = "c")]
    pub(crate) count: u64,
    #[serde(rename = "k")]
    pub(crate) kind: IncidentType,
    #[serde(rename = "s")]
    pub(crate) status: IncidentStatus,
    #[serde(rename = "v")]
    pub(crate) verdict: Verdict,
    #[serde(rename = "w")]
    pub(crate) severity: Severity,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunHead {
    /// Order of start.
    #[serde(rename = "n")]
    pub(crate) number: u64,
    /// Where it was started.
    #[serde(rename = "p")]
    pub(crate) started: Place,
    /// Where its last own record is.
    #[serde(rename = "l")]
    pub(crate) last: Place,
    #[serde(rename = "e")]
    pub(crate) events: u64,
    #[serde(rename = "u")]
    pub(crate) updated_at: Timestamp,
    #[serde(rename = "r")]
    pub(crate) row: RunRow,
    #[serde(rename = "a")]
    pub(crate) attached: u64,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub(crate) incident: Option<IncidentId>,
    #[serde(rename = "b")]
    pub(crate) playbook: String,
}

/// What a deduplication key stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known(pub(crate) IncidentId, pub(crate) Timestamp);

/// What a `once_per` key stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ran(pub(crate) RunId, pub(crate) Timestamp);

/// A measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeasureHead {
    #[serde(rename = "p")]
    pub(crate) put: Place,
    #[serde(rename = "u")]
    pub(crate) until: Timestamp,
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) lifted: bool,
}

/// Something that people were asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct InquiryHead {
    /// Where it was asked: the record, and which of its events.
    #[serde(rename = "p")]
    pub(crate) asked: Place,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<InquiryEnd>,
}
