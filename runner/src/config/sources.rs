//! `[sources.<name>]`: who alerts come from, and whose they are.

use std::collections::BTreeMap;

use playbooks::operator::Entity;
use playbooks::yaml::{Data, Field, Node};

use super::fields::{Sheet, Table, nearest};
use super::tokens::known_entity;
use super::values;
use crate::intake::{Binding, Mapper, Source};

/// Segments of the path to a sensor's name.
const SENSOR_PATH_SEGMENTS_MAX: usize = 8;

/// Reads `[sources]`.
pub(super) fn sources(
    sheet: &mut Sheet,
    node: &Node,
    entities: &BTreeMap<String, Entity>,
) -> BTreeMap<String, Source> {
    let mut sources = BTreeMap::new();
    let Some(mut table) = sheet.table("sources", node) else {
        return sources;
    };
    for field in table.rest() {
        if !values::is_name(&field.key) {
            sheet.wrong(
                &field.key_place,
                "this is not a name of a source",
                "use lower-case letters, digits and `-`",
            );
        } else if let Some(source) = source(sheet, field, entities) {
            sources.insert(field.key.clone(), source);
        }
    }
    sources
}

fn source(sheet: &mut Sheet, field: &Field, entities: &BTreeMap<String, Entity>) -> Option<Source> {
    let mut table = sheet.table(&format!("sources.{}", field.key), &field.value)?;
    let mapper = table.need(sheet, "format").and_then(|node| mapper(sheet, node));
    let binding = binding(sheet, &mut table, entities);
    table.refuse(sheet, "signature", "requests are authenticated by their token");
    table.close(sheet);
    Some(Source {
        name: field.key.clone(),
        mapper: mapper?,
        binding: binding?,
    })
}

fn mapper(sheet: &mut Sheet, node: &Node) -> Option<Mapper> {
    let text = sheet.text(node)?;
    if let Some(mapper) = Mapper::by_name(text) {
        return Some(mapper);
    }
    let names = Mapper::ALL.iter().map(|mapper| mapper.name());
    let help = match nearest(text, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use one of: {}", names.collect::<Vec<_>>().join(", ")),
    };
    sheet.wrong(&node.place, format!("there is no alert format `{text}`"), help);
    None
}

fn binding(sheet: &mut Sheet, table: &mut Table<'_>, entities: &BTreeMap<String, Entity>) -> Option<Binding> {
    let entity = table.get(sheet, "entity");
    let field = table.get(sheet, "sensor_field");
    let sensors = table.get(sheet, "sensors");
    match (entity, field, sensors) {
        (Some(node), None, None) => {
            let name = sheet.text(node)?;
            known_entity(sheet, node, name, entities).map(Binding::Entity)
        }
        (None, Some(field), Some(sensors)) => {
            let path: Vec<String> = sheet.text(field)?.split('/').map(str::to_owned).collect();
            if path.len() > SENSOR_PATH_SEGMENTS_MAX || path.iter().any(String::is_empty) {
                sheet.wrong(
                    &field.place,
                    "this is not a path",
                    "write for example host or agent/name",
                );
                return None;
            }
            let sensors = sensor_entities(sheet, sensors, entities)?;
            Some(Binding::Sensors { path, sensors })
        }
        _ => {
            let place = table.place().clone();
            sheet.wrong(
                &place,
                "a source needs one entity, or a table of sensors",
                "write entity = \"…\", or sensor_field = \"host\" and sensors = { \"sensor-1\" = \"…\" }",
            );
            None
        }
    }
}

fn sensor_entities(
    sheet: &mut Sheet,
    node: &Node,
    entities: &BTreeMap<String, Entity>,
) -> Option<BTreeMap<String, state::ids::EntityId>> {
    let Data::Map(fields) = &node.data else {
        sheet.wrong(
            &node.place,
            "sensors are a table",
            "write sensors = { \"sensor-1\" = \"ville-exemple\" }",
        );
        return None;
    };
    let mut sensors = BTreeMap::new();
    for field in fields {
        let name = sheet.text(&field.value)?;
        let entity = known_entity(sheet, &field.value, name, entities)?;
        sensors.insert(field.key.clone(), entity);
    }
    Some(sensors)
}
