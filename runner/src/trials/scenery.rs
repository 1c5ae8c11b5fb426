//! The operator's side of a test: the project's when there is one, and what is missing made up.
//!
//! A test is about the playbook. So the playbook is turned on, the red button is not pressed, and
//! a capability that no connection offers gets a stand-in without ceilings; what `check` and
//! `doctor` say about a project is their work. Everything that exists holds as it is configured.

use playbooks::action_spec::Catalog;
use playbooks::diagnostic::{Diagnostic, Source};
use playbooks::marking::{EffectClass, Pap, Tlp};
use playbooks::operator::{Connection, Entity, Guardrails, Operator, Organisation, Resolved, Rollout};
use playbooks::plan::Plan;
use playbooks::trial::{Layer, TrialMode, lay_over};
use playbooks::yaml;
use serde_json::{Value, json};
use state::ids::EntityId;

use super::incident::Folder;

/// The id of the entity of tests that name none.
const ENTITY: &str = "example-town";

/// Us, when there is no project.
fn operator() -> Operator {
    Operator {
        organisation: Organisation {
            name: "CERT-EX".to_owned(),
            language: "en".to_owned(),
            timezone: "UTC".to_owned(),
            mail_from: "CERT-EX <incident@cert.example>".to_owned(),
        },
        entities: std::collections::BTreeMap::new(),
        connections: std::collections::BTreeMap::new(),
        guardrails: Guardrails::default(),
        roles: std::collections::BTreeSet::new(),
        approvals: playbooks::operator::Approvals::default(),
        page: None,
        people: std::collections::BTreeMap::new(),
    }
}

/// An entity that has decided everything beforehand: what a playbook does of itself is seen, and a
/// test that is about an entity says so.
fn entity(id: &str, plan: &Plan, guardrails: &Guardrails) -> Value {
    let policy: serde_json::Map<String, Value> = plan
        .steps
        .values()
        .filter(|step| step.action.effect == EffectClass::Contain)
        .map(|step| {
            let policy = json!({"auto": true, "max": guardrails.block_for_max.to_string()});
            (step.action.name.clone(), policy)
        })
        .collect();
    let mail = |role: &str| json!({"mail": format!("{role}@town.example"), "tlp": "amber_strict"});
    json!({
        "id": id, "name": "Example Town", "language": "en", "timezone": "UTC",
        "domains": ["town.example"], "networks": ["198.51.100.0/24"],
        "contacts": {"security": mail("security"), "it": mail("it")},
        "approvers": {"record": ["duty-officer"], "notify": ["duty-officer"], "contain": ["duty-officer"], "destroy": ["duty-officer"]},
        "policy": policy, "settings": {}, "never_block": [],
        "marking": {"tlp": "amber", "pap": "green"}, "connections": {}, "rollout": {},
    })
}

/// The operator and the entity of one test.
///
/// # Errors
/// A finding at the layer that cannot be used.
pub(super) fn set(
    project: Option<&Operator>,
    plan: &Plan,
    layers: &[&Layer],
    mode: TrialMode,
    catalog: &dyn Catalog,
    folder: &Folder<'_>,
) -> Result<(Operator, Entity), Box<Diagnostic>> {
    let rollout = match mode {
        TrialMode::Auto => Rollout::Auto,
        TrialMode::Shadow => Rollout::Shadow,
        TrialMode::Suggest => Rollout::Suggest,
    };
    let mut operator = project.cloned().unwrap_or_else(operator);
    operator.guardrails.effects_paused = false;
    let mut entity = entity_of(&operator, plan, layers, folder)?;
    entity.rollout.insert(plan.id.clone(), rollout);
    operator.entities.insert(entity.id.clone(), entity.clone());
    stand_in(&mut operator, plan, &entity, catalog);
    Ok((operator, entity))
}

