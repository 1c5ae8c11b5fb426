//! Crashes: what is repeated, what is asked, what waits for a person.

use jiff::Timestamp;
use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use playbooks::plan::ATTEMPTS_MAX;
use state::event::{Event, ProbeAnswer, RunStatus};
use state::ids::Path;

use super::*;
use crate::backoff::later;
use crate::decide::{Command, decide};
use crate::effects::{Work, row, wake_at};
use crate::rehearsal::{End, Reply};
use crate::surroundings::Surroundings;

const HEAD: &str = "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [notify, contain]
steps:
  act:
    name: Act
";

/// A playbook of one step for each recovery class.
fn scene(class: &str) -> Scene {
    let step = match class {
        "read" => "    uses: siem.search\n    with: {query: q}\n",
        "set" => "    uses: block.ip\n    with: {ip: 203.0.113.7, reason: r}\n",
        "keyed" => "    uses: ticket.open\n    with: {title: t}\n",
        "probed" => "    uses: edr.isolate_host\n    with: {id: h}\n",
        "once" => "    uses: notify.team\n    with: {text: t}\n",
        other => panic!("{other}"),
    };
    Scene::new(&format!("{HEAD}{step}"))
}

#[test]
fn what_may_be_repeated_is_repeated_with_the_same_key() {
    for class in ["read", "set", "keyed"] {
        let scene = scene(class);
        let mut run = scene.begin(scene.world());
        run.crash(|_| true).expect("it recovers");
        run.to_end().expect("it ends");
        assert_eq!(closed(run.events()).0, RunStatus::Succeeded, "{class}");
        let intents: Vec<_> = run
            .events()
            .iter()
            .filter_map(|recorded| match &recorded.event {
                Event::Intended(intended) => Some(intended),
                _ => None,
            })
            .collect();
        assert_eq!(intents.len(), 2, "{class}");
        assert_eq!(intents[0].key, intents[1].key, "{class}");
        assert_eq!(intents[0].until, intents[1].until, "{class}");
        assert_eq!((intents[0].attempt, intents[1].attempt), (1, 2), "{class}");
    }
}

#[test]
fn what_can_be_asked_is_asked_and_done_once() {
    for happened in [true, false] {
        let scene = scene("probed");
        let mut run = scene.begin(scene.world());
        run.crash(|_| happened).expect("it recovers");
        assert!(matches!(run.work().as_slice(), [Work::Probe(_)]));
        run.to_end().expect("it ends");
        assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
        assert_eq!(
            run.world.ledger.most_often(),
            1,
            "happened before the crash: {happened}"
        );
    }
}

#[test]
fn not_there_means_nothing_while_the_far_end_may_still_work_on_it() {
    let scene = scene("probed");
    let mut run = scene.begin(scene.world());
    run.crash(|_| false).expect("it recovers");
    run.turn(|_| 0).expect("asked at once");
    let answer = run.events().iter().find_map(|recorded| match &recorded.event {
        Event::Probed { answer, .. } => Some(answer),
        _ => None,
    });
    assert!(
        matches!(answer, Some(ProbeAnswer::CannotTell { detail })
            if detail == "it is not there, which means nothing for the first 1m"),
        "{answer:?}"
    );
    assert_eq!(run.run().status(), RunStatus::Waiting);
    assert_eq!(run.work(), [], "nothing before its time");
    assert!(wake_at(&scene.plan, run.run()).is_some_and(|at| at > run.now()));
}

#[test]
fn what_can_be_neither_repeated_nor_asked_waits_for_a_person() {
    let scene = scene("once");
    let mut run = scene.begin(scene.world());
    run.crash(|_| true).expect("it recovers");
    assert_eq!(run.run().status(), RunStatus::Stuck);
    assert_eq!(run.work(), []);
    assert_eq!(status(&scene, &run, "act"), StepStatus::Unknown);
    assert_eq!(
        row(&scene.plan, run.run()).note,
        "waits for a person: the outcome of `act` is unknown"
    );
    run.crash(|_| true).expect("recovering twice");
    assert_eq!(run.run().status(), RunStatus::Stuck);
    assert_eq!(run.world.ledger.most_often(), 1);
}

#[test]
fn a_question_that_is_never_answered_becomes_unknown() {
    let scene = scene("probed");
    let mut run = scene.begin(scene.world());
    run.crash(|_| true).expect("it recovers");
    for _ in 0..crate::run::PROBES_MAX {
        while run.work().is_empty() {
            run.turn(|_| 0).expect("time passes");
        }
        run.give(Command::Probed {
            path: Path::step("act"),
            attempt: 1,
            answer: ProbeAnswer::CannotTell {
                detail: "no access".to_owned(),
            },
        })
        .expect("answered");
    }
    assert_eq!(run.run().status(), RunStatus::Stuck);
    assert_eq!(
        reason(&scene, &run, "act"),
        "asked 4 times, the last answer: no access"
    );
}

