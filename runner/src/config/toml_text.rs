//! TOML as the same tree of placed values that YAML files give, so that one reader serves both.

use playbooks::diagnostic::{Diagnostic, Source};
use playbooks::yaml::{Data, Field, Node, Style};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::codes;

/// Reads a TOML document.
pub(super) fn read(source: &Source) -> Result<Node, Vec<Diagnostic>> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    if errors.is_empty() {
        let mut found = Vec::new();
        let node = table_node(source, table.get_ref(), 0..source.text.len(), &mut found);
        return if found.is_empty() { Ok(node) } else { Err(found) };
    }
    let findings = errors.iter().map(|error| {
        let place = error.span().unwrap_or(0..0);
        Diagnostic::error(
            codes::NOT_TOML,
            source,
            place,
            format!("not TOML: {}", error.message()),
        )
        .help("write it as https://toml.io/en/v1.0.0 has it; texts stand in quotes")
    });
    Err(findings.collect())
}

fn table_node(
    source: &Source,
    table: &DeTable<'_>,
    place: std::ops::Range<usize>,
    found: &mut Vec<Diagnostic>,
) -> Node {
    let mut fields: Vec<Field> = table
        .iter()
        .map(|(key, value)| Field {
            key: key.get_ref().to_string(),
            key_place: key.span(),
            value: value_node(source, value, found),
        })
        .collect();
    fields.sort_by_key(|field| field.key_place.start);
    Node {
        place,
        data: Data::Map(fields),
    }
}

fn value_node(source: &Source, value: &Spanned<DeValue<'_>>, found: &mut Vec<Diagnostic>) -> Node {
    let place = value.span();
    let data = match value.get_ref() {
        DeValue::String(text) => Data::Text(text.to_string(), Style::Quoted),
        DeValue::Boolean(flag) => Data::Bool(*flag),
        DeValue::Datetime(time) => Data::Text(time.to_string(), Style::Plain),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            if let Ok(number) = i64::from_str_radix(&digits, number.radix()) {
                Data::Int(number)
            } else {
                found.push(
                    Diagnostic::error(
                        codes::WRONG_VALUE,
                        source,
                        place.clone(),
                        "a number of more than 64 bits",
                    )
                    .help("write a smaller one"),
                );
                Data::Null
            }
        }
        DeValue::Float(number) => Data::Float(number.as_str().replace('_', "").parse().unwrap_or(f64::NAN)),
        DeValue::Array(items) => {
            Data::List(items.iter().map(|item| value_node(source, item, found)).collect())
        }
        DeValue::Table(table) => return table_node(source, table, place, found),
    };
    Node { place, data }
}
