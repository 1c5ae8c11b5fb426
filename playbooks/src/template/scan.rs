//! The fence before the parser: what must not be in a template at all, found on the bare text.
//!
//! Owns size, depth and the forms that write unescaped, load other templates or define code.
//! Handlebars' parser recurses over blocks and brackets, so depth is bounded before it runs.

use crate::diagnostic::{Diagnostic, Place};
use crate::expression::syntax::too_deep;
use crate::snippet::Snippet;

/// Longest template in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 32 * 1024;
/// Deepest nesting of blocks, and of brackets inside one tag.
pub const TEMPLATE_DEPTH_MAX: usize = 16;

/// Forms that do not exist here: how they start, what they are, what to do.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("{{", "raw blocks do not exist", "write `{{x}}`"),
    ("{", "`{{{ }}}` would write without escaping", "write `{{x}}`"),
    ("&", "`{{& }}` would write without escaping", "write `{{x}}`"),
    (">", "partials do not exist", "write the text here"),
    ("*", "decorators do not exist", "write the text here"),
    ("#*", "inline partials do not exist", "write the text here"),
    ("#>", "partial blocks do not exist", "write the text here"),
];

/// Refuses what the parser should not see.
pub(super) fn fence(snippet: &Snippet<'_>) -> Result<(), Vec<Diagnostic>> {
    let text = snippet.text();
    if text.len() > TEMPLATE_BYTES_MAX {
        let message = format!(
            "a text has at most {TEMPLATE_BYTES_MAX} bytes, this one has {}",
            text.len()
        );
        return Err(vec![snippet.error("PB116", &(0..text.len()), message)]);
    }
    // How deep each open block is, with its `{{else if}}`s, each of which nests in the last.
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("{{")) {
        let start = at + found;
        let inside = text.get(start + 2..).unwrap_or("");
        if is_escaped(text, start) {
            at = start + 2;
            continue;
        }
        let inside = inside.strip_prefix('~').unwrap_or(inside);
        if let Some(comment) = inside.strip_prefix('!') {
            let close = if comment.starts_with("--") { "--}}" } else { "}}" };
            let Some(length) = comment.find(close) else {
                let message = "this comment does not end";
                return Err(vec![snippet.error("PB116", &(start..start + 2), message)]);
            };
            at = text.len() - comment.len() + length + close.len();
            continue;
        }
        for (form, what, instead) in FORBIDDEN {
            let content = inside.trim_start();
            if content.starts_with(form) {
                let end = text.len() - content.len() + form.len();
                return Err(vec![
                    snippet
                        .error("PB116", &(start..end.min(text.len())), *what)
                        .help(*instead),
                ]);
            }
        }
        let Some(length) = inside.find("}}") else {
            return Err(vec![
                snippet
                    .error("PB116", &(start..start + 2), "this `{{` is never closed")
                    .help("close it with `}}`, or write `\\{{` for two braces"),
            ]);
        };
        let tag = inside.get(..length).unwrap_or("");
        let tag_start = text.len() - inside.len();
        let depth = open.last().copied().unwrap_or(0);
        match kind(tag) {
            Tag::Opens => open.push(depth + 1),
            Tag::Chains => {
                if let Some(last) = open.last_mut() {
                    *last += 1;
                }
            }
            Tag::Closes => {
                open.pop();
            }
            Tag::Writes => {}
        }
        let depth = open.last().copied().unwrap_or(0);
        let deep_bracket = too_deep(tag, TEMPLATE_DEPTH_MAX).map(|at| tag_start + at);
        if let Some(place) = deep_bracket.or((depth > TEMPLATE_DEPTH_MAX).then_some(start)) {
            let message = format!("blocks and brackets nest at most {TEMPLATE_DEPTH_MAX} deep");
            return Err(vec![snippet.error("PB116", &(place..place + 1), message)]);
        }
        at = tag_start + length;
    }
    Ok(())
}

enum Tag {
    Opens,
    /// `else if`, `else with`...
    Chains,
    Closes,
    Writes,
}

fn kind(tag: &str) -> Tag {
    let tag = tag.trim_start();
    if tag.starts_with('#') {
        return Tag::Opens;
    }
    if tag.starts_with('/') {
        return Tag::Closes;
    }
    let after_else = tag.strip_prefix("else").or_else(|| tag.strip_prefix('^'));
    match after_else {
        Some(rest) if !rest.trim_matches(['~', ' ', '\t', '\r', '\n']).is_empty() => Tag::Chains,
        _ => Tag::Writes,
    }
}

/// Whether the braces at this place are text, by an odd number of backslashes before them.
fn is_escaped(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or("");
    (before.len() - before.trim_end_matches('\\').len()) % 2 == 1
}

/// The bytes of the tag that starts at or after a byte.
pub(super) fn tag_at(text: &str, at: usize) -> Place {
    let rest = text.get(at..).unwrap_or("");
    let start = at + rest.find("{{").unwrap_or(0);
    let end = text
        .get(start..)
        .and_then(|rest| rest.find("}}"))
        .map_or(text.len(), |close| start + close + 2);
    start..end
}

/// The bytes of a word inside a tag; the tag itself when it is not found.
pub(super) fn word_in(text: &str, tag: &Place, word: &str) -> Place {
    let inside = text.get(tag.clone()).unwrap_or("");
    let part_of_name = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.' | '-');
    let found = inside.match_indices(word).find(|(at, _)| {
        let before = inside.get(..*at).and_then(|before| before.chars().next_back());
        let after = inside
            .get(at + word.len()..)
            .and_then(|after| after.chars().next());
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    });
    match found {
        Some((at, _)) if !word.is_empty() => tag.start + at..tag.start + at + word.len(),
        _ => tag.clone(),
    }
}
