//! Everything a user can do, in this process: the one implementation of [`web::Operations`].
//!
//! Owns the permission check of each operation. Reads go to the store under the caller's scope,
//! changes go through intake (see `taking_in`) and the dispatcher.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use state::access::{Permission, Principal};
use state::event::Seq;
use state::ids::{EntityId, IncidentId, InquiryId};
use state::store::{
    AuditFilter, AuditRecord, IncidentFilter, IncidentSummary, InquiryFilter, Page, PageRequest, RunFilter,
};
use tokio::sync::Semaphore;
use web::operations::{Answer, RunStream};
use web::view::simulation::{AskSimulation, Simulation};
use web::view::{
    BlockList, EffectView, Figures, IncidentDetail, InquiryDetail, InquiryView, ListKind, MatchView,
    PlaybookView, Preview, Readiness, RunDecided, RunDetail, RunStarted, RunVerb, RunView, SayToInquiry,
    StartRun, Submission, SubmitReport,
};
use web::{OperationError, Operations};

use crate::config::Settings;
use crate::dispatch::{ByHand, Dispatcher, StartError};
use crate::intake::Source;
use crate::library::Compiled;
use crate::limits::AlertRate;

mod deciding;
mod inquiries;
mod showing;
mod simulation;
mod taking_in;

pub use showing::RUN_PREFIX_CHARACTERS_MIN;
use showing::{ScopedEvents, detail};

/// The operations of this process.
#[derive(Debug, Clone)]
pub struct LocalOperations {
    dispatcher: Dispatcher,
    started_at: Timestamp,
    weakened: Arc<[String]>,
    sources: Arc<BTreeMap<String, Source>>,
    rate: Arc<AlertRate>,
    simulations: Arc<Semaphore>,
}

impl LocalOperations {
    /// Operations over a dispatcher, under the settings of an operator. `weakened` are those that
    /// are weaker than the default, in words.
    pub fn new(
        dispatcher: Dispatcher,
        started_at: Timestamp,
        weakened: Vec<String>,
        settings: &Settings,
    ) -> Self {
        Self {
            dispatcher,
            started_at,
            weakened: weakened.into(),
            sources: Arc::new(settings.sources.clone()),
            rate: Arc::new(AlertRate::new(&settings.limits)),
            simulations: Arc::new(Semaphore::new(1)),
        }
    }

    /// The published version of a playbook.
    fn current(&self, playbook: &str) -> Answer<Arc<Compiled>> {
        self.dispatcher.library().get(playbook).ok_or_else(|| {
            OperationError::not_found(format!(
                "playbook `{}`",
                playbook.chars().take(60).collect::<String>()
            ))
        })
    }

    fn not_draining(&self) -> Answer<()> {
        if self.dispatcher.is_draining() {
            return Err(OperationError::Busy {
                why: "the server is stopping and takes no new work".to_owned(),
                retry_after: web::error::RETRY_AFTER_DEFAULT,
            });
        }
        Ok(())
    }
}

/// Why a run did not start, for whoever asked.
fn not_started(error: StartError) -> OperationError {
    match error {
        StartError::NoEntity(entity) => OperationError::not_found(format!("entity `{entity}`")),
        StartError::Refused(refusal @ engine::StartRefusal::Input { .. }) => {
            OperationError::invalid(refusal.to_string())
        }
        StartError::Refused(refusal) => OperationError::Refused {
            why: refusal.to_string(),
            help: None,
        },
        StartError::Turn(why) => OperationError::Refused { why, help: None },
        StartError::Busy(why) => OperationError::Refused {
            why,
            help: Some("start it again when that run is over; `sortie runs list` shows it".to_owned()),
        },
        StartError::Store(error) => error.into(),
    }
}

#[async_trait]
impl Operations for LocalOperations {
    async fn submit(&self, caller: &Principal, submission: Submission) -> Answer<SubmitReport> {
        let scope = caller.scope(Permission::Submit)?;
        self.not_draining()?;
        self.take(caller, &scope, &submission).await
    }

    async fn incidents(
        &self,
        caller: &Principal,
        filter: IncidentFilter,
        page: PageRequest,
    ) -> Answer<Page<IncidentSummary>> {
        let scope = caller.scope(Permission::See)?;
        Ok(self.dispatcher.store().incidents(&scope, filter, page).await?)
    }

    async fn incident(&self, caller: &Principal, id: &IncidentId) -> Answer<IncidentDetail> {
        let scope = caller.scope(Permission::See)?;
        let found = self.dispatcher.store().incident_in(&scope, id).await?;
        found
            .map(IncidentDetail::from)
            .ok_or_else(|| OperationError::not_found(format!("incident {id}")))
    }

