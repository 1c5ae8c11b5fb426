//! What the fields of X-ARF 1 to 3 may hold.
//!
//! A reader of its own: the published schemas of these versions differ from each other in little,
//! and their messages would name schemas instead of fields.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::config::values;
use crate::intake::suricata::is_cve;
use crate::intake::text::{NAME_CHARACTERS_MAX, line};
use crate::intake::{Refusal, time};

const REMEDY: &str = "see the description of X-ARF 3";
const ALGORITHMS: &[&str] = &[
    "sha1", "sha2", "sha3", "sha256", "sha512", "md5", "argon2id", "scrypt", "bcrypt", "pbkdf2",
];
/// The largest number of an autonomous system.
const ASN_MAX: u64 = 4_199_999_999;
/// Samples of one report.
const SAMPLES_MAX: usize = 50;

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// A text of at least three characters.
    Name,
    Mail,
    Host,
    Url,
    Ip,
    Port,
    Ports,
    Time,
    Flag,
    Whole,
    /// A whole number from 0.
    Count,
    Asn,
    OneOf(&'static [&'static str]),
    Cve,
    /// A text, or an object with value and algorithm.
    Hash,
    /// An object of texts and whole numbers.
    Custom,
    Object(&'static [(&'static str, Kind)]),
    Samples,
}

const CVSS: &[(&str, Kind)] = &[
    ("Version", Kind::OneOf(&["3.1", "3.0", "2"])),
    ("Vector", Kind::Text),
    (
        "Severity",
        Kind::OneOf(&["None", "Low", "Medium", "High", "Critical"]),
    ),
];
const ACCOUNT: &[(&str, Kind)] = &[
    ("AccountIdentifier", Kind::Text),
    ("AccountEmail", Kind::Mail),
    ("AccountName", Kind::Text),
];
const SAMPLE: &[(&str, Kind)] = &[
    ("ContentType", Kind::Text),
    ("Base64Encoded", Kind::Flag),
    ("Description", Kind::Text),
    ("Payload", Kind::Text),
    ("Data", Kind::Text),
    ("FileName", Kind::Text),
    ("FileSize", Kind::Count),
    ("FileHash", Kind::Hash),
];

/// The fields of `ReporterInfo`, and with another beginning of `OnBehalfOf`.
pub(super) const REPORTER: &[(&str, Kind)] = &[
    ("ReporterType", Kind::OneOf(&["Org", "Person"])),
    ("ReporterOrg", Kind::Name),
    ("ReporterOrgDomain", Kind::Host),
    ("ReporterOrgEmail", Kind::Mail),
    ("ReporterOrgAddress", Kind::Text),
    ("ReporterContactEmail", Kind::Mail),
    ("ReporterContactName", Kind::Name),
    ("ReporterContactPhone", Kind::Name),
];
/// The fields of `OnBehalfOf`.
pub(super) const COMPLAINANT: &[(&str, Kind)] = &[
    ("ComplainantType", Kind::OneOf(&["Org", "Person"])),
    ("ComplainantOrg", Kind::Name),
    ("ComplainantOrgDomain", Kind::Host),
    ("ComplainantOrgEmail", Kind::Mail),
    ("ComplainantContactEmail", Kind::Mail),
    ("ComplainantContactName", Kind::Name),
    ("ComplainantContactPhone", Kind::Name),
];
const INTERNAL_PARTY: &[(&str, Kind)] = &[
    ("ID", Kind::Text),
    ("SubscriberData", Kind::Custom),
    ("ResolverData", Kind::Custom),
];
/// The fields of `InternalProcessing`.
pub(super) const INTERNAL: &[(&str, Kind)] = &[
    ("SubscriberInformation", Kind::Object(INTERNAL_PARTY)),
    ("ContractInformation", Kind::Object(INTERNAL_PARTY)),
];

