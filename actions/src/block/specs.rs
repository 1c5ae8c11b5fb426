//! The contracts of `block.*` and `unblock.*`.
//!
//! Owns what a playbook may say. Every block has an end, which is no parameter: it stands under
//! `undo.after` of the step.

use playbooks::action_spec::{ActionSpec, Sink};
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::{TextForm, Type};
use serde_json::json;

use crate::catalogue::contract::Contract;

/// Where a block applies, seen from the entity.
pub(crate) const DIRECTIONS: [&str; 3] = ["inbound", "outbound", "both"];
/// Why an unblock has no inverse.
const UNBLOCK_STAYS: &str = "blocking again is a new decision with an end of its own";

/// The contracts of the family.
pub(crate) fn specs() -> [ActionSpec; 6] {
    [
        block_ip(),
        block_named("domain", TextForm::Domain, "connexion-exemple.example"),
        block_named("url", TextForm::Url, "https://connexion-exemple.example/login"),
        unblock_ip(),
        unblock_named("domain", TextForm::Domain, "connexion-exemple.example"),
        unblock_named("url", TextForm::Url, "https://connexion-exemple.example/login"),
    ]
}

/// The contracts of the family that no list of ours can hold: devices fetch addresses and names,
/// files are the EDR's.
pub(crate) fn file_specs() -> [ActionSpec; 2] {
    const HASH: &str = "dc0ade0c95d6db98882bc8fa6707e64353cd6f7767ff48d6a81a6c2aef21c608";
    let block = Contract::new(
        "block.hash",
        "Keeps a file from running on the entity's machines.",
        EffectClass::Contain,
        Exposure::Active,
    )
    .input(
        "hash",
        Type::Text(TextForm::Hash),
        Sink::Json,
        "The file: MD5, SHA-1 or SHA-256.",
    )
    .input(
        "reason",
        Type::String,
        Sink::Plain,
        "Why, for the people who meet the block.",
    )
    .output("hash", Type::Text(TextForm::Hash))
    .output("list", Type::String)
    .discloses(&["hash"])
    .natural_key(&["hash"])
    .inverse("unblock.hash")
    .example(
        json!({"hash": HASH, "reason": "MW-2026-00102"}),
        json!({"hash": HASH, "list": "indicators"}),
    );
    let unblock = Contract::new(
        "unblock.hash",
        "Takes back the block of a file.",
        EffectClass::Contain,
        Exposure::None,
    )
    .input(
        "hash",
        Type::Text(TextForm::Hash),
        Sink::Json,
        "The file to let run again.",
    )
    .input(
        "reason",
        Type::String.optional(),
        Sink::Plain,
        "Why it is taken back.",
    )
    .output("hash", Type::Text(TextForm::Hash))
    .discloses(&["hash"])
    .natural_key(&["hash"])
    .no_inverse_because(UNBLOCK_STAYS)
    .example(json!({"hash": HASH}), json!({"hash": HASH}));
    [block, unblock]
}

fn block_ip() -> ActionSpec {
    Contract::new(
        "block.ip",
        "Blocks an address or a prefix for the entity.",
        EffectClass::Contain,
        Exposure::Active,
    )
    .input(
        "ip",
        Type::Text(TextForm::Ip).optional(),
        Sink::Json,
        "The address.",
    )
    .input(
        "cidr",
        Type::Text(TextForm::Cidr).optional(),
        Sink::Json,
        "The prefix.",
    )
    .input(
        "reason",
        Type::String,
        Sink::Plain,
        "Why, for the people who meet the block.",
    )
    .input(
        "direction",
        direction().optional(),
        Sink::Plain,
        "Seen from the entity; `both` by default.",
    )
    .exactly_one_of(&["ip", "cidr"])
    .output("ip", Type::Text(TextForm::Ip).optional())
    .output("cidr", Type::Text(TextForm::Cidr).optional())
    .output("list", Type::String)
    .discloses(&["ip", "cidr"])
    .natural_key(&["ip", "cidr", "direction"])
    .inverse("unblock.ip")
    .example(
        json!({"ip": "192.0.2.7", "direction": "inbound", "reason": "ID-2026-00012"}),
        json!({"ip": "192.0.2.7", "list": "ip"}),
    )
}

fn block_named(kind: &str, form: TextForm, example: &str) -> ActionSpec {
    Contract::new(
        &format!("block.{kind}"),
        &format!("Blocks a {kind} for the entity."),
        EffectClass::Contain,
        Exposure::Active,
    )
    .input(kind, Type::Text(form), Sink::Json, "What to block.")
    .input(
        "reason",
        Type::String,
        Sink::Plain,
        "Why, for the people who meet the block.",
    )
    .output(kind, Type::Text(form))
    .output("list", Type::String)
    .discloses(&[kind])
    .natural_key(&[kind])
    .inverse(&format!("unblock.{kind}"))
    .example(
        json!({kind: example, "reason": "PH-2026-00417"}),
        json!({kind: example, "list": kind}),
    )
}

fn unblock_ip() -> ActionSpec {
    Contract::new(
        "unblock.ip",
        "Takes back the block of an address or a prefix.",
        EffectClass::Contain,
        Exposure::None,
    )
    .input(
        "ip",
        Type::Text(TextForm::Ip).optional(),
        Sink::Json,
        "The address.",
    )
    .input(
        "cidr",
        Type::Text(TextForm::Cidr).optional(),
        Sink::Json,
        "The prefix.",
    )
    .input(
        "reason",
        Type::String.optional(),
        Sink::Plain,
        "Why it is taken back.",
    )
    .input(
        "direction",
        direction().optional(),
        Sink::Plain,
        "The direction it was blocked in; `both` by default.",
    )
    .exactly_one_of(&["ip", "cidr"])
    .output("ip", Type::Text(TextForm::Ip).optional())
    .output("cidr", Type::Text(TextForm::Cidr).optional())
    .discloses(&["ip", "cidr"])
    .natural_key(&["ip", "cidr", "direction"])
    .no_inverse_because(UNBLOCK_STAYS)
    .example(json!({"ip": "192.0.2.7"}), json!({"ip": "192.0.2.7"}))
}

fn unblock_named(kind: &str, form: TextForm, example: &str) -> ActionSpec {
    Contract::new(
        &format!("unblock.{kind}"),
        &format!("Takes back the block of a {kind}."),
        EffectClass::Contain,
        Exposure::None,
    )
    .input(kind, Type::Text(form), Sink::Json, "What to let through again.")
    .input(
        "reason",
        Type::String.optional(),
        Sink::Plain,
        "Why it is taken back.",
    )
    .output(kind, Type::Text(form))
    .discloses(&[kind])
    .natural_key(&[kind])
    .no_inverse_because(UNBLOCK_STAYS)
    .example(json!({kind: example}), json!({kind: example}))
}

fn direction() -> Type {
    Type::OneOf(DIRECTIONS.iter().map(|word| (*word).to_owned()).collect())
}
