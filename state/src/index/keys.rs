//! The keys of the index.
//!
//! Owns their layout. What belongs to an entity begins with the entity, so that a scan over one
//! entity cannot meet another; what begins with `g` only leads there. Numbers are big-endian;
//! lists that are read newest first hold the number's complement.
//!
//! Entity ids hold no zero byte, and neither do incident ids, run ids or effect keys.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::ids::{EffectKey, EntityId, IncidentId, InquiryId, RunId};

/// The layout of the keys that an index was written with.
pub(crate) const LAYOUT: &[u8] = b"\0la";
/// The layout of this version, one more with each change of what lies where. An index of another
/// is made again.
pub(crate) const LAYOUT_NOW: &[u8] = b"2";
/// How far the journal has been read into the index.
pub(crate) const CHECKPOINT: &[u8] = b"\0ck";
/// Prefix of the counters of references.
pub(crate) const COUNTERS: &[u8] = b"\0n";
/// Prefix of open runs; leads to their entity.
pub(crate) const OPEN_RUNS: &[u8] = b"go";
/// Prefix of undecided incidents by order of acceptance.
pub(crate) const UNDECIDED: &[u8] = b"gu";
/// Prefix of measures that need their inverse, by end.
pub(crate) const DUE: &[u8] = b"gt";
/// Prefix of the entities that have anything.
pub(crate) const ENTITIES: &[u8] = b"ge";
/// Prefix of places in the journal, by the complement of an audit position.
pub(crate) const PLACES: &[u8] = b"gs";

