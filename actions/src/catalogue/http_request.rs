//! The contract of `http.request`.
//!
//! Owns what a playbook may say to it. The connection says what a write means there, so class and
//! exposure here are the strictest ones, used where the connection is silent.

use playbooks::action_spec::{ActionSpec, Sink};
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::Type;
use serde_json::json;

use super::contract::Contract;

/// The methods a playbook may name.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// The contract.
pub(super) fn spec() -> ActionSpec {
    Contract::new(
        "http.request",
        "Sends one HTTP request to the host of a connection.",
        EffectClass::Contain,
        Exposure::Public,
    )
    .input(
        "method",
        Type::OneOf(METHODS.iter().map(|word| (*word).to_owned()).collect()),
        Sink::Plain,
        "The method; the connection may allow fewer.",
    )
    .input(
        "path",
        Type::String,
        Sink::UrlPath,
        "The path below the connection's base URL; every value in it is one encoded segment.",
    )
    .input(
        "query",
        Type::Open.optional(),
        Sink::UrlQuery,
        "Query values by name.",
    )
    .input(
        "headers",
        Type::Open.optional(),
        Sink::Header,
        "Header values by name.",
    )
    .input("json", Type::Open.optional(), Sink::Json, "A JSON body.")
    .input("form", Type::Open.optional(), Sink::Plain, "A form body.")
    .output("code", Type::Int)
    .output("json", Type::Open.optional())
    .discloses(&["path", "query", "headers", "json", "form"])
    .natural_key(&["method", "path", "query", "json", "form"])
    .no_inverse_because("only the owner of the connection knows what a request does there")
    .example(
        json!({"method": "POST", "path": "/reports", "json": {"url": "https://login.example/"}}),
        json!({"code": 202, "json": {"id": "r-17"}}),
    )
}
