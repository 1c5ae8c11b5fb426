//! What people decide about runs, as they meet it: on the command line and over the API.

use std::collections::BTreeSet;

use runner::demo;
use runner::range::{Fault, Misbehaviour, Service};
use serde_json::{Map, json};
use state::access::{Permission, Reach};
use state::event::{Event, RunStatus};
use state::store::{AuditFilter, PageRequest};
use tests::soc::{self, Process, Soc};
use web::operations::Myself;
use web::view::{Content, RunVerb, RunView, Settle, SettleWord, StepState};
use web::{Client, OperationError, Operations};

use crate::BINARY;
use crate::command_line::in_soc;

/// A SOC that is served, with a client for everything.
struct Served {
    soc: Soc,
    process: Process,
    everything: Client,
    address: std::net::SocketAddr,
}

impl Served {
    async fn new() -> Self {
        let soc = Soc::new(BINARY).await.unwrap();
        let address = soc::free_address().unwrap();
        let mut process = soc.serve_at(address, None).unwrap();
        assert!(process.answers().await, "{}", soc.log());
        let everything = Client::tcp(address, &soc.token).unwrap();
        Self {
            soc,
            process,
            everything,
            address,
        }
    }

    fn fault(&self, service: Service, misbehaviour: Misbehaviour) {
        self.soc.range.faults().add(Fault::always(service, misbehaviour));
    }

    /// The run of the alert of the demonstration, when it is at rest.
    async fn run(&self) -> RunView {
        let content = Content::Mapper("suricata".to_owned());
        soc::submit(&self.everything, content, demo::IDS_ALERT.to_vec())
            .await
            .unwrap();
        soc::settled(&self.everything, 1).await.unwrap().remove(0)
    }

    async fn at_rest(&self, run: &str) -> RunView {
        soc::settled(&self.everything, 1).await.unwrap();
        soc::run(&self.everything, run).await.unwrap().run
    }

    async fn state_of(&self, run: &RunView, step: &str) -> StepState {
        let detail = soc::run(&self.everything, run.id.as_str()).await.unwrap();
        detail.steps.iter().find(|line| line.step == step).unwrap().state
    }
}

