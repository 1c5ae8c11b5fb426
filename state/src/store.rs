//! The store contract. Every backend fulfils exactly this; `conformance` says so.
//!
//! Owns what a store must promise. Nothing is acknowledged before it is durable: when a method
//! that writes returns `Ok`, the bytes and the file length are on the device. When it returns
//! [`StoreError::Stopped`], nothing more will be acknowledged until the next start.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::access::{Permission, Scope};
use crate::event::{PlaybookRef, Recorded, Seq};
use crate::ids::{EntityId, IncidentId, InquiryId, RunId};

mod lists;
mod types;

pub use self::lists::*;
pub use self::types::*;

/// Why the store did not do it. In every case nothing of the request was stored, except
/// [`StoreError::Ambiguous`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote to the run first.
    #[error("run {run} is at event {head}, not {expected}")]
    Conflict {
        /// The run.
        run: RunId,
        /// Where it is.
        head: Seq,
        /// Where the writer thought it was.
        expected: Seq,
    },
    /// Over a named limit.
    #[error("{what} is {found} bytes, at most {limit} are stored")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The disk is full. Reads go on; writes work again when there is room.
    #[error("the disk of {path} is full; nothing was stored, make room and send again")]
    Full {
        /// The data folder.
        path: String,
    },
    /// A write or sync failed; nothing more is acknowledged until the next start.
    #[error("the store stopped: {reason}")]
    Stopped {
        /// Why.
        reason: Arc<str>,
    },
    /// Stored bytes are damaged.
    #[error("{place} is damaged: {reason}")]
    Damaged {
        /// File and offset, or key.
        place: String,
        /// What does not fit.
        reason: String,
    },
    /// There is no such incident or run, or it belongs to another entity.
    #[error("there is no {what}")]
    NotFound {
        /// What was named: `incident PH-2026-00417`.
        what: String,
    },
    /// The run is over; nothing can be appended.
    #[error("run {run} is over; nothing can be added to it")]
    RunOver {
        /// The run.
        run: RunId,
    },
    /// The cursor of a page is not one that was given out.
    #[error("`{found}` is not a page cursor; use `next` of the page before, or none for the first page")]
    BadCursor {
        /// The text, cut to 64 characters.
        found: String,
    },
    /// The scope is of a permission that does not allow this query.
    #[error("a scope for `{}` does not allow reading {what}", found.word())]
    WrongScope {
        /// The permission of the scope.
        found: Permission,
        /// What was asked for.
        what: &'static str,
    },
    /// The outcome is not known; read before trying again.
    #[error("it is not known whether the write happened: {reason}")]
    Ambiguous {
        /// Why.
        reason: String,
    },
}

