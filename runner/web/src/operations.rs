//! Everything a user can do, as one trait.
//!
//! The HTTP server asks it on behalf of whoever authenticated; the command line asks it in the
//! same process or, through [`crate::client::Client`], in a running server. There is no other way
//! in. Checking permissions is the implementor's duty; the route table checks them once more.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::Stream;
use state::access::Principal;
use state::event::Seq;
use state::ids::{EntityId, IncidentId, InquiryId};
use state::store::{
    AuditFilter, AuditRecord, IncidentFilter, IncidentSummary, InquiryFilter, Page, PageRequest, RunFilter,
};

use crate::error::OperationError;
use crate::view::simulation::{AskSimulation, Simulation};
use crate::view::{
    BlockList, EffectView, Figures, IncidentDetail, InquiryDetail, InquiryView, ListKind, MatchView,
    PlaybookView, Preview, Readiness, RunChange, RunDecided, RunDetail, RunStarted, RunVerb, RunView,
    SayToInquiry, StartRun, Submission, SubmitReport,
};

/// What an operation answers.
pub type Answer<T> = Result<T, OperationError>;

/// The changes of a run, oldest first. Ends after the change that closes the run, or with an error.
pub type RunStream = Pin<Box<dyn Stream<Item = Answer<RunChange>> + Send>>;

/// Everything a user can do. `Caller` is who asks: the server's side knows a [`Principal`]; a
/// client is whoever the far end takes it for and says [`Myself`].
///
/// Entities out of the caller's reach are [`OperationError::NotFound`], a missing permission is
/// [`OperationError::Denied`]. Lists are paged, newest first unless said otherwise.
#[async_trait]
pub trait Operations<Caller: ?Sized + Sync + 'static = Principal>: Send + Sync + 'static {
    /// Takes incidents in. Durable when it returns.
    async fn submit(&self, caller: &Caller, submission: Submission) -> Answer<SubmitReport>;

    /// Incidents.
    async fn incidents(
        &self,
        caller: &Caller,
        filter: IncidentFilter,
        page: PageRequest,
    ) -> Answer<Page<IncidentSummary>>;

    /// One incident.
    async fn incident(&self, caller: &Caller, id: &IncidentId) -> Answer<IncidentDetail>;

    /// What every playbook made of an incident: the match ledger, by playbook.
    async fn matches(&self, caller: &Caller, id: &IncidentId) -> Answer<Vec<MatchView>>;

    /// Playbooks, by id.
    async fn playbooks(&self, caller: &Caller) -> Answer<Vec<PlaybookView>>;

    /// Tells what a playbook would do about stored incidents, or in what two editions of it differ.
    /// Nothing is asked of anybody and nothing is stored.
    async fn simulate(&self, caller: &Caller, playbook: &str, ask: AskSimulation) -> Answer<Simulation>;

    /// Starts a playbook by hand. The run exists durably when it returns; it goes on by itself.
    async fn start(&self, caller: &Caller, request: StartRun) -> Answer<RunStarted>;

    /// Runs.
    async fn runs(&self, caller: &Caller, filter: RunFilter, page: PageRequest) -> Answer<Page<RunView>>;

    /// One run, by its id or by enough first characters of it; ambiguous ones are invalid.
    async fn run(&self, caller: &Caller, run: &str) -> Answer<RunDetail>;

    /// Asks a run to stop, with a reason for the record. Steps in flight finish first.
    async fn cancel(&self, caller: &Caller, run: &str, reason: &str) -> Answer<RunView>;

    /// What a verb would do with a run; nothing is done.
    async fn preview(&self, caller: &Caller, run: &str, verb: RunVerb) -> Answer<Preview>;

    /// Decides about a run, with a reason for the record. Durable when it returns.
    async fn decide(&self, caller: &Caller, run: &str, verb: RunVerb, reason: &str) -> Answer<RunDecided>;

    /// What is in force at one entity, or at all in reach, by entity and target.
    async fn effects(&self, caller: &Caller, entity: Option<EntityId>) -> Answer<Vec<EffectView>>;

    /// Follows a run: every change after event `after` (none means from the start), then live.
    async fn watch(&self, caller: &Caller, run: &str, after: Option<Seq>) -> Answer<RunStream>;

    /// What people are asked, by number.
    async fn inquiries(
        &self,
        caller: &Caller,
        filter: InquiryFilter,
        page: PageRequest,
    ) -> Answer<Page<InquiryView>>;

    /// One inquiry, with what will be done and whether the caller may reply.
    async fn inquiry(&self, caller: &Caller, id: InquiryId) -> Answer<InquiryDetail>;

    /// Replies to an inquiry. Durable when it returns. What is decided, over its time or voided is
    /// refused, and so is a reply to something else than what the caller saw.
    async fn reply(&self, caller: &Caller, id: InquiryId, said: SayToInquiry) -> Answer<InquiryDetail>;

