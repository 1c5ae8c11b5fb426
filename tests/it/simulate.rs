//! What a playbook would have done about incidents of the past: told from what was answered then,
//! over the API and at the command line, and never guessed.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use runner::demo;
use serde_json::{Value, json};
use state::access::{Permission, Reach};
use tests::soc::{self, Process, Soc};
use web::operations::Myself;
use web::view::simulation::{AskSimulation, Edition, Foresight, SimulatedIncident, Simulation};
use web::view::{Content, Submitted};
use web::{Client, OperationError, Operations};

use crate::BINARY;
use crate::command_line::in_soc;

async fn served(soc: &Soc) -> (Process, SocketAddr, Client) {
    let address = soc::free_address().unwrap();
    let mut process = soc.serve_at(address, None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = process.client();
    (process, address, client)
}

/// The demo's alert, from another attacker.
fn from(attacker: &str) -> Vec<u8> {
    let mut alert: Value = serde_json::from_slice(demo::IDS_ALERT).unwrap();
    alert["src_ip"] = attacker.into();
    serde_json::to_vec(&alert).unwrap()
}

async fn submit(client: &Client, alert: Vec<u8>) -> state::ids::IncidentId {
    let content = Content::Mapper("suricata".to_owned());
    match soc::submit(client, content, alert).await.unwrap() {
        Some(Submitted::Accepted { id }) => id,
        other => panic!("{other:?}"),
    }
}

fn actions(one: &SimulatedIncident) -> Vec<&str> {
    match one.foreseen.as_slice() {
        [Foresight::Runs { effects, .. }] => effects.iter().map(|line| line.action.as_str()).collect(),
        other => panic!("{other:?}"),
    }
}

async fn ask(client: &Client, ask: AskSimulation) -> Result<Simulation, OperationError> {
    client.simulate(&Myself, "ids-triage", ask).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulation_tells_what_was_done_and_does_nothing() {
    let soc = Soc::new(BINARY).await.unwrap();
    let (process, address, client) = served(&soc).await;
    let first = submit(&client, demo::IDS_ALERT.to_vec()).await;
    soc::settled(&client, 1).await.unwrap();
    let effects = soc.range.ledger().effects();
    let calls = |soc: &Soc| -> u64 {
        use runner::range::Service;
        [Service::VirusTotal, Service::AbuseIpDb]
            .map(|service| soc.range.ledger().calls(service))
            .iter()
            .sum()
    };
    let asked = calls(&soc);

    let told = ask(&client, AskSimulation::default()).await.unwrap();
    assert_eq!(told.incidents.len(), 1);
    let one = &told.incidents[0];
    assert_eq!(one.incident, first);
    let run = soc::runs(&client).await.unwrap().remove(0);
    let done = soc::run(&client, run.id.as_str()).await.unwrap();
    let really: BTreeSet<&str> = done
        .events
        .iter()
        .filter_map(|event| match &event.event {
            state::event::Event::Intended(intended)
                if intended.effect > playbooks::marking::EffectClass::Read =>
            {
                Some(intended.action.as_str())
            }
            _ => None,
        })
        .collect();
    assert_eq!(actions(one).into_iter().collect::<BTreeSet<_>>(), really);
    assert!(really.contains("block.ip"), "{really:?}");
    assert_eq!(soc.range.ledger().effects(), effects, "nothing is done");
    assert_eq!(calls(&soc), asked, "nobody is asked");
    assert_eq!(soc::runs(&client).await.unwrap().len(), 1, "nothing is stored");

    let shown = in_soc(&soc, &["simulate", "ids-triage", "--last", "5"])
        .await
        .ok();
    assert!(shown.out.contains("~ block.ip  ip=5.1.1.1"), "{}", shown.out);
    assert!(
        shown.out.contains("1 would run, 0 would not, 0 undecided"),
        "{}",
        shown.out
    );

    // Another entity's token sees neither the incident nor the answers.
    let (token, table) = soc::token_for(
        "hopital",
        Reach::Entities(BTreeSet::from(["hopital-exemple".parse().unwrap()])),
        7,
        &[Permission::See],
    )
    .unwrap();
    drop(client);
    assert_eq!(process.terminate().await, Some(0));
    soc.append("sortie.toml", &table).unwrap();
    let entity = std::fs::read_to_string(soc.project().join("entities/ville-exemple.yaml")).unwrap();
    let neighbour = entity
        .replace("id: ville-exemple", "id: hopital-exemple")
        .replace("5.1.1.2/32", "203.0.113.7/32");
    std::fs::write(soc.project().join("entities/hopital-exemple.yaml"), neighbour).unwrap();
    let mut process = soc.serve_at(address, None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let other = Client::tcp(address, &token).unwrap();
    assert_eq!(ask(&other, AskSimulation::default()).await.unwrap().incidents, []);
    let theirs = AskSimulation {
        incident: Some(first),
        ..AskSimulation::default()
    };
    let refused = ask(&other, theirs).await.unwrap_err();
    assert!(matches!(refused, OperationError::NotFound { .. }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_compared_by_effects_and_what_was_never_asked_is_undecided() {
    let soc = Soc::new(BINARY).await.unwrap();
    let (_process, _, client) = served(&soc).await;
    submit(&client, demo::IDS_ALERT.to_vec()).await;
    submit(&client, from("5.1.1.77")).await;
    soc::settled(&client, 2).await.unwrap();
    let file = soc.project().join("playbooks/ids-triage.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let started = text.find("\nsteps:\n").unwrap() + "\nsteps:\n".len();
    let note = "  seen_again:\n    name: Note it\n    uses: incident.update\n    with: {note: \"a draft saw {{incident.ref}}\"}\n";
    let draft = format!("{}{note}{}", &text[..started], &text[started..]).replace("version: ", "version: 9");
    let drafts = soc.project().join("drafts");
    std::fs::create_dir(&drafts).unwrap();
    std::fs::write(drafts.join("ids-triage.yaml"), &draft).unwrap();
    let templates = soc.project().join("templates");
    std::os::unix::fs::symlink(templates, drafts.join("templates")).unwrap();
    let path = drafts.join("ids-triage.yaml");
    let sides = format!("current..{}", path.display());
    let shown = in_soc(
        &soc,
        &["simulate", "ids-triage", "--since", "1d", "--diff", &sides],
    )
    .await
    .ok();
    assert!(
        shown.out.contains("+ incident.update  note=a draft saw "),
        "{}",
        shown.out
    );
    assert!(
        shown.out.contains("2 differ, 0 the same, 0 undecided"),
        "{}",
        shown.out
    );
    assert!(shown.out.contains("+ 2 incident.update"), "{}", shown.out);

    // It asks about an address that nobody asked about: not a guess, but undecided.
    let asks = "  elsewhere:\n    name: Ask about another\n    uses: enrich.ip\n    with: {ip: \"203.0.113.9\"}\n  say:\n    name: Say it\n    uses: incident.update\n    with: {note: \"{{steps.elsewhere.ip}}\"}\n";
    let draft = format!("{}{asks}{}", &text[..started], &text[started..]);
    std::fs::write(&path, &draft).unwrap();
    let shown = in_soc(&soc, &["simulate", "ids-triage", "--diff", &sides, "--last", "1"])
        .await
        .ok();
    assert!(
        shown
            .out
            .contains("? undecided: nobody has asked enrich.ip  ip=203.0.113.9 (after)"),
        "{}",
        shown.out
    );
    assert!(
        shown.out.contains("0 differ, 0 the same, 1 undecided"),
        "{}",
        shown.out
    );

    // What is wrong is said before anything is played.
    std::fs::write(&path, draft.replace("uses: enrich.ip", "uses: enrich.ipp")).unwrap();
    in_soc(&soc, &["simulate", "ids-triage", "--diff", &sides])
        .await
        .refused(2, &["does not compile", "PB201", "sortie check"]);
    in_soc(&soc, &["simulate", "ids-triage", "--diff", "77..current"])
        .await
        .refused(5, &["edition `77` of `ids-triage`"]);
    in_soc(&soc, &["simulate", "ids-triage", "--diff", "current"])
        .await
        .refused(2, &["is not BEFORE..AFTER"]);
    in_soc(&soc, &["simulate", "nothing"])
        .await
        .refused(5, &["playbook `nothing`"]);

    let named = AskSimulation {
        editions: vec![Edition::Named("current".to_owned()); 3],
        ..AskSimulation::default()
    };
    let refused = ask(&client, named).await.unwrap_err();
    assert!(matches!(refused, OperationError::Invalid { .. }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_alerts_join_the_run_of_the_first_in_a_simulation_too() {
    let soc = Soc::new(BINARY).await.unwrap();
    let (_process, _, client) = served(&soc).await;
    let first = submit(&client, demo::IDS_ALERT.to_vec()).await;
    soc::settled(&client, 1).await.unwrap();
    let mut again: Value = serde_json::from_slice(demo::IDS_ALERT).unwrap();
    again["dest_ip"] = json!("5.1.1.3");
    submit(&client, serde_json::to_vec(&again).unwrap()).await;
    let told = ask(
        &client,
        AskSimulation {
            last: Some(5),
            ..AskSimulation::default()
        },
    )
    .await
    .unwrap();
    let foreseen: Vec<_> = told.incidents.iter().map(|one| one.foreseen[0].clone()).collect();
    assert!(matches!(foreseen[0], Foresight::Runs { .. }), "{foreseen:?}");
    assert_eq!(foreseen[1], Foresight::Attached { to: first });
}
