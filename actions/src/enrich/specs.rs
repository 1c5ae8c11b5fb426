//! The contracts of the look-ups.
//!
//! Owns what a playbook may ask and what it gets. `enrich.*` without a connection asks every
//! permitted one and merges.

use playbooks::action_spec::{ActionSpec, Sink};
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::{TextForm, Type};
use serde_json::{Value, json};

use crate::catalogue::contract::Contract;

const HASH_EXAMPLE: &str = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";

/// The contracts.
pub(crate) fn specs() -> Vec<ActionSpec> {
    vec![ip(), domain(), url(), hash(), file(), rdap(), dns()]
}

fn look_up(name: &str, summary: &str, exposure: Exposure) -> Contract {
    Contract::new(name, summary, EffectClass::Read, exposure).merges_providers()
}

/// Who said what, when: the provenance of a merged answer.
fn providers() -> Type {
    Type::record([
        ("name", Type::String),
        ("verdict", Type::Text(TextForm::Verdict).optional()),
        ("score", Type::Int.optional()),
        ("at", Type::Time),
        ("error", Type::String.optional()),
    ])
    .list()
}

fn said(name: &str, verdict: &str, score: u64) -> Value {
    json!([{ "name": name, "verdict": verdict, "score": score, "at": "2026-11-10T12:00:00Z" }])
}

fn ip() -> ActionSpec {
    look_up(
        "enrich.ip",
        "Looks up what is known of an address.",
        Exposure::Lookup,
    )
    .input("ip", Type::Text(TextForm::Ip), Sink::Plain, "The address.")
    .output("ip", Type::Text(TextForm::Ip))
    .output("verdict", Type::Text(TextForm::Verdict))
    .output("score", Type::Int.optional())
    .output("asn", Type::Int.optional())
    .output("as_name", Type::String.optional())
    .output("country", Type::String.optional())
    .output("abuse_email", Type::Text(TextForm::Email).optional())
    .output("vpn", Type::Bool)
    .output("tor", Type::Bool)
    .output("providers", providers())
    .discloses(&["ip"])
    .natural_key(&["ip"])
    .example(
        json!({"ip": "203.0.113.7"}),
        json!({
            "ip": "203.0.113.7", "verdict": "malicious", "score": 80, "asn": 64500,
            "as_name": "EXAMPLE-NET", "country": "NL", "vpn": false, "tor": true,
            "providers": said("abuseipdb", "malicious", 80),
        }),
    )
}

fn domain() -> ActionSpec {
    look_up(
        "enrich.domain",
        "Looks up what is known of a domain.",
        Exposure::Lookup,
    )
    .input("domain", Type::Text(TextForm::Domain), Sink::Plain, "The domain.")
    .output("domain", Type::Text(TextForm::Domain))
    .output("verdict", Type::Text(TextForm::Verdict))
    .output("score", Type::Int)
    .output("registrar", Type::String.optional())
    .output("abuse_email", Type::Text(TextForm::Email).optional())
    .output("created", Type::Time.optional())
    .output("age", Type::Duration.optional())
    .output("country", Type::String.optional())
    .output("providers", providers())
    .discloses(&["domain"])
    .natural_key(&["domain"])
    .example(
        json!({"domain": "login.example"}),
        json!({
            "domain": "login.example", "verdict": "suspicious", "score": 10, "age": "3d",
            "providers": said("vt", "suspicious", 10),
        }),
    )
}

fn url() -> ActionSpec {
    look_up(
        "enrich.url",
        "Looks up what is known of a link, without visiting it.",
        Exposure::Lookup,
    )
    .input("url", Type::Text(TextForm::Url), Sink::Plain, "The link.")
    .output("url", Type::Text(TextForm::Url))
    .output("domain", Type::Text(TextForm::Domain))
    .output("verdict", Type::Text(TextForm::Verdict))
    .output("score", Type::Int)
    .output("final_url", Type::Text(TextForm::Url).optional())
    .output("screenshot", Type::File.optional())
    .output("providers", providers())
    .discloses(&["url"])
    .natural_key(&["url"])
    .example(
        json!({"url": "https://login.example/a"}),
        json!({
            "url": "https://login.example/a", "domain": "login.example", "verdict": "malicious",
            "score": 97, "providers": said("vt", "malicious", 97),
        }),
    )
}

