//! `wait.for`: the contract of waiting.
//!
//! Owns what a playbook may say. The engine waits, with nothing but a stored time; nobody performs
//! it, so it has no provider.

use playbooks::action_spec::{ActionSpec, Sink};
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::Type;
use serde_json::json;

use crate::catalogue::contract::Contract;

/// The contract.
pub(crate) fn spec() -> ActionSpec {
    Contract::new(
        "wait.for",
        "Waits for a while, or until a time. A restart changes nothing.",
        EffectClass::Read,
        Exposure::None,
    )
    .input("duration", Type::Duration.optional(), Sink::Plain, "How long.")
    .input(
        "until",
        Type::Time.optional(),
        Sink::Plain,
        "Until when; a time that has passed is not waited for.",
    )
    .exactly_one_of(&["duration", "until"])
    .output("at", Type::Time)
    .in_the_house()
    .example(json!({"duration": "6h"}), json!({"at": "2026-03-02T15:10:00Z"}))
}
