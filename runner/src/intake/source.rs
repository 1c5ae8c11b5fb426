//! Whose an alert is: decided by who sent it, never by what it says.

use std::collections::{BTreeMap, BTreeSet};

use playbooks::operator::Entity;
use serde_json::Value;
use state::access::Reach;
use state::ids::EntityId;

use super::{Mapper, Refusal};

/// Somebody alerts come from, as the operator declared it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// What it sends.
    pub mapper: Mapper,
    /// Whose its alerts are.
    pub binding: Binding,
}

/// Whose the alerts of a source are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// One entity's.
    Entity(EntityId),
    /// One entity's a sensor. The table is the operator's; the alert only says which sensor saw it.
    Sensors {
        /// Path to the sensor's name in an alert.
        path: Vec<String>,
        /// Sensor to entity.
        sensors: BTreeMap<String, EntityId>,
    },
}

impl Source {
    /// The entity of one alert.
    pub fn entity(&self, alert: &Value) -> Result<&EntityId, Refusal> {
        let (path, sensors) = match &self.binding {
            Binding::Entity(entity) => return Ok(entity),
            Binding::Sensors { path, sensors } => (path, sensors),
        };
        let sensor = path
            .iter()
            .try_fold(alert, |value, key| value.get(key))
            .and_then(Value::as_str);
        let place = path.join(".");
        match sensor {
            None => Err(Refusal::invalid(
                place,
                "the alert names no sensor",
                "set the sensor's name at its source",
            )),
            Some(sensor) => sensors.get(sensor).ok_or_else(|| {
                let shown = super::text::line(sensor, 64);
                Refusal::invalid(
                    place,
                    format!("the sensor `{shown}` is not in sources.{}.sensors", self.name),
                    "add it to sortie.toml with its entity",
                )
            }),
        }
    }
}

/// Why no entity could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntityChoice {
    /// The caller reaches several, so it has to say which.
    #[error("for which entity? Add `?entity=` with one of: {0}")]
    Ambiguous(String),
    /// There is none of this name within the caller's reach. Says nothing about others.
    #[error("there is no entity `{0}` within reach")]
    NotFound(String),
    /// The caller reaches none.
    #[error("there is no entity within reach")]
    None,
}

/// The entity of a submission: the caller's only one, or the one it names, if it reaches it.
pub fn choose_entity(
    reach: &Reach,
    entities: &BTreeMap<String, Entity>,
    named: Option<&EntityId>,
) -> Result<EntityId, EntityChoice> {
    let within: BTreeSet<EntityId> = entities
        .keys()
        .filter_map(|id| id.parse().ok())
        .filter(|id| reach.covers(id))
        .collect();
    if let Some(named) = named {
        return within
            .get(named)
            .cloned()
            .ok_or_else(|| EntityChoice::NotFound(named.to_string()));
    }
    let mut all = within.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => Err(EntityChoice::None),
        _ => {
            let reached: Vec<_> = within.iter().take(20).map(EntityId::as_str).collect();
            Err(EntityChoice::Ambiguous(reached.join(", ")))
        }
    }
}
