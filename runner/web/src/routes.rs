//! The one route table. Router, permissions, `OpenAPI` and the test that refuses strangers are all
//! made from [`ROUTES`]; a handler that is not in it cannot be reached.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::response::Response;
use state::access::Permission;

use crate::api;
use crate::authentication::Schemes;
use crate::page::{self, Visit};
use crate::problem::Problem;
use crate::query;
use crate::request::Call;
use crate::service::Service;

/// Largest JSON body, in bytes.
pub const JSON_BYTES_MAX: usize = 1024 * 1024;
/// Largest mail, in bytes.
pub const MAIL_BYTES_MAX: usize = 25 * 1024 * 1024;

/// Largest form of a page, in bytes.
pub const FORM_BYTES_MAX: usize = 16 * 1024;

type Answering = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>>;

/// What answers a request whose sender is known and has the permission.
pub(crate) type Handler = fn(Call) -> Answering;
/// What answers anybody.
pub(crate) type PublicHandler = fn(Arc<Service>) -> Answering;

/// The methods that exist here. `HEAD` is `GET` without the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Changes.
    Post,
}

/// Kinds of body that routes take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/json`.
    Json,
    /// `application/x-ndjson`: one JSON document a line.
    NdJson,
    /// `message/rfc822`: a mail as it is.
    Mail,
    /// `application/x-www-form-urlencoded`: what a browser sends.
    Form,
}

impl Media {
    /// Its name in `Content-Type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::NdJson => "application/x-ndjson",
            Self::Mail => "message/rfc822",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }

    /// Largest body of this kind, in bytes.
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Json | Self::NdJson => JSON_BYTES_MAX,
            Self::Mail => MAIL_BYTES_MAX,
            Self::Form => FORM_BYTES_MAX,
        }
    }
}

/// Who may come in, and what answers them.
#[derive(Clone, Copy)]
pub(crate) enum Door {
    /// Anybody. Says nothing about anybody's data.
    Public(PublicHandler),
    /// Anybody, with a page that shows nothing before somebody signed in.
    Page(fn(Visit) -> Answering),
    /// Who has this permission.
    Needs(Permission, Schemes, Handler),
}

/// One route.
pub struct Route {
    /// Its method.
    pub method: Verb,
    /// Its path, with `{parameters}`.
    pub path: &'static str,
    pub(crate) door: Door,
    /// Kinds of body it takes; empty when it takes none.
    pub accepts: &'static [Media],
    /// Query keys it takes.
    pub query: &'static [&'static str],
    /// What it does, one line.
    pub summary: &'static str,
    /// What it answers when it did: statuses and, in words, the body.
    pub answers: &'static [(u16, &'static str)],
}

impl Route {
    /// The permission it needs; none when it is public.
    pub const fn permission(&self) -> Option<Permission> {
        match self.door {
            Door::Public(_) | Door::Page(_) => None,
            Door::Needs(permission, ..) => Some(permission),
        }
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} ({:?})", self.method, self.path, self.permission())
    }
}

const fn needs(permission: Permission, handler: Handler) -> Door {
    Door::Needs(permission, Schemes::Bearer, handler)
}