/// The fields of `Report`.
pub(super) const REPORT: &[(&str, Kind)] = &[
    ("ReportSubType", Kind::Text),
    ("ReporterCaseID", Kind::Text),
    ("ReporterSeverity", Kind::OneOf(&["low", "medium", "high"])),
    ("ReporterNotes", Kind::Text),
    ("Custom", Kind::Custom),
    ("Date", Kind::Time),
    ("FirstSeen", Kind::Time),
    ("SourceIp", Kind::Ip),
    ("SourcePort", Kind::Port),
    ("SourceUrl", Kind::Url),
    ("ASN", Kind::Asn),
    ("DestinationIp", Kind::Ip),
    ("DestinationPort", Kind::Ports),
    ("AttackerIp", Kind::Ip),
    ("AttackerPort", Kind::Ports),
    ("ByteCount", Kind::Whole),
    ("PacketCount", Kind::Whole),
    ("SmtpMailFromAddress", Kind::Mail),
    ("SmtpRcptToAddress", Kind::Mail),
    ("Ongoing", Kind::Flag),
    ("ThreatActor", Kind::Text),
    ("BotnetName", Kind::Text),
    ("MalwareName", Kind::Text),
    ("RpzDomain", Kind::Host),
    ("ServiceName", Kind::Text),
    ("ServiceVersion", Kind::Text),
    ("TransportProtocol", Kind::OneOf(&["tcp", "udp"])),
    ("Protocol", Kind::OneOf(&["tcp", "udp", "icmp", "smtp"])),
    ("CVE", Kind::Cve),
    ("CVSS", Kind::Object(CVSS)),
    ("InfringedMaterial", Kind::Text),
    ("InfringingUrl", Kind::Url),
    ("MaterialType", Kind::Text),
    ("SharingProtocol", Kind::Text),
    ("CourtOrder", Kind::Url),
    ("TrademarkedMaterial", Kind::Text),
    ("RegistrationOffice", Kind::Text),
    ("RegistrationNumber", Kind::Text),
    ("FileName", Kind::Text),
    ("FileSize", Kind::Count),
    ("FileHash", Kind::Hash),
    ("PasswordHash", Kind::Hash),
    ("Account", Kind::Object(ACCOUNT)),
    ("Harasser", Kind::Text),
    ("HarassmentDescription", Kind::Text),
    (
        "HarassmentType",
        Kind::OneOf(&[
            "doxing",
            "stalking",
            "sexual",
            "believes",
            "defamation",
            "extortion",
            "hate",
        ]),
    ),
    ("HarassmentLocation", Kind::OneOf(&["website", "chat", "game"])),
    ("Samples", Kind::Samples),
    ("Attachment", Kind::Samples),
];

/// Checks every known field of an object that is there.
pub(super) fn check(
    object: &Map<String, Value>,
    fields: &[(&str, Kind)],
    place: &str,
) -> Result<(), Refusal> {
    for (name, kind) in fields {
        if let Some(value) = object.get(*name) {
            check_one(value, *kind, &format!("{place}.{name}"))?;
        }
    }
    Ok(())
}

fn check_one(value: &Value, kind: Kind, place: &str) -> Result<(), Refusal> {
    let text = value.as_str();
    let whole = value.as_i64();
    let (fits, wanted) = match kind {
        Kind::Text => (text.is_some(), "a text".to_owned()),
        Kind::Name => (
            text.is_some_and(|text| text.chars().count() >= 3),
            "a text of at least three characters".to_owned(),
        ),
        Kind::Mail => (text.is_some_and(is_mail), "a mail address".to_owned()),
        Kind::Host => (text.is_some_and(is_host), "a host name".to_owned()),
        Kind::Url => (
            text.is_some_and(|text| url::Url::parse(text).is_ok()),
            "an absolute URL".to_owned(),
        ),
        Kind::Ip => (
            text.is_some_and(|text| text.parse::<IpAddr>().is_ok()),
            "an IP address".to_owned(),
        ),
        Kind::Port => (is_port(value), "a port, 0 to 65535".to_owned()),
        Kind::Ports => {
            let list = value.as_array().is_some_and(|ports| ports.iter().all(is_port));
            (list || is_port(value), "a port, or a list of ports".to_owned())
        }
        Kind::Time => (
            text.is_some() && time::parse(value).is_some(),
            "a time as RFC 3339 has it".to_owned(),
        ),
        Kind::Flag => (value.is_boolean(), "true or false".to_owned()),
        Kind::Whole => (whole.is_some(), "a whole number".to_owned()),
        Kind::Count => (
            whole.is_some_and(|number| number >= 0),
            "a whole number from 0".to_owned(),
        ),
        Kind::Asn => (
            value
                .as_u64()
                .is_some_and(|number| (1..=ASN_MAX).contains(&number)),
            "the number of an AS".to_owned(),
        ),
        Kind::OneOf(words) => (
            text.is_some_and(|text| words.contains(&text)),
            format!("one of {}", words.join(", ")),
        ),
        Kind::Cve => (
            text.is_some_and(is_cve),
            "a CVE such as CVE-2021-44228".to_owned(),
        ),
        Kind::Hash => (
            text.is_some() || is_hash(value),
            "a digest with HashValue and HashAlgorithm".to_owned(),
        ),
        Kind::Custom => (
            is_custom(value),
            "an object of texts and whole numbers".to_owned(),
        ),
        Kind::Object(fields) => return check_object(value, fields, place),
        Kind::Samples => return check_samples(value, place),
    };
    if fits {
        Ok(())
    } else {
        Err(Refusal::invalid(place, format!("this is not {wanted}"), REMEDY))
    }
}

