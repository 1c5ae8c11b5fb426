//! What a request becomes: a record, and what the caller is told.
//!
//! Owns the rules that need the state before: references, deduplication, `once_per`, sequence
//! numbers. Reads the state as it will be after the requests before this one, writes nothing.

use jiff::Timestamp;

use super::request::{Proposal, Reply, Request};
use crate::event::{Event, PlaybookRef};
use crate::fold;
use crate::ids::{EntityId, IncidentId, RunId};
use crate::index::heads::{IncidentHead, Known, MeasureHead, Ran, RunHead};
use crate::index::{View, keys};
use crate::record::{AcceptedRecord, Begun, CommittedRecord, Record, Ruling, match_rows};
use crate::store::{Accepted, Commit, IncidentUpdate, MeasureChange, NewIncident, Once, StoreError};

/// A record to be written, unless nothing changes, and the answer once it is durable.
pub(super) type Decision = (Option<Record>, Reply);

/// Decides one request.
pub(super) fn decide(request: Request, view: &impl View) -> Result<Decision, StoreError> {
    match request {
        Request::Accept(new) => accept(*new, view),
        Request::Decide {
            incident,
            proposals,
            at,
        } => decide_matches(incident, proposals, at, view),
        Request::Start { begun, at } => start(begun, at, view),
        Request::Commit(commit) => self::commit(*commit, view),
        Request::Update { update, at } => {
            known_incident(&update.entity, &update.incident, view)?;
            let fresh = new_updates(vec![*update], view)?.pop();
            let record = fresh.map(|update| Record::Updated {
                update: Box::new(update),
                at,
            });
            Ok((record, Reply::Done))
        }
        Request::Measure { change, at } => {
            let fresh = new_measures(vec![change], view)?.pop();
            Ok((fresh.map(|change| Record::Measured { change, at }), Reply::Done))
        }
        Request::Note { note, at } => Ok((Some(Record::Noted { note, at }), Reply::Done)),
        Request::Plan { playbook, bundle } => {
            let known = view.bytes(&keys::plan(&playbook.revision))?.is_some();
            let record = (!known).then_some(Record::Plan { playbook, bundle });
            Ok((record, Reply::Done))
        }
    }
}

fn accept(new: NewIncident, view: &impl View) -> Result<Decision, StoreError> {
    let known: Option<Known> = view.value(&keys::dedup(&new.entity, &new.source, &new.dedup_key))?;
    if let Some(Known(id, first)) = known
        && fold::still_counts(first, new.dedup_within, new.at)
    {
        let head: Option<IncidentHead> = view.value(&keys::incident(&new.entity, &id))?;
        let count = head.ok_or_else(|| missing(&id))?.count.saturating_add(1);
        let record = Record::Repeated {
            incident: id.clone(),
            actor: new.actor,
            at: new.at,
        };
        return Ok((
            Some(record),
            Reply::Accepted(Accepted::Duplicate { of: id, count }),
        ));
    }
    let series = fold::reference_series(&new);
    let last: u64 = view.value(&keys::counter(&series))?.unwrap_or(0);
    let id = fold::reference(&series, last.saturating_add(1))?;
    let mut incident = new.incident;
    id.as_str().clone_into(&mut incident.reference);
    let record = AcceptedRecord {
        entity: new.entity,
        source: new.source,
        dedup_key: new.dedup_key,
        dedup_within: new.dedup_within,
        incident,
        actor: new.actor,
        by_hand: new.by_hand,
        at: new.at,
    };
    Ok((
        Some(Record::Accepted(Box::new(record))),
        Reply::Accepted(Accepted::New(id)),
    ))
}

fn decide_matches(
    incident: IncidentId,
    proposals: Vec<Proposal>,
    at: Timestamp,
    view: &impl View,
) -> Result<Decision, StoreError> {
    let entity: Option<EntityId> = view.value(&keys::incident_entity(&incident))?;
    let entity = entity.ok_or_else(|| missing(&incident))?;
    let head: Option<IncidentHead> = view.value(&keys::incident(&entity, &incident))?;
    if head.ok_or_else(|| missing(&incident))?.decided.is_some() {
        return Ok((None, Reply::DecidedBefore));
    }
    let mut rulings: Vec<Ruling> = Vec::new();
    for proposal in proposals {
        let ruling = match proposal {
            Proposal::No(playbook, why) => Ruling::No { playbook, why },
            Proposal::Start(playbook, begun) => ruling(playbook, begun, &rulings, at, view)?,
        };
        rulings.push(ruling);
    }
    let rows = match_rows(&rulings, at);
    let record = Record::Decided {
        incident,
        rulings,
        at,
    };
    Ok((Some(record), Reply::Decided(rows)))
}

fn ruling(
    playbook: PlaybookRef,
    begun: Box<Begun>,
    before: &[Ruling],
    at: Timestamp,
    view: &impl View,
) -> Result<Ruling, StoreError> {
    let started = &begun.started;
    let same = |other: &&Begun| {
        let keys = (&begun.once, &other.once);
        matches!(keys, (Some(Once { key: a, .. }), Some(Once { key: b, .. })) if a == b)
            && other.started.playbook.id == started.playbook.id
            && other.started.entity == started.entity
    };
    if let Some(other) = before.iter().filter_map(Ruling::begun).find(same) {
        let run = other.started.run.clone();
        return Ok(Ruling::Attached { playbook, run });
    }
    if let Some(run) = same_run(&begun, at, view)? {
        return Ok(Ruling::Attached { playbook, run });
    }
    let twice = before
        .iter()
        .filter_map(Ruling::begun)
        .any(|other| other.started.run == started.run);
    if twice {
        return Err(taken(&started.run, 0));
    }
    free(&started.run, view)?;
    Ok(Ruling::Started(begun))
}

