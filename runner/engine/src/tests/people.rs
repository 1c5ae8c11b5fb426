//! What people decide: settling, taking note, trying again.

use playbooks::action_spec::ErrorKind;
use serde_json::json;
use state::access::{Actor, Channel};
use state::event::{Event, Settlement};
use state::ids::Path;

use super::*;
use crate::decide::Command;
use crate::effects::row;
use crate::rehearsal::{End, Reply};

pub(super) fn nora() -> Actor {
    Actor {
        name: "operator:nora".to_owned(),
        channel: Channel::Terminal,
    }
}

pub(super) fn settle(path: Path, answer: Settlement) -> Command {
    Command::Settle {
        path,
        answer,
        probed: false,
        actor: nora(),
        reason: "looked myself".to_owned(),
    }
}

pub(super) fn retry(from: Option<&str>) -> Command {
    Command::Retry {
        from: from.map(str::to_owned),
        actor: nora(),
        reason: "the far end is back".to_owned(),
    }
}

fn by_hand(output: Value) -> Settlement {
    Settlement::ByHand { output }
}

fn acknowledge() -> Command {
    Command::Acknowledge {
        actor: nora(),
        reason: "seen".to_owned(),
    }
}

const REJECTED: Reply = Reply::Fails {
    kind: ErrorKind::Rejected,
    not_sent: true,
};

/// Tells the team, then opens a ticket about it.
const TELL: &str = "
trigger: {incident: [phishing]}
limits: {pap: green, time: 2h}
may: [notify, contain]
steps:
  tell:
    name: Tell
    uses: notify.team
    with: {text: t}
  note:
    name: Note
    uses: ticket.open
    with: {title: \"told as {{steps.tell.id}}\"}
";

fn stuck(scene: &Scene) -> Played<'_> {
    let mut run = scene.begin(scene.world());
    run.crash(|_| true).expect("it recovers");
    assert_eq!(run.run().status(), RunStatus::Stuck);
    run
}

#[test]
fn what_a_person_says_was_done_is_adopted_and_the_run_goes_on() {
    let scene = Scene::new(TELL);
    let mut run = stuck(&scene);
    let refused = run.give(settle(Path::step("tell"), Settlement::Done { output: json!({}) }));
    assert_eq!(
        refused.unwrap_err(),
        "later steps may read what `notify.team` gives, and it is not known: id (string); give it as an output"
    );
    let refused = run.give(settle(
        Path::step("tell"),
        by_hand(json!({"id": "M-7", "ip": "x"})),
    ));
    assert_eq!(
        refused.unwrap_err(),
        "`notify.team` has no output `ip`; it has id"
    );
    let refused = run.give(settle(Path::step("tell"), by_hand(json!({"id": 7}))));
    assert!(refused.unwrap_err().starts_with("output `id`: "));
    let refused = run.give(settle(Path::step("note"), Settlement::NotDone));
    assert_eq!(
        refused.unwrap_err(),
        "there is nothing to settle about `note`: nothing is intended"
    );

    let output = json!({"id": "M-7"});
    run.give(settle(Path::step("tell"), Settlement::Done { output }))
        .expect("settled");
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Succeeded)));
    let (_, _, arguments) = run.world.ledger.calls.last().expect("a call");
    assert_eq!(arguments["title"], "told as M-7");
    let twice = run.give(settle(Path::step("tell"), Settlement::NotDone));
    assert_eq!(
        twice.unwrap_err(),
        "there is nothing to settle about `tell`: it is over"
    );
}

#[test]
fn what_had_not_happened_is_done_with_the_same_key() {
    let scene = Scene::new(TELL);
    let mut run = scene.begin(scene.world());
    run.crash(|_| false).expect("it recovers");
    run.give(settle(Path::step("tell"), Settlement::NotDone))
        .expect("settled");
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Succeeded)));
    assert_eq!(run.world.ledger.effects(), ["notify.team", "ticket.open"]);
    assert_eq!(run.world.ledger.most_often(), 1);
    assert_eq!(keys_of(&run, "tell").len(), 1, "the same intention");
}

#[test]
fn what_had_not_happened_fails_when_its_policy_tries_no_more() {
    let scene = Scene::new(&TELL.replace("notify.team\n", "notify.team\n    retry: {attempts: 1}\n"));
    let lost = Reply::Fails {
        kind: ErrorKind::Timeout,
        not_sent: false,
    };
    let mut run = scene.begin(scene.world().script("tell", [lost]));
    run.turn(|_| 0).expect("sent");
    assert_eq!(run.run().status(), RunStatus::Stuck);
    run.give(settle(Path::step("tell"), Settlement::NotDone))
        .expect("settled");
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Failed)));
    assert_eq!(reason(&scene, &run, "tell"), "scripted failure (timeout)");
}

