//! Sortie's own JSON form of an incident, as `POST /api/v1/incidents` takes it.
//!
//! Unknown fields are refused. What Sortie decides itself (the entity, the reference, the state,
//! when it was received, which way a flow goes, files) is not taken from a sender. Equal: the
//! sender's `dedup_key`, else the whole content, within a day or the sender's `dedup_within`.

use playbooks::duration::Span;
use playbooks::incident::{IncidentType, Observable, ObservableType};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::draft::{Draft, address, digest_key, direction};
use super::observables::{OBSERVABLES_MAX, canonical};
use super::text::{
    NAME_CHARACTERS_MAX, SUMMARY_CHARACTERS_MAX, TAG_CHARACTERS_MAX, TAGS_MAX, TITLE_CHARACTERS_MAX, line,
};
use super::{Mapped, MappingContext, Refusal, time};
use crate::config::fields::nearest;

const DEDUP_WITHIN_DEFAULT: Span = Span::hours(24);
/// For how long equal alerts may count as one.
const DEDUP_WITHIN_MAX: Span = Span::days(30);
/// Sign-ins of one incident.
const LOGINS_MAX: usize = 100;

/// The fields a sender may give.
const FIELDS: &[&str] = &[
    "type",
    "title",
    "summary",
    "severity",
    "tlp",
    "pap",
    "verdict",
    "tags",
    "detected_at",
    "reporter",
    "mail",
    "domain",
    "host",
    "user",
    "logins",
    "network",
    "signature",
    "observables",
    "files",
    "raw",
    "dedup_key",
    "dedup_within",
];

/// Fields of a stored incident that a sender cannot give, and what to do instead.
const NOT_YOURS: &[(&str, &str)] = &[
    ("ref", "Sortie gives the reference; remove it"),
    ("status", "an incident starts open; remove it"),
    (
        "received_at",
        "Sortie writes it down; remove it, and say when it happened in `detected_at`",
    ),
    (
        "entity",
        "the entity is that of your token, or of `?entity=`; remove it",
    ),
];

/// Whether a record has the fields of our own form.
pub(super) fn looks_like(value: &Value) -> bool {
    let Value::Object(object) = value else {
        return false;
    };
    let kind = object.get("type").and_then(Value::as_str);
    kind.is_some_and(|kind| kind.parse::<IncidentType>().is_ok()) && object.contains_key("title")
}

/// Maps one incident.
pub(super) fn map(value: Value, context: &MappingContext<'_>) -> Result<Mapped, Refusal> {
    let whole = digest_key(&[&value.to_string()]);
    let Value::Object(mut fields) = value else {
        return Err(Refusal::invalid(
            "",
            "an incident is an object",
            "send {\"type\": \"other\", \"title\": \"…\", …}",
        ));
    };
    check_names(&fields)?;
    let kind: IncidentType = word(&mut fields, "type")?.ok_or_else(|| missing("type"))?;
    let title = text(&mut fields, "title", TITLE_CHARACTERS_MAX)?.ok_or_else(|| missing("title"))?;
    let mut draft = Draft::new(kind, &title, "", context);
    if draft.incident.title.is_empty() {
        return Err(missing("title"));
    }
    let summary = text(&mut fields, "summary", SUMMARY_CHARACTERS_MAX)?;
    draft.summary(summary);
    let incident = &mut draft.incident;
    incident.severity = word(&mut fields, "severity")?.unwrap_or(incident.severity);
    incident.tlp = word(&mut fields, "tlp")?.unwrap_or(incident.tlp);
    incident.pap = word(&mut fields, "pap")?.unwrap_or(incident.pap);
    if let Some(verdict) = word(&mut fields, "verdict")? {
        incident.verdict = verdict;
    }
    for tag in list::<String>(&mut fields, "tags", TAGS_MAX)? {
        if tag.chars().count() > TAG_CHARACTERS_MAX {
            return Err(Refusal::too_large(
                "tags",
                "a tag is too long",
                format!("write at most {TAG_CHARACTERS_MAX} characters"),
            ));
        }
        draft.tag(&tag);
    }
    if let Some(at) = present(&mut fields, "detected_at") {
        let at = time::parse(&at).ok_or_else(|| {
            Refusal::invalid(
                "detected_at",
                "this is not a time",
                "write for example 2026-03-02T03:04:00Z",
            )
        })?;
        draft.detected_at(at);
    }
    parts(&mut draft, &mut fields, context)?;
    let list = observables(&mut fields)?;
    no_files(&mut fields)?;
    let raw = present(&mut fields, "raw").unwrap_or_else(|| Value::Object(Map::new()));
    let key = text(&mut fields, "dedup_key", NAME_CHARACTERS_MAX)?.map_or(whole, |key| digest_key(&[&key]));
    let within = dedup_within(&mut fields)?;
    let mut mapped = draft.finish(raw, key, within);
    if let Mapped::Incident(mapped) = &mut mapped {
        mapped.incident.observables = list;
    }
    Ok(mapped)
}

