//! Failing, `on_failure`, `finally`, cancel, the end of time.

use playbooks::action_spec::ErrorKind;
use state::access::{Actor, Channel};
use state::event::{RunStatus, SkipCause};

use super::*;
use crate::decide::Command;
use crate::rehearsal::{End, Reply};

const SECTIONS: &str = "
trigger: {incident: [phishing]}
may: [notify]
steps:
  first:
    name: First
    uses: siem.search
    with: {query: one}
  second:
    name: Second
    uses: ticket.open
    with: {title: \"{{steps.first.count}}\"}
  beside:
    name: Beside
    uses: siem.search
    with: {query: two}
on_failure:
  page:
    name: Page
    uses: notify.team
    with: {text: \"{{default run.failed_step 'time'}}: {{default run.error ''}}\"}
finally:
  record:
    name: Record
    uses: ticket.open
    with: {title: \"{{run.summary}}\"}
";

fn rejected() -> Reply {
    Reply::Fails {
        kind: ErrorKind::Rejected,
        not_sent: true,
    }
}

fn person() -> Actor {
    Actor {
        name: "token:alice".to_owned(),
        channel: Channel::Api,
    }
}

#[test]
fn a_failure_stops_what_has_not_begun_and_runs_on_failure_then_finally() {
    let scene = Scene::new(SECTIONS);
    let run = scene.play(scene.world().script("first", [rejected()]));
    assert_eq!(calls(&run), ["first", "beside", "page", "record"]);
    assert_eq!(skips(run.events(), "second"), [&SkipCause::RunFailing]);
    assert_eq!(
        run.world.ledger.calls[2].2["text"],
        "first: scripted failure (rejected)"
    );
    let (status, summary) = closed(run.events());
    assert_eq!(status, RunStatus::Failed);
    assert_eq!(summary, "failed at `first`: scripted failure (rejected)");
}

#[test]
fn without_a_failure_only_finally_runs_and_on_failure_stays_untouched() {
    let scene = Scene::new(SECTIONS);
    let run = scene.play(scene.world());
    assert_eq!(calls(&run), ["first", "second", "beside", "record"]);
    assert_eq!(status(&scene, &run, "page"), StepStatus::Pending);
    assert_eq!(run.world.ledger.calls[3].2["title"], "3 steps done");
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
}

#[test]
fn cancel_lets_the_running_attempt_end_and_runs_finally_only() {
    let scene = Scene::new(SECTIONS);
    let mut run = scene.begin(scene.world());
    run.give(Command::Cancel {
        actor: person(),
        reason: "false alarm".to_owned(),
    })
    .expect("cancelled");
    assert_eq!(run.work().len(), 2, "what was begun goes on");
    run.to_end().expect("it ends");
    assert_eq!(calls(&run), ["first", "beside", "record"]);
    assert_eq!(skips(run.events(), "second"), [&SkipCause::RunCancelled]);
    assert_eq!(
        closed(run.events()),
        (RunStatus::Cancelled, "cancelled by token:alice: false alarm")
    );
}

#[test]
fn a_second_cancel_and_a_cancel_after_the_end_are_refused() {
    let scene = Scene::new(SECTIONS);
    let mut run = scene.begin(scene.world());
    let cancel = || Command::Cancel {
        actor: person(),
        reason: "r".to_owned(),
    };
    run.give(cancel()).expect("cancelled");
    assert_eq!(
        run.give(cancel()).expect_err("twice"),
        "the run was already cancelled by token:alice"
    );
    run.to_end().expect("it ends");
    assert_eq!(run.give(cancel()).expect_err("over"), "the run is over");
    assert_eq!(run.give(Command::Recover).expect("nothing to do"), 0);
}

#[test]
fn the_end_of_its_time_fails_the_run() {
    let scene = Scene::new(&format!("limits: {{time: 1s}}{SECTIONS}"));
    let slow = Reply::Fails {
        kind: ErrorKind::Throttled,
        not_sent: true,
    };
    let run = scene.play(scene.world().script("first", [slow]));
    let (status, summary) = closed(run.events());
    assert_eq!(
        (status, summary),
        (RunStatus::Failed, "failed: its time of 1s is over")
    );
    assert_eq!(
        calls(&run).iter().filter(|path| *path == "page").count(),
        1,
        "on_failure runs"
    );
}

#[test]
fn a_failure_in_finally_fails_the_run_but_does_not_go_back() {
    let scene = Scene::new(SECTIONS);
    let run = scene.play(scene.world().script("record", [rejected()]));
    assert_eq!(calls(&run), ["first", "second", "beside", "record"]);
    assert_eq!(closed(run.events()).0, RunStatus::Failed);
}

#[test]
fn a_refused_effect_makes_the_run_refused_unless_it_may_go_on() {
    let body = |policy: &str| {
        format!(
            "
trigger: {{incident: [phishing]}}
limits: {{pap: green}}
may: [contain]
steps:
  block:
    name: Block
    uses: block.ip
    {policy}
    with: {{ip: 203.0.113.77, reason: r}}
  ticket:
    name: Ticket
    uses: ticket.open
    after: [block]
    with: {{title: \"{{{{default steps.block.ip 'nothing'}}}}\"}}
"
        )
    };
    let scene = Scene::new(&body("timeout: 9s"));
    let run = scene.play(scene.world());
    assert_eq!(closed(run.events()).0, RunStatus::Refused);
    assert_eq!(
        closed(run.events()).1,
        "refused at `block`: 203.0.113.77 is on the never-block list of ville (203.0.113.77)"
    );
    let scene = Scene::new(&body("if_refused: continue"));
    let run = scene.play(scene.world());
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
    assert_eq!(calls(&run), ["ticket"]);
    assert_eq!(status(&scene, &run, "block"), StepStatus::Refused);
}

#[test]
fn an_unknown_outcome_makes_the_run_stuck_until_its_time_is_over() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
may: [notify]
steps:
  tell:
    name: Tell
    uses: notify.team
    with: {text: t}
finally:
  record:
    name: Record
    uses: ticket.open
    with: {title: \"{{run.summary}}\"}
",
    );
    let mut run = scene.begin(scene.world().script("tell", [Reply::DoneAnswerLost]));
    run.turn(|_| 0).expect("the answer is lost");
    assert_eq!(run.run().status(), RunStatus::Stuck);
    assert_eq!(status(&scene, &run, "tell"), StepStatus::Unknown);
    assert_eq!(run.world.ledger.most_often(), 1);
    let end = run.to_end().expect("it ends");
    assert_eq!(end, End::Over(RunStatus::Failed));
    assert_eq!(
        closed(run.events()).1,
        "failed: its time of 1d is over; the outcome of `tell` is unknown"
    );
    assert_eq!(run.world.ledger.most_often(), 1, "never repeated");
}