#[test]
fn a_failure_is_open_until_somebody_answers_it() {
    let scene = Scene::new(TELL);
    let failed = || scene.play(scene.world().script("tell", [REJECTED]));
    let attention = |run: &Played<'_>| row(&scene.plan, run.run()).attention;

    let mut run = failed();
    assert!(attention(&run));
    run.give(acknowledge()).expect("taken note of");
    assert!(!attention(&run));
    assert_eq!(run.run().status(), RunStatus::Failed);
    assert!(run.give(acknowledge()).is_err(), "once is enough");

    let mut run = failed();
    let refused = run.give(settle(Path::step("tell"), Settlement::NotDone));
    assert_eq!(
        refused.unwrap_err(),
        "`tell` failed, which is certain; it can be retried, or settled with --done-by-hand"
    );
    run.give(settle(Path::step("tell"), by_hand(json!({"id": "phone"}))))
        .expect("settled");
    assert!(!attention(&run));
    assert_eq!(status(&scene, &run, "tell"), StepStatus::Succeeded);
    assert_eq!(
        run.world.ledger.effects(),
        [""; 0],
        "a run that is over does nothing more by itself"
    );

    run.give(retry(None)).expect("what did not happen because of it");
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Succeeded)));
    assert_eq!(
        calls(&run),
        ["tell", "note"],
        "what was done by hand is not done again"
    );
}

#[test]
fn a_retry_does_what_failed_and_what_was_left_out_with_a_new_key() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green, time: 2h}
may: [notify, contain]
steps:
  seen:
    name: Seen
    uses: siem.search
    with: {query: q}
  isolate:
    name: Isolate
    uses: edr.isolate_host
    with: {id: \"h{{steps.seen.count}}\"}
  note:
    name: Note
    uses: ticket.open
    with: {title: \"{{steps.isolate.state}} {{state}}\"}
let:
  state: steps.isolate.state
on_failure:
  page:
    name: Page
    uses: notify.team
    with: {text: \"{{default run.error ''}}\"}
",
    );
    let mut run = scene.play(
        scene
            .world()
            .script("isolate", [REJECTED, REJECTED, Reply::Done(json!({}))]),
    );
    assert_eq!(run.run().status(), RunStatus::Failed);
    let again = run.run().again(&scene.plan, None).expect("something");
    let again: Vec<String> = again
        .iter()
        .map(|one| format!("{} {}: {}", one.path, one.action, one.before))
        .collect();
    assert_eq!(
        again,
        [
            "isolate edr.isolate_host: scripted failure (rejected)",
            "note ticket.open: the run is failing",
            "page notify.team: not begun",
        ]
    );
    assert_eq!(
        run.run().again(&scene.plan, Some("seen")).unwrap_err(),
        "`isolate` failed too, and the run cannot succeed without it; leave --from out to try all of it again"
    );

    run.give(retry(Some("isolate"))).expect("retried");
    assert_eq!(
        run.to_end(),
        Ok(End::Over(RunStatus::Failed)),
        "it fails once more"
    );
    run.give(retry(None)).expect("retried");
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Succeeded)));
    assert_eq!(
        calls(&run),
        ["seen", "isolate", "page", "isolate", "page", "isolate", "note"]
    );
    assert_eq!(keys_of(&run, "isolate").len(), 3, "each a deliberate repetition");
    assert_eq!(keys_of(&run, "page").len(), 2, "a second failure is news again");
    let (_, _, arguments) = run.world.ledger.calls.last().expect("a call");
    assert_eq!(arguments["title"], "isolated isolated");
    assert_eq!(
        run.run().again(&scene.plan, None).unwrap_err(),
        "the run succeeded; to do all of it once more, start a rerun"
    );
}

#[test]
fn a_retry_of_a_list_does_only_the_items_that_failed() {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green, time: 2h}
may: [contain]
steps:
  isolate:
    name: Isolate
    uses: edr.isolate_host
    for_each: thing in incident.observables
    max_parallel: 1
    with: {id: \"{{thing.value}}\"}
",
    );
    for n in 0..4 {
        scene.incident.observables.push(playbooks::incident::Observable {
            kind: playbooks::incident::ObservableType::Domain,
            value: format!("d{n}.example"),
            tlp: None,
            role: None,
        });
    }
    let mut run = scene.play(
        scene
            .world()
            .script("isolate[1]", [REJECTED, Reply::Done(json!({}))]),
    );
    assert_eq!(run.run().status(), RunStatus::Failed);
    let again = run.run().again(&scene.plan, None).expect("something");
    let again: Vec<String> = again
        .iter()
        .map(|one| format!("{}: {}", one.path, one.before))
        .collect();
    assert_eq!(
        again,
        [
            "isolate[1]: scripted failure (rejected)",
            "isolate: 2 of its items were not taken up"
        ]
    );
    run.give(retry(None)).expect("retried");
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Succeeded)));
    assert_eq!(
        calls(&run),
        [
            "isolate[0]",
            "isolate[1]",
            "isolate[1]",
            "isolate[2]",
            "isolate[3]"
        ]
    );
    assert_eq!(run.world.ledger.most_often(), 1);
    let items = step(&scene, &run, "isolate").items.expect("items");
    assert_eq!((items.succeeded, items.failed, items.skipped), (4, 0, 0));
}

#[test]
fn a_run_whose_time_was_over_gets_its_time_again() {
    let scene = Scene::new(TELL);
    let mut run = scene.begin(scene.world());
    run.crash(|_| true).expect("it recovers");
    // Nobody settles it in time.
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Failed)));
    let output = json!({"id": "M-7"});
    run.give(settle(Path::step("tell"), Settlement::Done { output }))
        .expect("late, and still true");
    run.give(retry(None)).expect("retried");
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Succeeded)));
    assert_eq!(calls(&run), ["tell", "note"]);
}

fn keys_of(run: &Played<'_>, id: &str) -> std::collections::BTreeSet<String> {
    run.events()
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Intended(intended) if &*intended.path.step == id => Some(intended.key.to_string()),
            _ => None,
        })
        .collect()
}
