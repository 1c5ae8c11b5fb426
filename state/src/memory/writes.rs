//! Writes of the store in memory.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Held, KeptIncident, KeptMeasure, KeptRun};
use crate::event::{Event, Inquiry, PlaybookRef, Recorded, Seq};
use crate::fold;
use crate::ids::{IncidentId, RunId};
use crate::record::{AcceptedRecord, Begun, CommittedRecord, Record, Ruling, match_rows};
use crate::store::{
    Accepted, Commit, IncidentUpdate, MatchDecision, MatchRow, MatchVerdict, MeasureChange, NewIncident,
    NewRun, RunSummary, StoreError, StoredInquiry, StoredUpdate,
};

impl Held {
    pub(super) fn accept(&mut self, new: NewIncident) -> Result<Accepted, StoreError> {
        fold::check_incident(&new)?;
        let key = (new.entity.clone(), new.source.clone(), new.dedup_key.clone());
        if let Some((id, first)) = self.dedup.get(&key)
            && fold::still_counts(*first, new.dedup_within, new.at)
        {
            let id = id.clone();
            self.record(&Record::Repeated {
                incident: id.clone(),
                actor: new.actor,
                at: new.at,
            })?;
            let kept = self.incidents.get_mut(&id).ok_or_else(|| missing(&id))?;
            kept.count += 1;
            return Ok(Accepted::Duplicate {
                count: kept.count,
                of: id,
            });
        }
        let series = fold::reference_series(&new);
        let number = self.counters.get(&series).copied().unwrap_or(0) + 1;
        let id = fold::reference(&series, number)?;
        let mut incident = new.incident;
        id.as_str().clone_into(&mut incident.reference);
        let accepted = AcceptedRecord {
            entity: new.entity,
            source: new.source,
            dedup_key: new.dedup_key,
            dedup_within: new.dedup_within,
            incident,
            actor: new.actor,
            by_hand: new.by_hand,
            at: new.at,
        };
        let record = Record::Accepted(Box::new(accepted));
        let first = self.record(&record)?;
        self.counters.insert(series, number);
        self.dedup.insert(key, (id.clone(), new.at));
        if let Record::Accepted(accepted) = record {
            let kept = KeptIncident {
                number: first,
                entity: accepted.entity,
                source: accepted.source,
                accepted: accepted.incident,
                actor: accepted.actor,
                by_hand: accepted.by_hand,
                count: 1,
                updates: Vec::new(),
                matches: None,
            };
            self.incidents.insert(id.clone(), kept);
        }
        Ok(Accepted::New(id))
    }

    pub(super) fn decide_matches(
        &mut self,
        incident: &IncidentId,
        decisions: Vec<MatchDecision>,
        at: Timestamp,
    ) -> Result<Vec<MatchRow>, StoreError> {
        let kept = self.incidents.get(incident).ok_or_else(|| missing(incident))?;
        if let Some(rows) = &kept.matches {
            return Ok(rows.clone());
        }
        let mut rulings: Vec<Ruling> = Vec::new();
        for decision in decisions {
            fold::check_playbook(&decision.playbook)?;
            rulings.push(self.ruling(decision, &rulings, at)?);
        }
        let rows = match_rows(&rulings, at);
        let first = self.record(&Record::Decided {
            incident: incident.clone(),
            rulings: rulings.clone(),
            at,
        })?;
        let mut number = first;
        for ruling in rulings {
            match ruling {
                Ruling::Started(begun) => {
                    number += 1;
                    self.begin(*begun, at, number);
                }
                Ruling::Attached { run, .. } => self.attach(&run, Some(incident)),
                Ruling::No { .. } => {}
            }
        }
        if let Some(kept) = self.incidents.get_mut(incident) {
            kept.matches = Some(rows.clone());
        }
        Ok(rows)
    }

    fn ruling(
        &self,
        decision: MatchDecision,
        before: &[Ruling],
        at: Timestamp,
    ) -> Result<Ruling, StoreError> {
        let playbook = decision.playbook;
        match decision.verdict {
            MatchVerdict::No { why } => Ok(Ruling::No { playbook, why }),
            MatchVerdict::Start(new) => {
                fold::check_run(&new)?;
                let same = before.iter().filter_map(Ruling::begun).find(|begun| {
                    new.once.is_some()
                        && begun.once.as_ref().map(|once| &once.key)
                            == new.once.as_ref().map(|once| &once.key)
                        && begun.started.playbook.id == new.started.playbook.id
                        && begun.started.entity == new.started.entity
                });
                let same = match same {
                    Some(begun) => Some(begun.started.run.clone()),
                    None => self.same_run(&new, at)?,
                };
                if let Some(run) = same {
                    return Ok(Ruling::Attached { playbook, run });
                }
                let twice = before
                    .iter()
                    .filter_map(Ruling::begun)
                    .any(|begun| begun.started.run == new.started.run);
                if twice || self.runs.contains_key(&new.started.run) {
                    return Err(self.taken(&new.started.run));
                }
                Ok(Ruling::Started(Box::new(Begun::from(*new))))
            }
        }
    }

