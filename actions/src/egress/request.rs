//! What an action may say to the far end.
//!
//! Owns the building of a URL: the base of the connection, path segments and query pairs, never
//! text put together. Host, port and scheme cannot be named here.

use http::{HeaderName, HeaderValue, Method};
use playbooks::duration::Span;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::collections::BTreeMap;
use url::Url;

use crate::action::ActionError;

/// One request below the base URL of a connection. Problems with its parts are told when it is
/// sent, before anything leaves.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) method: Method,
    path: Vec<Segment>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(super) body: Body,
    pub(super) data_statuses: Vec<u16>,
    pub(super) timeout: Option<Span>,
}

#[derive(Debug, Clone)]
enum Segment {
    Data(String),
    Secret(String),
    End,
}

/// What goes along.
#[derive(Debug, Clone)]
pub(super) enum Body {
    None,
    Json(Value),
    Form(Vec<(String, String)>),
    Bytes(&'static str, Vec<u8>),
}

impl Request {
    /// A request to the base URL itself.
    pub fn new(method: Method) -> Self {
        Self {
            method,
            path: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::None,
            data_statuses: Vec::new(),
            timeout: None,
        }
    }

    /// A GET of a fixed path, `a/b/c` without data in it.
    pub fn get(path: &'static str) -> Self {
        Self::new(Method::GET).path(path)
    }

    /// A POST to a fixed path.
    pub fn post(path: &'static str) -> Self {
        Self::new(Method::POST).path(path)
    }

    /// Adds a fixed path. A trailing `/` is kept.
    #[must_use]
    pub fn path(mut self, path: &'static str) -> Self {
        let inner = path.trim_matches('/');
        if !inner.is_empty() {
            self.path
                .extend(inner.split('/').map(|part| Segment::Data(part.to_owned())));
        }
        if path.ends_with('/') {
            self.path.push(Segment::End);
        }
        self
    }

    /// Adds one path segment made of data. It is encoded; empty, `.`, `..` and control characters are
    /// refused.
    #[must_use]
    pub fn segment(mut self, segment: impl Into<String>) -> Self {
        self.path.push(Segment::Data(segment.into()));
        self
    }

    /// Adds the path segments that are kept under a name in the secrets of the connection.
    #[must_use]
    pub fn secret_segment(mut self, secret: &'static str) -> Self {
        self.path.push(Segment::Secret(secret.to_owned()));
        self
    }

    /// Adds a query pair.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header. The name is the action's, never data; control characters in the value are
    /// refused.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a header whose name an author chose.
    #[must_use]
    pub(crate) fn authored_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends JSON.
    #[must_use]
    pub fn json(mut self, body: Value) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// Sends a form.
    #[must_use]
    pub fn form<N: Into<String>, V: Into<String>>(mut self, pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        self.body = Body::Form(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        );
        self
    }

    /// Sends bytes of a media type.
    #[must_use]
    pub fn bytes(mut self, media_type: &'static str, body: Vec<u8>) -> Self {
        self.body = Body::Bytes(media_type, body);
        self
    }

    /// A 4xx status that is an answer and no failure, such as 404 for "not known".
    #[must_use]
    pub fn data_status(mut self, status: u16) -> Self {
        self.data_statuses.push(status);
        self
    }

    /// Longest time for this one request; else the time of the attempt.
    #[must_use]
    pub fn timeout(mut self, timeout: Span) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The whole URL.
    pub(super) fn url(
        &self,
        base: &Url,
        secrets: &BTreeMap<String, SecretString>,
    ) -> Result<Url, ActionError> {
        let mut url = base.clone();
        {
            let mut path = url
                .path_segments_mut()
                .map_err(|()| ActionError::invalid("the base URL of the connection has no path"))?;
            for segment in &self.path {
                path.pop_if_empty();
                match segment {
                    Segment::Data(text) => {
                        path.push(safe_segment(text)?);
                    }
                    Segment::Secret(name) => {
                        let secret = secrets.get(name).ok_or_else(|| {
                            ActionError::invalid(format!("the connection has no secret `{name}`"))
                        })?;
                        for text in secret.expose_secret().trim_matches('/').split('/') {
                            path.push(safe_segment(text)?);
                        }
                    }
                    Segment::End => {
                        path.push("");
                    }
                }
            }
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }

    /// The headers of the action, checked.
    pub(super) fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, ActionError> {
        self.headers
            .iter()
            .map(|(name, value)| {
                let header = HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| ActionError::invalid(format!("`{name}` is not a header name")))?;
                let value = HeaderValue::from_str(value).map_err(|_| {
                    ActionError::invalid(format!("the value of header `{name}` holds control characters"))
                })?;
                Ok((header, value))
            })
            .collect()
    }
}

/// The URL library drops `.` and `..` without a word, and line ends and tabs before it looks for
/// them. Either would make another request of it.
pub(crate) fn safe_segment(text: &str) -> Result<&str, ActionError> {
    if matches!(text, "" | "." | "..") || text.contains(char::is_control) {
        return Err(ActionError::invalid(format!(
            "`{}` cannot be a part of a path",
            text.escape_debug()
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Request;

    fn url(base: &str, request: &Request) -> Result<String, String> {
        let secrets = BTreeMap::from([("hook".to_owned(), "services/T0/x?y".into())]);
        request
            .url(&base.parse().unwrap(), &secrets)
            .map(Into::into)
            .map_err(|error| error.detail)
    }

    #[test]
    fn data_stays_one_segment_and_one_value() {
        let hostile = "a/b?c#d%2e%2e\\é{{x}}";
        let request = Request::get("v1/host/")
            .segment(hostile)
            .query("q", "a&b=c d\r\n");
        assert_eq!(
            url("https://far.example/api/v3", &Request::get("v1/url/")).unwrap(),
            "https://far.example/api/v3/v1/url/"
        );
        let whole = url("https://far.example/api/", &request).unwrap();
        assert_eq!(
            whole,
            "https://far.example/api/v1/host/a%2Fb%3Fc%23d%252e%252e%5C%C3%A9%7B%7Bx%7D%7D\
             ?q=a%26b%3Dc+d%0D%0A"
        );
    }

    #[test]
    fn segments_that_would_vanish_are_refused() {
        for part in ["", ".", "..", "a\0b", ".\n.", "\t..", "a\r\nb", "\u{85}"] {
            let refused = url("https://far.example/", &Request::get("users").segment(part)).unwrap_err();
            assert!(refused.contains("cannot be a part of a path"), "{refused}");
        }
        assert!(url("https://far.example/", &Request::get("users").segment("...")).is_ok());
    }

    #[test]
    fn secret_segments_come_from_the_connection() {
        assert_eq!(
            url(
                "https://hooks.example/",
                &Request::post("").secret_segment("hook")
            )
            .unwrap(),
            "https://hooks.example/services/T0/x%3Fy"
        );
        assert!(
            url(
                "https://hooks.example/",
                &Request::post("").secret_segment("none")
            )
            .is_err()
        );
    }

    #[test]
    fn header_values_cannot_add_a_header() {
        for value in ["a\r\nX-Evil: 1", "a\nb", "a\0"] {
            assert!(Request::get("x").header("x-note", value).headers().is_err());
        }
        assert!(
            Request::get("x")
                .authored_header("x note", "a")
                .headers()
                .is_err()
        );
    }
}
