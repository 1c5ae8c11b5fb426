//! The store that the real dispatcher writes to in a simulation: one committer, groups, a sync
//! that takes time and may fail.
//!
//! Owns when a write is durable and when it is acknowledged. What a write means is the plain
//! store's in memory.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use playbooks::incident::FileRef;
use state::access::Scope;
use state::event::{PlaybookRef, Recorded, Seq};
use state::ids::{EntityId, IncidentId, InquiryId, RunId};
use state::store::{
    Accepted, AuditFilter, AuditRecord, Commit, IncidentFilter, IncidentSummary, IncidentUpdate,
    InquiryFilter, MatchDecision, MatchRow, Measure, MeasureChange, NewIncident, NewRun, Note, Page,
    PageRequest, RunFilter, RunRow, RunSummary, Store, StoreError, StoreFigures, StoredIncident,
    StoredInquiry,
};
use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::disk::{Done, Op};
use super::weather::Kind;

/// Writes in one group at most.
const GROUP_MAX: usize = 16;

struct Request {
    op: Op,
    answer: oneshot::Sender<Result<Done, StoreError>>,
}

/// The store of one life.
pub struct SimStore {
    shared: Arc<Shared>,
    inbox: mpsc::UnboundedSender<Request>,
    stopped: Arc<Mutex<Option<Arc<str>>>>,
}

impl std::fmt::Debug for SimStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimStore").finish_non_exhaustive()
    }
}

struct Committer {
    shared: Arc<Shared>,
    stopped: Arc<Mutex<Option<Arc<str>>>>,
    full_until: Duration,
    unsynced: usize,
}

impl SimStore {
    /// Opens it, with its committer as a task of the runtime.
    pub fn open(shared: &Arc<Shared>) -> Arc<Self> {
        let (inbox, mut requests) = mpsc::unbounded_channel();
        let stopped = Arc::new(Mutex::new(None));
        let mut committer = Committer {
            shared: Arc::clone(shared),
            stopped: Arc::clone(&stopped),
            full_until: Duration::ZERO,
            unsynced: 0,
        };
        tokio::spawn(async move {
            let mut group = Vec::new();
            while requests.recv_many(&mut group, GROUP_MAX).await > 0 {
                committer.commit(std::mem::take(&mut group)).await;
            }
        });
        Arc::new(Self {
            shared: Arc::clone(shared),
            inbox,
            stopped,
        })
    }

    async fn write(&self, mut op: Op) -> Result<Done, StoreError> {
        self.shared.disk.name_runs(&mut op);
        let (answer, heard) = oneshot::channel();
        let sent = self.inbox.send(Request { op, answer });
        match heard.await {
            Ok(answered) if sent.is_ok() => answered,
            _ => std::future::pending().await,
        }
    }

    async fn done(&self, op: Op) -> Result<(), StoreError> {
        self.write(op).await.map(drop)
    }

    fn memory(&self) -> Arc<state::memory::MemoryStore> {
        self.shared.disk.memory()
    }
}

