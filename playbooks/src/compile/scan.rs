//! Which names a text mentions, found without parsing it.
//!
//! Owns a tokenizer good enough to know the order in which texts must be compiled, and to point
//! at a name in a message. What a text really reads is said by the compiled expression.

use std::ops::Range;

/// A dotted name in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mention<'a> {
    /// Segments, the root first.
    pub(super) path: Vec<&'a str>,
    /// Bytes of the whole dotted name.
    pub(super) bytes: Range<usize>,
}

/// The dotted names of a CEL expression, outside of its text literals. A trailing function or
/// method name is left out.
pub(super) fn expression(text: &str) -> Vec<Mention<'_>> {
    let mut found = Vec::new();
    mentions(text, 0, &mut found);
    found
}

/// The dotted names inside the `{{ }}` of a template, or inside `${{ }}`.
pub(super) fn template(text: &str) -> Vec<Mention<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text.get(at..).and_then(|rest| rest.find("{{")) {
        let start = at + open + 2;
        let length = text
            .get(start..)
            .map_or(0, |rest| rest.find("}}").unwrap_or(rest.len()));
        if let Some(inner) = text.get(start..start + length) {
            mentions(inner, start, &mut found);
        }
        at = start + length;
    }
    found
}

fn mentions<'a>(text: &'a str, offset: usize, found: &mut Vec<Mention<'a>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\'' | b'"' => at = after_quote(bytes, at),
            b'.' => {
                // A method or a field of something that is no name: `f(x).y`.
                at += 1;
                at += word(bytes, at);
            }
            _ if is_start(byte) => {
                let end = dotted_end(bytes, at);
                push(text, at..end, offset, found);
                at = end;
            }
            b'0'..=b'9' => at += word(bytes, at).max(1),
            _ => at += 1,
        }
    }
}

fn push<'a>(text: &'a str, bytes: Range<usize>, offset: usize, found: &mut Vec<Mention<'a>>) {
    let called = text.as_bytes().get(bytes.end) == Some(&b'(');
    let Some(name) = text.get(bytes.clone()) else {
        return;
    };
    let mut path: Vec<&str> = name.split('.').collect();
    let mut end = bytes.end;
    if called {
        let method = path.pop().unwrap_or("");
        end = end.saturating_sub(method.len() + 1);
    }
    if !path.is_empty() {
        found.push(Mention {
            path,
            bytes: bytes.start + offset..end.max(bytes.start) + offset,
        });
    }
}

fn dotted_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + word(bytes, start);
    while bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(|next| is_start(*next)) {
        at += 1 + word(bytes, at + 1);
    }
    at
}

fn word(bytes: &[u8], start: usize) -> usize {
    bytes
        .get(start..)
        .unwrap_or_default()
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .count()
}

fn is_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn after_quote(bytes: &[u8], start: usize) -> usize {
    let quote = bytes.get(start);
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte == b'\\' {
            at += 1;
        } else if Some(byte) == quote {
            break;
        }
    }
    at
}

/// The parts of a condition that must all be true, without blanks, so that equal conditions are
/// equal texts.
pub(super) fn conjuncts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut current = String::new();
    let (mut depth, mut quote, mut escaped) = (0_i32, None, false);
    let mut alternatives = false;
    for character in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if character == '\\' => escaped = true,
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None => match character {
                '\'' | '"' => quote = Some(character),
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                '?' if depth == 0 => alternatives = true,
                blank if blank.is_whitespace() => continue,
                _ => {}
            },
        }
        current.push(character);
        if depth == 0 && quote.is_none() {
            if current.ends_with("||") {
                alternatives = true;
            } else if current.ends_with("&&") {
                current.truncate(current.len() - 2);
                parts.push(std::mem::take(&mut current));
            }
        }
    }
    if alternatives {
        return vec![text.split_whitespace().collect()];
    }
    parts.push(current);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(found: &[Mention<'_>]) -> Vec<String> {
        found.iter().map(|mention| mention.path.join(".")).collect()
    }

    #[test]
    fn names_are_found_and_methods_are_not() {
        assert_eq!(
            paths(&expression(
                "steps.a.items.filter(l, l.verdict == 'steps.x') + size(b).c + 1.5 + d()"
            )),
            ["steps.a.items", "l", "l.verdict", "b"]
        );
        assert_eq!(
            paths(&template("x {{incident.ref}} y {{default a.b \"c.d\"}} z")),
            ["incident.ref", "default", "a.b"]
        );
        let text = "a && steps.b";
        assert_eq!(&text[expression(text)[1].bytes.clone()], "steps.b");
        for odd in ["'", "\"\\", "{{", "a.", ".", "é.é", "{{}}{{"] {
            let _ = (expression(odd), template(odd));
        }
    }

    #[test]
    fn conditions_are_split_where_all_parts_must_hold() {
        assert_eq!(
            conjuncts("a == 'x && y' && (b && c) && d"),
            ["a=='x && y'", "(b&&c)", "d"]
        );
        assert_eq!(conjuncts("a && b || c"), ["a&&b||c"]);
        assert_eq!(conjuncts("a"), ["a"]);
    }
}
