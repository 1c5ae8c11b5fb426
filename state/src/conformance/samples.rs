//! Incidents, runs and commits to try a store with.
#![expect(
    clippy::missing_panics_doc,
    reason = "constant texts that are always well-formed"
)]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use playbooks::action_spec::Recovery;
use playbooks::duration::Span;
use playbooks::incident::{Incident, IncidentStatus, IncidentType, Observable, ObservableType};
use playbooks::marking::{EffectClass, Pap, Severity, Tlp, Verdict};
use serde_json::{Value, json};

use crate::access::{Actor, Permission, Reach, Scope};
use crate::event::{
    Event, Inquiry, InquiryEnd, Intended, Mode, OnTimeout, Outcome, PlaybookRef, ProposedEffect, RunStatus,
    Shown, Started, StartedBy, Subject,
};
use crate::ids::{EffectKey, EntityId, IncidentId, Path, RunId};
use crate::store::{
    Accepted, Commit, IncidentUpdate, MatchDecision, MatchVerdict, Measure, NewIncident, NewRun, Once,
    RunRow, Store,
};

/// A moment of a day in November 2026.
pub fn moment(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-24T08:00:00.25Z".parse().expect("a time");
    start + SignedDuration::from_secs(seconds)
}

/// An entity.
pub fn entity(name: &str) -> EntityId {
    name.parse().expect("an entity id")
}

/// The effect key with this number.
pub fn effect_key(number: u64) -> EffectKey {
    format!("{number:064x}").parse().expect("an effect key")
}

/// The run id with this number.
pub fn run_id(number: u64) -> RunId {
    RunId::from_parts(1_790_000_000_000 + number, u128::from(number))
}

/// Somebody with a token.
pub fn sender() -> Actor {
    Actor {
        name: "token:sensor".to_owned(),
        channel: crate::access::Channel::Api,
    }
}

/// A scope for one permission over some entities; over all without any.
pub fn scope(permission: Permission, entities: &[&str]) -> Scope {
    let reach = match entities {
        [] => Reach::All,
        some => Reach::Entities(some.iter().map(|name| entity(name)).collect()),
    };
    crate::access::trial_scope(permission, reach)
}

/// A small incident.
pub fn incident(kind: IncidentType, title: &str, received_at: Timestamp) -> Incident {
    Incident {
        reference: String::new(),
        kind,
        title: title.to_owned(),
        summary: None,
        status: IncidentStatus::Open,
        severity: Severity::Medium,
        tlp: Tlp::Amber,
        pap: Pap::Amber,
        verdict: Verdict::Unknown,
        tags: vec!["trial".to_owned()],
        detected_at: received_at,
        received_at,
        reporter: None,
        mail: None,
        domain: None,
        host: None,
        user: None,
        logins: Vec::new(),
        network: None,
        signature: None,
        observables: vec![Observable {
            kind: ObservableType::Ip,
            value: "203.0.113.77".to_owned(),
            tlp: None,
            role: Some("source".to_owned()),
        }],
        files: Vec::new(),
        raw: json!({ "flow_id": 1_914_763_251_u64, "score": 0.1 + 0.2, "nested": { "a": [1, 2.5e-7, -3] } }),
    }
}

/// A new incident of an entity under a deduplication key that counts for an hour.
pub fn new_incident(entity_name: &str, key: &str, seconds: i64) -> NewIncident {
    NewIncident {
        entity: entity(entity_name),
        source: "suricata".to_owned(),
        dedup_key: key.to_owned(),
        dedup_within: Span::hours(1),
        incident: incident(IncidentType::IdsAlert, key, moment(seconds)),
        actor: sender(),
        by_hand: false,
        at: moment(seconds),
    }
}

/// Keeps a new incident.
pub async fn accept(store: &dyn Store, entity_name: &str, key: &str, seconds: i64) -> IncidentId {
    match store.accept(new_incident(entity_name, key, seconds)).await {
        Ok(Accepted::New(id)) => id,
        other => panic_with(&format!("a new incident was not kept: {other:?}")),
    }
}

/// A playbook.
pub fn playbook(id: &str) -> PlaybookRef {
    PlaybookRef {
        id: id.to_owned(),
        version: 3,
        revision: format!("{id}-revision"),
    }
}

/// A run to be started, of a playbook on an incident.
pub fn new_run(entity_name: &str, incident: Option<&IncidentId>, playbook_id: &str, number: u64) -> NewRun {
    NewRun {
        started: Started {
            run: run_id(number),
            entity: entity(entity_name),
            incident: incident.cloned(),
            playbook: playbook(playbook_id),
            by: StartedBy::Trigger,
            actor: Actor::engine(),
            mode: Mode::Auto,
            inputs: BTreeMap::from([("for".to_owned(), json!("24h"))]),
            facts: json!({ "title": "as it was", "extra": 0.1 }),
            deadline: moment(86_400),
            rerun_of: None,
            ends: None,
            turn: None,
        },
        once: None,
        join: None,
    }
}

/// The decision to start a run.
pub fn decision(run: NewRun) -> MatchDecision {
    MatchDecision {
        playbook: run.started.playbook.clone(),
        verdict: MatchVerdict::Start(Box::new(run)),
    }
}

/// The decision to start a run unless one with this key is there.
pub fn decision_once(mut run: NewRun, key: &str, within: Span) -> MatchDecision {
    run.once = Some(Once {
        key: key.to_owned(),
        within,
    });
    decision(run)
}