impl Committer {
    async fn commit(&mut self, group: Vec<Request>) {
        let stopped = self
            .stopped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(reason) = stopped {
            return refuse(group, &StoreError::Stopped { reason });
        }
        if self.shared.control.acknowledges_without_sync {
            return self.pretend(group).await;
        }
        if self.is_full() {
            let path = "the simulation".to_owned();
            return refuse(group, &StoreError::Full { path });
        }
        self.shared.counters.add("writes", group.len() as u64);
        if group.len() > 1 {
            self.shared.counters.count("groups of several writes");
        }
        self.shared
            .disk
            .write(group.iter().map(|request| request.op.clone()).collect());
        self.shared.fate.moment().await;
        let (pause, fails) = self.sync();
        tokio::time::sleep(pause).await;
        if fails {
            let reason: Arc<str> = "fdatasync failed: input/output error".into();
            *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&reason));
            return refuse(group, &StoreError::Stopped { reason });
        }
        let results = self.shared.disk.synced();
        self.shared.fate.moment().await;
        self.shared
            .disk
            .acknowledge(results.iter().filter(|result| result.is_ok()).count());
        for (request, result) in group.into_iter().zip(results) {
            let _gone = request.answer.send(result);
        }
    }

    /// The known-bad control: says done at once, and syncs when it gets round to it.
    async fn pretend(&mut self, group: Vec<Request>) {
        for request in group {
            self.shared.fate.moment().await;
            let result = self.shared.disk.pretend(request.op);
            if result.is_ok() {
                self.shared.disk.acknowledge(1);
                self.unsynced += 1;
            }
            let _gone = request.answer.send(result);
        }
    }

    fn is_full(&mut self) -> bool {
        let passed = self.shared.timeline.passed();
        if passed < self.full_until {
            return true;
        }
        let begins = self.shared.now_and_then(Kind::DiskFull, 3);
        if begins {
            let pause = self.shared.draw(|random| random.between(1, 30));
            self.full_until = passed + Duration::from_secs(pause);
        }
        begins
    }

    /// How long the sync takes, and whether it fails.
    fn sync(&self) -> (Duration, bool) {
        let micros = self.shared.draw(|random| random.between(100, 3_000));
        let slow = self.shared.now_and_then(Kind::SlowSync, 10);
        let pause = if slow {
            Duration::from_millis(self.shared.draw(|random| random.between(500, 20_000)))
        } else {
            Duration::from_micros(micros)
        };
        (pause, self.shared.now_and_then(Kind::SyncFails, 1))
    }
}

fn refuse(group: Vec<Request>, error: &StoreError) {
    for request in group {
        let _gone = request.answer.send(Err(error.clone()));
    }
}

fn other(done: &Done) -> StoreError {
    StoreError::Ambiguous {
        reason: format!("the simulation answered {done:?}"),
    }
}

#[async_trait]
impl actions::action::Files for SimStore {
    async fn read(&self, sha256: &str) -> Result<Option<Vec<u8>>, String> {
        self.file(sha256).await.map_err(|error| error.to_string())
    }

    async fn keep(&self, name: &str, media_type: Option<&str>, bytes: Vec<u8>) -> Result<FileRef, String> {
        let size = bytes.len() as u64;
        let sha256 = self.put_file(bytes).await.map_err(|error| error.to_string())?;
        Ok(FileRef {
            name: name.to_owned(),
            sha256,
            size,
            media_type: media_type.map(str::to_owned),
        })
    }
}

