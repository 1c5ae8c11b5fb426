//! Mail templates: front matter, subject and text, in every language that is needed.

use indexmap::IndexMap;

use crate::action_spec::{ActionSpec, Sink};
use crate::diagnostic::{Diagnostic, Source};
use crate::document::Step;
use crate::expression::TypeEnv;
use crate::marking::Tlp;
use crate::operator::{Entity, Rollout};
use crate::plan::MailTemplate;
use crate::snippet::Snippet;
use crate::suggestion::did_you_mean;
use crate::template::{Blocks, Template};
use crate::types::Type;
use crate::yaml::{self, Data, Node};

use super::scope;
use super::work::Work;

/// Characters of a subject as written.
pub(super) const SUBJECT_CHARACTERS_MAX: usize = 90;
/// Bytes of one template file.
pub(super) const TEMPLATE_BYTES_MAX: usize = 32 * 1024;

/// The templates that steps name, compiled once each.
#[derive(Debug, Default)]
pub(super) struct Templates {
    compiled: IndexMap<String, MailTemplate>,
    /// The parameters of each name without language; `None` when it had errors.
    params: IndexMap<String, Option<Type>>,
}

impl Templates {
    pub(super) fn into_compiled(self) -> IndexMap<String, MailTemplate> {
        self.compiled
    }
}

/// The type of `params` for a step that sends a mail: what its template declares. `None` for
/// other actions and when the template has errors.
pub(super) fn params_of(
    work: &mut Work<'_>,
    step: &Step,
    action: &ActionSpec,
    templates: &mut Templates,
) -> Option<Type> {
    if !action.renders_mail {
        return None;
    }
    let field = step.with.iter().find(|field| field.key == "template")?;
    let name = field.value.text().unwrap_or("").to_owned();
    if name.contains("{{") || name.is_empty() {
        let finding = work
            .error("PB602", &field.value.place, "the template must be written out")
            .help("write for example `template: mail/phishing-answer`; use `if` to choose between two steps");
        work.report(finding);
        return None;
    }
    if !templates.params.contains_key(&name) {
        let params = load(work, &field.value, &name, templates);
        templates.params.insert(name.clone(), params);
    }
    languages(work, &field.value, &name, action);
    templates.params.get(&name).cloned().flatten()
}

/// Compiles every language of a template and returns the parameters they agree on.
fn load(work: &mut Work<'_>, node: &Node, name: &str, templates: &mut Templates) -> Option<Type> {
    let bundle = work.bundle;
    let prefix = format!("{name}.");
    let files: Vec<(&String, &String)> = bundle
        .templates
        .iter()
        .filter(|(key, _)| {
            key.strip_prefix(&prefix)
                .is_some_and(|language| !language.contains('.'))
        })
        .collect();
    if files.is_empty() {
        let known: Vec<&str> = bundle
            .templates
            .keys()
            .map(|key| key.rsplit_once('.').map_or(key.as_str(), |(stem, _)| stem))
            .collect();
        let shown: String = name.chars().take(60).collect();
        let finding = work.error("PB602", &node.place, format!("there is no template `{shown}`"));
        let help = did_you_mean(name, known)
            .unwrap_or_else(|| format!("add `templates/{shown}.<language>.hbs` beside the playbook"));
        work.report(finding.help(help));
        return None;
    }
    let mut first: Option<(&String, IndexMap<String, Type>)> = None;
    for (key, text) in files {
        let file = format!("templates/{key}.hbs");
        let source = Source::new(file.as_str(), text.as_str());
        let template = match MailFile::read(work, &source) {
            Ok(template) => template,
            Err(findings) => {
                work.findings.extend(findings);
                return None;
            }
        };
        match &first {
            Some((other, params)) if *params != template.params => {
                let finding = Diagnostic::error(
                    "PB603",
                    &source,
                    0..3,
                    format!(
                        "the parameters differ from those of `{other}`: {} here, {} there",
                        Type::Record(template.params.clone()),
                        Type::Record(params.clone()),
                    ),
                )
                .help("every language of a template takes the same parameters");
                work.report(finding);
            }
            Some(_) => {}
            None => first = Some((key, template.params.clone())),
        }
        templates.compiled.insert(key.clone(), template);
    }
    first.map(|(_, params)| Type::Record(params))
}

