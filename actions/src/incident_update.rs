//! `incident.update`: our own record of the incident.
//!
//! Owns the contract and the change it asks for. The commit that stores the outcome performs it.

use playbooks::action_spec::{ActionSpec, Sink};
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::{TextForm, Type};
use serde_json::json;

use crate::catalogue::contract::Contract;

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