fn entity_of(
    operator: &Operator,
    plan: &Plan,
    layers: &[&Layer],
    folder: &Folder<'_>,
) -> Result<Entity, Box<Diagnostic>> {
    let unusable = |place: &std::ops::Range<usize>, message: String| {
        Box::new(Diagnostic::error("PB502", folder.source, place.clone(), message))
    };
    let only = match operator.entities.values().collect::<Vec<_>>().as_slice() {
        [only] => serde_json::to_value(only).ok(),
        _ => None,
    };
    let mut value = only.unwrap_or_else(|| entity(ENTITY, plan, &operator.guardrails));
    let known: Vec<String> = value
        .as_object()
        .map(|fields| fields.keys().cloned().chain(["website".to_owned()]).collect())
        .unwrap_or_default();
    let mut place = 0..0;
    for layer in layers {
        let over = match layer {
            Layer::Over(over) => {
                place = over.place.clone();
                over.value.clone()
            }
            Layer::Named(name) if is_file(&name.value) => {
                place = name.place.clone();
                value = entity(ENTITY, plan, &operator.guardrails);
                file(folder, &name.value).map_err(|why| unusable(&name.place, why))?
            }
            Layer::Named(name) => {
                place = name.place.clone();
                value = named(operator, plan, &name.value).map_err(|why| unusable(&name.place, why))?;
                continue;
            }
        };
        for field in over.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !known.contains(field) {
                let help = crate::config::fields::nearest(field, known.iter().map(String::as_str));
                let mut finding = unusable(&place, format!("an entity has no field `{field}`"));
                finding
                    .help
                    .extend(help.map(|word| format!("did you mean `{word}`?")));
                return Err(finding);
            }
        }
        lay_over(&mut value, &over);
    }
    let entity: Entity = serde_json::from_value(value)
        .map_err(|error| unusable(&place, format!("this is no entity: {error}")))?;
    if let Err(error) = entity.id.parse::<EntityId>() {
        return Err(unusable(&place, error.to_string()));
    }
    Ok(entity)
}

fn is_file(name: &str) -> bool {
    name.contains('/')
        || std::path::Path::new(name)
            .extension()
            .is_some_and(|ending| ending == "yaml")
}

/// An entity of the project; without a project, one of that name that is made up.
fn named(operator: &Operator, plan: &Plan, id: &str) -> Result<Value, String> {
    match operator.entities.get(id) {
        Some(entity) => serde_json::to_value(entity).map_err(|error| error.to_string()),
        None if operator.entities.is_empty() => Ok(entity(id, plan, &operator.guardrails)),
        None => {
            let known: Vec<&str> = operator.entities.keys().map(String::as_str).collect();
            Err(format!(
                "there is no entity `{id}`; the project has {}",
                known.join(", ")
            ))
        }
    }
}

/// The fields of an entity file. When somebody verified a contact says nothing to a playbook.
fn file(folder: &Folder<'_>, name: &str) -> Result<Value, String> {
    let bytes = folder.read(name)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not UTF-8"))?;
    let root = yaml::read(&Source::new(name, text)).map_err(|findings| {
        let first = findings.first().map_or("", |found| found.message.as_str());
        format!("{name}: {first}")
    })?;
    let mut value = root.to_json();
    let contacts = value.get_mut("contacts").and_then(Value::as_object_mut);
    for contact in contacts.into_iter().flat_map(|contacts| contacts.values_mut()) {
        if let Some(contact) = contact.as_object_mut() {
            contact.remove("verified");
        }
    }
    Ok(value)
}

/// A connection without ceilings for every capability that nobody offers.
fn stand_in(operator: &mut Operator, plan: &Plan, entity: &Entity, catalog: &dyn Catalog) {
    for step in plan.steps.values().filter(|step| step.action.needs_connection) {
        let action = &step.action.name;
        let using = step.using.as_deref();
        let missing = match using {
            Some(name) => !operator.connections.contains_key(name),
            None => {
                let resolved = operator.resolve(action, None, entity, step.action.merges_providers);
                resolved == Resolved::NoConnection
            }
        };
        let provider = catalog
            .providers(action)
            .first()
            .map(|spec| spec.provider.clone());
        if let (true, Some(provider)) = (missing, provider) {
            let name = using.map_or_else(|| format!("test-{}", action.replace('.', "-")), str::to_owned);
            let connection = Connection {
                name: name.clone(),
                provider,
                capabilities: vec![action.clone()],
                tlp: Tlp::Red,
                pap: Pap::Red,
                house: true,
                entity: None,
                effect: None,
                exposure: None,
            };
            operator
                .connections
                .entry(name)
                .and_modify(|known| known.capabilities.push(action.clone()))
                .or_insert(connection);
        }
    }
}
