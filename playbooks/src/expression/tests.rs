//! What expressions must refuse, compute and survive.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::*;
use crate::diagnostic::Source;
use crate::incident::IncidentType;
use crate::types::Enums;

mod designs;
mod explanations;
mod hostile;
mod refusals;
mod results;

/// Names over plain JSON.
pub(crate) struct Given(pub(crate) Value);

impl Names for Given {
    fn name(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.0.get(name).map(Cow::Borrowed)
    }
    fn step(&self, id: &str) -> Option<Cow<'_, Value>> {
        self.0.get("steps")?.get(id).map(Cow::Borrowed)
    }
}

pub(crate) fn ty(text: &str) -> Type {
    Type::parse(text, &Enums::new()).unwrap_or_else(|why| panic!("{text}: {why}"))
}

/// A playbook's surroundings: an incident of these types, the entity, us, the run.
pub(crate) fn env_of(kinds: &[IncidentType]) -> TypeEnv {
    let mut env = TypeEnv::new(Enums::from([(
        "rank".to_owned(),
        ["noise", "look", "act", "wake"].map(str::to_owned).to_vec(),
    )]));
    env.add_name("incident", Type::incident(kinds), None);
    env.add_name(
        "entity",
        Type::entity(&IndexMap::from([("lock".to_owned(), Type::String)])),
        None,
    );
    env.add_name("org", Type::organisation(), None);
    env.add_name("run", Type::run(), None);
    env.add_name("now", Type::Time, None);
    env
}

pub(crate) fn add_step(env: &mut TypeEnv, id: &str, action: &str, outputs: &str) {
    let outputs = ty(outputs).fields().expect("outputs are a record");
    env.add_step(
        id,
        StepType {
            action: action.to_owned(),
            ty: Type::step(&outputs),
            for_each: false,
            uses: None,
        },
    );
}

pub(crate) fn add_loop(env: &mut TypeEnv, id: &str, action: &str, outputs: &str, item: &Type) {
    let outputs = ty(outputs).fields().expect("outputs are a record");
    env.add_step(
        id,
        StepType {
            action: action.to_owned(),
            ty: Type::step_for_each(&outputs, item),
            for_each: true,
            uses: None,
        },
    );
}

pub(crate) fn compile(text: &str, env: &TypeEnv, expected: &Expected) -> Result<Expression, Vec<Diagnostic>> {
    let source = Source::new("test.yaml", text);
    Expression::compile(&Snippet::new(&source, 0..text.len(), text), env, expected)
}

pub(crate) fn compiled(text: &str, env: &TypeEnv, expected: &Expected) -> Expression {
    compile(text, env, expected).unwrap_or_else(|found| panic!("{text}\n{found:#?}"))
}

/// The code and the underlined text of each finding.
pub(crate) fn underlined<T>(compiled: Result<T, Vec<Diagnostic>>, text: &str) -> Vec<(String, String)> {
    let found = compiled.err().unwrap_or_default();
    let one = |finding: &Diagnostic| {
        let place = finding.primary.place.clone();
        (finding.code.to_owned(), text[place].to_owned())
    };
    found.iter().map(one).collect()
}

/// Names for tables: one of everything.
pub(crate) fn table_env() -> TypeEnv {
    let mut env = env_of(&[]);
    env.add_name(
        "x",
        ty("{int: int, double: double, text: string, yes: bool, time: time, span: duration, ip: ip, \
            level: severity, verdict: verdict, ints: list<int>, texts: list<string>, times: list<time>, \
            spans: list<duration>, levels: list<severity>, maybe?: string, inner?: {deep?: int}, open: record, \
            rows: list<{name: string, score?: int}>, lists: list<list<int>>}"),
        None,
    );
    env.add_name(
        "answer",
        Type::OneOf(vec!["yes".to_owned(), "no".to_owned()]),
        None,
    );
    env
}

pub(crate) fn table_values() -> Given {
    Given(json!({
        "x": {
            "int": 7, "double": 2.5, "text": "Hello, wörld", "yes": true, "time": "2026-03-02T03:04:05Z",
            "span": "90m", "ip": "192.0.2.7", "level": "high", "verdict": "clean",
            "ints": [3, 1, 2, 3], "texts": ["b", "a", "b"],
            "times": ["2026-03-02T03:04:05Z", "2026-03-02T04:00:00+01:00"],
            "spans": ["1h", "59m"], "levels": ["high", "low", "critical"],
            "inner": {}, "open": {"a": {"b": 3}, "list": [1, "two", null], "none": null},
            "rows": [{"name": "one", "score": 5}, {"name": "two"}], "lists": [[1, 2], [], [3]],
        },
        "answer": "yes",
        "now": "2026-03-02T05:00:00Z",
        "incident": {"severity": "high", "tlp": "amber", "title": "T", "tags": ["a"]},
    }))
}

fn evaluated(text: &str) -> Result<Option<Value>, Unresolved> {
    compiled(text, &table_env(), &Expected::Any).evaluate(&table_values())
}
