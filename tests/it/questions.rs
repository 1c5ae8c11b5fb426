//! `ask.human`: a playbook asks, a person answers, on the command line and over the API.

use runner::demo;
use serde_json::{Value, json};
use state::event::{Mode, RunStatus};
use tests::soc;
use web::operations::Myself;
use web::view::{IncidentChoice, InquiryKind, InquiryState, SayToInquiry, StartRun};
use web::{OperationError, Operations as _};

use crate::approvals::{Asking, question};

const PLAYBOOK: &str = r#"
id: decide
name: Ask what to do
version: 1
description: Asks a person, and closes the incident if they say so.
owner: triage-team
limits: {tlp: amber, pap: green, time: 2h}
may: [notify]
steps:
  decide:
    name: Is it ours?
    uses: ask.human
    with:
      who: [duty-officer]
      question: "Is {{incident.title}} our own scanner?"
      show: {Severity: "{{incident.severity}}"}
      choices: [close, watch]
      within: 1h
      default: watch
  close:
    name: Close it
    uses: incident.update
    if: steps.decide.answer == 'close'
    with: {status: closed, note: "closed: {{default steps.decide.by \"nobody\"}}"}
outputs:
  answer: steps.decide.answer
"#;

async fn asking() -> Asking {
    let asking = Asking::new().await;
    let project = asking.soc.project();
    std::fs::write(project.join("playbooks/decide.yaml"), PLAYBOOK).unwrap();
    let entity = project.join("entities/ville-exemple.yaml");
    let text = std::fs::read_to_string(&entity).unwrap();
    let on = text.replace("ids-triage: auto", "ids-triage: auto, decide: auto");
    let on = if on == text {
        text.replace("rollout:", "rollout:\n  decide: auto")
    } else {
        on
    };
    std::fs::write(&entity, on).unwrap();
    asking
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_shows_a_question_and_takes_one_of_its_answers() {
    let asking = asking().await;
    std::fs::write(asking.soc.project().join("alert.json"), demo::IDS_ALERT).unwrap();
    let run = [
        "run",
        "decide",
        "--incident",
        "alert.json",
        "--plain",
        "--entity",
        demo::ENTITY,
    ];
    let (code, out, err) = asking.command(&run).await;
    assert_eq!(code, Some(8), "{out}{err}");
    assert!(out.contains("question A-1: duty-officer, until "), "{out}");
    assert!(out.contains("then the default counts"), "{out}");

    let (code, out, _) = asking
        .command(&["approvals", "show", "A-1", "--token-file", "karim.token"])
        .await;
    assert_eq!(code, Some(0));
    for words in ["our own scanner?", "close, watch", "means watch", "Severity"] {
        assert!(out.contains(words), "`{words}` in:\n{out}");
    }
    for (arguments, code, words) in [
        (
            &["approve", "A-1", "--token-file", "karim.token"][..],
            2,
            "A-1 is a question: sortie answer A-1 close|watch",
        ),
        (
            &["answer", "A-1", "burn", "--token-file", "karim.token"],
            2,
            "`burn` is no reply to this: one of close, watch",
        ),
        (
            &["answer", "A-1", "close", "--token-file", "guest.token"],
            6,
            "none of the roles that are asked",
        ),
        (&["answer", "A-1", "close"], 4, "not a named person"),
    ] {
        let (found, _, err) = asking.command(arguments).await;
        assert_eq!(found, Some(code), "{arguments:?}: {err}");
        assert!(err.contains(words), "{arguments:?}: {err}");
    }
    let (code, out, err) = asking
        .command(&[
            "answer",
            "A-1",
            "close",
            "--token-file",
            "karim.token",
            "--comment",
            "the weekly scan",
        ])
        .await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(
        out.contains("A-1: chosen: karim (duty-officer) chose close: the weekly scan"),
        "{out}"
    );
    let (code, _, err) = asking
        .command(&["answer", "A-1", "watch", "--token-file", "lea.token"])
        .await;
    assert_eq!(code, Some(6), "{err}");

    let (_, listed, _) = asking.command(&["runs", "list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["rows"][0]["status"], "succeeded", "{listed}");
    let (_, incidents, _) = asking.command(&["incidents", "list", "--json"]).await;
    let incidents: Value = serde_json::from_str(&incidents).unwrap();
    assert_eq!(incidents["rows"][0]["status"], "closed", "{incidents}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_the_api_a_decision_is_the_choice() {
    let asking = asking().await;
    let process = asking.serve(None).await;
    let start = StartRun {
        playbook: "decide".to_owned(),
        incident: Some(IncidentChoice::Inline(json!({
            "type": "ids-alert", "title": "Scan from outside", "severity": "high",
            "signature": {"id": "1:2001219", "name": "ET SCAN", "blocked": false},
            "network": {"source_ip": "5.1.1.1", "destination_ip": "5.1.1.2", "direction": "inbound"},
        }))),
        inputs: std::collections::BTreeMap::default(),
        mode: Mode::Auto,
        entity: soc::entity(),
    };
    let karim = asking.as_person("karim");
    karim.start(&Myself, start).await.unwrap();
    let row = question(&process.client()).await.unwrap();
    assert_eq!((row.kind, row.state), (InquiryKind::Choice, InquiryState::Open));
    let say = |decision: &str, digest: Option<String>| SayToInquiry {
        decision: decision.to_owned(),
        comment: None,
        digest,
    };
    let detail = karim.inquiry(&Myself, row.id).await.unwrap();
    assert_eq!(
        (detail.choices.join(" "), detail.default.as_deref()),
        ("close watch".to_owned(), Some("watch"))
    );
    // Whoever started it may answer: nothing is approved.
    assert!(detail.you.may, "{:?}", detail.you);
    for wrong in ["approve", "none", ""] {
        let refused = karim.reply(&Myself, row.id, say(wrong, None)).await;
        assert!(
            matches!(&refused, Err(OperationError::Invalid { .. })),
            "{wrong}: {refused:?}"
        );
    }
    let after = karim.reply(&Myself, row.id, say("watch", None)).await.unwrap();
    assert_eq!(after.inquiry.state, InquiryState::Chosen);
    let runs = soc::settled(&process.client(), 1).await.unwrap();
    assert_eq!(runs[0].status, RunStatus::Succeeded, "{}", runs[0].note);
    let run = soc::run(&process.client(), runs[0].id.as_str()).await.unwrap();
    let state = |step: &str| {
        let found = run.steps.iter().find(|line| line.step == step);
        found.map(|line| line.state.word())
    };
    assert_eq!((state("decide"), state("close")), (Some("done"), Some("skipped")));
}
