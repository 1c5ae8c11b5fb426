//! kill -9 before and after every write of what people decide: a settle, a retry, an undo.
//!
//! Whoever decided and got no answer looks, and decides again only when nothing was recorded. Then
//! everything must be as if nobody had pulled the plug.

use runner::demo;
use runner::range::{Fault, Misbehaviour, Service};
use serde_json::{Map, json};
use state::event::{Event, RunStatus};
use tests::soc::{self, Soc};
use web::operations::Myself;
use web::view::{Content, Retry, RunVerb, Settle, SettleWord, Undo};
use web::{Client, Operations};

use crate::BINARY;
use crate::expiry::{firewall, let_a_playbook_block};

/// Boundaries beyond which something is wrong with the enumeration itself.
const BOUNDARIES_MAX: usize = 40;

/// One decision under test.
struct Trial {
    name: &'static str,
    /// What goes wrong before it.
    fault: Option<(Service, Misbehaviour)>,
    /// Whether the playbook that blocks at the firewall takes the alert up.
    pushes: bool,
    /// How the run stands then.
    before: RunStatus,
    verb: RunVerb,
    recorded: fn(&Event) -> bool,
}

fn trials() -> [Trial; 3] {
    let output = json!({"message_id": "<1@cert.example>", "to": "it@ville.example"});
    [
        Trial {
            name: "settle",
            fault: Some((Service::Mail, Misbehaviour::DropAfter)),
            pushes: false,
            before: RunStatus::Stuck,
            verb: RunVerb::Settle(Settle {
                place: "tell".to_owned(),
                answer: SettleWord::Done,
                output: output.as_object().cloned().unwrap_or_else(Map::new),
            }),
            recorded: |event| matches!(event, Event::Settled { .. }),
        },
        Trial {
            name: "retry",
            fault: Some((
                Service::Zammad,
                Misbehaviour::Refuse {
                    status: 403,
                    retry_after: None,
                },
            )),
            pushes: false,
            before: RunStatus::Failed,
            verb: RunVerb::Retry(Retry::default()),
            recorded: |event| matches!(event, Event::Retried { .. }),
        },
        Trial {
            name: "undo",
            fault: None,
            pushes: true,
            before: RunStatus::Succeeded,
            verb: RunVerb::Undo(Undo::default()),
            recorded: |event| matches!(event, Event::UndoRequested { .. }),
        },
    ]
}

/// A SOC whose one run stands where the decision is due.
async fn prepared(trial: &Trial) -> (Soc, String) {
    let soc = Soc::new(BINARY).await.unwrap();
    if trial.pushes {
        soc.append("sortie.toml", &firewall(&soc)).unwrap();
        let_a_playbook_block(&soc);
    }
    if let Some((service, misbehaviour)) = trial.fault {
        soc.range.faults().add(Fault::always(service, misbehaviour));
    }
    let mut process = soc.serve(None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = process.client();
    let content = Content::Mapper("suricata".to_owned());
    soc::submit(&client, content, demo::IDS_ALERT.to_vec())
        .await
        .unwrap();
    let run = soc::settled(&client, 1).await.unwrap().remove(0);
    assert_eq!(run.status, trial.before, "{}", run.note);
    soc.range.faults().clear();
    assert_eq!(process.terminate().await, Some(0), "{}", soc.log());
    (soc, run.id.to_string())
}

async fn times_recorded(client: &Client, run: &str, trial: &Trial) -> usize {
    let detail = soc::run(client, run).await.unwrap();
    detail
        .events
        .iter()
        .filter(|one| (trial.recorded)(&one.event))
        .count()
}

/// Whether the process was cut; if not, the boundary lies beyond the end.
async fn cut_once(trial: &Trial, place: &str) -> bool {
    let (soc, run) = prepared(trial).await;
    let mut process = soc.serve(Some(place)).unwrap();
    let mut cut = true;
    if process.answers().await {
        let client = process.client();
        let decided = client.decide(&Myself, &run, trial.verb.clone(), "a test").await;
        if decided.is_ok() {
            cut = soc::settled(&client, 1).await.is_err() || process.is_over();
        }
    }
    process.kill();

    let mut process = soc.serve(None).unwrap();
    let what = format!("{} {place}", trial.name);
    assert!(
        process.answers().await,
        "{what}: the store does not open again\n{}",
        soc.log()
    );
    let client = process.client();
    soc::settled(&client, 1).await.unwrap();
    if times_recorded(&client, &run, trial).await == 0 {
        client
            .decide(&Myself, &run, trial.verb.clone(), "a test")
            .await
            .unwrap();
    }
    let settled = soc::settled(&client, 1).await.unwrap().remove(0);
    assert_eq!(
        settled.status,
        RunStatus::Succeeded,
        "{what}: {}\n{}",
        settled.note,
        soc.log()
    );
    assert_eq!(
        times_recorded(&client, &run, trial).await,
        1,
        "{what}: decided once"
    );
    let repeated = soc.range.ledger().repeated();
    assert!(
        repeated.is_empty(),
        "{what}: effects happened twice: {repeated:?}"
    );
    if trial.pushes {
        assert!(
            soc.range.alias("sortie").is_empty(),
            "{what}: it is still blocked"
        );
        let in_force = client.effects(&Myself, None).await.unwrap();
        assert!(in_force.is_empty(), "{what}: {in_force:?}");
    }
    cut
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_recorded_once_and_followed_whatever_write_it_is_cut_at() {
    for trial in trials() {
        for side in ["before", "after"] {
            let mut boundaries = 0;
            while boundaries < BOUNDARIES_MAX && cut_once(&trial, &format!("{side}:{}", boundaries + 1)).await
            {
                boundaries += 1;
            }
            println!(
                "kill -9 {side} every write of a {}: {boundaries} boundaries, all hold",
                trial.name
            );
            assert!(
                (1..BOUNDARIES_MAX).contains(&boundaries),
                "{boundaries} boundaries"
            );
        }
    }
}
