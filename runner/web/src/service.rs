//! From a request to its answer: the router over the table, and what holds for every route.
//!
//! Owns the order of checks: who it is, how fast it asks, whether the server is stopping,
//! permission, query, body, and only then the handler. `Host`, `Forwarded` and `X-*` headers are never read.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, RawPathParams};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::authentication::{Authentication, Credential, Peer, Schemes};
use crate::error::{OperationError, RETRY_AFTER_DEFAULT};
use crate::operations::Operations;
use crate::pace::{Pace, RequestLimits};
use crate::page::{Tickets, Visit};
use crate::problem::Problem;
use crate::query::Query;
use crate::request::{self, Answered, Call, MAIL_BODIES_MAX, Room};
use crate::routes::{Door, Handler, ROUTES, Route, Verb};

#[cfg(test)]
mod tests;

/// A handler must have begun its answer within this time. A change already asked for goes on.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What every request can reach. Shared by all connections.
pub(crate) struct Service {
    pub(crate) operations: Arc<dyn Operations>,
    pub(crate) authentication: Arc<dyn Authentication>,
    /// Cancelled when no new work is taken.
    pub(crate) draining: CancellationToken,
    /// Requests being answered.
    pub(crate) in_flight: TaskTracker,
    pub(crate) mail_bodies: Arc<Semaphore>,
    pub(crate) pace: Pace,
    pub(crate) tickets: Tickets,
    pub(crate) openapi: Bytes,
}

impl Service {
    pub(crate) fn new(
        operations: Arc<dyn Operations>,
        authentication: Arc<dyn Authentication>,
        limits: RequestLimits,
    ) -> Arc<Self> {
        Arc::new(Self {
            operations,
            authentication,
            draining: CancellationToken::new(),
            in_flight: TaskTracker::new(),
            mail_bodies: Arc::new(Semaphore::new(MAIL_BODIES_MAX)),
            pace: Pace::new(limits),
            tickets: Tickets::default(),
            openapi: crate::openapi::document().to_string().into(),
        })
    }

    /// The router: the table, and what answers outside of it.
    pub(crate) fn router(self: &Arc<Self>) -> Router {
        let mut router = Router::new();
        for route in ROUTES {
            let service = Arc::clone(self);
            let filter = match route.method {
                Verb::Get => MethodFilter::GET,
                Verb::Post => MethodFilter::POST,
            };
            let handler = move |request: Request<Body>| {
                let service = Arc::clone(&service);
                async move { finish(answer(service, route, request).await) }
            };
            router = router.route(route.path, on(filter, handler));
        }
        let (elsewhere, wrong_method) = (Arc::clone(self), Arc::clone(self));
        router
            .fallback(move |request: Request<Body>| {
                let refusal = elsewhere.outside(request, StatusCode::NOT_FOUND);
                async move { finish(refusal) }
            })
            .method_not_allowed_fallback(move |request: Request<Body>| {
                let refusal = wrong_method.outside(request, StatusCode::METHOD_NOT_ALLOWED);
                async move { finish(refusal) }
            })
    }

    /// Whom a request is from, and that its token does not ask too fast.
    fn sender(
        &self,
        parts: &Parts,
        schemes: Schemes,
    ) -> Result<(Credential, state::access::Principal), OperationError> {
        let peer = parts.extensions.get::<Peer>().copied();
        let credential = Credential::of(peer, &parts.headers, schemes).ok_or(OperationError::Unauthorized)?;
        let principal = credential
            .principal(self.authentication.as_ref())
            .ok_or(OperationError::Unauthorized)?;
        if let Credential::Token(_) = credential {
            self.pace.take(&principal.actor().name)?;
        }
        Ok((credential, principal))
    }

    /// The answer where the table has nothing: strangers do not learn even that.
    fn outside(&self, request: Request<Body>, status: StatusCode) -> Answered {
        let (parts, _) = request.into_parts();
        self.sender(&parts, Schemes::Bearer)?;
        Err(if status == StatusCode::METHOD_NOT_ALLOWED {
            Problem::new(status, "method", "this address does not take this method")
                .help("`GET /openapi.json` lists every address with its methods")
        } else {
            OperationError::not_found("such address").into()
        })
    }
}

async fn answer(service: Arc<Service>, route: &'static Route, request: Request<Body>) -> Answered {
    // Held until the answer begins, and taken before the question whether the server stops.
    let _in_flight = service.in_flight.token();
    let (permission, schemes, handler) = match route.door {
        Door::Public(handler) => return handler(service).await,
        Door::Page(handler) => return handler(visit(service, route, request).await?).await,
        Door::Needs(permission, schemes, handler) => (permission, schemes, handler),
    };
    let (mut parts, body) = request.into_parts();
    let (credential, principal) = service.sender(&parts, schemes)?;
    if service.draining.is_cancelled() {
        return Err(OperationError::Busy {
            why: "the server is stopping and takes no new work".to_owned(),
            retry_after: RETRY_AFTER_DEFAULT,
        }
        .into());
    }
    principal.scope(permission).map_err(OperationError::from)?;
    let parameters = RawPathParams::from_request_parts(&mut parts, &())
        .await
        .map_err(|_| OperationError::not_found("such address"))?
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let query = Query::parse(parts.uri.query(), route.query)?;
    let (media, body, room) = if route.accepts.is_empty() {
        (None, Bytes::new(), None)
    } else {
        let media = request::media(&parts.headers, route.accepts)?;
        let (body, room) = request::body(&service, &parts.headers, body, media).await?;
        (Some(media), body, room)
    };
    let call = Call {
        service,
        principal,
        credential,
        parameters,
        query,
        headers: parts.headers,
        media,
        body,
    };
    run(route, handler, call, room).await
}

/// Reads what a browser sends. Who it is, is asked by the page itself.
async fn visit(
    service: Arc<Service>,
    route: &'static Route,
    request: Request<Body>,
) -> Result<Visit, Problem> {
    let (mut parts, body) = request.into_parts();
    let id = RawPathParams::from_request_parts(&mut parts, &())
        .await
        .ok()
        .and_then(|parameters| parameters.iter().next().map(|(_, value)| value.to_owned()))
        .unwrap_or_default();
    let body = if route.accepts.is_empty() {
        Bytes::new()
    } else {
        let media = request::media(&parts.headers, route.accepts)?;
        request::body(&service, &parts.headers, body, media).await?.0
    };
    Ok(Visit { service, id, body })
}

/// Runs a handler in a task of its own: a client that leaves does not cut a change in two, and a
/// panic is an answer.
async fn run(route: &Route, handler: Handler, call: Call, room: Room) -> Answered {
    let tracker = call.service.in_flight.clone();
    let task = tracker.spawn(async move {
        // Also when nobody waits for the answer any more: what a mail needs, it needs until here.
        let _room = room;
        handler(call).await
    });
    let abort = task.abort_handle();
    match tokio::time::timeout(ANSWER_TIMEOUT, task).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => Err(OperationError::internal(format!("{route:?}: {error}")).into()),
        Err(_) => {
            let what = match route.method {
                Verb::Get => {
                    abort.abort();
                    "nothing was changed"
                }
                Verb::Post => "it may still be done; look before repeating it",
            };
            Err(OperationError::Busy {
                why: format!("no answer within {} s; {what}", ANSWER_TIMEOUT.as_secs()),
                retry_after: RETRY_AFTER_DEFAULT,
            }
            .into())
        }
    }
}

/// Puts on every answer what browsers and caches must know.
fn finish(answered: Answered) -> Response {
    let mut response = answered.unwrap_or_else(Problem::into_response);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
