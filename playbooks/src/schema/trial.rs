//! The JSON Schema of a file of tests.
//!
//! Owns the shapes of its keys. Which steps and outputs exist is known only beside the playbook,
//! so mocks are open here.

use serde_json::{Value, json};

use crate::action_spec::{Catalog, ErrorKind};
use crate::marking::EffectClass;
use crate::trial::{ANSWERS_MAX, REPLAY_TIMES_MAX, STATUSES, TRIALS_MAX};

/// The schema of a `<id>.test.yaml` for the actions of a catalogue.
pub fn trials(catalog: &dyn Catalog) -> Value {
    let effects: Vec<&str> = catalog
        .names()
        .into_iter()
        .filter(|name| {
            catalog
                .action(name)
                .is_some_and(|spec| spec.effect > EffectClass::Read)
        })
        .collect();
    let reference = |name: &str| json!({"$ref": format!("#/$defs/{name}")});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tests of a Sortie playbook",
        "type": "object",
        "additionalProperties": false,
        "required": ["playbook", "tests"],
        "properties": {
            "playbook": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,39}$", "description": "The id of the playbook beside this file."},
            "given": {
                "type": "object", "additionalProperties": false, "properties": part(),
                "description": "What all tests share; a test may say otherwise.",
            },
            "tests": {"type": "array", "minItems": 1, "maxItems": TRIALS_MAX, "items": reference("test")},
        },
        "$defs": {
            "test": test(),
            "duration": {"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "examples": ["30s", "5m", "12h"]},
            "count": {"type": "integer", "minimum": 0},
            "names": {"type": "array", "items": {"type": "string"}},
            "reasons": {"anyOf": [
                reference("names"),
                {"type": "object", "additionalProperties": {"type": "string"}, "description": "Step to words of the reason."},
            ]},
            "action": {"enum": effects},
            "effects": {"type": "array", "items": {"anyOf": [
                reference("action"),
                {"type": "object", "minProperties": 1, "maxProperties": 1, "propertyNames": reference("action"),
                 "additionalProperties": {"type": ["object", "null"]}},
            ]}},
            "answer": {"type": "object", "properties": {"error": {
                "examples": ErrorKind::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>(),
            }}},
        },
    })
}

fn part() -> Value {
    json!({
        "entity": {"type": ["string", "object"], "description": "An id, a file, or fields laid over the given one."},
        "incident": {"type": ["string", "object"], "description": "A file, or fields laid over the given one."},
        "clock": {"type": "string", "format": "date-time"},
        "inputs": {"type": "object"},
        "mocks": {
            "type": "object", "description": "What the world answers, by step: outputs, {error: kind}, or a list of them.",
            "additionalProperties": {"anyOf": [
                {"$ref": "#/$defs/answer"},
                {"type": "array", "minItems": 1, "maxItems": ANSWERS_MAX, "items": {"$ref": "#/$defs/answer"}},
            ]},
        },
        "approvals": {
            "type": "object", "description": "What people say, by step. A question without an answer leaves the run waiting.",
            "additionalProperties": {"anyOf": [
                {"type": "string", "examples": ["approve", "refuse", "silence"], "description": "Or an answer to `ask.human`."},
                {"type": "array", "items": {
                    "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
                    "properties": {"approve": {"type": "string"}, "refuse": {"type": "string"}},
                }},
            ]},
        },
        "mode": {"enum": ["auto", "shadow", "suggest"], "default": "auto"},
        "started_by": {"type": "string", "description": "The person who starts it by hand; without it the trigger does."},
    })
}

fn test() -> Value {
    let mut properties = part();
    let own = json!({
        "name": {"type": "string", "description": "What is proved, as a sentence."},
        "replay": {
            "type": "object", "additionalProperties": false, "required": ["times", "over"],
            "properties": {
                "incident": {"type": ["string", "object"]},
                "times": {"type": "integer", "minimum": 1, "maximum": REPLAY_TIMES_MAX},
                "over": {"$ref": "#/$defs/duration"},
            },
        },
        "crash_after": {"type": "string", "description": "The host dies after this step was done, before its outcome is stored."},
        "expect": {
            "type": "object", "additionalProperties": false, "minProperties": 1,
            "properties": {
                "status": {"enum": STATUSES},
                "outputs": {"type": "object"},
                "effects": {"$ref": "#/$defs/effects", "description": "All effects, in any order."},
                "effects_include": {"$ref": "#/$defs/effects"},
                "effects_count": {"type": "object", "additionalProperties": {"$ref": "#/$defs/count"}},
                "never": {"$ref": "#/$defs/names"},
                "ran": {"$ref": "#/$defs/names", "description": "All steps that were attempted."},
                "ran_includes": {"$ref": "#/$defs/names"},
                "skipped": {"$ref": "#/$defs/reasons"},
                "refused": {"$ref": "#/$defs/reasons"},
                "waiting_on": {"$ref": "#/$defs/reasons"},
                "attempts": {"type": "object", "additionalProperties": {"$ref": "#/$defs/count"}},
                "undo": {"type": "object", "additionalProperties": {"$ref": "#/$defs/duration"}, "description": "Step to the time after which what it did ends by itself."},
                "undone": {"$ref": "#/$defs/names", "description": "All steps whose effects the run took back."},
                "clock_advanced": {"$ref": "#/$defs/duration"},
                "runs": {"$ref": "#/$defs/count"},
                "attached": {"$ref": "#/$defs/count"},
            },
        },
    });
    crate::trial::lay_over(&mut properties, &own);
    json!({
        "type": "object", "additionalProperties": false, "required": ["name", "expect"],
        "properties": properties,
    })
}
