//! RDAP: who registered a domain or an address range, and when.
//!
//! Owns reading registration data (RFC 9083) and contact cards (RFC 7095). The base URL is that
//! of one registry's server; it redirects nowhere. What is absent stays absent.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use playbooks::action_spec::ProviderSpec;
use playbooks::duration::Span;
use serde_json::{Value, json};

use super::{door, nothing_to_probe, provider, without_nulls};
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::{optional_text, text};
use crate::egress::{Answer, Request};

/// How deep entities may hold entities.
pub(super) const ENTITY_DEPTH_MAX: usize = 8;

const SECONDS_PER_DAY: i64 = 86_400;

#[derive(Debug)]
struct Rdap {
    spec: ProviderSpec,
}

/// The capabilities it fulfils.
pub(super) fn actions() -> Vec<Arc<dyn Action>> {
    ["enrich.rdap", "enrich.domain", "enrich.ip"]
        .map(|capability| -> Arc<dyn Action> {
            Arc::new(Rdap {
                spec: provider(capability, "rdap", "the registry"),
            })
        })
        .to_vec()
}

#[async_trait]
impl Action for Rdap {
    fn provider(&self) -> &ProviderSpec {
        &self.spec
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let ip = optional_text(call, "ip")?;
        let request = if let Some(ip) = ip {
            Request::get("ip").segment(ip)
        } else {
            let domain = text(call, "domain")?;
            // Registries know what was registered, not the names below it.
            Request::get("domain").segment(psl::domain_str(domain).unwrap_or(domain))
        };
        let request = request
            .header("accept", "application/rdap+json, application/json")
            .data_status(404);
        let answer = door(&context)?.send(request).await?;
        if answer.status() == 404 {
            return not_registered(&answer).map(Performed::output);
        }
        let object = answer.json()?;
        if !object.get("objectClassName").is_some_and(Value::is_string) {
            return Err(ActionError::bad_answer("the answer is JSON, but no RDAP object"));
        }
        let facts = if ip.is_some() {
            of_network(&object)
        } else {
            of_domain(&object, call.now)
        };
        Ok(Performed::output(without_nulls(facts)))
    }

    async fn probe(&self, _call: &Call, _context: Context<'_>) -> Probe {
        nothing_to_probe()
    }
}

/// A 404 in the words of RDAP, or without words, is "not registered"; a web page is a wrong address.
fn not_registered(answer: &Answer) -> Result<Value, ActionError> {
    let in_rdap = answer.json().is_ok_and(|body| body.get("errorCode").is_some());
    if in_rdap || answer.body().is_empty() {
        return Ok(json!({}));
    }
    Err(ActionError::refused(
        "it answered 404, but not in the words of RDAP; correct the base URL of the connection",
    ))
}

/// What is known of an address range.
pub(super) fn of_network(object: &Value) -> Value {
    json!({ "country": object.get("country"), "abuse_email": abuse_email(object) })
}

/// What is known of a domain.
pub(super) fn of_domain(object: &Value, now: Timestamp) -> Value {
    let created = registered_at(object);
    json!({
        "registrar": entity(object, "registrar").and_then(name),
        "abuse_email": abuse_email(object),
        "created": created,
        "age": created.and_then(|created| age(created, now)),
        "country": entity(object, "registrant").and_then(country),
    })
}

/// How long ago something was, in whole days, or in seconds below one day. Absent for the future.
pub(super) fn age(then: Timestamp, now: Timestamp) -> Option<Span> {
    let seconds = now.as_second().checked_sub(then.as_second())?;
    match seconds {
        ..0 => None,
        0..SECONDS_PER_DAY => Some(Span::seconds(seconds)),
        _ => Some(Span::days(seconds / SECONDS_PER_DAY)),
    }
}

fn registered_at(object: &Value) -> Option<Timestamp> {
    let events = object.get("events")?.as_array()?;
    let registration = events
        .iter()
        .find(|event| event.get("eventAction").and_then(Value::as_str) == Some("registration"))?;
    registration.get("eventDate")?.as_str()?.parse().ok()
}

fn abuse_email(object: &Value) -> Option<String> {
    entity(object, "abuse").and_then(|abuse| card_text(abuse, "email"))
}

/// The first entity of a role, nearest first: the abuse contact is often inside the registrar.
fn entity<'a>(object: &'a Value, role: &str) -> Option<&'a Value> {
    let mut level: Vec<&Value> = children(object).collect();
    for _ in 0..ENTITY_DEPTH_MAX {
        if let Some(found) = level.iter().find(|entity| has_role(entity, role)) {
            return Some(found);
        }
        level = level.into_iter().flat_map(children).collect();
    }
    None
}

fn children(object: &Value) -> impl Iterator<Item = &Value> {
    let entities = object.get("entities").and_then(Value::as_array);
    entities.into_iter().flatten()
}

fn has_role(entity: &Value, role: &str) -> bool {
    let roles = entity.get("roles").and_then(Value::as_array);
    roles
        .into_iter()
        .flatten()
        .any(|found| found.as_str() == Some(role))
}

/// The properties of a kind on an entity's card: `[name, parameters, type, value]`.
fn card<'a>(entity: &'a Value, property: &'static str) -> impl Iterator<Item = &'a Value> {
    let properties = entity.pointer("/vcardArray/1").and_then(Value::as_array);
    properties
        .into_iter()
        .flatten()
        .filter(move |entry| entry.get(0).and_then(Value::as_str) == Some(property))
}

fn card_text(entity: &Value, property: &'static str) -> Option<String> {
    card(entity, property)
        .filter_map(|entry| entry.get(3)?.as_str())
        .map(str::trim)
        .find(|text| !text.is_empty())
        .map(str::to_owned)
}

fn name(entity: &Value) -> Option<String> {
    card_text(entity, "fn").or_else(|| card_text(entity, "org"))
}

/// The country of an address: its `cc` parameter (RFC 8605), or the last part of its value.
fn country(entity: &Value) -> Option<String> {
    card(entity, "adr")
        .filter_map(|entry| {
            let code = entry.pointer("/1/cc").and_then(Value::as_str);
            code.or_else(|| entry.pointer("/3/6")?.as_str())
        })
        .map(str::trim)
        .find(|text| !text.is_empty())
        .map(str::to_owned)
}
