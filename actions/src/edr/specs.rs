//! The contracts of `edr.*`.
//!
//! Owns what a playbook may say. A machine is named by its id in the product; where something is
//! done to it, also by its host name, so that people and guardrails know which one it is.

use playbooks::action_spec::{ActionSpec, ErrorKind, Sink};
use playbooks::duration::Span;
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::{TextForm, Type};
use serde_json::json;

use crate::catalogue::contract::Contract;

/// Longest one attempt waits until a machine has taken an order.
const ORDER_TIMEOUT: Span = Span::minutes(2);
/// Attempts of an order to a machine, which may be asleep.
const ORDER_ATTEMPTS: u32 = 8;
/// Shortest and longest wait between two attempts of an order.
const ORDER_BACKOFF: (Span, Span) = (Span::seconds(15), Span::minutes(5));

const ID: &str = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07";
const HASH: &str = "dc0ade0c95d6db98882bc8fa6707e64353cd6f7767ff48d6a81a6c2aef21c608";

/// The contracts of the family.
pub(crate) fn specs() -> [ActionSpec; 5] {
    [host(), detections(), find_file(), isolate(), release()]
}

fn read(name: &str, summary: &str) -> Contract {
    Contract::new(name, summary, EffectClass::Read, Exposure::None)
}

fn host() -> ActionSpec {
    read("edr.host", "Reads what the entity's EDR knows of a machine.")
        .input(
            "id",
            Type::String,
            Sink::Plain,
            "The machine, as the EDR names it.",
        )
        .output("id", Type::String)
        .output("hostname", Type::String)
        .output("os", Type::String.optional())
        .output("value", words(&["low", "normal", "high"]).optional())
        .output("last_seen", Type::Time.optional())
        .output("isolated", Type::Bool)
        .discloses(&["id"])
        .natural_key(&["id"])
        .example(
            json!({"id": ID}),
            json!({
                "id": ID, "hostname": "pc-7.ville.example", "os": "Windows11", "value": "normal",
                "last_seen": "2026-03-02T02:31:00Z", "isolated": false,
            }),
        )
}

fn detections() -> ActionSpec {
    let detection = Type::record([
        ("at", Type::Time),
        ("name", Type::String),
        ("path", Type::String.optional()),
        ("sha256", Type::Text(TextForm::Hash).optional()),
    ]);
    read(
        "edr.detections",
        "Lists what the entity's EDR detected on a machine, a line for each file.",
    )
    .input(
        "host",
        Type::String,
        Sink::Plain,
        "The machine, as the EDR names it.",
    )
    .input("since", Type::Duration, Sink::Plain, "How far back from now.")
    .output("detections", detection.list())
    .discloses(&["host"])
    .natural_key(&["host", "since"])
    .example(
        json!({"host": ID, "since": "24h"}),
        json!({"detections": [{
            "at": "2026-03-02T02:31:33Z", "name": "Low-reputation code executed by signed executable",
            "path": "c:\\temp\\suspicious.dll", "sha256": HASH,
        }]}),
    )
}

fn find_file() -> ActionSpec {
    read(
        "edr.find_file",
        "Finds the entity's machines on which any of these files was seen.",
    )
    .input(
        "hashes",
        Type::Text(TextForm::Hash).list(),
        Sink::Plain,
        "The files, SHA-1 or SHA-256, at most 20.",
    )
    .output("hosts", Type::String.list())
    .output("count", Type::Int)
    .discloses(&["hashes"])
    .natural_key(&["hashes"])
    .example(
        json!({"hashes": [HASH]}),
        json!({"hosts": ["pc-7.ville.example"], "count": 1}),
    )
}

/// What is done to a machine, and waits until the machine has taken it.
fn order(name: &str, summary: &str, exposure: Exposure) -> Contract {
    Contract::new(name, summary, EffectClass::Contain, exposure)
        .input(
            "id",
            Type::String,
            Sink::Plain,
            "The machine, as the EDR names it.",
        )
        .input(
            "hostname",
            Type::String,
            Sink::Plain,
            "Its host name. Nothing is done when the EDR knows the machine by another one.",
        )
        .input(
            "message",
            Type::String.optional(),
            Sink::Json,
            "Why, for the people who meet it in the EDR.",
        )
        .discloses(&["message"])
        .natural_key(&["id"])
        .timeout(ORDER_TIMEOUT)
        .retry(ORDER_ATTEMPTS, ORDER_BACKOFF)
        .retry_on(ErrorKind::Offline)
}

fn isolate() -> ActionSpec {
    order(
        "edr.isolate_host",
        "Cuts a machine off the network; it keeps its link to the EDR.",
        Exposure::Active,
    )
    .output("state", words(&["isolated"]))
    .inverse("edr.release_host")
    .example(
        json!({"id": ID, "hostname": "pc-7.ville.example", "message": "MW-2026-00102"}),
        json!({"state": "isolated"}),
    )
}

fn release() -> ActionSpec {
    order(
        "edr.release_host",
        "Puts a machine back on the network.",
        Exposure::None,
    )
    .output("state", words(&["online"]))
    .no_inverse_because("isolating again is a new decision")
    .example(
        json!({"id": ID, "hostname": "pc-7.ville.example", "message": "MW-2026-00102, reinstalled"}),
        json!({"state": "online"}),
    )
}

fn words(words: &[&str]) -> Type {
    Type::OneOf(words.iter().map(|word| (*word).to_owned()).collect())
}
