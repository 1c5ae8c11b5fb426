//! What the author names: inputs, enums, lets and outputs, and that no name hides another.

use indexmap::IndexMap;

use crate::diagnostic::Diagnostic;
use crate::yaml::Node;

use super::reader::Reader;
use super::{
    DESCRIPTION_CHARACTERS_MAX, ENUMS_MAX, Enum, INPUTS_MAX, Input, LINE_CHARACTERS_MAX, Named, Placed, Step,
    keys,
};

pub(super) fn inputs(reader: &mut Reader<'_>, node: &Node) -> Vec<Input> {
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

pub(super) fn enums(reader: &mut Reader<'_>, node: &Node) -> Vec<Enum> {
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

pub(super) fn expressions(reader: &mut Reader<'_>, node: &Node, what: &str, limit: usize) -> Vec<Named> {
    let mut list = Vec::new();
    for (name, value) in reader.named(node, what, limit) {
        if let Some(cel) = reader.cel(value, &name.value) {
            list.push(Named { name, cel });
        }
    }
    list
}

/// Inputs have their own prefix; lets and enums share one space of bare names, steps another.
pub(super) fn distinct_names(reader: &mut Reader<'_>, enums: &[Enum], lets: &[Named], steps: &[Step]) {
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
