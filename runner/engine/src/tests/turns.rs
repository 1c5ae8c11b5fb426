//! Runs that wait for their turn.

use state::event::{Event, Turn};

use super::*;
use crate::decide::{Command, Refusal};
use crate::effects::{row, wake_at};
use crate::rehearsal::End;
use crate::scenery::noon;

const ONE_AT_A_TIME: &str = "
trigger: {incident: [phishing]}
limits: {pap: green, time: 2h}
concurrency: {key: [\"${{ incident.ref }}\", \"${{ entity.id }}\"], limit: 1}
may: [notify]
steps:
  tell: {name: Tell, uses: notify.team, with: {text: t}}
";

/// A run that is not begun.
fn queued(scene: &Scene) -> Played<'_> {
    let mut started = scene.started();
    started.turn = crate::turn(&scene.plan, &started, &scene.stage().at(noon())).expect("it has a key");
    Played::begin(scene.stage(), started, noon(), scene.world()).expect("it begins")
}

#[test]
fn nothing_happens_before_its_turn_and_its_time_runs_from_then() {
    let scene = Scene::new(ONE_AT_A_TIME);
    let mut run = queued(&scene);
    assert_eq!(
        run.run().started().turn,
        Some(Turn {
            key: "[\"PH-2026-00001\",\"ville\"]".to_owned(),
            limit: 1
        })
    );
    let stands = row(&scene.plan, run.run());
    assert_eq!((stands.status, stands.wake_at), (RunStatus::Queued, None));
    assert_eq!(
        stands.note,
        "waits for its turn: at most 1 of `test` at once for [\"PH-2026-00001\",\"ville\"]"
    );
    assert!(stands.turns.is_some_and(|turns| turns.starts_with("ville test ")));
    for command in [Command::Advance, Command::Wake, Command::Recover] {
        let events = run.offer(command).expect("it holds").expect("it applies");
        assert_eq!(events, 0, "it is not its turn");
    }
    assert_eq!(run.work(), []);

    let begun = run.run().clone();
    run.offer(Command::Admit)
        .expect("it holds")
        .expect("it is its turn");
    let Some(Event::Admitted { deadline }) = run.events().get(1).map(|one| &one.event) else {
        panic!("{:?}", run.events());
    };
    assert_eq!(
        *deadline,
        crate::backoff::later(run.now(), scene.plan.limits.time)
    );
    assert_eq!(wake_at(&scene.plan, &begun), None);
    let twice = run.offer(Command::Admit).expect("it holds");
    assert_eq!(twice, Err(Refusal::NotQueued));
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Succeeded)));
    assert_eq!(row(&scene.plan, run.run()).turns, None, "it keeps nobody waiting");
}

#[test]
fn a_run_that_is_cancelled_while_it_waits_is_over_and_did_nothing() {
    let scene = Scene::new(ONE_AT_A_TIME);
    let mut run = queued(&scene);
    let cancel = Command::Cancel {
        actor: state::access::Actor::engine(),
        reason: "no longer needed".to_owned(),
    };
    run.offer(cancel).expect("it holds").expect("it applies");
    assert_eq!(run.run().status(), RunStatus::Cancelled);
    assert!(run.world.ledger.calls.is_empty());
}

#[test]
fn what_has_no_effects_takes_no_turns() {
    let mut scene = Scene::new(ONE_AT_A_TIME);
    scene.mode = state::event::Mode::Simulate;
    let around = scene.stage().at(noon());
    assert_eq!(crate::turn(&scene.plan, &scene.started(), &around), Ok(None));
}
