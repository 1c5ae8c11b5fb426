//! The audit list: the journal in its order, narrowed by scope and filter.
//!
//! Over everything, the journal is read from the nearest place the index keeps. Over entities,
//! the stretches they are in. Over one run or incident, only its own frames.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use super::Shared;
use super::lookup;
use crate::access::{Reach, Scope};
use crate::audit::{self, Context};
use crate::ids::{EntityId, IncidentId, RunId};
use crate::index::heads::{IncidentHead, Place, RunHead};
use crate::index::project::ENTRIES_PER_STRETCH;
use crate::index::{self, Merged, View as _, keys};
use crate::journal::{Frame, Position};
use crate::paging;
use crate::record::{Owner, Record};
use crate::store::{AuditFilter, AuditRecord, PAGE_LOOKS_MAX, Page, PageRequest, StoreError};

/// Collects one page.
struct Collector<'a> {
    shared: &'a Shared,
    scope: &'a Scope,
    filter: &'a AuditFilter,
    from: u64,
    limit: usize,
    rows: Vec<AuditRecord>,
    /// Frames looked at, at most [`PAGE_LOOKS_MAX`].
    looks: usize,
    next: Option<String>,
    runs: BTreeMap<RunId, (EntityId, Option<IncidentId>)>,
}

impl Shared {
    pub(super) fn end(&self) -> Position {
        Position::from_number(self.end.load(Ordering::Acquire))
    }

    pub(super) fn audit_page(
        &self,
        scope: &Scope,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>, StoreError> {
        paging::may_audit(scope)?;
        let mut collector = Collector {
            shared: self,
            scope,
            filter,
            from: paging::cursor(page)?.unwrap_or(0),
            limit: paging::limit(page),
            rows: Vec::new(),
            looks: 0,
            next: None,
            runs: BTreeMap::new(),
        };
        if let Some(run) = &filter.run {
            let places = match self.run_head(run)? {
                Some((entity, head)) if scope.covers(&entity) => self.run_places(&entity, run, &head)?,
                _ => BTreeSet::new(),
            };
            collector.at(&places)?;
        } else if let Some(incident) = &filter.incident {
            let places = match self.incident_entity(incident)? {
                Some(entity) if scope.covers(&entity) => {
                    self.incident_places(&entity, incident, collector.from)?
                }
                _ => BTreeSet::new(),
            };
            collector.at(&places)?;
        } else if filter.entity.is_none() && matches!(scope.reach(), Reach::All) {
            collector.stretch(u64::MAX)?;
        } else {
            collector.entities()?;
        }
        Ok(Page {
            rows: collector.rows,
            next: collector.next,
        })
    }

    /// Every frame with an entry of this run.
    fn run_places(
        &self,
        entity: &EntityId,
        run: &RunId,
        head: &RunHead,
    ) -> Result<BTreeSet<Position>, StoreError> {
        let mut places: BTreeSet<Position> = self
            .own_records(run, head)?
            .into_iter()
            .map(|(place, _)| place.position())
            .collect();
        self.listed_places(&keys::run_history(entity, run), &mut places)?;
        Ok(places)
    }

    /// Every frame that may have an entry of this incident. Of its repeats, which may be very many,
    /// those that a page from this cursor can look at.
    fn incident_places(
        &self,
        entity: &EntityId,
        incident: &IncidentId,
        cursor: u64,
    ) -> Result<BTreeSet<Position>, StoreError> {
        let mut places = BTreeSet::new();
        let head: Option<IncidentHead> = self.index.value(&keys::incident(entity, incident))?;
        let head = head.ok_or_else(|| self.contradiction("an incident has no head"))?;
        places.insert(head.accepted.position());
        places.extend(head.decided.map(Place::position));
        self.listed_places(&keys::incident_history(entity, incident), &mut places)?;
        let repeats = keys::incident_repeats(entity, incident);
        let from = keys::key(&[&repeats, &keys::ascending(cursor)]);
        // One more than a page can look at, so that the page knows that there are more.
        for (key, value) in self.index.entries(&repeats, &from, PAGE_LOOKS_MAX + 1)? {
            places.insert(Place::position(index::decode(&key, &value)?));
        }
        let mut runs: Vec<RunId> = Vec::new();
        self.index
            .each(&keys::incident_runs(entity, incident), &[], &mut |key, value| {
                runs.push(index::decode(key, value)?);
                Ok(true)
            })?;
        for run in runs {
            let head: Option<RunHead> = self.index.value(&keys::run(entity, &run))?;
            let head = head.ok_or_else(|| self.contradiction("a listed run is not there"))?;
            if head.incident.as_ref() == Some(incident) {
                places.extend(self.run_places(entity, &run, &head)?);
            }
        }
        Ok(places)
    }

    fn listed_places(&self, prefix: &[u8], places: &mut BTreeSet<Position>) -> Result<(), StoreError> {
        self.index.each(prefix, &[], &mut |key, value| {
            places.insert(Place::position(index::decode(key, value)?));
            Ok(true)
        })
    }
}

impl Collector<'_> {
    /// Frames at these places, in the journal's order.
    fn at(&mut self, places: &BTreeSet<Position>) -> Result<(), StoreError> {
        for place in places.range(self.start()?..) {
            let frame = self.shared.reader.frame(*place)?;
            if !self.frame(&frame)? {
                break;
            }
        }
        Ok(())
    }

