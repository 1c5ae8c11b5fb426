//! The one door out. Only this module may name an HTTP or SMTP client.
//!
//! Owns where a call may go and what may be said about how it failed. An action builds a
//! [`Request`] from parts; host and secret belong to the connection and are added here.

mod address;
mod answer;
mod failure;
mod mail;
mod records;
mod request;
mod resolver;
mod secrets;
mod tls;
mod token;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use playbooks::duration::Span;
use playbooks::operator::Connection;
use reqwest::redirect::Policy;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::{Host, Url};
use zeroize::Zeroizing;

pub use self::answer::Answer;
pub use self::failure::RETRY_AFTER_MAX;
pub use self::mail::{Mailer, SMTP_READY_TIMEOUT};
pub use self::records::Records;
use self::request::Body;
pub use self::request::Request;
pub(crate) use self::request::safe_segment;
use self::resolver::{NameService, SystemNames, VettedNames};
pub use self::secrets::SECRET_BYTES_MIN;
use self::secrets::Scrubber;
pub use self::token::TOKEN_MARGIN;
use self::token::{Token, Tokens};
use crate::action::ActionError;
use crate::clock::Clock;
use crate::connection::{Auth, ConnectionProblem, ConnectionSettings};

/// Longest time until the far end is connected.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for one request unless the action says otherwise.
pub const REQUEST_TIMEOUT_DEFAULT: Span = Span::seconds(30);
/// Longest silence in the middle of an answer.
pub const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// Idle connections kept for one host: as many calls as a burst has under way at a time, so that
/// its next call need not connect again. They close by themselves after [`POOL_IDLE_TIMEOUT`].
const POOL_IDLE_MAX: usize = 64;
/// Longest time that an idle connection is kept.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How we call ourselves.
const USER_AGENT: &str = concat!("sortie/", env!("CARGO_PKG_VERSION"));

/// A way out, bound to one connection: its base URL, its secret, its limits.
#[derive(Debug)]
pub struct Door {
    settings: ConnectionSettings,
    client: reqwest::Client,
    names: VettedNames,
    scrubber: Scrubber,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
}

impl Door {
    /// Opens the way. Everything about the settings that can be wrong is told here; nothing is
    /// sent.
    pub fn open(settings: ConnectionSettings, clock: Arc<dyn Clock>) -> Result<Self, ConnectionProblem> {
        Self::open_asking(settings, clock, Arc::new(SystemNames))
    }