fn settle(answer: SettleWord, output: Map<String, serde_json::Value>) -> RunVerb {
    RunVerb::Settle(Settle {
        place: "tell".to_owned(),
        answer,
        output,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_nobody_can_tell_is_settled_by_whoever_may() {
    let served = Served::new().await;
    served.fault(Service::Mail, Misbehaviour::DropAfter);
    let run = served.run().await;
    assert_eq!(run.status, RunStatus::Stuck, "{}", run.note);
    let short = run.id.short();

    let shown = in_soc(&served.soc, &["runs", "show", short]).await.ok();
    let next = format!("next   sortie runs settle {short} tell --probe | --done | --not-done");
    assert!(shown.err.contains(&next), "{}", shown.err);
    in_soc(&served.soc, &["runs", "settle", short, "tell", "--reason", "x"])
        .await
        .refused(2, &["--done", "--not-done", "--probe"]);
    in_soc(
        &served.soc,
        &[
            "runs",
            "settle",
            short,
            "tell",
            "--probe",
            "--reason",
            "is it there",
        ],
    )
    .await
    .refused(6, &["cannot tell", "help: look there yourself"]);
    in_soc(
        &served.soc,
        &["runs", "settle", short, "block", "--not-done", "--reason", "x"],
    )
    .await
    .refused(6, &["nothing to settle about `block`"]);

    // Who may start playbooks may not say what happened.
    let (token, table) =
        soc::token_for("starter", Reach::All, 7, &[Permission::See, Permission::Start]).unwrap();
    served.soc.append("sortie.toml", &table).unwrap();
    let Served {
        soc,
        process,
        address,
        ..
    } = served;
    assert_eq!(process.terminate().await, Some(0));
    let mut process = soc.serve_at(address, None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let starter = Client::tcp(address, &token).unwrap();
    let answer = starter
        .decide(&Myself, short, settle(SettleWord::NotDone, Map::new()), "a guess")
        .await;
    assert!(matches!(answer, Err(OperationError::Denied { .. })), "{answer:?}");

    let everything = Client::tcp(address, &soc.token).unwrap();
    let without = everything
        .decide(
            &Myself,
            short,
            settle(SettleWord::Done, Map::new()),
            "they have it",
        )
        .await
        .unwrap_err();
    assert!(without.to_string().contains("message_id (string)"), "{without}");
    let output = Map::from_iter([
        ("message_id".to_owned(), json!("<1@cert.example>")),
        ("to".to_owned(), json!("it@ville.example")),
    ]);
    let decided = everything
        .decide(&Myself, short, settle(SettleWord::Done, output), "they have it")
        .await
        .unwrap();
    assert_eq!(decided.said, "recorded what became of `tell`");
    soc::settled(&everything, 1).await.unwrap();
    let detail = soc::run(&everything, short).await.unwrap();
    assert_eq!(detail.run.status, RunStatus::Succeeded, "{}", detail.run.note);
    let mails = soc.range.mailbox().all().len();
    assert_eq!(mails, 1, "nothing is sent again");

    let filter = AuditFilter {
        kind: Some("outcome.settled".to_owned()),
        ..AuditFilter::default()
    };
    let audit = everything
        .audit(&Myself, filter, PageRequest::default())
        .await
        .unwrap()
        .rows;
    assert_eq!(audit.len(), 1, "{audit:?}");
    assert_eq!(audit[0].actor.name, "token:test");
    assert_eq!(audit[0].body["settled"]["reason"], "they have it");
    assert_eq!(
        audit[0].path.as_ref().map(ToString::to_string).as_deref(),
        Some("tell")
    );
    let shown = in_soc(&soc, &["runs", "show", short]).await.ok();
    assert!(
        shown
            .out
            .contains("tell settled, token:test says: it had happened"),
        "{}",
        shown.out
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_had_not_happened_is_sent_when_a_person_says_so() {
    let served = Served::new().await;
    served.fault(Service::Mail, Misbehaviour::DropAfter);
    let run = served.run().await;
    let short = run.id.short();
    served.soc.range.faults().clear();
    let done = in_soc(
        &served.soc,
        &[
            "runs",
            "settle",
            short,
            "tell",
            "--not-done",
            "--reason",
            "their postmaster has nothing",
        ],
    )
    .await
    .ok();
    assert!(
        done.err.contains("recorded what became of `tell`"),
        "{}",
        done.err
    );
    let run = served.at_rest(short).await;
    // The playbook's default tries a mail that was not delivered again.
    assert!(run.status.is_over(), "{}", run.note);
    assert_ne!(served.state_of(&run, "tell").await, StepState::Unknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_is_retried_from_what_failed_and_nothing_is_done_twice() {
    let served = Served::new().await;
    served.fault(
        Service::Zammad,
        Misbehaviour::Refuse {
            status: 403,
            retry_after: None,
        },
    );
    let run = served.run().await;
    assert_eq!(
        (run.status, run.attention),
        (RunStatus::Failed, true),
        "{}",
        run.note
    );
    let short = run.id.short();

    let shown = in_soc(&served.soc, &["runs", "show", short]).await.ok();
    for next in ["retry", "settle", "ack"] {
        assert!(
            shown.err.contains(&format!("next   sortie runs {next} {short}")),
            "{}",
            shown.err
        );
    }
    let looked = in_soc(&served.soc, &["runs", "retry", short, "--simulate"])
        .await
        .ok();
    assert!(
        looked.out.contains("! ticket  ticket.open (record)"),
        "{}",
        looked.out
    );
    assert!(!looked.out.contains("! block"), "{}", looked.out);
    in_soc(
        &served.soc,
        &["runs", "retry", short, "--reason", "zammad is back"],
    )
    .await
    .refused(2, &["nothing is asked where nobody can answer", "--yes"]);
    in_soc(
        &served.soc,
        &[
            "runs", "retry", short, "--from", "block", "--reason", "x", "--yes",
        ],
    )
    .await
    .refused(6, &["`ticket` failed too"]);
    assert_eq!(
        served.at_rest(short).await.status,
        RunStatus::Failed,
        "looking changes nothing"
    );

    served.soc.range.faults().clear();
    let done = in_soc(
        &served.soc,
        &[
            "runs",
            "retry",
            short,
            "--from",
            "ticket",
            "--reason",
            "zammad is back",
            "--yes",
        ],
    )
    .await
    .ok();
    assert!(done.err.contains("what failed is tried again"), "{}", done.err);
    let run = served.at_rest(short).await;
    assert_eq!(
        (run.status, run.attention),
        (RunStatus::Succeeded, false),
        "{}",
        run.note
    );
    assert!(served.soc.range.ledger().repeated().is_empty());
    let detail = soc::run(&served.everything, short).await.unwrap();
    let blocks = detail
        .events
        .iter()
        .filter(|one| matches!(&one.event, Event::Intended(intended) if intended.action == "block.ip"))
        .count();
    assert_eq!(blocks, 1, "what succeeded is kept");
    in_soc(&served.soc, &["runs", "retry", short, "--reason", "x", "--yes"])
        .await
        .refused(6, &["the run succeeded", "rerun"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_taken_note_of_or_done_by_hand() {
    let served = Served::new().await;
    served.fault(
        Service::Zammad,
        Misbehaviour::Refuse {
            status: 403,
            retry_after: None,
        },
    );
    let run = served.run().await;
    let short = run.id.short();
    in_soc(
        &served.soc,
        &["runs", "ack", short, "--reason", "seen at the desk"],
    )
    .await
    .ok();
    let run = served.at_rest(short).await;
    assert_eq!((run.status, run.attention), (RunStatus::Failed, false));
    in_soc(&served.soc, &["runs", "ack", short, "--reason", "again"])
        .await
        .refused(6, &["no failure that waits"]);
    in_soc(
        &served.soc,
        &[
            "runs",
            "settle",
            short,
            "ticket",
            "--done-by-hand",
            "--output-value",
            "id=\"1043\"",
            "--reason",
            "opened in the browser",
        ],
    )
    .await
    .ok();
    assert_eq!(served.state_of(&run, "ticket").await, StepState::Done);

    let retried = in_soc(
        &served.soc,
        &["runs", "retry", short, "--reason", "the rest", "--yes"],
    )
    .await;
    retried.refused(6, &["nothing of the run failed or was left out"]);
    let opened = served.soc.range.ledger().count(Service::Zammad, "ticket");
    assert_eq!(opened, 0, "what was done by hand is not done again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rerun_is_a_run_of_its_own_and_both_know_of_the_other() {
    let served = Served::new().await;
    let run = served.run().await;
    assert_eq!(run.status, RunStatus::Succeeded, "{}", run.note);
    let short = run.id.short();
    let looked = in_soc(&served.soc, &["runs", "rerun", short, "--simulate", "--json"])
        .await
        .ok()
        .json();
    let effects: BTreeSet<&str> = looked["effects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|effect| effect["place"].as_str().unwrap())
        .collect();
    assert!(
        effects.is_superset(&BTreeSet::from(["block", "ticket", "tell"])),
        "{effects:?}"
    );
    let block = &looked["effects"].as_array().unwrap()[0];
    assert!(
        block["note"].as_str().unwrap().starts_with("in force until "),
        "{block}"
    );

    in_soc(
        &served.soc,
        &[
            "runs",
            "rerun",
            short,
            "--version",
            "current",
            "--reason",
            "to show it",
            "--yes",
        ],
    )
    .await
    .ok();
    let runs = soc::settled(&served.everything, 2).await.unwrap();
    assert_eq!(runs.len(), 2);
    let old = soc::run(&served.everything, short).await.unwrap();
    let new = soc::run(&served.everything, runs[0].id.as_str()).await.unwrap();
    assert_eq!(old.reruns, std::slice::from_ref(&new.run.id));
    assert_eq!(new.rerun_of, Some(old.run.id));
    assert_eq!(new.run.incident, old.run.incident);
    assert_eq!(new.run.status, RunStatus::Succeeded, "{}", new.run.note);
    drop(served.process);
}