#[test]
fn a_lost_answer_is_treated_by_class() {
    for (class, ends, applied) in [
        ("set", Some(RunStatus::Succeeded), 2),
        ("keyed", Some(RunStatus::Succeeded), 2),
        ("probed", Some(RunStatus::Succeeded), 1),
        ("once", None, 1),
    ] {
        let scene = scene(class);
        let replies = [Reply::DoneAnswerLost, Reply::Done(serde_json::json!({}))];
        let mut run = scene.begin(scene.world().script("act", replies));
        let mut end = None;
        for _ in 0..20 {
            end = run.turn(|_| 0).expect("it goes on");
            if end.is_some() || run.run().status() == RunStatus::Stuck {
                break;
            }
        }
        assert_eq!(end, ends.map(End::Over), "{class}");
        assert_eq!(run.world.ledger.most_often(), applied, "{class}");
    }
}

#[test]
fn a_definite_failure_of_a_once_effect_is_a_failure_and_may_be_tried_again() {
    let scene = scene("once");
    let replies = [
        Reply::Fails {
            kind: ErrorKind::Unreachable,
            not_sent: true,
        },
        Reply::Done(serde_json::json!({})),
    ];
    let run = scene.play(scene.world().script("act", replies));
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
    assert_eq!(run.world.ledger.most_often(), 1);
}

#[test]
fn a_repeatable_effect_that_fails_for_good_does_not_claim_that_nothing_happened() {
    let scene = scene("set");
    let run = scene.play(scene.world().script("act", [Reply::DoneAnswerLost]));
    assert_eq!(
        reason(&scene, &run, "act"),
        "no answer in time; it may have happened all the same"
    );
}

#[test]
fn a_step_that_kills_its_host_again_and_again_is_given_up() {
    let scene = scene("read");
    let mut run = scene.begin(scene.world());
    for _ in 0..ATTEMPTS_MAX {
        assert!(!run.work().is_empty());
        run.crash(|_| true).expect("it recovers");
    }
    assert_eq!(closed(run.events()).0, RunStatus::Failed);
    assert_eq!(calls(&run).len(), usize::try_from(ATTEMPTS_MAX).expect("small"));
}

#[test]
fn a_doubtful_effect_that_may_no_longer_be_repeated_is_unknown_not_refused() {
    let mut scene = scene("set");
    let started = scene.started();
    let events = {
        let mut run = scene.begin(scene.world());
        run.turn(|_| usize::MAX).ok();
        run.events()[..2].to_vec()
    };
    scene.operator.guardrails.effects_paused = true;
    let run = crate::Run::fold(&scene.plan, &events).expect("a history");
    let stage = scene.stage();
    let next = crate::decide(
        &scene.plan,
        &run,
        Command::Recover,
        &stage.at(crate::scenery::noon()),
    )
    .expect("decided");
    assert!(
        matches!(next.last(), Some(Event::OutcomeUnknown { detail, .. }) if detail.starts_with(
            "it may have happened, and it may not be repeated: effects are paused")),
        "{next:?}"
    );
    assert_eq!(started.mode, state::event::Mode::Auto);
}

#[test]
fn a_lost_effect_of_a_cancelled_run_is_not_done_again() {
    let scene = scene("set");
    let mut run = scene.begin(scene.world());
    run.give(Command::Cancel {
        actor: state::access::Actor::engine(),
        reason: "r".to_owned(),
    })
    .expect("cancelled");
    run.crash(|_| true).expect("it recovers");
    assert_eq!(closed(run.events()).0, RunStatus::Cancelled);
    assert_eq!(
        closed(run.events()).1,
        "cancelled by engine: r; the outcome of `act` is unknown"
    );
    assert_eq!(run.world.ledger.most_often(), 1);
}

#[test]
fn what_a_clock_says_that_was_set_makes_nobody_believe_it_sooner_or_wait_for_longer() {
    let scene = scene("probed");
    let mut run = scene.begin(scene.world());
    run.crash(|_| false).expect("it recovers");
    let Some(Work::Probe(lost)) = run.work().into_iter().next() else {
        panic!("it is asked about");
    };
    let seconds = |at: Timestamp, seconds| later(at, Span::seconds(seconds));
    let lost_at = run.now();
    let answer = |now, even_since| {
        let around = Surroundings {
            even_since,
            ..scene.stage().at(now)
        };
        let probed = Command::Probed {
            path: lost.path.clone(),
            attempt: lost.attempt,
            answer: ProbeAnswer::NotDone,
        };
        let events = decide(&scene.plan, run.run(), probed, &around).expect("it is awaited");
        let again = events.iter().find_map(|event| match event {
            Event::RetryScheduled { at, .. } => Some(*at),
            _ => None,
        });
        let believed = matches!(
            &events[0],
            Event::Probed {
                answer: ProbeAnswer::NotDone,
                ..
            }
        );
        (believed, again)
    };
    let forth = seconds(lost_at, 3_600);
    assert!(answer(forth, Timestamp::MIN).0, "an hour later");
    assert_eq!(
        answer(seconds(forth, 30), forth),
        (false, Some(seconds(forth, 60))),
        "of the hour only 30 seconds have passed for certain"
    );
    assert!(answer(seconds(forth, 60), forth).0);
    let back = seconds(lost_at, -3_600);
    assert_eq!(answer(seconds(back, 30), back), (false, Some(seconds(back, 60))));
    assert!(answer(seconds(back, 60), back).0, "it does not wait for the hour");
}
