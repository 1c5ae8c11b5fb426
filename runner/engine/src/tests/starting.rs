//! Whether a playbook applies, and with which inputs.

use std::collections::BTreeMap;

use playbooks::incident::IncidentType;
use playbooks::marking::Tlp;
use playbooks::operator::Rollout;
use serde_json::json;
use state::access::Actor;
use state::event::{Mode, StartedBy};
use state::ids::RunId;

use super::*;
use crate::scenery::noon;
use crate::start::{Match, StartRefusal, StartRequest, matches, start};

const BODY: &str = "
trigger:
  incident: [phishing]
  when: has(incident.domain)
  once_per:
    key: ${{ [entity.id, incident.domain] }}
    within: 1h
limits: {tlp: amber}
inputs:
  length: {type: duration, default: 1d, min: 1h, max: 2d}
  depth: {type: int, default: 2, choices: [1, 2, 3]}
  why: {type: string}
steps:
  seen:
    name: Seen
    uses: siem.search
    with: {query: \"{{incident.domain}} {{inputs.why}} {{inputs.length}} {{inputs.depth}}\"}
";

fn matched(scene: &Scene) -> Match {
    matches(
        &scene.plan,
        &scene.incident,
        &scene.operator.entities["ville"],
        &scene.operator.organisation,
    )
}

fn why_not(scene: &Scene) -> String {
    match matched(scene) {
        Match::No { why } => why,
        yes @ Match::Yes { .. } => panic!("{yes:?}"),
    }
}

#[test]
fn a_trigger_matches_with_its_key_or_says_which_part_said_no() {
    let mut scene = Scene::new(BODY);
    let Match::Yes { once: Some(once) } = matched(&scene) else {
        panic!("{:?}", matched(&scene));
    };
    assert_eq!(once.key, r#"["ville","bad.example"]"#);
    scene.incident.domain = None;
    assert_eq!(
        why_not(&scene),
        "when: has(incident.domain) was false (incident.domain is absent)"
    );
    scene.incident.kind = IncidentType::Malware;
    assert_eq!(why_not(&scene), "it wants phishing, this is malware");
    scene.incident = crate::scenery::incident();
    scene.incident.tlp = Tlp::Red;
    assert_eq!(
        why_not(&scene),
        "the incident is TLP:RED, `test` accepts up to TLP:AMBER"
    );
    let entity = scene.operator.entities.get_mut("ville").expect("ville");
    entity.rollout.insert("test".to_owned(), Rollout::Off);
    assert_eq!(
        why_not(&scene),
        "`test` is off for ville; turn it to `auto` in the entity's file: rollout: {test: auto}"
    );
}

#[test]
fn in_the_shadow_every_start_only_simulates_and_keeps_its_own_key() {
    let mut scene = Scene::new(BODY);
    let Match::Yes { once: Some(auto) } = matched(&scene) else {
        panic!("{:?}", matched(&scene));
    };
    let entity = scene.operator.entities.get_mut("ville").expect("ville");
    entity.rollout.insert("test".to_owned(), Rollout::Shadow);
    let Match::Yes { once: Some(shadow) } = matched(&scene) else {
        panic!("{:?}", matched(&scene));
    };
    assert_ne!(
        auto.key, shadow.key,
        "a shadow must not swallow what comes after it is lifted"
    );
    let mode = |by| {
        let request = StartRequest {
            run: RunId::from_parts(1, 1),
            incident: Some(("PH-2026-00001".parse().expect("a reference"), &scene.incident)),
            inputs: BTreeMap::from([("why".to_owned(), json!("x"))]),
            by,
            actor: Actor::engine(),
            mode: Mode::Auto,
        };
        let started = start(&scene.plan, request, &scene.stage().at(noon()));
        started.expect("it starts").mode
    };
    assert_eq!(mode(StartedBy::Trigger), Mode::Simulate);
    assert_eq!(mode(StartedBy::Hand), Mode::Simulate);
    assert_eq!(mode(StartedBy::Expiry), Mode::Auto);
}

fn try_start(scene: &Scene, by: StartedBy, inputs: Value) -> Result<BTreeMap<String, Value>, StartRefusal> {
    let request = StartRequest {
        run: RunId::from_parts(1, 1),
        incident: Some(("PH-2026-00001".parse().expect("a reference"), &scene.incident)),
        inputs: serde_json::from_value(inputs).expect("a map"),
        by,
        actor: Actor::engine(),
        mode: Mode::Auto,
    };
    start(&scene.plan, request, &scene.stage().at(noon())).map(|started| started.inputs)
}

#[test]
fn inputs_are_typed_bounded_and_complete() {
    let scene = Scene::new(BODY);
    let given = |inputs| try_start(&scene, StartedBy::Hand, inputs);
    let inputs = given(json!({"why": "x"})).expect("defaults");
    assert_eq!(
        serde_json::to_value(inputs).expect("json"),
        json!({"depth": 2, "length": "1d", "why": "x"})
    );
    for (inputs, refusal) in [
        (json!({}), "input `why`: must be given: string"),
        (
            json!({"why": "x", "depth": 4}),
            "input `depth`: 4 is none of 1, 2, 3",
        ),
        (
            json!({"why": "x", "length": "59m"}),
            "input `length`: `59m` is below the smallest, `1h`",
        ),
        (
            json!({"why": "x", "length": "49h"}),
            "input `length`: `49h` is above the largest, `2d`",
        ),
        (
            json!({"why": "x", "other": 1}),
            "input `other`: there is no such input; the playbook has length, depth, why",
        ),
        (json!({"why": 7}), "input `why`: string is expected, found 7"),
    ] {
        assert_eq!(given(inputs).expect_err(refusal).to_string(), refusal);
    }
    for length in ["1h", "2d"] {
        given(json!({"why": "x", "length": length})).expect("at the bound");
    }
}

#[test]
fn off_never_starts_and_manual_false_is_not_for_hands() {
    let mut scene = Scene::new(&BODY.replace("trigger:", "trigger:\n  manual: false"));
    let inputs = || json!({"why": "x"});
    assert_eq!(
        try_start(&scene, StartedBy::Hand, inputs()).expect_err("by hand"),
        StartRefusal::NotByHand("test".to_owned())
    );
    try_start(&scene, StartedBy::Trigger, inputs()).expect("by its trigger");
    scene
        .operator
        .entities
        .get_mut("ville")
        .expect("ville")
        .rollout
        .clear();
    for by in [StartedBy::Hand, StartedBy::Trigger] {
        let refusal = try_start(&scene, by, inputs()).expect_err("off");
        assert!(matches!(refusal, StartRefusal::Off { .. }), "{refusal}");
    }
    try_start(&scene, StartedBy::Expiry, inputs()).expect("the agreed end of an effect");
}

#[test]
fn a_start_by_hand_keeps_the_precondition() {
    let mut scene = Scene::new(BODY);
    scene.incident.domain = None;
    assert_eq!(
        try_start(&scene, StartedBy::Hand, json!({"why": "x"}))
            .expect_err("when")
            .to_string(),
        "when: has(incident.domain) was false (incident.domain is absent)"
    );
}