/// The decision not to.
pub fn decision_no(playbook_id: &str, why: &str) -> MatchDecision {
    MatchDecision {
        playbook: playbook(playbook_id),
        verdict: MatchVerdict::No { why: why.to_owned() },
    }
}

/// A row of a run that goes on.
pub fn row(status: RunStatus, note: &str) -> RunRow {
    RunRow {
        status,
        wake_at: None,
        effects: 0,
        note: note.to_owned(),
        attention: false,
        turns: None,
    }
}

/// An intent of a look-up.
pub fn intended(step: &str, number: u64) -> Event {
    Event::Intended(Intended {
        path: Path::step(step),
        attempt: 1,
        key: effect_key(number),
        action: "enrich.ip".to_owned(),
        effect: EffectClass::Read,
        connections: vec!["misp".to_owned()],
        left_out: Vec::new(),
        arguments: json!({ "ip": "203.0.113.77" }),
        tlp: Tlp::Amber,
        pap: Pap::Amber,
        recovery: Recovery::Read,
        timeout: Span::seconds(30),
        until: None,
    })
}

/// Its outcome.
pub fn finished(step: &str, output: Value) -> Event {
    Event::Finished {
        path: Path::step(step),
        attempt: 1,
        outcome: Outcome::Succeeded {
            output,
            reference: None,
        },
        duration_ms: 12,
    }
}

/// The end of a run with this many events.
pub fn closed(records: u64) -> Event {
    Event::Closed {
        status: RunStatus::Succeeded,
        outputs: BTreeMap::from([("verdict".to_owned(), json!("malicious"))]),
        summary: "looked up, blocked, told".to_owned(),
        handled_failures: 0,
        records,
    }
}

/// The question whether an address may be blocked, the run's question with this number.
pub fn approval(number: u32) -> Inquiry {
    Inquiry {
        number,
        id: None,
        steps: vec!["block".to_owned(), "report".to_owned()],
        subject: Subject::Approval {
            effects: vec![ProposedEffect {
                path: Path::item("block", 0),
                action: "block.ip".to_owned(),
                effect: EffectClass::Contain,
                connections: vec!["pull-list".to_owned()],
                arguments: json!({ "ip": "203.0.113.9", "for": "24h" }),
                tlp: Tlp::Amber,
                pap: Pap::Green,
            }],
            digest: "ab".repeat(32),
        },
        ask: "Block 203.0.113.9 at Ville d'Exemple?".to_owned(),
        show: vec![Shown {
            label: "Verdict".to_owned(),
            value: json!("malicious"),
        }],
        because: "block.ip is a contain, and ville-a has not pre-authorised it".to_owned(),
        who: vec!["duty-officer".to_owned()],
        count: 1,
        until: moment(1_800),
        on_timeout: OnTimeout::Escalate,
    }
}

/// The question which way to go, the run's question with this number.
pub fn choice(number: u32) -> Inquiry {
    Inquiry {
        steps: vec!["decide".to_owned()],
        subject: Subject::Choice {
            choices: vec!["takedown".to_owned(), "watch".to_owned()],
            default: Some("watch".to_owned()),
        },
        ask: "Take it down?".to_owned(),
        show: Vec::new(),
        because: "the playbook asks".to_owned(),
        on_timeout: OnTimeout::Default,
        ..approval(number)
    }
}

/// The end of an inquiry.
pub fn inquiry_closed(number: u32, end: InquiryEnd) -> Event {
    Event::InquiryClosed {
        number,
        end,
        detail: "refused by karim (duty-officer): not now".to_owned(),
    }
}

/// A commit of events, a second apart.
pub fn commit(number: u64, expect: u64, seconds: i64, events: Vec<Event>) -> Commit {
    let over = matches!(events.last(), Some(Event::Closed { .. }));
    let status = if over {
        RunStatus::Succeeded
    } else {
        RunStatus::Running
    };
    Commit {
        run: run_id(number),
        expect,
        events: (seconds..).map(moment).zip(events).collect(),
        row: row(status, "looking up"),
        updates: Vec::new(),
        measures: Vec::new(),
    }
}

/// A change of an incident's verdict.
pub fn update(entity_name: &str, incident: &IncidentId, number: u64, verdict: Verdict) -> IncidentUpdate {
    IncidentUpdate {
        incident: incident.clone(),
        entity: entity(entity_name),
        key: effect_key(number),
        status: None,
        verdict: Some(verdict),
        severity: None,
        note: Some("seen by three engines".to_owned()),
        run: None,
        actor: Actor::engine(),
    }
}

/// A block of an address for an hour, with an inverse.
pub fn measure(entity_name: &str, number: u64, target: &str, seconds: i64) -> Measure {
    Measure {
        key: effect_key(number),
        entity: entity(entity_name),
        action: "block.ip".to_owned(),
        target: target.to_owned(),
        kind: "ip".to_owned(),
        connection: "pull-list".to_owned(),
        direction: Some("both".to_owned()),
        reason: "malicious".to_owned(),
        run: run_id(1),
        incident: None,
        since: moment(seconds),
        until: moment(seconds + 3_600),
        inverse: Some("unblock.ip".to_owned()),
        inverse_arguments: json!({ "ip": target }),
    }
}

#[expect(clippy::panic, reason = "a failed check")]
pub(super) fn panic_with(text: &str) -> ! {
    panic!("{text}")
}
