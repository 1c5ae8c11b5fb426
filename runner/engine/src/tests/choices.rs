//! What `ask.human` asks, and what follows from an answer and from silence.

use serde_json::json;
use state::access::Person;
use state::event::{InquiryEnd, Mode, Outcome, ReplyWord, Subject};

use super::*;
use crate::decide::{Command, Refusal};

fn asking(more: &str) -> Scene {
    Scene::new(&format!(
        "
trigger: {{incident: [phishing]}}
limits: {{pap: green, time: 2d}}
may: [notify]
steps:
  decide:
    name: Decide
    uses: ask.human
    with:
      who: [duty]
      question: \"Is {{{{incident.title}}}} worth a takedown?\"
      show: {{Title: \"${{{{ incident.title }}}}\"}}
      choices: [takedown, watch]
      within: 1h{more}
  take:
    name: Take
    uses: ticket.open
    if: steps.decide.answer == 'takedown'
    with: {{title: \"by {{{{default steps.decide.by 'nobody'}}}}\"}}
"
    ))
}

fn answer(name: &str, role: &str, word: ReplyWord, comment: Option<&str>) -> Command {
    let person = Person {
        name: name.to_owned(),
        roles: [role.to_owned()].into(),
    };
    Command::Reply {
        number: 1,
        actor: state::access::Actor {
            name: person.actor_name(),
            channel: state::access::Channel::Api,
        },
        person,
        word,
        comment: comment.map(str::to_owned),
        digest: None,
    }
}

fn choose(choice: &str) -> ReplyWord {
    ReplyWord::Choose(choice.to_owned())
}

fn output(run: &Played<'_>) -> serde_json::Value {
    let finished = run.events().iter().find_map(|recorded| match &recorded.event {
        Event::Finished { path, outcome, .. } if &*path.step == "decide" => Some(outcome.clone()),
        _ => None,
    });
    match finished.expect("it is answered") {
        Outcome::Succeeded { output, .. } | Outcome::Simulated { output } => output,
        Outcome::Failed { detail, .. } => panic!("{detail}"),
    }
}

#[test]
fn an_answer_is_the_output_and_the_run_goes_the_way_it_says() {
    let scene = asking("");
    let mut run = scene.begin(scene.world());
    let asked = run.run().inquiry(1).expect("asked").clone();
    assert_eq!(asked.inquiry.ask, "Is A mail worth a takedown?");
    assert_eq!(asked.inquiry.show[0].value, "A mail");
    assert!(
        matches!(&asked.inquiry.subject, Subject::Choice { choices, default: None } if choices.len() == 2)
    );
    assert_eq!(
        (step(&scene, &run, "decide").status, run.run().status()),
        (StepStatus::Waiting, RunStatus::Waiting)
    );
    for (command, why) in [
        (
            answer("eve", "guest", choose("watch"), None),
            "eve has none of the roles that are asked: duty",
        ),
        (
            answer("alice", "duty", choose("burn"), None),
            "`burn` is no reply to this: one of takedown, watch",
        ),
        (
            answer("alice", "duty", ReplyWord::Approve, None),
            "`approve` is no reply to this: one of takedown, watch",
        ),
    ] {
        let refused = run.offer(command).expect("it holds").expect_err("it is refused");
        assert_eq!(refused.to_string(), why);
    }
    // Whoever started the run may answer: nothing is approved.
    run.offer(answer(
        "starter",
        "duty",
        choose("takedown"),
        Some("it has a login page"),
    ))
    .expect("it holds")
    .expect("they may");
    assert_eq!(
        output(&run),
        json!({"answer": "takedown", "by": "starter", "comment": "it has a login page"})
    );
    let asked = run.run().inquiry(1).expect("asked").clone();
    assert_eq!(
        asked.end,
        Some((
            InquiryEnd::Chosen,
            "starter (duty) chose takedown: it has a login page".to_owned()
        ))
    );
    let late = run
        .offer(answer("bob", "duty", choose("watch"), None))
        .expect("it holds");
    assert!(matches!(
        late,
        Err(Refusal::InquiryOver {
            end: InquiryEnd::Chosen,
            ..
        })
    ));
    run.to_end().expect("it ends");
    assert_eq!(status(&scene, &run, "take"), StepStatus::Succeeded);
    let ticket = run.events().iter().find_map(|recorded| match &recorded.event {
        Event::Intended(intended) if &*intended.path.step == "take" => Some(intended.arguments.clone()),
        _ => None,
    });
    assert_eq!(ticket.expect("a ticket")["title"], "by starter");
}

#[test]
fn silence_is_an_answer() {
    for (more, expected) in [
        ("", json!({"answer": "none"})),
        ("\n      default: takedown", json!({"answer": "takedown"})),
    ] {
        let scene = asking(more);
        let run = scene.play(scene.world());
        assert_eq!(output(&run), expected);
        assert_eq!(run.run().status(), RunStatus::Succeeded);
        let (end, why) = run.run().inquiry(1).expect("asked").end.clone().expect("over");
        assert_eq!(end, InquiryEnd::Expired);
        let answer = expected["answer"].as_str().expect("a word");
        assert_eq!(
            why,
            format!("nobody of duty answered until 2026-03-02 13:00Z, so the answer is {answer}")
        );
        let taken = status(&scene, &run, "take");
        assert_eq!(taken == StepStatus::Succeeded, answer == "takedown");
    }
}

#[test]
fn a_simulated_question_asks_nobody() {
    let mut scene = asking("\n      default: watch");
    scene.mode = Mode::Simulate;
    let run = scene.play(scene.world());
    assert_eq!(output(&run), json!({"answer": "watch"}));
    assert_eq!(run.run().inquiries().count(), 0);
}

#[test]
fn paused_effects_ask_nobody_and_unknown_approvers_are_refused() {
    let mut scene = asking("");
    scene.operator.guardrails.effects_paused = true;
    let run = scene.play(scene.world());
    assert_eq!(refusal(run.events(), "decide").0, RefusalKind::Paused);

    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [notify]
steps:
  decide:
    name: Decide
    uses: ask.human
    with: {who: [entity.contain], question: q, choices: [a, b], within: 1h}
",
    );
    let run = scene.play(scene.world());
    assert_eq!(
        refusal(run.events(), "decide"),
        (
            RefusalKind::Policy,
            "ville names no approvers `contain`; add them to its file"
        )
    );
}

#[test]
fn a_cancelled_run_withdraws_its_question() {
    let scene = asking("");
    let mut run = scene.begin(scene.world());
    run.give(Command::Cancel {
        actor: state::access::Actor::engine(),
        reason: "enough".to_owned(),
    })
    .expect("it holds");
    let (end, _) = run.run().inquiry(1).expect("asked").end.clone().expect("over");
    assert_eq!(end, InquiryEnd::Withdrawn);
    assert_eq!(run.run().status(), RunStatus::Cancelled);
}
