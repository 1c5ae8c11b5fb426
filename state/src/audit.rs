//! Audit entries: what a record looks like in the audit list.
//!
//! Owns the dotted names of entries and their bodies. An entry is derived from a stored record
//! whenever it is read, so the list and the state cannot disagree.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::access::Actor;
use crate::event::{Event, RefusalKind, Started};
use crate::ids::{EntityId, IncidentId, Path};
use crate::record::{Record, match_rows};
use crate::store::{AuditFilter, AuditRecord, IncidentUpdate, MeasureChange, StoreError};

/// What the store knows of a record beyond the record.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Whose.
    pub(crate) entity: Option<EntityId>,
    /// Of which incident.
    pub(crate) incident: Option<IncidentId>,
}

/// The dotted name of an event.
pub(crate) fn event_kind(event: &Event) -> &'static str {
    match event {
        Event::Started(_) => "run.started",
        Event::LetSettled { .. } => "let.settled",
        Event::Expanded { .. } => "step.expanded",
        Event::Skipped { .. } => "step.skipped",
        Event::Refused {
            cause: RefusalKind::Tlp | RefusalKind::Pap,
            ..
        } => "marking.refused",
        Event::Refused { .. } => "guardrail.refused",
        Event::Intended(_) => "attempt.intended",
        Event::Finished { .. } => "attempt.finished",
        Event::Lost { .. } => "attempt.lost",
        Event::Probed { .. } => "probe.finished",
        Event::OutcomeUnknown { .. } => "outcome.unknown",
        Event::RetryScheduled { .. } => "retry.scheduled",
        Event::Waits { .. } => "wait.begun",
        Event::RoundScheduled { .. } => "round.scheduled",
        Event::RoundsEnded { .. } => "rounds.ended",
        Event::Admitted { .. } => "run.admitted",
        Event::Asked(_) => "inquiry.asked",
        Event::Telling { .. } => "inquiry.telling",
        Event::Told { .. } => "inquiry.told",
        Event::Replied(_) => "inquiry.replied",
        Event::Escalated { .. } => "inquiry.escalated",
        Event::InquiryClosed { .. } => "inquiry.closed",
        Event::Failing { .. } => "run.failing",
        Event::CancelRequested { .. } => "cancel.requested",
        Event::Settled { .. } => "outcome.settled",
        Event::Acknowledged { .. } => "run.acknowledged",
        Event::Retried { .. } => "run.retried",
        Event::Rerun { .. } => "run.rerun",
        Event::UndoRequested { .. } => "undo.requested",
        Event::Closed { .. } => "run.closed",
    }
}

fn event_path(event: &Event) -> Option<Path> {
    match event {
        Event::Skipped { path, .. }
        | Event::Refused { path, .. }
        | Event::Finished { path, .. }
        | Event::Lost { path, .. }
        | Event::Probed { path, .. }
        | Event::OutcomeUnknown { path, .. }
        | Event::RetryScheduled { path, .. }
        | Event::Waits { path, .. }
        | Event::RoundScheduled { path, .. }
        | Event::RoundsEnded { path, .. }
        | Event::Settled { path, .. } => Some(path.clone()),
        Event::Intended(intended) => Some(intended.path.clone()),
        Event::Expanded { step, .. } => Some(Path::step(step)),
        Event::Asked(inquiry) => inquiry.steps.first().map(|step| Path::step(step)),
        Event::Failing { step, .. } => step.as_deref().map(Path::step),
        Event::Started(_)
        | Event::LetSettled { .. }
        | Event::Admitted { .. }
        | Event::Telling { .. }
        | Event::Told { .. }
        | Event::Replied(_)
        | Event::Escalated { .. }
        | Event::InquiryClosed { .. }
        | Event::CancelRequested { .. }
        | Event::Acknowledged { .. }
        | Event::Retried { .. }
        | Event::Rerun { .. }
        | Event::UndoRequested { .. }
        | Event::Closed { .. } => None,
    }
}

fn event_actor(event: &Event) -> Actor {
    match event {
        Event::Started(started) => started.actor.clone(),
        Event::CancelRequested { actor, .. }
        | Event::Settled { actor, .. }
        | Event::Acknowledged { actor, .. }
        | Event::Retried { actor, .. }
        | Event::Rerun { actor, .. }
        | Event::UndoRequested { actor, .. } => actor.clone(),
        Event::Replied(reply) => reply.actor.clone(),
        _ => Actor::engine(),
    }
}

fn body<T: serde::Serialize>(value: &T) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|error| StoreError::Damaged {
        place: "an audit entry".to_owned(),
        reason: error.to_string(),
    })
}

/// Collects the entries of one record.
struct Entries<'a> {
    context: &'a Context,
    next: u64,
    found: Vec<AuditRecord>,
}

