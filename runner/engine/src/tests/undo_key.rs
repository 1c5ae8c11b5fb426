//! `undo` of a step.

use serde_json::{Value, json};
use state::event::{Event, Intended};

use super::guardrails::intents;
use super::*;
use crate::rehearsal::{End, Reply};
use crate::scenery::noon;

fn scene(steps: &str) -> Scene {
    Scene::new(&format!(
        "
trigger: {{incident: [phishing]}}
limits: {{pap: green, time: 2h}}
may: [notify, contain]
steps:
{steps}"
    ))
}

fn intended<'a>(run: &'a Played<'_>, path: &str) -> Option<&'a Intended> {
    intents(run.events())
        .into_iter()
        .find(|intended| intended.path.to_string() == path)
}

const WATCHED: &str = "
  isolate:
    name: Isolate
    uses: edr.isolate_host
    with: {id: h-1}
    undo: {when: steps.second.score < 50, after: 3d}
  first: {name: First, uses: siem.search, with: {query: seen}}
  second:
    name: Second
    uses: enrich.url
    after: [first, isolate]
    with: {url: https://a.example/}
    on_failure: continue
  last: {name: Last, uses: notify.team, after: [second], with: {text: t}}
";

#[test]
fn what_is_watched_for_is_taken_back_at_once_and_the_run_goes_on() {
    let scene = scene(WATCHED);
    let world = scene.world().script("second", [Reply::Done(json!({"score": 7}))]);
    let run = scene.play(world);
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
    assert_eq!(step(&scene, &run, "last").status.word(), "succeeded");
    let asked = run.events().iter().find_map(|one| match &one.event {
        Event::UndoRequested { reason, goes_on, .. } => Some((reason.as_str(), *goes_on)),
        _ => None,
    });
    assert_eq!(asked, Some(("undo.when: steps.second.score < 50", true)));
    let back = intended(&run, "undo:isolate").expect("taken back");
    assert_eq!(back.action, "edr.release_host");
    let order: Vec<String> = calls(&run);
    let at = |path: &str| order.iter().position(|one| one == path);
    assert!(at("second") < at("undo:isolate"), "{order:?}");
    assert!(
        closed(run.events()).1.contains("1 effect was taken back"),
        "{:?}",
        closed(run.events())
    );
}

#[test]
fn nothing_waits_for_what_is_watched_and_absent_means_no() {
    let failed = Reply::Fails {
        kind: playbooks::action_spec::ErrorKind::Rejected,
        not_sent: true,
    };
    for (reply, detail) in [
        (Reply::Done(json!({"score": 50})), "it does not hold"),
        (failed, "it is absent"),
    ] {
        let scene = scene(WATCHED);
        let run = scene.play(scene.world().script("second", [reply]));
        assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
        assert!(intended(&run, "undo:isolate").is_none(), "{detail}");
        let order = calls(&run);
        assert!(order.contains(&"isolate".to_owned()), "{order:?}");
    }
}

#[test]
fn what_is_watched_for_and_cannot_be_taken_back_waits_for_a_person_at_the_end() {
    let scene = scene(WATCHED);
    let rejected = Reply::Fails {
        kind: playbooks::action_spec::ErrorKind::Rejected,
        not_sent: true,
    };
    let world = scene
        .world()
        .script("second", [Reply::Done(json!({"score": 7}))])
        .script("undo:isolate", [rejected]);
    let mut run = scene.begin(world);
    assert_eq!(run.to_end(), Ok(End::WaitsForPerson));
    assert_eq!(
        step(&scene, &run, "last").status.word(),
        "succeeded",
        "the run went on"
    );
    assert_eq!(run.run().status(), RunStatus::Stuck);
}

#[test]
fn an_effect_of_any_kind_can_have_an_end_that_is_fixed_at_its_intent() {
    let scene = scene(WATCHED);
    let run = scene.play(scene.world());
    let effect = intended(&run, "isolate").expect("isolated");
    assert_eq!(effect.arguments["for"], "3d");
    let at = run.events().iter().find_map(|one| match &one.event {
        Event::Intended(intended) if intended.path == effect.path => Some(one.at),
        _ => None,
    });
    let until = effect.until.expect("an end");
    assert_eq!(until.duration_since(at.expect("a time")).as_hours(), 72);
}

#[test]
fn a_named_inverse_reads_what_the_step_gave_and_a_reason_rules_it_out() {
    for (undo, expected) in [
        (
            "{uses: edr.release_host, with: {id: \"{{steps.isolate.state}}\"}}",
            Ok(("edr.release_host", json!({"id": "cut off"}))),
        ),
        (
            "{none: They call us}",
            Err("the playbook rules it out: They call us"),
        ),
        ("auto", Ok(("edr.release_host", json!({"id": "h-1"})))),
    ] {
        let scene = scene(&format!(
            "  isolate:\n    name: Isolate\n    uses: edr.isolate_host\n    with: {{id: h-1}}\n    undo: {undo}\n"
        ));
        let world = scene
            .world()
            .script("isolate", [Reply::Done(json!({"state": "cut off"}))]);
        let run = scene.play(world);
        let lines = run.run().undo_plan(&scene.plan, &scene.stage().at(run.now()));
        let found: Result<(&str, Value), &str> = match &lines[0].inverse {
            Ok(inverse) => Ok((inverse.action.as_str(), inverse.arguments.clone())),
            Err(why) => Err(why.as_str()),
        };
        assert_eq!(found, expected, "{undo}");
    }
}

#[test]
fn a_crash_anywhere_takes_it_back_once() {
    let scene = scene(WATCHED);
    let world = || scene.world().script("second", [Reply::Done(json!({"score": 7}))]);
    let started = scene.started();
    let drill = crate::rehearsal::crash_everywhere(scene.stage(), &started, noon(), world).expect("holds");
    assert!(drill.crashes >= 10, "{drill:?}");
}
