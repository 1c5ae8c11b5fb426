//! AWS `GuardDuty` findings, alone, in an `EventBridge` event, or as `GetFindings` answers.
//!
//! Severity: 9 and above critical, 7 high, 4 medium, below low. Equal: the id, within a day.
//! Findings that AWS makes to show the format carry the tag `sample`.

use playbooks::duration::Span;
use playbooks::incident::{Host, IncidentType, ObservableType, Signature, User};
use playbooks::marking::Severity;
use serde_json::Value;

use super::draft::Draft;
use super::look::Look;
use super::text::{NAME_CHARACTERS_MAX, line};
use super::{Mapped, MappingContext, Refusal};

const DEDUP_WITHIN: Span = Span::hours(24);

/// Whether a record looks like a finding.
pub(super) fn looks_like(value: &Value) -> bool {
    let look = Look(value);
    look.text("service.serviceName").as_deref() == Some("guardduty")
        || look
            .text("arn")
            .is_some_and(|arn| arn.starts_with("arn:aws") && arn.contains(":guardduty:"))
}

/// Maps one finding.
pub(super) fn map(value: Value, context: &MappingContext<'_>) -> Result<Mapped, Refusal> {
    let look = Look(&value);
    let needed = |path: &str| {
        look.text(path).ok_or_else(|| {
            Refusal::invalid(
                path,
                "a finding without it",
                "send the finding as GuardDuty publishes it",
            )
        })
    };
    let id = needed("id")?;
    let kind = needed("type")?;
    let Some(severity) = look.number("severity") else {
        return Err(Refusal::invalid(
            "severity",
            "a finding without it",
            "send the finding as GuardDuty publishes it",
        ));
    };
    let title = look.text("title").unwrap_or_default();
    let mut draft = Draft::new(incident_type(&kind), &title, &kind, context);
    draft.incident.severity = scale(severity);
    draft.detected(look.first(&["updatedAt", "service.eventLastSeen", "createdAt"]));
    draft.summary(look.text("description"));
    draft.incident.signature = Some(Signature {
        id: line(&kind, NAME_CHARACTERS_MAX),
        name: line(&kind, NAME_CHARACTERS_MAX),
        cve: None,
        blocked: look.is_true("service.action.networkConnectionAction.blocked"),
    });
    if is_sample(look) {
        draft.tag("sample");
    }
    if look.is_true("service.archived") {
        draft.tag("archived");
    }
    if let Some(account) = look.text("accountId") {
        draft.tag(&format!("aws-account:{account}"));
    }
    resource(&mut draft, look);
    network(&mut draft, look, context);
    observables(&mut draft, look);
    let key = line(&id, NAME_CHARACTERS_MAX);
    Ok(draft.finish(value, key, DEDUP_WITHIN))
}

fn scale(severity: f64) -> Severity {
    match severity {
        number if number >= 9.0 => Severity::Critical,
        number if number >= 7.0 => Severity::High,
        number if number >= 4.0 => Severity::Medium,
        _ => Severity::Low,
    }
}

/// The kind of incident a finding type (`Purpose:Resource/Family.Mechanism`) stands for.
fn incident_type(kind: &str) -> IncidentType {
    let purpose = kind.split(':').next().unwrap_or_default();
    match purpose {
        "Backdoor" | "CryptoCurrency" | "Trojan" | "Execution" | "Impact" => IncidentType::Malware,
        "Exfiltration" => IncidentType::DataLeak,
        "UnauthorizedAccess" | "CredentialAccess" | "InitialAccess"
            if kind.contains("IAMUser") || kind.contains("Login") =>
        {
            IncidentType::SuspiciousLogin
        }
        _ => IncidentType::IdsAlert,
    }
}

/// `additionalInfo` is an object, or (since 2022) an object whose `value` is JSON in a text.
fn is_sample(look: Look<'_>) -> bool {
    let inside = look
        .at("service.additionalInfo.value")
        .and_then(Value::as_str)
        .and_then(|text| crate::json_strict::parse(text.as_bytes()).ok());
    look.is_true("service.additionalInfo.sample")
        || inside.is_some_and(|value| Look(&value).is_true("sample"))
}

fn resource(draft: &mut Draft, look: Look<'_>) {
    if let Some(id) = look.text("resource.instanceDetails.instanceId") {
        draft.incident.host = Some(Host {
            id: line(&id, NAME_CHARACTERS_MAX),
            hostname: look
                .items("resource.instanceDetails.networkInterfaces")
                .first()
                .and_then(|interface| {
                    Look(interface)
                        .first_text(&["privateDnsName", "publicDnsName"])
                        .map(|name| line(&name, NAME_CHARACTERS_MAX))
                })
                .filter(|name| !name.is_empty()),
            sha256: None,
        });
    }
    let user = look.first_text(&[
        "resource.accessKeyDetails.userName",
        "resource.accessKeyDetails.principalId",
    ]);
    if let Some(user) = user {
        draft.incident.user = Some(User {
            id: line(&user, NAME_CHARACTERS_MAX),
            email: None,
        });
    }
}

/// Whoever started the connection stands first.
fn network(draft: &mut Draft, look: Look<'_>, context: &MappingContext<'_>) {
    let Some(action) = look.at("service.action.networkConnectionAction").map(Look) else {
        return;
    };
    let remote = action.text("remoteIpDetails.ipAddressV4");
    let local = action.first_text(&["localIpDetails.ipAddressV4"]).or_else(|| {
        look.items("resource.instanceDetails.networkInterfaces")
            .first()
            .and_then(|interface| Look(interface).text("privateIpAddress"))
    });
    let outbound = action.text("connectionDirection").as_deref() == Some("OUTBOUND");
    let (source, destination, port) = if outbound {
        (&local, &remote, action.port("remotePortDetails.port"))
    } else {
        (&remote, &local, action.port("localPortDetails.port"))
    };
    draft.flow(
        context.entity,
        source.as_deref(),
        destination.as_deref(),
        action.text("protocol").as_deref(),
        port,
    );
}

fn observables(draft: &mut Draft, look: Look<'_>) {
    let found = &mut draft.observables;
    if let Some(Value::Object(actions)) = look.at("service.action") {
        for action in actions.values().filter(|action| action.is_object()).map(Look) {
            found.add(
                ObservableType::Ip,
                action.text("remoteIpDetails.ipAddressV4"),
                "remote",
            );
            found.add(
                ObservableType::Ip,
                action.text("remoteIpDetails.ipAddressV6"),
                "remote",
            );
            found.add(ObservableType::Domain, action.text("domain"), "query");
            found.add(
                ObservableType::Domain,
                action.text("domainDetails.domain"),
                "caller",
            );
            for probe in action.items("portProbeDetails") {
                found.add(
                    ObservableType::Ip,
                    Look(probe).text("remoteIpDetails.ipAddressV4"),
                    "remote",
                );
            }
        }
    }
    for interface in look.items("resource.instanceDetails.networkInterfaces") {
        found.add(ObservableType::Ip, Look(interface).text("publicIp"), "own");
        found.add(
            ObservableType::Ip,
            Look(interface).text("privateIpAddress"),
            "own",
        );
    }
    for threat in look.items("service.ebsVolumeScanDetails.scanDetections.threatDetectedByName.threatNames") {
        for file in Look(threat).items("filePaths") {
            found.add(ObservableType::Hash, Look(file).text("hash"), "file");
        }
    }
}