impl Entries<'_> {
    fn push(&mut self, at: Timestamp, kind: &str, actor: Actor, body: Value) -> &mut AuditRecord {
        let index = self.next;
        self.next = index.saturating_add(1);
        self.found.push(AuditRecord {
            index,
            at,
            entity: self.context.entity.clone(),
            kind: kind.to_owned(),
            run: None,
            seq: None,
            incident: self.context.incident.clone(),
            actor,
            path: None,
            body,
        });
        let last = self.found.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "the entry was pushed two lines above")]
        &mut self.found[last]
    }

    fn started(&mut self, at: Timestamp, started: &Started) -> Result<(), StoreError> {
        let event = Event::Started(started.clone());
        let body = body(&event)?;
        let entry = self.push(at, event_kind(&event), started.actor.clone(), body);
        entry.run = Some(started.run.clone());
        entry.seq = Some(0);
        entry.incident.clone_from(&started.incident);
        Ok(())
    }

    fn updated(&mut self, at: Timestamp, update: &IncidentUpdate) -> Result<(), StoreError> {
        let body = body(update)?;
        let entry = self.push(at, "incident.updated", update.actor.clone(), body);
        entry.run.clone_from(&update.run);
        entry.incident = Some(update.incident.clone());
        Ok(())
    }

    fn measured(&mut self, at: Timestamp, change: &MeasureChange) -> Result<(), StoreError> {
        let body = body(change)?;
        let kind = match change {
            MeasureChange::Put(_) => "measure.put",
            MeasureChange::Lifted { .. } => "measure.lifted",
        };
        let entry = self.push(at, kind, Actor::engine(), body);
        if let MeasureChange::Put(measure) = change {
            entry.run = Some(measure.run.clone());
        }
        Ok(())
    }
}

/// The audit entries of a record whose first has this position.
pub(crate) fn entries(
    record: &Record,
    first: u64,
    context: &Context,
) -> Result<Vec<AuditRecord>, StoreError> {
    let mut entries = Entries {
        context,
        next: first,
        found: Vec::new(),
    };
    match record {
        Record::Accepted(accepted) => {
            let body = json!({
                "source": accepted.source,
                "dedup_key": accepted.dedup_key,
                "dedup_within": accepted.dedup_within,
                "incident": accepted.incident,
            });
            entries.push(accepted.at, "incident.accepted", accepted.actor.clone(), body);
        }
        Record::Repeated { incident, actor, at } => {
            let body = json!({ "incident": incident });
            entries.push(*at, "incident.repeated", actor.clone(), body);
        }
        Record::Decided { rulings, at, .. } => {
            let rows = body(&match_rows(rulings, *at))?;
            entries.push(*at, "matches.decided", Actor::engine(), rows);
            for begun in rulings.iter().filter_map(crate::record::Ruling::begun) {
                entries.started(*at, &begun.started)?;
            }
        }
        Record::Started { begun, at } => entries.started(*at, &begun.started)?,
        Record::Attached {
            run,
            incident,
            actor,
            at,
        } => {
            let body = json!({ "run": run, "incident": incident });
            let entry = entries.push(*at, "run.attached", actor.clone(), body);
            entry.run = Some(run.clone());
            if incident.is_some() {
                entry.incident.clone_from(incident);
            }
        }
        Record::Committed(commit) => {
            for (seq, (at, event)) in (commit.from..).zip(&commit.events) {
                let body = body(event)?;
                let entry = entries.push(*at, event_kind(event), event_actor(event), body);
                entry.run = Some(commit.run.clone());
                entry.seq = Some(seq);
                entry.path = event_path(event);
            }
            let at = commit.last_at();
            for update in &commit.updates {
                entries.updated(at, update)?;
            }
            for change in &commit.measures {
                entries.measured(at, change)?;
            }
        }
        Record::Updated { update, at } => entries.updated(*at, update)?,
        Record::Measured { change, at } => entries.measured(*at, change)?,
        Record::Noted { note, at } => {
            entries.push(*at, &note.kind, note.actor.clone(), note.fields.clone());
        }
        Record::Plan { .. } => {}
    }
    Ok(entries.found)
}

/// Whether an entry passes a filter.
pub(crate) fn fits(filter: &AuditFilter, entry: &AuditRecord) -> bool {
    filter
        .entity
        .as_ref()
        .is_none_or(|entity| entry.entity.as_ref() == Some(entity))
        && filter
            .run
            .as_ref()
            .is_none_or(|run| entry.run.as_ref() == Some(run))
        && filter
            .incident
            .as_ref()
            .is_none_or(|incident| entry.incident.as_ref() == Some(incident))
        && filter.kind.as_ref().is_none_or(|kind| *kind == entry.kind)
}
