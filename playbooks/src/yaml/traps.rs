//! What YAML makes of expressions that should have been quoted, said in plain words.
//!
//! The parser stops somewhere behind the cause. Here the line is looked at as its author meant
//! it: `key: value`.

use serde_saphyr::granit_parser::ErrorKind;

use super::quoting::{brackets_left_open, end_of_value, quoted, with_values_quoted};
use crate::diagnostic::{Diagnostic, Place, Source};

/// Explains an error of the parser at a byte offset.
pub(super) fn explain(source: &Source, offset: usize, kind: &ErrorKind) -> Diagnostic {
    if matches!(kind, ErrorKind::RecursionLimitExceeded) {
        let message = format!("maps and lists are nested more than {} deep", super::DEPTH_MAX);
        return Diagnostic::error("PB114", source, at(source, offset), message).help("flatten the structure");
    }
    if let Some(finding) = at_line(source, offset) {
        return finding;
    }
    let (message, help) = words(kind);
    let mut finding = Diagnostic::error("PB101", source, at(source, offset), message);
    if let Some(help) = help {
        finding = finding.help(help);
    }
    finding
}

/// Explains a map or list in the place of a key: mostly `{{ x }}` without quotes.
pub(super) fn complex_key(source: &Source, map_start: usize, place: &Place) -> Diagnostic {
    let outer = source.text.get(map_start..).unwrap_or("");
    if outer.starts_with("{{") {
        return unquoted_braces(source, map_start);
    }
    Diagnostic::error("PB101", source, place.clone(), "a key must be a text")
        .label("a map or list stands where a key is expected")
}

/// Explains a tag, anchor or alias that starts the value of a key: an expression without quotes.
pub(super) fn indicator(source: &Source, place: &Place) -> Option<Diagnostic> {
    let line = Line::around(source, place.start);
    let value = line.value(source)?;
    if value.start != place.start {
        return None;
    }
    let text = source.text.get(value.clone())?;
    let looks_meant = text.contains("&&")
        || text.contains("||")
        || text.contains("==")
        || text.starts_with("!has(")
        || (text.starts_with('!') && (text.contains('.') || text.contains('(')));
    looks_meant.then(|| needs_quotes(source, value, text))
}

fn at_line(source: &Source, offset: usize) -> Option<Diagnostic> {
    let mut line = Line::around(source, offset);
    for _ in 0..8 {
        if let Some(value) = line.value(source) {
            let text = source.text.get(value.clone())?;
            if text.starts_with("{{") {
                return Some(unquoted_braces(source, value.start));
            }
            if text.starts_with(['{', '[']) && text.contains("${{") && !text.contains("\"${{") {
                return Some(values_in_flow(source, value, text));
            }
            return is_expression_trap(text).then(|| needs_quotes(source, value, text));
        }
        line = line.before(source)?;
    }
    None
}

/// Whether a value that did not parse looks like an expression rather than broken YAML.
fn is_expression_trap(text: &str) -> bool {
    let operators = [
        "&&", "||", "==", "!=", ">=", "<=", " ? ", "${{", " in [", " + ", " > ", " < ",
    ];
    let starts_badly = text.starts_with(['!', '"', '\'', '[', '{', '*', '&', '>', '|', '%', '@', '`']);
    let has_operator = operators.iter().any(|operator| text.contains(operator));
    (starts_badly && has_operator) || (text.contains(" ? ") && text.contains(": ")) || text.starts_with("${{")
}

fn needs_quotes(source: &Source, value: Place, text: &str) -> Diagnostic {
    let (why, label) = match text.chars().next() {
        Some('!') => (
            "YAML reads this as a tag, not as an expression",
            "`!` at the start of a value",
        ),
        Some('*') => (
            "YAML reads this as an alias, not as an expression",
            "`*` at the start of a value",
        ),
        Some('&') => (
            "YAML reads this as an anchor, not as an expression",
            "`&` at the start of a value",
        ),
        Some('"' | '\'') => (
            "YAML ends the text at the second quote",
            "a quote at the start of a value",
        ),
        Some('[') => (
            "YAML reads this as a list and what follows as an error",
            "`[` at the start of a value",
        ),
        Some('{') => (
            "YAML reads this as a map and what follows as an error",
            "`{` at the start of a value",
        ),
        Some('>' | '|' | '%' | '@' | '`') => ("this expression needs quotes", "a sign of YAML at the start"),
        _ => (
            "YAML reads the `: ` of this expression as a key",
            "`: ` inside a value without quotes",
        ),
    };
    let finding = Diagnostic::error("PB105", source, value.clone(), why).label(label);
    // In a list or map over several lines the comma is not part of the value, and a bracket that
    // is closed here was opened elsewhere.
    let meant = text.strip_suffix(',').unwrap_or(text);
    match quoted(meant).filter(|_| brackets_left_open(meant) == Some(0)) {
        Some(quoted) => finding
            .help(format!("quote it: {quoted}"))
            .fix(value.start..value.start + meant.len(), quoted),
        None => finding.help("put it below the key after `>-`, indented, without quotes"),
    }
}