/// The store. Writers are acknowledged only when durable; readers see every acknowledged write.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Why nothing more is acknowledged until the next start; none while all is well. Never waits.
    /// A store that cannot fail by itself need not say anything.
    fn stopped(&self) -> Option<Arc<str>> {
        None
    }

    // --- writing: the runner itself --------------------------------------------------------

    /// Keeps an incident and gives it its reference; equal dedup keys are counted instead. The
    /// time of a key runs from the incident that was kept, by time of receipt, and is not
    /// extended by repetitions. References are gapless from 00001 per type and year (UTC).
    async fn accept(&self, new: NewIncident) -> Result<Accepted, StoreError>;

    /// Stores what every enabled playbook makes of an incident and starts runs, in one commit.
    /// Asking again for the same incident changes nothing and returns the rows of the first time.
    async fn decide_matches(
        &self,
        incident: &IncidentId,
        decisions: Vec<MatchDecision>,
        at: Timestamp,
    ) -> Result<Vec<MatchRow>, StoreError>;

    /// Starts a run by hand, or attaches to one when `once` says so. A run id that is taken is
    /// [`StoreError::Conflict`].
    async fn start(&self, new: NewRun, at: Timestamp) -> Result<RunId, StoreError>;

    /// Appends events to a run and returns the sequence number of the next one. The incidents and
    /// measures it changes must be of the run's entity. Every [`crate::event::Event::Asked`] gets
    /// its id here: the next of one series over all runs, without gaps.
    async fn commit(&self, commit: Commit) -> Result<Seq, StoreError>;

    /// Changes an incident.
    async fn update_incident(&self, update: IncidentUpdate, at: Timestamp) -> Result<(), StoreError>;

    /// Changes the register of measures.
    async fn change_measure(&self, change: MeasureChange, at: Timestamp) -> Result<(), StoreError>;

    /// Keeps a record outside any run.
    async fn note(&self, note: Note, at: Timestamp) -> Result<(), StoreError>;

    /// Keeps a playbook revision (a serialized `playbooks::compile::Bundle`: playbook and
    /// templates) so that runs pinned to it can go on after the files changed. Idempotent.
    async fn keep_plan(&self, playbook: &PlaybookRef, bundle: &str) -> Result<(), StoreError>;

    /// Keeps bytes under their SHA-256. Durable when it returns. Idempotent.
    async fn put_file(&self, bytes: Vec<u8>) -> Result<String, StoreError>;

    // --- reading: the runner itself --------------------------------------------------------

    /// The events of a run, oldest first. Empty when there is no such run.
    async fn load(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError>;

    /// Whose a run is; none when there is no such run. Cheaper than [`Self::load`].
    async fn entity_of(&self, run: &RunId) -> Result<Option<EntityId>, StoreError>;

    /// Runs that are not over, and when each wants to be looked at. What recovery starts from.
    async fn open_runs(&self) -> Result<Vec<(RunId, RunRow)>, StoreError>;

    /// Incidents that were acknowledged and not yet decided. What recovery starts from.
    async fn undecided_incidents(&self) -> Result<Vec<IncidentId>, StoreError>;

    /// An incident, for the engine.
    async fn incident(&self, id: &IncidentId) -> Result<Option<StoredIncident>, StoreError>;

    /// A kept playbook revision.
    async fn plan(&self, revision: &str) -> Result<Option<String>, StoreError>;

    /// Bytes by SHA-256, verified.
    async fn file(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Measures of an entity that are in force at a time, by target.
    async fn measures(&self, entity: &EntityId, at: Timestamp) -> Result<Vec<Measure>, StoreError>;

    /// Measures of all entities that ended by a time and need their inverse run.
    async fn measures_due(&self, at: Timestamp, limit: usize) -> Result<Vec<Measure>, StoreError>;

    /// Blocks made since a time, for one entity and in all. What budgets count.
    async fn blocks_since(&self, entity: &EntityId, since: Timestamp) -> Result<(u64, u64), StoreError>;

    /// Figures for `doctor` and metrics.
    async fn figures(&self) -> Result<StoreFigures, StoreError>;

    // --- reading: people, always under a scope ---------------------------------------------
    //
    // Lists, incidents and runs take a scope for `see`, `start` or `audit`; the audit list takes
    // one for `audit` only. What is out of scope is absent, never an error that tells it exists.

    /// Incidents, newest first: by order of acceptance.
    async fn incidents(
        &self,
        scope: &Scope,
        filter: IncidentFilter,
        page: PageRequest,
    ) -> Result<Page<IncidentSummary>, StoreError>;

    /// One incident; none when it does not exist or is out of scope.
    async fn incident_in(&self, scope: &Scope, id: &IncidentId)
    -> Result<Option<StoredIncident>, StoreError>;

    /// The match ledger of one incident, by playbook.
    async fn matches(&self, scope: &Scope, id: &IncidentId) -> Result<Vec<MatchRow>, StoreError>;

    /// Runs, newest first: by order of start.
    async fn runs(
        &self,
        scope: &Scope,
        filter: RunFilter,
        page: PageRequest,
    ) -> Result<Page<RunSummary>, StoreError>;

    /// Runs whose id starts with these characters, at most two: one is found, two are ambiguous.
    async fn find_run(&self, scope: &Scope, prefix: &str) -> Result<Vec<RunSummary>, StoreError>;

    /// What people were asked, newest first: by number.
    async fn inquiries(
        &self,
        scope: &Scope,
        filter: InquiryFilter,
        page: PageRequest,
    ) -> Result<Page<StoredInquiry>, StoreError>;

    /// One inquiry; none when it does not exist or is out of scope.
    async fn inquiry(&self, scope: &Scope, id: InquiryId) -> Result<Option<StoredInquiry>, StoreError>;

    /// The events of one run; none when it does not exist or is out of scope.
    async fn events(&self, scope: &Scope, run: &RunId) -> Result<Option<Vec<Recorded>>, StoreError>;

    /// Audit records, oldest first.
    async fn audit(
        &self,
        scope: &Scope,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditRecord>, StoreError>;
}
