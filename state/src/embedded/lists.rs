//! Reading lists: pages over incidents and runs, measures, what recovery starts from.

use jiff::Timestamp;

use super::Shared;
use crate::access::{Reach, Scope};
use crate::fold;
use crate::ids::{EntityId, IncidentId, RunId};
use crate::index::heads::{IncidentHead, InquiryHead, MeasureHead, Place, RunHead};
use crate::index::{self, Merged, View as _, keys};
use crate::paging;
use crate::store::{
    IncidentFilter, IncidentSummary, InquiryFilter, Measure, PAGE_LOOKS_MAX, Page, PageRequest, RunFilter,
    RunRow, RunSummary, StoreError, StoreFigures, StoredInquiry,
};

/// Runs that are looked for by the beginning of an id: two say that it is not enough.
const FOUND_RUNS_MAX: usize = 2;

/// The sort number after a cursor, in a list newest first.
fn after(cursor: Option<u64>) -> u64 {
    cursor.map_or(0, |number| (!number).saturating_add(1))
}

/// Rows of lists that one page looks at, at most [`PAGE_LOOKS_MAX`].
#[derive(Debug, Default)]
struct Looks {
    count: usize,
    last: u64,
    /// The last row that was looked at, when there was another one.
    stopped: Option<u64>,
}

impl Looks {
    /// Whether the row of this number may be looked at too.
    fn at(&mut self, number: u64) -> bool {
        if self.count >= PAGE_LOOKS_MAX {
            self.stopped = Some(self.last);
            return false;
        }
        self.count += 1;
        self.last = number;
        true
    }
}

impl Shared {
    /// The entities to read lists of: those in scope, narrowed by a filter.
    pub(super) fn entities(
        &self,
        scope: &Scope,
        filter: Option<&EntityId>,
    ) -> Result<Vec<EntityId>, StoreError> {
        match (filter, scope.reach()) {
            (Some(entity), reach) if reach.covers(entity) => Ok(vec![entity.clone()]),
            (Some(_), _) => Ok(Vec::new()),
            (None, Reach::Entities(entities)) => Ok(entities.iter().cloned().collect()),
            (None, Reach::All) => self.all_entities(),
        }
    }

    fn all_entities(&self) -> Result<Vec<EntityId>, StoreError> {
        let mut found = Vec::new();
        self.index.each(keys::ENTITIES, &[], &mut |key, _| {
            let name = key.get(keys::ENTITIES.len()..);
            let entity = name.and_then(|name| str::from_utf8(name).ok()?.parse().ok());
            found.push(entity.ok_or_else(|| self.contradiction("a key names no entity"))?);
            Ok(true)
        })?;
        Ok(found)
    }

    pub(super) fn incidents_page(
        &self,
        scope: &Scope,
        filter: &IncidentFilter,
        page: &PageRequest,
    ) -> Result<Page<IncidentSummary>, StoreError> {
        paging::may_see(scope, "incidents")?;
        let limit = paging::limit(page);
        let from = after(paging::cursor(page)?);
        let entities = self.entities(scope, filter.entity.as_ref())?;
        let lists = entities.iter().map(keys::incidents).collect();
        let mut merged = Merged::new(&self.index, lists, from);
        let mut rows = Vec::new();
        let mut looks = Looks::default();
        while rows.len() <= limit {
            let Some((list, sort, value)) = merged.next()? else {
                break;
            };
            if !looks.at(!sort) {
                break;
            }
            let id: IncidentId = index::decode(b"a list of incidents", &value)?;
            let entity = self.listed(entities.get(list))?;
            let head: Option<IncidentHead> = self.index.value(&keys::incident(entity, &id))?;
            let head = head.ok_or_else(|| self.contradiction("a listed incident is not there"))?;
            let fits = filter.kind.is_none_or(|kind| kind == head.kind)
                && filter.status.is_none_or(|status| status == head.status);
            if fits {
                let row = self.incident_row(entity, &id, &head)?;
                if paging::incident_fits(scope, filter, &row) {
                    rows.push((!sort, row));
                }
            }
        }
        Ok(paging::newest_first(rows, limit, looks.stopped))
    }