fn check_names(fields: &Map<String, Value>) -> Result<(), Refusal> {
    for name in fields.keys() {
        if let Some((_, remedy)) = NOT_YOURS.iter().find(|(field, _)| field == name) {
            return Err(Refusal::invalid(
                name.clone(),
                "this field is not the sender's",
                *remedy,
            ));
        }
        if !FIELDS.contains(&name.as_str()) {
            let remedy = match nearest(name, FIELDS.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("put it inside `raw`; the fields are {}", FIELDS.join(", ")),
            };
            return Err(Refusal::invalid(
                line(name, NAME_CHARACTERS_MAX),
                "there is no such field",
                remedy,
            ));
        }
    }
    Ok(())
}

fn missing(field: &str) -> Refusal {
    Refusal::invalid(field, "an incident needs it", format!("add `{field}`"))
}

/// A field that is there and not `null`.
fn present(fields: &mut Map<String, Value>, name: &str) -> Option<Value> {
    fields.shift_remove(name).filter(|value| !value.is_null())
}

fn text(fields: &mut Map<String, Value>, name: &'static str, max: usize) -> Result<Option<String>, Refusal> {
    match present(fields, name) {
        None => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= max => Ok(Some(text)),
        Some(Value::String(_)) => Err(Refusal::too_large(
            name,
            "this text is too long",
            format!("write at most {max} characters"),
        )),
        Some(_) => Err(Refusal::invalid(name, "this is not a text", "put it in quotes")),
    }
}

fn word<T: std::str::FromStr<Err: std::fmt::Display>>(
    fields: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<T>, Refusal> {
    let Some(text) = text(fields, name, NAME_CHARACTERS_MAX)? else {
        return Ok(None);
    };
    match text.parse() {
        Ok(word) => Ok(Some(word)),
        Err(error) => Err(Refusal::invalid(
            name,
            error.to_string(),
            "use one of these words",
        )),
    }
}

fn part<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<T>, Refusal> {
    present(fields, name)
        .map(|value| {
            serde_json::from_value(value).map_err(|error| {
                Refusal::invalid(name, error.to_string(), "see the description of this field")
            })
        })
        .transpose()
}

fn list<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &'static str,
    max: usize,
) -> Result<Vec<T>, Refusal> {
    let items: Vec<T> = part(fields, name)?.unwrap_or_default();
    if items.len() > max {
        return Err(Refusal::too_large(
            name,
            format!("{} items", items.len()),
            format!("send at most {max}"),
        ));
    }
    Ok(items)
}

