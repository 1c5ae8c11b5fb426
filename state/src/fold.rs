//! How stored facts become what people see: summaries, folded incidents, references, limits.
//!
//! Owns the rules that every store shares, so that they cannot differ between stores. Pure.

use jiff::Timestamp;
use playbooks::duration::Span;
use playbooks::incident::Incident;
use sha2::{Digest as _, Sha256};

use crate::access::Actor;
use crate::event::{Event, PlaybookRef, RunStatus, Started};
use crate::ids::{EffectKey, EntityId, IncidentId, InquiryId, RunId};
use crate::store::{
    Commit, FILE_BYTES_MAX, IncidentSummary, IncidentUpdate, KEY_BYTES_MAX, LIST_TITLE_BYTES_MAX, Measure,
    MeasureChange, NAME_BYTES_MAX, NOTE_BYTES_MAX, NewIncident, NewRun, Note, Once, RECORD_BYTES_MAX, RunRow,
    RunSummary, StoreError,
};

/// The text, cut at a character boundary so that it has at most `bytes` bytes, ending in `…`.
pub(crate) fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mark = '…';
    let end = text.floor_char_boundary(bytes.saturating_sub(mark.len_utf8()));
    let mut short = text.get(..end).unwrap_or_default().to_owned();
    short.push(mark);
    short
}

/// Folds a change into an incident.
pub(crate) fn update(incident: &mut Incident, update: &IncidentUpdate) {
    if let Some(status) = update.status {
        incident.status = status;
    }
    if let Some(verdict) = update.verdict {
        incident.verdict = verdict;
    }
    if let Some(severity) = update.severity {
        incident.severity = severity;
    }
}

/// An incident as lists show it.
pub(crate) fn incident_summary(
    id: &IncidentId,
    entity: &EntityId,
    source: &str,
    incident: &Incident,
    count: u64,
) -> IncidentSummary {
    IncidentSummary {
        id: id.clone(),
        entity: entity.clone(),
        source: source.to_owned(),
        kind: incident.kind,
        title: cut(&incident.title, LIST_TITLE_BYTES_MAX),
        status: incident.status,
        severity: incident.severity,
        tlp: incident.tlp,
        pap: incident.pap,
        verdict: incident.verdict,
        received_at: incident.received_at,
        count,
    }
}

/// A run as lists show it just after its first event.
pub(crate) fn run_summary(started: &Started, at: Timestamp) -> RunSummary {
    RunSummary {
        run: started.run.clone(),
        entity: started.entity.clone(),
        incident: started.incident.clone(),
        playbook: started.playbook.clone(),
        actor: started.actor.clone(),
        started_at: at,
        updated_at: at,
        events: 1,
        row: RunRow {
            status: if started.turn.is_some() {
                RunStatus::Queued
            } else {
                RunStatus::Running
            },
            wake_at: None,
            effects: 0,
            note: cut(&started.waits_for(), NOTE_BYTES_MAX),
            attention: false,
            turns: started.turns(),
        },
        attached: 0,
    }
}

/// The prefix of a reference and of its counter: `PH-2026-`.
pub(crate) fn reference_series(new: &NewIncident) -> String {
    let year = jiff::tz::TimeZone::UTC.to_datetime(new.at).year().clamp(0, 9_999);
    format!("{}-{year:04}-", new.incident.kind.letters())
}

/// The reference with this number of a series.
pub(crate) fn reference(series: &str, number: u64) -> Result<IncidentId, StoreError> {
    format!("{series}{number:05}")
        .parse()
        .map_err(|_| StoreError::Damaged {
            place: format!("counter {series}"),
            reason: format!("its number {number} does not make a reference"),
        })
}

/// Whether something of `first` still counts at `at`. A clock that went back does not end it.
pub(crate) fn still_counts(first: Timestamp, within: Span, at: Timestamp) -> bool {
    at.as_millisecond().saturating_sub(first.as_millisecond()) < within.as_milliseconds()
}

/// Whether a measure is in force.
pub(crate) fn in_force(measure: &Measure, at: Timestamp) -> bool {
    measure.since <= at && at < measure.until
}

/// To a run that is over only what a person decides about it may be added.
pub(crate) fn check_after_the_end(commit: &Commit) -> Result<(), StoreError> {
    match commit.events.first() {
        Some((_, event)) if event.may_follow_the_end() => Ok(()),
        _ => Err(StoreError::RunOver {
            run: commit.run.clone(),
        }),
    }
}

fn at_most(what: &'static str, found: usize, limit: u64) -> Result<(), StoreError> {
    let found = u64::try_from(found).unwrap_or(u64::MAX);
    if found > limit {
        return Err(StoreError::TooLarge { what, found, limit });
    }
    Ok(())
}