fn check_object(value: &Value, fields: &[(&str, Kind)], place: &str) -> Result<(), Refusal> {
    match value.as_object() {
        Some(object) if !object.is_empty() => check(object, fields, place),
        _ => Err(Refusal::invalid(
            place,
            "this is not an object with fields",
            REMEDY,
        )),
    }
}

fn check_samples(value: &Value, place: &str) -> Result<(), Refusal> {
    let samples = value
        .as_array()
        .filter(|samples| (1..=SAMPLES_MAX).contains(&samples.len()));
    let Some(samples) = samples else {
        return Err(Refusal::invalid(
            place,
            format!("this is not a list of 1 to {SAMPLES_MAX} samples"),
            REMEDY,
        ));
    };
    for (position, sample) in samples.iter().enumerate() {
        let place = format!("{place}[{position}]");
        check_object(sample, SAMPLE, &place)?;
        let has = |key: &str| sample.get(key).is_some();
        let content = has("ContentType") && (has("Payload") || has("Data"));
        if !content && !has("FileName") {
            return Err(Refusal::invalid(
                place,
                "a sample needs ContentType and Payload, or FileName",
                REMEDY,
            ));
        }
    }
    Ok(())
}

fn is_port(value: &Value) -> bool {
    value.as_u64().is_some_and(|port| u16::try_from(port).is_ok())
}

fn is_hash(value: &Value) -> bool {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let known = text("HashAlgorithm").is_some_and(|word| ALGORITHMS.contains(&word));
    text("HashValue").is_some() && known && value.get("HashComplete").is_none_or(Value::is_boolean)
}

fn is_custom(value: &Value) -> bool {
    value.as_object().is_some_and(|object| {
        object
            .values()
            .all(|value| value.is_string() || value.is_i64() || value.is_u64())
    })
}

pub(super) fn is_mail(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !local.chars().any(char::is_whitespace)
            && (is_host(domain) || domain.starts_with('['))
    })
}

/// A host name; unlike a domain it may have one label.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.len() <= 253 && (text.split('.').all(label) || values::domain(text).is_some())
}

/// Refuses a field that is none of these.
pub(super) fn only(object: &Map<String, Value>, fields: &[(&str, Kind)], place: &str) -> Result<(), Refusal> {
    match object
        .keys()
        .find(|key| !fields.iter().any(|(name, _)| name == key))
    {
        Some(key) => Err(Refusal::invalid(
            place,
            format!("there is no field `{}`", line(key, NAME_CHARACTERS_MAX)),
            REMEDY,
        )),
        None => Ok(()),
    }
}

/// Refuses an object without one of these fields.
pub(super) fn need(object: &Map<String, Value>, names: &[&str], place: &str) -> Result<(), Refusal> {
    match names.iter().find(|name| !object.contains_key(**name)) {
        Some(name) => Err(Refusal::invalid(
            format!("{place}.{name}"),
            "this field is missing",
            REMEDY,
        )),
        None => Ok(()),
    }
}
