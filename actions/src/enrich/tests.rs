//! Tests of enrich: behaviour at its edges and against hostile input.

use std::sync::Arc;

use playbooks::action_spec::ErrorKind;
use serde_json::{Value, json};

use super::{actions, domain_of};
use crate::action::ActionError;
use crate::clock::{Clock, TestClock};
use crate::contract::{Body, Fake, Reply, Seen, settings, survives_hostile_answers};
use crate::registry::{Registry, Route};
use crate::testing::{HeldFiles, body, call, samples};

const EICAR: &str = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";

/// Asks one provider that answers in a recorded way, through the registry, so that the outputs are
/// checked against the contract.
async fn ask(
    provider: &str,
    action: &str,
    arguments: Value,
    reply: Reply,
) -> (Result<Value, ActionError>, Vec<Seen>) {
    let fake = Fake::start(move |_| reply.clone()).await;
    let clock: Arc<dyn Clock> = TestClock::new();
    let registry = Registry::with_actions(vec![settings(provider, fake.base())], &clock, actions()).unwrap();
    let asked = call(action, arguments);
    let result = registry
        .perform(&asked, &Route::through("far"), &HeldFiles::default())
        .await;
    (result.map(|performed| performed.output), fake.seen())
}

fn recorded(name: &str) -> Reply {
    Reply::json(body(&format!("enrich/{name}.json")).to_string())
}

async fn facts(provider: &str, action: &str, arguments: Value, name: &str) -> Value {
    let (result, _) = ask(provider, action, arguments, recorded(name)).await;
    result.unwrap()
}