    async fn matches(&self, caller: &Principal, id: &IncidentId) -> Answer<Vec<MatchView>> {
        let scope = caller.scope(Permission::See)?;
        if self.dispatcher.store().incident_in(&scope, id).await?.is_none() {
            return Err(OperationError::not_found(format!("incident {id}")));
        }
        let rows = self.dispatcher.store().matches(&scope, id).await?;
        Ok(rows.into_iter().map(MatchView::from).collect())
    }

    async fn playbooks(&self, caller: &Principal) -> Answer<Vec<PlaybookView>> {
        let scope = caller.scope(Permission::See)?;
        let operator = self.dispatcher.operator();
        let now = self.dispatcher.now();
        let view = |compiled: &Arc<Compiled>| {
            let plan = &compiled.plan;
            let rollout: BTreeMap<_, _> = operator
                .entities
                .values()
                .filter_map(|entity| Some((entity.id.parse().ok()?, *entity.rollout.get(&plan.id)?)))
                .filter(|(entity, mode)| mode.starts() && scope.covers(entity))
                .collect();
            let next_start = |entity: &EntityId| {
                let zone = &operator.entities.get(entity.as_str())?.timezone;
                plan.trigger.schedule.as_ref()?.next_due(now, zone)
            };
            PlaybookView {
                next_start: rollout
                    .keys()
                    .filter_map(|entity| Some((entity.clone(), next_start(entity)?)))
                    .collect(),
                id: plan.id.clone(),
                name: plan.name.clone(),
                version: plan.version,
                revision: plan.revision.clone(),
                description: plan.description.clone(),
                owner: plan.owner.clone(),
                tags: plan.tags.clone(),
                incident_types: plan.trigger.incident.clone(),
                manual: plan.trigger.manual,
                steps: plan.steps.len(),
                rollout,
            }
        };
        Ok(self.dispatcher.library().current().values().map(view).collect())
    }

    async fn simulate(&self, caller: &Principal, playbook: &str, ask: AskSimulation) -> Answer<Simulation> {
        self.simulated(caller, playbook, ask).await
    }

    async fn start(&self, caller: &Principal, request: StartRun) -> Answer<RunStarted> {
        let scope = caller.scope(Permission::Start)?;
        self.not_draining()?;
        let compiled = self.current(&request.playbook)?;
        let stored = self
            .chosen(caller, &scope, request.incident.as_ref(), request.entity.as_ref())
            .await?;
        let (entity, incident) = match stored {
            Some(stored) => {
                let id: IncidentId = stored
                    .incident
                    .reference
                    .parse()
                    .map_err(OperationError::internal)?;
                (stored.entity, Some((id, stored.incident)))
            }
            None => (self.entity_for(&scope, request.entity.as_ref())?, None),
        };
        if incident.is_none() && !compiled.plan.trigger.incident.is_empty() {
            return Err(OperationError::invalid(format!(
                "`{}` works on an incident and none was given; name one with --incident (a reference or a file)",
                compiled.plan.id
            )));
        }
        let id = incident.as_ref().map(|(id, _)| id.clone());
        let by_hand = ByHand {
            entity,
            incident,
            inputs: request.inputs,
            actor: caller.actor().clone(),
            mode: request.mode,
            rerun_of: None,
        };
        let begun = self.dispatcher.start_by_hand(&compiled, by_hand).await;
        let begun = begun.map_err(not_started)?;
        Ok(RunStarted {
            run: begun.run,
            incident: id,
            attached: begun.attached,
        })
    }

    async fn runs(&self, caller: &Principal, filter: RunFilter, page: PageRequest) -> Answer<Page<RunView>> {
        let scope = caller.scope(Permission::See)?;
        let found = self.dispatcher.store().runs(&scope, filter, page).await?;
        Ok(Page {
            rows: found.rows.into_iter().map(RunView::from).collect(),
            next: found.next,
        })
    }

    async fn run(&self, caller: &Principal, run: &str) -> Answer<RunDetail> {
        let scope = caller.scope(Permission::See)?;
        let summary = self.summary(&scope, run).await?;
        let events = self.dispatcher.store().events(&scope, &summary.run).await?;
        let events = events.ok_or_else(|| OperationError::not_found(format!("run `{run}`")))?;
        let compiled = self.compiled(&summary.playbook.revision).await?;
        let mut timeline = self.timeline(&compiled, &summary.entity, events.first());
        for event in &events {
            timeline.apply(event);
        }
        Ok(detail(summary, &compiled, timeline.rows(), events))
    }