fn start(begun: Box<Begun>, at: Timestamp, view: &impl View) -> Result<Decision, StoreError> {
    let started = &begun.started;
    if let Some(incident) = &started.incident {
        known_incident(&started.entity, incident, view)?;
    }
    if let Some(run) = same_run(&begun, at, view)? {
        let record = Record::Attached {
            run: run.clone(),
            incident: started.incident.clone(),
            actor: started.actor.clone(),
            at,
        };
        return Ok((Some(record), Reply::Run(run)));
    }
    free(&started.run, view)?;
    let run = started.run.clone();
    Ok((Some(Record::Started { begun, at }), Reply::Run(run)))
}

/// The run that an equal `once_per` key attaches to, else the one that is to be joined.
fn same_run(begun: &Begun, at: Timestamp, view: &impl View) -> Result<Option<RunId>, StoreError> {
    let started = &begun.started;
    if let Some(once) = &begun.once {
        let ran: Option<Ran> = view.value(&keys::once(&started.entity, &started.playbook.id, &once.key))?;
        if let Some(Ran(run, _)) = ran.filter(|Ran(_, first)| fold::still_counts(*first, once.within, at)) {
            return Ok(Some(run));
        }
    }
    let Some(run) = &begun.join else {
        return Ok(None);
    };
    let entity: Option<EntityId> = view.value(&keys::run_entity(run))?;
    if entity.as_ref() == Some(&started.entity) {
        Ok(Some(run.clone()))
    } else {
        Err(fold::no_run(run))
    }
}

fn free(run: &RunId, view: &impl View) -> Result<(), StoreError> {
    let entity: Option<EntityId> = view.value(&keys::run_entity(run))?;
    let Some(entity) = entity else {
        return Ok(());
    };
    let head: Option<RunHead> = view.value(&keys::run(&entity, run))?;
    Err(taken(run, head.map_or(0, |head| head.events)))
}

fn taken(run: &RunId, head: u64) -> StoreError {
    StoreError::Conflict {
        run: run.clone(),
        head,
        expected: 0,
    }
}

fn commit(mut commit: Commit, view: &impl View) -> Result<Decision, StoreError> {
    if commit
        .events
        .iter()
        .any(|(_, event)| matches!(event, Event::Asked(_)))
    {
        let last: u64 = view.value(keys::INQUIRIES)?.unwrap_or(0);
        fold::number_inquiries(&mut commit.events, last);
    }
    let run = &commit.run;
    let entity: Option<EntityId> = view.value(&keys::run_entity(run))?;
    let head: Option<RunHead> = match &entity {
        Some(entity) => view.value(&keys::run(entity, run))?,
        None => None,
    };
    let (Some(entity), Some(head)) = (entity, head) else {
        return Err(StoreError::NotFound {
            what: format!("run {run}"),
        });
    };
    if commit.expect != head.events {
        return Err(StoreError::Conflict {
            run: run.clone(),
            head: head.events,
            expected: commit.expect,
        });
    }
    if head.row.status.is_over() {
        fold::check_after_the_end(&commit)?;
    }
    fold::check_commit_entity(&commit, &entity)?;
    for update in &commit.updates {
        known_incident(&update.entity, &update.incident, view)?;
    }
    let added = u64::try_from(commit.events.len()).unwrap_or(u64::MAX);
    let record = CommittedRecord {
        run: commit.run,
        from: head.events,
        previous: head.last.position().to_number(),
        at: commit.events.is_empty().then_some(head.updated_at),
        events: commit.events,
        row: commit.row,
        updates: new_updates(commit.updates, view)?,
        measures: new_measures(commit.measures, view)?,
    };
    let next = head.events.saturating_add(added);
    Ok((Some(Record::Committed(Box::new(record))), Reply::Head(next)))
}

/// An incident of another entity is as unknown as one that never was.
fn known_incident(entity: &EntityId, incident: &IncidentId, view: &impl View) -> Result<(), StoreError> {
    match view.bytes(&keys::incident(entity, incident))? {
        Some(_) => Ok(()),
        None => Err(missing(incident)),
    }
}

/// Those not made before, each once.
fn new_updates(updates: Vec<IncidentUpdate>, view: &impl View) -> Result<Vec<IncidentUpdate>, StoreError> {
    let mut fresh: Vec<IncidentUpdate> = Vec::new();
    for update in updates {
        let known = view.bytes(&keys::update(&update.entity, &update.key))?.is_some();
        if !known && fresh.iter().all(|other| other.key != update.key) {
            fresh.push(update);
        }
    }
    Ok(fresh)
}

/// Those that change something.
fn new_measures(changes: Vec<MeasureChange>, view: &impl View) -> Result<Vec<MeasureChange>, StoreError> {
    let mut fresh: Vec<MeasureChange> = Vec::new();
    for change in changes {
        let (entity, key) = fold::measure_key(&change);
        let head: Option<MeasureHead> = view.value(&keys::measure(entity, key))?;
        let earlier = |lift: bool| {
            fresh.iter().any(|other| {
                fold::measure_key(other).1 == key && matches!(other, MeasureChange::Lifted { .. }) == lift
            })
        };
        let changes_something = match &change {
            MeasureChange::Put(_) => head.is_none() && !earlier(false),
            MeasureChange::Lifted { .. } => {
                !earlier(true) && (earlier(false) || head.is_some_and(|head| !head.lifted))
            }
        };
        if changes_something {
            fresh.push(change);
        }
    }
    Ok(fresh)
}

fn missing(incident: &IncidentId) -> StoreError {
    StoreError::NotFound {
        what: format!("incident {incident}"),
    }
}
