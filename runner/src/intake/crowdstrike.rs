//! `CrowdStrike` Falcon: detection summaries (event stream, data replicator), alerts and
//! detections of the API. Telemetry (`ProcessRollup2` and the like) is ignored, by name.
//!
//! Severity: by its name where there is one; else 1 to 5 or 0 to 100, as the number shows.
//! Equal: the id of the detection, within a day.

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

/// Paths of the same thing in the four shapes. The event stream puts all in `event`.
const IDS: &[&str] = &[
    "CompositeId",
    "composite_id",
    "DetectId",
    "event.CompositeId",
    "event.DetectId",
    "detection_id",
    "EventUUID",
    "event.EventUUID",
    "eid",
];
const NAMES: &[&str] = &[
    "Name",
    "display_name",
    "DetectName",
    "event.Name",
    "event.DetectName",
    "name",
];
const TIMES: &[&str] = &[
    "timestamp",
    "created_timestamp",
    "UTCTimestamp",
    "event.UTCTimestamp",
    "ProcessStartTime",
    "event.ProcessStartTime",
    "metadata.eventCreationTime",
];

/// Whether a record looks like one of Falcon.
pub(super) fn looks_like(value: &Value) -> bool {
    let look = Look(value);
    [
        "fdr_event_type",
        "event_simpleName",
        "event_simplename",
        "CompositeId",
        "composite_id",
        "detection_id",
        "ExternalApiType",
        "metadata.customerIDString",
    ]
    .iter()
    .any(|path| look.at(path).is_some())
        || (look.at("cid").is_some() && look.at("aid").is_some())
}

/// Maps one record.
pub(super) fn map(value: Value, context: &MappingContext<'_>) -> Result<Mapped, Refusal> {
    let look = Look(&value);
    if let Some(why) = not_a_detection(look) {
        return Ok(Mapped::Ignored { why });
    }
    let place = |paths: &[&str]| paths.first().copied().unwrap_or_default().to_owned();
    let Some(id) = look.first_text(IDS) else {
        return Err(Refusal::invalid(
            place(IDS),
            "a detection without an id",
            "send the detection as Falcon publishes it",
        ));
    };
    let behaviours = look.items("behaviors");
    let behaviour = behaviours.first().map_or(look, |behaviour| Look(behaviour));
    let title = title(look, behaviour);
    let kind = if is_identity(look) {
        IncidentType::SuspiciousLogin
    } else {
        IncidentType::Malware
    };
    let mut draft = Draft::new(kind, &title, "CrowdStrike detection", context);
    draft.incident.severity = severity(look);
    draft.detected(look.first(TIMES));
    draft.summary(
        look.first_text(&[
            "Description",
            "description",
            "DetectDescription",
            "event.DetectDescription",
            "event.Description",
        ])
        .or_else(|| behaviour.text("description")),
    );
    let technique_ids = [
        "technique_id",
        "TechniqueId",
        "event.TechniqueId",
        "MitreAttack.TechniqueID",
    ];
    draft.techniques(technique_ids.iter().flat_map(|path| behaviour.texts(path)));
    for path in ["Tactic", "event.Tactic"] {
        if let Some(tactic) = behaviour.text(path) {
            draft.tag(&format!("tactic:{tactic}"));
        }
    }
    draft.incident.signature = Some(Signature {
        id: line(
            &look
                .first_text(&["PatternId", "pattern_id", "event.PatternId"])
                .unwrap_or_else(|| title.clone()),
            NAME_CHARACTERS_MAX,
        ),
        name: draft.incident.title.clone(),
        cve: None,
        blocked: look
            .first_text(&[
                "PatternDispositionDescription",
                "pattern_disposition_description",
                "event.PatternDispositionDescription",
            ])
            .is_some_and(|text| {
                text.to_ascii_lowercase().contains("block") || text.to_ascii_lowercase().contains("prevent")
            }),
    });
    host_and_user(&mut draft, look, behaviour);
    observables(&mut draft, look, &behaviours);
    let key = digest_key(&[&id]);
    Ok(draft.finish(value, key, DEDUP_WITHIN))
}

/// Why a record is no detection, if it is none.
fn not_a_detection(look: Look<'_>) -> Option<String> {
    let said = look.first_text(&[
        "ExternalApiType",
        "metadata.eventType",
        "EventType",
        "event_simpleName",
        "event_simplename",
        "event.event_simpleName",
        "fdr_event_type",
    ])?;
    let detection = ["detection", "epp", "idp", "alert"]
        .iter()
        .any(|word| said.to_ascii_lowercase().contains(word));
    (!detection).then(|| {
        format!(
            "a CrowdStrike record of type `{}`, not a detection",
            line(&said, 60)
        )
    })
}

