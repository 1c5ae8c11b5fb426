//! X-ARF 1, 2 and 3, their drafts (`alpha`, `development`) and the `3.0` of the later
//! specification, which names source and evidence differently.

use playbooks::incident::{ObservableType, Reporter, Signature, User};
use serde_json::Value;

use super::evidence::{self, Piece};
use super::legacy_rules::checked;
use super::{DEDUP_WITHIN, incident_type, severity};
use crate::intake::draft::{Draft, digest_key};
use crate::intake::look::Look;
use crate::intake::observables::canonical;
use crate::intake::text::{NAME_CHARACTERS_MAX, line};
use crate::intake::{Mapped, MappingContext, Refusal};

/// Maps one report.
pub(super) fn map(mut value: Value, context: &MappingContext<'_>) -> Result<Mapped, Refusal> {
    let kind = checked(&value)?;
    let look = Look(&value);
    let text = |path: &str| look.text(path);
    let (class, meaning) = kind.meaning;
    let source = look.first_text(&[
        "Report.SourceIp",
        "Report.SourceUrl",
        "Report.Source.IP",
        "Report.Source.URL",
        "Report.AttackerIp",
    ]);
    let from = source
        .as_ref()
        .map(|source| format!(" from {source}"))
        .unwrap_or_default();
    let title = format!("X-ARF {}: {}{from}", kind.class.to_lowercase(), kind.name);
    let mut draft = Draft::new(incident_type(class, meaning), &title, &title, context);
    let said = look.first_text(&["Report.ReporterSeverity", "Report.CVSS.Severity"]);
    draft.incident.severity = severity(said.as_deref());
    draft.detected(look.at("Report.Date"));
    draft.summary(look.first_text(&[
        "Report.ReporterNotes",
        "Report.HarassmentDescription",
        "Report.AttackDescription",
    ]));
    draft.incident.reporter = look
        .first_text(&[
            "ReporterInfo.ReporterContactEmail",
            "ReporterInfo.ReporterOrgEmail",
        ])
        .and_then(|email| canonical(ObservableType::Email, &email))
        .map(|email| Reporter {
            email,
            name: look
                .first_text(&["ReporterInfo.ReporterContactName", "ReporterInfo.ReporterOrg"])
                .map(|name| line(&name, NAME_CHARACTERS_MAX)),
        });
    draft.tag(&format!("x-arf:{class}/{meaning}"));
    let account = look.first_text(&[
        "Report.Account.AccountIdentifier",
        "Report.Account.AccountName",
        "Report.Account.AccountEmail",
    ]);
    draft.incident.user = account.map(|id| User {
        id: line(&id, NAME_CHARACTERS_MAX),
        email: text("Report.Account.AccountEmail").and_then(|email| canonical(ObservableType::Email, &email)),
    });
    draft.incident.signature = text("Report.CVE").map(|cve| Signature {
        id: cve.clone(),
        name: draft.incident.title.clone(),
        cve: Some(cve),
        blocked: false,
    });
    let attacker = look.first_text(&["Report.SourceIp", "Report.Source.IP", "Report.AttackerIp"]);
    draft.flow(
        context.entity,
        attacker.as_deref(),
        text("Report.DestinationIp").as_deref(),
        look.first_text(&["Report.TransportProtocol", "Report.Protocol"])
            .as_deref(),
        look.port("Report.DestinationPort"),
    );
    observables(&mut draft, look);
    let key = digest_key(&["legacy", &value.to_string()]);
    keep_samples(&mut draft, &mut value);
    Ok(draft.finish(value, key, DEDUP_WITHIN))
}

fn observables(draft: &mut Draft, look: Look<'_>) {
    let found = &mut draft.observables;
    for path in ["Report.SourceIp", "Report.Source.IP"] {
        found.add(ObservableType::Ip, look.text(path), "source");
    }
    found.add(ObservableType::Ip, look.text("Report.AttackerIp"), "attacker");
    found.add(
        ObservableType::Ip,
        look.text("Report.DestinationIp"),
        "destination",
    );
    for path in [
        "Report.SourceUrl",
        "Report.Source.URL",
        "Report.InfringingUrl",
        "Report.Url",
    ] {
        found.add(ObservableType::Url, look.text(path), "link");
    }
    found.add(ObservableType::Domain, look.text("Report.RpzDomain"), "query");
    found.add_host(look.text("Report.AdditionalInfo.C2Server"), "command_and_control");
    found.add(
        ObservableType::Email,
        look.text("Report.SmtpMailFromAddress"),
        "sender",
    );
    found.add(
        ObservableType::Email,
        look.text("Report.SmtpRcptToAddress"),
        "recipient",
    );
    found.add(
        ObservableType::Email,
        look.text("Report.Account.AccountEmail"),
        "account",
    );
    found.add(
        ObservableType::Hash,
        look.first_text(&["Report.FileHash.HashValue", "Report.FileHash"]),
        "file",
    );
}

fn keep_samples(draft: &mut Draft, value: &mut Value) {
    for list in ["Samples", "Attachment"] {
        let Some(Value::Array(samples)) = value.get_mut("Report").and_then(|report| report.get_mut(list))
        else {
            continue;
        };
        for sample in samples {
            let text = |key: &str| sample.get(key).and_then(Value::as_str);
            let key = if text("Payload").is_some() {
                "Payload"
            } else {
                "Data"
            };
            let Some(payload) = text(key) else {
                continue;
            };
            let flagged = sample
                .get("Base64Encoded")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            let piece = Piece {
                payload,
                base64: flagged || key == "Data",
                name: text("FileName"),
                media_type: text("ContentType"),
                claimed: None,
            };
            let kept = evidence::keep(draft, piece);
            if let Some(payload) = sample.get_mut(key) {
                *payload = kept;
            }
        }
    }
}
