//! Taking effects back.

use playbooks::action_spec::ErrorKind;
use serde_json::json;
use state::event::{Event, Settlement};
use state::ids::Path;

use super::people::{nora, settle};
use super::*;
use crate::decide::Command;
use crate::effects::row;
use crate::rehearsal::{End, Reply};

const REJECTED: Reply = Reply::Fails {
    kind: ErrorKind::Rejected,
    not_sent: true,
};

fn scene(tail: &str) -> Scene {
    let mut scene = Scene::new(&format!(
        "
trigger: {{incident: [phishing]}}
limits: {{pap: green, time: 2h}}
may: [notify, contain]
steps:
  isolate:
    name: Isolate
    uses: edr.isolate_host
    with: {{id: h-1}}
  block:
    name: Block
    uses: block.domain
    after: [isolate]
    for_each: thing in incident.observables
    with: {{domain: \"${{{{ thing.value }}}}\", reason: r}}
  tell:
    name: Tell
    uses: notify.team
    after: [block]
    with: {{text: t}}
{tail}"
    ));
    for n in 0..2 {
        scene.incident.observables.push(playbooks::incident::Observable {
            kind: playbooks::incident::ObservableType::Domain,
            value: format!("d{n}.example"),
            tlp: None,
            role: None,
        });
    }
    scene
}

fn lines(scene: &Scene, run: &Played<'_>) -> Vec<String> {
    let plan = run.run().undo_plan(&scene.plan, &scene.stage().at(run.now()));
    plan.into_iter()
        .map(|line| match line.inverse {
            Ok(inverse) => format!("{}: {} {}", line.path, inverse.action, inverse.arguments),
            Err(why) => format!("{}: no, {why}", line.path),
        })
        .collect()
}

fn undo(paths: &[Path]) -> Command {
    Command::Undo {
        paths: paths.to_vec(),
        actor: nora(),
        reason: "a false alarm".to_owned(),
    }
}

fn all() -> Vec<Path> {
    vec![
        Path::step("isolate"),
        Path::item("block", 0),
        Path::item("block", 1),
    ]
}

#[test]
fn effects_are_taken_back_newest_first_and_only_once() {
    let scene = scene("");
    let mut run = scene.play(scene.world());
    assert_eq!(
        lines(&scene, &run),
        [
            "tell: no, it has no inverse",
            r#"block[1]: unblock.ip {"domain":"d1.example"}"#,
            r#"block[0]: unblock.ip {"domain":"d0.example"}"#,
            r#"isolate: edr.release_host {"id":"h-1"}"#,
        ]
    );
    let refused = run.give(undo(&[Path::step("tell")]));
    assert_eq!(refused.unwrap_err(), "`tell`: it has no inverse");

    run.give(undo(&all())).expect("requested");
    assert_eq!(run.run().status(), RunStatus::Running);
    assert_eq!(
        run.to_end(),
        Ok(End::Over(RunStatus::Succeeded)),
        "it ends as it had ended"
    );
    let back: Vec<String> = calls(&run)
        .into_iter()
        .filter(|path| path.starts_with("undo:"))
        .collect();
    assert_eq!(back, ["undo:block[1]", "undo:block[0]", "undo:isolate"]);
    assert!(closed(run.events()).1.ends_with("; 3 effects were taken back"));

    let twice = run.give(undo(&all())).unwrap_err();
    assert!(twice.ends_with("it was taken back before"), "{twice}");
    assert_eq!(run.world.ledger.most_often(), 1);
}

#[test]
fn what_cannot_be_taken_back_waits_for_a_person_and_keeps_nothing_else_in_force() {
    let scene = scene("");
    let world = scene
        .world()
        .script("undo:block[1]", [REJECTED, Reply::Done(json!({}))]);
    let mut run = scene.play(world);
    run.give(undo(&all())).expect("requested");
    assert_eq!(run.to_end(), Ok(End::WaitsForPerson));
    assert_eq!(run.run().status(), RunStatus::Stuck);
    assert_eq!(
        row(&scene.plan, run.run()).note,
        "waits for a person: what `block` did could not be taken back: scripted failure (rejected)"
    );
    assert_eq!(lines(&scene, &run)[2], "block[0]: no, it was taken back before");

    // Once more, or by hand, or taken note of.
    let stuck = run.events().to_vec();
    run.give(undo(&[Path::item("block", 1)])).expect("once more");
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Succeeded)));
    let keys: std::collections::BTreeSet<_> = run
        .events()
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Intended(intended) if intended.path == Path::item("block", 1).undoing() => {
                Some(intended.key.clone())
            }
            _ => None,
        })
        .collect();
    assert_eq!(keys.len(), 2, "a deliberate repetition");

    let decide = |command: Command| {
        let run = crate::Run::fold(&scene.plan, &stuck).expect("it reads");
        let events = crate::decide(
            &scene.plan,
            &run,
            command,
            &scene.stage().at(crate::scenery::noon()),
        );
        events.expect("decided").last().cloned()
    };
    let by_hand = Settlement::ByHand { output: json!({}) };
    let ends = [
        settle(Path::item("block", 1).undoing(), by_hand),
        Command::Acknowledge {
            actor: nora(),
            reason: "it stays".to_owned(),
        },
    ];
    for command in ends {
        let last = decide(command);
        assert!(
            matches!(
                &last,
                Some(Event::Closed {
                    status: RunStatus::Succeeded,
                    ..
                })
            ),
            "{last:?}"
        );
    }
}

