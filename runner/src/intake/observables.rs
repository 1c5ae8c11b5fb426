//! Observables in their canonical form, each once.
//!
//! What does not parse as what it claims to be is left in the raw alert and never becomes one.

use std::collections::HashSet;
use std::net::IpAddr;

use playbooks::incident::{Observable, ObservableType};

use crate::config::values;

/// Observables of one incident.
pub const OBSERVABLES_MAX: usize = 1_000;
/// Characters of one observable.
const VALUE_CHARACTERS_MAX: usize = 4_096;

/// The observables of an incident being built.
#[derive(Debug, Default)]
pub(super) struct Observables {
    list: Vec<Observable>,
    seen: HashSet<(ObservableType, String)>,
    /// Whether some were left out for want of room.
    pub(super) cut: bool,
}

impl Observables {
    /// Adds one, if the text is what it claims to be and is not there yet.
    pub(super) fn add(&mut self, kind: ObservableType, text: Option<impl AsRef<str>>, role: &str) {
        let Some(value) = text.and_then(|text| canonical(kind, text.as_ref())) else {
            return;
        };
        if !self.seen.insert((kind, value.clone())) {
            return;
        }
        if self.list.len() == OBSERVABLES_MAX {
            self.cut = true;
            return;
        }
        self.list.push(Observable {
            kind,
            value,
            tlp: None,
            role: Some(role.to_owned()),
        });
    }

    /// Adds an address or a domain, whichever it is.
    pub(super) fn add_host(&mut self, text: Option<impl AsRef<str>>, role: &str) {
        let Some(text) = text else {
            return;
        };
        let text = text.as_ref();
        let kind = if canonical(ObservableType::Ip, text).is_some() {
            ObservableType::Ip
        } else {
            ObservableType::Domain
        };
        self.add(kind, Some(text), role);
    }

    /// All of them, in order of appearance.
    pub(super) fn into_list(self) -> Vec<Observable> {
        self.list
    }
}

/// The canonical form of a text, if it is what it claims to be. Defanged texts are refanged.
pub(super) fn canonical(kind: ObservableType, text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > VALUE_CHARACTERS_MAX || text.chars().any(char::is_control) {
        return None;
    }
    let text = refanged(text);
    match kind {
        ObservableType::Ip => {
            let address = text
                .trim_start_matches('[')
                .trim_end_matches(']')
                .parse::<IpAddr>()
                .ok()?;
            (!address.is_unspecified()).then(|| address.to_canonical().to_string())
        }
        ObservableType::Domain => values::domain(&text),
        ObservableType::Url => {
            let url = url::Url::parse(&text).ok()?;
            let has_host = url.host_str().is_some_and(|host| !host.is_empty());
            (has_host && matches!(url.scheme(), "http" | "https" | "ftp" | "ftps")).then(|| url.to_string())
        }
        ObservableType::Email => {
            let (local, domain) = text.rsplit_once('@')?;
            let address = format!("{local}@{}", values::domain(domain)?);
            values::is_mail_address(&address).then_some(address)
        }
        ObservableType::Hash => {
            let digits = text.to_ascii_lowercase();
            let known =
                matches!(digits.len(), 32 | 40 | 64) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            // A sensor that has no digest writes zeros.
            (known && digits.bytes().any(|byte| byte != b'0')).then_some(digits)
        }
    }
}

/// `hxxps://evil[.]example` as it was before somebody made it harmless.
fn refanged(text: &str) -> String {
    let mut plain = text.to_owned();
    for (defanged, dot) in [
        ("[.]", "."),
        ("(.)", "."),
        ("[dot]", "."),
        ("[:]", ":"),
        ("[@]", "@"),
        ("[at]", "@"),
    ] {
        if plain.contains(defanged) {
            plain = plain.replace(defanged, dot);
        }
    }
    for (defanged, scheme) in [
        ("hxxps:", "https:"),
        ("hxxp:", "http:"),
        ("hXXps:", "https:"),
        ("hXXp:", "http:"),
    ] {
        if let Some(rest) = plain.strip_prefix(defanged) {
            plain = format!("{scheme}{rest}");
        }
    }
    plain
}
