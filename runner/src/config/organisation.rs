//! `[organisation]`, `[guardrails]` and `[entity_settings]`.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use playbooks::duration::Span;
use playbooks::operator::{Guardrails, Organisation};
use playbooks::yaml::Node;
use serde_json::Value;

use super::codes;
use super::fields::Sheet;
use super::settings::{EntitySetting, SettingKind};
use super::values;

/// Characters of a name for people.
pub(crate) const NAME_CHARACTERS_MAX: usize = 200;

/// Reads `[organisation]`; the second value is its roles.
pub(super) fn organisation(sheet: &mut Sheet, node: &Node) -> Option<(Organisation, BTreeSet<String>)> {
    let mut table = sheet.table("organisation", node)?;
    let name = table
        .need(sheet, "name")
        .and_then(|node| sheet.line(node, NAME_CHARACTERS_MAX));
    let language = table
        .need(sheet, "language")
        .and_then(|node| values::language(sheet, node));
    let timezone = table
        .need(sheet, "timezone")
        .and_then(|node| values::timezone(sheet, node));
    let mail_from = table
        .need(sheet, "mail_from")
        .and_then(|node| values::mailbox(sheet, node));
    let mut roles = BTreeSet::new();
    if let Some(node) = table.get(sheet, "roles") {
        for (item, role) in sheet.texts(node) {
            if values::is_name(role) {
                roles.insert(role.to_owned());
            } else {
                sheet.wrong(
                    &item.place,
                    "this is not a name of a role",
                    "use lower-case letters, digits and `-`",
                );
            }
        }
    }
    table.close(sheet);
    let organisation = Organisation {
        name: name?,
        language: language?,
        timezone: timezone?,
        mail_from: mail_from?,
    };
    Some((organisation, roles))
}

/// Reads `[guardrails]`. What is not said keeps its default.
pub(super) fn guardrails(sheet: &mut Sheet, node: &Node) -> Guardrails {
    let mut guardrails = Guardrails::default();
    let Some(mut table) = sheet.table("guardrails", node) else {
        return guardrails;
    };
    if let Some(node) = table.get(sheet, "never_block") {
        let code = sheet.codes.wrong_value;
        guardrails.never_block = values::never_block(sheet, node, code);
    }
    for (key, field) in [
        ("critical", &mut guardrails.critical),
        ("break_glass", &mut guardrails.break_glass),
    ] {
        if let Some(node) = table.get(sheet, key) {
            *field = machines_and_accounts(sheet, node);
        }
    }
    for (key, field) in [
        ("effects_per_run", &mut guardrails.effects_per_run),
        ("blocks_per_entity_hour", &mut guardrails.blocks_per_entity_hour),
        ("blocks_per_hour", &mut guardrails.blocks_per_hour),
    ] {
        if let Some(node) = table.get(sheet, key) {
            bounded(sheet, node, key, field);
        }
    }
    if let Some(span) = table
        .get(sheet, "block_for_max")
        .and_then(|node| block_span(sheet, node, Span::days(30)))
    {
        guardrails.block_for_max = span;
    }
    let longest = guardrails.block_for_max;
    if let Some(span) = table
        .get(sheet, "block_for_default")
        .and_then(|node| block_span(sheet, node, longest))
    {
        guardrails.block_for_default = span;
    }
    guardrails.block_for_default = guardrails.block_for_default.min(longest);
    if let Some(paused) = table
        .get(sheet, "effects_paused")
        .and_then(|node| sheet.flag(node))
    {
        guardrails.effects_paused = paused;
    }
    table.close(sheet);
    guardrails
}

/// Names of machines and accounts, as the products that hold them spell them.
fn machines_and_accounts(sheet: &mut Sheet, node: &Node) -> Vec<String> {
    let mut names = Vec::new();
    for (item, _) in sheet.texts(node) {
        match sheet.line(item, NAME_CHARACTERS_MAX) {
            Some(name) if !name.trim().is_empty() => names.push(name.trim().to_owned()),
            Some(_) => sheet.wrong(
                &item.place,
                "a name without a character",
                "write a host name, a sign-in name or an id, or remove it",
            ),
            None => {}
        }
    }
    names
}