    /// Opens the way with names looked up elsewhere.
    pub(crate) fn open_asking(
        settings: ConnectionSettings,
        clock: Arc<dyn Clock>,
        names: Arc<dyn NameService>,
    ) -> Result<Self, ConnectionProblem> {
        let names = VettedNames::new(names, settings.allow_private);
        let problem = |problem: String| ConnectionProblem {
            connection: settings.facts.name.clone(),
            problem,
        };
        check_address(&settings, &names).map_err(problem)?;
        check_auth(&settings.auth).map_err(problem)?;
        let token_url = match &settings.auth {
            Auth::OAuth2(oauth) => Some(&oauth.token_url),
            _ => None,
        };
        let over_tls = settings
            .base_url
            .iter()
            .chain(token_url)
            .any(|url| url.scheme() == "https");
        let tls = tls::client_config(over_tls, &settings.extra_roots).map_err(problem)?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .https_only(!settings.allow_http)
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(names.clone()))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .pool_max_idle_per_host(POOL_IDLE_MAX)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .user_agent(USER_AGENT)
            .build()
            .map_err(|error| problem(format!("no client: {}", error.without_url())))?;
        Ok(Self {
            scrubber: Scrubber::of(&settings),
            tokens: Tokens::default(),
            settings,
            client,
            names,
            clock,
        })
    }

    /// What is known of the connection.
    pub fn connection(&self) -> &Connection {
        &self.settings.facts
    }

    /// A setting that only the provider understands.
    pub fn setting(&self, name: &str) -> Option<&Value> {
        self.settings.settings.get(name)
    }

    /// A setting that is a text.
    pub fn text_setting(&self, name: &str) -> Option<&str> {
        self.setting(name).and_then(Value::as_str)
    }

    /// A text setting that must be there.
    pub fn required_setting(&self, name: &str) -> Result<&str, ActionError> {
        self.text_setting(name).ok_or_else(|| {
            ActionError::invalid(format!(
                "connection `{}` needs the setting `{name}`",
                self.settings.facts.name
            ))
        })
    }

    /// The base URL as the operator gave it, for links people follow.
    pub fn base_url(&self) -> Option<&Url> {
        self.settings.base_url.as_ref()
    }

    /// A way to hand over mails. Only for `smtp://` and `smtps://` connections.
    pub fn mailer(&self) -> Result<Mailer<'_>, ActionError> {
        Mailer::new(&self.settings, &self.names, &self.scrubber)
    }

    /// The text without the secrets of the connection.
    pub fn scrub(&self, text: &str) -> String {
        self.scrubber.text(text)
    }

    /// Sends one request. Never tries again, follows no redirect.
    ///
    /// Fails with `Rejected` for 3xx and for 4xx that the request did not declare to be data,
    /// `Throttled` for 429 and 503, `ServerError` for other 5xx, `Unreachable` and `Policy` when
    /// nothing was sent, `Timeout` when no answer came, `BadAnswer` for answers over the limit.
    pub async fn send(&self, request: Request) -> Result<Answer, ActionError> {
        let answer = self.send_plainly(request).await;
        answer.map_err(|mut error| {
            error.detail = self.scrubber.text(&error.detail);
            error
        })
    }

    async fn send_plainly(&self, request: Request) -> Result<Answer, ActionError> {
        let answer = match &self.settings.auth {
            Auth::OAuth2(oauth) => self.exchange_with_token(&request, oauth).await?,
            _ => self.exchange(&request, None).await?,
        };
        match failure::status(&answer, &request.data_statuses, self.clock.now()) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    /// Sends a request with what makes us known, and reads the answer, whatever its status.
    async fn exchange(&self, request: &Request, token: Option<&Token>) -> Result<Answer, ActionError> {
        let base = self
            .settings
            .base_url
            .as_ref()
            .ok_or_else(|| ActionError::invalid("the connection has no base URL"))?;
        let url = request.url(base, &self.settings.secrets)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let timeout = request.timeout.unwrap_or(REQUEST_TIMEOUT_DEFAULT).to_std();
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers()? {
            headers.insert(name, value);
        }
        if let Some((name, value)) = self.auth_header(token)? {
            headers.insert(name, value);
        }
        let outgoing = self
            .client
            .request(request.method.clone(), url)
            .timeout(timeout)
            .headers(headers);
        let outgoing = match &request.body {
            Body::None => outgoing,
            Body::Json(body) => outgoing.json(body),
            Body::Form(pairs) => outgoing.form(pairs),
            Body::Bytes(media_type, bytes) => outgoing
                .header(http::header::CONTENT_TYPE, *media_type)
                .body(bytes.clone()),
        };
        let mut answer = self
            .receive(outgoing, &host, self.settings.answer_bytes_max)
            .await?;
        for scrubber in std::iter::once(&self.scrubber).chain(token.map(Token::scrubber)) {
            answer.headers = scrubbed_headers(scrubber, &answer.headers);
            answer.body = scrubber.bytes(&answer.body).into_owned();
        }
        Ok(answer)
    }

    /// Sends what was built and reads the whole answer, as it came: our secrets may be in it.
    async fn receive(
        &self,
        outgoing: reqwest::RequestBuilder,
        host: &str,
        most: usize,
    ) -> Result<Answer, ActionError> {
        let mut response = outgoing
            .send()
            .await
            .map_err(|error| failure::transport(&error.without_url()))?;
        if let Some(address) = response.remote_addr() {
            self.names.vet(host, address.ip()).map_err(|denied| {
                ActionError::new(playbooks::action_spec::ErrorKind::Policy, denied.to_string())
            })?;
        }
        let body = read_body(&mut response, most).await?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
        })
    }

    fn auth_header(&self, token: Option<&Token>) -> Result<Option<(HeaderName, HeaderValue)>, ActionError> {
        let (name, text) = match &self.settings.auth {
            Auth::None => return Ok(None),
            Auth::OAuth2(_) => {
                let token = token.ok_or_else(|| ActionError::invalid("the connection has no token yet"))?;
                return Ok(Some((AUTHORIZATION, token.header())));
            }
            Auth::Bearer(token) => (
                AUTHORIZATION,
                Zeroizing::new(format!("Bearer {}", token.expose_secret())),
            ),
            Auth::Basic { user, password } => {
                let pair = Zeroizing::new(format!("{user}:{}", password.expose_secret()));
                let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &*pair);
                (AUTHORIZATION, Zeroizing::new(format!("Basic {encoded}")))
            }
            Auth::Header { name, value } => (
                HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| ActionError::invalid("the connection's header has no valid name"))?,
                Zeroizing::new(value.expose_secret().to_owned()),
            ),
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| ActionError::invalid("the connection's secret does not fit into a header"))?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }
}

