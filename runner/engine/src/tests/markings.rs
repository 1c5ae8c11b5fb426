//! TLP and PAP at run time: whoever may not learn it does not.

use playbooks::incident::{Observable, ObservableType};
use playbooks::marking::{Pap, Tlp};

use super::guardrails::{block, intents};
use super::*;

fn look_up(tlp: Tlp, pap: Pap) -> Scene {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {tlp: red, pap: red}
steps:
  link:
    name: Link
    uses: enrich.url
    on_failure: continue
    with: {url: https://a.example/}
",
    );
    scene.incident.tlp = tlp;
    scene.incident.pap = pap;
    scene
}

#[test]
fn look_ups_leave_out_whoever_may_not_learn_it() {
    let scene = look_up(Tlp::Amber, Pap::Green);
    let run = scene.play(scene.world());
    let intents = intents(run.events());
    assert_eq!(intents[0].connections, ["careful"]);
    assert_eq!(intents[0].left_out[0].connection, "fast");
    assert_eq!(
        intents[0].left_out[0].why,
        "this is TLP:AMBER, `fast` accepts up to TLP:GREEN"
    );
    assert_eq!(intents[0].tlp, Tlp::Amber);
}

#[test]
fn a_look_up_that_nobody_may_learn_of_fails_and_nothing_is_sent() {
    for (tlp, pap, kind) in [
        (Tlp::Red, Pap::Green, RefusalKind::Tlp),
        (Tlp::Green, Pap::Red, RefusalKind::Pap),
    ] {
        let scene = look_up(tlp, pap);
        let run = scene.play(scene.world());
        assert_eq!(refusal(run.events(), "link").0, kind);
        assert_eq!(
            status(&scene, &run, "link"),
            StepStatus::Failed,
            "a refused read counts as failed"
        );
        assert_eq!(run.world.ledger.calls.len(), 0);
        assert_eq!(closed(run.events()).1, "0 steps done; 1 failure was handled");
    }
}

#[test]
fn a_stricter_observable_makes_the_step_stricter() {
    let mut scene = look_up(Tlp::Green, Pap::Green);
    scene.incident.observables.push(Observable {
        kind: ObservableType::Domain,
        value: "a.example".to_owned(),
        tlp: Some(Tlp::Amber),
        role: None,
    });
    let run = scene.play(scene.world());
    assert_eq!(intents(run.events())[0].connections, ["careful"]);
}

#[test]
fn an_active_measure_needs_a_marking_that_allows_it() {
    let mut scene = block("203.0.113.7");
    scene.plan.limits.pap = Pap::Amber;
    scene.incident.pap = Pap::Amber;
    let run = scene.play(scene.world());
    assert_eq!(
        refusal(run.events(), "block"),
        (
            RefusalKind::Pap,
            "this is PAP:AMBER, and block.ip is allowed up to PAP:GREEN: the adversary may notice it"
        )
    );
}

#[test]
fn red_never_leaves_the_house() {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {tlp: red, pap: green}
may: [contain]
steps:
  isolate:
    name: Isolate
    uses: edr.isolate_host
    with: {id: h}
",
    );
    scene.incident.tlp = Tlp::Red;
    scene.operator.connections.get_mut("edr").expect("edr").tlp = Tlp::Red;
    let run = scene.play(scene.world());
    assert_eq!(
        refusal(run.events(), "isolate"),
        (
            RefusalKind::Tlp,
            "TLP:RED never leaves the house, and `edr` is outside"
        )
    );
}