/// Reads a limit that may be lowered freely and raised up to a hundredfold, with a warning.
pub(super) fn bounded(sheet: &mut Sheet, node: &Node, key: &str, limit: &mut u32) {
    let default = *limit;
    if let Some(number) = sheet.whole(node, 1..=default.saturating_mul(100)) {
        if number > default {
            let message = format!("`{key}` is raised from {default} to {number}");
            sheet
                .warning(codes::LIMIT_RAISED, &node.place, message)
                .help
                .push(format!("{default} is the safe value"));
        }
        *limit = number;
    }
}

fn block_span(sheet: &mut Sheet, node: &Node, longest: Span) -> Option<Span> {
    let span: Span = sheet.parsed(node, "write for example 24h or 7d")?;
    if span > Span::default() && span <= longest {
        return Some(span);
    }
    sheet.wrong(
        &node.place,
        format!("a block cannot last {span}"),
        format!("write more than 0s and at most {longest}"),
    );
    None
}

/// Reads `[entity_settings]`.
pub(super) fn entity_settings(sheet: &mut Sheet, node: &Node) -> IndexMap<String, EntitySetting> {
    let mut settings = IndexMap::new();
    let Some(mut table) = sheet.table("entity_settings", node) else {
        return settings;
    };
    for field in table.rest() {
        if !values::is_word(&field.key) {
            sheet.wrong(
                &field.key_place,
                format!("`{}` is not a name of a setting", field.key),
                "use lower-case letters, digits and `_`",
            );
        } else if let Some(setting) = entity_setting(sheet, &table.name(&field.key), &field.value) {
            settings.insert(field.key.clone(), setting);
        }
    }
    settings
}

fn entity_setting(sheet: &mut Sheet, path: &str, node: &Node) -> Option<EntitySetting> {
    let mut table = sheet.table(path, node)?;
    let kind = table
        .need(sheet, "type")
        .and_then(|node| setting_kind(sheet, node));
    let choices = table.get(sheet, "choices").map(|node| sheet.items(node));
    let default = table.get(sheet, "default");
    table.close(sheet);
    let kind = kind?;
    let mut setting = EntitySetting {
        kind,
        choices: Vec::new(),
        default: None,
    };
    let choices = choices.unwrap_or_default().iter();
    setting.choices = choices
        .filter_map(|choice| setting_value(sheet, &setting, choice))
        .collect();
    setting.default = default.and_then(|node| setting_value(sheet, &setting, node));
    Some(setting)
}

fn setting_kind(sheet: &mut Sheet, node: &Node) -> Option<SettingKind> {
    match sheet.text(node)? {
        "string" => Some(SettingKind::String),
        "int" => Some(SettingKind::Int),
        "bool" => Some(SettingKind::Bool),
        "duration" => Some(SettingKind::Duration),
        other => {
            sheet.wrong(
                &node.place,
                format!("`{other}` is not a type of setting"),
                "use string, int, bool or duration",
            );
            None
        }
    }
}

fn setting_value(sheet: &mut Sheet, setting: &EntitySetting, node: &Node) -> Option<Value> {
    match setting.problem(&node.to_json()) {
        None => Some(node.to_json()),
        Some(problem) => {
            sheet.wrong(&node.place, problem, "write a value of the declared type");
            None
        }
    }
}

impl EntitySetting {
    /// Why a value does not fit, if it does not.
    pub fn problem(&self, value: &Value) -> Option<String> {
        if !self.kind.accepts(value) {
            return Some(format!("{value} is not of type {:?}", self.kind).to_lowercase());
        }
        if self.choices.is_empty() || self.choices.contains(value) {
            return None;
        }
        let choices: Vec<_> = self.choices.iter().map(ToString::to_string).collect();
        Some(format!("{value} is not one of {}", choices.join(", ")))
    }
}
