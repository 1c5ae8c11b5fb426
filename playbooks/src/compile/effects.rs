//! Rules about what steps do to the world: classes, markings, connections, ends, repetition.

use crate::action_spec::{ActionSpec, Recovery};
use crate::diagnostic::Diagnostic;
use crate::document::{Placed, Step};
use crate::marking::EffectClass;
use crate::names::Read;
use crate::operator::{Connection, Operator};
use crate::plan::Node;

use super::work::Work;
use super::{mail, markings};

/// Checks every step whose action exists.
pub(super) fn check(work: &mut Work<'_>) {
    let document = work.document;
    let mut classes = Vec::new();
    for step in &document.steps {
        let Some(action) = work.action(step) else { continue };
        let class = class_of(work, step, action);
        classes.push(class);
        permitted(work, &step.uses, class);
        connection(work, step, action);
        markings::check(work, step, action, class);
        repetition(work, step, action, class);
        recipient(work, step, action);
        contact(work, step, action);
    }
    let inverses = document
        .steps
        .iter()
        .filter_map(|step| step.undo.as_ref()?.inverse.as_ref());
    let inverses = inverses.filter_map(|inverse| work.environment.catalog.action(&inverse.uses.value));
    classes.extend(inverses.map(|action| action.effect));
    unused_classes(work, &classes);
    once_per(work, &classes);
}

/// What a step may do. For `http.request` the connection says what a write means, and GET and
/// HEAD are reads.
pub(super) fn class_of(work: &Work<'_>, step: &Step, action: &ActionSpec) -> EffectClass {
    if action.name != "http.request" {
        return action.effect;
    }
    let method = step.with.iter().find(|field| field.key == "method");
    if matches!(method.and_then(|field| field.value.text()), Some("GET" | "HEAD")) {
        return EffectClass::Read;
    }
    named_connection(work, step)
        .and_then(|connection| connection.effect)
        .unwrap_or(action.effect)
}

/// The connection that `using` names.
pub(super) fn named_connection<'a>(work: &Work<'a>, step: &Step) -> Option<&'a Connection> {
    let operator = work.environment.operator?;
    operator.connections.get(&step.using.as_ref()?.value)
}

/// PB301: an effect beyond `may`.
pub(super) fn permitted(work: &mut Work<'_>, uses: &Placed<String>, class: EffectClass) {
    let document = work.document;
    if class <= EffectClass::Record || document.may.iter().any(|may| may.value == class) {
        return;
    }
    let listed: Vec<&str> = document.may.iter().map(|may| may.value.word()).collect();
    let only = if listed.is_empty() {
        "read and record".to_owned()
    } else {
        listed.join(", ")
    };
    let mut finding = work
        .error(
            "PB301",
            &uses.place,
            format!(
                "`{}` is a `{class}`, and this playbook may only {only}",
                uses.value
            ),
        )
        .label(format!("effect class `{class}`"));
    if let Some(place) = &document.may_place {
        finding = finding.evidence(work.source, place.clone(), "the blast radius reviewers agreed to");
    }
    let mut wanted = listed;
    wanted.push(class.word());
    let finding = finding.help(format!(
        "`may: [{}]` needs a review by an owner of `{}` ({})",
        wanted.join(", "),
        document.id.value,
        document.owner
    ));
    work.report(finding);
}

fn unused_classes(work: &mut Work<'_>, classes: &[EffectClass]) {
    let document = work.document;
    for may in &document.may {
        if !classes.contains(&may.value) {
            let finding = work
                .warning(
                    "PB302",
                    &may.place,
                    format!("no step has the effect class `{}`", may.value),
                )
                .help("remove it; what is permitted should be what happens");
            work.report(finding);
        }
    }
}

/// PB209: `using` names a connection that exists and offers the capability.
fn connection(work: &mut Work<'_>, step: &Step, action: &ActionSpec) {
    let (Some(operator), Some(using)) = (work.environment.operator, &step.using) else {
        return;
    };
    let shown: String = using.value.chars().take(60).collect();
    let finding = match operator.connections.get(&using.value) {
        None => {
            let offering = operator
                .connections
                .values()
                .filter(|connection| connection.offers(&action.name))
                .map(|connection| connection.name.as_str())
                .collect::<Vec<_>>();
            let finding = work.error("PB209", &using.place, format!("there is no connection `{shown}`"));
            match crate::suggestion::did_you_mean(
                &using.value,
                operator.connections.keys().map(String::as_str),
            ) {
                Some(help) => finding.help(help),
                None if offering.is_empty() => {
                    finding.help("no connection offers this action; add one to sortie.toml")
                }
                None => finding.help(format!("these offer `{}`: {}", action.name, offering.join(", "))),
            }
        }
        Some(connection) if !connection.offers(&action.name) => work
            .error(
                "PB209",
                &using.place,
                format!("the connection `{shown}` does not offer `{}`", action.name),
            )
            .help(format!("it offers: {}", connection.capabilities.join(", "))),
        Some(_) => return,
    };
    work.report(finding);
}

