//! The audit trail, figures, health, and the description of this API.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::problem::json;
use crate::request::{Answered, Call};
use crate::service::Service;
use crate::view::Readiness;

pub(crate) async fn audit(call: Call) -> Answered {
    let (filter, page) = (call.query.audit_filter()?, call.query.page()?);
    let page = call.operations().audit(&call.principal, filter, page).await?;
    json(StatusCode::OK, &page)
}

pub(crate) async fn figures(call: Call) -> Answered {
    let figures = call.operations().figures(&call.principal).await?;
    json(StatusCode::OK, &figures)
}

pub(crate) fn openapi(call: &Call) -> Response {
    let mut response = Response::new(Body::from(call.service.openapi.clone()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[derive(Serialize)]
struct Alive {
    alive: bool,
}

pub(crate) fn alive() -> Answered {
    json(StatusCode::OK, &Alive { alive: true })
}

pub(crate) async fn ready(service: Arc<Service>) -> Answered {
    let readiness = if service.draining.is_cancelled() {
        Readiness {
            ready: false,
            why: Some("stopping".to_owned()),
        }
    } else {
        service.operations.readiness().await
    };
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, &readiness)
}
