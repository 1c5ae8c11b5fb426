//! The parts of a playbook outside its steps.

use indexmap::IndexMap;

use crate::marking::EffectClass;
use crate::plan::{RUNS_AT_ONCE_MAX, STEPS_MAX, Section, WhenBusy};
use crate::yaml::{Data, Field, Node};

use super::reader::Reader;
use super::schedule::schedule;
use super::{
    Concurrency, DESCRIPTION_CHARACTERS_MAX, Document, INPUTS_MAX, LETS_MAX, LINE_CHARACTERS_MAX, Limits,
    OncePer, Placed, Step, TAGS_MAX, Trigger, declarations, keys, step,
};

/// Reads the whole file.
pub(super) fn document(reader: &mut Reader<'_>, root: &Node) -> Option<Document> {
    if root.data == Data::Null {
        let finding = reader
            .error("PB110", &(0..0), "the file is empty")
            .help("start with `id:`, `name:`, `version:`, `description:`, `owner:` and `steps:`");
        reader.report(finding);
        return None;
    }
    let fields = reader.map(root, &keys::PLAYBOOK)?;
    let id = required_text(reader, root, &fields, "id", "phishing-report");
    if let Some(id) = &id {
        playbook_id(reader, id);
    }
    let name = required_text(reader, root, &fields, "name", "Phishing report");
    let version = if let Some(field) = fields.get("version") {
        reader.integer(&field.value, "version", (1, i64::from(u32::MAX)))
    } else {
        reader.missing(&start(root), "a playbook", "version", "1");
        None
    };
    let description = if let Some(field) = fields.get("description") {
        reader.text(&field.value, "description", DESCRIPTION_CHARACTERS_MAX)
    } else {
        reader.missing(
            &start(root),
            "a playbook",
            "description",
            "What it decides and what it does",
        );
        None
    };
    let owner = required_text(reader, root, &fields, "owner", "triage-team");
    let value = |key: &str| fields.get(key).map(|field| &field.value);
    let tags = value("tags").map(|node| tags(reader, node)).unwrap_or_default();
    let trigger = fields
        .get("trigger")
        .map(|field| trigger(reader, field))
        .unwrap_or_default();
    let concurrency = value("concurrency").and_then(|node| concurrency(reader, node));
    let limits = value("limits")
        .map(|node| limits(reader, node))
        .unwrap_or_default();
    let may = value("may").map(|node| may(reader, node)).unwrap_or_default();
    let inputs = value("inputs")
        .map(|node| declarations::inputs(reader, node))
        .unwrap_or_default();
    let enums = value("enums")
        .map(|node| declarations::enums(reader, node))
        .unwrap_or_default();
    let lets = value("let")
        .map(|node| declarations::expressions(reader, node, "let", LETS_MAX))
        .unwrap_or_default();
    let outputs = value("outputs")
        .map(|node| declarations::expressions(reader, node, "outputs", INPUTS_MAX))
        .unwrap_or_default();
    let steps = all_steps(reader, root, &fields);
    declarations::distinct_names(reader, &enums, &lets, steps.as_deref().unwrap_or_default());
    Some(Document {
        id: id?,
        name: name?,
        version: version?,
        description: description?.value,
        owner: owner?.value,
        tags,
        trigger,
        concurrency,
        limits,
        may_place: value("may").map(|node| node.place.clone()),
        may,
        inputs,
        enums,
        lets,
        steps: steps?,
        outputs,
    })
}

/// The first key, where missing keys are reported.
fn start(root: &Node) -> std::ops::Range<usize> {
    match &root.data {
        Data::Map(fields) => fields.first().map_or(0..0, |field| field.key_place.clone()),
        _ => root.place.clone(),
    }
}

fn required_text(
    reader: &mut Reader<'_>,
    root: &Node,
    fields: &IndexMap<&str, &Field>,
    key: &str,
    example: &str,
) -> Option<Placed<String>> {
    if let Some(field) = fields.get(key) {
        reader.text(&field.value, key, LINE_CHARACTERS_MAX)
    } else {
        reader.missing(&start(root), "a playbook", key, example);
        None
    }
}

/// The id is a name and the file stem.
fn playbook_id(reader: &mut Reader<'_>, id: &Placed<String>) {
    if !reader.name(id, true) {
        return;
    }
    let file = reader
        .source()
        .name
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or("")
        .to_owned();
    let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml"));
    if let Some(stem) = stem.filter(|stem| *stem != id.value) {
        let finding = reader
            .error(
                "PB115",
                &id.place,
                format!("the id is `{}`, the file is `{file}`", id.value),
            )
            .help(format!(
                "write `id: {stem}`, or rename the file to `{}.yaml`",
                id.value
            ));
        reader.report(finding);
    }
}

fn tags(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let items = reader.list(node, "tags", "phishing");
    if items.len() > TAGS_MAX {
        reader.over_limit(&node.place, "tags", items.len(), TAGS_MAX);
        return Vec::new();
    }
    items
        .iter()
        .filter_map(|item| reader.text(item, "tags", LINE_CHARACTERS_MAX))
        .map(|tag| tag.value)
        .collect()
}

fn trigger(reader: &mut Reader<'_>, field: &Field) -> Trigger {
    let Some(fields) = reader.map(&field.value, &keys::TRIGGER) else {
        return Trigger::default();
    };
    let mut trigger = Trigger {
        place: Some(field.key_place.clone()),
        ..Trigger::default()
    };
    if let Some(field) = fields.get("incident") {
        trigger.incident = reader
            .list(&field.value, "incident", "phishing")
            .iter()
            .filter_map(|item| incident_type(reader, item))
            .collect();
    }
    trigger.when = fields
        .get("when")
        .and_then(|field| reader.cel(&field.value, "when"));
    trigger.once_per = fields
        .get("once_per")
        .and_then(|field| once_per(reader, &field.value));
    trigger.schedule = fields
        .get("schedule")
        .and_then(|field| schedule(reader, &field.value));
    trigger.manual = fields
        .get("manual")
        .and_then(|field| reader.boolean(&field.value, "manual"));
    trigger
}

