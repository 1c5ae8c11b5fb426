//! The contracts of `ticket.*`.
//!
//! Owns what a playbook may say.

use playbooks::action_spec::{ActionSpec, Sink};
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::{TextForm, Type};
use serde_json::json;

use crate::catalogue::contract::Contract;

/// The contracts of the family.
pub(crate) fn specs() -> [ActionSpec; 2] {
    [open(), update()]
}

fn open() -> ActionSpec {
    Contract::new(
        "ticket.open",
        "Opens a ticket about the incident.",
        EffectClass::Record,
        Exposure::None,
    )
    .input("title", Type::String, Sink::Plain, "One line.")
    .input(
        "severity",
        Type::severity(),
        Sink::Plain,
        "How bad; mapped to the scale of the system.",
    )
    .input(
        "body",
        Type::Text(TextForm::Document).optional(),
        Sink::Markdown,
        "The text.",
    )
    .output("id", Type::String)
    .output("url", Type::Text(TextForm::Url).optional())
    .discloses(&["title", "body"])
    .natural_key(&["title", "severity", "body"])
    .no_inverse_because("a ticket is closed by the people who work on it")
    .example(
        json!({
            "title": "Phishing, malicious: Your mailbox is full", "severity": "high",
            "body": "SPF pass, DMARC fail.",
        }),
        json!({"id": "~41472", "url": "https://thehive.example/alerts/~41472/details"}),
    )
}

fn update() -> ActionSpec {
    Contract::new(
        "ticket.update",
        "Adds an internal note to a ticket. It reaches nobody by mail.",
        EffectClass::Record,
        Exposure::None,
    )
    .input(
        "id",
        Type::String,
        Sink::Plain,
        "The ticket, as `ticket.open` named it.",
    )
    .input(
        "note",
        Type::Text(TextForm::Document),
        Sink::Markdown,
        "The text of the note.",
    )
    .output("id", Type::String)
    .discloses(&["note"])
    .natural_key(&["id", "note"])
    .no_inverse_because("a note stays in the history of the ticket")
    .example(
        json!({"id": "~41472", "note": "Blocked connexion-exemple[.]example for 7 days."}),
        json!({"id": "~41472"}),
    )
}