    /// The run that an equal `once_per` key attaches to, else the one that is to be joined.
    fn same_run(&self, new: &NewRun, at: Timestamp) -> Result<Option<RunId>, StoreError> {
        let started = &new.started;
        if let Some(once) = &new.once {
            let key = (
                started.entity.clone(),
                started.playbook.id.clone(),
                once.key.clone(),
            );
            let ran = self.once.get(&key);
            if let Some((run, _)) = ran.filter(|(_, first)| fold::still_counts(*first, once.within, at)) {
                return Ok(Some(run.clone()));
            }
        }
        let Some(run) = &new.join else {
            return Ok(None);
        };
        let kept = self.runs.get(run);
        if kept.is_some_and(|kept| kept.summary.entity == started.entity) {
            Ok(Some(run.clone()))
        } else {
            Err(fold::no_run(run))
        }
    }

    fn taken(&self, run: &RunId) -> StoreError {
        StoreError::Conflict {
            run: run.clone(),
            head: self.runs.get(run).map_or(0, |kept| kept.summary.events),
            expected: 0,
        }
    }

    pub(super) fn start(&mut self, new: NewRun, at: Timestamp) -> Result<RunId, StoreError> {
        fold::check_run(&new)?;
        if let Some(incident) = &new.started.incident {
            let kept = self.incidents.get(incident);
            if kept.is_none_or(|kept| kept.entity != new.started.entity) {
                return Err(missing(incident));
            }
        }
        if let Some(run) = self.same_run(&new, at)? {
            self.record(&Record::Attached {
                run: run.clone(),
                incident: new.started.incident.clone(),
                actor: new.started.actor.clone(),
                at,
            })?;
            self.attach(&run, new.started.incident.as_ref());
            return Ok(run);
        }
        let run = new.started.run.clone();
        if self.runs.contains_key(&run) {
            return Err(self.taken(&run));
        }
        let begun = Begun::from(new);
        let first = self.record(&Record::Started {
            begun: Box::new(begun.clone()),
            at,
        })?;
        self.begin(begun, at, first);
        Ok(run)
    }

    fn begin(&mut self, begun: Begun, at: Timestamp, number: u64) {
        let started = begun.started;
        if let Some(once) = begun.once {
            let key = (started.entity.clone(), started.playbook.id.clone(), once.key);
            self.once.insert(key, (started.run.clone(), at));
        }
        let kept = KeptRun {
            number,
            summary: fold::run_summary(&started, at),
            incidents: started.incident.iter().cloned().collect(),
            events: vec![Recorded {
                seq: 0,
                at,
                event: Event::Started(started.clone()),
            }],
        };
        self.runs.insert(started.run, kept);
    }

    fn attach(&mut self, run: &RunId, incident: Option<&IncidentId>) {
        if let Some(kept) = self.runs.get_mut(run) {
            kept.summary.attached += 1;
            kept.incidents.extend(incident.cloned());
        }
    }

    pub(super) fn commit(&mut self, mut commit: Commit) -> Result<Seq, StoreError> {
        fold::check_commit(&mut commit)?;
        let run = &commit.run;
        let Some(kept) = self.runs.get(run) else {
            return Err(StoreError::NotFound {
                what: format!("run {run}"),
            });
        };
        let head = kept.summary.events;
        if commit.expect != head {
            return Err(StoreError::Conflict {
                run: run.clone(),
                head,
                expected: commit.expect,
            });
        }
        if kept.summary.row.status.is_over() {
            fold::check_after_the_end(&commit)?;
        }
        fold::check_commit_entity(&commit, &kept.summary.entity)?;
        for update in &commit.updates {
            self.check_update(update)?;
        }
        let last = self.inquiries.last_key_value().map_or(0, |(number, _)| *number);
        fold::number_inquiries(&mut commit.events, last);
        let record = CommittedRecord {
            run: commit.run,
            from: head,
            previous: 0,
            at: commit.events.is_empty().then_some(kept.summary.updated_at),
            events: commit.events,
            row: commit.row,
            updates: self.new_updates(commit.updates),
            measures: self.new_measures(commit.measures),
        };
        let record = Record::Committed(Box::new(record));
        self.record(&record)?;
        let Record::Committed(record) = record else {
            return Ok(head);
        };
        let mut seq = head;
        let last = record.last_at();
        if let Some(kept) = self.runs.get_mut(&record.run) {
            for (at, event) in record.events {
                note_inquiry(&mut self.inquiries, &kept.summary, at, &event);
                kept.events.push(Recorded { seq, at, event });
                kept.summary.updated_at = at;
                seq += 1;
            }
            kept.summary.events = seq;
            kept.summary.row = record.row;
        }
        for update in record.updates {
            self.apply_update(update, last);
        }
        for change in record.measures {
            self.apply_measure(change);
        }
        Ok(seq)
    }

