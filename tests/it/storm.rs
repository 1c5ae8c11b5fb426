//! A storm: equal alerts make one run, and an entity that floods stands in nobody else's way.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use runner::demo;
use serde_json::Value;
use state::access::Reach;
use state::event::RunStatus;
use state::ids::IncidentId;
use tests::soc::{self, Process, Soc};
use web::Client;
use web::operations::{Myself, Operations as _};
use web::view::{Content, MatchWord, Submitted};

use crate::BINARY;
use crate::command_line::in_soc;

/// Alerts of one attack, each on another machine. `load storm` does 10,000.
const OF_ONE_ATTACK: u16 = 600;
/// The same alert, again and again.
const REPETITIONS: usize = 400;
/// Attacks that each make a run of their own: more than may be worked on at once.
const OTHER_ATTACKS: u16 = 120;
/// Alerts of one submission.
const EACH: usize = 100;
/// How often something that must come is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

const HOSPITAL: &str = "hopital-exemple";

/// Nothing is refused, and few steps go at once.
const LIMITS: &str = "\n[limits]\nalerts_per_second = 1000\nalerts_burst = 20000\nsteps_at_once = 4\n";

const PLAYBOOK: &str = r#"id: ids-triage
name: A look at an attacker
version: 1
description: Looks an attacker up.
owner: network-team
trigger:
  incident: [ids-alert]
  once_per:
    key: ${{ [incident.signature.id, incident.network.source_ip, entity.id] }}
    within: 1h
limits: {tlp: amber, pap: green, time: 24h}
steps:
  who:
    uses: enrich.ip
    using: abuseipdb
    timeout: 3h
    if: entity.id == 'ville-exemple'
    with: {ip: "${{ incident.network.source_ip }}"}
  note:
    uses: incident.update
    if: entity.id != 'ville-exemple'
    with: {note: seen}
"#;

/// The real alert of the demonstration, from an address, to another.
fn alert(source: &str, destination: &str) -> String {
    let mut alert: Value = serde_json::from_slice(demo::IDS_ALERT).unwrap();
    alert["src_ip"] = Value::from(source);
    alert["dest_ip"] = Value::from(destination);
    alert.to_string()
}

fn set_up(soc: &Soc, address: SocketAddr) -> (Client, Client) {
    std::fs::write(soc.project().join("playbooks/ids-triage.yaml"), PLAYBOOK).unwrap();
    soc.append("sortie.toml", LIMITS).unwrap();
    // One attacker of the town is looked up; the steps of the others wait for longer than this test.
    let file = soc.project().join("sortie.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    let slow = settings.replace(
        "provider = \"abuseipdb\"",
        "provider = \"abuseipdb\"\nrate = \"1/h\"",
    );
    std::fs::write(file, slow).unwrap();
    soc.append(
        &format!("entities/{HOSPITAL}.yaml"),
        "\nmarking: {tlp: amber, pap: green}\nrollout: {ids-triage: auto}\n",
    )
    .unwrap();
    let client = |entity: &str, seed| {
        let reach = Reach::Entities(BTreeSet::from([entity.parse().unwrap()]));
        let (token, table) = soc::token(&format!("of-{entity}"), reach, seed).unwrap();
        soc.append("sortie.toml", &format!("\n{table}\n")).unwrap();
        Client::tcp(address, &token).unwrap()
    };
    (client(demo::ENTITY, 50), client(HOSPITAL, 100))
}

/// Sends alerts, so many in one request; what became of each.
async fn send(client: &Client, alerts: &[String]) -> Vec<Submitted> {
    let mut results = Vec::new();
    for part in alerts.chunks(EACH) {
        let content = Content::Mapper("suricata".to_owned());
        let taken = soc::submit_for(client, None, content, part.join("\n").into_bytes());
        results.extend(taken.await.unwrap());
    }
    results
}

fn accepted(results: &[Submitted]) -> Vec<IncidentId> {
    let accepted = results.iter().filter_map(|one| match one {
        Submitted::Accepted { id } => Some(id.clone()),
        _ => None,
    });
    accepted.collect()
}

async fn started(soc: &Soc) -> (Process, Client, Client) {
    let address = soc::free_address().unwrap();
    let (town, hospital) = set_up(soc, address);
    let mut process = soc.serve_at(address, None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    (process, town, hospital)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_makes_one_run_and_stands_in_nobody_elses_way() {
    let soc = Soc::new(BINARY).await.unwrap();
    let (_process, town, hospital) = started(&soc).await;

    // The storm: one attack on many machines, one alert many times, and many attacks.
    let machine = |number: u16| format!("5.1.{}.{}", number / 250, number % 250 + 1);
    let storm: Vec<String> = (0..OF_ONE_ATTACK)
        .map(|number| alert("5.1.1.1", &machine(number)))
        .collect();
    let incidents = accepted(&send(&town, &storm).await);
    assert_eq!(incidents.len(), usize::from(OF_ONE_ATTACK));
    let again = send(&town, &vec![storm[0].clone(); REPETITIONS]).await;
    let last = again.last().unwrap();
    assert!(
        matches!(last, Submitted::Duplicate { id, count } if *id == incidents[0] && *count == REPETITIONS as u64 + 1),
        "{last:?}"
    );
    let others: Vec<String> = (0..OTHER_ATTACKS)
        .map(|number| alert(&format!("45.67.{}.{}", number / 250, number % 250 + 1), "5.1.1.2"))
        .collect();
    assert_eq!(
        accepted(&send(&town, &others).await).len(),
        usize::from(OTHER_ATTACKS)
    );

    // Another entity is heard and served while the storm stands still.
    let taken = send(&hospital, &[alert("5.1.1.1", "5.2.0.9")]).await;
    assert_eq!(accepted(&taken).len(), 1);
    let served = soc::settled(&hospital, 1).await.unwrap();
    assert_eq!(served.len(), 1);
    assert_eq!(served[0].status, RunStatus::Succeeded, "{}", served[0].note);
    let runs = soc::runs(&town).await.unwrap();
    assert!(
        runs.iter().filter(|run| run.status.is_over()).count() <= 1,
        "{runs:?}"
    );

    // One run of the one attack; everything else of it is attached, and the ledger says so.
    let wanted = usize::from(OTHER_ATTACKS) + 1;
    let mut waited = Duration::ZERO;
    let of_the_attack = loop {
        let runs = soc::runs(&town).await.unwrap();
        let attached: u64 = runs.iter().map(|run| run.attached).sum();
        if runs.len() == wanted && attached == u64::from(OF_ONE_ATTACK) - 1 {
            break runs.into_iter().find(|run| run.attached > 0).unwrap();
        }
        assert!(waited < soc::PATIENCE, "{} runs, {attached} attached", runs.len());
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    };
    assert_eq!(of_the_attack.attached, u64::from(OF_ONE_ATTACK) - 1);
    let late = incidents.last().unwrap();
    let ledger = town.matches(&Myself, late).await.unwrap();
    let row = ledger.iter().find(|row| row.playbook == "ids-triage").unwrap();
    assert_eq!(
        (row.result, row.run.as_ref()),
        (MatchWord::Attached, Some(&of_the_attack.id))
    );
    let shown = in_soc(&soc, &["incidents", "why", late.as_str()]).await.ok();
    assert!(shown.out.contains("ATTACHED"), "{}", shown.out);
}
