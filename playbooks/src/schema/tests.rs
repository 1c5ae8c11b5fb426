//! Tests of schema: behaviour at its edges and against hostile input.

use std::fs;
use std::path::Path;

use super::*;
use crate::compile::test_catalogue;
use crate::diagnostic::Source;

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&playbook(&test_catalogue::table())).expect("the schema is a schema")
}

fn accepts(validator: &jsonschema::Validator, text: &str) -> bool {
    let node = crate::yaml::read(&Source::new("t.yaml", text)).unwrap();
    validator.is_valid(&node.to_json())
}

#[test]
fn the_examples_fit_the_schema() {
    let validator = validator();
    for name in ["phishing-report", "ids-triage"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/playbooks/{name}/{name}.yaml"));
        let text = fs::read_to_string(path).unwrap();
        let node = crate::yaml::read(&Source::new(name, text.as_str()))
            .unwrap()
            .to_json();
        let errors: Vec<String> = validator
            .iter_errors(&node)
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn wrong_keys_and_parameters_do_not_fit() {
    let validator = validator();
    let head = "id: t\nname: T\nversion: 1\ndescription: d\nowner: o\n";
    let step = |step: &str| accepts(&validator, &format!("{head}steps:\n  a: {step}\n"));
    assert!(step("{uses: enrich.ip, with: {ip: 192.0.2.1}}"));
    assert!(step("{uses: enrich.ip, with: {ip: \"${{ x }}\"}}"));
    assert!(!step("{uses: enrich.ip, with: {ips: 192.0.2.1}}"));
    assert!(!step("{uses: enrich.ip}"));
    assert!(!step("{uses: enrich.hsh, with: {hash: x}}"));
    assert!(!step("{uses: block.ip, with: {reason: x}}"));
    assert!(step(
        "{uses: block.ip, with: {ip: 192.0.2.1, reason: x}, undo: {after: 24h}}"
    ));
    assert!(!step(
        "{uses: block.ip, with: {ip: 192.0.2.1, reason: x}, undo: {after: soon}}"
    ));
}

#[test]
fn a_file_of_tests_has_a_schema_too() {
    let schema = trials(&test_catalogue::table());
    let validator = jsonschema::draft202012::new(&schema).expect("the schema is a schema");
    let file = |test: &str| {
        accepts(
            &validator,
            &format!("playbook: p\ngiven: {{clock: 2026-03-02T03:04:00Z}}\ntests:\n  - {test}\n"),
        )
    };
    assert!(file(
        "{name: t, incident: a.json, entity: {id: x}, mocks: {a: {b: 1}, c: [{error: timeout}, {b: 2}]}, \
         replay: {times: 3, over: 5m}, expect: {effects: [block.ip, {block.ip: {ip: 192.0.2.1}}], skipped: {a: b}, refused: [a]}}"
    ));
    for wrong in [
        "{name: t}",
        "{name: t, expect: {}}",
        "{name: t, expect: {effects: [enrich.ip]}}",
        "{name: t, expect: {status: done}}",
        "{name: t, expect: {runs: 1}, approvals: {a: 1}}",
        "{name: t, mocks: {a: 1}, expect: {runs: 1}}",
    ] {
        assert!(!file(wrong), "{wrong}");
    }
}
