//! Wazuh alerts, as the manager writes and its integrations post them.
//!
//! Severity: level 15 and above critical, 12 high, 7 medium, below low. Levels under 3, which
//! Wazuh itself does not alert on, are ignored. Equal: the id of the alert, within a day.

use playbooks::duration::Span;
use playbooks::incident::{Host, IncidentType, ObservableType, Signature, User};
use playbooks::marking::Severity;
use serde_json::Value;

use super::draft::{Draft, digest_key};
use super::look::Look;
use super::observables::canonical;
use super::text::{NAME_CHARACTERS_MAX, line};
use super::{Mapped, MappingContext, Refusal};

const DEDUP_WITHIN: Span = Span::hours(24);
/// The lowest level that is an alert.
const ALERT_LEVEL_MIN: f64 = 3.0;
const HIGHEST_LEVEL: f64 = 16.0;

const SOURCES: &[&str] = &[
    "data.srcip",
    "data.src_ip",
    "data.win.eventdata.ipAddress",
    "data.aws.sourceIPAddress",
];
const DESTINATIONS: &[&str] = &["data.dstip", "data.dest_ip", "data.dst_ip"];

/// Whether a record looks like an alert of Wazuh.
pub(super) fn looks_like(value: &Value) -> bool {
    let look = Look(value);
    look.number("rule.level").is_some() && (look.has_object("agent") || look.has_object("manager"))
}

/// Maps one alert.
pub(super) fn map(value: Value, context: &MappingContext<'_>) -> Result<Mapped, Refusal> {
    let whole = Look(&value);
    // A search in the indexer answers with the alert inside `_source`.
    let look = whole.at("_source").map_or(whole, Look);
    let Some(level) = look.number("rule.level") else {
        if look.has_object("agent") || look.has_object("manager") {
            return Ok(Mapped::Ignored {
                why: "a Wazuh event without a rule, not an alert".to_owned(),
            });
        }
        return Err(Refusal::invalid(
            "rule.level",
            "a record without it is no alert of Wazuh",
            "send the alert as Wazuh writes it",
        ));
    };
    if !(0.0..=HIGHEST_LEVEL).contains(&level) {
        return Err(Refusal::invalid(
            "rule.level",
            format!("{level} is no level of Wazuh"),
            "levels are 0 to 16",
        ));
    }
    if level < ALERT_LEVEL_MIN {
        return Ok(Mapped::Ignored {
            why: format!("a Wazuh event of level {level}, below {ALERT_LEVEL_MIN}"),
        });
    }
    let rule = look.text("rule.id").unwrap_or_default();
    let description = look.text("rule.description").unwrap_or_default();
    let groups = look.texts("rule.groups");
    let mut draft = Draft::new(
        incident_type(&groups),
        &description,
        &format!("Wazuh rule {rule}"),
        context,
    );
    draft.incident.severity = severity(level);
    draft.detected(look.first(&["timestamp", "@timestamp"]));
    draft.summary(look.text("full_log"));
    draft.incident.signature = Some(Signature {
        id: line(&rule, NAME_CHARACTERS_MAX),
        name: draft.incident.title.clone(),
        cve: look
            .text("data.vulnerability.cve")
            .filter(|cve| super::suricata::is_cve(cve)),
        blocked: false,
    });
    for group in &groups {
        draft.tag(group);
    }
    draft.techniques(look.texts("rule.mitre.id"));
    details(&mut draft, look, context);
    let id = look.text("id").or_else(|| whole.text("_id"));
    let key = match id {
        Some(id) => digest_key(&[&look.text("manager.name").unwrap_or_default(), &id]),
        None => digest_key(&[&value.to_string()]),
    };
    Ok(draft.finish(value, key, DEDUP_WITHIN))
}

fn severity(level: f64) -> Severity {
    match level {
        level if level >= 15.0 => Severity::Critical,
        level if level >= 12.0 => Severity::High,
        level if level >= 7.0 => Severity::Medium,
        _ => Severity::Low,
    }
}

fn incident_type(groups: &[String]) -> IncidentType {
    let has = |words: &[&str]| {
        groups
            .iter()
            .any(|group| words.iter().any(|word| group.contains(word)))
    };
    if has(&["vulnerability-detector"]) {
        IncidentType::Vulnerability
    } else if has(&["virus", "malware", "rootcheck", "virustotal", "yara"]) {
        IncidentType::Malware
    } else if has(&["authentication", "invalid_login", "sshd"]) {
        IncidentType::SuspiciousLogin
    } else if has(&["ids", "suricata", "attack", "web", "firewall"]) {
        IncidentType::IdsAlert
    } else {
        IncidentType::Other
    }
}

fn details(draft: &mut Draft, look: Look<'_>, context: &MappingContext<'_>) {
    let digest = look
        .first_text(&[
            "syscheck.sha256_after",
            "data.win.eventdata.hashes",
            "data.sha256",
        ])
        .and_then(|text| canonical(ObservableType::Hash, &text))
        .filter(|text| text.len() == 64);
    if let Some(id) = look.first_text(&["agent.id", "agent.name"]) {
        draft.incident.host = Some(Host {
            id: line(&id, NAME_CHARACTERS_MAX),
            hostname: look
                .text("agent.name")
                .map(|name| line(&name, NAME_CHARACTERS_MAX)),
            sha256: digest,
        });
    }
    let user = look.first_text(&[
        "data.dstuser",
        "data.srcuser",
        "data.win.eventdata.targetUserName",
        "data.aws.userIdentity.userName",
    ]);
    if let Some(user) = user {
        draft.incident.user = Some(User {
            id: line(&user, NAME_CHARACTERS_MAX),
            email: canonical(ObservableType::Email, &user),
        });
    }
    let (source, destination) = (look.first_text(SOURCES), look.first_text(DESTINATIONS));
    let port = look.port("data.dstport").or_else(|| look.port("data.dest_port"));
    let protocol = look.first_text(&["data.protocol", "data.proto"]);
    draft.flow(
        context.entity,
        source.as_deref(),
        destination.as_deref(),
        protocol.as_deref(),
        port,
    );
    let found = &mut draft.observables;
    found.add(ObservableType::Ip, source, "source");
    found.add(ObservableType::Ip, destination, "destination");
    found.add(ObservableType::Ip, look.text("agent.ip"), "own");
    found.add(ObservableType::Url, look.text("data.url"), "request");
    found.add_host(
        look.first_text(&["data.hostname", "data.http.hostname"]),
        "http_host",
    );
    for path in [
        "syscheck.sha256_after",
        "syscheck.md5_after",
        "data.virustotal.source.sha1",
        "data.virustotal.source.md5",
        "data.sha256",
    ] {
        found.add(ObservableType::Hash, look.text(path), "file");
    }
}
