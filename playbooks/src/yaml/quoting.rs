//! When a text needs quotes in YAML, and where a value without quotes ends.
//!
//! Owns the repair of what an author meant on one line. Expressions use single quotes for their
//! texts, so double quotes around the whole are tried first.

use super::Data;
use super::scalar::{Plain, resolve};

/// The text in quotes, in the style that needs no escape; none when it takes several lines.
pub(crate) fn quoted(text: &str) -> Option<String> {
    let text = text.trim();
    if text.contains('\n') {
        return None;
    }
    Some(if text.contains(['"', '\\']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{text}\"")
    })
}

/// The text as a value of a key: without quotes where it means itself, else in quotes.
pub(crate) fn as_value(text: &str) -> Option<String> {
    let text = text.trim();
    let signs = [
        '!', '"', '\'', '[', ']', '{', '}', '*', '&', '>', '|', '%', '@', '`', '#', ',',
    ];
    let means_itself = !text.is_empty()
        && !text.contains('\n')
        && !text.starts_with(signs)
        && !text.starts_with("- ")
        && !text.starts_with("? ")
        && !text.contains(": ")
        && !text.ends_with(':')
        && !text.contains(" #")
        && match resolve(text) {
            Plain::Means(data) => !matches!(data, Data::Null),
            Plain::Ambiguous(..) => false,
        };
    if means_itself {
        return Some(text.to_owned());
    }
    quoted(text)
}

/// Where a value that starts a text of one line ends: before a comment, unless the `#` stands
/// inside quotes or brackets of an expression. None when quotes or brackets stay open, so that
/// nobody can tell.
pub(crate) fn end_of_value(line: &str) -> Option<usize> {
    let comments = line.match_indices('#').map(|(at, _)| at).filter(|at| {
        line.get(..*at)
            .is_some_and(|before| before.ends_with([' ', '\t']))
    });
    for end in comments {
        let value = line.get(..end).unwrap_or_default();
        if is_closed(value) {
            return Some(value.trim_end().len());
        }
    }
    let whole = line.trim_end();
    (is_closed(whole) || !whole.contains('#')).then_some(whole.len())
}

/// Whether no quote and no bracket of an expression stays open.
pub(crate) fn is_closed(text: &str) -> bool {
    brackets_left_open(text).is_some_and(|open| open <= 0)
}

/// Brackets that are opened and not closed, negative when more are closed; none when a quote
/// stays open.
pub(crate) fn brackets_left_open(text: &str) -> Option<i64> {
    let mut open_brackets = 0_i64;
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for character in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if character == '\\' => escaped = true,
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None => match character {
                '\'' | '"' => quote = Some(character),
                '(' | '[' | '{' => open_brackets += 1,
                ')' | ']' | '}' => open_brackets -= 1,
                _ => {}
            },
        }
    }
    quote.is_none().then_some(open_brackets)
}

/// A text with every `{{ }}` and `${{ }}` opened: the expression its author meant.
pub(crate) fn without_braces(text: &str) -> String {
    let mut bare = text.to_owned();
    for (braces, instead) in [
        ("${{ ", ""),
        ("${{", ""),
        ("{{ ", ""),
        ("{{", ""),
        (" }}", ""),
        ("}}", ""),
    ] {
        bare = bare.replace(braces, instead);
    }
    bare
}

/// A list or map in one line, with quotes around every `${{ }}` in it.
pub(crate) fn with_values_quoted(line: &str) -> Option<String> {
    let mut whole = String::with_capacity(line.len() + 8);
    let mut rest = line;
    while let Some(start) = rest.find("${{") {
        let (before, from) = rest.split_at(start);
        let end = from.find("}}")? + 2;
        let (value, after) = from.split_at_checked(end)?;
        // A map inside the expression: where it ends is for the author to say.
        if value.matches('{').count() > 2 {
            return None;
        }
        whole.push_str(before);
        if before.ends_with(['"', '\'']) {
            whole.push_str(value);
        } else {
            whole.push_str(&quoted(value)?);
        }
        rest = after;
    }
    whole.push_str(rest);
    Some(whole)
}
