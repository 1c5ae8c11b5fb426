//! Operations in memory for this crate's tests: two entities with an incident and a run each, and
//! tokens with every set of permissions that matters. Strict about scopes, like the real one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use state::access::{Actor, Permission, Principal, Reach, TokenBook, TokenRecord};
use state::event::{Event, Mode, Recorded, RunStatus, Seq};
use state::ids::{EntityId, IncidentId, InquiryId, RunId};
use state::memory::MemoryStore;
use state::store::{
    AuditFilter, AuditRecord, IncidentFilter, IncidentSummary, InquiryFilter, Page, PageRequest, RunFilter,
    StoreFigures,
};

use crate::authentication::{Authentication, LocalPeer};
use crate::error::OperationError;
use crate::live::{EventSource, Feed, follow};
use crate::operations::{Answer, Operations, RunStream};
use crate::timeline::Timeline;
use crate::view::simulation::{AskSimulation, Simulation};
use crate::view::{
    BlockList, EffectView, Figures, Finding, IncidentDetail, InquiryDetail, InquiryView, ListKind, MatchView,
    MatchWord, PlaybookView, Preview, Readiness, RunDecided, RunDetail, RunStarted, RunVerb, RunView,
    SayToInquiry, StartRun, Submission, SubmitReport, Submitted,
};

use self::rows::{summary, view};

pub(crate) mod inquiries;
mod rows;
mod tokens;

use self::tokens::mint;
pub(crate) use self::tokens::token;

/// The entity that tokens reach, unless they reach all.
pub(crate) const OURS: &str = "alpha";
/// An entity that they do not.
pub(crate) const THEIRS: &str = "beta";
/// The user of the local operator.
pub(crate) const OPERATOR_UID: u32 = 4_711;

pub(crate) fn incident_of(entity: &str) -> IncidentId {
    let number = if entity == OURS { 1 } else { 2 };
    format!("PH-2026-0000{number}").parse().unwrap()
}

pub(crate) fn run_of(entity: &str) -> RunId {
    RunId::from_parts(1_700_000_000_000, if entity == OURS { 1 } else { 2 })
}

fn owner_of(run: &str) -> Option<&'static str> {
    [OURS, THEIRS]
        .into_iter()
        .find(|entity| run_of(entity).matches_prefix(run))
}

pub(crate) const fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// Everything in memory.
pub(crate) struct Fake {
    pub(crate) feed: Feed,
    pub(crate) events: Arc<Events>,
    pub(crate) submissions: Mutex<Vec<Submission>>,
    pub(crate) cancelled: AtomicU64,
    book: Mutex<TokenBook>,
    store: Arc<MemoryStore>,
}

#[derive(Default)]
pub(crate) struct Events(Mutex<Vec<Recorded>>);

#[async_trait]
impl EventSource for Events {
    async fn events_from(&self, _: &RunId, from: Seq) -> Answer<Vec<Recorded>> {
        let events = self.0.lock().unwrap();
        Ok(events.iter().filter(|event| event.seq >= from).cloned().collect())
    }
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        let mut records = vec![Self::everywhere().1, token(Permission::ALL, true).1];
        for permission in Permission::ALL {
            records.push(token(&[*permission], false).1);
            records.push(token(&Self::all_but(*permission), false).1);
        }
        records.push(token(Permission::ALL, false).1);
        Arc::new(Self {
            feed: Feed::default(),
            events: Arc::default(),
            submissions: Mutex::default(),
            cancelled: AtomicU64::new(0),
            book: Mutex::new(TokenBook::new(records, now()).unwrap()),
            store: MemoryStore::open(),
        })
    }

    /// A token that reaches every entity.
    pub(crate) fn everywhere() -> (String, TokenRecord) {
        mint("everywhere", 0xff, Permission::ALL, Reach::All, false)
    }

    pub(crate) fn all_but(permission: Permission) -> Vec<Permission> {
        let others = Permission::ALL.iter().copied();
        others.filter(|other| *other != permission).collect()
    }

    /// Forgets every token.
    pub(crate) fn revoke_all(&self) {
        *self.book.lock().unwrap() = TokenBook::default();
    }

    /// Adds an event to our run.
    pub(crate) fn happens(&self, event: Event) {
        let mut events = self.events.0.lock().unwrap();
        let seq = Seq::try_from(events.len()).unwrap();
        events.push(Recorded {
            seq,
            at: now(),
            event,
        });
        self.feed.changed(&run_of(OURS));
    }

    pub(crate) fn a_let(name: &str) -> Event {
        Event::LetSettled {
            name: name.to_owned(),
            value: Some(json!(name)),
            absent: None,
        }
    }

    pub(crate) fn closed() -> Event {
        Event::Closed {
            status: RunStatus::Succeeded,
            outputs: std::collections::BTreeMap::new(),
            summary: "done".to_owned(),
            handled_failures: 0,
            records: 1,
        }
    }
}

