//! A store that kills the process at its n-th write: before the write, or after it is durable and
//! before anybody hears of it. What `kill -9` does, at a chosen place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use state::access::Scope;
use state::event::{PlaybookRef, Recorded, Seq};
use state::ids::{EntityId, IncidentId, RunId};
use state::store::{
    Accepted, AuditFilter, AuditRecord, Commit, IncidentFilter, IncidentSummary, IncidentUpdate,
    MatchDecision, MatchRow, Measure, MeasureChange, NewIncident, NewRun, Note, Page, PageRequest, RunFilter,
    RunRow, RunSummary, Store, StoreError, StoreFigures, StoredIncident,
};

/// On which side of a write the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Nothing of it is stored.
    Before,
    /// It is durable, and nobody was told.
    After,
}

/// Passes everything on until its moment has come.
pub struct KillAt {
    inner: Arc<dyn Store>,
    side: Side,
    left: AtomicU64,
}

impl std::fmt::Debug for KillAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KillAt")
            .field("side", &self.side)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl KillAt {
    /// Kills at the `nth` write from now, from 1. Reads `before:7` or `after:7`.
    pub fn parse(text: &str, inner: Arc<dyn Store>) -> Option<Self> {
        let (side, nth) = text.split_once(':')?;
        let side = match side {
            "before" => Side::Before,
            "after" => Side::After,
            _ => return None,
        };
        Some(Self {
            inner,
            side,
            left: AtomicU64::new(nth.parse().ok()?),
        })
    }

    /// Whether this write is the one.
    fn is_it(&self) -> bool {
        self.left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            == Ok(1)
    }

    async fn around<T>(&self, write: impl Future<Output = T>) -> T {
        let now = self.is_it();
        if now && self.side == Side::Before {
            die();
        }
        let done = write.await;
        if now {
            die();
        }
        done
    }
}

/// SIGKILL to ourselves: no destructor, no flush, no goodbye.
fn die() {
    let me = rustix::process::getpid();
    let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
    // The signal ends the process; until then no other instruction of this task may run.
    loop {
        std::hint::spin_loop();
    }
}

#[async_trait]
impl Store for KillAt {
    async fn accept(&self, new: NewIncident) -> Result<Accepted, StoreError> {
        self.around(self.inner.accept(new)).await
    }
    async fn decide_matches(
        &self,
        incident: &IncidentId,
        decisions: Vec<MatchDecision>,
        at: Timestamp,
    ) -> Result<Vec<MatchRow>, StoreError> {
        self.around(self.inner.decide_matches(incident, decisions, at))
            .await
    }
    async fn start(&self, new: NewRun, at: Timestamp) -> Result<RunId, StoreError> {
        self.around(self.inner.start(new, at)).await
    }
    async fn commit(&self, commit: Commit) -> Result<Seq, StoreError> {
        self.around(self.inner.commit(commit)).await
    }
    async fn update_incident(&self, update: IncidentUpdate, at: Timestamp) -> Result<(), StoreError> {
        self.around(self.inner.update_incident(update, at)).await
    }
    async fn change_measure(&self, change: MeasureChange, at: Timestamp) -> Result<(), StoreError> {
        self.around(self.inner.change_measure(change, at)).await
    }
    async fn note(&self, note: Note, at: Timestamp) -> Result<(), StoreError> {
        self.around(self.inner.note(note, at)).await
    }
    async fn keep_plan(&self, playbook: &PlaybookRef, bundle: &str) -> Result<(), StoreError> {
        self.around(self.inner.keep_plan(playbook, bundle)).await
    }
    async fn put_file(&self, bytes: Vec<u8>) -> Result<String, StoreError> {
        self.around(self.inner.put_file(bytes)).await
    }
    async fn load(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError> {
        self.inner.load(run).await
    }
    async fn open_runs(&self) -> Result<Vec<(RunId, RunRow)>, StoreError> {
        self.inner.open_runs().await
    }
    async fn undecided_incidents(&self) -> Result<Vec<IncidentId>, StoreError> {
        self.inner.undecided_incidents().await
    }
    async fn incident(&self, id: &IncidentId) -> Result<Option<StoredIncident>, StoreError> {
        self.inner.incident(id).await
    }
    async fn plan(&self, revision: &str) -> Result<Option<String>, StoreError> {
        self.inner.plan(revision).await
    }
    async fn file(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.file(sha256).await
    }
    async fn measures(&self, entity: &EntityId, at: Timestamp) -> Result<Vec<Measure>, StoreError> {
        self.inner.measures(entity, at).await
    }
    async fn measures_due(&self, at: Timestamp, limit: usize) -> Result<Vec<Measure>, StoreError> {
        self.inner.measures_due(at, limit).await
    }
    async fn blocks_since(&self, entity: &EntityId, since: Timestamp) -> Result<(u64, u64), StoreError> {
        self.inner.blocks_since(entity, since).await
    }
    async fn figures(&self) -> Result<StoreFigures, StoreError> {
        self.inner.figures().await
    }
    async fn incidents(
        &self,
        scope: &Scope,
        filter: IncidentFilter,
        page: PageRequest,
    ) -> Result<Page<IncidentSummary>, StoreError> {
        self.inner.incidents(scope, filter, page).await
    }
    async fn incident_in(
        &self,
        scope: &Scope,
        id: &IncidentId,
    ) -> Result<Option<StoredIncident>, StoreError> {
        self.inner.incident_in(scope, id).await
    }
    async fn matches(&self, scope: &Scope, id: &IncidentId) -> Result<Vec<MatchRow>, StoreError> {
        self.inner.matches(scope, id).await
    }
    async fn runs(
        &self,
        scope: &Scope,
        filter: RunFilter,
        page: PageRequest,
    ) -> Result<Page<RunSummary>, StoreError> {
        self.inner.runs(scope, filter, page).await
    }
    async fn find_run(&self, scope: &Scope, prefix: &str) -> Result<Vec<RunSummary>, StoreError> {
        self.inner.find_run(scope, prefix).await
    }
    async fn events(&self, scope: &Scope, run: &RunId) -> Result<Option<Vec<Recorded>>, StoreError> {
        self.inner.events(scope, run).await
    }
    async fn audit(
        &self,
        scope: &Scope,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditRecord>, StoreError> {
        self.inner.audit(scope, filter, page).await
    }
}