fn picked(output: &Value, fields: &[&str]) -> Value {
    fields
        .iter()
        .map(|field| {
            (
                (*field).to_owned(),
                output.get(*field).cloned().unwrap_or_default(),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test]
async fn virustotal_knows_an_address() {
    let asked = json!({"ip": "138.128.150.133"});
    let (result, seen) = ask("virustotal", "enrich.ip", asked, recorded("virustotal-ip")).await;
    let output = result.unwrap();
    assert_eq!(
        picked(
            &output,
            &[
                "ip", "verdict", "score", "asn", "as_name", "country", "vpn", "tor"
            ]
        ),
        json!({
            "ip": "138.128.150.133", "verdict": "malicious", "score": 40, "asn": 13886,
            "as_name": "CLOUD-SOUTH", "country": "GB", "vpn": false, "tor": false,
        })
    );
    assert_eq!(
        output["providers"],
        json!([{"name": "far", "verdict": "malicious", "score": 40, "at": "2026-03-02T02:06:00Z"}])
    );
    assert_eq!(seen[0].target(), "/ip_addresses/138.128.150.133");
}

#[tokio::test]
async fn virustotal_knows_a_link_by_its_encoded_id() {
    let url = "http://soclosebutyetqq.com/69.exe";
    let (result, seen) = ask(
        "virustotal",
        "enrich.url",
        json!({"url": url}),
        recorded("virustotal-url"),
    )
    .await;
    assert_eq!(
        picked(
            &result.unwrap(),
            &["url", "domain", "verdict", "score", "final_url"]
        ),
        json!({
            "url": url, "domain": "soclosebutyetqq.com", "verdict": "malicious", "score": 100,
            "final_url": url,
        })
    );
    assert_eq!(
        seen[0].target(),
        "/urls/aHR0cDovL3NvY2xvc2VidXR5ZXRxcS5jb20vNjkuZXhl"
    );
}

#[tokio::test]
async fn virustotal_knows_files_by_hash_whether_held_or_named() {
    for (action, arguments) in [
        ("enrich.hash", json!({"hash": EICAR})),
        ("enrich.file", json!({"hash": EICAR})),
        (
            "enrich.file",
            json!({"file": {"name": "a.com", "sha256": EICAR, "size": 68}}),
        ),
    ] {
        let (result, seen) = ask("virustotal", action, arguments, recorded("virustotal-file")).await;
        assert_eq!(
            picked(&result.unwrap(), &["hash", "verdict", "score", "family"]),
            json!({"hash": EICAR, "verdict": "malicious", "score": 100, "family": "virus.eicar/test"})
        );
        assert_eq!(seen[0].target(), format!("/files/{EICAR}"));
    }
}

#[tokio::test]
async fn virustotal_tells_when_a_domain_was_created() {
    let output = facts(
        "virustotal",
        "enrich.domain",
        json!({"domain": "login.example"}),
        "virustotal-domain",
    )
    .await;
    assert_eq!(output["verdict"], "suspicious");
    assert_eq!(output["created"], "2026-09-01T00:00:00Z");
    // The domain was made after the call: a wrong clock somewhere, and no age.
    assert!(output.get("age").is_none());
}

#[tokio::test]
async fn not_known_is_data_only_in_the_words_of_the_provider() {
    let asked = json!({"url": "https://new.example/"});
    let reply = recorded("virustotal-not-found").code(404);
    let (result, _) = ask("virustotal", "enrich.url", asked.clone(), reply).await;
    let output = result.unwrap();
    assert_eq!(
        picked(&output, &["verdict", "score", "final_url"]),
        json!({"verdict": "unknown", "score": 0, "final_url": null})
    );
    let (result, _) = ask(
        "virustotal",
        "enrich.url",
        asked,
        Reply::status(404).body("nginx"),
    )
    .await;
    assert_eq!(result.unwrap_err().kind, ErrorKind::Rejected);
}

#[tokio::test]
async fn abuseipdb_reports_are_read_and_no_reports_are_not_clean() {
    let asked = json!({"ip": "1.1.1.1"});
    let (result, seen) = ask(
        "abuseipdb",
        "enrich.ip",
        asked.clone(),
        recorded("abuseipdb-check"),
    )
    .await;
    assert_eq!(
        picked(&result.unwrap(), &["verdict", "score", "country", "tor"]),
        json!({"verdict": "unknown", "score": 0, "country": "US", "tor": false})
    );
    assert_eq!(seen[0].target(), "/check?ipAddress=1.1.1.1&maxAgeInDays=30");

    let bad = r#"{"data": {"abuseConfidenceScore": 100, "isTor": true, "countryCode": null, "isWhitelisted": null}}"#;
    let (result, _) = ask("abuseipdb", "enrich.ip", asked, Reply::json(bad)).await;
    assert_eq!(
        picked(&result.unwrap(), &["verdict", "score", "country", "tor"]),
        json!({"verdict": "malicious", "score": 100, "country": null, "tor": true})
    );
}

#[tokio::test]
async fn urlhaus_is_told_by_its_query_status() {
    let url = json!({"url": "http://203.0.113.7/mips"});
    let (result, seen) = ask(
        "urlhaus",
        "enrich.url",
        url.clone(),
        recorded("urlhaus-url-online"),
    )
    .await;
    assert_eq!(
        picked(&result.unwrap(), &["verdict", "score", "domain"]),
        json!({"verdict": "malicious", "score": 100, "domain": "7.113.0.203.in-addr.arpa"})
    );
    assert_eq!(seen[0].target(), "/url/");
    assert_eq!(seen[0].text(), "url=http%3A%2F%2F203.0.113.7%2Fmips");

    let (result, _) = ask(
        "urlhaus",
        "enrich.url",
        url.clone(),
        recorded("urlhaus-no-results"),
    )
    .await;
    assert_eq!(result.unwrap()["verdict"], "unknown");
    let (result, _) = ask("urlhaus", "enrich.url", url, recorded("urlhaus-invalid")).await;
    assert_eq!(result.unwrap_err().kind, ErrorKind::Rejected);

    let host = json!({"domain": "shared.example"});
    let output = facts("urlhaus", "enrich.domain", host, "urlhaus-host-former").await;
    assert_eq!(
        picked(&output, &["verdict", "score"]),
        json!({"verdict": "suspicious", "score": 40})
    );

    let md5 = json!({"hash": "12c8aec5766ac3e6f26f2505e2f4a8f2"});
    let (result, seen) = ask("urlhaus", "enrich.hash", md5, recorded("urlhaus-payload")).await;
    assert_eq!(result.unwrap()["family"], "Heodo");
    assert_eq!(seen[0].text(), "md5_hash=12c8aec5766ac3e6f26f2505e2f4a8f2");

    let sha1 = json!({"hash": "3395856ce81f2b7382dee72602f798b642f14140"});
    let (result, seen) = ask("urlhaus", "enrich.hash", sha1, recorded("urlhaus-payload")).await;
    assert_eq!(result.unwrap_err().kind, ErrorKind::Invalid);
    assert!(seen.is_empty());
}

#[tokio::test]
async fn rdap_finds_the_abuse_contact_inside_the_registrar() {
    let asked = json!({"domain": "www.home.moscow"});
    let (result, seen) = ask("rdap", "enrich.rdap", asked, recorded("rdap-home.moscow")).await;
    assert_eq!(
        result.unwrap(),
        json!({
            "registrar": "Limited Liability Company \"Registrar of domain names REG.RU\"",
            "abuse_email": "abuse@reg.ru", "created": "2021-10-19T19:28:12Z", "age": "1594d",
        })
    );
    assert_eq!(seen[0].target(), "/domain/home.moscow");
    assert_eq!(
        seen[0].header("accept"),
        Some("application/rdap+json, application/json")
    );

    let output = facts(
        "rdap",
        "enrich.rdap",
        json!({"domain": "microsoft.click"}),
        "rdap-microsoft.click",
    )
    .await;
    assert_eq!(
        picked(&output, &["registrar", "abuse_email", "country"]),
        json!({
            "registrar": "MarkMonitor Inc.", "abuse_email": "abusecomplaints@markmonitor.com",
            "country": "US",
        })
    );
    let output = facts("rdap", "enrich.ip", json!({"ip": "203.0.113.7"}), "rdap-network").await;
    assert_eq!(
        picked(&output, &["verdict", "country", "abuse_email"]),
        json!({"verdict": "unknown", "country": "NL", "abuse_email": "abuse@net.example"})
    );
}

#[tokio::test]
async fn what_rdap_does_not_say_stays_absent() {
    let asked = json!({"domain": "quiet.example"});
    for reply in [
        Reply::json(
            r#"{"objectClassName": "domain", "entities": null, "events": [{"eventAction": "expiration"}]}"#,
        ),
        Reply::status(404),
        Reply::json(r#"{"errorCode": 404, "title": "Not Found"}"#).code(404),
    ] {
        let (result, _) = ask("rdap", "enrich.rdap", asked.clone(), reply).await;
        assert_eq!(result.unwrap(), json!({}));
    }
    let page = Reply::status(404).body("<h1>Not found</h1>");
    let (result, _) = ask("rdap", "enrich.rdap", asked.clone(), page).await;
    assert_eq!(result.unwrap_err().kind, ErrorKind::Rejected);
    let (result, _) = ask("rdap", "enrich.rdap", asked, Reply::json(r#"{"hello": 1}"#)).await;
    assert_eq!(result.unwrap_err().kind, ErrorKind::BadAnswer);
}

#[test]
fn entities_are_searched_to_a_limit() {
    let nested = |depth: usize| {
        let contact =
            json!({"roles": ["abuse"], "vcardArray": ["vcard", [["email", {}, "text", "a@b.example"]]]});
        (1..depth).fold(
            json!({"entities": [contact]}),
            |inner, _| json!({"entities": [inner]}),
        )
    };
    let found = |depth| super::rdap::of_network(&nested(depth))["abuse_email"].is_string();
    assert!(found(super::rdap::ENTITY_DEPTH_MAX - 1));
    assert!(found(super::rdap::ENTITY_DEPTH_MAX));
    assert!(!found(super::rdap::ENTITY_DEPTH_MAX + 1));
}

#[test]
fn every_rdap_sample_is_read() {
    let Some(folder) = samples("api/rdap") else { return };
    let now = "2026-11-10T12:00:00Z".parse().unwrap();
    let mut domains = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let object: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let facts = super::rdap::of_domain(&object, now);
        if object["objectClassName"] == "domain" {
            domains += 1;
            assert!(facts["registrar"].is_string(), "{}", path.display());
            assert!(facts["created"].is_string(), "{}", path.display());
        }
    }
    assert!(domains > 0);
}

#[test]
fn the_host_of_a_link_is_a_domain() {
    for (url, domain) in [
        ("https://Login.Example./a?b#c", "login.example"),
        ("http://203.0.113.7:8080/", "7.113.0.203.in-addr.arpa"),
        (
            "http://[2001:db8::1]/",
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        ),
        ("https://b\u{fc}cher.example/", "xn--bcher-kva.example"),
    ] {
        assert_eq!(domain_of(url).as_deref(), Some(domain));
    }
}

#[tokio::test]
async fn every_provider_survives_hostile_answers() {
    for action in actions() {
        let spec = action.provider();
        if spec.provider == "dns" {
            continue;
        }
        let arguments = match spec.capability.as_str() {
            "enrich.ip" => json!({"ip": "203.0.113.7"}),
            "enrich.url" => json!({"url": "https://login.example/"}),
            "enrich.hash" | "enrich.file" => json!({"hash": EICAR}),
            _ => json!({"domain": "login.example"}),
        };
        let asked = call(&spec.capability, arguments);
        survives_hostile_answers(action.as_ref(), &asked, &Value::Null, Body::Needed).await;
    }
}
