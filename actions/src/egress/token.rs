//! Tokens of an OAuth 2.0 server, client credentials (RFC 6749, section 4.4).
//!
//! Owns when a token is fetched, kept and dropped. A token is in memory only, goes to the base URL
//! of its connection only, and is never part of a message. Whatever goes wrong here is certain to
//! have done nothing: the request that needs the token has not been sent.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::answer::Answer;
use super::request::Request;
use super::secrets::Scrubber;
use super::{Door, failure};
use crate::action::ActionError;
use crate::connection::OAuth2;

#[cfg(test)]
mod tests;

/// How long before its end a token is no longer used, so that none ends on its way. Of a token that
/// lives less than twice as long, half its life.
pub const TOKEN_MARGIN: Duration = Duration::from_mins(2);
/// How long a token is taken to live when its server does not say.
const LIFETIME_DEFAULT: Duration = Duration::from_mins(5);
/// Longest time that a token is kept, whatever its server says.
const LIFETIME_MAX: Duration = Duration::from_hours(24);
/// Longest time for fetching one.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a token; those with many claims have some thousand.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an answer with a token in it.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Characters of a server's words that a message repeats.
const WORDS_CHARS_MAX: usize = 150;

/// The token in use. Whoever needs one while it is being fetched waits for it.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    held: tokio::sync::Mutex<Option<Arc<Token>>>,
}

/// One token.
#[derive(Debug)]
pub(super) struct Token {
    header: HeaderValue,
    scrubber: Scrubber,
    /// Until when it is used, on the door's clock.
    until: Duration,
}

impl Token {
    /// The value of `Authorization`, marked as a secret.
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Takes the token out of what comes back.
    pub(super) fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }
}

/// What a server gives: the fields that are read.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<Value>,
}

/// Why a server gives none (RFC 6749, section 5.2).
#[derive(Deserialize)]
struct NotGiven {
    error: String,
    error_description: Option<String>,
}

impl Door {
    /// Sends a request with a token. One that the far end does not accept is replaced once; a
    /// request that was answered with 401 did nothing.
    pub(super) async fn exchange_with_token(
        &self,
        request: &Request,
        oauth: &OAuth2,
    ) -> Result<Answer, ActionError> {
        let token = self.token(oauth).await?;
        let answer = self.exchange(request, Some(&token)).await?;
        if answer.status != http::StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.forget(&token).await;
        let token = self.token(oauth).await?;
        self.exchange(request, Some(&token)).await
    }

    async fn token(&self, oauth: &OAuth2) -> Result<Arc<Token>, ActionError> {
        let mut held = self.tokens.held.lock().await;
        let now = self.clock.elapsed();
        if let Some(token) = held.as_ref().filter(|token| now < token.until) {
            return Ok(Arc::clone(token));
        }
        *held = None;
        let host = oauth.token_url.host_str().unwrap_or_default();
        let token = self.fetch(oauth, host).await.map_err(|mut error| {
            error.detail = format!("{host} gave no token: {}", self.scrub(&error.detail));
            error.certain()
        })?;
        Ok(Arc::clone(held.insert(Arc::new(token))))
    }

    /// Drops a token, unless another has taken its place.
    async fn forget(&self, refused: &Arc<Token>) {
        let mut held = self.tokens.held.lock().await;
        if held.as_ref().is_some_and(|token| Arc::ptr_eq(token, refused)) {
            *held = None;
        }
    }

    async fn fetch(&self, oauth: &OAuth2, host: &str) -> Result<Token, ActionError> {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", oauth.client_id.as_str()),
            ("client_secret", oauth.client_secret.expose_secret()),
        ];
        if let Some(scope) = &oauth.scope {
            form.push(("scope", scope));
        }
        let asked_at = self.clock.elapsed();
        let outgoing = self
            .client
            .post(oauth.token_url.clone())
            .timeout(FETCH_TIMEOUT)
            .header(ACCEPT, "application/json")
            .form(&form);
        let mut answer = self.receive(outgoing, host, ANSWER_BYTES_MAX).await?;
        if !(200..300).contains(&answer.status) {
            answer.body = words(&answer.body).into_bytes();
        }
        if let Some(error) = failure::status(&answer, &[], self.clock.now()) {
            return Err(error);
        }
        let given: Given = answer.json_as()?;
        self.taken(given, asked_at)
    }

    fn taken(&self, given: Given, asked_at: Duration) -> Result<Token, ActionError> {
        let kind = given.token_type.as_deref().unwrap_or("bearer");
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(ActionError::bad_answer(
                "its tokens are of a kind other than Bearer",
            ));
        }
        let secret = SecretString::from(given.access_token);
        let token = secret.expose_secret();
        let plain = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !plain {
            return Err(ActionError::bad_answer(format!(
                "what it gave is not a token of at most {TOKEN_BYTES_MAX} letters and signs"
            )));
        }
        let text = zeroize::Zeroizing::new(format!("Bearer {token}"));
        let mut header = HeaderValue::from_str(&text)
            .map_err(|_| ActionError::bad_answer("its token does not fit into a header"))?;
        header.set_sensitive(true);
        let lifetime = lifetime(given.expires_in.as_ref());
        Ok(Token {
            header,
            scrubber: Scrubber::of_one(&secret, &self.connection().name),
            until: asked_at + lifetime.saturating_sub(TOKEN_MARGIN.min(lifetime / 2)),
        })
    }
}

/// `expires_in` is seconds, which some servers write as a text.
fn lifetime(expires_in: Option<&Value>) -> Duration {
    let seconds = expires_in.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
    seconds.map_or(LIFETIME_DEFAULT, |seconds| {
        Duration::from_secs(seconds).min(LIFETIME_MAX)
    })
}

/// What a server says when it refuses, without what nobody asked for.
fn words(body: &[u8]) -> String {
    let told = match serde_json::from_slice::<NotGiven>(body) {
        Ok(NotGiven {
            error,
            error_description: Some(description),
        }) => format!("{error}, {description}"),
        Ok(NotGiven { error, .. }) => error,
        Err(_) => return "check token_url, client_id, scope and the secret".to_owned(),
    };
    let line = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(WORDS_CHARS_MAX).collect();
    format!("{cut}; check client_id, scope and the secret")
}
