//! Every format on real samples, hostile input, and whose an alert is.

mod binding;
mod formats;
mod hostile;
mod mails;
mod whole_collection;

use std::path::Path;

use jiff::Timestamp;
use playbooks::operator::Entity;
use serde_json::json;

use super::*;

/// Now, in every test.
fn now() -> Timestamp {
    "2026-03-02T03:04:00Z".parse().unwrap()
}

/// An entity with the network 198.51.100.0/24.
fn ville() -> Entity {
    serde_json::from_value(json!({
        "id": "ville-exemple", "name": "Ville d'Exemple", "language": "fr", "timezone": "Europe/Paris",
        "domains": ["ville.example"], "networks": ["198.51.100.0/24"], "contacts": {}, "policy": {},
        "settings": {}, "never_block": [], "connections": {}, "rollout": {},
        "marking": {"tlp": "amber", "pap": "amber"},
    }))
    .unwrap()
}

fn mapped(mapper: Mapper, bytes: &[u8]) -> Result<Vec<Mapped>, Refusal> {
    map(
        mapper,
        bytes,
        &MappingContext {
            entity: &ville(),
            now: now(),
        },
    )
}

/// The only incident in these bytes.
fn one(mapper: Mapper, bytes: &[u8]) -> MappedIncident {
    match mapped(mapper, bytes).unwrap().as_slice() {
        [Mapped::Incident(incident)] => (**incident).clone(),
        other => panic!("{other:?}"),
    }
}

/// The only incident in this JSON.
fn one_json(mapper: Mapper, value: &serde_json::Value) -> MappedIncident {
    one(mapper, value.to_string().as_bytes())
}

/// A sample of this repository.
fn sample(path: &str) -> Vec<u8> {
    std::fs::read(crate::samples::own().join(path)).unwrap()
}

/// `type value role` of every observable.
fn observables(incident: &MappedIncident) -> Vec<String> {
    let words = |observable: &playbooks::incident::Observable| {
        let kind = format!("{:?}", observable.kind).to_lowercase();
        format!(
            "{kind} {} {}",
            observable.value,
            observable.role.as_deref().unwrap_or("-")
        )
    };
    incident.incident.observables.iter().map(words).collect()
}

/// What must hold for every incident, whatever made it.
fn assert_sound(name: &Path, mapped: &MappedIncident) {
    let incident = &mapped.incident;
    assert!(!incident.title.is_empty(), "{}: no title", name.display());
    assert!(
        incident.title.chars().count() <= TITLE_CHARACTERS_MAX,
        "{}: {}",
        name.display(),
        incident.title
    );
    assert!(
        !incident
            .title
            .chars()
            .any(|c| c.is_control() || super::text::is_hidden(c)),
        "{}",
        name.display()
    );
    assert!(incident.tags.len() <= TAGS_MAX && incident.observables.len() <= OBSERVABLES_MAX);
    assert!(incident.reference.is_empty() && incident.received_at == now());
    assert!(
        !mapped.dedup_key.is_empty() && mapped.dedup_key.len() <= 512,
        "{}",
        name.display()
    );
    for file in &mapped.files {
        assert_eq!(file.reference.sha256, super::draft::sha256(&file.bytes));
        assert!(incident.files.contains(&file.reference));
    }
    let stored = serde_json::to_value(incident).unwrap();
    assert_eq!(
        serde_json::from_value::<Incident>(stored).unwrap(),
        *incident,
        "{}",
        name.display()
    );
}
