//! The text of a mail, written when it is intended.
//!
//! Owns the choice of language and what a template may read. The record then holds what was
//! said, whatever becomes of the template.

use std::borrow::Cow;

use playbooks::names::{Names, Unresolved};
use playbooks::plan::{MailTemplate, Plan};
use playbooks::values;
use serde_json::{Map, Value, json};

use crate::guardrails;
use crate::names::RunNames;
use crate::run::Run;
use crate::surroundings::Surroundings;

/// What a mail template reads: a few names of the run and its own parameters.
struct MailNames<'a> {
    run: &'a RunNames<'a>,
    params: &'a Map<String, Value>,
}

impl Names for MailNames<'_> {
    fn name(&self, name: &str) -> Option<Cow<'_, Value>> {
        match name {
            "incident" | "entity" | "org" | "run" | "now" => self.run.name(name),
            _ => self
                .params
                .get(name)
                .filter(|value| !value.is_null())
                .map(Cow::Borrowed),
        }
    }

    fn step(&self, _id: &str) -> Option<Cow<'_, Value>> {
        None
    }

    fn why_absent(&self, path: &str) -> String {
        self.run.why_absent(path)
    }
}

/// `{subject, text, language, tlp}` of the template that the arguments name.
pub(crate) fn render(
    plan: &Plan,
    names: &RunNames<'_>,
    arguments: &Map<String, Value>,
    around: &Surroundings<'_>,
    run: &Run,
    to_strangers: bool,
) -> Result<Value, Unresolved> {
    let name = arguments
        .get("template")
        .and_then(Value::as_str)
        .ok_or_else(|| Unresolved::Failed("no `template` is named".to_owned()))?;
    let (language, template) = choose(plan, name, around, to_strangers)
        .ok_or_else(|| Unresolved::Failed(format!("there is no template `{name}` in any language")))?;
    let empty = Map::new();
    let given = arguments
        .get("params")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let params = checked(name, template, given)?;
    let names = MailNames {
        run: names,
        params: &params,
    };
    let tlp = guardrails::of_incident(run).tlp;
    let tlp = template.tlp.map_or(tlp, |own| own.max(tlp));
    Ok(json!({
        "subject": template.subject.render(&names)?,
        "text": template.text.render(&names)?,
        "language": language,
        "tlp": tlp.word(),
    }))
}

/// The entity's language, else ours, else the first there is. To strangers ours comes first.
fn choose<'a>(
    plan: &'a Plan,
    name: &str,
    around: &Surroundings<'_>,
    to_strangers: bool,
) -> Option<(String, &'a MailTemplate)> {
    let mut wanted = [
        around.entity.language.as_str(),
        around.operator.organisation.language.as_str(),
    ];
    if to_strangers {
        wanted.reverse();
    }
    let by_language = wanted.into_iter().find_map(|language| {
        let template = plan.templates.get(&format!("{name}.{language}"))?;
        Some((language.to_owned(), template))
    });
    by_language.or_else(|| {
        plan.templates.iter().find_map(|(key, template)| {
            let language = key.strip_prefix(name)?.strip_prefix('.')?;
            Some((language.to_owned(), template))
        })
    })
}

fn checked(
    name: &str,
    template: &MailTemplate,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Unresolved> {
    let mut params = Map::with_capacity(template.params.len());
    for (param, ty) in &template.params {
        let value = given.get(param).unwrap_or(&Value::Null);
        let value = values::check(value, ty)
            .map_err(|why| Unresolved::Failed(format!("parameter `{param}` of template `{name}`: {why}")))?;
        params.insert(param.clone(), value);
    }
    Ok(params)
}
