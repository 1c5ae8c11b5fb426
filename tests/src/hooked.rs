//! A store with a hook around every write: a test may refuse it, or do something when it is durable.
//!
//! Owns passing everything on. What a hook does is the test's.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use state::access::Scope;
use state::event::{Event, PlaybookRef, Recorded, RunStatus, Seq};
use state::ids::{EntityId, IncidentId, InquiryId, RunId};
use state::store::{
    Accepted, AuditFilter, AuditRecord, Commit, IncidentFilter, IncidentSummary, IncidentUpdate,
    InquiryFilter, MatchDecision, MatchRow, Measure, MeasureChange, NewIncident, NewRun, Note, Page,
    PageRequest, RunFilter, RunRow, RunSummary, Store, StoreError, StoreFigures, StoredIncident,
    StoredInquiry,
};

/// One write, as a hook sees it.
#[derive(Debug, Clone)]
pub struct Write {
    /// The method of the store.
    pub name: &'static str,
    /// The events of a commit, when the hook reads them.
    pub events: Vec<Event>,
    /// The run of a commit, and how it stands after it.
    pub run: Option<(RunId, RunStatus)>,
}

impl Write {
    const fn named(name: &'static str) -> Self {
        Self {
            name,
            events: Vec::new(),
            run: None,
        }
    }
}

/// What happens around a write.
pub trait Hook: Send + Sync {
    /// Before it: an error is given instead, and nothing is stored.
    fn before(&self, _write: &Write) -> Result<(), StoreError> {
        Ok(())
    }

    /// Why the store has stopped, if the test wants that.
    fn stopped(&self) -> Option<Arc<str>> {
        None
    }

    /// When it is durable, and before anybody hears of it.
    fn after(&self, _write: &Write) {}

    /// When the match ledger of an incident is durable, and before anybody hears of it.
    fn decided(&self, _incident: &IncidentId, _rows: &[MatchRow]) {}

    /// Whether it looks at events. To copy them costs time, which counts where time is measured.
    fn reads_events(&self) -> bool {
        true
    }
}

/// Passes everything on, past a hook.
pub struct Hooked {
    inner: Arc<dyn Store>,
    hook: Arc<dyn Hook>,
}

impl std::fmt::Debug for Hooked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooked").finish_non_exhaustive()
    }
}

impl Hooked {
    /// The store behind the hook.
    pub fn new(inner: Arc<dyn Store>, hook: Arc<dyn Hook>) -> Self {
        Self { inner, hook }
    }

    async fn around<T>(
        &self,
        write: Write,
        done: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.hook.before(&write)?;
        let done = done.await?;
        self.hook.after(&write);
        Ok(done)
    }
}

#[async_trait]
impl Store for Hooked {
    fn stopped(&self) -> Option<Arc<str>> {
        self.hook.stopped().or_else(|| self.inner.stopped())
    }
    async fn accept(&self, new: NewIncident) -> Result<Accepted, StoreError> {
        self.around(Write::named("accept"), self.inner.accept(new)).await
    }
    async fn decide_matches(
        &self,
        incident: &IncidentId,
        decisions: Vec<MatchDecision>,
        at: Timestamp,
    ) -> Result<Vec<MatchRow>, StoreError> {
        let decided = self.inner.decide_matches(incident, decisions, at);
        let rows = self.around(Write::named("decide_matches"), decided).await?;
        self.hook.decided(incident, &rows);
        Ok(rows)
    }
    async fn start(&self, new: NewRun, at: Timestamp) -> Result<RunId, StoreError> {
        self.around(Write::named("start"), self.inner.start(new, at))
            .await
    }
    async fn commit(&self, commit: Commit) -> Result<Seq, StoreError> {
        let mut write = Write::named("commit");
        write.run = Some((commit.run.clone(), commit.row.status));
        if self.hook.reads_events() {
            write.events = commit.events.iter().map(|(_, event)| event.clone()).collect();
        }
        self.around(write, self.inner.commit(commit)).await
    }
    async fn update_incident(&self, update: IncidentUpdate, at: Timestamp) -> Result<(), StoreError> {
        self.around(
            Write::named("update_incident"),
            self.inner.update_incident(update, at),
        )
        .await
    }
    async fn change_measure(&self, change: MeasureChange, at: Timestamp) -> Result<(), StoreError> {
        self.around(
            Write::named("change_measure"),
            self.inner.change_measure(change, at),
        )
        .await
    }
    async fn note(&self, note: Note, at: Timestamp) -> Result<(), StoreError> {
        self.around(Write::named("note"), self.inner.note(note, at)).await
    }
    async fn keep_plan(&self, playbook: &PlaybookRef, bundle: &str) -> Result<(), StoreError> {
        self.around(Write::named("keep_plan"), self.inner.keep_plan(playbook, bundle))
            .await
    }
    async fn put_file(&self, bytes: Vec<u8>) -> Result<String, StoreError> {
        self.around(Write::named("put_file"), self.inner.put_file(bytes))
            .await
    }
    async fn load(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError> {
        self.inner.load(run).await
    }
    async fn entity_of(&self, run: &RunId) -> Result<Option<EntityId>, StoreError> {
        self.inner.entity_of(run).await
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
    async fn inquiries(
        &self,
        scope: &Scope,
        filter: InquiryFilter,
        page: PageRequest,
    ) -> Result<Page<StoredInquiry>, StoreError> {
        self.inner.inquiries(scope, filter, page).await
    }
    async fn inquiry(&self, scope: &Scope, id: InquiryId) -> Result<Option<StoredInquiry>, StoreError> {
        self.inner.inquiry(scope, id).await
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
