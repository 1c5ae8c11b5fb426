//! What a record changes in the index.
//!
//! Owns the fold of the journal into the index. A function of the record, its place and the index
//! before it, and of nothing else, so that making the index again gives the same index.

use jiff::Timestamp;

use super::heads::{IncidentHead, InquiryHead, Known, MeasureHead, Place, Ran, RunHead};
use super::{Staged, View as _, keys};
use crate::event::Event;
use crate::fold;
use crate::ids::{EntityId, IncidentId, InquiryId, RunId};
use crate::journal::Position;
use crate::record::{AcceptedRecord, Begun, CommittedRecord, Record, Ruling};
use crate::store::{IncidentUpdate, MeasureChange, StoreError};

/// How many audit entries may lie between two places that the index keeps.
pub(crate) const ENTRIES_BETWEEN_PLACES: u64 = 256;
/// Audit entries of a stretch: the index keeps which stretches an entity is in, not which frames,
/// since that would cost more than the rest of the index.
pub(crate) const ENTRIES_PER_STRETCH: u64 = 512;

/// Folds one record into the index.
pub(crate) fn project(
    record: &Record,
    at: Position,
    first: u64,
    staged: &mut Staged<'_>,
) -> Result<(), StoreError> {
    let mut fold = Projection { at, first, staged };
    let entity = match record {
        Record::Accepted(accepted) => Some(fold.accepted(accepted)?),
        Record::Repeated { incident, .. } => Some(fold.repeated(incident)?),
        Record::Decided {
            incident,
            rulings,
            at,
        } => Some(fold.decided(incident, rulings, *at)?),
        Record::Started { begun, at } => {
            fold.begun(begun, *at, 0, first)?;
            Some(begun.started.entity.clone())
        }
        Record::Attached { run, incident, .. } => Some(fold.attached(run, incident.as_ref())?),
        Record::Committed(commit) => Some(fold.committed(commit)?),
        Record::Updated { update, .. } => {
            fold.updated(update, None)?;
            Some(update.entity.clone())
        }
        Record::Measured { change, .. } => {
            fold.measured(change, 0, None)?;
            Some(fold::measure_key(change).0.clone())
        }
        Record::Noted { note, .. } => note.entity.clone(),
        Record::Plan { playbook, .. } => {
            fold.staged
                .put(keys::plan(&playbook.revision), &Place::new(at, 0))?;
            None
        }
    };
    let entries = record.entries();
    if entries == 0 {
        return Ok(());
    }
    let after = first.saturating_add(entries);
    if let Some(entity) = entity {
        if staged.bytes(&keys::entity(&entity))?.is_none() {
            staged.put_bytes(keys::entity(&entity), &[]);
        }
        let prefix = keys::audit(&entity);
        for stretch in first / ENTRIES_PER_STRETCH..=(after - 1) / ENTRIES_PER_STRETCH {
            staged.put_bytes(keys::key(&[&prefix, &keys::ascending(stretch)]), &[]);
        }
    }
    if first == 0 || first / ENTRIES_BETWEEN_PLACES != after / ENTRIES_BETWEEN_PLACES {
        staged.put(keys::place(first), &Place::new(at, 0))?;
    }
    Ok(())
}

struct Projection<'s, 'i> {
    at: Position,
    first: u64,
    staged: &'s mut Staged<'i>,
}

impl Projection<'_, '_> {
    fn lost<T>(&self, found: Option<T>, what: &dyn std::fmt::Display) -> Result<T, StoreError> {
        found.ok_or_else(|| StoreError::Damaged {
            place: "the index".to_owned(),
            reason: format!("{} is about {what}, which the index does not know", self.at),
        })
    }

    fn incident_head(&self, id: &IncidentId) -> Result<(EntityId, IncidentHead), StoreError> {
        let entity: Option<EntityId> = self.staged.value(&keys::incident_entity(id))?;
        let entity = self.lost(entity, id)?;
        let head = self.staged.value(&keys::incident(&entity, id))?;
        Ok((entity, self.lost(head, id)?))
    }

    fn run_head(&self, run: &RunId) -> Result<(EntityId, RunHead), StoreError> {
        let entity: Option<EntityId> = self.staged.value(&keys::run_entity(run))?;
        let entity = self.lost(entity, run)?;
        let head = self.staged.value(&keys::run(&entity, run))?;
        Ok((entity, self.lost(head, run)?))
    }

    fn in_incident_history(&mut self, entity: &EntityId, id: &IncidentId) -> Result<(), StoreError> {
        let key = keys::key(&[&keys::incident_history(entity, id), &keys::ascending(self.first)]);
        self.staged.put(key, &Place::new(self.at, 0))
    }

