//! Tests of playbooks, played: mocks, crashes, replays, the complete list of effects, coverage.

use playbooks::diagnostic::Source;
use playbooks::trial::{TrialFile, check};
use serde_json::json;
use state::event::{Intended, Outcome, Started};

use super::*;
use crate::rehearsal::{Played, Uncovered, crash, differences, play, same_effects};

const TRIAGE: &str = "
trigger: {incident: [phishing], once_per: {key: \"${{ incident.ref }}\", within: 1h}}
limits: {pap: green}
may: [notify, contain]
steps:
  parts: {name: Parts, uses: extract.text, with: {text: t}}
  links:
    name: Links
    uses: enrich.url
    for_each: link in steps.parts.urls
    with: {url: \"${{ link }}\"}
    on_failure: continue
  block:
    name: Block
    uses: block.domain
    if: verdict == 'malicious'
    with: {domain: bad.example, reason: \"{{incident.ref}}\"}
    if_refused: continue
  isolate: {name: Isolate, uses: edr.isolate_host, if: verdict == 'malicious', with: {id: h}}
  tell: {name: Tell, uses: notify.team, with: {text: \"{{verdict}}\"}}
let:
  bad: steps.links.items.filter(l, l.verdict == 'malicious')
  verdict: \"size(bad) > 0 ? 'malicious' : steps.links.failed > 0 ? 'unknown' : 'clean'\"
outputs:
  verdict: verdict
";

fn compute(_: &Started, _: &Intended) -> Outcome {
    Outcome::Succeeded {
        output: json!({"urls": ["https://one.example/", "https://two.example/"], "ips": []}),
        reference: None,
    }
}

/// Plays the one test of a file.
fn played(scene: &Scene, test: &str) -> (Played, Vec<String>) {
    let text = format!(
        "playbook: test\ntests:\n  - name: t\n    {}\n",
        test.replace('\n', "\n    ")
    );
    let source = Source::new("test.test.yaml", text);
    let (file, found) = TrialFile::read(&source);
    assert_eq!(found, Vec::new(), "{}", source.text);
    let mut file = file.expect("it is whole");
    let found = check(&source, &mut file, Some(&scene.plan), &scene.catalogue);
    assert_eq!(found, Vec::new(), "{}", source.text);
    let trial = &file.trials[0];
    let stage = crate::rehearsal::Scene {
        stage: scene.stage(),
        incident: Some(&scene.incident),
        file: &file,
        trial,
        compute: &compute,
    };
    let one = play(stage, 1).expect("it holds");
    let two = play(stage, 2).expect("it holds");
    assert_eq!(same_effects(&one, &two), None);
    let found = differences(&trial.expect, &one)
        .into_iter()
        .map(|found| {
            format!(
                "{}: {} | {}",
                found.key,
                found.expected.join("; "),
                found.got.join("; ")
            )
        })
        .collect();
    (one, found)
}

#[test]
fn a_test_that_holds_says_nothing() {
    let scene = Scene::new(TRIAGE);
    let (played, found) = played(
        &scene,
        "mocks: {links: [{verdict: malicious, score: 99}, {verdict: clean}]}
expect:
  status: succeeded
  outputs: {verdict: malicious}
  effects:
    - notify.team: {text: malicious}
    - edr.isolate_host
    - block.domain: {domain: bad.example, reason: PH-2026-00001}
  effects_include: [block.domain]
  effects_count: {block.domain: 1, ticket.open: 0}
  never: [ticket.open]
  ran: [parts, links, block, isolate, tell]
  attempts: {links: 2}
  clock_advanced: 0ms
  runs: 1",
    );
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(played.effects.len(), 3);
    let covered = &played.coverage;
    assert_eq!(covered.steps(&scene.plan), (5, 5));
    assert_eq!(covered.sides(&scene.plan), (2, 4));
    assert_eq!(covered.branches(&scene.plan), (1, 3));
    assert_eq!(
        covered.uncovered(&scene.plan).first(),
        Some(&Uncovered::Side("block".to_owned(), false))
    );
}

#[test]
fn what_differs_is_shown_beside_what_was_expected() {
    let scene = Scene::new(TRIAGE);
    let (_, found) = played(
        &scene,
        "mocks: {links: {verdict: malicious}}
expect:
  status: failed
  outputs: {verdict: clean}
  effects: [block.domain: {domain: good.example}, notify.team, notify.team]
  effects_include: [notify.team: {text: clean}]
  effects_count: {notify.team: 2}
  never: [edr.isolate_host]
  ran: [parts, links, block, tell]
  skipped: [block]
  refused: {tell: budget}
  attempts: {tell: 2}
  clock_advanced: 1h
  attached: 1",
    );
    assert_eq!(
        found,
        [
            "status: failed | succeeded",
            "outputs: verdict: \"clean\" | verdict: \"malicious\"",
            "effects: block.domain domain: \"good.example\" | block.domain domain: \"bad.example\"     at block",
            "effects: notify.team | no notify.team",
            "effects: nothing more | edr.isolate_host {\"id\":\"h\"}     at isolate",
            "effects_include: notify.team text: \"clean\" | notify.team text: \"malicious\"     at tell",
            "effects_count: notify.team x2 | notify.team x1; notify.team {\"text\":\"malicious\"}     at tell",
            "never: no edr.isolate_host | edr.isolate_host {\"id\":\"h\"}     at isolate",
            "ran: nothing else | isolate",
            "skipped: block skipped | block succeeded",
            "refused: tell refused: budget | tell succeeded",
            "attempts: tell 2 times | 1",
            "clock_advanced: 1h | 0s",
            "attached: 1 | 0",
        ]
    );
}

#[test]
fn a_loose_expectation_does_not_take_the_effect_of_a_strict_one() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [notify]
steps:
  one: {name: One, uses: notify.team, with: {text: a}}
  two: {name: Two, uses: notify.team, with: {text: b}}
",
    );
    let (_, found) = played(
        &scene,
        "expect: {effects: [notify.team, {notify.team: {text: a}}]}",
    );
    assert_eq!(found, Vec::<String>::new());
    let (_, found) = played(
        &scene,
        "expect: {effects: [{notify.team: {text: a}}, {notify.team: {text: a}}]}",
    );
    assert_eq!(
        found,
        ["effects: notify.team text: \"a\" | notify.team text: \"b\"     at two"]
    );
}

#[test]
fn a_read_without_a_mock_is_noted_and_never_made_up() {
    let scene = Scene::new(TRIAGE);
    let (played, found) = played(
        &scene,
        "expect: {outputs: {verdict: unknown}, never: [block.domain]}",
    );
    assert_eq!(found, Vec::<String>::new(), "a failed look-up is no clean one");
    assert_eq!(played.unmocked, ["links[0]", "links[1]"]);
}

#[test]
fn mocks_fail_by_attempt_and_time_passes_in_no_time() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [contain]
steps:
  isolate:
    name: Isolate
    uses: edr.isolate_host
    with: {id: h}
    retry: {attempts: 4, backoff: 5m..5m, errors: [offline]}
",
    );
    let (played, found) = played(
        &scene,
        "mocks: {isolate: [{error: offline}, {error: offline}, {}]}
expect: {status: succeeded, effects_count: {edr.isolate_host: 1}, attempts: {isolate: 3}}",
    );
    assert_eq!(found, Vec::<String>::new());
    assert!(
        played.advanced >= playbooks::duration::Span::minutes(5),
        "{:?}",
        played.advanced
    );
}

#[test]
fn a_crash_after_a_step_repeats_nothing_and_one_that_is_not_reached_is_told() {
    let scene = Scene::new(TRIAGE);
    let (_, found) = played(
        &scene,
        "mocks: {links: {verdict: malicious}}
crash_after: isolate
expect: {status: succeeded, effects_count: {edr.isolate_host: 1, block.domain: 1, notify.team: 1}}",
    );
    assert_eq!(found, Vec::<String>::new());
    let (missed, _) = played(
        &scene,
        "mocks: {links: {verdict: clean}}
crash_after: isolate
expect: {status: succeeded}",
    );
    assert!(missed.crash_missed);
}

#[test]
fn equal_alerts_join_the_run_that_is_there() {
    let scene = Scene::new(TRIAGE);
    let (_, found) = played(
        &scene,
        "mocks: {links: {verdict: clean}}
replay: {times: 1000, over: 5m}
expect: {runs: 1, attached: 999, effects: [notify.team]}",
    );
    assert_eq!(found, Vec::<String>::new());
    let (_, found) = played(
        &scene,
        "mocks: {links: {verdict: clean}}
replay: {times: 4, over: 4h}
expect: {runs: 4, attached: 0, effects_count: {notify.team: 4}}",
    );
    assert_eq!(
        found,
        Vec::<String>::new(),
        "at the end of `within` another one starts"
    );
}

#[test]
fn a_run_that_does_not_start_is_refused_and_silence_does_not_pass() {
    let mut scene = Scene::new(TRIAGE);
    scene.incident.tlp = playbooks::marking::Tlp::Red;
    let (played_, found) = played(&scene, "expect: {status: refused, effects: []}");
    assert_eq!(found, Vec::<String>::new());
    assert!(played_.refusal.is_some_and(|why| why.contains("TLP:RED")));
    let (_, found) = played(&scene, "expect: {never: [block.domain]}");
    assert!(found[0].starts_with("status: a run | none: "), "{found:?}");
}

#[test]
fn shadow_tells_the_effects_it_would_have_had() {
    let scene = Scene::new(TRIAGE);
    let (_, found) = played(
        &scene,
        "mode: shadow
mocks: {links: {verdict: malicious}}
expect: {effects: [block.domain: {domain: bad.example}, edr.isolate_host, notify.team]}",
    );
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_place_of_a_test_stands_a_crash() {
    let scene = Scene::new(TRIAGE);
    let source = Source::new(
        "test.test.yaml",
        "playbook: test
tests: [{name: t, mocks: {links: [{verdict: clean}, {verdict: malicious}]}, expect: {status: succeeded}}]
",
    );
    let file = TrialFile::read(&source).0.expect("it is whole");
    let stage = crate::rehearsal::Scene {
        stage: scene.stage(),
        incident: Some(&scene.incident),
        file: &file,
        trial: &file.trials[0],
        compute: &compute,
    };
    let drill = crash(stage).expect("it holds");
    assert!(drill.crashes >= 8 && drill.unknown > 0, "{drill:?}");
}

/// Of two steps side by side, the one that is answered first decides.
#[test]
fn an_outcome_that_hangs_on_the_order_of_answers_is_found() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [notify]
steps:
  one: {name: One, uses: enrich.url, with: {url: \"https://one.example/\"}}
  two: {name: Two, uses: enrich.url, with: {url: \"https://two.example/\"}}
  tell:
    name: Tell
    uses: notify.team
    with: {text: \"{{run.summary}}\"}
    after: [one]
",
    );
    let source = Source::new(
        "test.test.yaml",
        "playbook: test
tests: [{name: t, mocks: {one: {score: 1}, two: {score: 2}}, expect: {status: succeeded}}]
",
    );
    let file = TrialFile::read(&source).0.expect("it is whole");
    let stage = crate::rehearsal::Scene {
        stage: scene.stage(),
        incident: Some(&scene.incident),
        file: &file,
        trial: &file.trials[0],
        compute: &compute,
    };
    let first = play(stage, 0).expect("it holds");
    let again = play(stage, 0).expect("it holds");
    assert_eq!(
        same_effects(&first, &again),
        None,
        "the same number, the same order"
    );
    let other = (1..20)
        .map(|seed| play(stage, seed).expect("it holds"))
        .find_map(|other| same_effects(&first, &other));
    assert_eq!(other.map(|found| found.key), Some("order"));
}

const ASKS: &str = "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [notify, contain]
steps:
  isolate:
    name: Isolate
    uses: edr.isolate_host
    with: {id: h}
    approval: {who: [duty], count: 2, ask: Isolate it?, show: {host: h}, within: 30m, on_timeout: skip}
  tell: {name: Tell, uses: notify.team, with: {text: t}}
";

#[test]
fn people_answer_as_the_test_says_and_an_open_question_leaves_the_run_waiting() {
    let scene = Scene::new(ASKS);
    for (test, expected) in [
        (
            "approvals: {isolate: approve}
expect: {status: succeeded, effects: [edr.isolate_host, notify.team]}",
            &[][..],
        ),
        (
            "approvals: {isolate: refuse}
expect: {status: succeeded, skipped: {isolate: refused by person-1}, effects: [notify.team]}",
            &[],
        ),
        (
            "approvals: {isolate: silence}
expect: {status: succeeded, skipped: {isolate: nobody of duty replied}, effects: [notify.team], clock_advanced: 30m}",
            &[],
        ),
        (
            "expect: {status: waiting, waiting_on: [isolate], effects: [notify.team], clock_advanced: 0ms}",
            &[],
        ),
        (
            "approvals: {isolate: [{approve: alice}, {approve: alice}]}
expect: {status: waiting, never: [edr.isolate_host]}",
            &[],
        ),
        (
            "approvals: {isolate: [{approve: alice}, {approve: bob}]}
started_by: alice
expect: {status: waiting, never: [edr.isolate_host]}",
            &[],
        ),
        (
            "approvals: {isolate: [{approve: alice}, {refuse: bob}]}
expect: {effects_include: [edr.isolate_host]}",
            &["effects_include: edr.isolate_host | no edr.isolate_host"],
        ),
    ] {
        let (_, found) = played(&scene, test);
        assert_eq!(found, expected, "{test}");
    }
}
