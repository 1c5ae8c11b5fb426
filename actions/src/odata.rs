//! `OData` as the services of Microsoft speak it: literals in filters, lists in pages, refusals.
//!
//! Owns how a value gets into a filter and how the next page is asked for. A link to a next page is
//! the far end's word: only its token is taken from it, never its host or path.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::action::ActionError;
use crate::egress::{Door, Request};

/// The query options that say where the next page begins.
const PAGE_OPTIONS: [&str; 2] = ["$skiptoken", "$skip"];

#[derive(Debug, Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

/// A text as a literal of a filter: in quotes, with the quotes in it doubled.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The items of a list, from at most so many pages.
pub(crate) async fn list<T: DeserializeOwned>(
    door: &Door,
    request: Request,
    pages_max: usize,
) -> Result<Vec<T>, ActionError> {
    let mut items = Vec::new();
    let mut next = None;
    for _ in 0..pages_max {
        let asked = match &next {
            Some((option, token)) => request.clone().query(*option, token),
            None => request.clone(),
        };
        let page: Page<T> = door.send(asked).await?.json_as()?;
        items.extend(page.value);
        next = page.next.as_deref().and_then(next_page);
        if next.is_none() {
            break;
        }
    }
    Ok(items)
}

/// Where the next page begins, out of the link to it.
fn next_page(link: &str) -> Option<(&'static str, String)> {
    let link = Url::parse(link).ok()?;
    PAGE_OPTIONS.into_iter().find_map(|option| {
        let (_, token) = link.query_pairs().find(|(name, _)| name == option)?;
        Some((option, token.into_owned()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{list, literal};
    use crate::contract::{Fake, Reply, door};
    use crate::egress::Request;

    #[test]
    fn a_literal_cannot_end_before_its_end() {
        assert_eq!(literal("a' or '1' eq '1"), "'a'' or ''1'' eq ''1'");
    }

    #[tokio::test]
    async fn pages_are_asked_for_at_the_connection_whatever_the_link_says() {
        let fake = Fake::start(|seen| {
            let first = !seen.target().contains("skiptoken");
            let next = "https://evil.example/steal?%24skiptoken=a%26b&$top=1";
            let page = if first {
                json!({"value": [{"n": 1}], "@odata.nextLink": next})
            } else {
                json!({"value": [{"n": 2}], "@odata.nextLink": next})
            };
            Reply::json(page.to_string())
        })
        .await;
        let door = door("entra", fake.base(), &Value::Null);
        let request = Request::get("auditLogs/signIns").query("$top", "1");
        let items: Vec<Value> = list(&door, request, 3).await.unwrap();
        assert_eq!(items, [json!({"n": 1}), json!({"n": 2}), json!({"n": 2})]);
        let targets: Vec<String> = fake.seen().iter().map(crate::contract::Seen::target).collect();
        assert_eq!(
            targets,
            [
                "/auditLogs/signIns?%24top=1",
                "/auditLogs/signIns?%24top=1&%24skiptoken=a%26b",
                "/auditLogs/signIns?%24top=1&%24skiptoken=a%26b",
            ]
        );
    }
}