fn about_a_file(contract: Contract) -> Contract {
    contract
        .output("hash", Type::Text(TextForm::Hash))
        .output("verdict", Type::Text(TextForm::Verdict))
        .output("score", Type::Int)
        .output("family", Type::String.optional())
        .output("providers", providers())
}

fn hash() -> ActionSpec {
    let contract = look_up(
        "enrich.hash",
        "Looks up what is known of a file by its hash.",
        Exposure::Lookup,
    )
    .input(
        "hash",
        Type::Text(TextForm::Hash),
        Sink::Plain,
        "MD5, SHA-1 or SHA-256.",
    );
    about_a_file(contract)
        .discloses(&["hash"])
        .natural_key(&["hash"])
        .example(
            json!({"hash": HASH_EXAMPLE}),
            json!({
                "hash": HASH_EXAMPLE, "verdict": "malicious", "score": 95, "family": "eicar",
                "providers": said("vt", "malicious", 95),
            }),
        )
}

fn file() -> ActionSpec {
    let contract = look_up(
        "enrich.file",
        "Looks up what is known of a file. Only its hash leaves the house.",
        Exposure::Lookup,
    )
    .input(
        "file",
        Type::File.optional(),
        Sink::Plain,
        "A file held by Sortie.",
    )
    .input(
        "hash",
        Type::Text(TextForm::Hash).optional(),
        Sink::Plain,
        "MD5, SHA-1 or SHA-256.",
    )
    .exactly_one_of(&["file", "hash"]);
    about_a_file(contract)
        .discloses(&["file", "hash"])
        .natural_key(&["file", "hash"])
        .example(
            json!({"hash": HASH_EXAMPLE}),
            json!({
                "hash": HASH_EXAMPLE, "verdict": "unknown", "score": 0,
                "providers": said("vt", "unknown", 0),
            }),
        )
}

fn rdap() -> ActionSpec {
    look_up(
        "enrich.rdap",
        "Asks the registry of a domain who registered it, and when.",
        Exposure::Lookup,
    )
    .input("domain", Type::Text(TextForm::Domain), Sink::Plain, "The domain.")
    .output("registrar", Type::String.optional())
    .output("abuse_email", Type::Text(TextForm::Email).optional())
    .output("created", Type::Time.optional())
    .output("age", Type::Duration.optional())
    .output("country", Type::String.optional())
    .discloses(&["domain"])
    .natural_key(&["domain"])
    .example(
        json!({"domain": "login.example"}),
        json!({
            "registrar": "Example Registrar", "abuse_email": "abuse@registrar.example",
            "created": "2026-11-07T09:00:00Z", "age": "3d", "country": "FR",
        }),
    )
}

fn dns() -> ActionSpec {
    look_up(
        "enrich.dns",
        "Resolves a domain. Its owner may notice.",
        Exposure::Active,
    )
    .input("domain", Type::Text(TextForm::Domain), Sink::Plain, "The domain.")
    .output("a", Type::Text(TextForm::Ip).list())
    .output("aaaa", Type::Text(TextForm::Ip).list())
    .output("mx", Type::Text(TextForm::Domain).list())
    .output("ns", Type::Text(TextForm::Domain).list())
    .discloses(&["domain"])
    .natural_key(&["domain"])
    .example(
        json!({"domain": "login.example"}),
        json!({
            "a": ["203.0.113.7"], "aaaa": [],
            "mx": ["mx.login.example"], "ns": ["ns1.login.example"],
        }),
    )
}
