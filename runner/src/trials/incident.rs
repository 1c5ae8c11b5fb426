//! The incident of a test: an alert as it arrives, a stored incident, or fields laid over one.
//!
//! Owns reading the files a test names, which must lie in the folder of the test or below it.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use async_trait::async_trait;
use jiff::Timestamp;
use playbooks::diagnostic::{Diagnostic, Source};
use playbooks::incident::{FileRef, Incident, IncidentType};
use playbooks::operator::Entity;
use playbooks::plan::Plan;
use playbooks::trial::{Layer, lay_over};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::intake::{self, Mapped, MappedIncident, Mapper, MappingContext};

/// Bytes of one file that a test names.
const FIXTURE_BYTES_MAX: u64 = 30 << 20;

/// Where a file of tests lies.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a> {
    /// The folder.
    pub path: &'a Path,
    /// The file of tests.
    pub source: &'a Source,
}

impl Folder<'_> {
    /// The bytes of a file beside or below the tests.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let relative = Path::new(name);
        let inside = relative
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            return Err(format!("`{name}` must lie beside the file of tests or below it"));
        }
        let path = self.path.join(relative);
        let facts =
            std::fs::metadata(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        if facts.len() > FIXTURE_BYTES_MAX {
            return Err(format!(
                "{} has {} bytes; at most {FIXTURE_BYTES_MAX} are read",
                path.display(),
                facts.len()
            ));
        }
        std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    }
}

/// Files by hash, in memory.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    fn hold(&mut self, name: &str, bytes: Vec<u8>) -> FileRef {
        let reference = FileRef {
            name: name.to_owned(),
            sha256: hex::encode(Sha256::digest(&bytes)),
            size: bytes.len() as u64,
            media_type: None,
        };
        self.0.insert(reference.sha256.clone(), bytes);
        reference
    }
}

#[async_trait]
impl actions::action::Files for Files {
    async fn read(&self, sha256: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.get(sha256).cloned())
    }

    async fn keep(&self, name: &str, media_type: Option<&str>, bytes: Vec<u8>) -> Result<FileRef, String> {
        // Nothing is stored in a test; the reference is what it would have been.
        let mut reference = Self::default().hold(name, bytes);
        reference.media_type = media_type.map(str::to_owned);
        Ok(reference)
    }
}

/// The incident of a test with its files; none for a playbook that works without one.
///
/// # Errors
/// A finding at the layer that cannot be used.
pub(super) fn of(
    layers: &[&Layer],
    plan: &Plan,
    entity: &Entity,
    now: Timestamp,
    folder: &Folder<'_>,
) -> Result<(Option<Incident>, Files), Box<Diagnostic>> {
    let mut files = Files::default();
    if layers.is_empty() && plan.trigger.incident.is_empty() {
        return Ok((None, files));
    }
    let mut value = blank(plan, entity, now);
    let mut place = 0..0;
    let unusable = |place: &std::ops::Range<usize>, why: String| {
        Box::new(Diagnostic::error("PB502", folder.source, place.clone(), why))
    };
    for layer in layers {
        match layer {
            Layer::Named(name) => {
                place = name.place.clone();
                value = arrived(&name.value, entity, now, folder, &mut files)
                    .map_err(|why| unusable(&name.place, why))?;
            }
            Layer::Over(over) => {
                place = over.place.clone();
                lay_over(&mut value, &over.value);
            }
        }
    }
    named_files(&mut value, folder, &mut files).map_err(|why| unusable(&place, why))?;
    reference(&mut value, now);
    serde_json::from_value(value)
        .map(|incident| (Some(incident), files))
        .map_err(|error| unusable(&place, format!("this is no incident: {error}")))
}

/// An incident of which nothing is known yet.
fn blank(plan: &Plan, entity: &Entity, now: Timestamp) -> Value {
    let kind = plan.trigger.incident.first().copied();
    json!({
        "type": kind.unwrap_or(IncidentType::Other), "title": "An incident", "status": "open",
        "severity": "medium", "tlp": entity.marking.tlp, "pap": entity.marking.pap,
        "verdict": "unknown", "tags": [], "detected_at": now, "received_at": now,
        "observables": [], "files": [], "raw": {},
    })
}

/// What bytes become when they arrive. An incident in its stored form is taken as it is.
fn arrived(
    name: &str,
    entity: &Entity,
    now: Timestamp,
    folder: &Folder<'_>,
    files: &mut Files,
) -> Result<Value, String> {
    let bytes = folder.read(name)?;
    if let Ok(value) = serde_json::from_slice::<Value>(&bytes)
        && value.get("ref").is_some()
    {
        return Ok(value);
    }
    let context = MappingContext { entity, now };
    let mail = Path::new(name).extension().is_some_and(|ending| ending == "eml");
    let mapper = if mail { Mapper::Mail.name() } else { "auto" };
    let mapped =
        intake::map_named(mapper, &bytes, &context).map_err(|refusal| format!("{name}: {refusal}"))?;
    let mut incidents = mapped.into_iter();
    match (incidents.next(), incidents.next()) {
        (Some(Mapped::Incident(one)), None) => {
            let MappedIncident {
                incident,
                files: kept,
                ..
            } = *one;
            for file in kept {
                files.0.insert(file.reference.sha256, file.bytes);
            }
            Ok(incident.to_value())
        }
        (Some(Mapped::Ignored { why }), None) => Err(format!("{name} is no alert: {why}")),
        (None, _) => Err(format!("{name} holds no alert")),
        (Some(_), Some(_)) => Err(format!("{name} holds several alerts; a test is about one")),
    }
}

/// Files named by path in an incident, as their bytes.
fn named_files(value: &mut Value, folder: &Folder<'_>, files: &mut Files) -> Result<(), String> {
    let mail = value.pointer_mut("/mail/file").into_iter();
    let mut places: Vec<&mut Value> = mail.collect();
    for place in &mut places {
        if let Some(name) = place.as_str().map(str::to_owned) {
            let reference = files.hold(&name, folder.read(&name)?);
            **place = serde_json::to_value(reference).unwrap_or_default();
        }
    }
    let listed = value.get_mut("files").and_then(Value::as_array_mut);
    for place in listed.into_iter().flatten() {
        if let Some(name) = place.as_str().map(str::to_owned) {
            let reference = files.hold(&name, folder.read(&name)?);
            *place = serde_json::to_value(reference).unwrap_or_default();
        }
    }
    Ok(())
}

/// A reference for an incident that has none yet.
fn reference(value: &mut Value, now: Timestamp) {
    let has_one = value
        .get("ref")
        .and_then(Value::as_str)
        .is_some_and(|reference| !reference.is_empty());
    if has_one {
        return;
    }
    let kind = value
        .get("type")
        .and_then(Value::as_str)
        .and_then(|word| word.parse::<IncidentType>().ok())
        .unwrap_or(IncidentType::Other);
    let reference = format!("{}-{}-00001", kind.letters(), now.strftime("%Y"));
    if let Some(fields) = value.as_object_mut() {
        fields.insert("ref".to_owned(), Value::String(reference));
    }
}
