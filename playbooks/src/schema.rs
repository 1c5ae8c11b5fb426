//! The JSON Schema (2020-12) that editors complete and check playbooks with.
//!
//! Owns the translation of keys and contracts to JSON Schema. It knows shapes only: names, types
//! of expressions and everything that needs the whole file stay the checker's work, so a file
//! that passes the schema may still have findings, never the other way round.

mod trial;

use serde_json::{Map, Value, json};

pub use self::trial::trials;
use crate::action_spec::{ActionSpec, Catalog, ErrorKind};
use crate::incident::IncidentType;
use crate::marking::{EffectClass, Pap, Tlp, Verdict};
use crate::plan::{ATTEMPTS_MAX, OnTimeout, ROUNDS_MAX, RUNS_AT_ONCE_MAX, STEPS_MAX, WhenBusy};
use crate::schedule::TIMES_OF_DAY_MAX;
use crate::types::{TextForm, Type};

/// The schema of a playbook file for the actions of a catalogue.
pub fn playbook(catalog: &dyn Catalog) -> Value {
    let actions: Vec<&ActionSpec> = catalog
        .names()
        .into_iter()
        .filter_map(|name| catalog.action(name))
        .collect();
    let mut definitions = Map::new();
    for action in &actions {
        definitions.insert(format!("with.{}", action.name), with(action));
    }
    definitions.insert("step".to_owned(), step(&actions));
    definitions.insert("steps".to_owned(), steps());
    definitions.insert(
        "name".to_owned(),
        json!({"type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$"}),
    );
    definitions.insert(
        "duration".to_owned(),
        json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "examples": ["30s", "5m", "2h", "7d"]}),
    );
    definitions.insert(
        "time_of_day".to_owned(),
        json!({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
    );
    definitions.insert(
        "cel".to_owned(),
        json!({"type": ["string", "boolean", "number"], "description": "A CEL expression, without ${{ }}."}),
    );
    definitions.insert(
        "value".to_owned(),
        json!({"type": "string", "pattern": "^\\s*\\$\\{\\{[\\s\\S]*\\}\\}\\s*$",
               "description": "A typed value: ${{ CEL }}."}),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sortie playbook",
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "name", "version", "description", "owner", "steps"],
        "properties": properties(),
        "$defs": definitions,
    })
}

fn properties() -> Value {
    let words = |list: Vec<&str>| json!({"enum": list});
    let tlp = words(Tlp::ALL.iter().map(|word| word.word()).collect());
    let pap = words(Pap::ALL.iter().map(|word| word.word()).collect());
    let classes: Vec<&str> = EffectClass::ALL
        .iter()
        .filter(|class| **class > EffectClass::Record)
        .map(|class| class.word())
        .collect();
    let kinds: Vec<&str> = IncidentType::ALL.iter().map(|kind| kind.word()).collect();
    let reference = |name: &str| json!({"$ref": format!("#/$defs/{name}")});
    json!({
        "id": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,39}$", "description": "Equals the file stem."},
        "name": {"type": "string", "description": "Shown to analysts."},
        "version": {"type": "integer", "minimum": 1, "description": "For people; identity is the revision."},
        "description": {"type": "string", "description": "Read at 3 a.m."},
        "owner": {"type": "string", "description": "The role that reviews changes of `may` and `limits`."},
        "tags": {"type": "array", "items": {"type": "string"}},
        "trigger": {
            "type": "object", "additionalProperties": false,
            "properties": {
                "incident": {"type": "array", "items": {"enum": kinds}},
                "when": reference("cel"),
                "once_per": {
                    "type": "object", "additionalProperties": false, "required": ["key", "within"],
                    "properties": {"key": true, "within": reference("duration")},
                    "description": "Later equal incidents attach to the run instead of starting another.",
                },
                "schedule": {
                    "type": "object", "additionalProperties": false, "required": ["per"],
                    "oneOf": [{"required": ["every"]}, {"required": ["at"]}],
                    "properties": {
                        "every": reference("duration"),
                        "at": {"anyOf": [
                            reference("time_of_day"),
                            {"type": "array", "minItems": 1, "maxItems": TIMES_OF_DAY_MAX, "items": reference("time_of_day")},
                        ]},
                        "tz": {"type": "string"},
                        "per": {"const": "entity"},
                    },
                    "description": "Starts by the clock, without an incident.",
                },
                "manual": {"type": "boolean", "default": true},
            },
        },
        "concurrency": {
            "type": "object", "additionalProperties": false, "required": ["key", "limit"],
            "properties": {
                "key": true,
                "limit": {"type": "integer", "minimum": 1, "maximum": RUNS_AT_ONCE_MAX},
                "when_busy": {"enum": WhenBusy::ALL.map(WhenBusy::word), "default": "queue"},
            },
            "description": "How many runs of one key there are at once, in one entity.",
        },
        "limits": {
            "type": "object", "additionalProperties": false,
            "properties": {"tlp": tlp, "pap": pap, "time": reference("duration"), "effects": {"type": "integer", "minimum": 0}},
        },
        "may": {"type": "array", "items": {"enum": classes}, "description": "Effect classes beyond `record`."},
        "inputs": {
            "type": "object", "propertyNames": reference("name"),
            "additionalProperties": {
                "type": "object", "additionalProperties": false, "required": ["type"],
                "properties": {
                    "type": {"type": "string", "examples": ["string", "int", "bool", "duration", "list<domain>"]},
                    "default": true, "min": true, "max": true, "choices": {"type": "array"},
                    "description": {"type": "string"}, "ask": {"type": "string"},
                },
            },
        },
        "enums": {
            "type": "object", "propertyNames": reference("name"),
            "additionalProperties": {"type": "array", "minItems": 2, "items": {"type": "string"}},
        },
        "let": {"type": "object", "propertyNames": reference("name"), "additionalProperties": reference("cel")},
        "steps": {"allOf": [reference("steps"), {"minProperties": 1, "maxProperties": STEPS_MAX}]},
        "on_failure": reference("steps"),
        "finally": reference("steps"),
        "outputs": {"type": "object", "propertyNames": reference("name"), "additionalProperties": reference("cel")},
    })
}

