//! The store contract, fulfilled by handing writes to the committer and reads to other threads.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::files::KeepError;
use super::request::{Proposal, Reply, Request};
use super::{EmbeddedStore, Shared};
use crate::access::Scope;
use crate::event::{PlaybookRef, Recorded, Seq};
use crate::fold;
use crate::ids::{EntityId, IncidentId, InquiryId, RunId};
use crate::paging;
use crate::record::Begun;
use crate::store::{
    Accepted, AuditFilter, AuditRecord, Commit, IncidentFilter, IncidentSummary, IncidentUpdate,
    InquiryFilter, MatchDecision, MatchRow, MatchVerdict, Measure, MeasureChange, NewIncident, NewRun, Note,
    Page, PageRequest, RunFilter, RunRow, RunSummary, Store, StoreError, StoreFigures, StoredIncident,
    StoredInquiry,
};

/// The committer answered another question than was asked: a fault of this program.
fn wrong_answer(reply: &Reply) -> StoreError {
    StoreError::Ambiguous {
        reason: format!("the committer answered {reply:?}"),
    }
}

fn begun(new: NewRun) -> Result<Begun, StoreError> {
    fold::check_run(&new)?;
    Ok(new.into())
}

fn proposals(shared: &Shared, decisions: Vec<MatchDecision>) -> Result<Vec<Proposal>, StoreError> {
    decisions
        .into_iter()
        .map(|decision| {
            fold::check_playbook(&decision.playbook)?;
            Ok(match decision.verdict {
                MatchVerdict::No { why } => Proposal::No(decision.playbook, why),
                MatchVerdict::Start(new) => {
                    let mut begun = Box::new(begun(*new)?);
                    shared.thin(&mut begun)?;
                    Proposal::Start(decision.playbook, begun)
                }
            })
        })
        .collect()
}

