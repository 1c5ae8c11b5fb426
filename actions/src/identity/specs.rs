//! The contracts of `identity.*`.
//!
//! Owns what a playbook may say. A person is named by the id in the directory; where something is
//! done to the account, also by its sign-in name, so that people and guardrails know whose it is.

use playbooks::action_spec::{ActionSpec, Sink};
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::{TextForm, Type};
use serde_json::json;

use crate::catalogue::contract::Contract;

const ID: &str = "87d349ed-44d7-43e1-9a83-5f2406dee5bd";
const ACCOUNT: &str = "a.martin@ville.example";

/// The contracts of the family.
pub(crate) fn specs() -> [ActionSpec; 5] {
    [user(), signins(), sign_out(), disable(), enable()]
}

fn user() -> ActionSpec {
    Contract::new(
        "identity.user",
        "Reads what the entity's directory knows of a person.",
        EffectClass::Read,
        Exposure::None,
    )
    .input(
        "id",
        Type::String,
        Sink::Plain,
        "The person: id in the directory or sign-in name.",
    )
    .output("id", Type::String)
    .output("account", Type::String)
    .output("name", Type::String)
    .output("email", Type::Text(TextForm::Email).optional())
    .output("phone", Type::Text(TextForm::Phone).optional())
    .output("mfa", Type::Bool.optional())
    .output("privileged", Type::Bool.optional())
    .output("disabled", Type::Bool)
    .discloses(&["id"])
    .natural_key(&["id"])
    .example(
        json!({"id": ID}),
        json!({
            "id": ID, "account": ACCOUNT, "name": "A. Martin", "email": ACCOUNT,
            "phone": "+33600000000", "mfa": true, "privileged": false, "disabled": false,
        }),
    )
}

fn signins() -> ActionSpec {
    let event = Type::record([
        ("at", Type::Time),
        ("ip", Type::Text(TextForm::Ip).optional()),
        ("country", Type::String.optional()),
        ("app", Type::String.optional()),
        ("succeeded", Type::Bool),
    ]);
    Contract::new(
        "identity.signins",
        "Lists a person's sign-ins, newest first, and the countries of those that succeeded.",
        EffectClass::Read,
        Exposure::None,
    )
    .input("user", Type::String, Sink::Plain, "The id in the directory.")
    .input("since", Type::Duration, Sink::Plain, "How far back from now.")
    .input(
        "before",
        Type::Time.optional(),
        Sink::Plain,
        "Only earlier ones: what was usual before the incident.",
    )
    .output("events", event.list())
    .output("countries", Type::String.list())
    .discloses(&["user"])
    .natural_key(&["user", "since", "before"])
    .example(
        json!({"user": ID, "since": "30d", "before": "2026-03-02T08:05:00Z"}),
        json!({
            "events": [{
                "at": "2026-03-01T07:58:12Z", "ip": "198.51.100.20", "country": "FR",
                "app": "Office 365", "succeeded": true,
            }],
            "countries": ["FR"],
        }),
    )
}

/// What is done to an account.
fn deed(name: &str, summary: &str, exposure: Exposure) -> Contract {
    Contract::new(name, summary, EffectClass::Contain, exposure).input(
        "user",
        Type::String,
        Sink::Plain,
        "The id in the directory.",
    )
}

impl Contract {
    /// The sign-in name that the account must have.
    fn account(self) -> Self {
        self.input(
            "account",
            Type::String,
            Sink::Plain,
            "The sign-in name. Nothing is done when the directory knows the account by another one.",
        )
    }
}

fn sign_out() -> ActionSpec {
    deed(
        "identity.sign_out",
        "Ends every session of a person; within minutes every device asks to sign in again.",
        Exposure::Active,
    )
    .account()
    .output("user", Type::String)
    .output("signed_out", Type::Bool)
    .natural_key(&["user"])
    .no_inverse_because("the person simply signs in again")
    .example(
        json!({"user": ID, "account": ACCOUNT}),
        json!({"user": ID, "signed_out": true}),
    )
}

fn disable() -> ActionSpec {
    deed(
        "identity.disable_user",
        "Locks an account: nobody signs in with it until it is enabled again.",
        Exposure::Active,
    )
    .account()
    .output("user", Type::String)
    .output("disabled", Type::Bool)
    .natural_key(&["user"])
    .inverse("identity.enable_user")
    .example(
        json!({"user": ID, "account": ACCOUNT}),
        json!({"user": ID, "disabled": true}),
    )
}

fn enable() -> ActionSpec {
    deed("identity.enable_user", "Unlocks an account.", Exposure::None)
        .account()
        .output("user", Type::String)
        .output("disabled", Type::Bool)
        .natural_key(&["user"])
        .no_inverse_because("locking again is a new decision")
        .example(
            json!({"user": ID, "account": ACCOUNT}),
            json!({"user": ID, "disabled": false}),
        )
}
