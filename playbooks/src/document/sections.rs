//! The parts of a playbook outside its steps.

use indexmap::IndexMap;

use crate::diagnostic::Diagnostic;
use crate::marking::EffectClass;
use crate::plan::{STEPS_MAX, Section};
use crate::yaml::{Data, Field, Node};

use super::reader::Reader;
use super::{
    DESCRIPTION_CHARACTERS_MAX, Document, ENUMS_MAX, Enum, INPUTS_MAX, Input, LETS_MAX, LINE_CHARACTERS_MAX,
    Limits, Named, OncePer, Placed, Step, TAGS_MAX, Trigger, keys, step,
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
    let limits = value("limits")
        .map(|node| limits(reader, node))
        .unwrap_or_default();
    let may = value("may").map(|node| may(reader, node)).unwrap_or_default();
    let inputs = value("inputs")
        .map(|node| inputs(reader, node))
        .unwrap_or_default();
    let enums = value("enums").map(|node| enums(reader, node)).unwrap_or_default();
    let lets = value("let")
        .map(|node| expressions(reader, node, "let", LETS_MAX))
        .unwrap_or_default();
    let outputs = value("outputs")
        .map(|node| expressions(reader, node, "outputs", INPUTS_MAX))
        .unwrap_or_default();
    let steps = all_steps(reader, root, &fields);
    distinct_names(reader, &enums, &lets, steps.as_deref().unwrap_or_default());
    Some(Document {
        id: id?,
        name: name?,
        version: version?,
        description: description?.value,
        owner: owner?.value,
        tags,
        trigger,
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

fn inputs(reader: &mut Reader<'_>, node: &Node) -> Vec<Input> {
    let mut inputs = Vec::new();
    for (name, value) in reader.named(node, "inputs", INPUTS_MAX) {
        let Some(fields) = reader.map(value, &keys::INPUT) else {
            continue;
        };
        let Some(ty) = fields.get("type") else {
            reader.missing(
                &name.place,
                &format!("the input `{}`", name.value),
                "type",
                "string",
            );
            continue;
        };
        let Some(ty) = reader.text(&ty.value, "type", LINE_CHARACTERS_MAX) else {
            continue;
        };
        let node = |key: &str| fields.get(key).map(|field| field.value.clone());
        let choices = fields
            .get("choices")
            .map(|field| reader.list(&field.value, "choices", "a, b").to_vec())
            .unwrap_or_default();
        let mut line = |key: &str, limit: usize| {
            fields
                .get(key)
                .and_then(|field| reader.text(&field.value, key, limit))
                .map(|text| text.value)
        };
        inputs.push(Input {
            ty,
            default: node("default"),
            min: node("min"),
            max: node("max"),
            choices,
            description: line("description", DESCRIPTION_CHARACTERS_MAX),
            ask: line("ask", LINE_CHARACTERS_MAX),
            name,
        });
    }
    inputs
}

fn enums(reader: &mut Reader<'_>, node: &Node) -> Vec<Enum> {
    let mut enums = Vec::new();
    for (name, value) in reader.named(node, "enums", ENUMS_MAX) {
        let items = reader.list(value, &name.value, "lowest, highest");
        if items.len() < 2 || items.len() > ENUMS_MAX {
            let count = items.len();
            let finding = reader.error(
                "PB114",
                &value.place,
                format!("an enum has 2 to {ENUMS_MAX} words, lowest first; this has {count}"),
            );
            reader.report(finding);
            continue;
        }
        let mut words: Vec<Placed<String>> = Vec::new();
        for item in items {
            let Some(word) = reader.text(item, &name.value, LINE_CHARACTERS_MAX) else {
                continue;
            };
            if words.iter().any(|earlier| earlier.value == word.value) {
                let finding = reader.error("PB113", &word.place, format!("`{}` is here twice", word.value));
                reader.report(finding);
            } else if reader.name(&word, false) {
                words.push(word);
            }
        }
        enums.push(Enum { name, words });
    }
    enums
}

fn expressions(reader: &mut Reader<'_>, node: &Node, what: &str, limit: usize) -> Vec<Named> {
    let mut list = Vec::new();
    for (name, value) in reader.named(node, what, limit) {
        if let Some(cel) = reader.cel(value, &name.value) {
            list.push(Named { name, cel });
        }
    }
    list
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

/// Inputs have their own prefix; lets and enums share one space of bare names, steps another.
fn distinct_names(reader: &mut Reader<'_>, enums: &[Enum], lets: &[Named], steps: &[Step]) {
    let mut bare: IndexMap<&str, &Placed<String>> = IndexMap::new();
    let mut clashes: Vec<Diagnostic> = Vec::new();
    let names = enums
        .iter()
        .map(|e| &e.name)
        .chain(lets.iter().map(|named| &named.name));
    for name in names {
        if let Some(first) = bare.get(name.value.as_str()) {
            clashes.push(taken(reader, name, first));
        } else {
            bare.insert(&name.value, name);
        }
    }
    let mut ids: IndexMap<&str, &Placed<String>> = IndexMap::new();
    for step in steps {
        if let Some(first) = ids.get(step.id.value.as_str()) {
            clashes.push(taken(reader, &step.id, first));
        } else {
            ids.insert(&step.id.value, &step.id);
        }
        if let Some(each) = &step.for_each
            && let Some(first) = bare.get(each.variable.value.as_str())
        {
            clashes.push(
                reader
                    .error(
                        "PB222",
                        &each.variable.place,
                        format!("the loop variable `{}` hides another name", each.variable.value),
                    )
                    .evidence(reader.source(), first.place.clone(), "the other one")
                    .help("choose another name"),
            );
        }
    }
    for clash in clashes {
        reader.report(clash);
    }
}

fn taken(reader: &Reader<'_>, name: &Placed<String>, first: &Placed<String>) -> Diagnostic {
    reader
        .error(
            "PB113",
            &name.place,
            format!("the name `{}` is taken", name.value),
        )
        .evidence(reader.source(), first.place.clone(), "the first one")
        .help("choose another name")
}