fn steps() -> Value {
    json!({
        "type": "object",
        "propertyNames": {"$ref": "#/$defs/name"},
        "additionalProperties": {"$ref": "#/$defs/step"},
    })
}

/// A step: the common keys, and for each action the shape of its `with`.
fn step(actions: &[&ActionSpec]) -> Value {
    let uses: Vec<Value> = actions
        .iter()
        .map(|action| json!({"const": action.name, "description": format!("{} ({})", action.summary, action.effect)}))
        .collect();
    let shapes: Vec<Value> = actions
        .iter()
        .map(|action| {
            let mut then = json!({"properties": {"with": {"$ref": format!("#/$defs/with.{}", action.name)}}});
            if required(action).next().is_some()
                && let Some(object) = then.as_object_mut()
            {
                object.insert("required".to_owned(), json!(["with"]));
            }
            json!({"if": {"properties": {"uses": {"const": action.name}}}, "then": then})
        })
        .collect();
    let errors: Vec<&str> = ErrorKind::RETRYABLE.iter().map(|kind| kind.word()).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["uses"],
        "properties": {
            "name": {"type": "string"},
            "uses": {"oneOf": uses},
            "using": {"type": "string", "description": "The connection; else the entity's, else ours."},
            "with": {"type": "object"},
            "if": {"$ref": "#/$defs/cel"},
            "for_each": {"type": "string", "pattern": "^\\s*[a-z][a-z0-9_]*\\s+in\\s+", "examples": ["link in steps.parts.urls"]},
            "max_parallel": {"type": "integer", "minimum": 1, "default": 5},
            "after": {"type": "array", "items": {"$ref": "#/$defs/name"}},
            "timeout": {"$ref": "#/$defs/duration"},
            "retry": {
                "type": "object", "additionalProperties": false,
                "properties": {
                    "attempts": {"type": "integer", "minimum": 1, "maximum": ATTEMPTS_MAX},
                    "backoff": {"type": "string", "examples": ["2s..5m"]},
                    "errors": {"type": "array", "items": {"enum": errors}},
                },
            },
            "on_failure": {"enum": ["stop", "continue", "undo"], "default": "stop"},
            "if_refused": {"enum": ["stop", "continue"], "default": "stop"},
            "approval": approval(),
            "undo": undo(),
            "repeat": repeat(),
        },
        "allOf": shapes,
    })
}

fn repeat() -> Value {
    let span = json!({"anyOf": [{"$ref": "#/$defs/duration"}, {"$ref": "#/$defs/value"}]});
    json!({
        "description": "Does it again and again; `done` says whether `until` came.",
        "type": "object", "additionalProperties": false, "required": ["every"],
        "anyOf": [{"required": ["times"]}, {"required": ["at_most"]}],
        "properties": {
            "every": span,
            "until": {"$ref": "#/$defs/cel", "description": "`result` is what the last round gave."},
            "times": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": ROUNDS_MAX}, {"$ref": "#/$defs/value"}]},
            "at_most": span,
            "first": {"enum": ["now", "wait"], "default": "now"},
        },
    })
}

