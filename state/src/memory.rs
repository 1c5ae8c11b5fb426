//! A store in memory: for tests, trials and as the plain model that the embedded store is
//! compared with.
//!
//! Keeps the whole contract but durability: what it holds ends with the process. Shares the rules
//! of `fold` and the records with the embedded store, and none of its bookkeeping.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use playbooks::incident::Incident;

use crate::access::{Actor, OperatorProof, Scope};
use crate::audit::{self, Context};
use crate::event::{PlaybookRef, Recorded, Seq};
use crate::fold;
use crate::ids::{EffectKey, EntityId, IncidentId, InquiryId, RunId};
use crate::record::{Owner, Record};
use crate::store::{
    Accepted, AuditFilter, AuditRecord, Commit, IncidentFilter, IncidentSummary, IncidentUpdate,
    InquiryFilter, MatchDecision, MatchRow, Measure, MeasureChange, NewIncident, NewRun, Note, Page,
    PageRequest, RunFilter, RunRow, RunSummary, Store, StoreError, StoreFigures, StoredIncident,
    StoredInquiry, StoredUpdate,
};

mod queries;
mod writes;

/// The store. Cheap to share behind an [`Arc`].
#[derive(Debug, Default)]
pub struct MemoryStore {
    held: Mutex<Held>,
}

impl MemoryStore {
    /// An empty store.
    pub fn open() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// The proof that the caller holds this store.
    pub fn operator_proof(&self) -> OperatorProof {
        OperatorProof::of_an_opened_store()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything.
#[derive(Debug, Default)]
struct Held {
    audit: Vec<AuditRecord>,
    counters: BTreeMap<String, u64>,
    incidents: BTreeMap<IncidentId, KeptIncident>,
    dedup: BTreeMap<(EntityId, String, String), (IncidentId, Timestamp)>,
    runs: BTreeMap<RunId, KeptRun>,
    once: BTreeMap<(EntityId, String, String), (RunId, Timestamp)>,
    updates: BTreeSet<(EntityId, EffectKey)>,
    measures: BTreeMap<(EntityId, EffectKey), KeptMeasure>,
    inquiries: BTreeMap<u64, StoredInquiry>,
    plans: BTreeMap<String, String>,
    files: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug)]
struct KeptIncident {
    /// Position of its acceptance among the audit entries: the order of incidents.
    number: u64,
    entity: EntityId,
    source: String,
    accepted: Incident,
    actor: Actor,
    by_hand: bool,
    count: u64,
    updates: Vec<StoredUpdate>,
    matches: Option<Vec<MatchRow>>,
}

#[derive(Debug)]
struct KeptRun {
    /// Position of its start among the audit entries: the order of runs.
    number: u64,
    summary: RunSummary,
    events: Vec<Recorded>,
    /// Its own and those attached to it.
    incidents: BTreeSet<IncidentId>,
}

#[derive(Debug)]
struct KeptMeasure {
    measure: Measure,
    lifted: bool,
}

impl KeptIncident {
    fn stored(&self) -> StoredIncident {
        let mut incident = self.accepted.clone();
        for change in &self.updates {
            fold::update(&mut incident, &change.update);
        }
        StoredIncident {
            entity: self.entity.clone(),
            source: self.source.clone(),
            incident,
            count: self.count,
            actor: self.actor.clone(),
            by_hand: self.by_hand,
            updates: self.updates.clone(),
        }
    }

