//! The document and the table say the same.

use serde_json::json;

use super::{document, path_parameters};
use crate::routes::{ROUTES, Verb};

#[test]
fn every_route_is_described_once_and_nothing_else_is() {
    let document = document();
    let described: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|methods| methods.as_object().unwrap().len())
        .sum();
    assert_eq!(described, ROUTES.len());
    for route in ROUTES {
        let verb = if route.method == Verb::Get { "get" } else { "post" };
        let operation = &document["paths"][route.path][verb];
        assert_eq!(operation["summary"], route.summary);
        assert_eq!(
            operation["security"] == json!([]),
            route.permission().is_none(),
            "{route:?}"
        );
        let parameters = operation["parameters"].as_array().map_or(0, Vec::len);
        assert_eq!(
            parameters,
            path_parameters(route.path).count() + route.query.len(),
            "{route:?}"
        );
    }
}
