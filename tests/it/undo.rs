//! Taking effects back, as people meet it: on the command line, over the API, and at the far end.

use runner::demo;
use runner::range::{Fault, Misbehaviour, Service};
use state::event::RunStatus;
use tests::soc::{self, Process, Soc};
use web::operations::Myself;
use web::view::{Content, ListKind, RunVerb, RunView, StepState, Undo};
use web::{Client, OperationError, Operations};

use crate::BINARY;
use crate::command_line::in_soc;
use crate::expiry::{TARGET, firewall, let_a_playbook_block};

async fn served(soc: &Soc) -> (Process, Client) {
    let mut process = soc.serve(None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = process.client();
    (process, client)
}

async fn first_run(client: &Client) -> RunView {
    let content = Content::Mapper("suricata".to_owned());
    soc::submit(client, content, demo::IDS_ALERT.to_vec())
        .await
        .unwrap();
    let run = soc::settled(client, 1).await.unwrap().remove(0);
    assert_eq!(run.status, RunStatus::Succeeded, "{}", run.note);
    run
}

async fn blocked(client: &Client) -> String {
    let entity = soc::entity().unwrap();
    client
        .block_list(&Myself, &entity, ListKind::Ip)
        .await
        .unwrap()
        .text
}

fn undo(effect: Option<&str>) -> RunVerb {
    RunVerb::Undo(Undo {
        effect: effect.map(str::to_owned),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_taken_back_once_and_says_what_stays() {
    let soc = Soc::new(BINARY).await.unwrap();
    let (_process, client) = served(&soc).await;
    let run = first_run(&client).await;
    let short = run.id.short();
    assert_eq!(blocked(&client).await.lines().count(), 1);

    let listed = in_soc(&soc, &["effects", "list"]).await.ok();
    assert!(
        listed.out.contains("block.ip") && listed.out.contains(short),
        "{}",
        listed.out
    );
    let looked = in_soc(&soc, &["runs", "undo", short, "--simulate"]).await.ok();
    assert!(
        looked.out.contains("! block  block.ip (contain)"),
        "{}",
        looked.out
    );
    assert!(looked.out.contains("by unblock.ip"), "{}", looked.out);
    assert!(
        looked.out.contains("- tell  notify.entity (notify)"),
        "{}",
        looked.out
    );
    in_soc(&soc, &["runs", "undo", short, "--reason", "a false alarm"])
        .await
        .refused(2, &["--yes"]);
    in_soc(
        &soc,
        &[
            "runs", "undo", short, "--effect", "tell", "--reason", "x", "--yes",
        ],
    )
    .await
    .refused(6, &["nothing to take back", "`tell`"]);
    in_soc(
        &soc,
        &[
            "runs", "undo", short, "--effect", "nothing", "--reason", "x", "--yes",
        ],
    )
    .await
    .refused(5, &["effect `nothing`"]);
    assert_eq!(
        blocked(&client).await.lines().count(),
        1,
        "looking changes nothing"
    );

    let done = in_soc(
        &soc,
        &["runs", "undo", short, "--reason", "a false alarm", "--yes"],
    )
    .await
    .ok();
    assert!(done.err.contains("1 effect is taken back"), "{}", done.err);
    soc::settled(&client, 1).await.unwrap();
    assert_eq!(blocked(&client).await, "");
    let listed = client.effects(&Myself, soc::entity()).await.unwrap();
    assert!(listed.is_empty(), "{listed:?}");
    let detail = soc::run(&client, short).await.unwrap();
    assert_eq!(detail.run.status, RunStatus::Succeeded, "it ends as it had ended");
    assert!(
        detail.run.note.ends_with("1 effect was taken back"),
        "{}",
        detail.run.note
    );
    let line = detail
        .steps
        .iter()
        .find(|line| line.step == "undo:block")
        .unwrap();
    assert_eq!(line.state, StepState::Done);
    let shown = in_soc(&soc, &["runs", "show", short]).await.ok();
    assert!(
        shown.out.contains("has block taken back: a false alarm"),
        "{}",
        shown.out
    );

    let twice = client.decide(&Myself, short, undo(None), "again").await;
    assert!(matches!(twice, Err(OperationError::Refused { .. })), "{twice:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_run_has_in_force_too_stays_blocked() {
    let soc = Soc::new(BINARY).await.unwrap();
    let (_process, client) = served(&soc).await;
    let run = first_run(&client).await;
    let short = run.id.short();
    in_soc(&soc, &["runs", "rerun", short, "--reason", "twice", "--yes"])
        .await
        .ok();
    soc::settled(&client, 2).await.unwrap();
    assert_eq!(client.effects(&Myself, None).await.unwrap().len(), 2);

    let preview = client.preview(&Myself, short, undo(Some("block"))).await.unwrap();
    assert!(preview.effects.iter().all(|line| line.possible), "{preview:?}");
    client
        .decide(&Myself, short, undo(Some("block")), "only this one")
        .await
        .unwrap();
    soc::settled(&client, 2).await.unwrap();
    let left = client.effects(&Myself, None).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_ne!(left[0].run, run.id);
    assert_eq!(
        blocked(&client).await.lines().count(),
        1,
        "the other run's block stands"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_far_end_does_not_take_back_waits_for_a_person() {
    let soc = Soc::new(BINARY).await.unwrap();
    soc.append("sortie.toml", &firewall(&soc)).unwrap();
    let_a_playbook_block(&soc);
    let (_process, client) = served(&soc).await;
    let run = first_run(&client).await;
    let short = run.id.short();
    assert_eq!(soc.range.alias("sortie"), [TARGET]);

    let refuse = Misbehaviour::Refuse {
        status: 403,
        retry_after: None,
    };
    soc.range.faults().add(Fault::always(Service::Opnsense, refuse));
    client
        .decide(&Myself, short, undo(None), "a false alarm")
        .await
        .unwrap();
    let stuck = soc::settled(&client, 1).await.unwrap().remove(0);
    assert_eq!(stuck.status, RunStatus::Stuck, "{}", stuck.note);
    assert!(stuck.note.contains("could not be taken back"), "{}", stuck.note);
    assert_eq!(
        client.effects(&Myself, None).await.unwrap().len(),
        1,
        "it is in force"
    );

    soc.range.faults().clear();
    client
        .decide(&Myself, short, undo(None), "the firewall is back")
        .await
        .unwrap();
    let over = soc::settled(&client, 1).await.unwrap().remove(0);
    assert_eq!(over.status, RunStatus::Succeeded, "{}", over.note);
    assert!(soc.range.alias("sortie").is_empty());
    assert!(client.effects(&Myself, None).await.unwrap().is_empty());
}