fn is_identity(look: Look<'_>) -> bool {
    look.first_text(&["ExternalApiType", "metadata.eventType", "product", "type"])
        .is_some_and(|text| text.to_ascii_lowercase().contains("idp"))
}

fn title(look: Look<'_>, behaviour: Look<'_>) -> String {
    if let Some(name) = look.first_text(NAMES) {
        return name;
    }
    let tactic = behaviour.first_text(&["display_name", "scenario", "tactic", "Tactic"]);
    let technique = behaviour.first_text(&["technique", "Technique"]);
    [tactic, technique]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(": ")
}

fn severity(look: Look<'_>) -> Severity {
    let name = look.first_text(&[
        "SeverityName",
        "severity_name",
        "event.SeverityName",
        "max_severity_displayname",
    ]);
    match name.map(|name| name.to_ascii_lowercase()).as_deref() {
        Some("informational" | "low") => return Severity::Low,
        Some("medium") => return Severity::Medium,
        Some("high") => return Severity::High,
        Some("critical") => return Severity::Critical,
        _ => {}
    }
    let number = ["Severity", "severity", "event.Severity", "max_severity"]
        .iter()
        .find_map(|path| look.number(path));
    match number {
        Some(number) if number > 5.0 => by_hundred(number),
        Some(number) => by_hundred(number * 20.0 - 1.0),
        None => Severity::Medium,
    }
}

fn by_hundred(number: f64) -> Severity {
    match number {
        number if number >= 80.0 => Severity::Critical,
        number if number >= 60.0 => Severity::High,
        number if number >= 40.0 => Severity::Medium,
        _ => Severity::Low,
    }
}

fn host_and_user(draft: &mut Draft, look: Look<'_>, behaviour: Look<'_>) {
    let hostname = look.first_text(&[
        "Hostname",
        "ComputerName",
        "device.hostname",
        "event.Hostname",
        "event.ComputerName",
    ]);
    let id = look.first_text(&[
        "AgentIdString",
        "device.device_id",
        "aid",
        "SensorId",
        "event.AgentIdString",
        "event.SensorId",
        "agent_id",
    ]);
    let digest = look
        .first_text(&["SHA256String", "sha256", "event.SHA256String"])
        .or_else(|| behaviour.text("sha256"))
        .and_then(|text| canonical(ObservableType::Hash, &text))
        .filter(|text| text.len() == 64);
    if let Some(id) = id.or_else(|| hostname.clone()) {
        draft.incident.host = Some(Host {
            id: line(&id, NAME_CHARACTERS_MAX),
            hostname: hostname.map(|name| line(&name, NAME_CHARACTERS_MAX)),
            sha256: digest,
        });
    }
    let user = look
        .first_text(&[
            "UserName",
            "user_name",
            "event.UserName",
            "SourceAccountName",
            "event.SourceAccountName",
        ])
        .or_else(|| behaviour.text("user_name"));
    if let Some(user) = user {
        let email = look.first_text(&["SourceAccountUpn", "user_principal", "event.SourceAccountUpn"]);
        draft.incident.user = Some(User {
            id: line(&user, NAME_CHARACTERS_MAX),
            email: email.and_then(|text| canonical(ObservableType::Email, &text)),
        });
    }
}

fn observables(draft: &mut Draft, look: Look<'_>, behaviours: &[&Value]) {
    let found = &mut draft.observables;
    for record in std::iter::once(look).chain(behaviours.iter().map(|behaviour| Look(behaviour))) {
        for path in [
            "SHA256String",
            "sha256",
            "event.SHA256String",
            "SHA1String",
            "event.SHA1String",
            "MD5String",
            "md5",
            "event.MD5String",
        ] {
            found.add(ObservableType::Hash, record.text(path), "file");
        }
    }
    for path in ["LocalIP", "device.local_ip", "event.LocalIP"] {
        found.add(ObservableType::Ip, look.text(path), "own");
    }
    for path in ["device.external_ip", "OriginSourceIpAddress", "aip"] {
        found.add(ObservableType::Ip, look.text(path), "outer");
    }
    for access in look
        .items("NetworkAccesses")
        .into_iter()
        .chain(look.items("event.NetworkAccesses"))
        .chain(look.items("network_accesses"))
    {
        let access = Look(access);
        found.add(
            ObservableType::Ip,
            access.first_text(&["RemoteAddress", "remote_address"]),
            "remote",
        );
    }
    for request in look
        .items("DnsRequests")
        .into_iter()
        .chain(look.items("event.DnsRequests"))
    {
        found.add(ObservableType::Domain, Look(request).text("DomainName"), "query");
    }
    for indicator in look.items("behaviors").into_iter().map(Look) {
        if indicator
            .text("ioc_type")
            .is_some_and(|kind| kind == "domain" || kind.starts_with("ip"))
        {
            found.add_host(indicator.text("ioc_value"), "indicator");
        }
    }
}
