//! Effects that wait for people: over the API, on the command line, and through kill -9.

use std::process::Output;
use std::time::Duration;

use runner::demo;
use serde_json::Value;
use state::event::{Event, InquiryEnd, RunStatus};
use state::store::{InquiryFilter, PageRequest};
use tests::soc::{self, PATIENCE, Process, Soc};
use web::operations::Myself;
use web::view::{
    Content, IncidentChoice, InquiryDetail, InquiryState, InquiryView, ListKind, SayToInquiry, StartRun,
};
use web::{Client, OperationError, Operations as _};

use crate::BINARY;

/// Boundaries beyond which something is wrong with the enumeration itself.
const BOUNDARIES_MAX: u64 = 100;
const LOOK_EVERY: Duration = Duration::from_millis(20);

const PEOPLE: &str = r#"
[people.karim]
roles = ["duty-officer"]
mail = "karim@cert.example"

[people.lea]
roles = ["duty-officer", "duty-lead"]

[people.guest]
roles = ["visitor"]

[approvals]
contain = ["duty-officer"]
escalate = ["duty-lead"]
"#;

/// A SOC whose town has its address blocks approved, and the tokens of three people.
pub(crate) struct Asking {
    pub(crate) soc: Soc,
    pub(crate) tokens: Vec<(&'static str, String)>,
}

impl Asking {
    pub(crate) async fn new() -> Self {
        let soc = Soc::new(BINARY).await.unwrap();
        soc.append("sortie.toml", PEOPLE).unwrap();
        let entity = soc.project().join("entities/ville-exemple.yaml");
        let text = std::fs::read_to_string(&entity).unwrap();
        let asks = text.replace("block.ip: {auto: true, max: 7d}", "block.ip: {ask: 1}");
        assert_ne!(asks, text, "the demo's town pre-authorises address blocks");
        std::fs::write(&entity, asks).unwrap();
        Self::of(soc, &[("karim", 40), ("lea", 90), ("guest", 140)])
    }

