//! `with:` against the contract of the action.

use indexmap::IndexMap;

use crate::action_spec::{ActionSpec, Sink};
use crate::arguments::{Argument, Destination};
use crate::document::Step;
use crate::expression::{Expected, TypeEnv};
use crate::snippet::Snippet;
use crate::suggestion::did_you_mean;
use crate::template::Blocks;
use crate::types::{TextForm, Type};
use crate::values;
use crate::yaml::{Data, Field, Node};

use super::work::Work;
use super::{mail, questions, undo};

/// Compiles the parameters of a step. `None` when one of them has an error.
pub(super) fn compile(
    work: &mut Work<'_>,
    step: &Step,
    action: &ActionSpec,
    env: &TypeEnv,
    templates: &mut mail::Templates,
) -> Option<IndexMap<String, Argument>> {
    let before = work.findings.len();
    let params = mail::params_of(work, step, action, templates);
    let mut with = IndexMap::new();
    for field in &step.with {
        let Some(parameter) = action.inputs.get(&field.key) else {
            if undo::is_old_end(field, action) {
                old_end(work, field);
                continue;
            }
            unknown(work, field, &format!("`{}`", action.name), action.inputs.keys());
            continue;
        };
        let ty = match &params {
            Some(params) if field.key == "params" => params.clone(),
            _ => questions::parameter_type(step, action, &field.key).unwrap_or_else(|| parameter.ty.clone()),
        };
        let place = Slot {
            step,
            env,
            sink: parameter.sink,
            key: &field.key,
        };
        if let Some(argument) = place.argument(work, &field.value, &Wanted::Type(ty), &field.key) {
            with.insert(field.key.clone(), argument);
        }
    }
    missing(work, step, action, params.as_ref());
    exactly_one(work, step, action);
    let errors = work
        .findings
        .get(before..)
        .unwrap_or_default()
        .iter()
        .any(|finding| finding.level == crate::diagnostic::Level::Error);
    (!errors).then_some(with)
}

/// Compiles one value of a step that is no parameter of its action. `None` when it has an error.
pub(super) fn value(
    work: &mut Work<'_>,
    step: &Step,
    env: &TypeEnv,
    (sink, key): (Sink, &str),
    node: &Node,
    ty: &Type,
) -> Option<Argument> {
    let slot = Slot { step, env, sink, key };
    let wanted = match ty {
        Type::Never => Wanted::Anything,
        ty => Wanted::Type(ty.clone()),
    };
    slot.argument(work, node, &wanted, key)
}

fn unknown<'k>(work: &mut Work<'_>, field: &Field, what: &str, known: impl Iterator<Item = &'k String>) {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let shown: String = field.key.chars().take(60).collect();
    let finding = work.error(
        "PB202",
        &field.key_place,
        format!("{what} has no parameter `{shown}`"),
    );
    let help = did_you_mean(&field.key, known.iter().copied()).unwrap_or_else(|| {
        if known.is_empty() {
            "it has none".to_owned()
        } else {
            format!("its parameters: {}", known.join(", "))
        }
    });
    work.report(finding.help(help));
}

/// The end of a block as earlier versions wrote it.
fn old_end(work: &mut Work<'_>, field: &Field) {
    if work.kept {
        return;
    }
    let written = work
        .source
        .text
        .get(field.value.place.clone())
        .unwrap_or("24h")
        .to_owned();
    let finding = work
        .error(
            "PB202",
            &field.key_place,
            "the end of a block is no parameter; it belongs to `undo`",
        )
        .help(format!("write beside `with:`   undo: {{after: {written}}}"));
    work.report(finding);
}

fn missing(work: &mut Work<'_>, step: &Step, action: &ActionSpec, params: Option<&Type>) {
    let written = |name: &str| step.with.iter().any(|field| field.key == name);
    let mut absent: Vec<String> = action
        .inputs
        .iter()
        .filter(|(name, parameter)| !matches!(parameter.ty, Type::Optional(_)) && !written(name))
        .map(|(name, parameter)| format!("`{name}` ({})", parameter.ty))
        .collect();
    if let Some(Type::Record(fields)) = params
        && fields.values().any(|ty| !matches!(ty, Type::Optional(_)))
        && !written("params")
    {
        absent.push(format!("`params` ({})", Type::Record(fields.clone())));
    }
    if absent.is_empty() {
        return;
    }
    let finding = work
        .error(
            "PB203",
            &step.with_place,
            format!("`{}` needs {}", action.name, absent.join(", ")),
        )
        .help("add it under `with:`");
    work.report(finding);
}