    pub(super) fn runs_page(
        &self,
        scope: &Scope,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<RunSummary>, StoreError> {
        paging::may_see(scope, "runs")?;
        let limit = paging::limit(page);
        let from = after(paging::cursor(page)?);
        let (entities, lists): (Vec<EntityId>, Vec<Vec<u8>>) = match &filter.incident {
            None => {
                let entities = self.entities(scope, filter.entity.as_ref())?;
                let lists = entities.iter().map(keys::runs).collect();
                (entities, lists)
            }
            Some(incident) => {
                let entity = self.incident_entity(incident)?;
                let entity = entity.filter(|entity| scope.covers(entity));
                entity
                    .map(|entity| {
                        let list = keys::incident_runs(&entity, incident);
                        (entity, list)
                    })
                    .into_iter()
                    .unzip()
            }
        };
        let mut merged = Merged::new(&self.index, lists, from);
        let mut rows = Vec::new();
        let mut looks = Looks::default();
        while rows.len() <= limit {
            let Some((list, sort, value)) = merged.next()? else {
                break;
            };
            if !looks.at(!sort) {
                break;
            }
            let run: RunId = index::decode(b"a list of runs", &value)?;
            let entity = self.listed(entities.get(list))?;
            let head: Option<RunHead> = self.index.value(&keys::run(entity, &run))?;
            let head = head.ok_or_else(|| self.contradiction("a listed run is not there"))?;
            let fits = filter.playbook.as_ref().is_none_or(|id| *id == head.playbook)
                && (filter.status.is_empty() || filter.status.contains(&head.row.status));
            if fits {
                let row = self.run_row(&run, head)?;
                if paging::run_fits(scope, filter, &row) {
                    rows.push((!sort, row));
                }
            }
        }
        Ok(paging::newest_first(rows, limit, looks.stopped))
    }

    pub(super) fn inquiries_page(
        &self,
        scope: &Scope,
        filter: &InquiryFilter,
        page: &PageRequest,
    ) -> Result<Page<StoredInquiry>, StoreError> {
        paging::may_see(scope, "inquiries")?;
        let limit = paging::limit(page);
        let from = after(paging::cursor(page)?);
        let entities = self.entities(scope, filter.entity.as_ref())?;
        let lists = entities.iter().map(keys::inquiries).collect();
        let mut merged = Merged::new(&self.index, lists, from);
        let mut looks = Looks::default();
        let mut rows = Vec::new();
        while rows.len() <= limit {
            let Some((list, sort, value)) = merged.next()? else {
                break;
            };
            if !looks.at(!sort) {
                break;
            }
            let head: InquiryHead = index::decode(b"a list of inquiries", &value)?;
            if filter.open && head.end.is_some() {
                continue;
            }
            let row = self.inquiry_at(self.listed(entities.get(list))?, &head)?;
            if paging::inquiry_fits(scope, filter, &row) {
                rows.push((!sort, row));
            }
        }
        Ok(paging::newest_first(rows, limit, looks.stopped))
    }

    fn listed<'e>(&self, entity: Option<&'e EntityId>) -> Result<&'e EntityId, StoreError> {
        entity.ok_or_else(|| self.contradiction("a row is of no list that was asked for"))
    }

    pub(super) fn find_run(&self, scope: &Scope, prefix: &str) -> Result<Vec<RunSummary>, StoreError> {
        paging::may_see(scope, "runs")?;
        let prefix = prefix.to_ascii_lowercase();
        let mut found = Vec::new();
        if prefix.is_empty() {
            return Ok(found);
        }
        let entities = match scope.reach() {
            // Of all entities any two runs will do, and one list has them all.
            Reach::All => {
                let names = keys::run_entities("");
                let list = keys::run_entities(&prefix);
                for (key, value) in self.index.entries(&list, &[], FOUND_RUNS_MAX)? {
                    let entity: EntityId = index::decode(&key, &value)?;
                    let run = self.run_named(&key, names.len())?;
                    let head: Option<RunHead> = self.index.value(&keys::run(&entity, &run))?;
                    let head = head.ok_or_else(|| self.contradiction("a run has no head"))?;
                    found.push(self.run_row(&run, head)?);
                }
                return Ok(found);
            }
            Reach::Entities(entities) => entities,
        };
        for entity in entities {
            let names = keys::run_heads(entity);
            let list = keys::key(&[&names, prefix.as_bytes()]);
            for (key, value) in self.index.entries(&list, &[], FOUND_RUNS_MAX - found.len())? {
                let run = self.run_named(&key, names.len())?;
                found.push(self.run_row(&run, index::decode(&key, &value)?)?);
            }
        }
        Ok(found)
    }

    /// The run whose id is the rest of a key.
    fn run_named(&self, key: &[u8], before: usize) -> Result<RunId, StoreError> {
        let run = key.get(before..).and_then(|run| str::from_utf8(run).ok());
        run.and_then(|run| run.parse().ok())
            .ok_or_else(|| self.contradiction("a key names no run"))
    }

    pub(super) fn open_runs(&self) -> Result<Vec<(RunId, RunRow)>, StoreError> {
        let mut found = Vec::new();
        self.index.each(keys::OPEN_RUNS, &[], &mut |key, value| {
            let entity: EntityId = index::decode(key, value)?;
            let run = self.run_named(key, keys::OPEN_RUNS.len())?;
            let head: Option<RunHead> = self.index.value(&keys::run(&entity, &run))?;
            let head = head.ok_or_else(|| self.contradiction("an open run has no head"))?;
            // A run that was closed since the list was read is not open any more.
            if !head.row.status.is_over() {
                found.push((run, head.row));
            }
            Ok(true)
        })?;
        Ok(found)
    }

    pub(super) fn undecided(&self) -> Result<Vec<IncidentId>, StoreError> {
        let mut found = Vec::new();
        self.index.each(keys::UNDECIDED, &[], &mut |key, value| {
            found.push(index::decode(key, value)?);
            Ok(true)
        })?;
        Ok(found)
    }

    pub(super) fn measures(&self, entity: &EntityId, at: Timestamp) -> Result<Vec<Measure>, StoreError> {
        let prefix = keys::standing_measures(entity);
        let from = keys::key(&[&prefix, &keys::time(at)]);
        let mut found = Vec::new();
        self.index.each(&prefix, &from, &mut |key, value| {
            let place: Place = index::decode(key, value)?;
            let measure = self.measure_at(place)?;
            if measure.entity == *entity && fold::in_force(&measure, at) {
                found.push(measure);
            }
            Ok(true)
        })?;
        found.sort_by(|a, b| (&a.target, &a.key).cmp(&(&b.target, &b.key)));
        Ok(found)
    }

    pub(super) fn measures_due(&self, at: Timestamp, limit: usize) -> Result<Vec<Measure>, StoreError> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        self.index.each(keys::DUE, &[], &mut |key, value| {
            let measure = self.measure_at(index::decode(key, value)?)?;
            if measure.until > at {
                return Ok(false);
            }
            let head: Option<MeasureHead> =
                self.index.value(&keys::measure(&measure.entity, &measure.key))?;
            if head.is_some_and(|head| !head.lifted) {
                found.push(measure);
            }
            Ok(found.len() < limit)
        })?;
        Ok(found)
    }

    pub(super) fn blocks_since(&self, entity: &EntityId, since: Timestamp) -> Result<(u64, u64), StoreError> {
        let mut counts = (0, 0);
        for other in self.all_entities()? {
            let prefix = keys::blocks(&other);
            let from = keys::key(&[&prefix, &keys::time(since)]);
            let count = self.index.count(&prefix, &from)?;
            counts.1 += count;
            if other == *entity {
                counts.0 = count;
            }
        }
        Ok(counts)
    }

    pub(super) fn figures(&self) -> Result<StoreFigures, StoreError> {
        let mut incidents = 0_u64;
        // References are gapless, so the last number of each series counts its incidents.
        self.index.each(keys::COUNTERS, &[], &mut |key, value| {
            incidents = incidents.saturating_add(index::decode(key, value)?);
            Ok(true)
        })?;
        Ok(StoreFigures {
            records: self.entries.load(std::sync::atomic::Ordering::Acquire),
            journal_bytes: self.reader.bytes(self.end())?,
            index_bytes: index::folder_bytes(&self.folder.join("index")).max(self.index.size()),
            file_bytes: index::folder_bytes(self.files.folder()),
            incidents,
            open_runs: self.index.count(keys::OPEN_RUNS, &[])?,
            rebuilt: self.rebuilt.clone(),
        })
    }
}
