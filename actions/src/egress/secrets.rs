//! Taking our own secrets out of what comes back.
//!
//! Owns the forms in which a far end may echo a secret: raw, JSON-escaped, URL-encoded,
//! hexadecimal, base64. Knows nothing of where the text goes.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::connection::{Auth, ConnectionSettings};

/// Shortest secret that is looked for; shorter ones would tear up ordinary text.
pub const SECRET_BYTES_MIN: usize = 6;

/// The secrets of one connection in every form they may come back.
pub(crate) struct Scrubber {
    needles: Vec<Zeroizing<Vec<u8>>>,
    replacement: String,
}

impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrubber")
            .field("replacement", &self.replacement)
            .finish_non_exhaustive()
    }
}

impl Scrubber {
    /// Knows the secrets of a connection.
    pub(crate) fn of(settings: &ConnectionSettings) -> Self {
        let mut needles = Vec::new();
        match &settings.auth {
            Auth::None => {}
            Auth::Bearer(secret) => add_forms(&mut needles, secret.expose_secret()),
            Auth::Header { value, .. } => {
                // `Token token=<secret>`: the far end may say the secret without what stands before it.
                let value = value.expose_secret();
                add_forms(&mut needles, value);
                for (end, _) in value.match_indices([' ', '=']) {
                    add_forms(&mut needles, value.get(end + 1..).unwrap_or_default());
                }
            }
            Auth::Basic { user, password } => {
                add_forms(&mut needles, password.expose_secret());
                let pair = Zeroizing::new(format!("{user}:{}", password.expose_secret()));
                add_forms(&mut needles, &pair);
            }
            Auth::OAuth2(oauth) => add_forms(&mut needles, oauth.client_secret.expose_secret()),
        }
        for secret in settings.secrets.values() {
            add_forms(&mut needles, secret.expose_secret());
        }
        Self::looking_for(needles, &settings.facts.name)
    }

    /// Knows one secret of a connection that is not among its settings, such as a token.
    pub(super) fn of_one(secret: &SecretString, connection: &str) -> Self {
        let mut needles = Vec::new();
        add_forms(&mut needles, secret.expose_secret());
        Self::looking_for(needles, connection)
    }

    fn looking_for(mut needles: Vec<Zeroizing<Vec<u8>>>, connection: &str) -> Self {
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        needles.dedup();
        Self {
            needles,
            replacement: format!("[secret:connection/{connection}]"),
        }
    }

    /// The bytes without any secret.
    pub(crate) fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut clean = Cow::Borrowed(bytes);
        for needle in &self.needles {
            if let Some(replaced) = replace(&clean, needle, self.replacement.as_bytes()) {
                clean = Cow::Owned(replaced);
            }
        }
        clean
    }

    /// The text without any secret.
    pub(crate) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }
}

/// `None` when the needle does not occur.
fn replace(hay: &[u8], needle: &[u8], replacement: &[u8]) -> Option<Vec<u8>> {
    let find = |from: &[u8]| from.windows(needle.len()).position(|window| window == needle);
    let mut rest = hay;
    let mut found = find(rest)?;
    let mut clean = Vec::with_capacity(hay.len());
    loop {
        let (before, after) = rest.split_at(found);
        clean.extend_from_slice(before);
        clean.extend_from_slice(replacement);
        rest = after.get(needle.len()..).unwrap_or_default();
        match find(rest) {
            Some(next) => found = next,
            None => break,
        }
    }
    clean.extend_from_slice(rest);
    Some(clean)
}

fn add_forms(needles: &mut Vec<Zeroizing<Vec<u8>>>, secret: &str) {
    let mut add = |form: &str| {
        if form.len() >= SECRET_BYTES_MIN {
            needles.push(Zeroizing::new(form.as_bytes().to_vec()));
        }
    };
    if secret.len() < SECRET_BYTES_MIN {
        return;
    }
    add(secret);
    let escaped = Zeroizing::new(serde_json::Value::from(secret).to_string());
    add(escaped.trim_matches('"'));
    let encoded: Zeroizing<String> =
        Zeroizing::new(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
    add(&encoded);
    add(&encoded.replace('+', "%20"));
    let lower = Zeroizing::new(hex::encode(secret));
    add(&lower);
    add(&lower.to_ascii_uppercase());
    for lead in 0..3 {
        for engine in [&STANDARD, &URL_SAFE] {
            add(&base64_core(engine, secret, lead));
        }
    }
}

/// The characters of a base64 text that depend on the secret alone when it begins `lead` bytes
/// into a group of three. `Bearer <secret>` encoded as a whole contains one of the three.
fn base64_core(engine: &base64::engine::GeneralPurpose, secret: &str, lead: usize) -> Zeroizing<String> {
    let mut padded = Zeroizing::new(vec![0_u8; lead]);
    padded.extend_from_slice(secret.as_bytes());
    let text = Zeroizing::new(engine.encode(&padded));
    let first = (lead * 8).div_ceil(6);
    let last = (padded.len() * 8) / 6;
    Zeroizing::new(text.get(first..last).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::{SECRET_BYTES_MIN, Scrubber};
    use crate::connection::Auth;
    use crate::connection::tests::loopback;

    const SECRET: &str = "p@ss/w\"rd+42?";

    fn scrubber(secret: &str) -> Scrubber {
        let mut settings = loopback("vt", "virustotal", "http://127.0.0.1/");
        settings.auth = Auth::Bearer(secret.into());
        Scrubber::of(&settings)
    }

    #[test]
    fn every_form_of_a_secret_is_taken_out() {
        let scrubber = scrubber(SECRET);
        let quoted = serde_json::json!({ "echo": SECRET }).to_string();
        let url: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        for text in [
            SECRET.to_owned(),
            quoted,
            url,
            hex::encode(SECRET),
            hex::encode_upper(SECRET),
            STANDARD.encode(SECRET),
            STANDARD.encode(format!("Bearer {SECRET}")),
            STANDARD.encode(format!("x{SECRET}")),
            STANDARD.encode(format!("xy{SECRET}yz")),
            URL_SAFE_NO_PAD.encode(format!("user:{SECRET}")),
        ] {
            let clean = scrubber.text(&format!("a {text} b {text} c"));
            assert_eq!(
                clean.matches("[secret:connection/vt]").count(),
                2,
                "{text} gave {clean}"
            );
            assert!(clean.starts_with("a ") && clean.ends_with(" c"));
        }
    }

    #[test]
    fn a_secret_behind_a_scheme_is_taken_out_without_it() {
        let mut settings = loopback("tickets", "zammad", "http://127.0.0.1/");
        settings.auth = Auth::Header {
            name: "authorization".to_owned(),
            value: format!("Token token={SECRET}").into(),
        };
        let clean = Scrubber::of(&settings).text(&format!("{SECRET} is no token here"));
        assert_eq!(clean, "[secret:connection/tickets] is no token here");
    }

    #[test]
    fn short_secrets_do_not_tear_up_text() {
        for (length, found) in [
            (SECRET_BYTES_MIN - 1, false),
            (SECRET_BYTES_MIN, true),
            (SECRET_BYTES_MIN + 1, true),
        ] {
            let secret = "s".repeat(length);
            assert_eq!(scrubber(&secret).text(&secret).contains("[secret"), found);
        }
    }
}
