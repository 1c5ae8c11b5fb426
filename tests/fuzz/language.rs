//! What authors write: playbooks and their tests, expressions, templates, spans of time.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use actions::clock::Clock;
use actions::registry::Registry;
use bolero::check;
use indexmap::IndexMap;
use playbooks::action_spec::Sink;
use playbooks::compile::{Bundle, Environment, compile};
use playbooks::diagnostic::{Diagnostic, Source};
use playbooks::duration::Span;
use playbooks::expression::{Expected, Expression, TypeEnv};
use playbooks::names::{Names, Unresolved};
use playbooks::snippet::Snippet;
use playbooks::template::{Blocks, Template};
use playbooks::trial::TrialFile;
use playbooks::types::Type;
use runner::clock::SystemClock;
use serde_json::{Value, json};
use tests::samples;

use crate::corpus::{Corpus, Reached, Recipe};

/// Every finding names a place in the text, and says what is wrong.
fn well_placed(findings: &[Diagnostic]) {
    for finding in findings {
        let (place, text) = (&finding.primary.place, &finding.primary.source.text);
        assert!(place.start <= place.end && place.end <= text.len(), "{finding:?}");
        assert!(
            text.is_char_boundary(place.start) && text.is_char_boundary(place.end),
            "{finding:?}"
        );
        assert!(!finding.message.is_empty() && !finding.code.is_empty());
    }
}

/// The mails that the examples send.
fn templates() -> IndexMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mails = samples::files(&root.join("examples"));
    let mails = mails
        .iter()
        .filter(|path| path.parent().is_some_and(|folder| folder.ends_with("mail")));
    let named = mails.filter_map(|path| {
        let stem = path.file_stem()?.to_str()?;
        Some((format!("mail/{stem}"), std::fs::read_to_string(path).ok()?))
    });
    named.collect()
}

#[test]
fn playbooks_compile_or_say_where_they_do_not() {
    let corpus = Corpus::of(
        &[
            ("examples", "phishing-report.yaml"),
            ("examples", "ids-triage.yaml"),
            ("examples", "malware-host.yaml"),
            ("examples", "impossible-travel.yaml"),
            ("examples", "lookalike-takedown.yaml"),
        ],
        &[("playbooks/tests/cases", ".yaml")],
        &["bad-input"],
    );
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let templates = templates();
    // Nothing is called through it, so a target that panics leaves it as it was.
    let registry = AssertUnwindSafe(Registry::new(Vec::new(), &clock).unwrap());
    let reached = Reached::default();
    check!()
        .with_iterations(500)
        .with_type::<Recipe>()
        .for_each(|recipe| {
            let playbook = corpus.make_text(recipe);
            // A playbook lies in a file of its name.
            let id = playbook.lines().find_map(|line| line.strip_prefix("id: "));
            let bundle = Bundle {
                name: format!("{}.yaml", id.unwrap_or("fuzzed")),
                playbook,
                templates: templates.clone(),
            };
            let environment = Environment {
                catalog: &*registry,
                operator: None,
            };
            let compiled = compile(&bundle, environment);
            well_placed(&compiled.diagnostics);
            reached.count(compiled.plan.is_some());
            if let Some(plan) = compiled.plan {
                assert_eq!(
                    Some(plan.revision),
                    compile(&bundle, environment).plan.map(|plan| plan.revision)
                );
            } else {
                assert!(!compiled.diagnostics.is_empty(), "{}", bundle.playbook);
            }
        });
    reached.at_least(5);
}

#[test]
fn tests_of_playbooks_are_read_or_say_where_they_are_not() {
    let corpus = Corpus::of(&[("examples", ".test.yaml")], &[], &[]);
    let reached = Reached::default();
    check!()
        .with_iterations(600)
        .with_type::<Recipe>()
        .for_each(|recipe| {
            let source = Source::new("fuzzed.test.yaml", corpus.make_text(recipe));
            let (trials, findings) = TrialFile::read(&source);
            well_placed(&findings);
            reached.count(findings.is_empty());
            assert!(trials.is_some() || !findings.is_empty());
        });
    reached.at_least(5);
}

/// Values that would show if anything were evaluated twice or not escaped.
struct Hostile;

const HOSTILE: &str = "<b onx='1'>{{ title }} ${{ 1 }} \"&';\r\nX: y";

impl Names for Hostile {
    fn name(&self, name: &str) -> Option<Cow<'_, Value>> {
        let value = match name {
            "title" => json!(HOSTILE),
            "score" => json!(7),
            "flag" => json!(true),
            "list" => json!([HOSTILE, "b", "c"]),
            _ => return None,
        };
        Some(Cow::Owned(value))
    }

    fn step(&self, _id: &str) -> Option<Cow<'_, Value>> {
        None
    }
}

