//! Block lists as firewalls, proxies and resolvers poll them.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use state::ids::EntityId;

use crate::error::OperationError;
use crate::request::{Answered, Call, shown};
use crate::view::ListKind;

#[cfg(test)]
mod tests;

pub(crate) async fn show(call: Call) -> Answered {
    let entity: EntityId = call.id("entity", "entity")?;
    let name = call.parameter("list");
    let kind = ListKind::ALL
        .iter()
        .copied()
        .find(|kind| name.strip_suffix(".txt") == Some(kind.word()))
        .ok_or_else(|| OperationError::not_found(format!("block list `{}`", shown(name))))?;
    let list = call
        .operations()
        .block_list(&call.principal, &entity, kind)
        .await?;
    let etag = HeaderValue::from_str(&format!("\"{}\"", list.etag)).map_err(OperationError::internal)?;
    let unchanged = is_known(&call.headers, &list.etag);
    let mut response = Response::new(if unchanged {
        Body::empty()
    } else {
        Body::from(list.text)
    });
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    // No `Last-Modified`: a list also changes when an entry ends, at a time that nothing recorded,
    // and a device that compares dates would keep what is over.
    headers.insert(ETAG, etag);
    Ok(response)
}

/// Whether the reader holds this copy already.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(|tag| {
            let tag = tag.trim();
            tag.strip_prefix("W/").unwrap_or(tag)
        })
        .any(|tag| tag == "*" || tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) == Some(etag))
}