    /// The stretches that some entities are in.
    fn entities(&mut self) -> Result<(), StoreError> {
        let entities = self.shared.entities(self.scope, self.filter.entity.as_ref())?;
        let lists = entities.iter().map(keys::audit).collect();
        let first = self.from / ENTRIES_PER_STRETCH;
        let mut merged = Merged::new(&self.shared.index, lists, first);
        let mut read = None;
        while let Some((_, stretch, _)) = merged.next()? {
            // Several entities may be in one stretch; it is read once.
            if read.replace(stretch) == Some(stretch) {
                continue;
            }
            let start = stretch.saturating_mul(ENTRIES_PER_STRETCH);
            self.from = self.from.max(start);
            if !self.stretch(start.saturating_add(ENTRIES_PER_STRETCH))? {
                break;
            }
        }
        Ok(())
    }

    /// A place at or before the cursor.
    fn start(&self) -> Result<Position, StoreError> {
        let from = keys::place(self.from);
        let entries = self.shared.index.entries(keys::PLACES, &from, 1)?;
        match entries.first() {
            Some((key, value)) => Ok(Place::position(index::decode(key, value)?)),
            None => Ok(Position::start_of(1)),
        }
    }

    /// The journal from the cursor up to this entry; `false` when the page is full.
    fn stretch(&mut self, to: u64) -> Result<bool, StoreError> {
        let end = self.shared.end();
        let mut at = self.start()?;
        while at < end {
            let frame = self.shared.reader.frame_from(at)?;
            if frame.at >= end || frame.head.first >= to {
                break;
            }
            if !self.frame(&frame)? {
                return Ok(false);
            }
            at = frame.next;
        }
        Ok(true)
    }

    /// Adds the entries of a frame; `false` when the page is full.
    fn frame(&mut self, frame: &Frame) -> Result<bool, StoreError> {
        let after = frame.head.first + u64::from(frame.head.entries);
        if after <= self.from {
            return Ok(true);
        }
        if self.looks >= PAGE_LOOKS_MAX {
            self.next = Some(self.from.max(frame.head.first).to_string());
            return Ok(false);
        }
        self.looks += 1;
        let mut record = lookup::decode(frame, &self.shared.files)?;
        let context = self.context(&record)?;
        if let Some(entity) = &context.entity
            && !self.scope.covers(entity)
        {
            self.from = after;
            return Ok(true);
        }
        self.shared.put_back_all(&mut record)?;
        for entry in audit::entries(&record, frame.head.first, &context)? {
            let visible = match &entry.entity {
                Some(entity) => self.scope.covers(entity),
                None => matches!(self.scope.reach(), Reach::All),
            };
            if entry.index < self.from || !visible || !audit::fits(self.filter, &entry) {
                continue;
            }
            if self.rows.len() >= self.limit {
                self.next = Some(entry.index.to_string());
                return Ok(false);
            }
            self.rows.push(entry);
        }
        // A frame across two stretches is met twice.
        self.from = after;
        Ok(true)
    }

    fn context(&mut self, record: &Record) -> Result<Context, StoreError> {
        let (entity, incident) = match record.owner() {
            Owner::Entity(entity, incident) => (Some(entity.clone()), incident.cloned()),
            Owner::Reference(entity, reference) => (Some(entity.clone()), reference.parse().ok()),
            Owner::Incident(id) => (self.shared.incident_entity(id)?, Some(id.clone())),
            Owner::Run(run) => {
                let known = match self.runs.get(run) {
                    Some(known) => Some(known.clone()),
                    None => self
                        .shared
                        .run_head(run)?
                        .map(|(entity, head)| (entity, head.incident)),
                };
                let known =
                    known.ok_or_else(|| self.shared.contradiction("a record is of an unknown run"))?;
                self.runs.insert(run.clone(), known.clone());
                (Some(known.0), known.1)
            }
            Owner::System => (None, None),
        };
        Ok(Context { entity, incident })
    }
}