#[async_trait]
impl Store for SimStore {
    fn stopped(&self) -> Option<Arc<str>> {
        self.stopped
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
    async fn accept(&self, new: NewIncident) -> Result<Accepted, StoreError> {
        match self.write(Op::Accept(Box::new(new))).await? {
            Done::Accepted(accepted) => Ok(accepted),
            done => Err(other(&done)),
        }
    }
    async fn decide_matches(
        &self,
        incident: &IncidentId,
        decisions: Vec<MatchDecision>,
        at: Timestamp,
    ) -> Result<Vec<MatchRow>, StoreError> {
        match self.write(Op::Decide(incident.clone(), decisions, at)).await? {
            Done::Decided(rows) => Ok(rows),
            done => Err(other(&done)),
        }
    }
    async fn start(&self, new: NewRun, at: Timestamp) -> Result<RunId, StoreError> {
        match self.write(Op::Start(Box::new(new), at)).await? {
            Done::Run(run) => Ok(run),
            done => Err(other(&done)),
        }
    }
    async fn commit(&self, commit: Commit) -> Result<Seq, StoreError> {
        match self.write(Op::Commit(Box::new(commit))).await? {
            Done::Head(head) => Ok(head),
            done => Err(other(&done)),
        }
    }
    async fn update_incident(&self, update: IncidentUpdate, at: Timestamp) -> Result<(), StoreError> {
        self.done(Op::Update(Box::new(update), at)).await
    }
    async fn change_measure(&self, change: MeasureChange, at: Timestamp) -> Result<(), StoreError> {
        self.done(Op::Measure(Box::new(change), at)).await
    }
    async fn note(&self, note: Note, at: Timestamp) -> Result<(), StoreError> {
        self.done(Op::Note(Box::new(note), at)).await
    }
    async fn keep_plan(&self, playbook: &PlaybookRef, bundle: &str) -> Result<(), StoreError> {
        self.done(Op::Plan(playbook.clone(), bundle.to_owned())).await
    }
    async fn put_file(&self, bytes: Vec<u8>) -> Result<String, StoreError> {
        match self.write(Op::File(bytes)).await? {
            Done::File(sha256) => Ok(sha256),
            done => Err(other(&done)),
        }
    }
    async fn load(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError> {
        self.memory().load(run).await
    }
    async fn entity_of(&self, run: &RunId) -> Result<Option<EntityId>, StoreError> {
        self.memory().entity_of(run).await
    }
    async fn open_runs(&self) -> Result<Vec<(RunId, RunRow)>, StoreError> {
        self.memory().open_runs().await
    }
    async fn undecided_incidents(&self) -> Result<Vec<IncidentId>, StoreError> {
        self.memory().undecided_incidents().await
    }
    async fn incident(&self, id: &IncidentId) -> Result<Option<StoredIncident>, StoreError> {
        self.memory().incident(id).await
    }
    async fn plan(&self, revision: &str) -> Result<Option<String>, StoreError> {
        self.memory().plan(revision).await
    }
    async fn file(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory().file(sha256).await
    }
    async fn measures(&self, entity: &EntityId, at: Timestamp) -> Result<Vec<Measure>, StoreError> {
        self.memory().measures(entity, at).await
    }
    async fn measures_due(&self, at: Timestamp, limit: usize) -> Result<Vec<Measure>, StoreError> {
        self.memory().measures_due(at, limit).await
    }
    async fn blocks_since(&self, entity: &EntityId, since: Timestamp) -> Result<(u64, u64), StoreError> {
        self.memory().blocks_since(entity, since).await
    }
    async fn figures(&self) -> Result<StoreFigures, StoreError> {
        self.memory().figures().await
    }
    async fn incidents(
        &self,
        scope: &Scope,
        filter: IncidentFilter,
        page: PageRequest,
    ) -> Result<Page<IncidentSummary>, StoreError> {
        self.memory().incidents(scope, filter, page).await
    }
    async fn incident_in(
        &self,
        scope: &Scope,
        id: &IncidentId,
    ) -> Result<Option<StoredIncident>, StoreError> {
        self.memory().incident_in(scope, id).await
    }
    async fn matches(&self, scope: &Scope, id: &IncidentId) -> Result<Vec<MatchRow>, StoreError> {
        self.memory().matches(scope, id).await
    }
    async fn runs(
        &self,
        scope: &Scope,
        filter: RunFilter,
        page: PageRequest,
    ) -> Result<Page<RunSummary>, StoreError> {
        self.memory().runs(scope, filter, page).await
    }
    async fn find_run(&self, scope: &Scope, prefix: &str) -> Result<Vec<RunSummary>, StoreError> {
        self.memory().find_run(scope, prefix).await
    }
    async fn inquiries(
        &self,
        scope: &Scope,
        filter: InquiryFilter,
        page: PageRequest,
    ) -> Result<Page<StoredInquiry>, StoreError> {
        self.memory().inquiries(scope, filter, page).await
    }
    async fn inquiry(&self, scope: &Scope, id: InquiryId) -> Result<Option<StoredInquiry>, StoreError> {
        self.memory().inquiry(scope, id).await
    }
    async fn events(&self, scope: &Scope, run: &RunId) -> Result<Option<Vec<Recorded>>, StoreError> {
        self.memory().events(scope, run).await
    }
    async fn audit(
        &self,
        scope: &Scope,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditRecord>, StoreError> {
        self.memory().audit(scope, filter, page).await
    }
}