/// A key made of parts.
pub(crate) fn key(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A number that sorts ascending.
pub(crate) fn ascending(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// A number that sorts descending.
pub(crate) fn descending(number: u64) -> [u8; 8] {
    (!number).to_be_bytes()
}

/// A time that sorts ascending, exact to the nanosecond.
pub(crate) fn time(at: Timestamp) -> [u8; 16] {
    (at.as_nanosecond() ^ i128::MIN).to_be_bytes()
}

/// What belongs to an entity, under one tag.
pub(crate) fn of_entity(entity: &EntityId, tag: u8) -> Vec<u8> {
    key(&[b"e", entity.as_str().as_bytes(), &[0, tag]])
}

fn with(entity: &EntityId, tag: u8, rest: &[u8]) -> Vec<u8> {
    let mut key = of_entity(entity, tag);
    key.extend_from_slice(rest);
    key
}

fn hashed(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The last number of a series of references.
pub(crate) fn counter(series: &str) -> Vec<u8> {
    key(&[COUNTERS, series.as_bytes()])
}
/// The last number of an inquiry.
pub(crate) const INQUIRIES: &[u8] = b"\0q";
/// The entity of an inquiry.
pub(crate) fn inquiry_entity(id: InquiryId) -> Vec<u8> {
    key(&[b"gq", &ascending(id.number())])
}
/// Prefix of an entity's inquiries, newest first.
pub(crate) fn inquiries(entity: &EntityId) -> Vec<u8> {
    of_entity(entity, b'Q')
}
/// The head of an inquiry.
pub(crate) fn inquiry(entity: &EntityId, id: InquiryId) -> Vec<u8> {
    with(entity, b'Q', &descending(id.number()))
}
/// The id of an inquiry by its run and its number there.
pub(crate) fn inquiry_of_run(entity: &EntityId, run: &RunId, number: u32) -> Vec<u8> {
    let number = number.to_be_bytes();
    with(entity, b'q', &key(&[run.as_str().as_bytes(), &[0], &number]))
}
/// The entity of an incident.
pub(crate) fn incident_entity(id: &IncidentId) -> Vec<u8> {
    key(&[b"gi", id.as_str().as_bytes()])
}
/// Prefix of the entities of runs whose id begins so.
pub(crate) fn run_entities(prefix: &str) -> Vec<u8> {
    key(&[b"gr", prefix.as_bytes()])
}
/// The entity of a run.
pub(crate) fn run_entity(run: &RunId) -> Vec<u8> {
    run_entities(run.as_str())
}
/// Marks an open run.
pub(crate) fn open_run(run: &RunId) -> Vec<u8> {
    key(&[OPEN_RUNS, run.as_str().as_bytes()])
}
/// Marks an undecided incident.
pub(crate) fn undecided(number: u64) -> Vec<u8> {
    key(&[UNDECIDED, &ascending(number)])
}
/// A measure by its end.
pub(crate) fn due(until: Timestamp, key_of: &EffectKey) -> Vec<u8> {
    key(&[DUE, &time(until), key_of.as_str().as_bytes()])
}
/// Marks an entity that has anything.
pub(crate) fn entity(entity: &EntityId) -> Vec<u8> {
    key(&[ENTITIES, entity.as_str().as_bytes()])
}
/// Where a playbook revision is.
pub(crate) fn plan(revision: &str) -> Vec<u8> {
    key(&[b"gp", &hashed(&[revision])])
}
/// Where the frame with this audit position is.
pub(crate) fn place(first: u64) -> Vec<u8> {
    key(&[PLACES, &descending(first)])
}

/// The head of an incident.
pub(crate) fn incident(entity: &EntityId, id: &IncidentId) -> Vec<u8> {
    with(entity, b'i', id.as_str().as_bytes())
}
/// Prefix of an entity's incidents, newest first.
pub(crate) fn incidents(entity: &EntityId) -> Vec<u8> {
    of_entity(entity, b'I')
}
/// Prefix of the frames about an incident beside its runs' own, oldest first.
pub(crate) fn incident_history(entity: &EntityId, id: &IncidentId) -> Vec<u8> {
    with(entity, b'h', &key(&[id.as_str().as_bytes(), &[0]]))
}
/// Prefix of the frames that counted an incident again, oldest first. Apart from its history:
/// there may be very many, and only the audit list reads them.
pub(crate) fn incident_repeats(entity: &EntityId, id: &IncidentId) -> Vec<u8> {
    with(entity, b'q', &key(&[id.as_str().as_bytes(), &[0]]))
}
/// Prefix of the runs of an incident, newest first.
pub(crate) fn incident_runs(entity: &EntityId, id: &IncidentId) -> Vec<u8> {
    with(entity, b'j', &key(&[id.as_str().as_bytes(), &[0]]))
}
/// Prefix of the heads of an entity's runs, by id.
pub(crate) fn run_heads(entity: &EntityId) -> Vec<u8> {
    of_entity(entity, b'r')
}
/// The head of a run.
pub(crate) fn run(entity: &EntityId, id: &RunId) -> Vec<u8> {
    with(entity, b'r', id.as_str().as_bytes())
}
/// Prefix of an entity's runs, newest first.
pub(crate) fn runs(entity: &EntityId) -> Vec<u8> {
    of_entity(entity, b'R')
}
/// Prefix of the frames about a run beside its own, oldest first.
pub(crate) fn run_history(entity: &EntityId, id: &RunId) -> Vec<u8> {
    with(entity, b'w', &key(&[id.as_str().as_bytes(), &[0]]))
}
/// What a deduplication key stands for.
pub(crate) fn dedup(entity: &EntityId, source: &str, dedup_key: &str) -> Vec<u8> {
    with(entity, b'd', &hashed(&[source, dedup_key]))
}
/// What a `once_per` key stands for.
pub(crate) fn once(entity: &EntityId, playbook: &str, once_key: &str) -> Vec<u8> {
    with(entity, b'o', &hashed(&[playbook, once_key]))
}
/// Marks an update that was made.
pub(crate) fn update(entity: &EntityId, update: &EffectKey) -> Vec<u8> {
    with(entity, b'k', update.as_str().as_bytes())
}
/// The head of a measure.
pub(crate) fn measure(entity: &EntityId, measure: &EffectKey) -> Vec<u8> {
    with(entity, b'm', measure.as_str().as_bytes())
}
/// Prefix of an entity's measures that were not lifted, by end.
pub(crate) fn standing_measures(entity: &EntityId) -> Vec<u8> {
    of_entity(entity, b'M')
}
/// A measure that was not lifted, by its end.
pub(crate) fn standing_measure(entity: &EntityId, until: Timestamp, measure: &EffectKey) -> Vec<u8> {
    with(entity, b'M', &key(&[&time(until), measure.as_str().as_bytes()]))
}
/// Prefix of an entity's blocks, by time.
pub(crate) fn blocks(entity: &EntityId) -> Vec<u8> {
    of_entity(entity, b'b')
}
/// A block by its time.
pub(crate) fn block(entity: &EntityId, since: Timestamp, measure: &EffectKey) -> Vec<u8> {
    with(entity, b'b', &key(&[&time(since), measure.as_str().as_bytes()]))
}
/// Prefix of the stretches of the audit list that an entity is in, oldest first.
pub(crate) fn audit(entity: &EntityId) -> Vec<u8> {
    of_entity(entity, b'a')
}