/// The parts of an incident that are objects of their own.
fn parts(
    draft: &mut Draft,
    fields: &mut Map<String, Value>,
    context: &MappingContext<'_>,
) -> Result<(), Refusal> {
    let incident = &mut draft.incident;
    incident.reporter = part(fields, "reporter")?;
    incident.host = part(fields, "host")?;
    incident.user = part(fields, "user")?;
    incident.signature = part(fields, "signature")?;
    incident.logins = list(fields, "logins", LOGINS_MAX)?;
    incident.mail = part(fields, "mail")?;
    if incident.mail.as_ref().is_some_and(|mail| mail.file.is_some()) {
        return Err(Refusal::invalid(
            "mail.file",
            "a file cannot be named by its hash",
            "send the mail itself as message/rfc822",
        ));
    }
    if let Some(domain) = text(fields, "domain", NAME_CHARACTERS_MAX)? {
        let canonical = canonical(ObservableType::Domain, &domain);
        incident.domain = Some(canonical.ok_or_else(|| {
            Refusal::invalid(
                "domain",
                "this is not a domain",
                "write for example vi11e.example",
            )
        })?);
    }
    if let Some(Value::Object(mut network)) = present(fields, "network") {
        // The entity's networks say which way a flow goes, whatever the sender thinks.
        let end = |key: &str| {
            network
                .get(key)
                .and_then(Value::as_str)
                .and_then(address)
                .ok_or_else(|| {
                    Refusal::invalid(
                        format!("network.{key}"),
                        "this is not an IP address",
                        "write for example 203.0.113.77",
                    )
                })
        };
        let direction = direction(context.entity, end("source_ip")?, end("destination_ip")?);
        network.insert(
            "direction".to_owned(),
            serde_json::to_value(direction).unwrap_or_default(),
        );
        fields.insert("network".to_owned(), Value::Object(network));
        draft.incident.network = part(fields, "network")?;
    }
    if let Some(login) = draft
        .incident
        .logins
        .iter()
        .find(|login| address(&login.ip).is_none())
    {
        return Err(Refusal::invalid(
            "logins",
            format!("`{}` is not an IP address", line(&login.ip, 64)),
            "write for example 203.0.113.45",
        ));
    }
    Ok(())
}

fn observables(fields: &mut Map<String, Value>) -> Result<Vec<Observable>, Refusal> {
    let mut list: Vec<Observable> = list(fields, "observables", OBSERVABLES_MAX)?;
    for (position, observable) in list.iter_mut().enumerate() {
        let place = format!("observables[{position}]");
        observable.value = canonical(observable.kind, &observable.value).ok_or_else(|| {
            let reason = format!("`{}` is not what its `type` says", line(&observable.value, 80));
            Refusal::invalid(
                place.clone(),
                reason,
                "give an ip, domain, url, email or hash as it is",
            )
        })?;
        if observable
            .role
            .as_ref()
            .is_some_and(|role| role.is_empty() || role.len() > TAG_CHARACTERS_MAX)
        {
            return Err(Refusal::invalid(
                place,
                "a role of no or too many characters",
                format!("write 1 to {TAG_CHARACTERS_MAX}"),
            ));
        }
    }
    Ok(list)
}

/// A file is kept only when its bytes come along; naming one by hash could reach another entity's.
fn no_files(fields: &mut Map<String, Value>) -> Result<(), Refusal> {
    match present(fields, "files") {
        None => Ok(()),
        Some(Value::Array(files)) if files.is_empty() => Ok(()),
        Some(_) => Err(Refusal::invalid(
            "files",
            "a file cannot be named by its hash",
            "send a mail with it as message/rfc822, or remove the field",
        )),
    }
}

fn dedup_within(fields: &mut Map<String, Value>) -> Result<Span, Refusal> {
    let span: Span = word(fields, "dedup_within")?.unwrap_or(DEDUP_WITHIN_DEFAULT);
    if span > DEDUP_WITHIN_MAX {
        return Err(Refusal::too_large(
            "dedup_within",
            format!("{span} is too long"),
            format!("write at most {DEDUP_WITHIN_MAX}"),
        ));
    }
    Ok(span)
}
