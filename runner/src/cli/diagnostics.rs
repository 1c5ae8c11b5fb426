//! Printing of findings: for people in the manner of rustc, one line each for editors, JSON and
//! SARIF for machines.
//!
//! Owns the four formats. The JSON form is `sortie.diagnostics/1`: fields are added, never renamed
//! or removed within a number.

use std::borrow::Cow;

use annotate_snippets::{AnnotationKind, Group, Level as Heading, Renderer, Snippet};
use playbooks::diagnostic::{Diagnostic, Label, Level};
use serde_json::{Value, json};

/// Sorts findings for reading: by file, then place, errors before warnings.
pub(crate) fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| {
        (
            &*a.primary.source.name,
            a.primary.place.start,
            std::cmp::Reverse(a.level),
        )
            .cmp(&(
                &*b.primary.source.name,
                b.primary.place.start,
                std::cmp::Reverse(b.level),
            ))
    });
}

/// The form for people, with colours if asked.
pub(crate) fn human(diagnostic: &Diagnostic, colour: bool, width: usize) -> String {
    let heading = match diagnostic.level {
        Level::Error => Heading::ERROR,
        Level::Warning => Heading::WARNING,
    };
    let mut group: Group<'_> = heading
        .primary_title(visible(&diagnostic.message))
        .id(diagnostic.code)
        .element(snippet(&diagnostic.primary, &diagnostic.secondary));
    for other in foreign(diagnostic) {
        group = group.element(snippet(other, &[]));
    }
    for note in &diagnostic.notes {
        group = group.element(Heading::NOTE.message(visible(note)));
    }
    for help in &diagnostic.help {
        group = group.element(Heading::HELP.message(visible(help)));
    }
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.term_width(width).render(&[group])
}

fn snippet<'a>(primary: &'a Label, evidence: &'a [Label]) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let text: &str = &primary.source.text;
    let mut snippet = Snippet::source(text).path(&*primary.source.name).annotation(
        AnnotationKind::Primary
            .span(within(primary))
            .label(label_text(primary)),
    );
    for other in evidence.iter().filter(|other| other.source == primary.source) {
        snippet = snippet.annotation(
            AnnotationKind::Context
                .span(within(other))
                .label(label_text(other)),
        );
    }
    snippet
}

fn label_text(label: &Label) -> Cow<'_, str> {
    visible(&label.text)
}

/// A place that certainly lies in its text, on character boundaries.
fn within(label: &Label) -> std::ops::Range<usize> {
    let text: &str = &label.source.text;
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(label.place.start);
    start..floor(label.place.end).max(start)
}

fn foreign(diagnostic: &Diagnostic) -> impl Iterator<Item = &Label> {
    diagnostic
        .secondary
        .iter()
        .filter(|label| label.source != diagnostic.primary.source)
}

/// Control and bidirectional characters shown as `\u{..}`, so that text from files cannot act on
/// the terminal.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |character: char| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if !text.chars().any(hidden) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|character| {
                if hidden(character) {
                    character.escape_unicode().to_string()
                } else {
                    character.to_string()
                }
            })
            .collect(),
    )
}

/// `path:line:column: CODE: message`, for editors.
pub(crate) fn short(diagnostic: &Diagnostic) -> String {
    let (line, column) = diagnostic
        .primary
        .source
        .line_column(diagnostic.primary.place.start);
    format!(
        "{}:{line}:{column}: {}: {}",
        visible(&diagnostic.primary.source.name),
        diagnostic.code,
        visible(&diagnostic.message).replace('\n', " ")
    )
}

/// `sortie.diagnostics/1`.
pub(crate) fn as_json(diagnostics: &[Diagnostic]) -> Value {
    let label = |label: &Label| {
        let (line, column) = label.source.line_column(label.place.start);
        let (end_line, end_column) = label.source.line_column(label.place.end);
        json!({
            "path": &*label.source.name, "line": line, "column": column,
            "end_line": end_line, "end_column": end_column, "text": label.text,
        })
    };
    let rows: Vec<Value> = diagnostics
        .iter()
        .map(|found| {
            json!({
                "code": found.code, "level": found.level, "message": found.message,
                "at": label(&found.primary),
                "evidence": found.secondary.iter().map(label).collect::<Vec<_>>(),
                "help": found.help, "notes": found.notes,
                "fix": found.fix.as_ref().map(|fix| json!({"start": fix.place.start, "end": fix.place.end, "replacement": fix.replacement})),
            })
        })
        .collect();
    json!({ "format": "sortie.diagnostics/1", "diagnostics": rows })
}

/// SARIF 2.1.0, for forges.
pub(crate) fn as_sarif(diagnostics: &[Diagnostic]) -> Value {
    let mut rules: Vec<&str> = diagnostics.iter().map(|found| found.code).collect();
    rules.sort_unstable();
    rules.dedup();
    let results: Vec<Value> = diagnostics
        .iter()
        .map(|found| {
            let (line, column) = found.primary.source.line_column(found.primary.place.start);
            let (end_line, end_column) = found.primary.source.line_column(found.primary.place.end);
            let mut message = found.message.clone();
            for help in &found.help {
                message.push_str("\nhelp: ");
                message.push_str(help);
            }
            json!({
                "ruleId": found.code,
                "level": match found.level { Level::Error => "error", Level::Warning => "warning" },
                "message": { "text": message },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": &*found.primary.source.name },
                    "region": { "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column },
                }}],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "sortie", "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| json!({ "id": rule })).collect::<Vec<_>>(),
            }},
            "results": results,
        }],
    })
}
