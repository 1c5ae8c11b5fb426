//! Tests of Entra ID: what is read, what is done, and to whose account.

use std::sync::{Arc, Mutex};

use http::Method;
use playbooks::action_spec::{ErrorKind, Recovery};
use serde_json::{Value, json};

use super::{actions, phone};
use crate::action::{Action, ActionError, Call, Performed, Probe};
use crate::contract::{
    Body, Fake, Reply, can_be_asked, declares_consistently, door, keeps_its_promise, repeats_without_harm,
    survives_hostile_answers,
};
use crate::testing::{HeldFiles, body, call, through};

const ID: &str = "87d349ed-44d7-43e1-9a83-5f2406dee5bd";

type Account = Arc<Mutex<Value>>;

fn fresh() -> Account {
    Arc::new(Mutex::new(body("entra/user.json")))
}

/// A tenant with one account.
async fn tenant(account: &Account) -> Fake {
    let account = Arc::clone(account);
    Fake::start(move |seen| {
        let mut account = account.lock().unwrap();
        let path = seen.uri.path();
        match (seen.method.clone(), path) {
            (Method::GET, "/auditLogs/signIns") => Reply::json(body("entra/signins.json").to_string()),
            (Method::GET, _) if path.starts_with("/reports/") => {
                Reply::json(body("entra/registration.json").to_string())
            }
            (Method::GET, _) => Reply::json(account.to_string()),
            (Method::POST, _) if path.ends_with("/revokeSignInSessions") => {
                account["signInSessionsValidFromDateTime"] = json!("2026-03-02T02:06:04Z");
                Reply::json(json!({"value": true}).to_string())
            }
            (Method::PATCH, _) => {
                let given: Value = serde_json::from_str(&seen.text()).unwrap();
                account["accountEnabled"] = given["accountEnabled"].clone();
                Reply::status(204)
            }
            _ => Reply::status(404),
        }
    })
    .await
}

fn action(capability: &str) -> Arc<dyn Action> {
    let mut all = actions().into_iter();
    all.find(|action| action.provider().capability == capability)
        .unwrap()
}

fn deed(capability: &str) -> Call {
    call(
        capability,
        json!({"user": ID, "account": "A.Martin@ville.example"}),
    )
}

async fn perform(call: &Call, fake: &Fake) -> Result<Performed, ActionError> {
    let action = action(&call.action);
    let door = door("entra", fake.base(), &Value::Null);
    let performed = action
        .perform(call, through(&door, &HeldFiles::default()))
        .await?;
    keeps_its_promise(&*action, &performed);
    Ok(performed)
}

const DEEDS: [&str; 3] = [
    "identity.sign_out",
    "identity.disable_user",
    "identity.enable_user",
];

#[tokio::test]
async fn every_capability_keeps_the_contract() {
    let calls = [
        call("identity.user", json!({"id": ID})),
        call("identity.signins", json!({"user": ID, "since": "30d"})),
    ];
    for call in calls.into_iter().chain(DEEDS.map(deed)) {
        let action = action(&call.action);
        declares_consistently(&*action);
        survives_hostile_answers(&*action, &call, &Value::Null, Body::Needed).await;
    }
}

#[tokio::test]
async fn a_person_is_read_with_what_the_directory_says_of_signing_in() {
    let fake = tenant(&fresh()).await;
    let output = perform(&call("identity.user", json!({"id": ID})), &fake)
        .await
        .unwrap()
        .output;
    assert_eq!(
        output,
        json!({
            "id": ID, "account": "a.martin@ville.example", "name": "A. Martin", "disabled": false,
            "email": "A.Martin@ville.example", "phone": "+33600000000", "mfa": true, "privileged": false,
        })
    );
    let targets: Vec<String> = fake.seen().iter().map(crate::contract::Seen::target).collect();
    assert!(
        targets[0].starts_with(&format!("/users/{ID}?%24select=id%2CdisplayName")),
        "{targets:?}"
    );
    assert_eq!(
        targets[1],
        format!("/reports/authenticationMethods/userRegistrationDetails/{ID}")
    );
}

