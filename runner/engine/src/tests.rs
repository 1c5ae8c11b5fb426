//! Behaviour of the engine, rule by rule, on playbooks as authors write them.

use serde_json::Value;
use state::event::{Event, Recorded, RefusalKind, RunStatus, SkipCause};

use crate::rehearsal::Rehearsal;
use crate::rehearsal::ScriptedWorld;
use crate::run::{StepReport, StepStatus};
use crate::scenery::Scene;

mod approvals;
mod choices;
mod drills;
mod failing;
mod for_each;
mod guardrails;
mod history;
mod mail;
mod markings;
mod order;
mod pace;
mod people;
mod recovery;
mod retries;
mod rounds;
mod schedules;
mod starting;
mod targets;
mod telling;
mod trials;
mod turns;
mod undo;
mod undo_key;

type Played<'s> = Rehearsal<'s, ScriptedWorld<'s>>;

fn step(scene: &Scene, played: &Played<'_>, id: &str) -> StepReport {
    played
        .run()
        .steps(&scene.plan)
        .into_iter()
        .find(|report| report.id == id)
        .expect(id)
}

fn status(scene: &Scene, played: &Played<'_>, id: &str) -> StepStatus {
    step(scene, played, id).status
}

fn reason(scene: &Scene, played: &Played<'_>, id: &str) -> String {
    step(scene, played, id).reason.unwrap_or_default()
}

fn skips<'e>(events: &'e [Recorded], id: &str) -> Vec<&'e SkipCause> {
    events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Skipped { path, cause } if &*path.step == id => Some(cause),
            _ => None,
        })
        .collect()
}

fn refusal<'e>(events: &'e [Recorded], id: &str) -> (RefusalKind, &'e str) {
    events
        .iter()
        .find_map(|recorded| match &recorded.event {
            Event::Refused { path, cause, detail } if &*path.step == id => Some((*cause, detail.as_str())),
            _ => None,
        })
        .unwrap_or_else(|| panic!("`{id}` was not refused: {events:#?}"))
}

fn closed(events: &[Recorded]) -> (RunStatus, &str) {
    match &events.last().expect("events").event {
        Event::Closed { status, summary, .. } => (*status, summary),
        other => panic!("not closed: {other:?}"),
    }
}

fn outputs(events: &[Recorded]) -> Value {
    match &events.last().expect("events").event {
        Event::Closed { outputs, .. } => serde_json::to_value(outputs).expect("json"),
        other => panic!("not closed: {other:?}"),
    }
}

fn calls(played: &Played<'_>) -> Vec<String> {
    played
        .world
        .ledger
        .calls
        .iter()
        .map(|(path, _, _)| path.clone())
        .collect()
}