impl Authentication for Fake {
    fn token(&self, presented: &str) -> Option<Principal> {
        self.book.lock().unwrap().authenticate(presented, now()).ok()
    }
    fn unguessable(&self) -> [u8; 32] {
        let number = self.cancelled.fetch_add(1, Ordering::Relaxed);
        std::array::from_fn(|place| u8::try_from((number + u64::try_from(place).unwrap()) % 251).unwrap())
    }
    fn local(&self, peer: LocalPeer) -> Option<Principal> {
        (peer.uid == OPERATOR_UID || crate::server::is_our_user(peer))
            .then(|| Principal::operator("nora", &self.store.operator_proof()))
    }
}

fn seen(caller: &Principal, permission: Permission, entity: &str, what: &str) -> Answer<EntityId> {
    let entity: EntityId = entity.parse().unwrap();
    if caller.scope(permission)?.covers(&entity) {
        Ok(entity)
    } else {
        Err(OperationError::not_found(what))
    }
}

#[async_trait]
impl Operations for Fake {
    async fn submit(&self, caller: &Principal, submission: Submission) -> Answer<SubmitReport> {
        let entity = submission.entity.as_ref().map_or(OURS, |entity| entity.as_str());
        seen(caller, Permission::Submit, entity, &format!("entity `{entity}`"))?;
        let text = String::from_utf8_lossy(&submission.bytes).into_owned();
        let id = incident_of(entity);
        self.submissions.lock().unwrap().push(submission);
        let refused = || Submitted::Refused {
            diagnostics: vec![Finding::error("no `title`", "/title").with_help("give one")],
        };
        let results = match text.as_str() {
            "\"panic\"" => panic!("a fault that must stay inside"),
            "\"hang\"" => std::future::pending().await,
            "\"slow\"" => {
                tokio::time::sleep(std::time::Duration::from_secs(8)).await;
                vec![Submitted::Accepted { id }]
            }
            "\"known\"" => vec![Submitted::Duplicate { id, count: 2 }],
            "\"mixed\"" => vec![refused(), Submitted::Accepted { id }],
            "\"bad\"" => vec![refused()],
            "\"quota\"" => {
                return Err(OperationError::TooMany {
                    why: "alpha sends more than 10 alerts a second".to_owned(),
                    retry_after: std::time::Duration::from_secs(7),
                });
            }
            _ => vec![Submitted::Accepted { id }],
        };
        Ok(SubmitReport { results })
    }

    async fn incidents(
        &self,
        caller: &Principal,
        filter: IncidentFilter,
        page: PageRequest,
    ) -> Answer<Page<IncidentSummary>> {
        let scope = caller.scope(Permission::See)?;
        let rows = [OURS, THEIRS]
            .into_iter()
            .map(summary)
            .filter(|row| scope.covers(&row.entity))
            .filter(|row| filter.entity.as_ref().is_none_or(|entity| *entity == row.entity));
        Ok(Page {
            rows: rows.collect(),
            next: page.after,
        })
    }

