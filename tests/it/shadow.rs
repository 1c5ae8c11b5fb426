//! A playbook in the shadow: it reads for real, and nothing reaches anybody.

use runner::demo;
use state::event::{Mode, RunStatus};
use tests::soc::{self, Process, Soc};
use web::operations::Myself;
use web::view::{Content, ListKind, MatchWord, StepState, Submitted};
use web::{Client, Operations};

use crate::BINARY;
use crate::command_line::in_soc;

async fn served(soc: &Soc) -> (Process, Client) {
    let mut process = soc.serve(None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = process.client();
    (process, client)
}

/// Sets the mode of `ids-triage` for the demo's entity.
fn turn(soc: &Soc, from: &str, to: &str) {
    let file = soc.project().join("entities/ville-exemple.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let turned = text.replace(&format!("ids-triage: {from}"), &format!("ids-triage: {to}"));
    assert_ne!(text, turned);
    std::fs::write(file, turned).unwrap();
}

async fn submit(client: &Client, alert: Vec<u8>) -> state::ids::IncidentId {
    let content = Content::Mapper("suricata".to_owned());
    match soc::submit(client, content, alert).await.unwrap() {
        Some(Submitted::Accepted { id }) => id,
        other => panic!("{other:?}"),
    }
}

/// An alert with the same attacker and signature about another host of the same body.
fn again() -> Vec<u8> {
    let mut alert: serde_json::Value = serde_json::from_slice(demo::IDS_ALERT).unwrap();
    alert["dest_ip"] = "5.1.1.3".into();
    serde_json::to_vec(&alert).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_playbook_in_the_shadow_reads_and_disturbs_nobody() {
    let soc = Soc::new(BINARY).await.unwrap();
    turn(&soc, "auto", "shadow");
    let (process, client) = served(&soc).await;
    let incident = submit(&client, demo::IDS_ALERT.to_vec()).await;
    let run = soc::settled(&client, 1).await.unwrap().remove(0);
    assert_eq!(run.status, RunStatus::Succeeded, "{}", run.note);

    let rows = client.matches(&Myself, &incident).await.unwrap();
    let row = rows.iter().find(|row| row.playbook == "ids-triage").unwrap();
    assert_eq!((row.result, &row.run), (MatchWord::Shadow, &Some(run.id.clone())));
    let why = in_soc(&soc, &["incidents", "why", incident.as_str()]).await.ok();
    assert!(
        why.out.contains("shadow") && why.out.contains("effects are only recorded"),
        "{}",
        why.out
    );
    let listed = client.playbooks(&Myself).await.unwrap();
    let listed = listed.iter().find(|one| one.id == "ids-triage").unwrap();
    assert_eq!(
        serde_json::to_value(&listed.rollout).unwrap(),
        serde_json::json!({"ville-exemple": "shadow"})
    );

    let detail = soc::run(&client, run.id.as_str()).await.unwrap();
    assert_eq!(detail.mode, Mode::Simulate);
    let state = |id: &str| detail.steps.iter().find(|step| step.step == id).unwrap().state;
    assert_eq!(state("block"), StepState::Simulated);
    let read = detail
        .steps
        .iter()
        .filter(|step| step.state == StepState::Done)
        .count();
    assert!(read > 0, "its reads are real");
    let shown = in_soc(&soc, &["runs", "show", run.id.short()]).await.ok();
    assert!(shown.out.contains("block.ip"), "{}", shown.out);
    assert_eq!(soc.range.ledger().effects(), Vec::new());
    assert!(soc.range.mailbox().is_empty());
    let entity = soc::entity().unwrap();
    let list = client.block_list(&Myself, &entity, ListKind::Ip).await.unwrap();
    assert_eq!(list.text, "");
    assert!(
        client
            .effects(&Myself, Some(entity.clone()))
            .await
            .unwrap()
            .is_empty()
    );

    let by_hand = in_soc(&soc, &["run", "ids-triage", "--incident", incident.as_str()])
        .await
        .ok();
    assert!(
        by_hand.out.contains("step=block state=simulated"),
        "{}",
        by_hand.out
    );
    assert_eq!(soc.range.ledger().effects(), Vec::new());
    assert_eq!(process.terminate().await, Some(0));

    // The shadow does not swallow the next alert of the same attacker.
    turn(&soc, "shadow", "auto");
    let (process, client) = served(&soc).await;
    let next = submit(&client, again()).await;
    soc::settled(&client, 3).await.unwrap();
    let rows = client.matches(&Myself, &next).await.unwrap();
    let row = rows.iter().find(|row| row.playbook == "ids-triage").unwrap();
    assert_eq!(row.result, MatchWord::Started);
    let run = soc::run(&client, row.run.as_ref().unwrap().as_str())
        .await
        .unwrap();
    assert_eq!(run.mode, Mode::Auto);
    assert_eq!(process.terminate().await, Some(0));
}