fn exactly_one(work: &mut Work<'_>, step: &Step, action: &ActionSpec) {
    for group in &action.exactly_one_of {
        let written = step
            .with
            .iter()
            .filter(|field| group.contains(&field.key))
            .count();
        if written == 1 {
            continue;
        }
        let names: Vec<String> = group.iter().map(|name| format!("`{name}`")).collect();
        let finding = work
            .error(
                "PB203",
                &step.with_place,
                format!("`{}` needs exactly one of {}", action.name, names.join(" and ")),
            )
            .label(format!("{written} of them are given"));
        work.report(finding);
    }
}

/// What a value is wanted to be.
enum Wanted {
    /// Of this type.
    Type(Type),
    /// Anything: below an open record.
    Anything,
}

/// Where values of one parameter go.
struct Slot<'s> {
    step: &'s Step,
    env: &'s TypeEnv,
    sink: Sink,
    key: &'s str,
}

impl Slot<'_> {
    fn argument(&self, work: &mut Work<'_>, node: &Node, wanted: &Wanted, name: &str) -> Option<Argument> {
        match (&node.data, wanted) {
            (Data::Null, _) => {
                let finding = work
                    .error(
                        "PB112",
                        &self.place_or_key(node),
                        format!("`{name}` has no value"),
                    )
                    .help("give it one, or remove the key");
                work.report(finding);
                None
            }
            (Data::Text(text, _), _) => self.text(work, node, text, wanted, name),
            (Data::Map(fields), Wanted::Anything) => {
                self.fields(work, fields, |_| Some(Wanted::Anything), name)
            }
            (Data::Map(fields), Wanted::Type(ty)) => match ty.required() {
                Type::Open | Type::Never => self.fields(work, fields, |_| Some(Wanted::Anything), name),
                record => match record.fields() {
                    Some(known) => self.record(work, node, fields, &known, name),
                    None => mismatch(work, node, ty, name),
                },
            },
            (Data::List(items), Wanted::Anything) => self.items(work, items, || Wanted::Anything, name),
            (Data::List(items), Wanted::Type(ty)) => match ty.required() {
                Type::List(item) => self.items(work, items, || Wanted::Type((**item).clone()), name),
                Type::Never => self.items(work, items, || Wanted::Anything, name),
                _ => mismatch(work, node, ty, name),
            },
            (Data::Bool(_) | Data::Int(_) | Data::Float(_), Wanted::Anything) => {
                Some(Argument::Literal(node.to_json()))
            }
            (Data::Bool(_) | Data::Int(_) | Data::Float(_), Wanted::Type(ty)) => {
                literal(work, node, ty, name)
            }
        }
    }

    /// The place of a value, or of the step's `with` when the value is empty.
    fn place_or_key(&self, node: &Node) -> std::ops::Range<usize> {
        if node.place.is_empty() {
            self.step.with_place.clone()
        } else {
            node.place.clone()
        }
    }

    fn text(
        &self,
        work: &mut Work<'_>,
        node: &Node,
        text: &str,
        wanted: &Wanted,
        name: &str,
    ) -> Option<Argument> {
        if work.names_secret(node) {
            return None;
        }
        let expected = match wanted {
            Wanted::Type(ty) => Expected::Parameter(name.to_owned(), ty.clone()),
            Wanted::Anything => Expected::Any,
        };
        let document = matches!(wanted, Wanted::Type(ty) if *ty.required() == Type::Text(TextForm::Document));
        let blocks = if document || self.sink == Sink::Document {
            Blocks::Allowed
        } else {
            Blocks::Refused
        };
        let snippet = Snippet::new(work.source, node.place.clone(), text);
        let destination = Destination {
            expected: &expected,
            sink: self.sink,
            blocks,
        };
        match Argument::parse_text(&snippet, self.env, destination) {
            Ok(Argument::Literal(_)) => match wanted {
                Wanted::Type(ty) => literal(work, node, ty, name),
                Wanted::Anything => Some(Argument::Literal(node.to_json())),
            },
            Ok(argument) => {
                work.remember(super::steps::reader(self.step), self.key, node, &argument);
                Some(argument)
            }
            Err(findings) => {
                work.findings.extend(findings);
                None
            }
        }
    }

    fn record(
        &self,
        work: &mut Work<'_>,
        node: &Node,
        fields: &[Field],
        known: &IndexMap<String, Type>,
        name: &str,
    ) -> Option<Argument> {
        for (field, ty) in known {
            if !matches!(ty, Type::Optional(_)) && !fields.iter().any(|written| written.key == *field) {
                let finding = work.error("PB203", &node.place, format!("`{name}` needs `{field}` ({ty})"));
                work.report(finding);
            }
        }
        for field in fields.iter().filter(|field| !known.contains_key(&field.key)) {
            unknown(work, field, &format!("`{name}`"), known.keys());
        }
        self.fields(
            work,
            fields,
            |key| known.get(key).cloned().map(Wanted::Type),
            name,
        )
    }

    fn fields(
        &self,
        work: &mut Work<'_>,
        fields: &[Field],
        wanted: impl Fn(&str) -> Option<Wanted>,
        name: &str,
    ) -> Option<Argument> {
        let mut map = IndexMap::new();
        let mut complete = true;
        for field in fields {
            if field.key.contains("{{") {
                let finding = work
                    .error("PB401", &field.key_place, "a key cannot be made from data")
                    .help("write the key out; only values may come from data");
                work.report(finding);
                complete = false;
                continue;
            }
            let Some(wanted) = wanted(&field.key) else {
                complete = false;
                continue;
            };
            let path = format!("{name}.{}", field.key);
            match self.argument(work, &field.value, &wanted, &path) {
                Some(argument) => {
                    map.insert(field.key.clone(), argument);
                }
                None => complete = false,
            }
        }
        complete.then_some(Argument::Map(map))
    }

    fn items(
        &self,
        work: &mut Work<'_>,
        items: &[Node],
        wanted: impl Fn() -> Wanted,
        name: &str,
    ) -> Option<Argument> {
        let mut list = Vec::new();
        let mut complete = true;
        for (index, item) in items.iter().enumerate() {
            match self.argument(work, item, &wanted(), &format!("{name}[{index}]")) {
                Some(argument) => list.push(argument),
                None => complete = false,
            }
        }
        complete.then_some(Argument::List(list))
    }
}

