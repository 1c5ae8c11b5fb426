//! A request on its way to a handler: who asks, what for, and with which bytes.
//!
//! Owns the strict reading of bodies: one exact content type, a size limit while reading, a time
//! limit, no content encodings. A handler never sees a request that broke one of them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use state::access::Principal;
use tokio::sync::OwnedSemaphorePermit;

use crate::authentication::Credential;
use crate::error::{OperationError, RETRY_AFTER_DEFAULT};
use crate::operations::Operations;
use crate::problem::Problem;
use crate::query::Query;
use crate::routes::Media;
use crate::service::Service;

/// A JSON body must have arrived within this time.
pub(crate) const JSON_BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// A mail must have arrived within this time.
pub(crate) const MAIL_BODY_TIMEOUT: Duration = Duration::from_mins(2);
/// Mails read and worked on at once; more are asked to come back. Bounds memory to this many times
/// what a mail of 25 MiB needs.
pub(crate) const MAIL_BODIES_MAX: usize = 8;

/// A request that passed the table: its sender is known and has the route's permission.
pub(crate) struct Call {
    pub(crate) service: Arc<Service>,
    pub(crate) principal: Principal,
    pub(crate) credential: Credential,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) media: Option<Media>,
    pub(crate) body: Bytes,
}

impl Call {
    /// Everything a user can do.
    pub(crate) fn operations(&self) -> &dyn Operations {
        self.service.operations.as_ref()
    }

    /// A path parameter that must have the form of an identifier. One that has not cannot exist.
    pub(crate) fn id<T: std::str::FromStr>(&self, name: &str, what: &str) -> Result<T, OperationError> {
        let text = self.parameter(name);
        text.parse()
            .map_err(|_| OperationError::not_found(format!("{what} `{}`", shown(text))))
    }

    /// A path parameter as text.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// The body as JSON of a closed form.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, OperationError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| OperationError::invalid(format!("the body does not fit: {error}")))
    }
}

/// A name from outside, short enough for a message.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(64)
        .collect()
}

/// The kind of body by its one exact content type.
pub(crate) fn media(headers: &HeaderMap, accepts: &[Media]) -> Result<Media, Problem> {
    let refuse = |found: &str| {
        let names: Vec<&str> = accepts.iter().map(|media| media.name()).collect();
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            format!("{found} is not taken here"),
        )
        .help(format!("send one `Content-Type` header: {}", names.join(" or ")))
    };
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(refuse("an encoded body").help("send the body as it is, without `Content-Encoding`"));
    }
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refuse("a body without exactly one content type"));
    };
    let text = value.to_str().unwrap_or_default();
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let parameters = parameters.trim();
    let utf8 = parameters.is_empty()
        || parameters.eq_ignore_ascii_case("charset=utf-8")
        || parameters.eq_ignore_ascii_case("charset=\"utf-8\"");
    accepts
        .iter()
        .copied()
        .find(|media| utf8 && essence.trim().eq_ignore_ascii_case(media.name()))
        .ok_or_else(|| refuse(&format!("`{}`", shown(text))))
}

/// The room that a mail takes until its handler is done with it.
pub(crate) type Room = Option<OwnedSemaphorePermit>;

/// Reads a body of a kind, within its limits.
pub(crate) async fn body(
    service: &Service,
    headers: &HeaderMap,
    body: Body,
    media: Media,
) -> Result<(Bytes, Room), Problem> {
    let limit = media.bytes_max();
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
        return Err(too_large(limit));
    }
    let (room, wait) = match media {
        Media::Json | Media::NdJson | Media::Form => (None, JSON_BODY_TIMEOUT),
        Media::Mail => {
            let permit = Arc::clone(&service.mail_bodies)
                .try_acquire_owned()
                .map_err(|_| OperationError::Busy {
                    why: format!("{MAIL_BODIES_MAX} mails are being taken in at this moment"),
                    retry_after: RETRY_AFTER_DEFAULT,
                })?;
            (Some(permit), MAIL_BODY_TIMEOUT)
        }
    };
    match tokio::time::timeout(wait, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok((collected.to_bytes(), room)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Ok(Err(error)) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid",
            format!("the body broke off: {error}"),
        )),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!("the body did not arrive within {} s", wait.as_secs()),
        )),
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        format!("the body is larger than {limit} bytes"),
    )
    .help("send fewer alerts at once")
}

/// An answer of a handler.
pub(crate) type Answered = Result<Response, Problem>;
