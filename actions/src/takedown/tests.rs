//! Tests of requests to strangers: to one address, about one domain, and never above TLP:GREEN.

use playbooks::action_spec::ErrorKind;
use playbooks::marking::Tlp;
use serde_json::json;

use super::TakedownRequest;
use crate::action::{Action, ActionError, Call, Performed};
use crate::contract::{declares_consistently, keeps_its_promise};
use crate::testing::relay::{Mood, Relay};
use crate::testing::{HeldFiles, call, through};

fn request() -> Call {
    let mut call = call(
        "takedown.request",
        json!({
            "to": "abuse@registrar.example", "domain": "vi11e.example", "template": "mail/takedown-registrar",
            "rendered": {
                "subject": "vi11e.example imitates ville.example", "text": "Please suspend vi11e.example.",
                "language": "en", "tlp": "green",
            },
        }),
    );
    call.tlp = Tlp::Green;
    call
}

async fn perform(call: &Call, relay: &Relay) -> Result<Performed, ActionError> {
    let action = TakedownRequest::new();
    let performed = action
        .perform(call, through(&relay.door(), &HeldFiles::default()))
        .await?;
    keeps_its_promise(&action, &performed);
    Ok(performed)
}

#[tokio::test]
async fn the_request_goes_to_the_one_address_and_names_the_domain() {
    declares_consistently(&TakedownRequest::new());
    let relay = Relay::start(Mood::Willing).await;
    let performed = perform(&request(), &relay).await.unwrap();
    assert_eq!(performed.output["to"], "abuse@registrar.example");
    let received = relay.received().await;
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].recipients().len(), 1);
    let message = received[0].message();
    assert!(received[0].recipients()[0].contains("abuse@registrar.example"));
    for words in ["TLP:GREEN", "vi11e[.]example", "Auto-Submitted: auto-generated"] {
        assert!(message.contains(words), "{words} is not in\n{message}");
    }
}

#[tokio::test]
async fn what_strangers_may_not_see_is_not_sent() {
    for (marking, rendered, goes) in [
        (Tlp::Clear, "clear", true),
        (Tlp::Green, "green", true),
        (Tlp::Amber, "green", false),
        (Tlp::Green, "amber", false),
        (Tlp::Red, "green", false),
    ] {
        let relay = Relay::start(Mood::Willing).await;
        let mut call = request();
        call.tlp = marking;
        call.arguments["rendered"]["tlp"] = json!(rendered);
        let result = perform(&call, &relay).await;
        assert_eq!(result.is_ok(), goes, "{marking:?}, {rendered}");
        if let Err(error) = result {
            assert_eq!(error.kind, ErrorKind::Policy);
            assert!(
                error.not_sent && error.detail.contains("TLP:GREEN at most"),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_domain_of_the_entity_is_never_named() {
    let relay = Relay::start(Mood::Willing).await;
    for (domain, goes) in [
        ("ville.example", false),
        ("www.ville.example", false),
        ("example", false),
        ("myville.example", true),
        ("ville.example.net", true),
    ] {
        let mut call = request();
        call.arguments["domain"] = json!(domain);
        let result = perform(&call, &relay).await;
        assert_eq!(result.is_ok(), goes, "{domain}: {result:?}");
    }
}

#[tokio::test]
async fn what_is_no_address_gets_nothing() {
    let relay = Relay::start(Mood::Willing).await;
    for to in ["", "abuse", "a@b\r\nBcc: c@d.example", "a@b.example, c@d.example"] {
        let mut call = request();
        call.arguments["to"] = json!(to);
        let error = perform(&call, &relay).await.unwrap_err();
        assert!(
            error.not_sent && error.kind == ErrorKind::Invalid,
            "{to}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_doubtful_hand_over_is_not_repeated() {
    let relay = Relay::start(Mood::AfterMessage("")).await;
    let error = perform(&request(), &relay).await.unwrap_err();
    assert!(!error.not_sent, "{error:?}");
}