/// Whether the template exists in the language of every entity where the playbook runs.
fn languages(work: &mut Work<'_>, node: &Node, name: &str, action: &ActionSpec) {
    let Some(operator) = work.environment.operator else {
        return;
    };
    let bundle = work.bundle;
    let exists = |language: &str| bundle.templates.contains_key(&format!("{name}.{language}"));
    let any = bundle
        .templates
        .keys()
        .any(|key| key.starts_with(&format!("{name}.")));
    let ours = operator.organisation.language.as_str();
    if action.mails_strangers() {
        if any && !exists(ours) {
            let finding = work
                .error(
                    "PB602",
                    &node.place,
                    format!(
                        "`{name}` is not there in our own language `{ours}`, in which we write to others"
                    ),
                )
                .help(format!("add `templates/{name}.{ours}.hbs`"));
            work.report(finding);
        }
        return;
    }
    let missing: Vec<&Entity> = served(work, operator)
        .filter(|entity| !exists(&entity.language))
        .collect();
    let Some(first) = missing.first().filter(|_| any) else {
        return;
    };
    let finding = work
        .error(
            "PB602",
            &node.place,
            format!(
                "`{name}` is not there in the language `{}` of {}",
                first.language, first.id
            ),
        )
        .help(format!("add `templates/{name}.{}.hbs`", first.language));
    work.report(finding);
}

/// The entities for which the playbook may act.
pub(super) fn served<'o>(
    work: &Work<'_>,
    operator: &'o crate::operator::Operator,
) -> impl Iterator<Item = &'o Entity> {
    let id = work.document.id.value.clone();
    operator
        .entities
        .values()
        .filter(move |entity| entity.rollout.get(&id).copied().unwrap_or_default() != Rollout::Off)
}

struct MailFile;

impl MailFile {
    fn read(work: &Work<'_>, source: &Source) -> Result<MailTemplate, Vec<Diagnostic>> {
        let text = &source.text;
        if text.len() > TEMPLATE_BYTES_MAX {
            let message = format!(
                "this template has {} bytes; at most {TEMPLATE_BYTES_MAX}",
                text.len()
            );
            return Err(vec![Diagnostic::error("PB114", source, 0..0, message)]);
        }
        let Some((head, body)) = split(text) else {
            return Err(vec![
                Diagnostic::error("PB608", source, 0..0, "this template has no front matter").help(
                    "start it with a line `---`, then `params:`, `subject:`, `tlp:`, then a line `---`",
                ),
            ]);
        };
        // The head keeps its offset: everything behind it is cut off, nothing in front.
        let head_source = Source::new(source.name.clone(), text.get(..head.end).unwrap_or(""));
        let root = yaml::read(&head_source)?;
        let mut reader = FrontMatter {
            work,
            source,
            findings: Vec::new(),
        };
        let parts = reader.parts(&root);
        let (Some((params, subject, tlp)), true) = (parts, reader.findings.is_empty()) else {
            return Err(reader.findings);
        };
        let mut env = scope::outside(work);
        env.add_name("run", Type::run(), None);
        env.add_proven(work.env.proven().iter().cloned());
        for (name, ty) in &params {
            env.add_name(name.clone(), ty.clone(), None);
        }
        let subject = Self::part(source, &subject, &env, Sink::Header, Blocks::Refused);
        let body_text = text.get(body.clone()).unwrap_or("");
        let snippet = Snippet::new(source, body.clone(), body_text);
        let text = Template::compile(&snippet, &env, Sink::Document, Blocks::Allowed);
        match (subject, text) {
            (Ok(subject), Ok(text)) => Ok(MailTemplate {
                params,
                subject,
                text,
                tlp,
            }),
            (subject, text) => {
                let mut findings = subject.err().unwrap_or_default();
                findings.extend(text.err().unwrap_or_default());
                Err(findings)
            }
        }
    }

