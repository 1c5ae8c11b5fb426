//! The examples that act in an entity's own tenants, from the alert to the end: over the command
//! line and the API, against the range, and through kill -9.

use std::path::Path;

use runner::demo;
use runner::range::Service;
use state::event::RunStatus;
use tests::soc::{self, Soc};
use tests::tenants;
use web::operations::Myself;
use web::view::{InquiryView, RunView, SayToInquiry};
use web::{Client, Operations as _};

use crate::BINARY;
use crate::approvals::{Asking, question};

/// A SOC that runs one example, and karim, who decides.
async fn asking(example: &str) -> Asking {
    let soc = Soc::knowing(BINARY, tenants::knowledge()).await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(example);
    let project = soc.project();
    std::fs::remove_dir_all(project.join("playbooks")).unwrap();
    std::fs::create_dir(project.join("playbooks")).unwrap();
    let playbook = format!("{example}.yaml");
    std::fs::copy(folder.join(&playbook), project.join("playbooks").join(&playbook)).unwrap();
    for template in std::fs::read_dir(folder.join("templates/mail")).unwrap() {
        let template = template.unwrap();
        let copy = project.join("templates/mail").join(template.file_name());
        std::fs::copy(template.path(), copy).unwrap();
    }
    std::fs::copy(folder.join("incident.json"), project.join("incident.json")).unwrap();
    tenants::equip(project, &soc.range, example).unwrap();
    Asking::of(soc, &[("karim", 40)])
}

/// Submits the example's incident on the command line.
async fn submit(asking: &Asking) {
    let arguments = [
        "incidents",
        "create",
        "--file",
        "incident.json",
        "--entity",
        demo::ENTITY,
    ];
    let (code, out, err) = asking.command(&arguments).await;
    assert_eq!(code, Some(0), "{out}{err}");
}

/// What karim says to a question over the API.
async fn say(karim: &Client, row: &InquiryView, decision: &str) {
    let detail = karim.inquiry(&Myself, row.id).await.unwrap();
    let words = SayToInquiry {
        decision: decision.to_owned(),
        comment: None,
        digest: detail.digest,
    };
    karim.reply(&Myself, row.id, words).await.unwrap();
}

async fn the_run(client: &Client) -> RunView {
    let runs = soc::settled(client, 1).await.unwrap();
    let [run] = runs.as_slice() else {
        panic!("{runs:?}");
    };
    run.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_is_isolated_when_people_agree_and_released_when_they_say_it_is_clean() {
    let asking = asking("malware-host").await;
    let mut process = asking.serve(None).await;
    submit(&asking).await;
    let ledger = asking.soc.range.ledger();
    let first = question(&process.client()).await.unwrap();
    assert_eq!(
        ledger.count(Service::Defender, "host isolated"),
        0,
        "nobody has agreed"
    );

    let at_rest = async || soc::runs(&process.client()).await.unwrap()[0].status == RunStatus::Waiting;
    while !at_rest().await {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    // The process dies while people are asked, and nothing is lost or done twice.
    process.kill();
    let process = asking.serve(None).await;
    let approve = ["approve", "A-1", "--token-file", "karim.token"];
    let (code, out, err) = asking.command(&approve).await;
    assert_eq!(
        (code, first.id.to_string().as_str()),
        (Some(0), "A-1"),
        "{out}{err}"
    );
    let karim = asking.as_person("karim");
    let clean = question(&karim).await.unwrap();
    assert_eq!(ledger.count(Service::Defender, "host isolated"), 1);
    assert_eq!(ledger.count(Service::Defender, "host released"), 0);
    say(&karim, &clean, "release").await;
    let run = the_run(&process.client()).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
    for what in ["host isolated", "host released", "indicator set"] {
        assert_eq!(ledger.count(Service::Defender, what), 1, "{what}");
    }
    assert!(ledger.repeated().is_empty());
    let log = asking.soc.log();
    assert!(
        !log.contains("a-token-of-the-range") && !log.contains("a-secret-of-the-range"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_locked_when_the_person_says_it_was_not_them_and_opened_by_undo() {
    let asking = asking("impossible-travel").await;
    let process = asking.serve(None).await;
    submit(&asking).await;
    let ledger = asking.soc.range.ledger();
    let karim = asking.as_person("karim");
    say(&karim, &question(&karim).await.unwrap(), "not_me").await;
    let lock = question(&karim).await.unwrap();
    assert_eq!(
        ledger.count(Service::Entra, "account disabled"),
        0,
        "nobody has agreed"
    );
    say(&karim, &lock, "approve").await;
    let run = the_run(&process.client()).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
    assert_eq!(ledger.count(Service::Entra, "signed out"), 1);
    assert_eq!(ledger.count(Service::Entra, "account disabled"), 1);

    let undo = [
        "runs",
        "undo",
        run.id.as_str(),
        "--reason",
        "it was the person",
        "--yes",
    ];
    let (code, out, err) = asking.command(&undo).await;
    assert_eq!(code, Some(0), "{out}{err}");
    soc::settled(&process.client(), 1).await.unwrap();
    assert_eq!(ledger.count(Service::Entra, "account enabled"), 1, "{out}");
    assert!(ledger.repeated().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registrar_is_written_to_when_people_agree() {
    let asking = asking("lookalike-takedown").await;
    let process = asking.serve(None).await;
    submit(&asking).await;
    let karim = asking.as_person("karim");
    let send = question(&karim).await.unwrap();
    assert!(asking.soc.range.mailbox().all().is_empty(), "nobody has agreed");
    say(&karim, &send, "approve").await;
    let run = the_run(&process.client()).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{run:?}");
    let mails = asking.soc.range.mailbox().all();
    let to = |address: &str| {
        mails
            .iter()
            .filter(|mail| mail.to.iter().any(|to| to.contains(address)))
            .count()
    };
    assert_eq!(to("abuse@registrar.example"), 1, "{mails:?}");
    assert_eq!(to("juridique@ville.example"), 1, "{mails:?}");
}
