//! `http.request`: one request to the host of a connection, in the words of a playbook.
//!
//! Owns what a playbook may choose: a method, a path below the allowed prefixes, values. It never
//! names a host. What a request means there, only the connection's owner knows.

use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use playbooks::action_spec::{ProviderSpec, Recovery};
use playbooks::duration::Span;
use serde_json::{Map, Value, json};

use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::text;
use crate::egress::{Door, Request};

#[cfg(test)]
mod tests;

/// The header that lets the far end fold a request sent twice.
pub(crate) const IDEMPOTENCY_HEADER: &str = "idempotency-key";

/// Headers that belong to the door or to the connection, never to a playbook.
const RESERVED_HEADERS: [&str; 14] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "user-agent",
    IDEMPOTENCY_HEADER,
];

/// What the connection's owner promises about repeating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// Nothing.
    None,
    /// Only reads are sent.
    Reads,
    /// The far end folds requests with the same key.
    Keyed,
}

#[derive(Debug)]
struct HttpRequest {
    spec: ProviderSpec,
    promise: Promise,
}

/// Its three providers: `http` promises nothing, `http_keyed` sends our key as `Idempotency-Key`,
/// `http_read` sends GET and HEAD only.
pub(crate) fn actions() -> Vec<Arc<dyn Action>> {
    [
        ("http", Promise::None, Recovery::Once),
        ("http_keyed", Promise::Keyed, Recovery::Keyed),
        ("http_read", Promise::Reads, Recovery::Read),
    ]
    .map(|(provider, promise, recovery)| -> Arc<dyn Action> {
        Arc::new(HttpRequest {
            spec: ProviderSpec {
                capability: "http.request".to_owned(),
                provider: provider.to_owned(),
                recovery,
                settle: Span::seconds(0),
                discloses_to: "the host of the connection".to_owned(),
                expires_by_itself: false,
            },
            promise,
        })
    })
    .to_vec()
}

#[async_trait]
impl Action for HttpRequest {
    fn provider(&self) -> &ProviderSpec {
        &self.spec
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let door = context
            .door
            .ok_or_else(|| ActionError::invalid("http.request needs a connection"))?;
        let mut request = Request::new(self.method(call, door)?);
        for segment in path(text(call, "path")?, door)? {
            request = request.segment(segment);
        }
        for (name, value) in record(call, "query")? {
            request = request.query(name.as_str(), plain(name, value)?);
        }
        for (name, value) in record(call, "headers")? {
            if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(ActionError::invalid(format!(
                    "the header `{name}` belongs to the connection; leave it out"
                )));
            }
            request = request.authored_header(name, &plain(name, value)?);
        }
        if self.promise == Promise::Keyed {
            request = request.header(IDEMPOTENCY_HEADER, call.key.as_str());
        }
        request = match (call.arguments.get("json"), call.arguments.get("form")) {
            (Some(_), Some(_)) => {
                return Err(ActionError::invalid("give `json` or `form`, not both"));
            }
            (Some(json), None) => request.json(json.clone()),
            (None, Some(_)) => {
                let pairs = record(call, "form")?
                    .map(|(name, value)| Ok((name.clone(), plain(name, value)?)))
                    .collect::<Result<Vec<_>, ActionError>>()?;
                request.form(pairs)
            }
            (None, None) => request,
        };
        let answer = door.send(request).await?;
        let mut output = Map::from_iter([("code".to_owned(), json!(answer.status()))]);
        // Only a record can be a typed output; other bodies are not part of the contract.
        if let Ok(body @ Value::Object(_)) = answer.json() {
            output.insert("json".to_owned(), body);
        }
        Ok(Performed::output(Value::Object(output)))
    }

    async fn probe(&self, _call: &Call, _context: Context<'_>) -> Probe {
        Probe::CannotTell("only the owner of the far end can tell whether the request arrived".to_owned())
    }
}

impl HttpRequest {
    fn method(&self, call: &Call, door: &Door) -> Result<Method, ActionError> {
        let word = text(call, "method")?;
        let method = Method::from_bytes(word.as_bytes())
            .map_err(|_| ActionError::invalid("the method is not a word of HTTP"))?;
        let reads = method == Method::GET || method == Method::HEAD;
        if self.promise == Promise::Reads && !reads {
            return Err(ActionError::policy(format!(
                "connection `{}` only reads; {word} is refused",
                door.connection().name
            )));
        }
        let allowed = words(door, "methods")?;
        let fits = if allowed.is_empty() {
            reads
        } else {
            allowed.contains(&word)
        };
        if !fits {
            return Err(ActionError::policy(format!(
                "connection `{}` does not allow {word}; its setting `methods` names what it allows",
                door.connection().name
            )));
        }
        Ok(method)
    }
}

/// The segments of a path, decoded once; the door encodes them again. A value with a `/` in it was
/// encoded by the template and stays one segment.
fn path(text: &str, door: &Door) -> Result<Vec<String>, ActionError> {
    if text.contains(['?', '#']) {
        return Err(ActionError::invalid(
            "a path ends before `?` and `#`; give values under `query`",
        ));
    }
    let inner = text.trim_matches('/');
    let segments = match inner {
        "" => Vec::new(),
        _ => inner.split('/').map(decoded).collect::<Result<_, _>>()?,
    };
    let allowed = words(door, "paths")?;
    let below = |prefix: &str| {
        let prefix: Vec<&str> = prefix
            .trim_matches('/')
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        segments.len() >= prefix.len()
            && segments
                .iter()
                .zip(&prefix)
                .all(|(segment, part)| segment == part)
    };
    if !allowed.iter().any(|prefix| below(prefix)) {
        return Err(ActionError::policy(format!(
            "connection `{}` does not allow this path; its setting `paths` names the prefixes it allows",
            door.connection().name
        )));
    }
    Ok(segments)
}

fn decoded(segment: &str) -> Result<String, ActionError> {
    let not_text = || ActionError::invalid("a part of the path is not UTF-8 text in percent encoding");
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [
            rest.next().ok_or_else(not_text)?,
            rest.next().ok_or_else(not_text)?,
        ];
        bytes.extend(hex::decode(digits).map_err(|_| not_text())?);
    }
    let text = String::from_utf8(bytes).map_err(|_| not_text())?;
    crate::egress::safe_segment(&text)?;
    Ok(text)
}

fn words<'a>(door: &'a Door, setting: &str) -> Result<Vec<&'a str>, ActionError> {
    let Some(value) = door.setting(setting) else {
        return Ok(Vec::new());
    };
    let words: Option<Vec<&str>> = value
        .as_array()
        .and_then(|items| items.iter().map(Value::as_str).collect());
    words.ok_or_else(|| {
        ActionError::invalid(format!(
            "the setting `{setting}` of connection `{}` is a list of texts",
            door.connection().name
        ))
    })
}

fn record<'a>(
    call: &'a Call,
    input: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, ActionError> {
    let fields: Option<&Map<String, Value>> = match call.arguments.get(input) {
        None | Some(Value::Null) => None,
        Some(Value::Object(fields)) => Some(fields),
        Some(_) => {
            return Err(ActionError::invalid(format!(
                "`{input}` is a record of names and values"
            )));
        }
    };
    Ok(fields.into_iter().flatten())
}

fn plain(name: &str, value: &Value) -> Result<String, ActionError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(ActionError::invalid(format!("`{name}` is not a single value")))
        }
    }
}
