//! The contracts of `notify.*`.
//!
//! Owns what a playbook may say. A recipient is always a role, a channel or the reporter, never an
//! address written in a playbook.

use playbooks::action_spec::{ActionSpec, ErrorKind, Sink};
use playbooks::duration::Span;
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::{TextForm, Type};
use serde_json::json;

use crate::catalogue::contract::Contract;

/// Attempts of a message: its first, and as many as a restarting mail server needs.
const MESSAGE_ATTEMPTS: u32 = 5;
/// Shortest and longest wait between two attempts of a message.
const MESSAGE_BACKOFF: (Span, Span) = (Span::seconds(15), Span::minutes(10));
/// Why a message has no inverse.
const MESSAGE_STAYS: &str = "a message that reached a person cannot be taken back";

/// The contracts of the family.
pub(crate) fn specs() -> [ActionSpec; 3] {
    [entity(), team(), reporter()]
}

fn entity() -> ActionSpec {
    Contract::new(
        "notify.entity",
        "Writes a mail to a contact of the entity.",
        EffectClass::Notify,
        Exposure::None,
    )
    .input(
        "to",
        Type::String,
        Sink::Plain,
        "The contact's role in the entity file, for example `security`.",
    )
    .renders_mail()
    .output("message_id", Type::String)
    .output("to", Type::Text(TextForm::Email))
    .discloses(&["params"])
    .natural_key(&["to", "template", "params"])
    .no_inverse_because(MESSAGE_STAYS)
    .retry(MESSAGE_ATTEMPTS, MESSAGE_BACKOFF)
    .retry_on(ErrorKind::Undelivered)
    .example(
        json!({
            "to": "security", "template": "mail/phishing-confirmed",
            "params": {"blocked": ["connexion-exemple.example"], "removed": 2},
        }),
        json!({"message_id": "<A4T3Q0ZK7M2W9X1B.sortie@cert.example>", "to": "security@ville.example"}),
    )
}

fn team() -> ActionSpec {
    Contract::new(
        "notify.team",
        "Posts a message to a channel of our own team.",
        EffectClass::Notify,
        Exposure::None,
    )
    .input(
        "channel",
        Type::String,
        Sink::Plain,
        "The channel's name in the connection's settings.",
    )
    .input(
        "text",
        Type::Text(TextForm::Document),
        Sink::Markdown,
        "What to say.",
    )
    .input(
        "urgent",
        Type::Bool.optional(),
        Sink::Plain,
        "Whether it should ring; false by default.",
    )
    .output("id", Type::String)
    .discloses(&["text"])
    .natural_key(&["channel", "text"])
    .no_inverse_because(MESSAGE_STAYS)
    .retry(MESSAGE_ATTEMPTS, MESSAGE_BACKOFF)
    .retry_on(ErrorKind::Undelivered)
    .example(
        json!({"channel": "duty", "urgent": true, "text": "PH-2026-00417: links failed, timeout"}),
        json!({"id": "o5h6kwhpx7ya9kzjmk8gdt1o1c"}),
    )
}

fn reporter() -> ActionSpec {
    Contract::new(
        "notify.reporter",
        "Answers the person who reported the incident, if the address belongs to the entity.",
        EffectClass::Notify,
        Exposure::None,
    )
    .renders_mail()
    .output("message_id", Type::String)
    .discloses(&["params"])
    .natural_key(&["template", "params"])
    .no_inverse_because(MESSAGE_STAYS)
    .retry(MESSAGE_ATTEMPTS, MESSAGE_BACKOFF)
    .retry_on(ErrorKind::Undelivered)
    .example(
        json!({"template": "mail/phishing-answer", "params": {"verdict": "malicious"}}),
        json!({"message_id": "<A4T3Q0ZK7M2W9X1B.sortie@cert.example>"}),
    )
}
