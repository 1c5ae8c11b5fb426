//! Reading single things: the index says where, the journal says what.

use serde_json::Value;

use super::Shared;
use super::committer::BodyFile;
use super::files::Files;
use crate::access::Scope;
use crate::event::{Event, Recorded};
use crate::fold;
use crate::ids::{EntityId, IncidentId, InquiryId, RunId};
use crate::index::heads::{IncidentHead, InquiryHead, Place, RunHead};
use crate::index::{View as _, keys};
use crate::journal::{Frame, Kind, Position};
use crate::paging;
use crate::record::{AcceptedRecord, Begun, Record, Ruling, match_rows};
use crate::store::{
    IncidentSummary, MatchRow, Measure, MeasureChange, RunSummary, StoreError, StoredIncident, StoredInquiry,
    StoredUpdate,
};

/// Reads the record of a frame.
pub(super) fn decode(frame: &Frame, files: &Files) -> Result<Record, StoreError> {
    let damaged = |reason: String| StoreError::Damaged {
        place: frame.at.to_string(),
        reason,
    };
    let from_file;
    let body = match frame.head.kind {
        Kind::Inline => &frame.body,
        Kind::InFile => {
            let named: BodyFile =
                serde_json::from_slice(&frame.body).map_err(|error| damaged(error.to_string()))?;
            from_file = files
                .read(&named.sha256)?
                .ok_or_else(|| damaged(format!("its body, file {}, is missing", named.sha256)))?;
            &from_file
        }
    };
    serde_json::from_slice(body)
        .map_err(|error| damaged(format!("the record is not one that this version knows: {error}")))
}

/// Leaves out of a run's facts what the incident says already.
pub(super) fn leave_out_facts(begun: &mut Begun, accepted: &AcceptedRecord) {
    let (Value::Object(base), Value::Object(facts)) =
        (accepted.incident.to_value(), &mut begun.started.facts)
    else {
        return;
    };
    if begun.started.entity != accepted.entity || base.keys().any(|key| !facts.contains_key(key)) {
        return;
    }
    facts.retain(|key, value| base.get(key) != Some(value));
    begun.facts_as_accepted = true;
}

/// Puts back what was left out.
fn put_back_facts(begun: &mut Begun, accepted: &AcceptedRecord) {
    if let (Value::Object(mut facts), Value::Object(changed)) =
        (accepted.incident.to_value(), begun.started.facts.take())
    {
        facts.extend(changed);
        begun.started.facts = Value::Object(facts);
    }
    begun.facts_as_accepted = false;
}

impl Shared {
    /// A record, whole.
    pub(super) fn record(&self, place: Place) -> Result<Record, StoreError> {
        let mut record = decode(&self.reader.frame(place.position())?, &self.files)?;
        self.put_back_all(&mut record)?;
        Ok(record)
    }

