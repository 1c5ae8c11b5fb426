//! Requests and replies of the fakes, as plain values.

use std::io;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};
use url::form_urlencoded;

/// Largest body that a fake reads, in bytes.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

pub(super) type Response = http::Response<Full<Bytes>>;

/// The fake services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// `VirusTotal` v3, `x-apikey`.
    VirusTotal,
    /// `AbuseIPDB` v2, `Key`.
    AbuseIpDb,
    /// `URLhaus` v1, `Auth-Key`.
    UrlHaus,
    /// RDAP of every registry, without credentials.
    Rdap,
    /// Zammad, `Authorization: Token token=` or `Bearer`.
    Zammad,
    /// `TheHive` 5, `Bearer`.
    TheHive,
    /// Mattermost, `Bearer`.
    Mattermost,
    /// `OPNsense`, `Basic`.
    Opnsense,
    /// Microsoft Defender for Endpoint, `Bearer` with a token of `oauth2/token`.
    Defender,
    /// Microsoft Entra ID, `Bearer` with a token of `oauth2/token`.
    Entra,
    /// The mail sink; speaks SMTP, not HTTP.
    Mail,
}

impl Service {
    /// Every service that speaks HTTP.
    pub const HTTP: &'static [Self] = &[
        Self::VirusTotal,
        Self::AbuseIpDb,
        Self::UrlHaus,
        Self::Rdap,
        Self::Zammad,
        Self::TheHive,
        Self::Mattermost,
        Self::Opnsense,
        Self::Defender,
        Self::Entra,
    ];

    /// The first part of its paths.
    pub const fn word(self) -> &'static str {
        match self {
            Self::VirusTotal => "virustotal",
            Self::AbuseIpDb => "abuseipdb",
            Self::UrlHaus => "urlhaus",
            Self::Rdap => "rdap",
            Self::Zammad => "zammad",
            Self::TheHive => "thehive",
            Self::Mattermost => "mattermost",
            Self::Opnsense => "opnsense",
            Self::Defender => "defender",
            Self::Entra => "entra",
            Self::Mail => "mail",
        }
    }
}

/// A request, read.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// The path as it was written.
    pub(super) path: String,
    segments: Vec<String>,
    query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) async fn read(request: hyper::Request<Incoming>) -> io::Result<Self> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX)
            .collect()
            .await
            .map_err(io::Error::other)?
            .to_bytes();
        let path = parts.uri.path().to_owned();
        Ok(Self {
            method: parts.method,
            segments: path
                .split('/')
                .filter(|part| !part.is_empty())
                .map(decode)
                .collect(),
            path,
            query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
            headers: parts.headers,
            body,
        })
    }

    /// The service it is for; none for the range's own pages.
    pub(super) fn service(&self) -> Option<Service> {
        let first = self.segments.first()?;
        Service::HTTP
            .iter()
            .copied()
            .find(|service| service.word() == first)
    }

    /// The path behind the service's name and its `api` and version, in parts.
    pub(super) fn parts(&self) -> Vec<&str> {
        let mut parts: Vec<&str> = self.segments.iter().skip(1).map(String::as_str).collect();
        for optional in [|part: &str| part == "api", is_version] {
            if parts.first().is_some_and(|part| optional(part)) {
                parts.remove(0);
            }
        }
        parts
    }

    pub(super) fn query(&self, key: &str) -> Option<&str> {
        find(&self.query, key)
    }

    /// A field of a body that is a form.
    pub(super) fn form(&self, key: &str) -> Option<String> {
        find(&pairs(&self.body), key).map(str::to_owned)
    }

    /// The body as JSON; null when it is not.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether a header is there and not empty.
    pub(super) fn has(&self, header: &str) -> bool {
        self.headers.get(header).is_some_and(|value| !value.is_empty())
    }

    /// Whether `Authorization` has one of these schemes and something behind it.
    pub(super) fn authorized(&self, schemes: &[&str]) -> bool {
        self.headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.split_once(' '))
            .is_some_and(|(scheme, rest)| {
                !rest.trim().is_empty() && schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known))
            })
    }
}

fn is_version(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|digits| digits.len() == 1 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn find<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(known, _)| known == key)
        .map(|(_, value)| value.as_str())
}

/// Percent-decoding of one path part, where `+` is a plus.
fn decode(part: &str) -> String {
    let plus = part.replace('+', "%2B");
    form_urlencoded::parse(plus.as_bytes())
        .next()
        .map(|(key, value)| {
            if value.is_empty() && !plus.contains('=') {
                key.into_owned()
            } else {
                format!("{key}={value}")
            }
        })
        .unwrap_or_default()
}

/// A reply of a fake.
#[derive(Debug)]
pub(super) struct Reply {
    status: u16,
    media: &'static str,
    body: Bytes,
    retry_after: Option<u64>,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            media: "application/json",
            body: body.to_string().into(),
            retry_after: None,
        }
    }

    pub(super) fn of(media: &'static str, body: String) -> Self {
        Self {
            status: 200,
            media,
            body: body.into(),
            retry_after: None,
        }
    }

    pub(super) fn media(mut self, media: &'static str) -> Self {
        self.media = media;
        self
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            media: "application/json",
            body: Bytes::new(),
            retry_after: None,
        }
    }

    pub(super) fn not_found() -> Self {
        Self::json(404, &json!({"error": "not found"}))
    }

    /// A refusal on request of a fault.
    pub(super) fn refusal(status: u16, retry_after: Option<u64>) -> Self {
        Self {
            retry_after,
            ..Self::json(status, &json!({"error": "refused on request"}))
        }
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = http::Response::new(Full::new(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::IM_A_TEAPOT);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