impl EmbeddedStore {
    async fn done(&self, request: Request) -> Result<(), StoreError> {
        match self.write(request).await? {
            Reply::Done => Ok(()),
            other => Err(wrong_answer(&other)),
        }
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    fn stopped(&self) -> Option<Arc<str>> {
        self.shared.stopped.get().cloned()
    }

    async fn accept(&self, new: NewIncident) -> Result<Accepted, StoreError> {
        fold::check_incident(&new)?;
        match self.write(Request::Accept(Box::new(new))).await? {
            Reply::Accepted(accepted) => Ok(accepted),
            other => Err(wrong_answer(&other)),
        }
    }

    async fn decide_matches(
        &self,
        incident: &IncidentId,
        decisions: Vec<MatchDecision>,
        at: Timestamp,
    ) -> Result<Vec<MatchRow>, StoreError> {
        let proposals = self.read(move |shared| proposals(shared, decisions)).await?;
        let request = Request::Decide {
            incident: incident.clone(),
            proposals,
            at,
        };
        match self.write(request).await? {
            Reply::Decided(rows) => Ok(rows),
            Reply::DecidedBefore => {
                let id = incident.clone();
                self.read(move |shared| match shared.incident_entity(&id)? {
                    Some(entity) => shared.matches_of(&entity, &id),
                    None => Ok(Vec::new()),
                })
                .await
            }
            other => Err(wrong_answer(&other)),
        }
    }

    async fn start(&self, new: NewRun, at: Timestamp) -> Result<RunId, StoreError> {
        let mut begun = Box::new(begun(new)?);
        let begun = self
            .read(move |shared| shared.thin(&mut begun).map(|()| begun))
            .await?;
        match self.write(Request::Start { begun, at }).await? {
            Reply::Run(run) => Ok(run),
            other => Err(wrong_answer(&other)),
        }
    }

    async fn commit(&self, mut commit: Commit) -> Result<Seq, StoreError> {
        fold::check_commit(&mut commit)?;
        match self.write(Request::Commit(Box::new(commit))).await? {
            Reply::Head(head) => Ok(head),
            other => Err(wrong_answer(&other)),
        }
    }

    async fn update_incident(&self, update: IncidentUpdate, at: Timestamp) -> Result<(), StoreError> {
        fold::check_actor(&update.actor)?;
        let update = Box::new(update);
        self.done(Request::Update { update, at }).await
    }

    async fn change_measure(&self, change: MeasureChange, at: Timestamp) -> Result<(), StoreError> {
        fold::check_measure(&change)?;
        self.done(Request::Measure { change, at }).await
    }

    async fn note(&self, note: Note, at: Timestamp) -> Result<(), StoreError> {
        fold::check_note(&note)?;
        self.done(Request::Note { note, at }).await
    }

    async fn keep_plan(&self, playbook: &PlaybookRef, bundle: &str) -> Result<(), StoreError> {
        fold::check_playbook(playbook)?;
        self.done(Request::Plan {
            playbook: playbook.clone(),
            bundle: bundle.to_owned(),
        })
        .await
    }

    async fn put_file(&self, bytes: Vec<u8>) -> Result<String, StoreError> {
        fold::check_file(bytes.len())?;
        self.read(move |shared| {
            if let Some(error) = shared.stopped() {
                return Err(error);
            }
            shared.files.keep(&bytes).map_err(|error| match error {
                KeepError::Full => shared.full(),
                KeepError::Broken(reason) => shared.stop(&reason),
            })
        })
        .await
    }

    async fn load(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError> {
        let run = run.clone();
        self.read(move |shared| shared.load(&run)).await
    }

    async fn entity_of(&self, run: &RunId) -> Result<Option<EntityId>, StoreError> {
        let run = run.clone();
        self.read(move |shared| shared.entity_of(&run)).await
    }

    async fn open_runs(&self) -> Result<Vec<(RunId, RunRow)>, StoreError> {
        self.read(Shared::open_runs).await
    }

    async fn undecided_incidents(&self) -> Result<Vec<IncidentId>, StoreError> {
        self.read(Shared::undecided).await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<StoredIncident>, StoreError> {
        let id = id.clone();
        self.read(move |shared| shared.incident(&id)).await
    }

    async fn plan(&self, revision: &str) -> Result<Option<String>, StoreError> {
        let revision = revision.to_owned();
        self.read(move |shared| shared.plan(&revision)).await
    }

    async fn file(&self, sha256: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let sha256 = sha256.to_owned();
        self.read(move |shared| shared.files.read(&sha256)).await
    }

    async fn measures(&self, entity: &EntityId, at: Timestamp) -> Result<Vec<Measure>, StoreError> {
        let entity = entity.clone();
        self.read(move |shared| shared.measures(&entity, at)).await
    }

    async fn measures_due(&self, at: Timestamp, limit: usize) -> Result<Vec<Measure>, StoreError> {
        self.read(move |shared| shared.measures_due(at, limit)).await
    }

    async fn blocks_since(&self, entity: &EntityId, since: Timestamp) -> Result<(u64, u64), StoreError> {
        let entity = entity.clone();
        self.read(move |shared| shared.blocks_since(&entity, since)).await
    }

    async fn figures(&self) -> Result<StoreFigures, StoreError> {
        self.read(Shared::figures).await
    }

    async fn incidents(
        &self,
        scope: &Scope,
        filter: IncidentFilter,
        page: PageRequest,
    ) -> Result<Page<IncidentSummary>, StoreError> {
        let scope = scope.clone();
        self.read(move |shared| shared.incidents_page(&scope, &filter, &page))
            .await
    }

    async fn incident_in(
        &self,
        scope: &Scope,
        id: &IncidentId,
    ) -> Result<Option<StoredIncident>, StoreError> {
        paging::may_see(scope, "incidents")?;
        let (scope, id) = (scope.clone(), id.clone());
        self.read(move |shared| match shared.incident_entity(&id)? {
            Some(entity) if scope.covers(&entity) => shared.incident_of(&entity, &id),
            _ => Ok(None),
        })
        .await
    }

    async fn matches(&self, scope: &Scope, id: &IncidentId) -> Result<Vec<MatchRow>, StoreError> {
        paging::may_see(scope, "the match ledger")?;
        let (scope, id) = (scope.clone(), id.clone());
        self.read(move |shared| match shared.incident_entity(&id)? {
            Some(entity) if scope.covers(&entity) => shared.matches_of(&entity, &id),
            _ => Ok(Vec::new()),
        })
        .await
    }

    async fn runs(
        &self,
        scope: &Scope,
        filter: RunFilter,
        page: PageRequest,
    ) -> Result<Page<RunSummary>, StoreError> {
        let scope = scope.clone();
        self.read(move |shared| shared.runs_page(&scope, &filter, &page))
            .await
    }

    async fn find_run(&self, scope: &Scope, prefix: &str) -> Result<Vec<RunSummary>, StoreError> {
        let (scope, prefix) = (scope.clone(), prefix.to_owned());
        self.read(move |shared| shared.find_run(&scope, &prefix)).await
    }

    async fn inquiries(
        &self,
        scope: &Scope,
        filter: InquiryFilter,
        page: PageRequest,
    ) -> Result<Page<StoredInquiry>, StoreError> {
        let scope = scope.clone();
        self.read(move |shared| shared.inquiries_page(&scope, &filter, &page))
            .await
    }

    async fn inquiry(&self, scope: &Scope, id: InquiryId) -> Result<Option<StoredInquiry>, StoreError> {
        let scope = scope.clone();
        self.read(move |shared| shared.inquiry(&scope, id)).await
    }

    async fn events(&self, scope: &Scope, run: &RunId) -> Result<Option<Vec<Recorded>>, StoreError> {
        paging::may_see(scope, "the events of runs")?;
        let (scope, run) = (scope.clone(), run.clone());
        self.read(move |shared| match shared.run_head(&run)? {
            Some((entity, head)) if scope.covers(&entity) => shared.events_of(&run, &head).map(Some),
            _ => Ok(None),
        })
        .await
    }

    async fn audit(
        &self,
        scope: &Scope,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditRecord>, StoreError> {
        let scope = scope.clone();
        self.read(move |shared| shared.audit_page(&scope, &filter, &page))
            .await
    }
}
