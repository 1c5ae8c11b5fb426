//! What templates must refuse, write and survive.

use serde_json::{Value, json};

use super::*;
use crate::diagnostic::Source;
use crate::expression::tests::{Given, add_loop, add_step, env_of, ty, underlined};
use crate::incident::IncidentType;

mod hostile;
mod refusals;
mod results;

fn compile_for(text: &str, env: &TypeEnv, sink: Sink, blocks: Blocks) -> Result<Template, Vec<Diagnostic>> {
    let source = Source::new("test.yaml", text);
    Template::compile(&Snippet::new(&source, 0..text.len(), text), env, sink, blocks)
}

fn compiled(text: &str, env: &TypeEnv) -> Template {
    compile_for(text, env, Sink::Document, Blocks::Allowed)
        .unwrap_or_else(|found| panic!("{text}\n{found:#?}"))
}

fn env() -> TypeEnv {
    let mut env = env_of(&[IncidentType::Phishing]);
    env.add_proven(["incident.mail".to_owned()]);
    env.add_name(
        "verdict",
        Type::OneOf(vec!["malicious".to_owned(), "clean".to_owned()]),
        None,
    );
    env.add_name("nearest", ty("{value: domain, score: double}"), None);
    env.add_name(
        "rows",
        ty(
            "list<{name: string, path?: string, at: time, span: duration, score?: int, tags: list<string>, \
            inner?: {deep: string}}>",
        ),
        None,
    );
    env.add_name("open", Type::Open, None);
    env.add_name("many", ty("list<list<int>>"), None);
    env.add_name("flag", Type::Bool, None);
    env.add_name("span", Type::Duration, None);
    env.add_name("count", Type::Int, None);
    env.add_name("hash", ty("hash"), None);
    add_step(&mut env, "block", "block.ip", "{ip?: ip, list: string}");
    add_step(&mut env, "siem", "siem.search", "{rows: list<record>}");
    add_loop(
        &mut env,
        "links",
        "enrich.url",
        "{url: url, verdict: verdict, score: int}",
        &ty("url"),
    );
    env
}

fn values() -> Value {
    json!({
        "incident": {
            "ref": "PH-2026-00417", "title": "<b>{{secrets}}</b>", "severity": "high",
            "detected_at": "2026-03-02T02:04:00Z", "tags": ["a", "b"],
            "mail": {"message_id": "<1@x>", "subject": "Hello", "from": "a@b.example", "to": []},
            "raw": {"deep": {"a": [1, 2]}},
        },
        "entity": {"name": "Ville", "timezone": "Europe/Paris"},
        "verdict": "malicious", "nearest": {"value": "ville.example", "score": 0.934}, "flag": true,
        "rows": [
            {"name": "one", "path": "/bin/sh", "at": "2026-03-02T02:04:00Z", "span": "90m", "score": 3, "tags": ["x", "y"], "inner": {"deep": "d"}},
            {"name": "two", "at": "2026-07-02T02:04:00Z", "span": "7d", "tags": [], "path": null},
        ],
        "open": {"text": "t", "list": [1], "n": 4}, "many": [[1, 2], [3]], "span": "7d", "count": 3,
        "hash": "d41d8cd98f00b204e9800998ecf8427e",
        "steps": {
            "block": {"status": "skipped", "attempts": 0},
            "siem": {"status": "succeeded", "attempts": 1, "rows": [{"user": "u1"}, {"host": "h2"}]},
            "links": {"status": "succeeded", "attempts": 1, "failed": 0, "items": [
                {"url": "https://evil.example/a", "verdict": "malicious", "score": 97, "item": "https://evil.example/a"},
            ]},
        },
    })
}
