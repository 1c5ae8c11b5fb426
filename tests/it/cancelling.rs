//! Asking a run to stop while it works or waits: at the command line and over the API.

use std::process::{Output, Stdio};
use std::time::Duration;

use runner::demo;
use runner::range::{Fault, Misbehaviour, Service};
use state::event::{Event, RunStatus};
use tests::soc::{self, Process, Soc};
use web::operations::{Myself, Operations as _};
use web::view::{Content, RunDetail, RunView, StepState};
use web::{Client, OperationError};

use crate::BINARY;

/// How long the far end takes for the call that is under way.
const SLOW: Duration = Duration::from_millis(1_500);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A playbook that looks something up and acts on it, alone on the alert of the demonstration.
const SLOW_LOOK: &str = "id: slow-look
name: Slow look
version: 1
description: Looks a domain up, then writes a note.
owner: network-team
trigger: {incident: [ids-alert]}
steps:
  look:
    uses: enrich.rdap
    retry: {attempts: 5, backoff: 10m..10m}
    with: {domain: robinhood.com}
  note:
    uses: incident.update
    with: {note: \"{{default steps.look.registrar 'nobody'}}\"}
";

/// A served project in which the look-up misbehaves, and one run that meets it.
async fn run_that_meets(misbehaviour: Misbehaviour) -> (Soc, Process, Client, RunView) {
    let soc = Soc::new(BINARY).await.unwrap();
    std::fs::write(soc.project().join("playbooks/slow-look.yaml"), SLOW_LOOK).unwrap();
    let file = soc.project().join("entities/ville-exemple.yaml");
    let entity = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, entity.replace("ids-triage: auto", "slow-look: auto")).unwrap();
    soc.range.faults().add(Fault::always(Service::Rdap, misbehaviour));
    let address = soc::free_address().unwrap();
    let mut process = soc.serve_at(address, None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = Client::tcp(address, &soc.token).unwrap();
    let alert = Content::Mapper("suricata".to_owned());
    soc::submit(&client, alert, demo::IDS_ALERT.to_vec())
        .await
        .unwrap();
    let run = until(&client, |runs| runs.iter().any(|run| run.events > 1)).await;
    (soc, process, client, run)
}

/// The only run, once something holds of it.
async fn until(client: &Client, holds: impl Fn(&[RunView]) -> bool) -> RunView {
    let mut waited = Duration::ZERO;
    loop {
        let runs = soc::runs(client).await.unwrap();
        if holds(&runs) {
            return runs.into_iter().next().unwrap();
        }
        assert!(waited < soc::PATIENCE, "it never came: {runs:?}");
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

fn state_of(detail: &RunDetail, step: &str) -> (StepState, String) {
    let row = detail
        .steps
        .iter()
        .find(|row| row.step == step && row.item.is_none())
        .unwrap();
    (row.state, row.note.clone())
}

async fn sortie(soc: &Soc, arguments: &[&str]) -> Output {
    let mut command = soc.command(arguments);
    command.stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_waits_is_cancelled_over_the_api_and_asks_nobody_again() {
    let unavailable = Misbehaviour::Refuse {
        status: 503,
        retry_after: None,
    };
    let (soc, process, client, _) = run_that_meets(unavailable).await;
    let run = until(&client, |runs| {
        runs.iter().any(|run| run.status == RunStatus::Waiting)
    })
    .await;
    client
        .cancel(&Myself, run.id.as_str(), "it is a test alarm")
        .await
        .unwrap();
    until(&client, |runs| runs.iter().all(|run| run.status.is_over())).await;
    let detail = soc::run(&client, run.id.as_str()).await.unwrap();
    assert_eq!(detail.run.status, RunStatus::Cancelled);
    let asked = detail.events.iter().find_map(|one| match &one.event {
        Event::CancelRequested { actor, reason } => Some((actor.name.clone(), reason.clone())),
        _ => None,
    });
    let (actor, reason) = asked.unwrap();
    assert!(actor.contains("test"), "{actor}");
    assert_eq!(reason, "it is a test alarm");
    for step in ["look", "note"] {
        let (state, note) = state_of(&detail, step);
        assert_eq!(state, StepState::Skipped, "{step}: {note}");
        assert!(note.contains("cancelled"), "{step}: {note}");
    }
    let again = client.cancel(&Myself, run.id.as_str(), "again").await;
    assert!(
        matches!(&again, Err(OperationError::Refused { why, .. }) if why.contains("is over: cancelled")),
        "{again:?}"
    );
    drop(soc);
    assert_eq!(process.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_at_work_is_cancelled_at_the_command_line_and_keeps_what_was_sent() {
    let (soc, process, client, run) = run_that_meets(Misbehaviour::Delay(SLOW)).await;
    let told = sortie(
        &soc,
        &["runs", "cancel", run.id.short(), "--reason", "wrong alarm"],
    )
    .await;
    let words = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(0), "{words}");
    assert!(
        words.contains(&format!("asked run {} to stop", run.id.short())),
        "{words}"
    );
    until(&client, |runs| runs.iter().all(|run| run.status.is_over())).await;
    let detail = soc::run(&client, run.id.as_str()).await.unwrap();
    assert_eq!(detail.run.status, RunStatus::Cancelled, "{}", detail.run.note);
    let (look, note) = state_of(&detail, "look");
    assert_eq!(look, StepState::Done, "what was sent is waited for: {note}");
    let (skipped, note) = state_of(&detail, "note");
    assert_eq!(skipped, StepState::Skipped);
    assert!(note.contains("cancelled"), "{note}");

    let again = sortie(&soc, &["runs", "cancel", run.id.short(), "--reason", "twice"]).await;
    assert_eq!(again.status.code(), Some(6));
    assert!(
        String::from_utf8(again.stderr)
            .unwrap()
            .contains("is over: cancelled")
    );
    assert_eq!(process.terminate().await, Some(0));
}
