//! The match ledger: why a playbook did not start, at the command line and over the API.

use std::net::SocketAddr;
use std::process::Stdio;

use runner::demo;
use serde_json::Value;
use tests::soc::{self, Process, Soc};
use web::operations::{Myself, Operations as _};
use web::view::{Content, MatchWord, Submitted};

use crate::BINARY;

/// Writes a playbook for network alerts with a condition, turned on for the demo's entity.
fn add_playbook(soc: &Soc, id: &str, when: &str) {
    let text = format!(
        "id: {id}\nname: {id}\nversion: 1\ndescription: A test.\nowner: network-team\ntrigger:\n  \
         incident: [ids-alert]\n  when: >-\n    {when}\nsteps:\n  note:\n    uses: incident.update\n    \
         with: {{note: seen}}\n"
    );
    std::fs::write(soc.project().join(format!("playbooks/{id}.yaml")), text).unwrap();
    let file = soc.project().join("entities/ville-exemple.yaml");
    let entity = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        entity.replace("rollout: {", &format!("rollout: {{{id}: auto, ")),
    )
    .unwrap();
}

/// The real alert of the demonstration, with a signature that tries to act on terminals.
fn alert() -> Vec<u8> {
    let mut alert: Value = serde_json::from_slice(demo::IDS_ALERT).unwrap();
    alert["alert"]["signature"] = Value::from("A \u{1b}[2J\u{202e}name");
    serde_json::to_vec(&alert).unwrap()
}

async fn serving(soc: &Soc) -> (Process, SocketAddr) {
    let address = soc::free_address().unwrap();
    let mut process = soc.serve_at(address, None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    (process, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_playbook_that_did_not_start_names_the_part_that_said_no_and_what_it_saw() {
    let soc = Soc::new(BINARY).await.unwrap();
    add_playbook(
        &soc,
        "of-sevens",
        "incident.network.direction == 'inbound' && incident.signature.id == '7'",
    );
    add_playbook(&soc, "of-names", "incident.signature.name.startsWith('B')");
    let (process, address) = serving(&soc).await;
    let client = web::Client::tcp(address, &soc.token).unwrap();
    let sent = soc::submit(&client, Content::Mapper("suricata".to_owned()), alert()).await;
    let Some(Submitted::Accepted { id }) = sent.unwrap() else {
        panic!("the alert is new");
    };
    soc::settled(&client, 1).await.unwrap();

    let rows = client.matches(&Myself, &id).await.unwrap();
    let why = |playbook: &str| {
        let row = rows.iter().find(|row| row.playbook == playbook).unwrap();
        assert_eq!(row.result, MatchWord::No);
        row.why.clone().unwrap()
    };
    let number = why("of-sevens");
    assert!(
        number.starts_with("when: incident.signature.id == '7' was false (incident.signature.id is ")
            && !number.contains("direction"),
        "{number}"
    );
    let name = why("of-names");
    assert!(
        name.contains("was false (incident.signature.name is 'A "),
        "{name}"
    );

    let mut command = soc.command(&["incidents", "why", id.as_str()]);
    command.stdin(Stdio::null());
    let shown = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("when: incident.signature.id == '7' was false"),
        "{shown}"
    );
    assert!(
        shown
            .lines()
            .any(|line| line.contains("'A ") && line.contains("name'")),
        "{shown}"
    );
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    assert_eq!(process.terminate().await, Some(0));
}