/// Absent is not `false`: nobody is taken for an ordinary person because a licence is missing.
#[tokio::test]
async fn what_the_directory_does_not_say_is_absent() {
    for (status, registration, privileged) in [
        (
            403,
            json!({"error": {"code": "Authentication_RequestFromNonPremiumTenantOrB2CTenant"}}),
            None,
        ),
        (404, json!({"error": {"code": "Request_ResourceNotFound"}}), None),
        (200, json!({"value": {"isAdmin": true}}), Some(true)),
    ] {
        let fake = Fake::start(move |seen| {
            if seen.uri.path().starts_with("/reports/") {
                Reply::json(registration.to_string()).code(status)
            } else {
                Reply::json(
                    json!({
                        "id": ID, "displayName": null, "mail": null, "userPrincipalName": "x@y.example",
                        "mobilePhone": "ask at the desk", "accountEnabled": true,
                    })
                    .to_string(),
                )
            }
        })
        .await;
        let output = perform(&call("identity.user", json!({"id": ID})), &fake)
            .await
            .unwrap()
            .output;
        assert_eq!(
            output.get("privileged").and_then(Value::as_bool),
            privileged,
            "{status}"
        );
        assert_eq!(output["name"], "x@y.example");
        for absent in ["email", "phone", "mfa"] {
            assert_eq!(output.get(absent), None, "{status}: {absent}");
        }
    }
}

#[tokio::test]
async fn countries_are_those_of_sign_ins_that_succeeded() {
    let fake = tenant(&fresh()).await;
    let arguments = json!({"user": "o'hara", "since": "30d", "before": "2026-03-02T01:00:00Z"});
    let output = perform(&call("identity.signins", arguments), &fake)
        .await
        .unwrap()
        .output;
    assert_eq!(output["countries"], json!(["FR"]), "the one from PT failed");
    assert_eq!(
        output["events"],
        json!([
            {
                "at": "2026-03-01T19:15:41.6195833Z", "succeeded": false, "ip": "203.0.113.45",
                "country": "PT", "app": "Office 365 Exchange Online",
            },
            {
                "at": "2026-03-01T07:58:12Z", "succeeded": true, "ip": "198.51.100.20",
                "country": "FR", "app": "Office 365 Exchange Online",
            },
            {"at": "2026-02-28T07:58:12Z", "succeeded": true},
        ])
    );
    assert_eq!(
        fake.seen()[0].target(),
        "/auditLogs/signIns?%24filter=userId+eq+%27o%27%27hara%27+and+createdDateTime+ge+2026-01-31T02%3A06%3A00Z\
         +and+createdDateTime+lt+2026-03-02T01%3A00%3A00Z&%24top=1000"
    );
}

#[tokio::test]
async fn a_deed_is_done_to_the_account_and_can_be_repeated_and_asked_for() {
    for (capability, output) in [
        ("identity.sign_out", json!({"user": ID, "signed_out": true})),
        ("identity.disable_user", json!({"user": ID, "disabled": true})),
        ("identity.enable_user", json!({"user": ID, "disabled": false})),
    ] {
        let account = fresh();
        account.lock().unwrap()["accountEnabled"] = json!(capability != "identity.enable_user");
        let fake = tenant(&account).await;
        let action = action(capability);
        let way = door("entra", fake.base(), &Value::Null);
        can_be_asked(&*action, &deed(capability), &way).await;
        repeats_without_harm(&*action, &deed(capability), &way, || 1).await;
        assert_eq!(perform(&deed(capability), &fake).await.unwrap().output, output);
        assert_eq!(action.provider().recovery, Recovery::Set);
        let enabled = account.lock().unwrap()["accountEnabled"].clone();
        assert_eq!(
            enabled,
            json!(capability != "identity.disable_user"),
            "{capability}"
        );
    }
}

#[tokio::test]
async fn an_empty_answer_to_a_sign_out_is_an_answer() {
    let fake = Fake::start(|seen| {
        if seen.method == Method::GET {
            Reply::json(body("entra/user.json").to_string())
        } else {
            Reply::status(204)
        }
    })
    .await;
    perform(&deed("identity.sign_out"), &fake).await.unwrap();
}

#[tokio::test]
async fn an_account_of_another_name_is_left_alone() {
    let fake = tenant(&fresh()).await;
    for capability in DEEDS {
        let mut call = deed(capability);
        call.arguments["account"] = json!("maire@ville.example");
        let error = perform(&call, &fake).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected);
        assert!(
            error.not_sent && error.detail.contains("not as `maire@ville.example`"),
            "{error:?}"
        );
        let way = door("entra", fake.base(), &Value::Null);
        let probed = action(capability)
            .probe(&call, through(&way, &HeldFiles::default()))
            .await;
        assert!(matches!(probed, Probe::CannotTell(_)));
    }
    assert!(fake.seen().iter().all(|seen| seen.method == Method::GET));
}

#[test]
fn a_phone_number_is_read_as_people_write_it() {
    assert_eq!(phone("+33 (6) 00-00.00 00").as_deref(), Some("+33600000000"));
    assert_eq!(phone("06 00 00 00 00"), None, "of which country?");
}