/// Every route there is.
pub static ROUTES: &[Route] = &[
    Route {
        method: Verb::Post,
        path: "/api/v1/incidents",
        door: needs(Permission::Submit, |call| Box::pin(api::incidents::submit(call))),
        accepts: &[Media::Json, Media::Mail],
        query: query::SUBMIT_KEYS,
        summary: "Take in an incident in Sortie's JSON form, or a reported mail",
        answers: &[
            (202, "kept and durable; the report names the reference"),
            (200, "nothing new: known already or ignored, with the reason"),
        ],
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/intake/{mapper}",
        door: needs(Permission::Submit, |call| Box::pin(api::incidents::intake(call))),
        accepts: &[Media::Json, Media::NdJson, Media::Mail],
        query: query::SUBMIT_KEYS,
        summary: "Take in alerts from a configured source, or in the form that a named mapper reads",
        answers: &[
            (
                202,
                "at least one kept and durable; one line an alert in the report",
            ),
            (200, "nothing new: known already or ignored, with the reason"),
        ],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/incidents",
        door: needs(Permission::See, |call| Box::pin(api::incidents::list(call))),
        accepts: &[],
        query: query::INCIDENT_KEYS,
        summary: "List incidents, newest first",
        answers: &[(200, "a page of incidents; `next` goes into `after`")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/incidents/{id}",
        door: needs(Permission::See, |call| Box::pin(api::incidents::show(call))),
        accepts: &[],
        query: &[],
        summary: "Show an incident with everything known about it",
        answers: &[(200, "the incident and its changes")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/incidents/{id}/matches",
        door: needs(Permission::See, |call| Box::pin(api::incidents::matches(call))),
        accepts: &[],
        query: &[],
        summary: "Say what every playbook made of an incident, and why not",
        answers: &[(200, "one row a playbook")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/playbooks",
        door: needs(Permission::See, |call| Box::pin(api::runs::playbooks(call))),
        accepts: &[],
        query: &[],
        summary: "List playbooks",
        answers: &[(200, "one row a playbook")],
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/playbooks/{playbook}/simulation",
        door: needs(Permission::See, |call| Box::pin(api::runs::simulate(call))),
        accepts: &[Media::Json],
        query: &[],
        summary: "Tell what a playbook would do about stored incidents, or in what two editions differ",
        answers: &[(200, "a row for each incident; nothing was done")],
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/runs",
        door: needs(Permission::Start, |call| Box::pin(api::runs::start(call))),
        accepts: &[Media::Json],
        query: &[],
        summary: "Start a playbook by hand",
        answers: &[(202, "the run exists durably and goes on by itself")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/runs",
        door: needs(Permission::See, |call| Box::pin(api::runs::list(call))),
        accepts: &[],
        query: query::RUN_KEYS,
        summary: "List runs, newest first",
        answers: &[(200, "a page of runs; `next` goes into `after`")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/runs/{id}",
        door: needs(Permission::See, |call| Box::pin(api::runs::show(call))),
        accepts: &[],
        query: &[],
        summary: "Show a run: its steps and everything that happened",
        answers: &[(200, "the run")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/runs/{id}/events",
        door: needs(Permission::See, |call| Box::pin(api::events::follow(call))),
        accepts: &[],
        query: query::EVENTS_KEYS,
        summary: "Follow a run as server-sent events; resume with Last-Event-ID",
        answers: &[(200, "a stream of changes that ends when the run is over")],
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/runs/{id}/cancel",
        door: needs(Permission::Start, |call| Box::pin(api::runs::cancel(call))),
        accepts: &[Media::Json],
        query: &[],
        summary: "Ask a run to stop, with a reason for the record",
        answers: &[(202, "asked; steps in flight finish first")],
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/runs/{id}/settle",
        door: needs(Permission::Settle, |call| Box::pin(api::decisions::settle(call))),
        accepts: &[Media::Json],
        query: &[],
        summary: "Say what became of a step in doubt, or that a failed one was done by hand",
        answers: &[(200, "recorded; the run goes on by itself")],
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/runs/{id}/ack",
        door: needs(Permission::Settle, |call| {
            Box::pin(api::decisions::acknowledge(call))
        }),
        accepts: &[Media::Json],
        query: &[],
        summary: "Take note of a failed run",
        answers: &[(200, "recorded")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/runs/{id}/retry",
        door: needs(Permission::Start, |call| {
            Box::pin(api::decisions::preview_retry(call))
        }),
        accepts: &[],
        query: api::decisions::RETRY_KEYS,
        summary: "Show what a retry would do",
        answers: &[(200, "the effects it would have, one row each")],
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/runs/{id}/retry",
        door: needs(Permission::Start, |call| Box::pin(api::decisions::retry(call))),
        accepts: &[Media::Json],
        query: &[],
        summary: "Try again what failed in a run, and what was left out because of it",
        answers: &[(200, "recorded; the run is open again and goes on by itself")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/runs/{id}/rerun",
        door: needs(Permission::Start, |call| {
            Box::pin(api::decisions::preview_rerun(call))
        }),
        accepts: &[],
        query: api::decisions::RERUN_KEYS,
        summary: "Show which effects of a run are in force and would be repeated",
        answers: &[(200, "the effects it would have, one row each")],
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/runs/{id}/rerun",
        door: needs(Permission::Start, |call| Box::pin(api::decisions::rerun(call))),
        accepts: &[Media::Json],
        query: &[],
        summary: "Start another run on the same incident and inputs",
        answers: &[(200, "the new run exists durably and goes on by itself")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/runs/{id}/undo",
        door: needs(Permission::Settle, |call| {
            Box::pin(api::decisions::preview_undo(call))
        }),
        accepts: &[],
        query: api::decisions::UNDO_KEYS,
        summary: "Show what would be taken back, newest first, and what cannot be",
        answers: &[(200, "the effects of the run, one row each")],
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/runs/{id}/undo",
        door: needs(Permission::Settle, |call| Box::pin(api::decisions::undo(call))),
        accepts: &[Media::Json],
        query: &[],
        summary: "Take effects of a run back, newest first",
        answers: &[(200, "recorded; the run takes them back by itself")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/effects",
        door: needs(Permission::See, |call| Box::pin(api::decisions::effects(call))),
        accepts: &[],
        query: api::decisions::EFFECTS_KEYS,
        summary: "List what is in force, by entity and target",
        answers: &[(200, "one row a measure")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/approvals",
        door: needs(Permission::See, |call| Box::pin(api::inquiries::list(call))),
        accepts: &[],
        query: query::INQUIRY_KEYS,
        summary: "List what people are asked, newest first; `state=open` leaves out what is over",
        answers: &[(200, "a page of approvals and questions; `next` goes into `after`")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/approvals/{id}",
        door: needs(Permission::See, |call| Box::pin(api::inquiries::show(call))),
        accepts: &[],
        query: &[],
        summary: "Show one with the resolved parameters, their digest, and whether you may reply",
        answers: &[(200, "the approval or question")],
    },
    Route {
        method: Verb::Post,
        path: "/api/v1/approvals/{id}",
        door: needs(Permission::Approve, |call| Box::pin(api::inquiries::reply(call))),
        accepts: &[Media::Json],
        query: &[],
        summary: "Approve, refuse or answer, as a person, naming the digest that was shown",
        answers: &[(200, "it is recorded; the approval or question as it stands now")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/audit",
        door: needs(Permission::Audit, |call| Box::pin(api::system::audit(call))),
        accepts: &[],
        query: query::AUDIT_KEYS,
        summary: "List audit records, oldest first",
        answers: &[(200, "a page of records; `next` goes into `after`")],
    },
    Route {
        method: Verb::Get,
        path: "/api/v1/figures",
        door: needs(Permission::See, |call| Box::pin(api::system::figures(call))),
        accepts: &[],
        query: &[],
        summary: "Show figures over all entities, to those who reach all",
        answers: &[(200, "the figures")],
    },
    Route {
        method: Verb::Get,
        path: "/edl/{entity}/{list}",
        door: Door::Needs(Permission::See, Schemes::BearerOrBasic, |call| {
            Box::pin(api::block_list::show(call))
        }),
        accepts: &[],
        query: &[],
        summary: "Poll a block list: ip.txt, ip6.txt, domain.txt or url.txt",
        answers: &[
            (200, "one entry a line, sorted; empty when nothing is blocked"),
            (304, "unchanged"),
        ],
    },
    Route {
        method: Verb::Get,
        path: "/a/{id}",
        door: Door::Page(|visit| Box::pin(async move { page::sign_in(&visit) })),
        accepts: &[],
        query: &[],
        summary: "Show the page on which a person signs in to decide; the same for every id",
        answers: &[(200, "HTML")],
    },
    Route {
        method: Verb::Post,
        path: "/a/{id}",
        door: Door::Page(|visit| Box::pin(page::act(visit))),
        accepts: &[Media::Form],
        query: &[],
        summary: "Sign in with a token and look, or decide with the one-time ticket of the page",
        answers: &[(200, "HTML: the approval or question as it stands")],
    },
    Route {
        method: Verb::Get,
        path: "/page.css",
        door: Door::Public(|_| Box::pin(async { Ok(page::style()) })),
        accepts: &[],
        query: &[],
        summary: "The style of the pages",
        answers: &[(200, "CSS")],
    },
    Route {
        method: Verb::Get,
        path: "/openapi.json",
        door: needs(Permission::See, |call| {
            Box::pin(async move { Ok(api::system::openapi(&call)) })
        }),
        accepts: &[],
        query: &[],
        summary: "Describe this API (OpenAPI 3.1)",
        answers: &[(200, "the description")],
    },
    Route {
        method: Verb::Get,
        path: "/healthz",
        door: Door::Public(|_| Box::pin(async { api::system::alive() })),
        accepts: &[],
        query: &[],
        summary: "Say that the process answers",
        answers: &[(200, "it does")],
    },
    Route {
        method: Verb::Get,
        path: "/readyz",
        door: Door::Public(|service| Box::pin(api::system::ready(service))),
        accepts: &[],
        query: &[],
        summary: "Say whether new work is taken",
        answers: &[(200, "it is"), (503, "it is not, and why in general words")],
    },
];
