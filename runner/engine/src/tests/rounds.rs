//! Waiting for a time, and doing a step again and again.

use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use serde_json::json;
use state::event::{Event, Intended};

use super::guardrails::intents;
use super::*;
use crate::decide::Command;
use crate::effects::{row, wake_at};
use crate::rehearsal::{Reply, crash_everywhere};
use crate::scenery::noon;

fn scene(steps: &str) -> Scene {
    Scene::new(&format!(
        "
trigger: {{incident: [phishing]}}
limits: {{pap: green, time: 45d}}
may: [notify]
steps:
{steps}"
    ))
}

fn hours(run: &Played<'_>) -> i64 {
    run.now().duration_since(noon()).as_hours()
}

fn of<'e>(run: &'e Played<'_>, id: &str) -> Vec<&'e Intended> {
    intents(run.events())
        .into_iter()
        .filter(|intended| *intended.path.step == *id)
        .collect()
}

const WAIT: &str = "
  pause:
    name: Pause
    uses: wait.for
    with: {duration: 6h}
  look: {name: Look, uses: siem.search, after: [pause], with: {query: seen}}
";

#[test]
fn a_wait_is_a_stored_time_and_nothing_is_performed() {
    let scene = scene(WAIT);
    let mut run = scene.begin(scene.world());
    assert!(run.work().is_empty(), "nobody works on it");
    assert_eq!(run.run().status(), RunStatus::Waiting);
    let until = noon() + jiff::SignedDuration::from_hours(6);
    assert_eq!(wake_at(&scene.plan, run.run()), Some(until));
    assert_eq!(
        row(&scene.plan, run.run()).note,
        format!("waits until {until} for `pause`")
    );
    assert_eq!(step(&scene, &run, "pause").until, Some(until));
    run.to_end().expect("it ends");
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
    assert_eq!(calls(&run), ["look"]);
    assert_eq!(
        step(&scene, &run, "pause").output.expect("outputs")["at"],
        until.to_string()
    );
}

#[test]
fn a_wait_never_ends_early_and_a_crash_does_not_begin_it_again() {
    let scene = scene(WAIT);
    let mut run = scene.begin(scene.world());
    run.pass(Span::milliseconds(6 * 3_600_000 - 1));
    run.crash(|_| true).expect("it recovers");
    assert_eq!(run.give(Command::Wake), Ok(0), "one millisecond too early");
    run.pass(Span::milliseconds(1));
    assert!(run.give(Command::Wake).expect("it wakes") > 0);
    assert_eq!(
        run.to_end(),
        Ok(crate::rehearsal::End::Over(RunStatus::Succeeded))
    );
    assert_eq!(hours(&run), 6);
}

#[test]
fn a_wait_until_a_time_that_has_passed_is_none() {
    let scene = scene(
        "  pause: {name: Pause, uses: wait.for, with: {until: \"${{ incident.received_at }}\"}}\n  look: {name: Look, uses: siem.search, after: [pause], with: {query: seen}}\n",
    );
    let run = scene.play(scene.world());
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
    assert_eq!(hours(&run), 0);
}

#[test]
fn cancelling_ends_a_wait_and_a_repetition_at_once() {
    for steps in [WAIT, GONE] {
        let scene = scene(steps);
        let mut run = scene.begin(scene.world());
        while run.run().status() != RunStatus::Waiting {
            run.turn(|_| 0).expect("it holds");
        }
        run.give(Command::Cancel {
            actor: people::nora(),
            reason: "enough".to_owned(),
        })
        .expect("cancelled");
        run.to_end().expect("it ends");
        assert_eq!(closed(run.events()).0, RunStatus::Cancelled);
    }
}

