//! Whose an alert is: decided by who sent it, never by what it says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use playbooks::operator::Entity;
use serde_json::Value;
use state::access::Reach;
use state::ids::EntityId;

use super::{Mapped, Mapper, MappingContext, Refusal, batch};

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
        self.entity_within(&Reach::All, alert)
    }

    /// The entity of one alert, for a sender that reaches some.
    fn entity_within(&self, reach: &Reach, alert: &Value) -> Result<&EntityId, Refusal> {
        let (path, sensors) = match &self.binding {
            Binding::Entity(entity) => return Ok(entity),
            Binding::Sensors { path, sensors } => (path, sensors),
        };
        let sensor = path
            .iter()
            .try_fold(alert, |value, key| value.get(key))
            .and_then(Value::as_str);
        let place = path.join(".");
        let Some(sensor) = sensor else {
            return Err(Refusal::invalid(
                place,
                "the alert names no sensor",
                "set the sensor's name at its source",
            ));
        };
        let shown = super::text::line(sensor, 64);
        let found = sensors.get(sensor).filter(|entity| reach.covers(entity));
        found.ok_or_else(|| match reach {
            Reach::All => Refusal::invalid(
                place,
                format!("the sensor `{shown}` is not in sources.{}.sensors", self.name),
                "add it to sortie.toml with its entity",
            ),
            Reach::Entities(_) => Refusal::invalid(
                place,
                format!("the sensor `{shown}` is of no entity within this token's reach"),
                format!(
                    "have it added to sources.{}.sensors, or use the token of its entity",
                    self.name
                ),
            ),
        })
    }
}

impl Source {
    /// Turns the bytes of this source into incidents, each of its entity, for a sender that reaches
    /// some entities. All or nothing.
    ///
    /// Whose an alert is comes first: whoever reaches some entities hears the same about a sensor
    /// that is nobody's and about one of somebody else.
    pub fn receive(
        &self,
        bytes: &[u8],
        entities: &BTreeMap<String, Entity>,
        reach: &Reach,
        now: Timestamp,
    ) -> Result<Vec<(EntityId, Mapped)>, Refusal> {
        let known = |id: &EntityId| {
            entities.get(id.as_str()).ok_or_else(|| {
                let reason = format!("the entity `{id}` of source {} does not exist", self.name);
                Refusal::invalid("", reason, "write its file, or change sortie.toml")
            })
        };
        if let Binding::Entity(id) = &self.binding {
            let context = MappingContext {
                entity: known(id)?,
                now,
            };
            let found = super::map(self.mapper, bytes, &context)?;
            return Ok(found.into_iter().map(|mapped| (id.clone(), mapped)).collect());
        }
        if self.mapper == Mapper::Mail {
            return Err(Refusal::invalid(
                "",
                "a mail names no sensor",
                "bind the source to one entity",
            ));
        }
        batch::each(bytes, |alert| {
            let id = self.entity_within(reach, &alert)?.clone();
            let context = MappingContext {
                entity: known(&id)?,
                now,
            };
            Ok((id, super::map_alert(self.mapper, alert, &context)?))
        })
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
