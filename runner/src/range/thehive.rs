//! `TheHive` alerts, cases and comments. A second alert with the same type, source and reference is
//! refused with 400, as its releases 3 and 4 do.

use http::Method;
use serde_json::{Value, json};

use super::exchange::{Asked, Reply, Service};
use super::ledger::Ledger;

/// When everything is made, milliseconds since 1970.
const CREATED_AT: u64 = 1_772_420_651_000;

#[derive(Debug)]
struct Thing {
    id: String,
    kind: &'static str,
    body: Value,
    comments: Vec<Value>,
}

#[derive(Debug, Default)]
pub(super) struct TheHive {
    things: Vec<Thing>,
}

impl TheHive {
    pub(super) fn answer(&mut self, asked: &Asked, ledger: &Ledger) -> Reply {
        if !asked.authorized(&["Bearer", "Basic"]) {
            return refusal(401, "AuthenticationError", "Authentication failure");
        }
        let parts = asked.parts();
        let post = asked.method == Method::POST;
        match parts.as_slice() {
            ["alert"] if post => self.create("Alert", asked, ledger),
            ["case"] if post => self.create("Case", asked, ledger),
            ["query"] if post => self.query(&asked.json()),
            ["alert" | "case", id, "comment"] if post => self.comment(id, asked, ledger),
            ["alert" | "case", id] => self.one(id, asked, ledger),
            _ => missing(),
        }
    }

    fn create(&mut self, kind: &'static str, asked: &Asked, ledger: &Ledger) -> Reply {
        let Value::Object(mut body) = asked.json() else {
            return refusal(400, "BadRequest", "the body is not a JSON object");
        };
        let text = |key: &str| {
            body.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let required: &[&str] = if kind == "Alert" {
            &["type", "source", "sourceRef", "title", "description"]
        } else {
            &["title", "description"]
        };
        if let Some(absent) = required.iter().find(|key| text(key).is_empty()) {
            return refusal(
                400,
                "AttributeCheckingError",
                &format!("Missing attribute {absent}"),
            );
        }
        let key = ["type", "source", "sourceRef"].map(text);
        let same = |thing: &&Thing| {
            let names = ["type", "source", "sourceRef"];
            let mut pairs = names.iter().zip(&key);
            thing.kind == "Alert" && pairs.all(|(name, value)| thing.body.get(*name) == Some(&json!(value)))
        };
        if kind == "Alert" && self.things.iter().find(same).is_some() {
            let [kind, source, reference] = &key;
            return refusal(
                400,
                "CreateError",
                &format!("Alert {kind}/{source}/{reference} already exists"),
            );
        }
        let number = self.things.len() + 1;
        let id = format!("~{}", 40_960 + number * 8);
        let observables = body
            .get("observables")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        body.insert("_id".to_owned(), json!(id));
        body.insert("_type".to_owned(), json!(kind));
        body.insert("_createdBy".to_owned(), json!("sortie@range.example"));
        body.insert("_createdAt".to_owned(), json!(CREATED_AT));
        body.insert("status".to_owned(), json!("New"));
        body.insert("stage".to_owned(), json!("New"));
        body.insert("observableCount".to_owned(), json!(observables));
        if kind == "Case" {
            body.insert("number".to_owned(), json!(number));
        }
        let what = if kind == "Alert" {
            "alert created"
        } else {
            "case created"
        };
        ledger.happened(Service::TheHive, what, &id, &asked.body);
        let body = Value::Object(body);
        self.things.push(Thing {
            id,
            kind,
            body: body.clone(),
            comments: Vec::new(),
        });
        Reply::json(201, &body)
    }

    fn find(&mut self, id: &str) -> Option<&mut Thing> {
        self.things.iter_mut().find(|thing| thing.id == id)
    }

    fn one(&mut self, id: &str, asked: &Asked, ledger: &Ledger) -> Reply {
        let Some(thing) = self.find(id) else {
            return missing();
        };
        match asked.method {
            Method::GET => Reply::json(200, &thing.body),
            Method::PATCH => {
                if let (Value::Object(body), Value::Object(changes)) = (&mut thing.body, asked.json()) {
                    body.extend(changes);
                }
                ledger.happened(Service::TheHive, "changed", id, &asked.body);
                Reply::empty(204)
            }
            Method::DELETE => {
                self.things.retain(|thing| thing.id != id);
                ledger.happened(Service::TheHive, "deleted", id, &asked.body);
                Reply::empty(204)
            }
            _ => missing(),
        }
    }

    fn comment(&mut self, id: &str, asked: &Asked, ledger: &Ledger) -> Reply {
        let Some(thing) = self.find(id) else {
            return missing();
        };
        let number = thing.comments.len() + 1;
        let comment = json!({
            "_id": format!("{id}-{number}"), "_type": "Comment", "createdBy": "sortie@range.example",
            "createdAt": CREATED_AT, "message": asked.json().get("message"), "isEdited": false,
        });
        thing.comments.push(comment.clone());
        ledger.happened(
            Service::TheHive,
            "comment added",
            &format!("{id}-{number}"),
            &asked.body,
        );
        Reply::json(201, &comment)
    }

    /// `listAlert`, `listCase`, `getAlert`, `getCase`, then `filter`, `comments`, `page`.
    fn query(&self, body: &Value) -> Reply {
        let steps = body
            .get("query")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let mut found: Vec<&Thing> = Vec::new();
        let mut comments = None;
        for step in &steps {
            let id = step.get("idOrName").and_then(Value::as_str);
            match step.get("_name").and_then(Value::as_str).unwrap_or_default() {
                "listAlert" => found = self.things.iter().filter(|thing| thing.kind == "Alert").collect(),
                "listCase" => found = self.things.iter().filter(|thing| thing.kind == "Case").collect(),
                "getAlert" | "getCase" => {
                    found = self
                        .things
                        .iter()
                        .filter(|thing| Some(thing.id.as_str()) == id)
                        .collect();
                }
                "filter" => found.retain(|thing| fits(&thing.body, step)),
                "comments" => {
                    comments = Some(found.iter().flat_map(|thing| &thing.comments).collect::<Vec<_>>());
                }
                _ => {}
            }
        }
        match comments {
            Some(comments) => Reply::json(200, &json!(comments)),
            None => Reply::json(200, &found.iter().map(|thing| thing.body.clone()).collect()),
        }
    }
}

/// Whether a thing fits a filter: `_and`, `_or`, `_eq` with `_field` and `_value`, or the short
/// form `{field: value}` inside `_eq`. A list fits when one of its items does.
fn fits(thing: &Value, filter: &Value) -> bool {
    let equals = |field: &str, wanted: &Value| match thing.get(field) {
        Some(Value::Array(items)) => items.contains(wanted),
        Some(found) => found == wanted,
        None => false,
    };
    let list = |key: &str| filter.get(key).and_then(Value::as_array);
    if let Some(filters) = list("_and") {
        return filters.iter().all(|filter| fits(thing, filter));
    }
    if let Some(filters) = list("_or") {
        return filters.iter().any(|filter| fits(thing, filter));
    }
    let test = filter.get("_eq").unwrap_or(filter);
    if let (Some(field), Some(wanted)) = (test.get("_field").and_then(Value::as_str), test.get("_value")) {
        return equals(field, wanted);
    }
    test.as_object().is_some_and(|fields| {
        fields
            .iter()
            .filter(|(name, _)| !name.starts_with('_'))
            .all(|(field, wanted)| equals(field, wanted))
    })
}

fn refusal(status: u16, kind: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"type": kind, "message": message}))
}

fn missing() -> Reply {
    refusal(404, "NotFoundError", "not found")
}
