//! Looking things up at those who know: reputation, registration, names.
//!
//! Owns the providers and how their answers become one. Not known is data, never a failure, and
//! never the same as clean.

pub(crate) mod merge;
pub(crate) mod specs;

mod abuseipdb;
mod dns;
mod rdap;
mod urlhaus;
mod verdict;
mod virustotal;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use playbooks::action_spec::{ProviderSpec, Recovery};
use playbooks::duration::Span;
use serde_json::{Value, json};

use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::{optional_text, text};
use crate::egress::Door;

/// Every provider of every look-up.
pub(crate) fn actions() -> Vec<Arc<dyn Action>> {
    [
        virustotal::actions(),
        abuseipdb::actions(),
        urlhaus::actions(),
        rdap::actions(),
        dns::actions(),
    ]
    .concat()
}

/// What all look-ups declare alike: asking again harms nobody.
fn provider(capability: &str, provider: &str, discloses_to: &str) -> ProviderSpec {
    ProviderSpec {
        capability: capability.to_owned(),
        provider: provider.to_owned(),
        recovery: Recovery::Read,
        settle: Span::seconds(0),
        discloses_to: discloses_to.to_owned(),
        expires_by_itself: false,
    }
}

/// The door of a look-up, which always needs one.
fn door<'a>(context: &Context<'a>) -> Result<&'a Door, ActionError> {
    context
        .door
        .ok_or_else(|| ActionError::invalid("a look-up needs a connection"))
}

/// The answer of every look-up to whether it happened.
fn nothing_to_probe() -> Probe {
    Probe::CannotTell("a look-up leaves nothing behind to ask for; repeat it".to_owned())
}

/// The look-ups about one of the four subjects.
const ABOUT_SUBJECTS: [&str; 5] = [
    "enrich.ip",
    "enrich.domain",
    "enrich.url",
    "enrich.hash",
    "enrich.file",
];

/// What a look-up is about. A file is known by its hash.
#[derive(Debug)]
enum Subject<'a> {
    Ip(&'a str),
    Domain(&'a str),
    Url(&'a str),
    File(&'a str),
}

impl<'a> Subject<'a> {
    fn of(call: &'a Call) -> Result<Self, ActionError> {
        match call.action.as_str() {
            "enrich.ip" => Ok(Self::Ip(text(call, "ip")?)),
            "enrich.domain" => Ok(Self::Domain(text(call, "domain")?)),
            "enrich.url" => Ok(Self::Url(text(call, "url")?)),
            "enrich.file" if optional_text(call, "hash")?.is_none() => {
                let held = call.arguments.pointer("/file/sha256").and_then(Value::as_str);
                held.map(Self::File)
                    .ok_or_else(|| ActionError::invalid("enrich.file needs `file` or `hash`"))
            }
            _ => Ok(Self::File(text(call, "hash")?)),
        }
    }
}

/// The outputs: what was asked about and the facts, without those that are null.
fn answered(subject: &Subject<'_>, facts: Value) -> Performed {
    let mut output = match subject {
        Subject::Ip(ip) => json!({ "ip": ip }),
        Subject::Domain(domain) => json!({ "domain": domain }),
        Subject::Url(url) => json!({ "url": url, "domain": domain_of(url) }),
        Subject::File(hash) => json!({ "hash": hash }),
    };
    if let (Value::Object(all), Value::Object(facts)) = (&mut output, facts) {
        all.extend(facts);
    }
    Performed::output(without_nulls(output))
}

fn without_nulls(mut record: Value) -> Value {
    if let Some(fields) = record.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    record
}

/// The host of a URL as a domain. An address is a domain too: its reverse name, which is what
/// `domain` of `enrich.url` promises.
fn domain_of(url: &str) -> Option<String> {
    match url::Url::parse(url).ok()?.host()? {
        url::Host::Domain(name) => Some(name.trim_end_matches('.').to_owned()),
        url::Host::Ipv4(address) => {
            let [a, b, c, d] = address.octets();
            Some(format!("{d}.{c}.{b}.{a}.in-addr.arpa"))
        }
        url::Host::Ipv6(address) => {
            let nibbles = hex::encode(address.octets());
            let reversed: Vec<String> = nibbles.chars().rev().map(String::from).collect();
            Some(format!("{}.ip6.arpa", reversed.join(".")))
        }
    }
}