/// `${{ }}` without quotes inside a list or map in one line.
fn values_in_flow(source: &Source, value: Place, text: &str) -> Diagnostic {
    let message = "`${{ }}` inside `{...}` or `[...]` needs quotes";
    let finding = Diagnostic::error("PB105", source, value.clone(), message)
        .help("write it in double quotes: \"${{ ... }}\", or use one line a key");
    match with_values_quoted(text) {
        Some(quoted) => finding.fix(value, quoted),
        None => finding,
    }
}

fn unquoted_braces(source: &Source, start: usize) -> Diagnostic {
    let rest = source.text.get(start..).unwrap_or("");
    let line = rest.lines().next().unwrap_or("");
    let inner = line
        .trim_start_matches('{')
        .split('}')
        .next()
        .unwrap_or("")
        .trim();
    let text_form = format!("\"{{{{{inner}}}}}\"");
    let value_form = format!("${{{{ {inner} }}}}");
    let whole = end_of_value(line).and_then(|end| line.get(..end));
    let finding = Diagnostic::error(
        "PB104",
        source,
        start..start + 2,
        "`{{` at the start of a value: YAML reads a map",
    )
    .label("start of a YAML map")
    .help(format!("to pass the value: {value_form}"))
    .help(format!("to write a text: {text_form}"));
    // One value is passed with its type; a value among words can only be a text.
    let replacement = whole.and_then(|whole| {
        if whole.ends_with("}}") && whole.matches("{{").count() == 1 {
            Some(value_form)
        } else {
            quoted(whole)
        }
    });
    match (whole, replacement) {
        (Some(whole), Some(replacement)) => finding.fix(start..start + whole.len(), replacement),
        _ => finding,
    }
}

fn at(source: &Source, offset: usize) -> Place {
    let text = &source.text;
    let mut start = offset.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let length = text
        .get(start..)
        .and_then(|rest| rest.chars().next())
        .filter(|next| *next != '\n')
        .map_or(0, char::len_utf8);
    start..start + length
}

/// One line of the source.
struct Line {
    place: Place,
}

impl Line {
    fn around(source: &Source, offset: usize) -> Self {
        let text = &source.text;
        let offset = at(source, offset).start;
        let start = text
            .get(..offset)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |newline| newline + 1);
        let end = text
            .get(offset..)
            .and_then(|rest| rest.find('\n'))
            .map_or(text.len(), |length| offset + length);
        Self { place: start..end }
    }

    fn before(&self, source: &Source) -> Option<Self> {
        let end = self.place.start.checked_sub(1)?;
        Some(Self::around(source, end))
    }

    /// The value of `key: value` or `- value`, up to the end of the line.
    fn value(&self, source: &Source) -> Option<Place> {
        let line = source.text.get(self.place.clone())?;
        let content = line.trim_start().trim_start_matches("- ");
        let key = content
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
            .count();
        let after = if key > 0 {
            content.get(key..)?.strip_prefix(": ")?
        } else if content.len() < line.trim_start().len() {
            content
        } else {
            return None;
        };
        let value = after.trim();
        let value = end_of_value(value)
            .and_then(|end| value.get(..end))
            .unwrap_or(value);
        let start = self.place.end - after.len() + (after.len() - after.trim_start().len());
        (!value.is_empty()).then_some(start..start + value.len())
    }
}

/// What the parser means, and what to do.
fn words(kind: &ErrorKind) -> (String, Option<&'static str>) {
    use ErrorKind as E;
    let (message, help) = match kind {
        E::TabNotAllowed | E::TabInBlockIndentation | E::TabInIndentation | E::TabAtBlockScalarStart => {
            ("a tab is used for indentation", Some("indent with spaces"))
        }
        E::UnclosedQuotedScalar => (
            "this quote is never closed",
            Some("close it, or double it if it is part of the text"),
        ),
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => (
            "something follows the closing quote",
            Some("put the whole value into one pair of quotes"),
        ),
        E::UnclosedFlowCollection { .. }
        | E::UnexpectedEofFlowSequence
        | E::UnexpectedEofFlowMapping
        | E::ExpectedFlowMappingSeparator
        | E::ExpectedFlowSequenceSeparator => (
            "a `[` or `{` is not closed, or a comma is missing",
            Some("close the bracket, separate items with commas"),
        ),
        E::MisplacedFlowCollectionEnd | E::MismatchedFlowCollectionEnd { .. } => {
            ("this bracket closes nothing", None)
        }
        E::MappingValueNotAllowed | E::InvalidColonPlacement => (
            "a second `: ` in one line, or a key at the wrong indentation",
            Some("quote the value if the colon belongs to it"),
        ),
        E::SimpleKeyExpected | E::InvalidSimpleKey | E::ExpectedBlockMappingKey => (
            "a `key: value` is expected here",
            Some("check the indentation, and that a colon and a space follow the key"),
        ),
        E::InvalidIndentation | E::ExpectedBlockSequenceEntry | E::BlockSequenceEntryNotAllowed => (
            "the indentation does not fit the lines above",
            Some("align it with its siblings"),
        ),
        E::UnknownQuotedScalarEscape => (
            "an escape that YAML does not know",
            Some("use single quotes, or write `\\\\` for a backslash"),
        ),
        E::DirectiveDisallowed => ("`%` directives are not read", Some("remove the line")),
        other => return (format!("this is not YAML: {other}"), None),
    };
    (message.to_owned(), help)
}