    fn summary(&self, id: &IncidentId) -> IncidentSummary {
        let stored = self.stored();
        fold::incident_summary(id, &self.entity, &self.source, &stored.incident, self.count)
    }
}

impl Held {
    /// Adds a record's entries to the audit list. Refuses a record that is too long.
    fn record(&mut self, record: &Record) -> Result<u64, StoreError> {
        let json = serde_json::to_vec(record).map_err(|error| StoreError::Damaged {
            place: "a record".to_owned(),
            reason: error.to_string(),
        })?;
        fold::check_record(json.len())?;
        let first = u64::try_from(self.audit.len()).unwrap_or(u64::MAX);
        let mut context = Context {
            entity: None,
            incident: None,
        };
        match record.owner() {
            Owner::Entity(entity, incident) => {
                context.entity = Some(entity.clone());
                context.incident = incident.cloned();
            }
            Owner::Reference(entity, reference) => {
                context.entity = Some(entity.clone());
                context.incident = reference.parse().ok();
            }
            Owner::Incident(id) => {
                context.entity = self.incidents.get(id).map(|kept| kept.entity.clone());
                context.incident = Some(id.clone());
            }
            Owner::Run(run) => {
                if let Some(kept) = self.runs.get(run) {
                    context.entity = Some(kept.summary.entity.clone());
                    context.incident.clone_from(&kept.summary.incident);
                }
            }
            Owner::System => {}
        }
        self.audit.extend(audit::entries(record, first, &context)?);
        Ok(first)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn accept(&self, new: NewIncident) -> Result<Accepted, StoreError> {
        self.held().accept(new)
    }

    async fn decide_matches(
        &self,
        incident: &IncidentId,
        decisions: Vec<MatchDecision>,
        at: Timestamp,
    ) -> Result<Vec<MatchRow>, StoreError> {
        self.held().decide_matches(incident, decisions, at)
    }

    async fn start(&self, new: NewRun, at: Timestamp) -> Result<RunId, StoreError> {
        self.held().start(new, at)
    }

    async fn commit(&self, commit: Commit) -> Result<Seq, StoreError> {
        self.held().commit(commit)
    }

    async fn update_incident(&self, update: IncidentUpdate, at: Timestamp) -> Result<(), StoreError> {
        self.held().update_incident(update, at)
    }

    async fn change_measure(&self, change: MeasureChange, at: Timestamp) -> Result<(), StoreError> {
        self.held().change_measure(change, at)
    }

    async fn note(&self, note: Note, at: Timestamp) -> Result<(), StoreError> {
        fold::check_note(&note)?;
        self.held().record(&Record::Noted { note, at }).map(drop)
    }

    async fn keep_plan(&self, playbook: &PlaybookRef, bundle: &str) -> Result<(), StoreError> {
        self.held().keep_plan(playbook, bundle)
    }

    async fn put_file(&self, bytes: Vec<u8>) -> Result<String, StoreError> {
        fold::check_file(bytes.len())?;
        let sha256 = fold::sha256(&bytes);
        self.held().files.insert(sha256.clone(), bytes);
        Ok(sha256)
    }

    async fn load(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError> {
        Ok(self
            .held()
            .runs
            .get(run)
            .map(|kept| kept.events.clone())
            .unwrap_or_default())
    }

    async fn entity_of(&self, run: &RunId) -> Result<Option<EntityId>, StoreError> {
        let held = self.held();
        Ok(held.runs.get(run).map(|kept| kept.summary.entity.clone()))
    }

    async fn open_runs(&self) -> Result<Vec<(RunId, RunRow)>, StoreError> {
        Ok(self
            .held()
            .runs
            .iter()
            .filter(|(_, kept)| !kept.summary.row.status.is_over())
            .map(|(run, kept)| (run.clone(), kept.summary.row.clone()))
            .collect())
    }

    async fn undecided_incidents(&self) -> Result<Vec<IncidentId>, StoreError> {
        Ok(self.held().undecided())
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<StoredIncident>, StoreError> {
        Ok(self.held().incidents.get(id).map(KeptIncident::stored))
    }

    async fn plan(&self, revision: &str) -> Result<Option<String>, StoreError> {
        Ok(self.held().plans.get(revision).cloned())
    }

    async fn file(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.held().files.get(sha256).cloned())
    }

    async fn measures(&self, entity: &EntityId, at: Timestamp) -> Result<Vec<Measure>, StoreError> {
        Ok(self.held().measures_in_force(entity, at))
    }

    async fn measures_due(&self, at: Timestamp, limit: usize) -> Result<Vec<Measure>, StoreError> {
        Ok(self.held().measures_due(at, limit))
    }

    async fn blocks_since(&self, entity: &EntityId, since: Timestamp) -> Result<(u64, u64), StoreError> {
        Ok(self.held().blocks_since(entity, since))
    }

    async fn figures(&self) -> Result<StoreFigures, StoreError> {
        Ok(self.held().figures())
    }

    async fn incidents(
        &self,
        scope: &Scope,
        filter: IncidentFilter,
        page: PageRequest,
    ) -> Result<Page<IncidentSummary>, StoreError> {
        self.held().incidents_page(scope, &filter, &page)
    }

    async fn incident_in(
        &self,
        scope: &Scope,
        id: &IncidentId,
    ) -> Result<Option<StoredIncident>, StoreError> {
        crate::paging::may_see(scope, "incidents")?;
        let held = self.held();
        let kept = held.incidents.get(id).filter(|kept| scope.covers(&kept.entity));
        Ok(kept.map(KeptIncident::stored))
    }

    async fn matches(&self, scope: &Scope, id: &IncidentId) -> Result<Vec<MatchRow>, StoreError> {
        crate::paging::may_see(scope, "the match ledger")?;
        let held = self.held();
        let kept = held.incidents.get(id).filter(|kept| scope.covers(&kept.entity));
        Ok(kept.and_then(|kept| kept.matches.clone()).unwrap_or_default())
    }

    async fn runs(
        &self,
        scope: &Scope,
        filter: RunFilter,
        page: PageRequest,
    ) -> Result<Page<RunSummary>, StoreError> {
        self.held().runs_page(scope, &filter, &page)
    }

    async fn find_run(&self, scope: &Scope, prefix: &str) -> Result<Vec<RunSummary>, StoreError> {
        crate::paging::may_see(scope, "runs")?;
        let held = self.held();
        let fits = held
            .runs
            .values()
            .filter(|kept| kept.summary.run.matches_prefix(prefix) && scope.covers(&kept.summary.entity));
        Ok(fits.take(2).map(|kept| kept.summary.clone()).collect())
    }

    async fn inquiries(
        &self,
        scope: &Scope,
        filter: InquiryFilter,
        page: PageRequest,
    ) -> Result<Page<StoredInquiry>, StoreError> {
        self.held().inquiries_page(scope, &filter, &page)
    }

    async fn inquiry(&self, scope: &Scope, id: InquiryId) -> Result<Option<StoredInquiry>, StoreError> {
        crate::paging::may_see(scope, "inquiries")?;
        let held = self.held();
        let kept = held.inquiries.get(&id.number());
        Ok(kept.filter(|kept| scope.covers(&kept.entity)).cloned())
    }

    async fn events(&self, scope: &Scope, run: &RunId) -> Result<Option<Vec<Recorded>>, StoreError> {
        crate::paging::may_see(scope, "the events of runs")?;
        let held = self.held();
        let kept = held
            .runs
            .get(run)
            .filter(|kept| scope.covers(&kept.summary.entity));
        Ok(kept.map(|kept| kept.events.clone()))
    }

    async fn audit(
        &self,
        scope: &Scope,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditRecord>, StoreError> {
        self.held().audit_page(scope, &filter, &page)
    }
}

#[cfg(test)]
mod tests {
    //! The store in memory keeps the contract.

    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        crate::conformance::run(|| async { MemoryStore::open() as Arc<dyn Store> }).await;
    }
}
