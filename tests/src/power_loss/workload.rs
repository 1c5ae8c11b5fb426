//! What is written before the power goes: incidents, runs with their events, revisions, files and
//! bodies that are too long for the journal.
//!
//! Owns the writes and how each is found again.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use playbooks::duration::Span;
use playbooks::incident::Incident;
use serde_json::{Value, json};
use state::access::{Actor, Channel};
use state::event::{Event, Mode, PlaybookRef, RunStatus, Started, StartedBy};
use state::ids::{EntityId, IncidentId, RunId};
use state::store::{Accepted, Commit, NewIncident, NewRun, RunRow, Store};

/// Rounds of writes.
const ROUNDS: u64 = 14;

/// Something that was acknowledged.
#[derive(Debug, Clone)]
pub(super) enum Acknowledged {
    Incident(IncidentId, String),
    Events(RunId, usize),
    Plan(String),
    File(String, usize),
}

impl Acknowledged {
    /// Looks for it.
    pub(super) async fn look(&self, store: &dyn Store) -> Result<(), String> {
        let failed = |error: state::store::StoreError| error.to_string();
        let there = match self {
            Self::Incident(id, title) => {
                let found = store.incident(id).await.map_err(failed)?;
                found.is_some_and(|found| found.incident.title == *title)
            }
            Self::Events(run, events) => store.load(run).await.map_err(failed)?.len() >= *events,
            Self::Plan(revision) => store.plan(revision).await.map_err(failed)?.is_some(),
            Self::File(sha256, length) => {
                let found = store.file(sha256).await.map_err(failed)?;
                found.is_some_and(|bytes| bytes.len() == *length)
            }
        };
        if there {
            Ok(())
        } else {
            Err(format!("{self:?} was acknowledged and is not there"))
        }
    }
}

/// Writes everything. `heard` is told the number of acknowledgements after each.
pub(super) async fn fill(
    store: &dyn Store,
    heard: impl Fn(usize) + Send + Sync,
) -> Result<Vec<Acknowledged>, String> {
    let failed = |error: state::store::StoreError| error.to_string();
    let mut known = Vec::new();
    for round in 0..ROUNDS {
        let at = moment(round);
        let accepted = store.accept(alert(round, at)?).await.map_err(failed)?;
        let Accepted::New(incident) = accepted else {
            return Err("an alert was known before".to_owned());
        };
        known.push(Acknowledged::Incident(incident.clone(), title(round)));
        heard(known.len());

        let playbook = PlaybookRef {
            id: "look".to_owned(),
            version: 1,
            revision: format!("{round:064x}"),
        };
        // Now and then longer than the journal takes.
        let bundle = "id: look\n".repeat(if round % 3 == 0 { 9_000 } else { 10 });
        store.keep_plan(&playbook, &bundle).await.map_err(failed)?;
        known.push(Acknowledged::Plan(playbook.revision.clone()));
        heard(known.len());

        let run = RunId::from_parts(1_790_000_000_000 + round, u128::from(round));
        let new = NewRun {
            started: started(&run, &incident, playbook, at)?,
            once: None,
            join: None,
        };
        store.start(new, at).await.map_err(failed)?;
        known.push(Acknowledged::Events(run.clone(), 1));
        heard(known.len());
        for event in 1..4_u64 {
            store.commit(commit(&run, event, at)).await.map_err(failed)?;
            let events = usize::try_from(event + 1).unwrap_or(0);
            known.push(Acknowledged::Events(run.clone(), events));
            heard(known.len());
        }

        let bytes = vec![u8::try_from(round).unwrap_or(0) + 1; 3_000];
        let length = bytes.len();
        let sha256 = store.put_file(bytes).await.map_err(failed)?;
        known.push(Acknowledged::File(sha256, length));
        heard(known.len());
    }
    Ok(known)
}

fn moment(round: u64) -> Timestamp {
    let seconds = i64::try_from(round).unwrap_or(0);
    Timestamp::UNIX_EPOCH
        .checked_add(SignedDuration::from_secs(1_795_600_000 + seconds))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

fn title(round: u64) -> String {
    format!("Alert {round}")
}

fn entity() -> Result<EntityId, String> {
    "example-town".parse().map_err(|error| format!("{error:?}"))
}

fn alert(round: u64, at: Timestamp) -> Result<NewIncident, String> {
    let incident: Incident = serde_json::from_value(json!({
        "ref": "", "type": "ids-alert", "title": title(round), "status": "open", "severity": "low",
        "tlp": "amber", "pap": "amber", "verdict": "unknown", "tags": [], "detected_at": at,
        "received_at": at, "observables": [], "files": [], "raw": {"padding": "x".repeat(600)},
    }))
    .map_err(|error| error.to_string())?;
    Ok(NewIncident {
        entity: entity()?,
        source: "rig".to_owned(),
        dedup_key: title(round),
        dedup_within: Span::hours(1),
        incident,
        actor: Actor {
            name: "token:rig".to_owned(),
            channel: Channel::Api,
        },
        by_hand: false,
        at,
    })
}

fn started(
    run: &RunId,
    incident: &IncidentId,
    playbook: PlaybookRef,
    at: Timestamp,
) -> Result<Started, String> {
    Ok(Started {
        run: run.clone(),
        entity: entity()?,
        incident: Some(incident.clone()),
        playbook,
        by: StartedBy::Trigger,
        actor: Actor::engine(),
        mode: Mode::Auto,
        inputs: BTreeMap::new(),
        facts: Value::Object(serde_json::Map::new()),
        deadline: at,
        rerun_of: None,
        ends: None,
        turn: None,
    })
}

fn commit(run: &RunId, event: u64, at: Timestamp) -> Commit {
    let settled = Event::LetSettled {
        name: format!("value{event}"),
        value: Some(json!({ "text": "y".repeat(700) })),
        absent: None,
    };
    Commit {
        run: run.clone(),
        expect: event,
        events: vec![(at, settled)],
        row: RunRow {
            status: RunStatus::Running,
            wake_at: None,
            effects: 0,
            note: String::new(),
            attention: false,
            turns: None,
        },
        updates: Vec::new(),
        measures: Vec::new(),
    }
}
