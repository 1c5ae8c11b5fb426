//! X-ARF version 4, checked against its published schemas.

use playbooks::incident::{ObservableType, Reporter, Signature};
use serde_json::Value;

use super::evidence::{self, Piece};
use super::{DEDUP_WITHIN, incident_type, schemas, severity};
use crate::intake::draft::{Draft, digest_key};
use crate::intake::look::Look;
use crate::intake::observables::canonical;
use crate::intake::text::{NAME_CHARACTERS_MAX, line};
use crate::intake::{Mapped, MappingContext, Refusal};

/// Characters of a reason that the schema gives.
const REASON_CHARACTERS_MAX: usize = 300;
const REMEDY: &str = "see the schemas of version 4 at https://xarf.org/schemas/v4/";

/// Maps one report.
pub(super) fn map(mut value: Value, context: &MappingContext<'_>) -> Result<Mapped, Refusal> {
    check(&value)?;
    let look = Look(&value);
    let text = |path: &str| look.text(path).unwrap_or_default();
    let (category, kind, source) = (text("category"), text("type"), text("source_identifier"));
    let title = format!("X-ARF {category}: {} from {source}", kind.replace('_', " "));
    let mut draft = Draft::new(incident_type(&category, &kind), &title, &title, context);
    draft.incident.severity = severity(look.first_text(&["severity", "severity_level"]).as_deref());
    draft.detected(look.at("timestamp"));
    draft.summary(look.text("description"));
    draft.incident.reporter =
        canonical(ObservableType::Email, &text("reporter.contact")).map(|email| Reporter {
            email,
            name: look
                .text("reporter.org")
                .map(|name| line(&name, NAME_CHARACTERS_MAX)),
        });
    draft.incident.domain = look
        .text("domain")
        .and_then(|domain| canonical(ObservableType::Domain, &domain));
    draft.tag(&format!("x-arf:{category}/{kind}"));
    for tag in look.texts("tags") {
        draft.tag(&tag);
    }
    if let Some(cve) = look.first_text(&["cve_id", "cve"]) {
        draft.incident.signature = Some(Signature {
            id: line(&cve, NAME_CHARACTERS_MAX),
            name: draft.incident.title.clone(),
            cve: Some(cve).filter(|cve| crate::intake::suricata::is_cve(cve)),
            blocked: false,
        });
    }
    draft.flow(
        context.entity,
        Some(&source),
        look.text("destination_ip").as_deref(),
        look.text("protocol").as_deref(),
        look.port("destination_port"),
    );
    observables(&mut draft, look, &source);
    let key = digest_key(&["v4", &text("report_id")]);
    keep_evidence(&mut draft, &mut value);
    Ok(draft.finish(value, key, DEDUP_WITHIN))
}

/// The first thing that breaks the schema, innermost first.
fn check(value: &Value) -> Result<(), Refusal> {
    let validator = schemas::validator().map_err(|problem| {
        Refusal::invalid(
            "",
            format!("the schemas cannot be used: {problem}"),
            "report this",
        )
    })?;
    let mut errors: Vec<(String, String)> = validator
        .iter_errors(value)
        .map(|error| (error.instance_path().to_string(), error.to_string()))
        .collect();
    errors.sort_by_key(|(path, reason)| (path.is_empty(), reason.len()));
    let Some((path, reason)) = errors.into_iter().next() else {
        return Ok(());
    };
    let place = path.trim_start_matches('/').replace('/', ".");
    if place.is_empty() && reason.contains("anyOf") {
        let look = Look(value);
        let (category, kind) = (
            look.text("category").unwrap_or_default(),
            look.text("type").unwrap_or_default(),
        );
        let reason = format!(
            "`{}` is not a type of the category `{}`",
            line(&kind, 60),
            line(&category, 60)
        );
        return Err(Refusal::invalid("type", reason, REMEDY));
    }
    Err(Refusal::invalid(
        line(&place, NAME_CHARACTERS_MAX),
        line(&reason, REASON_CHARACTERS_MAX),
        REMEDY,
    ))
}

fn observables(draft: &mut Draft, look: Look<'_>, source: &str) {
    let found = &mut draft.observables;
    found.add_host(Some(source), "source");
    found.add(ObservableType::Email, Some(source), "source");
    found.add(ObservableType::Url, Some(source), "source");
    for path in [
        "url",
        "infringing_url",
        "target_url",
        "submission_url",
        "payload_url",
    ] {
        found.add(ObservableType::Url, look.text(path), "link");
    }
    for url in look.texts("redirect_chain") {
        found.add(ObservableType::Url, Some(url), "redirect");
    }
    found.add(ObservableType::Domain, look.text("domain"), "domain");
    found.add(ObservableType::Ip, look.text("destination_ip"), "destination");
    found.add(ObservableType::Email, look.text("smtp_from"), "sender");
    found.add(ObservableType::Email, look.text("smtp_to"), "recipient");
    for path in [
        "file_hash",
        "file_hashes.sha256",
        "file_hashes.sha1",
        "file_hashes.md5",
    ] {
        let digest = look
            .text(path)
            .map(|text| text.rsplit(':').next().unwrap_or_default().to_owned());
        found.add(ObservableType::Hash, digest, "file");
    }
    for server in look
        .texts("c2_communications")
        .into_iter()
        .chain(look.texts("c2_server"))
    {
        let host = server.rsplit_once(':').map_or(server.as_str(), |(host, _)| host);
        found.add_host(Some(host), "command_and_control");
    }
    for related in look.items("related_domains") {
        found.add(ObservableType::Domain, Look(related).text("domain"), "related");
    }
}

fn keep_evidence(draft: &mut Draft, value: &mut Value) {
    let Some(Value::Array(items)) = value.get_mut("evidence") else {
        return;
    };
    for item in items {
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        let Some(payload) = text("payload") else {
            continue;
        };
        let piece = Piece {
            payload,
            base64: true,
            name: None,
            media_type: text("content_type"),
            claimed: text("hash"),
        };
        let kept = evidence::keep(draft, piece);
        if let Some(payload) = item.get_mut("payload") {
            *payload = kept;
        }
    }
}
