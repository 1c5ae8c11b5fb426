//! Alerts through the HTTP of a real process: acknowledged means durable, equal ones are one, too
//! many are refused, and a source decides whose its alerts are.

use std::time::Duration;

use runner::demo;
use state::event::RunStatus;
use state::store::{IncidentFilter, PageRequest};
use tests::soc::{self, Process, Soc};
use web::operations::Myself;
use web::view::{Content, MatchWord, Submitted};
use web::{Client, OperationError, Operations as _};

use crate::BINARY;

/// Lives of the process that end right after an acknowledgement.
const LIVES: usize = 5;
/// Equal alerts of the storm.
const STORM: usize = 300;

fn suricata() -> Content {
    Content::Mapper("suricata".to_owned())
}

/// The sample alert with another signature and destination.
fn alert(signature: usize, destination: &str) -> Vec<u8> {
    let mut alert: serde_json::Value = serde_json::from_slice(demo::IDS_ALERT).unwrap();
    alert["alert"]["signature_id"] = (1_000_000 + signature).into();
    alert["dest_ip"] = destination.into();
    alert.to_string().into_bytes()
}

async fn started(soc: &Soc) -> (Process, Client) {
    let mut process = soc.serve(None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = process.client();
    (process, client)
}

/// A SOC with these lines at the end of its sortie.toml.
async fn soc_with(lines: &str) -> Soc {
    let soc = Soc::new(BINARY).await.unwrap();
    soc.append("sortie.toml", lines).unwrap();
    soc
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_kill_9() {
    let soc = Soc::new(BINARY).await.unwrap();
    let mut known = Vec::new();
    for life in 0..LIVES {
        let (mut process, client) = started(&soc).await;
        let taken = soc::submit(&client, suricata(), alert(life, "5.1.1.2")).await;
        process.kill();
        let Ok(Some(Submitted::Accepted { id })) = taken else {
            panic!("life {life}: {taken:?}");
        };
        known.push(id);
    }
    let (_process, client) = started(&soc).await;
    for (life, id) in known.iter().enumerate() {
        let found = client.incident(&Myself, id).await.unwrap();
        assert_eq!(found.incident.reference, id.to_string());
        let again = soc::submit(&client, suricata(), alert(life, "5.1.1.2"))
            .await
            .unwrap();
        assert_eq!(
            again,
            Some(Submitted::Duplicate {
                id: id.clone(),
                count: 2
            })
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_equal_alerts_makes_one_incident_and_one_run() {
    let soc = soc_with("\n[limits]\nalerts_burst = 1000\n").await;
    let (_process, client) = started(&soc).await;
    let Ok(Some(Submitted::Accepted { id: first })) =
        soc::submit(&client, suricata(), alert(1, "5.1.1.2")).await
    else {
        panic!("the first is new");
    };
    for number in 2..=STORM {
        let taken = soc::submit(&client, suricata(), alert(1, "5.1.1.2"))
            .await
            .unwrap();
        let Some(Submitted::Duplicate { id, count }) = taken else {
            panic!("{number}: {taken:?}");
        };
        assert_eq!((id, count), (first.clone(), u64::try_from(number).unwrap()));
    }
    // Another target of the same attacker is an incident of its own, attached to the same run.
    let taken = soc::submit(&client, suricata(), alert(1, "5.1.1.3"))
        .await
        .unwrap();
    let Some(Submitted::Accepted { id: other }) = taken else {
        panic!("{taken:?}");
    };
    let runs = soc::settled(&client, 1).await.unwrap();
    assert_eq!(runs.len(), 1, "{runs:?}");
    let mut word = None;
    for _ in 0..500 {
        let rows = client.matches(&Myself, &other).await.unwrap();
        word = rows
            .iter()
            .find(|row| row.playbook == "ids-triage")
            .map(|row| row.result);
        if word.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(word, Some(MatchWord::Attached));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_above_the_rate_of_a_token_are_refused_with_a_time() {
    let soc = soc_with("\n[limits]\nrequests_per_second = 1\nrequests_burst = 20\n").await;
    let address = soc::free_address().unwrap();
    let mut process = soc.serve_at(address, None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = Client::tcp(address, &soc.token).unwrap();
    let mut answered = 0;
    let refused = loop {
        match client.playbooks(&Myself).await {
            Ok(_) => answered += 1,
            Err(error) => break error,
        }
        assert!(answered < 200, "the rate is not held");
    };
    assert!(
        matches!(&refused, OperationError::TooMany { why, .. } if why.contains("20 requests at once")),
        "{refused}"
    );
    // The socket of this machine is its operator's, and is not counted.
    for _ in 0..50 {
        process.client().playbooks(&Myself).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_above_the_rate_of_an_entity_are_refused_with_a_time() {
    let soc = soc_with("\n[limits]\nalerts_per_second = 1\nalerts_burst = 3\nactive_runs_per_entity = 1\nsteps_at_once = 1\n").await;
    let (_process, client) = started(&soc).await;
    let mut taken = 0;
    let refused = loop {
        match soc::submit(&client, suricata(), alert(taken, "5.1.1.2")).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 50, "nothing was refused");
    };
    assert!(taken >= 3, "the burst is taken, {taken} were");
    let OperationError::TooMany { why, retry_after } = &refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("ville-exemple"), "{why}");
    assert!(*retry_after >= Duration::from_secs(1), "{retry_after:?}");
    let other = "hopital-exemple".parse().ok();
    let taken_there = soc::submit_for(&client, other, suricata(), alert(0, "5.2.0.2")).await;
    assert!(
        matches!(taken_there.as_deref(), Ok([Submitted::Accepted { .. }])),
        "others are not affected: {taken_there:?}"
    );
    // One at a time, and all of them to the end.
    let runs = soc::settled(&client, taken).await.unwrap();
    assert_eq!(runs.len(), taken);
    assert!(
        runs.iter().all(|run| run.status == RunStatus::Succeeded),
        "{runs:?}\n{}",
        soc.log()
    );
}

const SOURCES: &str = r#"
[sources.probes]
format = "suricata"
sensor_field = "host"
sensors = { "probe-1" = "ville-exemple", "probe-2" = "hopital-exemple" }

[sources.hospital]
format = "suricata"
entity = "hopital-exemple"
"#;

/// The sample alert as a sensor sends it.
fn seen_by(sensor: &str, signature: usize) -> String {
    let mut alert: serde_json::Value = serde_json::from_slice(&alert(signature, "5.1.1.2")).unwrap();
    alert["host"] = sensor.into();
    alert.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_decides_whose_its_alerts_are() {
    let soc = soc_with(SOURCES).await;
    let (_process, client) = started(&soc).await;
    let probes = || Content::Mapper("probes".to_owned());
    let lines = format!("{}\n{}\n", seen_by("probe-1", 1), seen_by("probe-2", 2));
    let taken = soc::submit_for(&client, None, probes(), lines.into_bytes())
        .await
        .unwrap();
    let mut owners = Vec::new();
    for one in &taken {
        let Submitted::Accepted { id } = one else {
            panic!("{taken:?}");
        };
        let found = client.incident(&Myself, id).await.unwrap();
        assert_eq!(found.source, "probes");
        owners.push(found.entity.to_string());
    }
    assert_eq!(owners, ["ville-exemple", "hopital-exemple"]);

    let unknown = soc::submit_for(&client, None, probes(), seen_by("probe-9", 3).into_bytes()).await;
    assert!(
        matches!(&unknown, Err(OperationError::Invalid { message, .. }) if message.contains("probe-9")),
        "{unknown:?}"
    );
    let against = soc::submit_for(
        &client,
        soc::entity(),
        probes(),
        seen_by("probe-2", 4).into_bytes(),
    )
    .await;
    assert!(
        matches!(against, Err(OperationError::Invalid { .. })),
        "{against:?}"
    );

    let bound = Content::Mapper("hospital".to_owned());
    let taken = soc::submit_for(&client, None, bound, alert(5, "5.2.0.2"))
        .await
        .unwrap();
    let [Submitted::Accepted { id }] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    let found = client.incident(&Myself, id).await.unwrap();
    assert_eq!(found.entity.as_str(), "hopital-exemple");
    let all = client
        .incidents(
            &Myself,
            IncidentFilter::default(),
            PageRequest {
                after: None,
                limit: 100,
            },
        )
        .await
        .unwrap();
    assert_eq!(all.rows.len(), 3, "what was refused left nothing");
}
