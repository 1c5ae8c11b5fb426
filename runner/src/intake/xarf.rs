//! X-ARF abuse reports: version 4, and the older versions 1 to 3 with their drafts.
//!
//! Owns which version a report has and what its types mean here. Severity: what the reporter says,
//! else medium. Evidence becomes files; the raw report keeps their digests in its place.

mod evidence;
mod legacy;
mod legacy_fields;
mod legacy_rules;
mod schemas;
mod v4;

use playbooks::duration::Span;
use playbooks::incident::IncidentType;
use playbooks::marking::Severity;
use serde_json::Value;

use super::look::Look;
use super::{Mapped, MappingContext, Refusal};

/// For how long a report counts as the same.
const DEDUP_WITHIN: Span = Span::days(7);

/// Whether a record looks like a report.
pub(super) fn looks_like(value: &Value) -> bool {
    let look = Look(value);
    value.get("xarf_version").is_some()
        || (value.get("Version").is_some() && (look.has_object("Report") || look.has_object("ReporterInfo")))
}

/// Maps one report.
pub(super) fn map(value: Value, context: &MappingContext<'_>) -> Result<Mapped, Refusal> {
    if value.get("xarf_version").is_some() {
        v4::map(value, context)
    } else if value.get("Version").is_some() {
        legacy::map(value, context)
    } else {
        Err(Refusal::invalid(
            "xarf_version",
            "a report without a version is not one of X-ARF",
            "add xarf_version (version 4) or Version (1 to 3)",
        ))
    }
}

/// The severity a reporter gives.
fn severity(word: Option<&str>) -> Severity {
    match word.map(str::to_ascii_lowercase).as_deref() {
        Some("low" | "info" | "informational" | "none") => Severity::Low,
        Some("high") => Severity::High,
        Some("critical") => Severity::Critical,
        _ => Severity::Medium,
    }
}

/// What a type of report means here.
fn incident_type(class: &str, kind: &str) -> IncidentType {
    match (class, kind) {
        (_, "phishing") => IncidentType::Phishing,
        (_, "malware" | "infected_host" | "botnet" | "compromised_server" | "remote_compromise") => {
            IncidentType::Malware
        }
        (_, "exposed_data") => IncidentType::DataLeak,
        (_, "brand_infringement" | "trademark") => IncidentType::Impersonation,
        (_, "suspicious_registration") => IncidentType::Typosquatting,
        (_, "potentially_compromised_account") => IncidentType::SuspiciousLogin,
        ("vulnerability", _) => IncidentType::Vulnerability,
        ("connection", _) => IncidentType::IdsAlert,
        _ => IncidentType::Other,
    }
}