    async fn incident(&self, caller: &Principal, id: &IncidentId) -> Answer<IncidentDetail> {
        let owner = if *id == incident_of(OURS) { OURS } else { THEIRS };
        let entity = seen(caller, Permission::See, owner, &format!("incident `{id}`"))?;
        let row = summary(owner);
        let incident = serde_json::from_value(json!({
            "ref": row.id, "type": "phishing", "title": row.title, "severity": row.severity, "tlp": row.tlp,
            "pap": row.pap, "verdict": row.verdict, "detected_at": now(), "received_at": now(), "raw": {},
        }));
        Ok(IncidentDetail {
            entity,
            source: row.source,
            count: 1,
            actor: Actor::engine(),
            incident: incident.unwrap(),
            updates: Vec::new(),
        })
    }

    async fn matches(&self, caller: &Principal, id: &IncidentId) -> Answer<Vec<MatchView>> {
        self.incident(caller, id).await?;
        Ok(vec![MatchView {
            playbook: "vip-phishing".to_owned(),
            version: 2,
            result: MatchWord::No,
            run: None,
            why: Some("when was false".to_owned()),
            at: now(),
        }])
    }

    async fn playbooks(&self, caller: &Principal) -> Answer<Vec<PlaybookView>> {
        caller.scope(Permission::See)?;
        Ok(Vec::new())
    }

    async fn simulate(&self, caller: &Principal, playbook: &str, ask: AskSimulation) -> Answer<Simulation> {
        caller.scope(Permission::See)?;
        if let Some(entity) = &ask.entity {
            seen(
                caller,
                Permission::See,
                entity.as_str(),
                &format!("entity `{entity}`"),
            )?;
        }
        Ok(Simulation {
            playbook: playbook.to_owned(),
            editions: Vec::new(),
            incidents: Vec::new(),
            left_out: 0,
        })
    }

    async fn start(&self, caller: &Principal, request: StartRun) -> Answer<RunStarted> {
        let entity = request.entity.as_ref().map_or(OURS, |entity| entity.as_str());
        seen(caller, Permission::Start, entity, "such entity")?;
        if request.mode == Mode::Auto && request.playbook == "off" {
            return Err(OperationError::Refused {
                why: "the playbook is off for alpha".to_owned(),
                help: Some("start it with mode simulate".to_owned()),
            });
        }
        Ok(RunStarted {
            run: run_of(entity),
            incident: None,
            attached: false,
        })
    }

    async fn runs(&self, caller: &Principal, filter: RunFilter, page: PageRequest) -> Answer<Page<RunView>> {
        let scope = caller.scope(Permission::See)?;
        let rows = [OURS, THEIRS]
            .into_iter()
            .map(view)
            .filter(|row| scope.covers(&row.entity))
            .filter(|row| filter.status.is_empty() || filter.status.contains(&row.status));
        Ok(Page {
            rows: rows.collect(),
            next: page.after,
        })
    }

    async fn run(&self, caller: &Principal, run: &str) -> Answer<RunDetail> {
        let what = format!("run `{run}`");
        let owner = owner_of(run).ok_or_else(|| OperationError::not_found(what.clone()))?;
        seen(caller, Permission::See, owner, &what)?;
        Ok(RunDetail {
            run: view(owner),
            name: "Phishing report".to_owned(),
            mode: Mode::Auto,
            inputs: std::collections::BTreeMap::new(),
            outputs: std::collections::BTreeMap::new(),
            rerun_of: None,
            reruns: Vec::new(),
            steps: Vec::new(),
            events: self.events.0.lock().unwrap().clone(),
        })
    }

    async fn cancel(&self, caller: &Principal, run: &str, _: &str) -> Answer<RunView> {
        let what = format!("run `{run}`");
        let owner = owner_of(run).ok_or_else(|| OperationError::not_found(what.clone()))?;
        seen(caller, Permission::Start, owner, &what)?;
        self.cancelled.fetch_add(1, Ordering::Relaxed);
        Ok(view(owner))
    }

