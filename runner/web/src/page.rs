//! The page of an approval or a question, for people with a browser.
//!
//! Owns the two requests of it. `GET` shows a form to sign in, the same for every id, and never acts.
//! `POST` signs in with the personal token and shows, or decides with the one-time ticket of the
//! form that was shown. Whether a decision counts is said by [`crate::Operations`], as for any door.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use state::access::{Permission, Principal};
use state::ids::InquiryId;

use crate::authentication::{CREDENTIAL_BYTES_MAX, Credential};
use crate::error::OperationError;
use crate::request::Answered;
use crate::service::Service;
use crate::view::SayToInquiry;

use html::Notice;
pub(crate) use tickets::Tickets;
use tickets::{Sight, TICKET_MINUTES};

mod html;
#[cfg(test)]
mod tests;
mod tickets;

/// What a page may load and where its forms may go: our own style, ourselves, nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A request of a browser.
pub(crate) struct Visit {
    pub(crate) service: Arc<Service>,
    pub(crate) id: String,
    pub(crate) body: Bytes,
}

/// The form to sign in. Says nothing about what the id is, or whether it is.
pub(crate) fn sign_in(visit: &Visit) -> Answered {
    let id = named(visit)?;
    Ok(page(StatusCode::OK, html::sign_in(id, None)))
}

/// Signs in, or decides.
pub(crate) async fn act(visit: Visit) -> Answered {
    let id = named(&visit)?;
    if visit.service.draining.is_cancelled() {
        let notice = Notice::bad("The server is stopping. Try again in a minute.");
        return Ok(page(
            StatusCode::SERVICE_UNAVAILABLE,
            html::sign_in(id, Some(&notice)),
        ));
    }
    // A decision that was begun is not cut in two by a browser that leaves.
    let tracker = visit.service.in_flight.clone();
    let task = tracker.spawn(async move {
        let form = Form::read(&visit.body);
        match (form.one("ticket"), form.one("token")) {
            (Some(ticket), _) => decide(&visit.service, id, ticket, &form).await,
            (None, Some(token)) => look(&visit.service, id, token).await,
            (None, None) => page(
                StatusCode::BAD_REQUEST,
                html::sign_in(id, Some(&Notice::bad("The token is missing."))),
            ),
        }
    });
    task.await
        .map_err(|error| OperationError::internal(format!("the page of {id}: {error}")).into())
}

/// The style of the pages.
pub(crate) fn style() -> Response {
    let mut response = Response::new(Body::from(include_str!("page/page.css")));
    let css = HeaderValue::from_static("text/css; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, css);
    response
}

fn named(visit: &Visit) -> Result<InquiryId, OperationError> {
    let id = visit.id.parse();
    id.map_err(|_| OperationError::not_found("such address"))
}

/// Who a token stands for, at a page.
fn person(service: &Service, token: &str) -> Result<Principal, Notice> {
    let refused = || Notice::bad("This token is not accepted: it is unknown, over, or was mistyped.");
    if token.len() > CREDENTIAL_BYTES_MAX {
        return Err(refused());
    }
    let credential = Credential::Token(token.to_owned());
    let principal = credential.principal(service.authentication.as_ref());
    let principal = principal.ok_or_else(refused)?;
    service
        .pace
        .take(&principal.actor().name)
        .map_err(|error| Notice::bad(&error.to_string()))?;
    principal
        .scope(Permission::Approve)
        .map_err(|_| Notice::bad("This token may not decide: it has not the permission `approve`."))?;
    Ok(principal.on_a_page())
}

async fn look(service: &Service, id: InquiryId, token: &str) -> Response {
    let token = token.trim();
    match person(service, token) {
        Ok(principal) => show(service, id, token, &principal, None).await,
        Err(notice) => page(StatusCode::UNAUTHORIZED, html::sign_in(id, Some(&notice))),
    }
}

/// The inquiry as it stands, with a fresh ticket for one decision about exactly this.
async fn show(
    service: &Service,
    id: InquiryId,
    token: &str,
    principal: &Principal,
    notice: Option<Notice>,
) -> Response {
    match service.operations.inquiry(principal, id).await {
        Ok(detail) => {
            let status = match &notice {
                Some(notice) if notice.bad => StatusCode::CONFLICT,
                _ => StatusCode::OK,
            };
            let ticket = detail.you.may.then(|| {
                let sight = Sight::new(id, token, detail.digest.clone());
                service.tickets.give(service.authentication.unguessable(), sight)
            });
            page(
                status,
                html::inquiry(&detail, principal, ticket.as_deref(), notice.as_ref()),
            )
        }
        Err(OperationError::NotFound { .. }) => {
            let notice = Notice::bad("Nothing of this number is asked of you.");
            page(StatusCode::NOT_FOUND, html::sign_in(id, Some(&notice)))
        }
        Err(error) => page(
            StatusCode::SERVICE_UNAVAILABLE,
            html::sign_in(id, Some(&refusal(&error))),
        ),
    }
}

async fn decide(service: &Service, id: InquiryId, ticket: &str, form: &Form) -> Response {
    let sight = service.tickets.take(ticket).filter(|sight| sight.id == id);
    let Some(sight) = sight else {
        let notice = Notice::bad(&format!(
            "Nothing was decided. A page is good for one decision within {TICKET_MINUTES} minutes; sign in again."
        ));
        return page(StatusCode::FORBIDDEN, html::sign_in(id, Some(&notice)));
    };
    let principal = match person(service, &sight.token) {
        Ok(principal) => principal,
        Err(notice) => return page(StatusCode::UNAUTHORIZED, html::sign_in(id, Some(&notice))),
    };
    let comment = form.one("comment").map(str::trim);
    let said = SayToInquiry {
        decision: form.one("decision").unwrap_or_default().to_owned(),
        comment: comment.filter(|comment| !comment.is_empty()).map(str::to_owned),
        digest: sight.digest.clone(),
    };
    let notice = match service.operations.reply(&principal, id, said).await {
        Ok(_) => Notice::good("Your decision is recorded."),
        Err(error) => refusal(&error),
    };
    show(service, id, &sight.token, &principal, Some(notice)).await
}

fn refusal(error: &OperationError) -> Notice {
    if let OperationError::Internal { detail } = error {
        tracing::error!(%detail, "a page failed");
        return Notice::bad("Sortie failed to answer; the log of the server has the cause.");
    }
    Notice::bad(&error.to_string())
}

fn page(status: StatusCode, html: String) -> Response {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// The fields of a form.
struct Form(Vec<(String, String)>);

impl Form {
    fn read(body: &[u8]) -> Self {
        let fields = url::form_urlencoded::parse(body);
        Self(fields.into_owned().collect())
    }

    /// The value of a field that is there exactly once.
    fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}