fn undo() -> Value {
    json!({
        "description": "How what the step did ends, and what takes it back.",
        "oneOf": [
            {"const": "auto"},
            {
                "type": "object", "additionalProperties": false, "required": ["none"],
                "properties": {"none": {"type": "string", "description": "Why nothing takes it back."}},
            },
            {
                "type": "object", "additionalProperties": false, "minProperties": 1,
                "properties": {
                    "after": {
                        "description": "It ends by itself after this; every block needs it.",
                        "anyOf": [{"$ref": "#/$defs/duration"}, {"$ref": "#/$defs/value"}],
                    },
                    "when": {"$ref": "#/$defs/cel", "description": "It is taken back when this holds."},
                    "uses": {"type": "string", "description": "Another action that takes it back."},
                    "with": {"type": "object", "description": "Parameters of that action."},
                },
            },
        ],
    })
}

fn approval() -> Value {
    json!({
        "description": "Who is asked before the effect happens.",
        "oneOf": [
            {
                "type": "object", "additionalProperties": false, "required": ["same_as"],
                "properties": {"same_as": {"$ref": "#/$defs/name", "description": "Decided together with this step."}},
            },
            {
                "type": "object", "additionalProperties": false,
                "properties": {
                    "who": {"type": "array", "items": {"type": "string"}, "examples": [["duty-officer"], ["entity.contain"]]},
                    "count": {"anyOf": [{"type": "integer", "minimum": 1}, {"$ref": "#/$defs/value"}]},
                    "ask": {"type": "string", "description": "The question, one sentence."},
                    "show": {"type": "object", "description": "Label to value, shown beside the parameters."},
                    "within": {"$ref": "#/$defs/duration"},
                    "on_timeout": {"anyOf": [{"enum": OnTimeout::WORDS}, {"$ref": "#/$defs/value"}]},
                },
            },
        ],
    })
}

fn required(action: &ActionSpec) -> impl Iterator<Item = &str> {
    action
        .inputs
        .iter()
        .filter(|(_, parameter)| !matches!(parameter.ty, Type::Optional(_)))
        .map(|(name, _)| name.as_str())
}

/// The parameters of one action.
fn with(action: &ActionSpec) -> Value {
    let mut properties = Map::new();
    for (name, parameter) in &action.inputs {
        let shape = of_type(&parameter.ty);
        properties.insert(
            name.clone(),
            json!({"description": format!("{} ({})", parameter.description, parameter.ty), "anyOf": shape}),
        );
    }
    let mut schema = json!({
        "type": "object",
        "description": action.summary,
        "additionalProperties": false,
        "properties": properties,
        "required": required(action).collect::<Vec<_>>(),
    });
    if let Some(object) = schema.as_object_mut()
        && !action.exactly_one_of.is_empty()
    {
        let groups: Vec<Value> = action
            .exactly_one_of
            .iter()
            .map(|group| json!({"oneOf": group.iter().map(|name| json!({"required": [name]})).collect::<Vec<_>>()}))
            .collect();
        object.insert("allOf".to_owned(), Value::Array(groups));
    }
    schema
}

/// The shapes a value of a type may have in the file: itself, a template, or `${{ }}`.
fn of_type(ty: &Type) -> Vec<Value> {
    let value = json!({"$ref": "#/$defs/value"});
    let template = json!({"type": "string", "pattern": "\\{\\{"});
    match ty.required() {
        Type::Bool => vec![json!({"type": "boolean"}), value],
        Type::Int => vec![json!({"type": "integer"}), value],
        Type::Double => vec![json!({"type": "number"}), value],
        Type::Text(TextForm::Verdict) => {
            let words: Vec<&str> = Verdict::ALL.iter().map(|word| word.word()).collect();
            vec![json!({"enum": words}), template]
        }
        Type::String | Type::Text(_) | Type::Time => vec![json!({"type": "string"})],
        Type::Duration => vec![json!({"$ref": "#/$defs/duration"}), value],
        Type::OneOf(words) | Type::Ordered { words, .. } => vec![json!({"enum": words}), template],
        Type::List(item) => vec![json!({"type": "array", "items": {"anyOf": of_type(item)}}), value],
        Type::Record(fields) => {
            let properties: Map<String, Value> = fields
                .iter()
                .map(|(name, ty)| (name.clone(), json!({"anyOf": of_type(ty)})))
                .collect();
            vec![
                json!({"type": "object", "properties": properties, "additionalProperties": false}),
                value,
            ]
        }
        Type::Open | Type::File | Type::Mail => vec![json!({"type": "object"}), value],
        Type::Never | Type::Optional(_) => vec![Value::Bool(true)],
    }
}

#[cfg(test)]
mod tests;
