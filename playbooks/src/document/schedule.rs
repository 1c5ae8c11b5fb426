//! Reading `trigger.schedule`.

use jiff::tz::TimeZone;

use super::reader::Reader;
use super::{Placed, keys};
use crate::duration::Span;
use crate::schedule::{EVERY_MAX, EVERY_MIN, Schedule, TIMES_OF_DAY_MAX, TimeOfDay};
use crate::yaml::{Data, Node};

pub(super) fn schedule(reader: &mut Reader<'_>, node: &Node) -> Option<Placed<Schedule>> {
    let fields = reader.map(node, &keys::SCHEDULE)?;
    let value = |key: &str| fields.get(key).map(|field| &field.value);
    let per = per(reader, node, value("per"));
    let zone = value("tz").map(|node| zone(reader, node));
    let every = value("every").map(|node| every(reader, node));
    let at = value("at").map(|node| times(reader, node));
    let schedule = match (every, at) {
        (Some(span), None) => Schedule::Every(span?),
        (None, Some(times)) => Schedule::At {
            times: times?,
            zone: zone.clone().map_or(Some(None), |zone| zone.map(Some))?,
        },
        (None, None) => {
            reader.missing(&node.place, "`schedule`", "every", "1h");
            return None;
        }
        (Some(_), Some(_)) => {
            let finding = reader
                .error("PB112", &node.place, "`schedule` has `every` and `at`")
                .help("write one of them");
            reader.report(finding);
            return None;
        }
    };
    if let (Schedule::Every(_), Some(zone)) = (&schedule, value("tz")) {
        let finding = reader
            .error(
                "PB112",
                &zone.place,
                "`every` is counted in UTC, so `tz` would do nothing",
            )
            .help("remove it, or write `at`");
        reader.report(finding);
        return None;
    }
    per?;
    Some(Placed {
        value: schedule,
        place: node.place.clone(),
    })
}

/// Everything that is stored belongs to one entity, so runs for the whole organisation have no
/// place yet.
fn per(reader: &mut Reader<'_>, schedule: &Node, node: Option<&Node>) -> Option<()> {
    let Some(node) = node else {
        reader.missing(&schedule.place, "`schedule`", "per", "entity");
        return None;
    };
    if node.text() == Some("entity") {
        return Some(());
    }
    let finding = reader
        .error(
            "PB199",
            &node.place,
            "a run belongs to one entity: only `per: entity` is built",
        )
        .help("write `per: entity`; it starts once for each entity that has it turned on");
    reader.report(finding);
    None
}

fn every(reader: &mut Reader<'_>, node: &Node) -> Option<Span> {
    let span = reader.word::<Span>(node, "every", "every: 1h")?.value;
    if (EVERY_MIN..=EVERY_MAX).contains(&span) {
        return Some(span);
    }
    let finding = reader.error(
        "PB114",
        &node.place,
        format!("`every` is {span}; it may be {EVERY_MIN} to {EVERY_MAX}"),
    );
    reader.report(finding);
    None
}

fn times(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<TimeOfDay>> {
    let items = match &node.data {
        Data::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() || items.len() > TIMES_OF_DAY_MAX {
        let finding = reader.error(
            "PB114",
            &node.place,
            format!(
                "`at` has {} times; it may have 1 to {TIMES_OF_DAY_MAX}",
                items.len()
            ),
        );
        reader.report(finding);
        return None;
    }
    let times: Vec<Option<TimeOfDay>> = items
        .iter()
        .map(|item| {
            let time = reader.word::<TimeOfDay>(item, "at", "at: \"07:30\"");
            time.map(|time| time.value)
        })
        .collect();
    times.into_iter().collect()
}

fn zone(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let name = node.text().unwrap_or_default();
    if TimeZone::get(name).is_ok() {
        return Some(name.to_owned());
    }
    let shown: String = name.chars().take(60).collect();
    let finding = reader
        .error("PB112", &node.place, format!("there is no time zone `{shown}`"))
        .help("write an IANA name such as Europe/Paris, or leave it out for the entity's");
    reader.report(finding);
    None
}
