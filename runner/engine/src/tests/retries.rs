//! Trying again: how often, how long, and never earlier than asked.

use jiff::{SignedDuration, Timestamp};
use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use state::event::{Event, Outcome};
use state::ids::{Path, RunId};

use super::*;
use crate::backoff;
use crate::decide::Command;
use crate::effects::Work;
use crate::rehearsal::Reply;
use crate::scenery::noon;

const SEARCH: &str = "
trigger: {incident: [phishing]}
steps:
  seen:
    name: Seen
    uses: siem.search
    retry: {attempts: 4, backoff: 2s..10s, errors: [timeout, throttled]}
    with: {query: known}
";

fn fails(kind: ErrorKind) -> Reply {
    Reply::Fails { kind, not_sent: true }
}

fn waits(events: &[Recorded]) -> Vec<i64> {
    let at = |recorded: &Recorded| match &recorded.event {
        Event::RetryScheduled { at, .. } => Some(at.duration_since(recorded.at).as_millis()),
        _ => None,
    };
    events
        .iter()
        .filter_map(at)
        .map(|milliseconds| i64::try_from(milliseconds).expect("short"))
        .collect()
}

#[test]
fn it_tries_again_with_doubling_waits_until_it_succeeds() {
    let scene = Scene::new(SEARCH);
    let world = scene.world().script(
        "seen",
        [
            fails(ErrorKind::Timeout),
            fails(ErrorKind::Throttled),
            fails(ErrorKind::Timeout),
            Reply::Done(serde_json::json!({})),
        ],
    );
    let run = scene.play(world);
    assert_eq!(calls(&run).len(), 4);
    let waits = waits(run.events());
    for (wait, full) in waits.iter().zip([2_000, 4_000, 8_000]) {
        assert!((full / 2..=full).contains(wait), "{waits:?}");
    }
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
    assert_eq!(step(&scene, &run, "seen").attempts, 4);
}

#[test]
fn attempts_end_and_other_failures_are_final_at_once() {
    let scene = Scene::new(SEARCH);
    let run = scene.play(scene.world().script("seen", [fails(ErrorKind::Timeout)]));
    assert_eq!(calls(&run).len(), 4);
    let run = scene.play(scene.world().script("seen", [fails(ErrorKind::Unreachable)]));
    assert_eq!(calls(&run).len(), 1, "not among its errors");
    let run = scene.play(scene.world().script("seen", [fails(ErrorKind::Rejected)]));
    assert_eq!(calls(&run).len(), 1);
}

fn after(scene: &Scene, retry_after: Span) -> Vec<Recorded> {
    let mut run = scene.begin(scene.world());
    let Some(Work::Perform(intended)) = run.work().first().cloned() else {
        panic!("no work");
    };
    run.give(Command::Finished {
        path: intended.path.clone(),
        attempt: 1,
        outcome: Outcome::Failed {
            kind: ErrorKind::Throttled,
            detail: "slow down".to_owned(),
            not_sent: true,
            retry_after: Some(retry_after),
        },
        duration_ms: 1,
    })
    .expect("finished");
    run.events().to_vec()
}

#[test]
fn it_never_comes_back_earlier_than_asked_and_gives_up_when_that_is_too_long() {
    let scene = Scene::new(SEARCH);
    let hour = 3_600_000;
    assert_eq!(waits(&after(&scene, Span::minutes(30))), [hour / 2]);
    assert_eq!(waits(&after(&scene, Span::hours(1))), [hour]);
    let events = after(&scene, Span::milliseconds(hour + 1));
    assert_eq!(waits(&events), [0_i64; 0]);
    assert_eq!(closed(&events).0, RunStatus::Failed);
}

#[test]
fn a_block_is_not_tried_again_after_its_own_end() {
    for (lasts, attempts, status) in [("5m", 1, "refused"), ("2h", 2, "succeeded")] {
        let scene = Scene::new(&format!(
            "
trigger: {{incident: [phishing]}}
limits: {{pap: green}}
may: [contain]
steps:
  block:
    name: Block
    uses: block.ip
    retry: {{attempts: 3, backoff: 30m..1h, errors: [throttled]}}
    with: {{ip: \"203.0.113.7\", reason: r}}
    undo: {{after: {lasts}}}
"
        ));
        let world = scene.world().script(
            "block",
            [
                fails(ErrorKind::Throttled),
                Reply::Done(serde_json::json!({"ip": "203.0.113.7", "list": "ip"})),
            ],
        );
        let run = scene.play(world);
        let found = step(&scene, &run, "block");
        assert_eq!(calls(&run).len(), attempts, "{lasts}");
        assert_eq!(found.status.word(), status, "{lasts}: {:?}", found.reason);
    }
}

#[test]
fn what_a_probe_looks_for_was_sent_no_earlier_than_the_first_intent() {
    let scene = Scene::new(SEARCH);
    let events = after(&scene, Span::minutes(30));
    let run = crate::Run::fold(&scene.plan, &events).expect("a history");
    let begun = run.begun_at(&scene.plan, &Path::step("seen"));
    assert_eq!(begun, Some(noon()));
    assert_eq!(run.begun_at(&scene.plan, &Path::step("absent")), None);
}

#[test]
fn jitter_depends_on_the_run_and_on_nothing_else() {
    let run = |n| RunId::from_parts(n, u128::from(n));
    let wait = |n| {
        let range = (Span::seconds(10), Span::minutes(5));
        backoff::next(range, &run(n), &Path::step("a"), 1, None, noon())
    };
    assert_eq!(wait(1), wait(1));
    let spread: std::collections::BTreeSet<Timestamp> = (0..50).map(wait).collect();
    assert!(spread.len() > 40, "{}", spread.len());
    let half = noon() + SignedDuration::from_secs(5);
    let full = noon() + SignedDuration::from_secs(10);
    assert!(spread.iter().all(|at| (half..=full).contains(at)));
}

#[test]
fn absurd_numbers_do_not_overflow() {
    let range = (Span::days(300), Span::days(366));
    let at = backoff::next(
        range,
        &RunId::from_parts(1, 1),
        &Path::step("a"),
        u32::MAX,
        None,
        Timestamp::MAX,
    );
    assert_eq!(at, Timestamp::MAX);
}

#[test]
fn a_late_or_repeated_result_is_dropped() {
    let scene = Scene::new(SEARCH);
    let mut run = scene.begin(scene.world().script("seen", [fails(ErrorKind::Timeout)]));
    run.turn(|_| 0).expect("attempt 1 fails");
    let late = Command::Finished {
        path: Path::step("seen"),
        attempt: 1,
        outcome: Outcome::Succeeded {
            output: serde_json::json!({"count": 1}),
            reference: None,
        },
        duration_ms: 1,
    };
    assert_eq!(
        run.give(late.clone()).expect_err("stale"),
        "attempt 1 of `seen` is not awaited: it waits to be tried again"
    );
    run.turn(|_| 0).expect("time passes");
    assert_eq!(
        run.give(late).expect_err("stale"),
        "attempt 1 of `seen` is not awaited: another attempt is in work"
    );
}
