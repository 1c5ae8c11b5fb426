//! What people ask lists for, and the pages they get.

use playbooks::incident::{IncidentStatus, IncidentType};
use serde::{Deserialize, Serialize};

use crate::event::RunStatus;
use crate::ids::{EntityId, IncidentId, RunId};

/// One page of a list, newest first unless said otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page starts; none at the end. There may be one after fewer rows than asked
    /// for, even none: at most [`PAGE_LOOKS_MAX`] entries are looked at for one page.
    pub next: Option<String>,
}

/// Which rows, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// `next` of the page before.
    pub after: Option<String>,
    /// At most this many, 1 to [`PAGE_ROWS_MAX`]; 0 means [`PAGE_ROWS_DEFAULT`].
    pub limit: usize,
}

/// Rows of a page unless asked otherwise.
pub const PAGE_ROWS_DEFAULT: usize = 50;
/// Rows of a page at most.
pub const PAGE_ROWS_MAX: usize = 1_000;
/// Entries that are looked at for one page: a filter that fits little must not read everything in
/// one go.
pub const PAGE_LOOKS_MAX: usize = 10_000;

/// A filter over runs; every part given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of one entity.
    pub entity: Option<EntityId>,
    /// Of one incident.
    pub incident: Option<IncidentId>,
    /// Of one playbook.
    pub playbook: Option<String>,
    /// In one of these states; empty means any.
    pub status: Vec<RunStatus>,
}

/// A filter over incidents; every part given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Of one entity.
    pub entity: Option<EntityId>,
    /// Of one kind.
    pub kind: Option<IncidentType>,
    /// Open or closed.
    pub status: Option<IncidentStatus>,
}

/// A filter over audit records; every part given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of one entity.
    pub entity: Option<EntityId>,
    /// Of one run.
    pub run: Option<RunId>,
    /// Of one incident.
    pub incident: Option<IncidentId>,
    /// Of one type, for example `attempt.intended`.
    pub kind: Option<String>,
}