fn env() -> TypeEnv {
    let mut env = TypeEnv::default();
    env.add_name("title", Type::String, None);
    env.add_name("score", Type::Int, None);
    env.add_name("flag", Type::Bool, None);
    env.add_name("list", Type::String.list(), None);
    env.add_name("maybe", Type::String.optional(), None);
    env
}

#[test]
fn expressions_are_checked_and_evaluated_within_their_type() {
    let corpus = Corpus::given(&[
        "score > 5 && title.contains('b')",
        "has(maybe) ? maybe : title",
        "default(maybe, title.lowerAscii())",
        "list.filter(x, x.startsWith('<')).map(x, size(x))",
        "list.all(x, list.exists(y, x == y))",
        "title.matches('^[a-z]+$') || score % 2 == 1",
        "{'a': score, 'b': list}.a + 1",
        "days(3) + duration('1h')",
        "similarity(title, 'b') > 0.5 ? 'x' : 'y'",
        "first(list).split('<').join('-').substring(1, 3)",
        "-9223372036854775807 - score * score",
        "!(flag ? score < 3 : score in [1, 2, 7])",
    ]);
    let env = env();
    let reached = Reached::default();
    check!()
        .with_iterations(6_000)
        .with_type::<Recipe>()
        .for_each(|recipe| {
            let text = corpus.make_text(recipe);
            let source = Source::new("fuzzed.yaml", text.clone());
            let snippet = Snippet::new(&source, 0..text.len(), &text);
            let compiled = Expression::compile(&snippet, &env, &Expected::Any);
            reached.count(compiled.is_ok());
            match compiled {
                Err(findings) => {
                    assert!(!findings.is_empty(), "{text}");
                    well_placed(&findings);
                }
                Ok(expression) => match expression.evaluate(&Hostile) {
                    Ok(Some(value)) => {
                        let checked = playbooks::values::check(&value, expression.ty());
                        assert!(checked.is_ok(), "{text} gives {value}, not {}", expression.ty());
                    }
                    Ok(None) | Err(Unresolved::Absent { .. }) => {}
                    Err(Unresolved::Failed(why)) => assert!(!why.is_empty()),
                },
            }
        });
    reached.at_least(5);
}

#[test]
fn templates_escape_every_value_for_their_sink_and_evaluate_none() {
    let corpus = Corpus::given(&[
        "{{ title }}",
        "a {{upper title}} b {{ score }}",
        "{{#if flag}}{{ title }}{{else}}no{{/if}}",
        "{{#each list}}{{ this }}, {{/each}}",
        "{{#if maybe}}{{ maybe }}{{/if}}{{join list \"; \"}}",
        "{{default maybe title}} {{trim title}} {{len list}}",
        "{{json list}}",
        "{{defang title}}",
    ]);
    let env = env();
    let sinks = [Sink::Plain, Sink::Html, Sink::Header, Sink::UrlPath];
    let reached = Reached::default();
    check!()
        .with_iterations(6_000)
        .with_type::<(u8, Recipe)>()
        .for_each(|(which, recipe)| {
            let sink = sinks[usize::from(*which) % sinks.len()];
            let text = corpus.make_text(recipe);
            let source = Source::new("fuzzed.yaml", text.clone());
            let snippet = Snippet::new(&source, 0..text.len(), &text);
            let compiled = Template::compile(&snippet, &env, sink, Blocks::Allowed);
            reached.count(compiled.is_ok());
            let template = match compiled {
                Ok(template) => template,
                Err(findings) => {
                    assert!(!findings.is_empty(), "{text}");
                    return well_placed(&findings);
                }
            };
            let Ok(rendered) = template.render(&Hostile) else {
                return;
            };
            // What the author wrote is the author's; what is counted is what came with the value.
            let came = |piece: &str| rendered.matches(piece).count() > text.matches(piece).count();
            let escaped = match sink {
                Sink::Html => !came("<b onx"),
                Sink::UrlPath => !came("<b") && !came("&'"),
                // One line, whatever came.
                _ => !came("\nX: y"),
            };
            assert!(escaped, "{sink:?}: {text:?} gives {rendered:?}");
        });
    reached.at_least(5);
}

#[test]
fn spans_are_read_back_as_they_are_printed() {
    let corpus = Corpus::given(&["30s", "5m", "2h", "7d", "1500ms", "0s", "366d", "90m"]);
    let reached = Reached::default();
    check!()
        .with_iterations(6_000)
        .with_type::<Recipe>()
        .for_each(|recipe| {
            let read = corpus.make_text(recipe).parse::<Span>();
            reached.count(read.is_ok());
            if let Ok(span) = read {
                assert_eq!(span.to_string().parse::<Span>().ok(), Some(span), "{span}");
            }
        });
    reached.at_least(1);
}
