//! From what went wrong on the wire to [`ActionError`], in one place.
//!
//! Owns what is certain: nothing was sent while the connection was being made; afterwards a
//! missing answer says nothing. No message holds a URL, a query or a secret.

use std::error::Error;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;

use super::answer::Answer;
use super::resolver::NameError;
use crate::action::ActionError;

/// Longest wait that a far end may ask for.
pub const RETRY_AFTER_MAX: Span = Span::hours(1);

/// A request that got no whole answer.
pub(super) fn transport(error: &reqwest::Error) -> ActionError {
    if let Some(NameError::Denied(denied)) = source::<NameError>(error) {
        return ActionError::policy(denied.to_string());
    }
    if error.is_builder() {
        return ActionError::invalid("the request could not be built");
    }
    if error.is_connect() {
        let detail = if error.is_timeout() {
            "no connection in time".to_owned()
        } else {
            format!("no connection: {}", root(error))
        };
        return ActionError::new(ErrorKind::Unreachable, detail).certain();
    }
    if error.is_timeout() {
        return ActionError::new(ErrorKind::Timeout, "no whole answer in time");
    }
    if error.is_decode() || error.is_body() {
        return ActionError::bad_answer(format!("the answer broke off: {}", root(error)));
    }
    ActionError::new(
        ErrorKind::ServerError,
        format!("the connection broke: {}", root(error)),
    )
}

/// What a status means; `None` when it is an answer.
pub(super) fn status(answer: &Answer, data_statuses: &[u16], now: Timestamp) -> Option<ActionError> {
    let code = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if code.is_success() || data_statuses.contains(&answer.status) {
        return None;
    }
    if code.is_redirection() {
        return Some(ActionError::new(
            ErrorKind::Rejected,
            format!("it answered {code}: redirects are not followed; correct the base URL of the connection"),
        ));
    }
    let words = match answer.excerpt() {
        empty if empty.is_empty() => format!("it answered {code}"),
        excerpt => format!("it answered {code}: {excerpt}"),
    };
    let wait = retry_after(&answer.headers, now);
    let error = match code {
        StatusCode::TOO_MANY_REQUESTS => ActionError::new(ErrorKind::Throttled, words).certain(),
        StatusCode::SERVICE_UNAVAILABLE => ActionError::new(ErrorKind::Throttled, words),
        StatusCode::REQUEST_TIMEOUT => ActionError::new(ErrorKind::Timeout, words),
        code if code.is_client_error() => ActionError::refused(words),
        _ => ActionError::new(ErrorKind::ServerError, words),
    };
    Some(match wait {
        Some(wait) => error.after(wait),
        None => error,
    })
}

/// `Retry-After` as seconds or as a date, at most [`RETRY_AFTER_MAX`].
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Span> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let milliseconds = if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        text.parse::<i64>()
            .map_or(i64::MAX, |seconds| seconds.saturating_mul(1_000))
    } else {
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        date.as_millisecond().saturating_sub(now.as_millisecond())
    };
    Some(Span::milliseconds(
        milliseconds.clamp(0, RETRY_AFTER_MAX.as_milliseconds()),
    ))
}

/// The innermost reason, which names no URL.
fn root(error: &dyn Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if std::ptr::addr_eq(innermost, error) {
        "no reason given".to_owned()
    } else {
        innermost.to_string()
    }
}

fn source<T: Error + 'static>(error: &dyn Error) -> Option<&T> {
    let mut next = error.source();
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        next = current.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use playbooks::duration::Span;

    use super::{RETRY_AFTER_MAX, retry_after};

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        let now = "2026-11-10T12:00:00Z".parse().unwrap();
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_static(text));
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Span::seconds(120)));
        assert_eq!(read("0"), Some(Span::seconds(0)));
        assert_eq!(read("3599"), Some(Span::seconds(3_599)));
        assert_eq!(read("3600"), Some(RETRY_AFTER_MAX));
        assert_eq!(read("3601"), Some(RETRY_AFTER_MAX));
        assert_eq!(read("99999999999999999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(read("Tue, 10 Nov 2026 12:05:00 GMT"), Some(Span::minutes(5)));
        assert_eq!(read("Tue, 10 Nov 2026 11:00:00 GMT"), Some(Span::seconds(0)));
        assert_eq!(read("Tue, 10 Nov 2099 11:00:00 GMT"), Some(RETRY_AFTER_MAX));
        assert_eq!(read("soon"), None);
        assert_eq!(read(""), None);
        assert_eq!(read("-5"), None);
    }
}