    async fn cancel(&self, caller: &Principal, run: &str, reason: &str) -> Answer<RunView> {
        let scope = caller.scope(Permission::Start)?;
        let summary = self.summary(&scope, run).await?;
        if summary.row.status.is_over() {
            return Err(OperationError::Refused {
                why: format!(
                    "run {} is over: {}",
                    summary.run.short(),
                    summary.row.status.word()
                ),
                help: None,
            });
        }
        self.dispatcher
            .cancel(&summary.run, caller.actor().clone(), reason.to_owned())
            .await
            .map_err(deciding::refused)?;
        Ok(summary.into())
    }

    async fn preview(&self, caller: &Principal, run: &str, verb: RunVerb) -> Answer<Preview> {
        self.previewed(caller, run, verb).await
    }

    async fn decide(&self, caller: &Principal, run: &str, verb: RunVerb, reason: &str) -> Answer<RunDecided> {
        self.not_draining()?;
        self.decided(caller, run, verb, reason).await
    }

    async fn effects(&self, caller: &Principal, entity: Option<EntityId>) -> Answer<Vec<EffectView>> {
        self.in_force(caller, entity).await
    }

    async fn watch(&self, caller: &Principal, run: &str, after: Option<Seq>) -> Answer<RunStream> {
        let scope = caller.scope(Permission::See)?;
        let summary = self.summary(&scope, run).await?;
        let events = self
            .dispatcher
            .store()
            .events(&scope, &summary.run)
            .await?
            .unwrap_or_default();
        let compiled = self.compiled(&summary.playbook.revision).await?;
        let timeline = self.timeline(&compiled, &summary.entity, events.first());
        let source = Arc::new(ScopedEvents {
            dispatcher: self.dispatcher.clone(),
            scope,
        });
        Ok(web::live::follow(
            self.dispatcher.feed(),
            source,
            summary.run,
            timeline,
            after,
        ))
    }

    async fn inquiries(
        &self,
        caller: &Principal,
        filter: InquiryFilter,
        page: PageRequest,
    ) -> Answer<Page<InquiryView>> {
        self.inquiry_page(caller, filter, page).await
    }

    async fn inquiry(&self, caller: &Principal, id: InquiryId) -> Answer<InquiryDetail> {
        self.inquiry_detail(caller, id).await
    }

    async fn reply(&self, caller: &Principal, id: InquiryId, said: SayToInquiry) -> Answer<InquiryDetail> {
        self.take_reply(caller, id, said).await
    }

    async fn audit(
        &self,
        caller: &Principal,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Answer<Page<AuditRecord>> {
        let scope = caller.scope(Permission::Audit)?;
        Ok(self.dispatcher.store().audit(&scope, filter, page).await?)
    }

    async fn block_list(&self, caller: &Principal, entity: &EntityId, list: ListKind) -> Answer<BlockList> {
        let scope = caller.scope(Permission::See)?;
        if !scope.covers(entity) || !self.dispatcher.operator().entities.contains_key(entity.as_str()) {
            return Err(OperationError::not_found(format!("block list of `{entity}`")));
        }
        let now = self.dispatcher.now();
        let operator = self.dispatcher.operator();
        let kind = match list {
            ListKind::Ip | ListKind::Ip6 => "ip",
            ListKind::Domain => "domain",
            ListKind::Url => "url",
        };
        let mut entries = std::collections::BTreeSet::new();
        for measure in self.dispatcher.store().measures(entity, now).await? {
            let served = operator
                .connections
                .get(&measure.connection)
                .is_none_or(|connection| connection.provider == "block_list");
            let wanted = measure.kind == kind && (list != ListKind::Ip6 || measure.target.contains(':'));
            if served && wanted {
                entries.insert(measure.target);
            }
        }
        let text: String = entries.into_iter().map(|entry| entry + "\n").collect();
        let etag = hex::encode(Sha256::digest(text.as_bytes()))
            .chars()
            .take(32)
            .collect();
        Ok(BlockList { text, etag })
    }

    async fn figures(&self, caller: &Principal) -> Answer<Figures> {
        let scope = caller.scope(Permission::See)?;
        if !matches!(scope.reach(), state::access::Reach::All) {
            return Err(OperationError::Denied {
                why: "figures count all entities; this token reaches some".to_owned(),
            });
        }
        Ok(Figures {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            store: self.dispatcher.store().figures().await?,
            in_flight: self.dispatcher.active_runs() as u64,
            playbooks: self.dispatcher.library().current().len(),
            entities: self.dispatcher.operator().entities.len(),
            weakened: self.weakened.to_vec(),
        })
    }

    async fn readiness(&self) -> Readiness {
        let why = if self.dispatcher.store().stopped().is_some() {
            Some("the store stopped; nothing is acknowledged until the next start")
        } else {
            self.dispatcher.is_draining().then_some("stopping")
        };
        Readiness {
            ready: why.is_none(),
            why: why.map(str::to_owned),
        }
    }
}
