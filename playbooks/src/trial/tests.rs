//! Tests of trial: what a file of tests may say, and what is refused with which code and where.

use super::*;
use crate::compile::{Bundle, Environment, compile, test_catalogue};
use crate::plan::Plan;

const PLAYBOOK: &str = "\
id: ids
name: Triage
version: 1
description: It looks an address up and blocks it
owner: duty
trigger: {incident: [ids-alert], once_per: {key: \"${{ incident.signature.id }}\", within: 1h}}
limits: {pap: green}
may: [contain]
inputs:
  block_for: {type: duration, default: 24h}
steps:
  outside:
    uses: enrich.ip
    with: {ip: 192.0.2.1}
    on_failure: continue
  block:
    uses: block.ip
    if: default(steps.outside.score, 0) > 50
    with: {ip: 192.0.2.1, reason: scan}
    undo: {after: \"${{ inputs.block_for }}\"}
outputs:
  score: steps.outside.score
";

fn plan() -> Plan {
    let bundle = Bundle {
        name: "ids.yaml".to_owned(),
        playbook: PLAYBOOK.to_owned(),
        templates: indexmap::IndexMap::new(),
    };
    let environment = Environment {
        catalog: &test_catalogue::table(),
        operator: None,
    };
    let compilation = compile(&bundle, environment);
    compilation
        .plan
        .unwrap_or_else(|| panic!("{:#?}", compilation.diagnostics))
}

/// `code line:column message | help` of each finding.
fn findings(text: &str) -> Vec<String> {
    let source = Source::new("ids.test.yaml", text);
    let (file, mut found) = TrialFile::read(&source);
    if let (Some(mut file), true) = (file, found.is_empty()) {
        let plan = plan();
        let plan = (file.playbook.value == plan.id).then_some(&plan);
        found = check(&source, &mut file, plan, &test_catalogue::table());
    }
    found
        .iter()
        .map(|one| {
            let (line, column) = source.line_column(one.primary.place.start);
            let help = one.help.first().map_or("", String::as_str);
            format!("{} {line}:{column} {} | {help}", one.code, one.message)
        })
        .collect()
}

/// A file with one test of this body, on line 4.
fn one(body: &str) -> Vec<String> {
    findings(&format!(
        "playbook: ids\ngiven: {{mocks: {{outside: {{score: 90}}}}}}\ntests:\n  - {{name: t, {body}}}\n"
    ))
}

#[test]
fn a_whole_file_is_read_and_its_values_are_brought_into_one_form() {
    let text = "\
playbook: ids
given:
  entity: ville
  incident: fixtures/alert.json
  clock: 2026-03-02T03:04:00+01:00
  inputs: {block_for: 24h}
  mocks:
    outside: {score: 90, vpn: false}
tests:
  - name: it blocks
    entity: {never_block: []}
    incident: {tlp: red}
    mocks: {outside: {score: 95}}
    replay: {times: 10, over: 5m}
    started_by: alice
    expect:
      status: succeeded
      effects: [{block.ip: {for: 24h}}]
      undo: {block: 24h}
      undone: []
      effects_count: {block.ip: 1}
      never: [notify.team]
      ran: [outside, block]
      attempts: {outside: 1}
      clock_advanced: 0s
      runs: 1
      attached: 9
  - name: a look-up that fails
    mocks: {outside: [{error: timeout}, {score: 1}]}
    crash_after: outside
    mode: shadow
    expect: {skipped: {block: was false}, effects: []}
";
    let source = Source::new("ids.test.yaml", text);
    let (file, found) = TrialFile::read(&source);
    assert_eq!(found, Vec::new());
    let mut file = file.unwrap();
    let found = check(&source, &mut file, Some(&plan()), &test_catalogue::table());
    assert_eq!(found, Vec::new());
    let [first, second] = file.trials.as_slice() else {
        panic!("{:?}", file.trials);
    };
    assert_eq!(file.clock(first).to_string(), "2026-03-02T02:04:00Z");
    assert_eq!(file.started_by(first), Some("alice"));
    assert_eq!((file.entity(first).len(), file.incident(first).len()), (2, 2));
    assert_eq!(file.inputs(first)["block_for"], "24h");
    assert_eq!(
        first.expect.effects.as_ref().unwrap().value[0].parameters[0].value,
        "1d",
        "as the engine writes it"
    );
    let Answers::Always(Answer::Outputs(outputs)) = &file.mocks(first)["outside"] else {
        panic!("{:?}", file.mocks(first));
    };
    let mut outputs: Vec<_> = outputs
        .iter()
        .map(|one| (one.name.value.as_str(), one.value.clone()))
        .collect();
    outputs.sort_by_key(|(name, _)| *name);
    assert_eq!(outputs, [("score", 95.into()), ("vpn", false.into())]);
    assert_eq!(file.mode(second), TrialMode::Shadow);
    assert!(matches!(&file.mocks(second)["outside"], Answers::InTurn(answers) if answers.len() == 2));
}

/// The body of a test, and how its finding begins.
const WRONG: &[(&str, &str)] = &[
    (
        "expcet: {}",
        "PB109 4:15 a test has no key `expcet` | did you mean `expect`?",
    ),
    (
        "expect: {statsu: failed}",
        "PB109 4:24 `expect` has no key `statsu` | did you mean `status`?",
    ),
    (
        "expect: {status: succeded}",
        "PB112 4:32 no run has this status | did you mean `succeeded`?",
    ),
    (
        "approvals: {block: maybe}, expect: {runs: 1}",
        "PB112 4:34 this is nothing that people say",
    ),
    (
        "approvals: {blok: approve}, expect: {runs: 1}",
        "PB502 4:27 the playbook has no step `blok`",
    ),
    (
        "expect: {waiting_on: {blok: reply}}",
        "PB504 4:37 the playbook has no step `blok`",
    ),
    (
        "expect: {undo: {blok: 7d}}",
        "PB504 4:31 the playbook has no step `blok` | did you mean `block`?",
    ),
    (
        "expect: {undone: [blok]}",
        "PB504 4:33 the playbook has no step `blok` | did you mean `block`?",
    ),
    (
        "mode: loud, expect: {runs: 1}",
        "PB112 4:21 `mode` is `auto`, `shadow` or `suggest` | without it a test runs in mode `auto`",
    ),
    ("expect: {}", "PB112 4:15 `expect` is empty: nothing is proved"),
    (
        "mocks: {outsid: {score: 1}}, expect: {runs: 1}",
        "PB502 4:23 the playbook has no step `outsid` | did you mean `outside`?",
    ),
    (
        "mocks: {outside: {scor: 1}}, expect: {runs: 1}",
        "PB502 4:33 enrich.ip has no output `scor` | did you mean `score`?",
    ),
    (
        "mocks: {outside: {score: high}}, expect: {runs: 1}",
        "PB502 4:40 `score` of enrich.ip:",
    ),
    (
        "mocks: {outside: {error: timeuot}}, expect: {runs: 1}",
        "PB112 4:40 `error` is the kind of a failure | did you mean `timeout`?",
    ),
    (
        "mocks: {outside: []}, expect: {runs: 1}",
        "PB112 4:32 a list of answers needs at least one",
    ),
    (
        "inputs: {block_fro: 1h}, expect: {runs: 1}",
        "PB502 4:24 the playbook has no input `block_fro` | did you mean `block_for`?",
    ),
    (
        "expect: {never: [blok.ip]}",
        "PB504 4:32 there is no action `blok.ip` | did you mean `block.ip`",
    ),
    (
        "expect: {effects: [block.domain]}",
        "PB504 4:34 no step of the playbook uses `block.domain`",
    ),
    (
        "expect: {effects: [{block.ip: {adress: 192.0.2.1}}]}",
        "PB504 4:46 block.ip has no parameter `adress`",
    ),
    (
        "expect: {effects: [{block.ip: {for: soon}}]}",
        "PB504 4:51 `for` of block.ip: a duration",
    ),
    (
        "expect: {ran: [blok]}",
        "PB504 4:30 the playbook has no step `blok` | did you mean `block`?",
    ),
    (
        "expect: {outputs: {scor: 1}}",
        "PB504 4:34 the playbook has no output `scor` | did you mean `score`?",
    ),
    (
        "crash_after: blok, expect: {runs: 1}",
        "PB504 4:28 the playbook has no step `blok`",
    ),
    (
        "replay: {times: 0, over: 5m}, expect: {runs: 1}",
        "PB114 4:31 `times` is 0; it may be 1 to 100000",
    ),
    ("clock: noon, expect: {runs: 1}", "PB112 4:22"),
];

#[test]
fn what_is_wrong_has_a_code_a_place_and_a_remedy() {
    let mut wrong = Vec::new();
    for (body, expected) in WRONG {
        let found = one(body);
        if !found.iter().any(|one| one.starts_with(expected)) {
            wrong.push(format!("{body}: {expected} in {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_look_up_that_always_happens_needs_a_mock() {
    let head = "playbook: ids\ntests:\n";
    let found = findings(&format!("{head}  - {{name: t, expect: {{runs: 1}}}}\n"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("PB503 3:12 `outside` reads the world and has no mock"),
        "{found:?}"
    );
    let refused = findings(&format!("{head}  - {{name: t, expect: {{status: refused}}}}\n"));
    assert_eq!(
        refused,
        Vec::<String>::new(),
        "a run that does not start reads nothing"
    );
}

#[test]
fn tests_of_nothing_are_refused() {
    let found = findings("playbook: idz\ntests: [{name: t, expect: {runs: 1}}]\n");
    assert!(
        found[0].starts_with("PB501 1:11 there is no playbook `idz`"),
        "{found:?}"
    );
    assert!(findings("")[0].starts_with("PB110"));
    assert!(findings("playbook: ids\n")[0].starts_with("PB110"));
    assert!(findings("playbook: ids\ntests: []\n")[0].starts_with("PB112"));
    let twice = findings(
        "playbook: ids\ntests:\n  - {name: t, expect: {runs: 1}}\n  - {name: t, expect: {runs: 1}}\n",
    );
    assert!(twice[0].starts_with("PB108 4:12"), "{twice:?}");
}

#[test]
fn the_number_of_tests_alerts_and_answers_is_limited() {
    let file = |count: usize| {
        let tests: Vec<String> = (0..count)
            .map(|index| format!("  - {{name: t{index}, expect: {{runs: 1}}}}\n"))
            .collect();
        let tests = tests.concat();
        findings(&format!(
            "playbook: ids\ngiven: {{mocks: {{outside: {{score: 1}}}}}}\ntests:\n{tests}"
        ))
    };
    assert_eq!(file(TRIALS_MAX - 1), Vec::<String>::new());
    assert_eq!(file(TRIALS_MAX), Vec::<String>::new());
    assert!(file(TRIALS_MAX + 1)[0].starts_with("PB114"));

    let times = |times: u32| {
        one(&format!(
            "replay: {{times: {times}, over: 5m}}, expect: {{runs: 1}}"
        ))
    };
    assert_eq!(times(REPLAY_TIMES_MAX), Vec::<String>::new());
    assert!(times(REPLAY_TIMES_MAX + 1)[0].starts_with("PB114"));

    let answers = |count: usize| {
        let list = vec!["{score: 1}"; count].join(", ");
        one(&format!("mocks: {{outside: [{list}]}}, expect: {{runs: 1}}"))
    };
    assert_eq!(answers(ANSWERS_MAX), Vec::<String>::new());
    assert!(answers(ANSWERS_MAX + 1)[0].starts_with("PB114"));
}

#[test]
fn hostile_files_give_findings_and_never_panic() {
    for text in [
        "- a",
        "1",
        "playbook: [x]\ntests: 1\n",
        "playbook: ids\ngiven: 1\ntests: [1, {name: {a: b}, expect: []}]\n",
        "playbook: ids\ngiven: {mocks: [1], inputs: 1, entity: 5}\ntests: [{name: x, expect: {effects: {}, never: 1, ran: {a: 1}, skipped: 1, attempts: [1], outputs: []}}]\n",
        "playbook: ids\ntests: [{name: x, mocks: {outside: [[1]]}, replay: [], expect: {effects: [{a: 1, b: 2}, [x], {block.ip: 1}]}}]\n",
    ] {
        assert!(!findings(text).is_empty(), "{text}");
    }
}

#[test]
fn layers_are_laid_over_each_other() {
    let mut below = serde_json::json!({"tlp": "amber", "mail": {"subject": "s", "from": "a"}, "tags": [1]});
    let above = serde_json::json!({"tlp": "red", "mail": {"from": null, "to": []}, "tags": [], "host": {"id": null, "name": "x"}});
    lay_over(&mut below, &above);
    assert_eq!(
        below,
        serde_json::json!({"tlp": "red", "mail": {"subject": "s", "to": []}, "tags": [], "host": {"name": "x"}})
    );
}