fn incident_type(reader: &mut Reader<'_>, node: &Node) -> Option<Placed<crate::incident::IncidentType>> {
    use crate::incident::IncidentType;
    let Some(text) = node.text() else {
        reader.wrong_kind(node, "incident", "types of incident", "incident: [phishing]");
        return None;
    };
    if let Ok(value) = text.parse() {
        return Some(Placed {
            value,
            place: node.place.clone(),
        });
    }
    let known = IncidentType::ALL.iter().map(|kind| kind.word());
    let shown: String = text.chars().take(60).collect();
    let finding = reader.error(
        "PB207",
        &node.place,
        format!("there is no incident type `{shown}`"),
    );
    let help = crate::suggestion::did_you_mean(text, known.clone())
        .unwrap_or_else(|| format!("the types: {}", known.collect::<Vec<_>>().join(", ")));
    reader.report(finding.help(help));
    None
}

fn once_per(reader: &mut Reader<'_>, node: &Node) -> Option<OncePer> {
    let fields = reader.map(node, &keys::ONCE_PER)?;
    let key = fields.get("key").map(|field| field.value.clone());
    if key.is_none() {
        reader.missing(&node.place, "`once_per`", "key", "${{ incident.ref }}");
    }
    let within = if let Some(field) = fields.get("within") {
        reader.word(&field.value, "within", "within: 24h")
    } else {
        reader.missing(&node.place, "`once_per`", "within", "24h");
        None
    };
    Some(OncePer {
        key: key?,
        within: within?.value,
    })
}

fn concurrency(reader: &mut Reader<'_>, node: &Node) -> Option<Concurrency> {
    let fields = reader.map(node, &keys::CONCURRENCY)?;
    let key = fields.get("key").map(|field| field.value.clone());
    if key.is_none() {
        reader.missing(&node.place, "`concurrency`", "key", "${{ entity.id }}");
    }
    let limit = if let Some(field) = fields.get("limit") {
        reader.integer(&field.value, "limit", (1, i64::from(RUNS_AT_ONCE_MAX)))
    } else {
        reader.missing(&node.place, "`concurrency`", "limit", "1");
        None
    };
    let when_busy = match fields.get("when_busy") {
        Some(field) => reader.word(&field.value, "when_busy", "when_busy: queue")?.value,
        None => WhenBusy::Queue,
    };
    Some(Concurrency {
        key: key?,
        limit: u32::try_from(limit?).ok()?,
        when_busy,
    })
}

fn limits(reader: &mut Reader<'_>, node: &Node) -> Limits {
    let Some(fields) = reader.map(node, &keys::LIMITS) else {
        return Limits::default();
    };
    Limits {
        tlp: fields
            .get("tlp")
            .and_then(|field| reader.word(&field.value, "tlp", "tlp: amber")),
        pap: fields
            .get("pap")
            .and_then(|field| reader.word(&field.value, "pap", "pap: amber")),
        time: fields
            .get("time")
            .and_then(|field| reader.word(&field.value, "time", "time: 24h")),
        effects: fields.get("effects").and_then(|field| {
            let count = reader.integer(&field.value, "effects", (0, 10_000))?;
            Some(Placed {
                value: u32::try_from(count).ok()?,
                place: field.value.place.clone(),
            })
        }),
    }
}

fn may(reader: &mut Reader<'_>, node: &Node) -> Vec<Placed<EffectClass>> {
    let mut classes = Vec::new();
    for item in reader.list(node, "may", "notify") {
        let Some(class) = reader.word::<EffectClass>(item, "may", "may: [notify, contain]") else {
            continue;
        };
        if class.value <= EffectClass::Record {
            let finding = reader
                .error(
                    "PB112",
                    &class.place,
                    format!("`{}` needs no permission", class.value),
                )
                .help("list only classes beyond `record`: notify, contain, destroy");
            reader.report(finding);
        } else {
            classes.push(class);
        }
    }
    classes
}

fn all_steps(reader: &mut Reader<'_>, root: &Node, fields: &IndexMap<&str, &Field>) -> Option<Vec<Step>> {
    let sections = [
        ("steps", Section::Steps),
        ("on_failure", Section::OnFailure),
        ("finally", Section::Finally),
    ];
    if !fields.contains_key("steps") {
        reader.missing(
            &start(root),
            "a playbook",
            "steps",
            "{look: {uses: enrich.ip, with: {...}}}",
        );
    }
    let mut steps = Vec::new();
    let mut written = 0;
    for (key, section) in sections {
        let Some(field) = fields.get(key) else { continue };
        if let Data::Map(entries) = &field.value.data {
            written += entries.len();
            if entries.is_empty() && section == Section::Steps {
                let finding = reader.error("PB112", &field.value.place, "`steps` is empty");
                reader.report(finding);
            }
        }
        for (id, value) in reader.named(&field.value, key, STEPS_MAX) {
            steps.extend(step::read(reader, id, section, value));
        }
    }
    if written > STEPS_MAX {
        let place = fields.get("steps").map_or(0..0, |field| field.key_place.clone());
        reader.over_limit(&place, "steps in all sections", written, STEPS_MAX);
    }
    fields.contains_key("steps").then_some(steps)
}