fn literal(work: &mut Work<'_>, node: &Node, ty: &Type, name: &str) -> Option<Argument> {
    match values::check(&node.to_json(), ty) {
        Ok(value) => Some(Argument::Literal(value)),
        Err(_) if *ty == Type::Never => Some(Argument::Literal(node.to_json())),
        Err(mismatch) => {
            let mut finding = work.error("PB210", &node.place, format!("`{name}`: {mismatch}"));
            if ty.required().is_text() && matches!(node.data, Data::Int(_) | Data::Float(_) | Data::Bool(_)) {
                let written = work.scalar_text(node);
                finding = finding
                    .help(format!("to write a text, quote it: \"{written}\""))
                    .fix(node.place.clone(), format!("\"{written}\""));
            }
            if let (Type::OneOf(words) | Type::Ordered { words, .. }, Some(text)) =
                (ty.required(), node.text())
            {
                finding
                    .help
                    .extend(did_you_mean(text, words.iter().map(String::as_str)));
            }
            work.report(finding);
            None
        }
    }
}

fn mismatch(work: &mut Work<'_>, node: &Node, ty: &Type, name: &str) -> Option<Argument> {
    let finding = work
        .error(
            "PB210",
            &node.place,
            format!("`{name}` takes {ty}, this is {}", node.kind()),
        )
        .help(format!("to pass a value, write `{name}: ${{{{ ... }}}}`"));
    work.report(finding);
    None
}
