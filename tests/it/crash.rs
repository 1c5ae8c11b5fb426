//! kill -9 at every journal boundary of the example playbooks, and at random under load.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use runner::demo;
use runner::dispatch::NOT_ASKED;
use state::access::Actor;
use state::event::Mode;
use state::ids::IncidentId;
use state::store::{IncidentFilter, PageRequest};
use tests::kills::{Acknowledged, check, soak};
use tests::soc::{self, Soc};
use web::Client;
use web::operations::{Myself, Operations as _};
use web::view::{Content, IncidentChoice, MatchView, StartRun};

use crate::BINARY;

/// How often something that must come is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Kills of the random test.
const KILLS: usize = 200;
/// Boundaries beyond which something is wrong with the enumeration itself.
const BOUNDARIES_MAX: u64 = 400;

async fn send_both(client: &Client, acknowledged: &mut Acknowledged) -> bool {
    let arrivals = [
        (Content::Mail, demo::PHISHING_REPORT),
        (Content::Mapper("suricata".to_owned()), demo::IDS_ALERT),
    ];
    for (content, bytes) in arrivals {
        match soc::submit(client, content, bytes.to_vec()).await {
            Ok(submitted) => acknowledged.note(submitted),
            Err(_) => return false,
        }
    }
    true
}

/// One project, cut once at a boundary, then served in peace. `false` when the boundary lies beyond
/// the end: the process was not cut.
async fn cut_once(place: &str) -> bool {
    let soc = Soc::new(BINARY).await.unwrap();
    let mut acknowledged = Acknowledged::default();
    let mut process = soc.serve(Some(place)).unwrap();
    let mut cut = true;
    if process.answers().await {
        let client = process.client();
        if send_both(&client, &mut acknowledged).await {
            // Both are taken: the cut comes while the runs go on, or never.
            let settled = soc::settled(&client, 2).await;
            cut = settled.is_err() || process.is_over();
        }
    }
    process.kill();
    let mut process = soc.serve(None).unwrap();
    assert!(
        process.answers().await,
        "{place}: the store does not open again\n{}",
        soc.log()
    );
    let client = process.client();
    assert!(
        send_both(&client, &mut acknowledged).await,
        "{place}: senders repeat what was not acknowledged"
    );
    let settled = soc::settled(&client, 2).await.unwrap();
    assert_eq!(settled.len(), 2, "{place}: one run for each incident");
    check(&soc, &client, &acknowledged, place).await.unwrap();
    cut
}

async fn every_boundary(side: &str) {
    let mut boundaries = 0;
    while boundaries < BOUNDARIES_MAX && cut_once(&format!("{side}:{}", boundaries + 1)).await {
        boundaries += 1;
    }
    println!("kill -9 {side} every write of both example playbooks: {boundaries} boundaries, all hold");
    assert!(
        (20..BOUNDARIES_MAX).contains(&boundaries),
        "{boundaries} boundaries: the enumeration is broken"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_killed_before_any_write() {
    every_boundary("before").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_killed_after_any_write() {
    every_boundary("after").await;
}

/// One start by hand with an incident of its own, cut after a write. `false` when it was answered.
async fn start_cut_once(nth: u64) -> bool {
    let place = format!("after:{nth}");
    let soc = Soc::new(BINARY).await.unwrap();
    let mut process = soc.serve(Some(&place)).unwrap();
    let mut answered = false;
    if process.answers().await {
        let wanted = StartRun {
            playbook: "ids-triage".to_owned(),
            incident: Some(IncidentChoice::Raw {
                format: "suricata".to_owned(),
                base64: STANDARD.encode(demo::IDS_ALERT),
            }),
            inputs: BTreeMap::new(),
            mode: Mode::Simulate,
            entity: soc::entity(),
        };
        answered = process.client().start(&Myself, wanted).await.is_ok();
    }
    process.kill();
    let mut process = soc.serve(None).unwrap();
    assert!(process.answers().await, "{place}\n{}", soc.log());
    let client = process.client();
    let incidents = client
        .incidents(&Myself, IncidentFilter::default(), PageRequest::default())
        .await
        .unwrap();
    for incident in &incidents.rows {
        let rows = decided(&client, &incident.id).await;
        assert!(
            !rows.is_empty() && rows.iter().all(|row| row.why.as_deref() == Some(NOT_ASKED)),
            "{place}: {rows:?}"
        );
    }
    let runs = soc::settled(&client, 0).await.unwrap();
    assert!(
        runs.iter().all(|run| run.actor != Actor::engine()),
        "{place}: a trigger was asked: {runs:?}"
    );
    answered
}

/// The match ledger of an incident, once it is written.
async fn decided(client: &Client, id: &IncidentId) -> Vec<MatchView> {
    let mut waited = Duration::ZERO;
    loop {
        let rows = client.matches(&Myself, id).await.unwrap();
        if !rows.is_empty() || waited >= soc::PATIENCE {
            return rows;
        }
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_that_came_with_a_start_by_hand_starts_nothing_else_after_a_crash() {
    let mut boundaries = 0;
    while !start_cut_once(boundaries + 1).await {
        boundaries += 1;
        assert!(boundaries < BOUNDARIES_MAX, "the start is never answered");
    }
    // At least: the incident, its ledger, the playbook, the run.
    assert!(
        boundaries >= 4,
        "{boundaries} boundaries: the enumeration is broken"
    );
    println!("kill -9 after every write of a start by hand: {boundaries} boundaries, all hold");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_kills_under_load_lose_and_double_nothing() {
    let done = soak(BINARY, KILLS).await.unwrap();
    println!(
        "{KILLS} random kills: {} incidents acknowledged, {} runs, 0 lost, 0 effects doubled, {} runs wait for a person",
        done.acknowledged, done.runs, done.stuck
    );
    assert!(done.acknowledged > KILLS / 2, "the load did something");
}
