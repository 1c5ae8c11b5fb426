//! Suricata EVE: the records of type `alert`; all others are ignored, by name.
//!
//! Severity: 1 is the highest. 1 high, 2 medium, 3 and above low; a record without one is medium.
//! Equal: generator, signature, source and destination, within ten minutes.

use playbooks::duration::Span;
use playbooks::incident::{IncidentType, ObservableType, Signature};
use playbooks::marking::Severity;
use serde_json::Value;

use super::draft::{Draft, digest_key};
use super::look::Look;
use super::text::{NAME_CHARACTERS_MAX, line};
use super::{Mapped, MappingContext, Refusal};

/// For how long alerts of one signature and flow are one incident.
const DEDUP_WITHIN: Span = Span::minutes(10);
/// Characters of a type of record, when it is named in a message.
const TYPE_CHARACTERS_MAX: usize = 40;

/// Whether a record looks like one of EVE.
pub(super) fn looks_like(value: &Value) -> bool {
    let look = Look(value);
    look.text("event_type").is_some()
        && ["flow_id", "alert", "src_ip", "stats", "pcap_cnt"]
            .iter()
            .any(|key| look.at(key).is_some())
}

/// Maps one record.
pub(super) fn map(value: Value, context: &MappingContext<'_>) -> Result<Mapped, Refusal> {
    let look = Look(&value);
    let Some(kind) = look.text("event_type") else {
        return Err(Refusal::invalid(
            "event_type",
            "a record without a type is not one of EVE",
            "send the lines of eve.json as Suricata writes them",
        ));
    };
    if kind != "alert" {
        let kind = line(&kind, TYPE_CHARACTERS_MAX);
        return Ok(Mapped::Ignored {
            why: format!("an EVE record of type `{kind}`, not an alert"),
        });
    }
    let alert = look.at("alert").filter(|alert| alert.is_object()).map(Look);
    let Some(alert) = alert else {
        return Err(Refusal::invalid(
            "alert",
            "an alert without its `alert` object",
            "send the whole record",
        ));
    };
    let Some(signature_id) = alert.text("signature_id") else {
        return Err(Refusal::invalid(
            "alert.signature_id",
            "an alert without a signature",
            "send the whole record",
        ));
    };
    let name = alert.text("signature").unwrap_or_default();
    let mut draft = Draft::new(
        IncidentType::IdsAlert,
        &name,
        &format!("Suricata signature {signature_id}"),
        context,
    );
    draft.detected(look.at("timestamp"));
    draft.incident.severity = severity(alert.number("severity"));
    let (source, destination) = (look.text("src_ip"), look.text("dest_ip"));
    draft.flow(
        context.entity,
        source.as_deref(),
        destination.as_deref(),
        look.text("proto").as_deref(),
        look.port("dest_port"),
    );
    draft.incident.signature = Some(Signature {
        id: line(&signature_id, NAME_CHARACTERS_MAX),
        name: draft.incident.title.clone(),
        cve: cve(&name, alert),
        blocked: alert.text("action").as_deref() == Some("blocked"),
    });
    draft.summary(summary(look, alert));
    draft.techniques(alert.texts("metadata.mitre_technique_id"));
    observables(&mut draft, look);
    let generator = alert.text("gid").unwrap_or_else(|| "1".to_owned());
    let key = digest_key(&[
        &generator,
        &signature_id,
        source.as_deref().unwrap_or_default(),
        destination.as_deref().unwrap_or_default(),
    ]);
    Ok(draft.finish(value, key, DEDUP_WITHIN))
}

fn severity(number: Option<f64>) -> Severity {
    match number {
        Some(number) if number <= 1.0 => Severity::High,
        Some(number) if number <= 2.0 => Severity::Medium,
        Some(_) => Severity::Low,
        None => Severity::Medium,
    }
}

fn summary(look: Look<'_>, alert: Look<'_>) -> Option<String> {
    let end = |address: &str, port: &str| {
        let address = look.text(address)?;
        Some(
            look.port(port)
                .map_or(address.clone(), |port| format!("{address} port {port}")),
        )
    };
    let flow = Some(format!(
        "{} to {}",
        end("src_ip", "src_port")?,
        end("dest_ip", "dest_port")?
    ));
    let parts: Vec<_> = [alert.text("category"), flow].into_iter().flatten().collect();
    Some(parts.join(": "))
}

/// The vulnerability of a signature: from its metadata (`CVE_2021_44228`), else from its name.
fn cve(name: &str, alert: Look<'_>) -> Option<String> {
    alert
        .texts("metadata.cve")
        .iter()
        .map(|text| text.replace('_', "-"))
        .chain(
            name.split(|c: char| c.is_whitespace() || "(),;[]".contains(c))
                .map(str::to_owned),
        )
        .map(|text| text.to_ascii_uppercase())
        .find(|text| is_cve(text))
}

/// Whether a text is `CVE-YYYY-N…`.
pub(super) fn is_cve(text: &str) -> bool {
    let mut parts = text.split('-');
    let digits = |part: Option<&str>, least: usize, most: usize| {
        part.is_some_and(|part| {
            (least..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    parts.next() == Some("CVE")
        && digits(parts.next(), 4, 4)
        && digits(parts.next(), 4, 7)
        && parts.next().is_none()
}

fn observables(draft: &mut Draft, look: Look<'_>) {
    let found = &mut draft.observables;
    found.add(ObservableType::Ip, look.text("src_ip"), "source");
    found.add(ObservableType::Ip, look.text("dest_ip"), "destination");
    let host = look.text("http.hostname");
    found.add_host(host.as_deref(), "http_host");
    if let (Some(host), Some(path)) = (host, look.text("http.url")) {
        let absolute = path.starts_with("http://") || path.starts_with("https://");
        let url = if absolute {
            path
        } else {
            format!("http://{host}{path}")
        };
        found.add(ObservableType::Url, Some(url), "request");
    }
    found.add(ObservableType::Domain, look.text("tls.sni"), "tls_name");
    for query in look
        .items("dns.query")
        .into_iter()
        .chain(look.items("dns.queries"))
    {
        found.add(ObservableType::Domain, Look(query).text("rrname"), "query");
    }
    found.add(ObservableType::Domain, look.text("dns.rrname"), "query");
    for file in look.items("files").into_iter().chain(look.items("fileinfo")) {
        for digest in ["sha256", "sha1", "md5"] {
            found.add(ObservableType::Hash, Look(file).text(digest), "file");
        }
    }
    found.add(
        ObservableType::Email,
        look.text("smtp.mail_from").map(|text| bare_address(&text)),
        "sender",
    );
    for recipient in look.texts("smtp.rcpt_to") {
        found.add(ObservableType::Email, Some(bare_address(&recipient)), "recipient");
    }
}

fn bare_address(text: &str) -> String {
    text.trim_matches(|c| c == '<' || c == '>').to_owned()
}
