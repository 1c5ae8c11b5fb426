//! Reading observables out of what arrived: mails and free text.
//!
//! Owns parsing and refanging. Looks nothing up and follows no link.

use async_trait::async_trait;
use playbooks::action_spec::{ProviderSpec, Recovery};
use playbooks::duration::Span;
use regex::Regex;
use serde_json::{Value, json};

use self::observables::Observables;
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments;

pub(crate) mod authentication;
mod html;
pub(crate) mod mail;
mod message;
pub(crate) mod observables;
mod refang;
pub(crate) mod specs;
mod wrapper;

#[cfg(test)]
mod tests;

/// Links, addresses or names of one kind that one call may find. More is no case but a list, and a
/// cut list would hide the rest.
pub(crate) const FOUND_MAX: usize = 1_000;
/// Bytes of a text given to `extract.observables`.
pub(crate) const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Finds observables in a text.
#[derive(Debug)]
pub(crate) struct ExtractObservables {
    provider: ProviderSpec,
}

impl ExtractObservables {
    pub(crate) fn new() -> Self {
        Self {
            provider: read_only("extract.observables"),
        }
    }
}

#[async_trait]
impl Action for ExtractObservables {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, _: Context<'_>) -> Result<Performed, ActionError> {
        let text = match arguments::optional_text(call, "text")? {
            Some(text) => text.to_owned(),
            None => text_of_incident(&call.incident),
        };
        if text.len() > TEXT_BYTES_MAX {
            return Err(ActionError::invalid(format!(
                "the text has {} bytes, more than the {TEXT_BYTES_MAX} that are read",
                text.len()
            )));
        }
        let mut found = Observables::default();
        found.add_text(&text);
        if found.largest_kind() > FOUND_MAX {
            return Err(ActionError::bad_answer(format!(
                "the text holds {} observables of one kind, more than the {FOUND_MAX} that are read",
                found.largest_kind()
            )));
        }
        Ok(Performed::output(json!({
            "ips": found.ips,
            "domains": found.domains,
            "urls": found.urls,
            "emails": found.emails,
            "hashes": found.hashes,
        })))
    }

    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        Probe::NotDone
    }
}

fn text_of_incident(incident: &Value) -> String {
    ["/title", "/summary", "/mail/subject"]
        .iter()
        .filter_map(|path| incident.pointer(path).and_then(Value::as_str))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A provider that computes in the house and changes nothing.
fn read_only(capability: &str) -> ProviderSpec {
    ProviderSpec {
        capability: capability.to_owned(),
        provider: "house".to_owned(),
        recovery: Recovery::Read,
        settle: Span::milliseconds(0),
        discloses_to: "nobody".to_owned(),
        expires_by_itself: false,
    }
}

/// Compiles a pattern of this family.
#[expect(
    clippy::expect_used,
    reason = "every pattern is a literal and compiled by a test"
)]
pub(crate) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the literal is a valid pattern")
}