    /// Puts back everything that was left out of a record.
    pub(super) fn put_back_all(&self, record: &mut Record) -> Result<(), StoreError> {
        match record {
            Record::Started { begun, .. } => self.put_back(begun)?,
            Record::Decided { rulings, .. } => {
                for ruling in rulings {
                    if let Ruling::Started(begun) = ruling {
                        self.put_back(begun)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn put_back(&self, begun: &mut Begun) -> Result<(), StoreError> {
        if !begun.facts_as_accepted {
            return Ok(());
        }
        let accepted = match &begun.started.incident {
            Some(incident) => self.accepted(&begun.started.entity, incident)?,
            None => None,
        };
        let accepted = accepted
            .ok_or_else(|| self.contradiction("a run's facts are of an incident that is not there"))?;
        put_back_facts(begun, &accepted);
        Ok(())
    }

    /// Index and journal do not fit together.
    pub(super) fn contradiction(&self, reason: &str) -> StoreError {
        self.index.condemn(reason);
        StoreError::Damaged {
            place: format!("the index in {}", self.folder.display()),
            reason: format!("{reason}; start again and it is made anew from the journal"),
        }
    }

    fn accepted(&self, entity: &EntityId, id: &IncidentId) -> Result<Option<AcceptedRecord>, StoreError> {
        let head: Option<IncidentHead> = self.index.value(&keys::incident(entity, id))?;
        head.map(|head| self.accepted_at(&head, id)).transpose()
    }

    fn accepted_at(&self, head: &IncidentHead, id: &IncidentId) -> Result<AcceptedRecord, StoreError> {
        let frame = self.reader.frame(head.accepted.position())?;
        match decode(&frame, &self.files)? {
            Record::Accepted(accepted) if accepted.incident.reference == id.as_str() => Ok(*accepted),
            _ => Err(self.contradiction("an incident is not where the index says")),
        }
    }

    /// Leaves out of a run's facts what its incident says, when the incident is known.
    pub(super) fn thin(&self, begun: &mut Begun) -> Result<(), StoreError> {
        let accepted = match &begun.started.incident {
            Some(incident) => self.accepted(&begun.started.entity, incident)?,
            None => None,
        };
        if let Some(accepted) = accepted {
            leave_out_facts(begun, &accepted);
        }
        Ok(())
    }

    pub(super) fn incident_entity(&self, id: &IncidentId) -> Result<Option<EntityId>, StoreError> {
        self.index.value(&keys::incident_entity(id))
    }

    /// An incident of an entity, with later changes folded in.
    pub(super) fn incident_of(
        &self,
        entity: &EntityId,
        id: &IncidentId,
    ) -> Result<Option<StoredIncident>, StoreError> {
        let head: Option<IncidentHead> = self.index.value(&keys::incident(entity, id))?;
        let Some(head) = head else {
            return Ok(None);
        };
        let accepted = self.accepted_at(&head, id)?;
        let mut incident = accepted.incident;
        let updates = self.updates(entity, id)?;
        for change in &updates {
            fold::update(&mut incident, &change.update);
        }
        Ok(Some(StoredIncident {
            entity: entity.clone(),
            source: accepted.source,
            incident,
            count: head.count,
            actor: accepted.actor,
            by_hand: accepted.by_hand,
            updates,
        }))
    }

    pub(super) fn incident(&self, id: &IncidentId) -> Result<Option<StoredIncident>, StoreError> {
        match self.incident_entity(id)? {
            Some(entity) => self.incident_of(&entity, id),
            None => Ok(None),
        }
    }

    fn updates(&self, entity: &EntityId, id: &IncidentId) -> Result<Vec<StoredUpdate>, StoreError> {
        let prefix = keys::incident_history(entity, id);
        let mut found = Vec::new();
        self.index.each(&prefix, &[], &mut |key, value| {
            let place = crate::index::decode(key, value)?;
            match decode(&self.reader.frame(Place::position(place))?, &self.files)? {
                Record::Updated { update, at } => found.push(StoredUpdate { at, update: *update }),
                Record::Committed(commit) => {
                    let at = commit.last_at();
                    let mine = commit.updates.into_iter().filter(|update| update.incident == *id);
                    found.extend(mine.map(|update| StoredUpdate { at, update }));
                }
                _ => {}
            }
            Ok(true)
        })?;
        Ok(found)
    }

    pub(super) fn incident_row(
        &self,
        entity: &EntityId,
        id: &IncidentId,
        head: &IncidentHead,
    ) -> Result<IncidentSummary, StoreError> {
        let accepted = self.accepted_at(head, id)?;
        let mut row = fold::incident_summary(id, entity, &accepted.source, &accepted.incident, head.count);
        row.status = head.status;
        row.verdict = head.verdict;
        row.severity = head.severity;
        Ok(row)
    }

    pub(super) fn matches_of(&self, entity: &EntityId, id: &IncidentId) -> Result<Vec<MatchRow>, StoreError> {
        let head: Option<IncidentHead> = self.index.value(&keys::incident(entity, id))?;
        let Some(decided) = head.and_then(|head| head.decided) else {
            return Ok(Vec::new());
        };
        match decode(&self.reader.frame(decided.position())?, &self.files)? {
            Record::Decided { rulings, at, .. } => Ok(match_rows(&rulings, at)),
            _ => Err(self.contradiction("a match ledger is not where the index says")),
        }
    }

    pub(super) fn entity_of(&self, run: &RunId) -> Result<Option<EntityId>, StoreError> {
        self.index.value(&keys::run_entity(run))
    }

    pub(super) fn run_head(&self, run: &RunId) -> Result<Option<(EntityId, RunHead)>, StoreError> {
        let Some(entity) = self.entity_of(run)? else {
            return Ok(None);
        };
        let head: Option<RunHead> = self.index.value(&keys::run(&entity, run))?;
        Ok(head.map(|head| (entity, head)))
    }

    /// A run's first event, whole.
    fn begun(
        &self,
        record: Record,
        part: usize,
        run: &RunId,
    ) -> Result<(jiff::Timestamp, Begun), StoreError> {
        let found = match record {
            Record::Started { begun, at } => Some((at, *begun)),
            Record::Decided { rulings, at, .. } => match rulings.into_iter().nth(part) {
                Some(Ruling::Started(begun)) => Some((at, *begun)),
                _ => None,
            },
            _ => None,
        };
        found
            .filter(|(_, begun)| begun.started.run == *run)
            .ok_or_else(|| self.contradiction("a run does not begin where the index says"))
    }

    /// A run's own records and where they are, oldest first.
    pub(super) fn own_records(
        &self,
        run: &RunId,
        head: &RunHead,
    ) -> Result<Vec<(Place, Record)>, StoreError> {
        let mut records = Vec::new();
        let mut at = head.last;
        while at != head.started {
            let record = self.record(at)?;
            let Record::Committed(commit) = &record else {
                return Err(self.contradiction("a run's record is not where the one after it says"));
            };
            let before = Position::from_number(commit.previous);
            if commit.run != *run || before >= at.position() {
                return Err(self.contradiction("a run's records do not lead to its start"));
            }
            records.push((at, record));
            at = if before == head.started.position() {
                head.started
            } else {
                Place::new(before, 0)
            };
        }
        records.push((at, self.record(at)?));
        records.reverse();
        Ok(records)
    }

    pub(super) fn events_of(&self, run: &RunId, head: &RunHead) -> Result<Vec<Recorded>, StoreError> {
        let mut events: Vec<Recorded> = Vec::new();
        for (place, record) in self.own_records(run, head)? {
            match record {
                Record::Committed(commit) => {
                    if Some(commit.from) != u64::try_from(events.len()).ok() {
                        return Err(self.contradiction("events of a run are missing"));
                    }
                    for (seq, (at, event)) in (commit.from..).zip(commit.events) {
                        events.push(Recorded { seq, at, event });
                    }
                }
                other => {
                    let (at, begun) = self.begun(other, place.part(), run)?;
                    events.push(Recorded {
                        seq: 0,
                        at,
                        event: Event::Started(begun.started),
                    });
                }
            }
        }
        Ok(events)
    }

    pub(super) fn load(&self, run: &RunId) -> Result<Vec<Recorded>, StoreError> {
        match self.run_head(run)? {
            Some((_, head)) => self.events_of(run, &head),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn run_row(&self, run: &RunId, head: RunHead) -> Result<RunSummary, StoreError> {
        let frame = self.reader.frame(head.started.position())?;
        let (at, begun) = self.begun(decode(&frame, &self.files)?, head.started.part(), run)?;
        let mut row = fold::run_summary(&begun.started, at);
        row.updated_at = head.updated_at;
        row.events = head.events;
        row.row = head.row;
        row.attached = head.attached;
        Ok(row)
    }

    pub(super) fn measure_at(&self, place: Place) -> Result<Measure, StoreError> {
        let change = match decode(&self.reader.frame(place.position())?, &self.files)? {
            Record::Measured { change, .. } => Some(change),
            Record::Committed(commit) => commit.measures.into_iter().nth(place.part()),
            _ => None,
        };
        match change {
            Some(MeasureChange::Put(measure)) => Ok(*measure),
            _ => Err(self.contradiction("a measure is not where the index says")),
        }
    }

    pub(super) fn inquiry(&self, scope: &Scope, id: InquiryId) -> Result<Option<StoredInquiry>, StoreError> {
        paging::may_see(scope, "inquiries")?;
        let entity: Option<EntityId> = self.index.value(&keys::inquiry_entity(id))?;
        let Some(entity) = entity.filter(|entity| scope.covers(entity)) else {
            return Ok(None);
        };
        let head: Option<InquiryHead> = self.index.value(&keys::inquiry(&entity, id))?;
        head.map(|head| self.inquiry_at(&entity, &head)).transpose()
    }

    pub(super) fn inquiry_at(
        &self,
        entity: &EntityId,
        head: &InquiryHead,
    ) -> Result<StoredInquiry, StoreError> {
        let misplaced = || self.contradiction("an inquiry is not where the index says");
        let frame = self.reader.frame(head.asked.position())?;
        let Record::Committed(commit) = decode(&frame, &self.files)? else {
            return Err(misplaced());
        };
        let run = commit.run.clone();
        match commit.events.into_iter().nth(head.asked.part()) {
            Some((asked_at, Event::Asked(inquiry))) => Ok(StoredInquiry {
                id: inquiry.id.ok_or_else(misplaced)?,
                entity: entity.clone(),
                run,
                asked_at,
                inquiry: *inquiry,
                end: head.end,
            }),
            _ => Err(misplaced()),
        }
    }

    pub(super) fn plan(&self, revision: &str) -> Result<Option<String>, StoreError> {
        let place: Option<Place> = self.index.value(&keys::plan(revision))?;
        let Some(place) = place else {
            return Ok(None);
        };
        match self.record(place)? {
            Record::Plan { playbook, bundle } if playbook.revision == revision => Ok(Some(bundle)),
            _ => Err(self.contradiction("a playbook revision is not where the index says")),
        }
    }
}