    fn check_update(&self, update: &IncidentUpdate) -> Result<(), StoreError> {
        let kept = self.incidents.get(&update.incident);
        if kept.is_none_or(|kept| kept.entity != update.entity) {
            return Err(missing(&update.incident));
        }
        Ok(())
    }

    /// Those not made before, each once.
    fn new_updates(&self, updates: Vec<IncidentUpdate>) -> Vec<IncidentUpdate> {
        let mut fresh: Vec<IncidentUpdate> = Vec::new();
        for update in updates {
            let known = self
                .updates
                .contains(&(update.entity.clone(), update.key.clone()));
            if !known && fresh.iter().all(|other| other.key != update.key) {
                fresh.push(update);
            }
        }
        fresh
    }

    /// Those that change something.
    fn new_measures(&self, changes: Vec<MeasureChange>) -> Vec<MeasureChange> {
        let mut fresh: Vec<MeasureChange> = Vec::new();
        for change in changes {
            let lift = matches!(change, MeasureChange::Lifted { .. });
            let (entity, key) = fold::measure_key(&change);
            let kept = self.measures.get(&(entity.clone(), key.clone()));
            let put_here = fresh
                .iter()
                .any(|other| matches!(other, MeasureChange::Put(put) if put.key == *key));
            let lifted_here = fresh
                .iter()
                .any(|other| matches!(other, MeasureChange::Lifted { key: other, .. } if other == key));
            let changes_something = if lift {
                !lifted_here && (put_here || kept.is_some_and(|kept| !kept.lifted))
            } else {
                kept.is_none() && !put_here
            };
            if changes_something {
                fresh.push(change);
            }
        }
        fresh
    }

    fn apply_update(&mut self, update: IncidentUpdate, at: Timestamp) {
        self.updates.insert((update.entity.clone(), update.key.clone()));
        if let Some(kept) = self.incidents.get_mut(&update.incident) {
            kept.updates.push(StoredUpdate { at, update });
        }
    }

    fn apply_measure(&mut self, change: MeasureChange) {
        match change {
            MeasureChange::Put(measure) => {
                let key = (measure.entity.clone(), measure.key.clone());
                let kept = KeptMeasure {
                    measure: *measure,
                    lifted: false,
                };
                self.measures.insert(key, kept);
            }
            MeasureChange::Lifted { key, entity, .. } => {
                if let Some(kept) = self.measures.get_mut(&(entity, key)) {
                    kept.lifted = true;
                }
            }
        }
    }

    pub(super) fn update_incident(
        &mut self,
        update: IncidentUpdate,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        fold::check_actor(&update.actor)?;
        self.check_update(&update)?;
        for update in self.new_updates(vec![update]) {
            self.record(&Record::Updated {
                update: Box::new(update.clone()),
                at,
            })?;
            self.apply_update(update, at);
        }
        Ok(())
    }

    pub(super) fn change_measure(&mut self, change: MeasureChange, at: Timestamp) -> Result<(), StoreError> {
        fold::check_measure(&change)?;
        for change in self.new_measures(vec![change]) {
            self.record(&Record::Measured {
                change: change.clone(),
                at,
            })?;
            self.apply_measure(change);
        }
        Ok(())
    }

    pub(super) fn keep_plan(&mut self, playbook: &PlaybookRef, bundle: &str) -> Result<(), StoreError> {
        fold::check_playbook(playbook)?;
        if !self.plans.contains_key(&playbook.revision) {
            self.record(&Record::Plan {
                playbook: playbook.clone(),
                bundle: bundle.to_owned(),
            })?;
            self.plans.insert(playbook.revision.clone(), bundle.to_owned());
        }
        Ok(())
    }
}

/// An event that begins or ends an inquiry.
fn note_inquiry(
    inquiries: &mut BTreeMap<u64, StoredInquiry>,
    run: &RunSummary,
    at: Timestamp,
    event: &Event,
) {
    match event {
        Event::Asked(inquiry) => {
            let Some(id) = inquiry.id else { return };
            let kept = StoredInquiry {
                id,
                entity: run.entity.clone(),
                run: run.run.clone(),
                asked_at: at,
                inquiry: Inquiry::clone(inquiry),
                end: None,
            };
            inquiries.insert(id.number(), kept);
        }
        Event::InquiryClosed { number, end, .. } => {
            let mut ours = inquiries
                .values_mut()
                .filter(|kept| kept.run == run.run && kept.inquiry.number == *number);
            if let Some(kept) = ours.next() {
                kept.end = Some(*end);
            }
        }
        _ => {}
    }
}

fn missing(incident: &IncidentId) -> StoreError {
    StoreError::NotFound {
        what: format!("incident {incident}"),
    }
}
