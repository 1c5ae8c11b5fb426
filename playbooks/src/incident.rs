//! The incident: what arrives, as every part of Sortie sees it.
//!
//! Owns the fields, their JSON form and the types the language gives them. Mapping foreign
//! formats to it is intake's work; storing it is the store's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::marking::{Pap, Severity, Tlp, Verdict};

/// The kinds of incident; each maps to a class of RSIT (see [`IncidentType::rsit`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentType {
    /// A mail or page that steals credentials.
    Phishing,
    /// A domain that imitates one of ours.
    Typosquatting,
    /// Somebody poses as us or one of ours.
    Impersonation,
    /// Malicious code on a machine.
    Malware,
    /// A sign-in that does not fit its owner.
    SuspiciousLogin,
    /// An alert of a network sensor.
    IdsAlert,
    /// A weakness that can be used.
    Vulnerability,
    /// Data where it should not be.
    DataLeak,
    /// None of these.
    Other,
}

impl IncidentType {
    /// Every type.
    pub const ALL: &'static [Self] = &[
        Self::Phishing,
        Self::Typosquatting,
        Self::Impersonation,
        Self::Malware,
        Self::SuspiciousLogin,
        Self::IdsAlert,
        Self::Vulnerability,
        Self::DataLeak,
        Self::Other,
    ];

    /// The spelling in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Phishing => "phishing",
            Self::Typosquatting => "typosquatting",
            Self::Impersonation => "impersonation",
            Self::Malware => "malware",
            Self::SuspiciousLogin => "suspicious-login",
            Self::IdsAlert => "ids-alert",
            Self::Vulnerability => "vulnerability",
            Self::DataLeak => "data-leak",
            Self::Other => "other",
        }
    }

    /// The two letters of a reference such as `PH-2026-00417`.
    pub const fn letters(self) -> &'static str {
        match self {
            Self::Phishing => "PH",
            Self::Typosquatting => "TS",
            Self::Impersonation => "IM",
            Self::Malware => "MW",
            Self::SuspiciousLogin => "SL",
            Self::IdsAlert => "ID",
            Self::Vulnerability => "VU",
            Self::DataLeak => "DL",
            Self::Other => "OT",
        }
    }

    /// Class and type of the Reference Security Incident Taxonomy (RSIT, ENISA/TF-CSIRT).
    pub const fn rsit(self) -> &'static str {
        match self {
            Self::Phishing => "fraud/phishing",
            Self::Typosquatting | Self::Impersonation => "fraud/masquerade",
            Self::Malware => "malicious-code/infected-system",
            Self::SuspiciousLogin => "intrusions/unprivileged-account-compromise",
            Self::IdsAlert => "intrusion-attempts/ids-alert",
            Self::Vulnerability => "vulnerable/vulnerable-system",
            Self::DataLeak => "information-content-security/unauthorised-information-access",
            Self::Other => "other/undetermined",
        }
    }
}

impl std::str::FromStr for IncidentType {
    type Err = crate::marking::UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.word() == text)
            .ok_or_else(|| crate::marking::UnknownWord {
                what: "incident type",
                found: text.chars().take(64).collect(),
                expected: Self::ALL
                    .iter()
                    .map(|kind| kind.word())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}

impl std::fmt::Display for IncidentType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Kinds of observable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservableType {
    /// An IPv4 or IPv6 address.
    Ip,
    /// A domain name.
    Domain,
    /// An absolute URL.
    Url,
    /// A mail address.
    Email,
    /// MD5, SHA-1 or SHA-256.
    Hash,
}

/// Something seen in an incident that can be looked up or acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observable {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: ObservableType,
    /// The canonical value (never defanged).
    pub value: String,
    /// A marking of its own, stricter than the incident's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tlp: Option<Tlp>,
    /// What it was: `source`, `destination`, `sender`, `link`, `attachment`...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// Who reported the incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reporter {
    /// Mail address of the person.
    pub email: String,
    /// Name as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A file held by Sortie under its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Name as the sender gave it. Text for people, never a path.
    pub name: String,
    /// SHA-256 of the content, lower-case hexadecimal; also where it is stored.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Declared media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

/// The mail an incident is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailPart {
    /// `Message-ID` with its angle brackets.
    pub message_id: String,
    /// Decoded subject.
    pub subject: String,
    /// Address of the sender.
    pub from: String,
    /// Addresses of the recipients.
    pub to: Vec<String>,
    /// When it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
    /// The raw message, stored as a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileRef>,
}

/// The machine an incident is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Identifier in the product that reported it.
    pub id: String,
    /// Host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Hash of the file in question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// The account an incident is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Identifier in the product that reported it.
    pub id: String,
    /// Mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// One sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Address it came from.
    pub ip: String,
    /// When.
    pub at: Timestamp,
    /// ISO 3166 country code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Whether a second factor was used.
    pub mfa: bool,
}

/// Direction of a network alert, seen from the entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From outside to the entity.
    Inbound,
    /// From the entity to outside.
    Outbound,
    /// Both ends are the entity's, or neither is known to be.
    Internal,
}

/// The flow a network alert is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Source address.
    pub source_ip: String,
    /// Destination address.
    pub destination_ip: String,
    /// Direction seen from the entity.
    pub direction: Direction,
    /// Lower-case protocol name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Destination port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<u16>,
}

/// The signature that fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Identifier, as text.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// The vulnerability it looks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cve: Option<String>,
    /// Whether the sensor blocked the traffic already.
    pub blocked: bool,
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum IncidentStatus {
    /// Nobody has closed it.
    #[default]
    Open,
    /// Done.
    Closed,
}

/// An incident of one entity. The JSON form is the stored form and what `incident` is in the
/// language; unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// Speakable reference, `PH-2026-00417`; unique in one installation. Given by the store.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: IncidentType,
    /// One line.
    pub title: String,
    /// A few lines, when the source gave any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Open or closed.
    #[serde(default)]
    pub status: IncidentStatus,
    /// How bad.
    pub severity: Severity,
    /// Who may know.
    pub tlp: Tlp,
    /// What may be done.
    pub pap: Pap,
    /// What was concluded.
    pub verdict: Verdict,
    /// Free tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// When the source says it happened.
    pub detected_at: Timestamp,
    /// When Sortie received it; the order of incidents.
    pub received_at: Timestamp,
    /// Who reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<Reporter>,
    /// The mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailPart>,
    /// The domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// The sign-ins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logins: Vec<Login>,
    /// The flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// What can be looked up or acted on.
    #[serde(default)]
    pub observables: Vec<Observable>,
    /// Files, held by hash.
    #[serde(default)]
    pub files: Vec<FileRef>,
    /// The alert as it came, for what no field holds. `{}` when it is not JSON.
    #[serde(default)]
    pub raw: Value,
}

impl Incident {
    /// The form the language reads.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}