const GONE: &str = "
  gone:
    name: Wait until it is gone
    uses: siem.search
    with: {query: seen}
    repeat: {every: 6h, until: result.count == 0, at_most: 30d}
  tell: {name: Tell, uses: notify.team, if: steps.gone.done, with: {text: \"{{steps.gone.count}}\"}}
";

#[test]
fn rounds_go_on_until_what_they_wait_for_has_come() {
    let scene = scene(GONE);
    let seen = |count| Reply::Done(json!({"count": count}));
    let world = scene.world().script("gone", [seen(2), seen(1), seen(0)]);
    let run = scene.play(world);
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
    assert_eq!(hours(&run), 12, "two waits of six hours");
    let report = step(&scene, &run, "gone");
    assert_eq!((report.rounds, report.attempts), (Some(3), 3));
    assert_eq!(report.output.as_ref().expect("outputs")["done"], true);
    assert_eq!(report.output.expect("outputs")["count"], 0);
    assert_eq!(calls(&run), ["gone", "gone", "gone", "tell"]);
}

#[test]
fn between_rounds_the_run_waits_and_says_for_which() {
    let scene = scene(GONE);
    let mut run = scene.begin(scene.world());
    while run.run().status() != RunStatus::Waiting {
        run.turn(|_| 0).expect("it holds");
    }
    let until = noon() + jiff::SignedDuration::from_hours(6);
    assert_eq!(
        row(&scene.plan, run.run()).note,
        format!("waits until {until} for round 2 of `gone`")
    );
    let report = step(&scene, &run, "gone");
    assert_eq!(report.status, StepStatus::Waiting);
    assert_eq!(report.reason.as_deref(), Some("waits for round 2"));
}

#[test]
fn out_of_time_is_no_failure() {
    let scene = scene(GONE);
    let run = scene.play(scene.world());
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
    assert_eq!(hours(&run), 30 * 24);
    let report = step(&scene, &run, "gone");
    assert_eq!(report.rounds, Some(121));
    assert_eq!(report.output.expect("outputs")["done"], false);
    assert_eq!(status(&scene, &run, "tell"), StepStatus::Skipped);
}

#[test]
fn a_round_that_fails_is_tried_again_and_then_fails_the_step() {
    let scene = scene(GONE);
    let down = || Reply::Fails {
        kind: ErrorKind::Throttled,
        not_sent: true,
    };
    let seen = |count| Reply::Done(json!({"count": count}));
    let world = scene.world().script("gone", [seen(2), down(), seen(0)]);
    let run = scene.play(world);
    let report = step(&scene, &run, "gone");
    assert_eq!((report.rounds, report.attempts), (Some(2), 3));
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);

    let scene = self::scene(GONE);
    let run = scene.play(scene.world().script("gone", [seen(2), down()]));
    assert_eq!(closed(run.events()).0, RunStatus::Failed);
    assert_eq!(status(&scene, &run, "gone"), StepStatus::Failed);
}

const CHASE: &str = "
  chase:
    name: Remind them
    uses: notify.team
    with: {text: please}
    repeat:
      every: 72h
      first: wait
      until: steps.gone.status == 'succeeded'
      times: 3
  gone:
    name: Wait until it is gone
    uses: siem.search
    with: {query: seen}
    repeat: {every: 6h, until: result.count == 0, at_most: 30d}
";

#[test]
fn every_round_of_an_effect_has_a_key_of_its_own() {
    let scene = scene(CHASE);
    let run = scene.play(scene.world());
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
    let rounds = of(&run, "chase");
    let keys: std::collections::BTreeSet<_> = rounds.iter().map(|one| one.key.clone()).collect();
    assert_eq!((rounds.len(), keys.len()), (3, 3), "three reminders and no more");
    assert!(rounds.iter().all(|one| one.attempt == 1));
    assert_eq!(run.world.ledger.effects(), ["notify.team"; 3]);
    assert_eq!(run.world.ledger.most_often(), 1);
    assert_eq!(
        run.run().steps(&scene.plan)[0].output.as_ref().expect("outputs")["done"],
        false
    );
}

#[test]
fn what_is_watched_for_ends_a_repetition_between_two_rounds_or_before_the_first() {
    let seen = |count| Reply::Done(json!({"count": count}));
    // Gone at the first look: nobody is reminded.
    let first = scene(CHASE);
    let run = first.play(first.world().script("gone", [seen(0)]));
    assert!(of(&run, "chase").is_empty());
    assert_eq!(skips(run.events(), "chase"), [&SkipCause::UntilTrue]);
    assert_eq!(reason(&first, &run, "chase"), "until was already true");
    assert_eq!(hours(&run), 0, "nothing waits any more");
    // Gone after 78 hours: one reminder, and the second is not sent.
    let second = scene(CHASE);
    let replies: Vec<Reply> = (0..14).map(|n| seen(i64::from(n < 13))).collect();
    let run = second.play(second.world().script("gone", replies));
    assert_eq!(of(&run, "chase").len(), 1);
    assert_eq!(hours(&run), 78);
    let report = step(&second, &run, "chase");
    assert_eq!(report.output.expect("outputs")["done"], true);
}

#[test]
fn what_has_come_when_a_round_ends_ends_the_repetition() {
    let scene = scene(
        "
  first: {name: First, uses: siem.search, with: {query: seen}}
  again:
    name: Again
    uses: siem.search
    after: [first]
    with: {query: seen}
    repeat: {every: 6h, until: steps.first.status == 'succeeded', at_most: 30d}
",
    );
    let run = scene.play(scene.world());
    let report = step(&scene, &run, "again");
    assert_eq!(report.rounds, Some(1));
    assert_eq!(report.output.expect("outputs")["done"], true);
}

#[test]
fn a_missed_round_is_made_up_once() {
    let scene = scene(GONE);
    let mut run = scene.begin(scene.world());
    while run.run().status() != RunStatus::Waiting {
        run.turn(|_| 0).expect("it holds");
    }
    run.pass(Span::hours(48));
    run.give(Command::Wake).expect("it wakes");
    while run.run().status() != RunStatus::Waiting {
        run.turn(|_| 0).expect("it holds");
    }
    assert_eq!(calls(&run).len(), 2, "one round, not eight");
    assert_eq!(
        wake_at(&scene.plan, run.run()),
        Some(run.now() + jiff::SignedDuration::from_hours(6))
    );
}

#[test]
fn a_failing_run_begins_no_round() {
    let scene = scene(
        "
  gone:
    name: Wait until it is gone
    uses: siem.search
    with: {query: seen}
    repeat: {every: 6h, times: 5}
  pause: {name: Pause, uses: wait.for, with: {duration: 7h}}
  bad: {name: Bad, uses: ticket.open, after: [pause], with: {title: t}}
",
    );
    let rejected = Reply::Fails {
        kind: ErrorKind::Rejected,
        not_sent: true,
    };
    let run = scene.play(scene.world().script("bad", [rejected]));
    assert_eq!(closed(run.events()).0, RunStatus::Failed);
    assert_eq!(of(&run, "gone").len(), 2);
    assert_eq!(hours(&run), 7, "it does not wait for its next round");
}

#[test]
fn a_crash_anywhere_changes_no_round() {
    for steps in [WAIT, GONE, CHASE] {
        let scene = scene(steps);
        let seen = |count| Reply::Done(json!({"count": count}));
        let replies: Vec<Reply> = (0..14).map(|n| seen(i64::from(n < 13))).collect();
        let world = || scene.world().script("gone", replies.clone());
        let drill = crash_everywhere(scene.stage(), &scene.started(), noon(), world).expect("holds");
        assert!(drill.crashes >= 4, "{drill:?}");
    }
}

#[test]
fn a_person_who_has_a_repeated_effect_done_again_gives_its_rounds_new_keys() {
    let scene = scene(
        "
  chase:
    name: Remind them
    uses: notify.team
    with: {text: please}
    repeat: {every: 1h, times: 2}
",
    );
    let rejected = Reply::Fails {
        kind: ErrorKind::Rejected,
        not_sent: true,
    };
    let done = Reply::Done(json!({}));
    let world = scene.world().script("chase", [done.clone(), rejected, done]);
    let mut run = scene.play(world);
    assert_eq!(closed(run.events()).0, RunStatus::Failed);
    run.give(people::retry(None)).expect("retried");
    run.to_end().expect("it ends");
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
    let keys: std::collections::BTreeSet<_> = of(&run, "chase").iter().map(|one| one.key.clone()).collect();
    assert_eq!(keys.len(), 4);
    assert!(
        run.events()
            .iter()
            .any(|one| matches!(one.event, Event::RoundsEnded { rounds: 2, .. }))
    );
}
