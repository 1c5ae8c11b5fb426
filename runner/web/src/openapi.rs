//! The description of the API, made from the route table and from nothing else.

use serde_json::{Map, Value, json};
use state::access::Permission;

use crate::routes::{ROUTES, Route, Verb};
use crate::view::FORMAT;

#[cfg(test)]
mod tests;

/// The `OpenAPI` 3.1 document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let verb = match route.method {
            Verb::Get => "get",
            Verb::Post => "post",
        };
        if let Value::Object(methods) = paths.entry(route.path).or_insert_with(|| json!({})) {
            methods.insert(verb.to_owned(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sortie",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("Every JSON object at the top of an answer carries `format: {FORMAT}`."),
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "the token as the password"},
            },
            "schemas": {"Problem": problem()},
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = Map::new();
    operation.insert("summary".to_owned(), json!(route.summary));
    let parameters: Vec<Value> = path_parameters(route.path)
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .chain(
            route
                .query
                .iter()
                .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}})),
        )
        .collect();
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), Value::Array(parameters));
    }
    if !route.accepts.is_empty() {
        let content: Map<String, Value> = route
            .accepts
            .iter()
            .map(|media| (media.name().to_owned(), json!({})))
            .collect();
        operation.insert(
            "requestBody".to_owned(),
            json!({"required": true, "content": content}),
        );
    }
    let mut responses: Map<String, Value> = route
        .answers
        .iter()
        .map(|(status, text)| (status.to_string(), json!({"description": text})))
        .collect();
    let problem = json!({
        "description": "a refusal",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    responses.insert("default".to_owned(), problem);
    operation.insert("responses".to_owned(), Value::Object(responses));
    let security = match route.permission() {
        None => json!([]),
        Some(permission) => {
            operation.insert("x-permission".to_owned(), json!(permission_word(permission)));
            if route.path.starts_with("/edl/") {
                json!([{"bearer": []}, {"basic": []}])
            } else {
                json!([{"bearer": []}])
            }
        }
    };
    operation.insert("security".to_owned(), security);
    Value::Object(operation)
}

fn permission_word(permission: Permission) -> Value {
    serde_json::to_value(permission).unwrap_or_default()
}

/// The names between braces.
pub(crate) fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["format", "type", "title", "status", "detail"],
        "properties": {
            "format": {"const": FORMAT},
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "help": {"type": "string"},
            "diagnostics": {"type": "array", "items": {
                "type": "object",
                "required": ["level", "message"],
                "properties": {
                    "code": {"type": "string"},
                    "level": {"enum": ["error", "warning"]},
                    "message": {"type": "string"},
                    "place": {"type": "string"},
                    "help": {"type": "array", "items": {"type": "string"}},
                },
            }},
        },
    })
}
