//! The door through which alerts come in: foreign bytes become incidents of one entity.
//!
//! Owns the formats, their severity scales and times, and what makes two alerts the same. Trusts
//! nothing it reads: the entity comes from who sent the bytes (see [`Source`]), text is cleaned,
//! addresses are parsed. Pure: no clock, no store, no network.

mod batch;
mod crowdstrike;
mod draft;
mod generic;
mod guardduty;
mod look;
mod mail;
mod observables;
mod source;
mod suricata;
mod text;
mod time;
mod wazuh;
mod xarf;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use playbooks::duration::Span;
use playbooks::incident::{FileRef, Incident};
use playbooks::operator::Entity;
use serde_json::Value;

pub use batch::ALERTS_MAX;
pub use mail::{MAIL_BYTES_MAX, MAIL_PARTS_MAX, MAIL_STRUCTURE_LINES_MAX};
pub use observables::OBSERVABLES_MAX;
pub use source::{Binding, EntityChoice, Source, choose_entity};
pub use text::{NAME_CHARACTERS_MAX, SUMMARY_CHARACTERS_MAX, TAGS_MAX, TITLE_CHARACTERS_MAX};
pub use time::parse as parse_time;

use crate::json_strict::{Fault, JsonError};

/// What a mapper knows beside the bytes.
#[derive(Debug, Clone, Copy)]
pub struct MappingContext<'a> {
    /// Whose alert it is, decided by who sent it.
    pub entity: &'a Entity,
    /// When it was received.
    pub now: Timestamp,
}

/// What one alert became.
#[derive(Debug, Clone, PartialEq)]
pub enum Mapped {
    /// An incident, ready to be accepted by the store.
    Incident(Box<MappedIncident>),
    /// Understood, and not an alert.
    Ignored {
        /// Why, for example "an EVE record of type `flow`, not an alert".
        why: String,
    },
}

/// An incident before it has a reference, with what the store needs to know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct MappedIncident {
    /// Everything but the reference, which is empty.
    pub incident: Incident,
    /// Equal keys of one entity and mapper are the same incident.
    pub dedup_key: String,
    /// For how long the key counts.
    pub dedup_within: Span,
    /// Files the incident refers to, to be kept before it is accepted.
    pub files: Vec<KeptFile>,
}

/// A file that came with an alert. `Debug` shows no content.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Name, digest, size and declared type, as the incident has them.
    pub reference: FileRef,
    /// The content.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for KeptFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptFile")
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

/// The formats that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mapper {
    /// Sortie's own JSON form of an incident.
    Json,
    /// Suricata EVE: one record, lines or a list.
    Suricata,
    /// AWS `GuardDuty`: a finding, an `EventBridge` event, a list of findings.
    GuardDuty,
    /// `CrowdStrike` Falcon: detection summaries, alerts, detections.
    CrowdStrike,
    /// Wazuh alerts.
    Wazuh,
    /// X-ARF reports, version 4 and the older ones.
    Xarf,
    /// A mail that somebody reports (RFC 5322).
    Mail,
}

impl Mapper {
    /// Every format.
    pub const ALL: &'static [Self] = &[
        Self::Json,
        Self::Suricata,
        Self::GuardDuty,
        Self::CrowdStrike,
        Self::Wazuh,
        Self::Xarf,
        Self::Mail,
    ];

    /// The name in files, requests and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Suricata => "suricata",
            Self::GuardDuty => "guardduty",
            Self::CrowdStrike => "crowdstrike",
            Self::Wazuh => "wazuh",
            Self::Xarf => "x-arf",
            Self::Mail => "mail",
        }
    }

    /// The format of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mapper| mapper.name() == name)
    }

    /// The format these bytes look like, judged by their first record.
    pub fn detect(bytes: &[u8]) -> Result<Self, Refusal> {
        batch::detect(bytes)
    }
}

/// What kind of refusal it is, for the status code of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The bytes cannot be read at all.
    Unreadable,
    /// More than a limit allows.
    TooLarge,
    /// No format that is understood.
    UnknownFormat,
    /// The format is clear and a rule of it is broken.
    Invalid,
}

/// Why bytes were refused: where, what, and what the sender can do. Nothing of a refused request
/// is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind.
    pub kind: RefusalKind,
    /// Where, for example `line 3, column 7` or `[2].alert.signature_id`; empty for the whole.
    pub place: String,
    /// What is wrong.
    pub reason: String,
    /// What the sender can do.
    pub remedy: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let separator = if self.place.is_empty() { "" } else { ": " };
        write!(f, "{}{separator}{}; {}", self.place, self.reason, self.remedy)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// A broken rule of a format.
    pub(crate) fn invalid(
        place: impl Into<String>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            kind: RefusalKind::Invalid,
            place: place.into(),
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    /// A limit that is passed.
    pub(crate) fn too_large(
        place: impl Into<String>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            kind: RefusalKind::TooLarge,
            ..Self::invalid(place, reason, remedy)
        }
    }

    /// The same inside something: `within` is put before the place.
    #[must_use]
    pub(crate) fn inside(mut self, within: &str) -> Self {
        let separator = if self.place.is_empty() || self.place.starts_with('[') {
            ""
        } else {
            "."
        };
        if !within.is_empty() {
            self.place = format!("{within}{separator}{}", self.place);
        }
        self
    }
}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        Self {
            kind: if error.fault == Fault::Limit {
                RefusalKind::TooLarge
            } else {
                RefusalKind::Unreadable
            },
            place: format!("line {}, column {}", error.line, error.column),
            reason: error.reason,
            remedy: error.remedy.to_owned(),
        }
    }
}

/// Turns bytes into incidents of the context's entity. All or nothing: one broken alert refuses
/// the request, so a sender never has to guess what was taken.
pub fn map(mapper: Mapper, bytes: &[u8], context: &MappingContext<'_>) -> Result<Vec<Mapped>, Refusal> {
    if mapper == Mapper::Mail {
        return mail::map(bytes, context).map(|mapped| vec![mapped]);
    }
    batch::each(bytes, |alert| map_alert(mapper, alert, context))
}

/// Turns one alert into what it is. A mail is no JSON, so it is refused here.
fn map_alert(mapper: Mapper, alert: Value, context: &MappingContext<'_>) -> Result<Mapped, Refusal> {
    match mapper {
        Mapper::Json => generic::map(alert, context),
        Mapper::Suricata => suricata::map(alert, context),
        Mapper::GuardDuty => guardduty::map(alert, context),
        Mapper::CrowdStrike => crowdstrike::map(alert, context),
        Mapper::Wazuh => wazuh::map(alert, context),
        Mapper::Xarf => xarf::map(alert, context),
        Mapper::Mail => Err(Refusal::invalid("", "a mail is not JSON", "send its bytes")),
    }
}

/// Turns bytes into incidents with the mapper of this name; `auto` looks at the bytes.
pub fn map_named(name: &str, bytes: &[u8], context: &MappingContext<'_>) -> Result<Vec<Mapped>, Refusal> {
    let mapper = match Mapper::by_name(name) {
        Some(mapper) => mapper,
        None if name == "auto" => Mapper::detect(bytes)?,
        None => {
            return Err(batch::unknown_format(format!(
                "there is no alert format `{}`",
                text::line(name, 40)
            )));
        }
    };
    map(mapper, bytes, context)
}