    fn in_run_history(&mut self, entity: &EntityId, run: &RunId) -> Result<(), StoreError> {
        let key = keys::key(&[&keys::run_history(entity, run), &keys::ascending(self.first)]);
        self.staged.put(key, &Place::new(self.at, 0))
    }

    fn accepted(&mut self, accepted: &AcceptedRecord) -> Result<EntityId, StoreError> {
        let entity = &accepted.entity;
        let reference = &accepted.incident.reference;
        let id: IncidentId = self.lost(reference.parse().ok(), reference)?;
        let number = self.first;
        let head = IncidentHead {
            number,
            accepted: Place::new(self.at, 0),
            decided: None,
            count: 1,
            kind: accepted.incident.kind,
            status: accepted.incident.status,
            verdict: accepted.incident.verdict,
            severity: accepted.incident.severity,
        };
        let known = Known(id.clone(), accepted.at);
        let newest = keys::descending(number);
        let place = id.as_str().rfind('-').map_or(0, |dash| dash + 1);
        let (series, last) = id.as_str().split_at(place);
        let last: u64 = self.lost(last.parse().ok(), &id)?;
        let staged = &mut *self.staged;
        staged.put(keys::counter(series), &last)?;
        staged.put(keys::dedup(entity, &accepted.source, &accepted.dedup_key), &known)?;
        staged.put(keys::incident(entity, &id), &head)?;
        staged.put(keys::incident_entity(&id), entity)?;
        staged.put(keys::undecided(number), &id)?;
        staged.put(keys::key(&[&keys::incidents(entity), &newest]), &id)?;
        Ok(entity.clone())
    }

    fn repeated(&mut self, id: &IncidentId) -> Result<EntityId, StoreError> {
        let (entity, mut head) = self.incident_head(id)?;
        head.count = head.count.saturating_add(1);
        self.staged.put(keys::incident(&entity, id), &head)?;
        let key = keys::key(&[&keys::incident_repeats(&entity, id), &keys::ascending(self.first)]);
        self.staged.put(key, &Place::new(self.at, 0))?;
        Ok(entity)
    }

    fn decided(
        &mut self,
        id: &IncidentId,
        rulings: &[Ruling],
        at: Timestamp,
    ) -> Result<EntityId, StoreError> {
        let (entity, mut head) = self.incident_head(id)?;
        head.decided = Some(Place::new(self.at, 0));
        self.staged.put(keys::incident(&entity, id), &head)?;
        self.staged.remove(keys::undecided(head.number));
        let mut number = self.first;
        for (part, ruling) in rulings.iter().enumerate() {
            match ruling {
                Ruling::Started(begun) => {
                    number = number.saturating_add(1);
                    self.begun(begun, at, part, number)?;
                }
                Ruling::Attached { run, .. } => self.attach(run, Some(id)).map(drop)?,
                Ruling::No { .. } => {}
            }
        }
        Ok(entity)
    }

    fn begun(&mut self, begun: &Begun, at: Timestamp, part: usize, number: u64) -> Result<(), StoreError> {
        let started = &begun.started;
        let (entity, run) = (&started.entity, &started.run);
        let summary = fold::run_summary(started, at);
        let head = RunHead {
            number,
            started: Place::new(self.at, part),
            last: Place::new(self.at, part),
            events: 1,
            updated_at: at,
            row: summary.row,
            attached: 0,
            incident: started.incident.clone(),
            playbook: started.playbook.id.clone(),
        };
        let newest = keys::descending(number);
        if let Some(once) = &begun.once {
            let key = keys::once(entity, &started.playbook.id, &once.key);
            self.staged.put(key, &Ran(run.clone(), at))?;
        }
        if let Some(incident) = &started.incident {
            let key = keys::key(&[&keys::incident_runs(entity, incident), &newest]);
            self.staged.put(key, run)?;
        }
        self.staged.put(keys::run(entity, run), &head)?;
        self.staged.put(keys::run_entity(run), entity)?;
        self.staged.put(keys::open_run(run), entity)?;
        self.staged.put(keys::key(&[&keys::runs(entity), &newest]), run)
    }

    fn attached(&mut self, run: &RunId, incident: Option<&IncidentId>) -> Result<EntityId, StoreError> {
        let entity = self.attach(run, incident)?;
        self.in_run_history(&entity, run)?;
        if let Some(incident) = incident {
            self.in_incident_history(&entity, incident)?;
        }
        Ok(entity)
    }

    fn attach(&mut self, run: &RunId, incident: Option<&IncidentId>) -> Result<EntityId, StoreError> {
        let (entity, mut head) = self.run_head(run)?;
        head.attached = head.attached.saturating_add(1);
        if let Some(incident) = incident {
            let newest = keys::descending(head.number);
            let key = keys::key(&[&keys::incident_runs(&entity, incident), &newest]);
            self.staged.put(key, run)?;
        }
        self.staged.put(keys::run(&entity, run), &head)?;
        Ok(entity)
    }

