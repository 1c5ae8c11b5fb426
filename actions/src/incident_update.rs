//! `incident.update`: our own record of the incident.
//!
//! Owns the contract and the change it asks for. The commit that stores the outcome performs it.

use async_trait::async_trait;
use playbooks::action_spec::{ActionSpec, ProviderSpec, Recovery, Sink};
use playbooks::duration::Span;
use playbooks::incident::IncidentStatus;
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::{TextForm, Type};
use serde_json::json;

use crate::action::{Action, ActionError, Call, Context, HouseChange, Performed, Probe};
use crate::arguments;
use crate::catalogue::contract::Contract;

#[cfg(test)]
mod tests;

/// The contract.
pub(crate) fn spec() -> ActionSpec {
    Contract::new(
        "incident.update",
        "Changes status, verdict or severity of the incident, or adds a note.",
        EffectClass::Record,
        Exposure::None,
    )
    .input(
        "status",
        Type::OneOf(vec!["open".to_owned(), "closed".to_owned()]).optional(),
        Sink::Plain,
        "Where it stands now.",
    )
    .input(
        "verdict",
        Type::Text(TextForm::Verdict).optional(),
        Sink::Plain,
        "What was concluded.",
    )
    .input(
        "severity",
        Type::severity().optional(),
        Sink::Plain,
        "How bad it is now.",
    )
    .input(
        "note",
        Type::String.optional(),
        Sink::Plain,
        "A note for the timeline.",
    )
    .output("ref", Type::String)
    .natural_key(&["status", "verdict", "severity", "note"])
    .inverse("incident.update")
    .in_the_house()
    .example(
        json!({"status": "closed", "verdict": "malicious", "note": "2 copies removed"}),
        json!({"ref": "PH-2026-00417"}),
    )
}

/// Changes our own record.
#[derive(Debug)]
pub(crate) struct IncidentUpdate {
    provider: ProviderSpec,
}

impl IncidentUpdate {
    pub(crate) fn new() -> Self {
        Self {
            provider: ProviderSpec {
                capability: "incident.update".to_owned(),
                provider: "house".to_owned(),
                recovery: Recovery::Set,
                settle: Span::milliseconds(0),
                discloses_to: "nobody".to_owned(),
                expires_by_itself: false,
            },
        }
    }
}

#[async_trait]
impl Action for IncidentUpdate {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, _: Context<'_>) -> Result<Performed, ActionError> {
        let status = match arguments::optional_text(call, "status")? {
            None => None,
            Some("open") => Some(IncidentStatus::Open),
            Some("closed") => Some(IncidentStatus::Closed),
            Some(_) => return Err(ActionError::invalid("`status` is one of open, closed")),
        };
        let verdict = parsed(call, "verdict")?;
        let severity = parsed(call, "severity")?;
        let note = arguments::optional_text(call, "note")?.map(str::to_owned);
        if status.is_none() && verdict.is_none() && severity.is_none() && note.is_none() {
            return Err(ActionError::invalid(
                "incident.update changes nothing; give one of status, verdict, severity, note",
            ));
        }
        Ok(Performed {
            output: json!({"ref": arguments::reference(call)}),
            reference: None,
            changes: vec![HouseChange::UpdateIncident {
                status,
                verdict,
                severity,
                note,
            }],
        })
    }

    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        // The change is stored with the outcome: without an outcome there was no change.
        Probe::NotDone
    }
}

fn parsed<T>(call: &Call, name: &str) -> Result<Option<T>, ActionError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    arguments::optional_text(call, name)?
        .map(|word| {
            word.parse()
                .map_err(|error| ActionError::invalid(format!("`{name}`: {error}")))
        })
        .transpose()
}