/// Reads the decompressed body through a counter.
async fn read_body(response: &mut reqwest::Response, most: usize) -> Result<Vec<u8>, ActionError> {
    let too_large = || ActionError::bad_answer(format!("the answer is larger than {most} bytes"));
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).unwrap_or(usize::MAX) > most {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| failure::transport(&error.without_url()))?
    {
        if body.len() + chunk.len() > most {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn scrubbed_headers(scrubber: &Scrubber, headers: &HeaderMap) -> HeaderMap {
    headers
        .iter()
        .filter_map(|(name, value)| {
            let value = HeaderValue::from_bytes(&scrubber.bytes(value.as_bytes())).ok()?;
            Some((name.clone(), value))
        })
        .collect()
}

/// Where the connection leads, judged once the settings are read. Names are judged when they are
/// looked up.
fn check_address(settings: &ConnectionSettings, names: &VettedNames) -> Result<(), String> {
    let check = |url: &Url| check_url(url, settings.allow_http, names);
    if let Auth::OAuth2(oauth) = &settings.auth {
        let over_http = |url: &Url| matches!(url.scheme(), "https" | "http");
        if !over_http(&oauth.token_url) || !settings.base_url.as_ref().is_none_or(over_http) {
            return Err("tokens are for https:// connections".to_owned());
        }
        check(&oauth.token_url).map_err(|problem| format!("token_url: {problem}"))?;
    }
    settings.base_url.as_ref().map_or(Ok(()), check)
}

fn check_url(url: &Url, allow_http: bool, names: &VettedNames) -> Result<(), String> {
    match url.scheme() {
        "https" | "smtp" | "smtps" => {}
        "http" if allow_http => {}
        "http" => return Err("http:// sends secrets in the open; use https:// or set allow_http".to_owned()),
        other => {
            return Err(format!(
                "`{other}:` is not a way out; use https://, smtp:// or smtps://"
            ));
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("user and password do not belong into the URL; set them under auth".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the base URL ends before `?` and `#`".to_owned());
    }
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        // Schemes without rules of their own keep literals as text.
        Some(Host::Domain(name)) => name.parse().ok(),
        None => return Err("the base URL has no host".to_owned()),
    };
    match literal.map(|address| names.vet(url.host_str().unwrap_or_default(), address)) {
        Some(Err(denied)) => Err(format!("{denied}; set allow_private if it is meant to")),
        _ => Ok(()),
    }
}

fn check_auth(auth: &Auth) -> Result<(), String> {
    let secret = match auth {
        Auth::None => return Ok(()),
        Auth::Bearer(secret) | Auth::Basic { password: secret, .. } => secret,
        Auth::OAuth2(oauth) => &oauth.client_secret,
        Auth::Header { name, value } => {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header name"))?;
            value
        }
    };
    let secret = secret.expose_secret();
    if secret.chars().any(char::is_control) {
        return Err("the secret holds control characters, perhaps a line end".to_owned());
    }
    Ok(())
}
