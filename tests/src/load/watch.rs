//! A store that tells when a run is over: the moment its last event is durable.
//!
//! Owns the way from an incident to the end of its run. Changes nothing of what passes through it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use state::access::Scope;
use state::event::{PlaybookRef, Recorded, RunStatus, Seq};
use state::ids::{EntityId, IncidentId, RunId};
use state::store::{
    Accepted, AuditFilter, AuditRecord, Commit, IncidentFilter, IncidentSummary, IncidentUpdate,
    MatchDecision, MatchResult, MatchRow, Measure, MeasureChange, NewIncident, NewRun, Note, Page,
    PageRequest, RunFilter, RunRow, RunSummary, Store, StoreError, StoreFigures, StoredIncident,
};
use tokio::sync::oneshot;

/// The runs that were seen.
#[derive(Debug, Default, Clone)]
pub struct Runs {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    incidents: HashMap<RunId, IncidentId>,
    over: HashMap<IncidentId, RunStatus>,
    waiting: HashMap<IncidentId, oneshot::Sender<RunStatus>>,
}

impl Runs {
    /// Waits until the run of this incident is over, and says how it ended.
    pub async fn end_of(&self, incident: &IncidentId) -> Option<RunStatus> {
        let answer = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(status) = seen.over.remove(incident) {
                return Some(status);
            }
            let (sender, answer) = oneshot::channel();
            seen.waiting.insert(incident.clone(), sender);
            answer
        };
        answer.await.ok()
    }

    fn of(&self, run: &RunId, incident: &IncidentId) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.incidents.insert(run.clone(), incident.clone());
    }

    fn over(&self, run: &RunId, status: RunStatus) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(incident) = seen.incidents.remove(run) else {
            return;
        };
        match seen.waiting.remove(&incident) {
            Some(waiting) => drop(waiting.send(status)),
            None => drop(seen.over.insert(incident, status)),
        }
    }
}

/// Passes everything on and notes what it sees in `runs`.
pub struct Watched {
    inner: Arc<dyn Store>,
    runs: Runs,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched")
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

impl Watched {
    /// A layer over a store.
    pub fn new(inner: Arc<dyn Store>, runs: Runs) -> Self {
        Self { inner, runs }
    }
}

#[async_trait]
impl Store for Watched {
    async fn accept(&self, new: NewIncident) -> Result<Accepted, StoreError> {
        self.inner.accept(new).await
    }
    async fn decide_matches(
        &self,
        incident: &IncidentId,
        decisions: Vec<MatchDecision>,
        at: Timestamp,
    ) -> Result<Vec<MatchRow>, StoreError> {
        let rows = self.inner.decide_matches(incident, decisions, at).await?;
        for row in &rows {
            if let MatchResult::Started { run } = &row.result {
                self.runs.of(run, incident);
            }
        }
        Ok(rows)
    }
    async fn start(&self, new: NewRun, at: Timestamp) -> Result<RunId, StoreError> {
        self.inner.start(new, at).await
    }
    async fn commit(&self, commit: Commit) -> Result<Seq, StoreError> {
        let ended = commit
            .row
            .status
            .is_over()
            .then(|| (commit.run.clone(), commit.row.status));
        let head = self.inner.commit(commit).await?;
        if let Some((run, status)) = ended {
            self.runs.over(&run, status);
        }
        Ok(head)
    }
    async fn update_incident(&self, update: IncidentUpdate, at: Timestamp) -> Result<(), StoreError> {
        self.inner.update_incident(update, at).await
    }
    async fn change_measure(&self, change: MeasureChange, at: Timestamp) -> Result<(), StoreError> {
        self.inner.change_measure(change, at).await
    }
    async fn note(&self, note: Note, at: Timestamp) -> Result<(), StoreError> {
        self.inner.note(note, at).await
    }
    async fn keep_plan(&self, playbook: &PlaybookRef, bundle: &str) -> Result<(), StoreError> {
        self.inner.keep_plan(playbook, bundle).await
    }
    async fn put_file(&self, bytes: Vec<u8>) -> Result<String, StoreError> {
        self.inner.put_file(bytes).await
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