    fn committed(&mut self, commit: &CommittedRecord) -> Result<EntityId, StoreError> {
        let (entity, mut head) = self.run_head(&commit.run)?;
        let events = u64::try_from(commit.events.len()).unwrap_or(u64::MAX);
        head.events = head.events.saturating_add(events);
        head.last = Place::new(self.at, 0);
        let was_over = head.row.status.is_over();
        head.row = commit.row.clone();
        if let Some((at, _)) = commit.events.last() {
            head.updated_at = *at;
        }
        if head.row.status.is_over() {
            self.staged.remove(keys::open_run(&commit.run));
        } else if was_over {
            self.staged.put(keys::open_run(&commit.run), &entity)?;
        }
        self.staged.put(keys::run(&entity, &commit.run), &head)?;
        for (part, (_, event)) in commit.events.iter().enumerate() {
            self.inquired(&entity, &commit.run, event, part)?;
        }
        for update in &commit.updates {
            self.updated(update, Some(&commit.run))?;
        }
        for (part, change) in commit.measures.iter().enumerate() {
            self.measured(change, part, Some(&commit.run))?;
        }
        Ok(entity)
    }

    /// An event that begins or ends an inquiry.
    fn inquired(
        &mut self,
        entity: &EntityId,
        run: &RunId,
        event: &Event,
        part: usize,
    ) -> Result<(), StoreError> {
        match event {
            Event::Asked(inquiry) => {
                let id = self.lost(inquiry.id, &"an inquiry without id")?;
                let head = InquiryHead {
                    asked: Place::new(self.at, part),
                    end: None,
                };
                let staged = &mut *self.staged;
                staged.put(keys::INQUIRIES.to_vec(), &id.number())?;
                staged.put(keys::inquiry_entity(id), entity)?;
                staged.put(keys::inquiry_of_run(entity, run, inquiry.number), &id)?;
                staged.put(keys::inquiry(entity, id), &head)
            }
            Event::InquiryClosed { number, end, .. } => {
                let id: Option<InquiryId> = self.staged.value(&keys::inquiry_of_run(entity, run, *number))?;
                let id = self.lost(id, &format_args!("inquiry {number} of {run}"))?;
                let head: Option<InquiryHead> = self.staged.value(&keys::inquiry(entity, id))?;
                let mut head = self.lost(head, &id)?;
                head.end = Some(*end);
                self.staged.put(keys::inquiry(entity, id), &head)
            }
            _ => Ok(()),
        }
    }

    /// `own` is the run whose record this is part of.
    fn updated(&mut self, update: &IncidentUpdate, own: Option<&RunId>) -> Result<(), StoreError> {
        let (entity, mut head) = self.incident_head(&update.incident)?;
        head.status = update.status.unwrap_or(head.status);
        head.verdict = update.verdict.unwrap_or(head.verdict);
        head.severity = update.severity.unwrap_or(head.severity);
        self.staged
            .put(keys::incident(&entity, &update.incident), &head)?;
        self.staged.put_bytes(keys::update(&entity, &update.key), &[]);
        self.in_incident_history(&entity, &update.incident)?;
        match &update.run {
            Some(run) if own != Some(run) => self.in_run_history(&entity, run),
            _ => Ok(()),
        }
    }

    fn measured(
        &mut self,
        change: &MeasureChange,
        part: usize,
        own: Option<&RunId>,
    ) -> Result<(), StoreError> {
        match change {
            MeasureChange::Put(measure) => {
                let (entity, key) = (&measure.entity, &measure.key);
                let put = Place::new(self.at, part);
                let head = MeasureHead {
                    put,
                    until: measure.until,
                    lifted: false,
                };
                self.staged.put(keys::measure(entity, key), &head)?;
                self.staged
                    .put(keys::standing_measure(entity, measure.until, key), &put)?;
                if measure.is_block() {
                    self.staged
                        .put_bytes(keys::block(entity, measure.since, key), &[]);
                }
                if measure.inverse.is_some() {
                    self.staged.put(keys::due(measure.until, key), &put)?;
                }
                if own != Some(&measure.run) {
                    self.in_run_history(entity, &measure.run)?;
                }
                match &measure.incident {
                    Some(incident) if own.is_none() => self.in_incident_history(entity, incident),
                    _ => Ok(()),
                }
            }
            MeasureChange::Lifted { key, entity, .. } => {
                let head: Option<MeasureHead> = self.staged.value(&keys::measure(entity, key))?;
                let mut head = self.lost(head, key)?;
                head.lifted = true;
                self.staged.put(keys::measure(entity, key), &head)?;
                self.staged
                    .remove(keys::standing_measure(entity, head.until, key));
                self.staged.remove(keys::due(head.until, key));
                Ok(())
            }
        }
    }
}