    fn part(
        source: &Source,
        node: &Node,
        env: &TypeEnv,
        sink: Sink,
        blocks: Blocks,
    ) -> Result<Template, Vec<Diagnostic>> {
        let text = node.text().unwrap_or("");
        Template::compile(&Snippet::new(source, node.place.clone(), text), env, sink, blocks)
    }
}

/// The bytes of the front matter, with its first `---`, and of the text.
fn split(text: &str) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let rest = text.get(start..)?;
    rest.strip_prefix("---\n")
        .or_else(|| rest.strip_prefix("---\r\n"))?;
    let mut at = start + rest.find('\n')? + 1;
    loop {
        let line = text.get(at..)?.split_inclusive('\n').next()?;
        if line.trim_end() == "---" {
            return Some((start..at, at + line.len()..text.len()));
        }
        at += line.len();
    }
}

struct FrontMatter<'a> {
    work: &'a Work<'a>,
    source: &'a Source,
    findings: Vec<Diagnostic>,
}

type Parts = (IndexMap<String, Type>, Node, Option<Tlp>);

impl FrontMatter<'_> {
    fn error(&mut self, place: &std::ops::Range<usize>, message: String, help: &str) {
        let finding = Diagnostic::error("PB608", self.source, place.clone(), message);
        self.findings.push(finding.help(help));
    }

    fn parts(&mut self, root: &Node) -> Option<Parts> {
        let Data::Map(fields) = &root.data else {
            self.error(
                &root.place,
                "front matter is a map".to_owned(),
                "its keys: params, subject, tlp",
            );
            return None;
        };
        for field in fields {
            if !["params", "subject", "tlp"].contains(&field.key.as_str()) {
                let message = format!("front matter has no key `{}`", field.key);
                self.error(&field.key_place, message, "its keys: params, subject, tlp");
            }
        }
        let params = root
            .get("params")
            .map(|node| self.params(node))
            .unwrap_or_default();
        let tlp = root
            .get("tlp")
            .and_then(|node| match node.text().unwrap_or("").parse() {
                Ok(tlp) => Some(tlp),
                Err(error) => {
                    self.error(&node.place, format!("{error}"), "write for example `tlp: amber`");
                    None
                }
            });
        let Some(subject) = root
            .get("subject")
            .filter(|node| node.text().is_some_and(|text| !text.trim().is_empty()))
        else {
            self.error(
                &root.place,
                "a mail template needs `subject`".to_owned(),
                "write `subject: \"...\"`",
            );
            return None;
        };
        self.subject_length(subject);
        Some((params, subject.clone(), tlp))
    }

    fn subject_length(&mut self, node: &Node) {
        let text = node.text().unwrap_or("");
        let mut fixed = 0;
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            fixed += before.chars().count();
            rest = after.split_once("}}").map_or("", |(_, tail)| tail);
        }
        fixed += rest.chars().count();
        if fixed > SUBJECT_CHARACTERS_MAX {
            let message = format!(
                "the subject has {fixed} characters besides its values; at most {SUBJECT_CHARACTERS_MAX}"
            );
            self.findings.push(
                Diagnostic::error("PB604", self.source, node.place.clone(), message).help("shorten it"),
            );
        }
    }

    fn params(&mut self, node: &Node) -> IndexMap<String, Type> {
        let mut params = IndexMap::new();
        let Data::Map(fields) = &node.data else {
            self.error(
                &node.place,
                "`params` is a map".to_owned(),
                "write `params: {name: type}`",
            );
            return params;
        };
        for field in fields {
            if crate::document::RESERVED.contains(&field.key.as_str()) {
                let message = format!(
                    "`{}` is a word of the language and cannot be a parameter",
                    field.key
                );
                self.error(&field.key_place, message, "choose another name");
                continue;
            }
            match Type::parse(field.value.text().unwrap_or(""), &self.work.enums) {
                Ok(ty) => {
                    params.insert(field.key.clone(), ty);
                }
                Err(problem) => {
                    let help = problem.suggestion.as_ref().map_or_else(
                        || "a type is for example `int`, `string`, `list<domain>`".to_owned(),
                        |known| format!("did you mean `{known}`?"),
                    );
                    self.error(&field.value.place, problem.message.clone(), &help);
                }
            }
        }
        params
    }
}