    /// Audit records, oldest first.
    async fn audit(
        &self,
        caller: &Caller,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Answer<Page<AuditRecord>>;

    /// The block list of an entity as its devices poll it. Empty when nothing is blocked.
    async fn block_list(&self, caller: &Caller, entity: &EntityId, list: ListKind) -> Answer<BlockList>;

    /// Figures over all entities, for operators: refused to callers who cannot reach all.
    async fn figures(&self, caller: &Caller) -> Answer<Figures>;

    /// Whether new work is taken. Asked without a caller; says nothing about anybody's data.
    async fn readiness(&self) -> Readiness;
}

/// The caller of a connection that already stands for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Myself;

/// Operations in this process, on behalf of one principal. Gives the command line the same face
/// in-process as the client gives it over HTTP.
#[derive(Clone)]
pub struct AsPrincipal {
    operations: Arc<dyn Operations>,
    principal: Principal,
}

impl AsPrincipal {
    /// Binds operations to a principal.
    pub fn new(operations: Arc<dyn Operations>, principal: Principal) -> Self {
        Self {
            operations,
            principal,
        }
    }
}

impl std::fmt::Debug for AsPrincipal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsPrincipal")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Operations<Myself> for AsPrincipal {
    async fn submit(&self, _: &Myself, submission: Submission) -> Answer<SubmitReport> {
        self.operations.submit(&self.principal, submission).await
    }
    async fn incidents(
        &self,
        _: &Myself,
        filter: IncidentFilter,
        page: PageRequest,
    ) -> Answer<Page<IncidentSummary>> {
        self.operations.incidents(&self.principal, filter, page).await
    }
    async fn incident(&self, _: &Myself, id: &IncidentId) -> Answer<IncidentDetail> {
        self.operations.incident(&self.principal, id).await
    }
    async fn matches(&self, _: &Myself, id: &IncidentId) -> Answer<Vec<MatchView>> {
        self.operations.matches(&self.principal, id).await
    }
    async fn playbooks(&self, _: &Myself) -> Answer<Vec<PlaybookView>> {
        self.operations.playbooks(&self.principal).await
    }
    async fn simulate(&self, _: &Myself, playbook: &str, ask: AskSimulation) -> Answer<Simulation> {
        self.operations.simulate(&self.principal, playbook, ask).await
    }
    async fn start(&self, _: &Myself, request: StartRun) -> Answer<RunStarted> {
        self.operations.start(&self.principal, request).await
    }
    async fn runs(&self, _: &Myself, filter: RunFilter, page: PageRequest) -> Answer<Page<RunView>> {
        self.operations.runs(&self.principal, filter, page).await
    }
    async fn run(&self, _: &Myself, run: &str) -> Answer<RunDetail> {
        self.operations.run(&self.principal, run).await
    }
    async fn cancel(&self, _: &Myself, run: &str, reason: &str) -> Answer<RunView> {
        self.operations.cancel(&self.principal, run, reason).await
    }
    async fn preview(&self, _: &Myself, run: &str, verb: RunVerb) -> Answer<Preview> {
        self.operations.preview(&self.principal, run, verb).await
    }
    async fn decide(&self, _: &Myself, run: &str, verb: RunVerb, reason: &str) -> Answer<RunDecided> {
        self.operations.decide(&self.principal, run, verb, reason).await
    }
    async fn effects(&self, _: &Myself, entity: Option<EntityId>) -> Answer<Vec<EffectView>> {
        self.operations.effects(&self.principal, entity).await
    }
    async fn watch(&self, _: &Myself, run: &str, after: Option<Seq>) -> Answer<RunStream> {
        self.operations.watch(&self.principal, run, after).await
    }
    async fn inquiries(
        &self,
        _: &Myself,
        filter: InquiryFilter,
        page: PageRequest,
    ) -> Answer<Page<InquiryView>> {
        self.operations.inquiries(&self.principal, filter, page).await
    }
    async fn inquiry(&self, _: &Myself, id: InquiryId) -> Answer<InquiryDetail> {
        self.operations.inquiry(&self.principal, id).await
    }
    async fn reply(&self, _: &Myself, id: InquiryId, said: SayToInquiry) -> Answer<InquiryDetail> {
        self.operations.reply(&self.principal, id, said).await
    }
    async fn audit(&self, _: &Myself, filter: AuditFilter, page: PageRequest) -> Answer<Page<AuditRecord>> {
        self.operations.audit(&self.principal, filter, page).await
    }
    async fn block_list(&self, _: &Myself, entity: &EntityId, list: ListKind) -> Answer<BlockList> {
        self.operations.block_list(&self.principal, entity, list).await
    }
    async fn figures(&self, _: &Myself) -> Answer<Figures> {
        self.operations.figures(&self.principal).await
    }
    async fn readiness(&self) -> Readiness {
        self.operations.readiness().await
    }
}