#[test]
fn a_failed_run_that_was_taken_back_is_answered() {
    let scene = scene("");
    let mut run = scene.play(scene.world().script("tell", [REJECTED]));
    assert!(row(&scene.plan, run.run()).attention);
    run.give(undo(&all())).expect("requested");
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Failed)));
    assert!(!row(&scene.plan, run.run()).attention);
}

#[test]
fn a_run_that_goes_on_is_ended_first() {
    let scene = scene("finally:\n  close:\n    name: Close\n    uses: ticket.open\n    with: {title: t}\n");
    let mut run = scene.begin(scene.world());
    run.turn(|_| 0).expect("isolated");
    run.give(undo(&[Path::step("isolate")])).expect("requested");
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Cancelled)));
    assert_eq!(
        calls(&run).last().map(String::as_str),
        Some("undo:isolate"),
        "{:?}",
        calls(&run)
    );
    assert!(calls(&run).contains(&"close".to_owned()));
}

#[test]
fn a_crash_in_the_middle_of_taking_back_takes_nothing_back_twice() {
    for (happened, turns) in [true, false]
        .into_iter()
        .flat_map(|happened| (0..4).map(move |turns| (happened, turns)))
    {
        let scene = scene("");
        let mut run = scene.play(scene.world());
        run.give(undo(&all())).expect("requested");
        for _ in 0..turns {
            run.turn(|_| 0).expect("it holds");
        }
        run.crash(|_| happened).expect("it recovers");
        assert_eq!(
            run.to_end(),
            Ok(End::Over(RunStatus::Succeeded)),
            "{happened} {turns}"
        );
        let effects = run.world.ledger.effects();
        assert_eq!(
            effects.iter().filter(|name| **name == "edr.release_host").count(),
            1
        );
        for applied in run.world.ledger.applied.values() {
            assert!(applied.times == 1 || applied.recovery.repeatable(), "{applied:?}");
        }
        let folded = crate::Run::fold(&scene.plan, run.events()).expect("it reads");
        assert_eq!(row(&scene.plan, &folded), row(&scene.plan, run.run()));
    }
}

#[test]
fn a_step_may_have_everything_taken_back_when_it_fails() {
    let scene = scene("")
        .plan
        .source
        .replace("with: {text: t}", "with: {text: t}\n    on_failure: undo");
    let body = scene
        .split_once("owner: duty\n")
        .map(|(_, body)| body.to_owned())
        .expect("a body");
    let mut scene = Scene::new(&body);
    scene.incident.observables = self::scene("").incident.observables;
    let run = scene.play(scene.world().script("tell", [REJECTED]));
    assert_eq!(run.run().status(), RunStatus::Failed);
    let back: Vec<String> = calls(&run)
        .into_iter()
        .filter(|path| path.starts_with("undo:"))
        .collect();
    assert_eq!(back, ["undo:block[1]", "undo:block[0]", "undo:isolate"]);
}

/// In the shadow nothing was done. An inverse would be a real call, and might take back what
/// somebody else had done.
#[test]
fn what_was_only_simulated_is_not_taken_back() {
    let mut scene = scene(
        "  look:
    name: Look
    uses: enrich.url
    after: [tell]
    with: {url: \"https://bad.example/\"}
    on_failure: undo
",
    );
    scene.mode = state::event::Mode::Simulate;
    let mut run = scene.play(scene.world().script("look", [REJECTED]));
    assert_eq!(run.run().status(), RunStatus::Failed);
    assert_eq!(calls(&run), ["look"]);

    let refused = run.give(undo(&all())).unwrap_err();
    assert!(
        refused.ends_with("nothing was done: the run only says what it would have done"),
        "{refused}"
    );
}