    /// A SOC whose people are set up, with a token of each.
    pub(crate) fn of(soc: Soc, people: &[(&'static str, u8)]) -> Self {
        let mut tokens = Vec::new();
        for (name, seed) in people {
            let (token, table) = soc::token_of(name, *seed).unwrap();
            soc.append("sortie.toml", &format!("\n{table}\n")).unwrap();
            std::fs::write(soc.project().join(format!("{name}.token")), &token).unwrap();
            tokens.push((*name, token));
        }
        Self { soc, tokens }
    }

    pub(crate) fn as_person(&self, name: &str) -> Client {
        let (_, token) = self.tokens.iter().find(|(other, _)| *other == name).unwrap();
        Client::local_as(self.soc.project().join(".sortie/data/sortie.sock"), token).unwrap()
    }

    /// What a person was told by mail, quoted-printable undone as far as it matters here.
    pub(crate) fn mails_to(&self, name: &str) -> Vec<String> {
        let address = format!("{name}@cert.example");
        let mails = self.soc.range.mailbox().all();
        let theirs = mails.into_iter().filter(|mail| mail.to.contains(&address));
        let text = |raw: &[u8]| {
            String::from_utf8_lossy(raw)
                .replace("=\r\n", "")
                .replace("=3D", "=")
        };
        theirs.map(|mail| text(&mail.raw)).collect()
    }

    pub(crate) async fn serve(&self, kill_at: Option<&str>) -> Process {
        let mut process = self.soc.serve(kill_at).unwrap();
        assert!(process.answers().await || kill_at.is_some(), "{}", self.soc.log());
        process
    }

    pub(crate) async fn command(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = self.soc.command(arguments);
        command.current_dir(self.soc.project());
        command.stdin(std::process::Stdio::null());
        let run = tokio::task::spawn_blocking(move || command.output().unwrap());
        let Output {
            status,
            stdout,
            stderr,
        } = run.await.unwrap();
        (
            status.code(),
            String::from_utf8(stdout).unwrap(),
            String::from_utf8(stderr).unwrap(),
        )
    }
}

async fn alert(client: &Client) -> Result<(), OperationError> {
    let content = Content::Mapper("suricata".to_owned());
    soc::submit(client, content, demo::IDS_ALERT.to_vec())
        .await
        .map(drop)
}

async fn asked(client: &Client, open: bool) -> Result<Vec<InquiryView>, OperationError> {
    let filter = InquiryFilter {
        open,
        ..InquiryFilter::default()
    };
    let page = client.inquiries(&Myself, filter, PageRequest::default()).await?;
    Ok(page.rows)
}

/// Waits until something is asked.
pub(crate) async fn question(client: &Client) -> Result<InquiryView, OperationError> {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(first) = asked(client, true).await?.into_iter().next() {
            return Ok(first);
        }
        assert!(waited < PATIENCE, "nothing is asked");
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

fn say(detail: &InquiryDetail, decision: &str, comment: Option<&str>) -> SayToInquiry {
    SayToInquiry {
        decision: decision.to_owned(),
        comment: comment.map(str::to_owned),
        digest: detail.digest.clone(),
    }
}

async fn blocked(client: &Client) -> String {
    let town = demo::ENTITY.parse().unwrap();
    client
        .block_list(&Myself, &town, ListKind::Ip)
        .await
        .unwrap()
        .text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_waits_until_a_named_person_approves_exactly_it() {
    let asking = Asking::new().await;
    let process = asking.serve(None).await;
    let operator = process.client();
    alert(&operator).await.unwrap();
    let row = question(&operator).await.unwrap();
    assert_eq!(
        (row.id.to_string().as_str(), row.who.join(" ").as_str()),
        ("A-1", "duty-officer")
    );
    assert_eq!(
        blocked(&operator).await,
        "",
        "nothing happens before somebody approves"
    );
    let id = row.id;

    // Somebody who holds the machine is no person, and a person without the role may not decide.
    let detail = operator.inquiry(&Myself, id).await.unwrap();
    assert!(
        !detail.you.may && detail.you.why.contains("not a named person"),
        "{:?}",
        detail.you
    );
    assert_eq!(detail.effects[0].arguments["ip"], "5.1.1.1");
    let refused = operator.reply(&Myself, id, say(&detail, "approve", None)).await;
    assert!(
        matches!(&refused, Err(OperationError::Denied { .. })),
        "{refused:?}"
    );
    let guest = asking.as_person("guest");
    let refused = guest.reply(&Myself, id, say(&detail, "approve", None)).await;
    assert!(
        matches!(&refused, Err(OperationError::Refused { why, .. }) if why.contains("none of the roles")),
        "{refused:?}"
    );

    // What was not seen is not approved.
    let karim = asking.as_person("karim");
    let mut other = say(&detail, "approve", None);
    other.digest = Some("00".repeat(32));
    let refused = karim.reply(&Myself, id, other).await;
    assert!(
        matches!(&refused, Err(OperationError::Refused { why, .. }) if why.contains("not what you saw")),
        "{refused:?}"
    );
    for (decision, comment, digest) in [
        ("maybe", None, detail.digest.clone()),
        ("refuse", None, detail.digest.clone()),
        ("approve", None, None),
    ] {
        let wrong = SayToInquiry {
            decision: decision.to_owned(),
            comment,
            digest,
        };
        let refused = karim.reply(&Myself, id, wrong).await;
        assert!(
            matches!(&refused, Err(OperationError::Invalid { .. })),
            "{refused:?}"
        );
    }
    assert!(karim.inquiry(&Myself, id).await.unwrap().you.may);
    let after = karim
        .reply(&Myself, id, say(&detail, "approve", Some("seen it")))
        .await
        .unwrap();
    assert_eq!(after.inquiry.state, InquiryState::Approved);

    let runs = soc::settled(&operator, 1).await.unwrap();
    assert_eq!(runs[0].status, RunStatus::Succeeded, "{}", runs[0].note);
    assert_eq!(blocked(&operator).await, "5.1.1.1\n");
    let lea = asking.as_person("lea");
    let late = lea.reply(&Myself, id, say(&detail, "refuse", Some("no"))).await;
    assert!(
        matches!(&late, Err(OperationError::Refused { why, .. }) if why.contains("approved by karim")),
        "{late:?}"
    );
    let run = soc::run(&operator, runs[0].id.as_str()).await.unwrap();
    let block = run.steps.iter().find(|step| step.step == row.steps[0]).unwrap();
    assert!(
        block.note.contains("approved by karim \"seen it\""),
        "{}",
        block.note
    );
    let audit = operator
        .audit(
            &Myself,
            state::store::AuditFilter {
                kind: Some("inquiry.replied".to_owned()),
                ..Default::default()
            },
            PageRequest::default(),
        )
        .await
        .unwrap();
    assert_eq!(audit.rows[0].actor.name, "person:karim");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_starts_a_run_does_not_approve_it() {
    let asking = Asking::new().await;
    let process = asking.serve(None).await;
    let karim = asking.as_person("karim");
    let start = StartRun {
        playbook: "ids-triage".to_owned(),
        incident: Some(IncidentChoice::Inline(serde_json::json!({
            "type": "ids-alert", "title": "Scan from outside", "severity": "high",
            "signature": {"id": "1:2001219", "name": "ET SCAN", "blocked": false},
            "network": {"source_ip": "5.1.1.1", "destination_ip": "5.1.1.2", "direction": "inbound"},
        }))),
        inputs: std::collections::BTreeMap::default(),
        mode: state::event::Mode::Auto,
        entity: soc::entity(),
    };
    karim.start(&Myself, start).await.unwrap();
    let row = question(&process.client()).await.unwrap();
    let detail = karim.inquiry(&Myself, row.id).await.unwrap();
    assert!(!detail.you.may);
    let refused = karim.reply(&Myself, row.id, say(&detail, "approve", None)).await;
    assert!(
        matches!(&refused, Err(OperationError::Refused { why, .. }) if why.contains("four eyes")),
        "{refused:?}"
    );
    let lea = asking.as_person("lea");
    let after = lea
        .reply(&Myself, row.id, say(&detail, "refuse", Some("our own scanner")))
        .await
        .unwrap();
    assert_eq!(after.inquiry.state, InquiryState::Refused);
    let runs = soc::settled(&process.client(), 1).await.unwrap();
    let run = soc::run(&process.client(), runs[0].id.as_str()).await.unwrap();
    let block = run.steps.iter().find(|step| step.step == row.steps[0]).unwrap();
    assert_eq!(block.note, "refused by lea (duty-officer): our own scanner");
    assert_eq!(blocked(&process.client()).await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_asks_shows_and_decides() {
    let asking = Asking::new().await;
    std::fs::write(asking.soc.project().join("alert.json"), demo::IDS_ALERT).unwrap();
    let entity = ["--entity", demo::ENTITY];
    // Without a server: the run waits in the store, whatever process opens it next.
    let run = ["run", "ids-triage", "--incident", "alert.json", "--plain"];
    let (code, out, err) = asking.command(&[&run[..], &entity[..]].concat()).await;
    assert_eq!(code, Some(8), "{out}{err}");
    assert!(
        out.contains("state=waiting effect=yes note=\"approval A-1: duty-officer, until "),
        "{out}"
    );
    assert!(
        err.contains("sortie approve A-1"),
        "the next command is printed: {err}"
    );

    let (code, out, _) = asking.command(&["approvals", "list"]).await;
    assert_eq!(code, Some(0));
    assert!(
        out.contains("A-1") && out.contains("duty-officer") && out.contains("0/1"),
        "{out}"
    );
    let (code, out, _) = asking.command(&["approvals", "show", "a-1"]).await;
    assert_eq!(code, Some(0));
    for words in [
        "block.ip (contain)",
        "5.1.1.1",
        "sha256",
        "the policy of ville-exemple asks for 1",
        "not a named person",
    ] {
        assert!(out.contains(words), "`{words}` in:\n{out}");
    }
    let (code, _, err) = asking.command(&["approve", "A-1"]).await;
    assert_eq!(code, Some(4), "{err}");
    assert!(err.contains("--token-file"), "{err}");
    let (code, _, err) = asking
        .command(&["approve", "A-7", "--token-file", "karim.token"])
        .await;
    assert_eq!(code, Some(5), "{err}");
    let (code, _, err) = asking
        .command(&["approve", "93", "--token-file", "karim.token"])
        .await;
    assert_eq!(code, Some(2), "{err}");
    let (code, _, err) = asking
        .command(&["refuse", "A-1", "--token-file", "karim.token"])
        .await;
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("a refusal needs a comment"), "{err}");

    let (code, out, err) = asking
        .command(&[
            "approve",
            "A-1",
            "--token-file",
            "karim.token",
            "--comment",
            "seen",
        ])
        .await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("A-1: approved: approved by karim"), "{out}");
    assert!(err.contains("5.1.1.1"), "what is decided on is shown: {err}");
    let (code, _, err) = asking
        .command(&["approve", "A-1", "--token-file", "lea.token"])
        .await;
    assert_eq!(code, Some(6), "{err}");
    assert!(err.contains("it is over: approved by karim"), "{err}");

    let (_, listed, _) = asking.command(&["runs", "list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["rows"][0]["status"], "succeeded", "{listed}");
    let (_, shown, _) = asking
        .command(&["runs", "show", listed["rows"][0]["id"].as_str().unwrap()])
        .await;
    assert!(
        shown.contains("karim (duty-officer) said approve: seen"),
        "{shown}"
    );
    assert!(shown.contains("asks A-1 of duty-officer (1 needed)"), "{shown}");
    let (_, all, _) = asking.command(&["approvals", "list", "--all", "--json"]).await;
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all["rows"][0]["state"], "approved");
    let (_, none, err) = asking.command(&["approvals", "list"]).await;
    assert!(none.is_empty() && err.contains("nothing found"), "{none}{err}");
}

fn at_rest(status: RunStatus) -> bool {
    status.is_over() || status == RunStatus::Stuck
}

/// One project, cut once at a boundary of an approval's life, then served in peace. `false` when
/// the boundary lies beyond its end.
async fn cut_once(place: &str) -> bool {
    let asking = Asking::new().await;
    let karim = asking.as_person("karim");
    let mut process = asking.serve(Some(place)).await;
    let mut cut = true;
    let mut acknowledged = false;
    let client = process.client();
    if !process.is_over() && alert(&client).await.is_ok() {
        let life = async {
            let row = question(&client).await?;
            let detail = karim.inquiry(&Myself, row.id).await?;
            karim
                .reply(&Myself, row.id, say(&detail, "approve", None))
                .await?;
            acknowledged = true;
            soc::settled(&client, 1).await.map(drop)
        };
        cut = life.await.is_err() || process.is_over();
    }
    process.kill();

    let process = asking.serve(None).await;
    let client = process.client();
    alert(&client).await.unwrap();
    if acknowledged {
        let all = asked(&client, false).await.unwrap();
        assert_eq!(all[0].approvals, 1, "{place}: an acknowledged reply is lost");
    } else {
        let mut waited = Duration::ZERO;
        while soc::runs(&client)
            .await
            .unwrap()
            .iter()
            .all(|run| !at_rest(run.status))
        {
            for row in asked(&client, true).await.unwrap() {
                let detail = karim.inquiry(&Myself, row.id).await.unwrap();
                // It may have been recorded before the crash, and not acknowledged.
                let _ = karim.reply(&Myself, row.id, say(&detail, "approve", None)).await;
            }
            assert!(
                waited < PATIENCE,
                "{place}: the run does not end\n{}",
                asking.soc.log()
            );
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    }
    let runs = soc::settled(&client, 1).await.unwrap();
    // A message that was on its way when the process died waits for a person, as anywhere.
    assert!(
        runs.len() == 1 && matches!(runs[0].status, RunStatus::Succeeded | RunStatus::Stuck),
        "{place}: {}",
        runs[0].note
    );
    let run = soc::run(&client, runs[0].id.as_str()).await.unwrap();
    let count = |wanted: fn(&Event) -> bool| run.events.iter().filter(|one| wanted(&one.event)).count();
    assert_eq!(
        count(|event| matches!(event, Event::Asked(_))),
        1,
        "{place}: asked once"
    );
    assert_eq!(
        count(|event| matches!(event, Event::Replied(_))),
        1,
        "{place}: decided once"
    );
    let approved = |event: &Event| {
        matches!(
            event,
            Event::InquiryClosed {
                end: InquiryEnd::Approved,
                ..
            }
        )
    };
    assert_eq!(count(approved), 1, "{place}");
    let ids: Vec<String> = asked(&client, false)
        .await
        .unwrap()
        .iter()
        .map(|row| row.id.to_string())
        .collect();
    assert_eq!(ids, ["A-1"], "{place}: numbers have no gap");
    assert_eq!(blocked(&client).await, "5.1.1.1\n", "{place}");
    // A mail that was on its way when the process died is not sent again.
    let letters = asking.mails_to("karim").len();
    assert!(letters <= 1, "{place}: {letters} mails");
    assert!(cut || letters == 1, "{place}: nobody was told");
    let repeated = asking.soc.range.ledger().repeated();
    assert!(
        repeated.is_empty(),
        "{place}: effects happened twice: {repeated:?}"
    );
    cut
}

async fn every_boundary(side: &str) {
    let mut boundaries = 0;
    while boundaries < BOUNDARIES_MAX && cut_once(&format!("{side}:{}", boundaries + 1)).await {
        boundaries += 1;
    }
    println!("kill -9 {side} every write of an approval's life: {boundaries} boundaries, all hold");
    assert!(
        (8..BOUNDARIES_MAX).contains(&boundaries),
        "{boundaries} boundaries: the enumeration is broken"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_survives_a_kill_before_any_write() {
    every_boundary("before").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_survives_a_kill_after_any_write() {
    every_boundary("after").await;
}
