//! The rows that the fake lists show: a run and an incident of each entity.

use playbooks::marking::{Pap, Severity, Tlp, Verdict};
use serde_json::json;
use state::access::Actor;
use state::event::RunStatus;
use state::store::IncidentSummary;

use super::{incident_of, now, run_of};
use crate::view::RunView;

pub(super) fn view(entity: &str) -> RunView {
    RunView {
        id: run_of(entity),
        entity: entity.parse().unwrap(),
        incident: Some(incident_of(entity)),
        playbook: "phishing-report".to_owned(),
        version: 4,
        revision: "0".repeat(64),
        actor: Actor::engine(),
        status: RunStatus::Running,
        note: "looks up 2 links".to_owned(),
        effects: 0,
        started_at: now(),
        updated_at: now(),
        events: 1,
        attached: 0,
        attention: false,
    }
}

pub(super) fn summary(entity: &str) -> IncidentSummary {
    serde_json::from_value(json!({
        "id": incident_of(entity), "entity": entity, "source": "mail", "kind": "phishing",
        "title": "A <b>mail</b>", "status": "open", "severity": Severity::High, "tlp": Tlp::Amber,
        "pap": Pap::Amber, "verdict": Verdict::Unknown, "received_at": now(), "count": 1,
    }))
    .unwrap()
}