    async fn preview(&self, caller: &Principal, run: &str, verb: RunVerb) -> Answer<Preview> {
        let what = format!("run `{run}`");
        let owner = owner_of(run).ok_or_else(|| OperationError::not_found(what.clone()))?;
        seen(caller, verb.permission(), owner, &what)?;
        Ok(Preview {
            run: view(owner),
            effects: Vec::new(),
            besides: vec![format!("{verb:?}")],
        })
    }

    async fn decide(&self, caller: &Principal, run: &str, verb: RunVerb, reason: &str) -> Answer<RunDecided> {
        let what = format!("run `{run}`");
        let owner = owner_of(run).ok_or_else(|| OperationError::not_found(what.clone()))?;
        seen(caller, verb.permission(), owner, &what)?;
        Ok(RunDecided {
            run: view(owner),
            said: format!("{verb:?} because {reason}"),
        })
    }

    async fn effects(&self, caller: &Principal, entity: Option<EntityId>) -> Answer<Vec<EffectView>> {
        let scope = caller.scope(Permission::See)?;
        if let Some(entity) = entity.filter(|entity| !scope.covers(entity)) {
            return Err(OperationError::not_found(format!("entity `{entity}`")));
        }
        Ok(Vec::new())
    }

    async fn watch(&self, caller: &Principal, run: &str, after: Option<Seq>) -> Answer<RunStream> {
        self.run(caller, run).await?;
        let source: Arc<dyn EventSource> = self.events.clone();
        Ok(follow(&self.feed, source, run_of(OURS), Timeline::new([]), after).boxed())
    }

    async fn inquiries(
        &self,
        caller: &Principal,
        _: InquiryFilter,
        page: PageRequest,
    ) -> Answer<Page<InquiryView>> {
        Ok(inquiries::page(&caller.scope(Permission::See)?, page))
    }

    async fn inquiry(&self, caller: &Principal, id: InquiryId) -> Answer<InquiryDetail> {
        inquiries::one(caller, Permission::See, id)
    }

    async fn reply(&self, caller: &Principal, id: InquiryId, _: SayToInquiry) -> Answer<InquiryDetail> {
        inquiries::one(caller, Permission::Approve, id)
    }

    async fn audit(
        &self,
        caller: &Principal,
        _: AuditFilter,
        page: PageRequest,
    ) -> Answer<Page<AuditRecord>> {
        caller.scope(Permission::Audit)?;
        let record = AuditRecord {
            index: 0,
            at: now(),
            entity: None,
            kind: "process.started".to_owned(),
            run: None,
            seq: None,
            incident: None,
            actor: Actor::engine(),
            path: None,
            body: Value::Null,
        };
        Ok(Page {
            rows: vec![record],
            next: page.after,
        })
    }

    async fn block_list(&self, caller: &Principal, entity: &EntityId, list: ListKind) -> Answer<BlockList> {
        seen(
            caller,
            Permission::See,
            entity.as_str(),
            &format!("entity `{entity}`"),
        )?;
        let text = if list == ListKind::Ip {
            "203.0.113.7\n203.0.113.9\n"
        } else {
            ""
        };
        Ok(BlockList {
            text: text.to_owned(),
            etag: format!("v{}", text.len()),
        })
    }

    async fn figures(&self, caller: &Principal) -> Answer<Figures> {
        if *caller.scope(Permission::See)?.reach() != Reach::All {
            return Err(OperationError::Denied {
                why: "figures are over all entities".to_owned(),
            });
        }
        Ok(Figures {
            version: "0".to_owned(),
            started_at: now(),
            store: StoreFigures::default(),
            in_flight: 0,
            playbooks: 0,
            entities: 2,
            weakened: Vec::new(),
        })
    }

    async fn readiness(&self) -> Readiness {
        Readiness {
            ready: true,
            why: None,
        }
    }
}