/// Refuses a record whose JSON is too long.
pub(crate) fn check_record(bytes: usize) -> Result<(), StoreError> {
    at_most("a record", bytes, RECORD_BYTES_MAX)
}

pub(crate) fn check_actor(actor: &Actor) -> Result<(), StoreError> {
    at_most("the name of an actor", actor.name.len(), NAME_BYTES_MAX)
}

pub(crate) fn check_playbook(playbook: &PlaybookRef) -> Result<(), StoreError> {
    at_most("a playbook id", playbook.id.len(), NAME_BYTES_MAX)?;
    at_most("a playbook revision", playbook.revision.len(), NAME_BYTES_MAX)
}

/// Refuses names and keys of an incident that are too long.
pub(crate) fn check_incident(new: &NewIncident) -> Result<(), StoreError> {
    at_most("the source of an incident", new.source.len(), NAME_BYTES_MAX)?;
    at_most("a deduplication key", new.dedup_key.len(), KEY_BYTES_MAX)?;
    check_actor(&new.actor)
}

/// Refuses names and keys of a run that are too long.
pub(crate) fn check_run(new: &NewRun) -> Result<(), StoreError> {
    if let Some(Once { key, .. }) = &new.once {
        at_most("a key of once_per", key.len(), KEY_BYTES_MAX)?;
    }
    if let Some(turn) = &new.started.turn {
        at_most("a key of concurrency", turn.key.len(), KEY_BYTES_MAX)?;
    }
    check_playbook(&new.started.playbook)?;
    check_actor(&new.started.actor)
}

pub(crate) fn no_run(run: &RunId) -> StoreError {
    StoreError::NotFound {
        what: format!("run {run}"),
    }
}

/// Refuses names in a measure that are too long.
pub(crate) fn check_measure(change: &MeasureChange) -> Result<(), StoreError> {
    match change {
        MeasureChange::Put(measure) => {
            at_most("an action name", measure.action.len(), NAME_BYTES_MAX)?;
            at_most("a connection name", measure.connection.len(), NAME_BYTES_MAX)
        }
        MeasureChange::Lifted { .. } => Ok(()),
    }
}

/// Refuses names in a commit that are too long, and cuts the note.
pub(crate) fn check_commit(commit: &mut Commit) -> Result<(), StoreError> {
    for update in &commit.updates {
        check_actor(&update.actor)?;
    }
    for change in &commit.measures {
        check_measure(change)?;
    }
    commit.row.note = cut(&commit.row.note, NOTE_BYTES_MAX);
    Ok(())
}

/// Refuses changes of another entity's incidents and measures: they do not exist for this run.
pub(crate) fn check_commit_entity(commit: &Commit, entity: &EntityId) -> Result<(), StoreError> {
    let foreign_update = commit
        .updates
        .iter()
        .find(|update| update.entity != *entity)
        .map(|update| format!("incident {}", update.incident));
    let foreign_measure = commit
        .measures
        .iter()
        .map(measure_key)
        .find(|(owner, _)| *owner != entity)
        .map(|(_, key)| format!("measure {key}"));
    match foreign_update.or(foreign_measure) {
        Some(what) => Err(StoreError::NotFound { what }),
        None => Ok(()),
    }
}

/// Entity and key of the measure that a change is about.
pub(crate) fn measure_key(change: &MeasureChange) -> (&EntityId, &EffectKey) {
    match change {
        MeasureChange::Put(measure) => (&measure.entity, &measure.key),
        MeasureChange::Lifted { key, entity, .. } => (entity, key),
    }
}

/// Refuses names in a note that are too long.
pub(crate) fn check_note(note: &Note) -> Result<(), StoreError> {
    at_most("the type of a note", note.kind.len(), NAME_BYTES_MAX)?;
    check_actor(&note.actor)
}

/// Refuses a file that is too large.
pub(crate) fn check_file(bytes: usize) -> Result<(), StoreError> {
    at_most("a file", bytes, FILE_BYTES_MAX)
}

/// Lower-case hexadecimal SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Gives every inquiry of a commit its id, the next after `last` and so on.
pub(crate) fn number_inquiries(events: &mut [(Timestamp, Event)], last: u64) {
    let asked = events.iter_mut().filter_map(|(_, event)| match event {
        Event::Asked(inquiry) => Some(inquiry),
        _ => None,
    });
    for (number, inquiry) in (last.saturating_add(1)..).zip(asked) {
        inquiry.id = Some(InquiryId::new(number));
    }
}
