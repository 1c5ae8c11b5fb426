//! The contracts of `extract.*`.
//!
//! Owns what a playbook may say and read. How mails are parsed is the neighbours' work.

use playbooks::action_spec::{ActionSpec, Sink};
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::{TextForm, Type};
use serde_json::json;

use crate::catalogue::contract::Contract;

/// The contracts of the family.
pub(crate) fn specs() -> [ActionSpec; 2] {
    [mail(), observables()]
}

fn mail() -> ActionSpec {
    Contract::new(
        "extract.mail",
        "Takes a mail apart: links, attachments, the real sender and how it was authenticated.",
        EffectClass::Read,
        Exposure::None,
    )
    .input(
        "mail",
        Type::Mail,
        Sink::Json,
        "The mail, with its raw message in `file`; of a forward the mail inside is read.",
    )
    .output("urls", texts(TextForm::Url))
    .output("domains", texts(TextForm::Domain))
    .output("ips", texts(TextForm::Ip))
    .output(
        "attachments",
        Type::record([
            ("name", Type::String),
            ("sha256", Type::Text(TextForm::Hash)),
            ("file", Type::File),
        ])
        .list(),
    )
    .output("sender", Type::Text(TextForm::Email))
    .output("sender_domain", Type::Text(TextForm::Domain))
    .output(
        "auth",
        Type::record([
            ("spf", Type::String),
            ("dkim", Type::String),
            ("dmarc", Type::String),
        ]),
    )
    .in_the_house()
    .example(
        json!({"mail": {
            "message_id": "<1@mailer.example>", "subject": "Your mailbox is full",
            "from": "it@connexion-exemple.example", "to": ["a@ville.example"],
            "file": {
                "name": "message.eml",
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "size": 4096, "media_type": "message/rfc822",
            },
        }}),
        json!({
            "urls": ["https://connexion-exemple.example/login"],
            "domains": ["connexion-exemple.example"],
            "ips": [],
            "attachments": [],
            "sender": "it@connexion-exemple.example",
            "sender_domain": "connexion-exemple.example",
            "auth": {"spf": "pass", "dkim": "none", "dmarc": "fail"},
        }),
    )
}

fn observables() -> ActionSpec {
    Contract::new(
        "extract.observables",
        "Finds addresses, domains, links, mail addresses and hashes in a text, defanged or not.",
        EffectClass::Read,
        Exposure::None,
    )
    .input(
        "text",
        Type::String.optional(),
        Sink::Json,
        "The text to read; title and summary of the incident when it is left out.",
    )
    .output("ips", texts(TextForm::Ip))
    .output("domains", texts(TextForm::Domain))
    .output("urls", texts(TextForm::Url))
    .output("emails", texts(TextForm::Email))
    .output("hashes", texts(TextForm::Hash))
    .in_the_house()
    .example(
        json!({"text": "login at hxxps://connexion-exemple[.]example/login from 192.0.2[.]7"}),
        json!({
            "ips": ["192.0.2.7"],
            "domains": ["connexion-exemple.example"],
            "urls": ["https://connexion-exemple.example/login"],
            "emails": [],
            "hashes": [],
        }),
    )
}

fn texts(form: TextForm) -> Type {
    Type::Text(form).list()
}