/// PB333: trying an effect again that can neither be repeated nor asked about.
fn repetition(work: &mut Work<'_>, step: &Step, action: &ActionSpec, class: EffectClass) {
    let Some(retry) = &step.retry else { return };
    if class <= EffectClass::Record || retry.attempts.is_none_or(|attempts| attempts < 2) {
        return;
    }
    let providers = work.environment.catalog.providers(&action.name);
    if providers.is_empty()
        || providers
            .iter()
            .any(|provider| provider.recovery != Recovery::Once)
    {
        return;
    }
    let finding = work
        .error(
            "PB333",
            &retry.place,
            format!(
                "`{}` cannot be tried again: a second try might do it twice",
                action.name
            ),
        )
        .help("remove `retry`; a doubtful outcome waits for a person");
    work.report(finding);
}

/// PB403: who is told is the operator's decision, never the incident's.
fn recipient(work: &mut Work<'_>, step: &Step, action: &ActionSpec) {
    if !action.name.starts_with("notify.") {
        return;
    }
    for field in &step.with {
        if !matches!(field.key.as_str(), "to" | "channel" | "who") {
            continue;
        }
        let node = Node::Step(step.id.value.clone());
        let tainted = work
            .readings_of(&node)
            .filter(|reading| reading.key == field.key)
            .flat_map(|reading| reading.reads.iter())
            .any(|read| from_data(work, read, 0));
        if tainted {
            let finding = work
                .error(
                    "PB403",
                    &field.value.place,
                    format!("`{}` is taken from incident data", field.key),
                )
                .label("an attacker could choose who is told")
                .help("write a role or channel of the operator, for example `security`");
            work.report(finding);
        }
    }
}

/// Whether a read is of incident data or of what was made from it.
fn from_data(work: &Work<'_>, read: &Read, depth: usize) -> bool {
    match read.path.first().map(String::as_str) {
        Some("incident" | "steps") => true,
        Some("inputs" | "entity" | "org" | "run" | "now") | None => false,
        Some(name) if depth < work.document.lets.len() => {
            let node = Node::Let(name.to_owned());
            work.readings_of(&node)
                .flat_map(|reading| reading.reads.iter())
                .any(|read| from_data(work, read, depth + 1))
        }
        Some(_) => true,
    }
}

/// PB607: a contact role that an entity does not have.
fn contact(work: &mut Work<'_>, step: &Step, action: &ActionSpec) {
    let Some(operator) = work.environment.operator else {
        return;
    };
    if action.name != "notify.entity" {
        return;
    }
    let Some(field) = step.with.iter().find(|field| field.key == "to") else {
        return;
    };
    let Some(role) = field.value.text().filter(|text| !text.contains("{{")) else {
        return;
    };
    let without: Vec<&str> = mail::served(work, operator)
        .filter(|entity| !entity.contacts.contains_key(role))
        .map(|entity| entity.id.as_str())
        .collect();
    if without.is_empty() {
        return;
    }
    let shown: String = role.chars().take(60).collect();
    let finding = work
        .error(
            "PB607",
            &field.value.place,
            format!("{} has no contact `{shown}`", without.join(", ")),
        )
        .help(format!(
            "add `contacts.{shown}` to the entity file, or set the playbook to `off` there"
        ));
    let finding = with_known_roles(finding, operator, role);
    work.report(finding);
}

fn with_known_roles(finding: Diagnostic, operator: &Operator, role: &str) -> Diagnostic {
    let known = operator
        .entities
        .values()
        .flat_map(|entity| entity.contacts.keys().map(String::as_str));
    match crate::suggestion::did_you_mean(role, known) {
        Some(help) => finding.help(help),
        None => finding,
    }
}

/// PB340: many equal alerts would act many times.
fn once_per(work: &mut Work<'_>, classes: &[EffectClass]) {
    let trigger = &work.document.trigger;
    let acts = classes.iter().any(|class| *class > EffectClass::Record);
    let Some(place) = &trigger.place else { return };
    if !acts || trigger.once_per.is_some() || trigger.incident.is_empty() {
        return;
    }
    let finding = work
        .warning(
            "PB340",
            place,
            "this playbook acts, and nothing folds equal incidents into one run",
        )
        .help("add for example `once_per: {key: \"${{ incident.ref }}\", within: 1h}`");
    work.report(finding);
}
