//! Making foreign text harmless for people who read it.
//!
//! Owns which characters are never shown, defanging, and the breaking of mentions. Escaping for
//! HTML or Markdown is done by the sink that writes it.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::extract::observables::{canonical_domain, is_public};
use crate::extract::pattern;

#[cfg(test)]
mod tests;

static LINK: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?i)\b(?P<scheme>https?|ftp)://(?P<host>[^\s/<>"'?#]+)"#));
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)(?:[\p{L}\p{N}_](?:[\p{L}\p{N}_-]*[\p{L}\p{N}])?\.)+[\p{L}][\p{L}\p{N}-]*[\p{L}\p{N}]")
});

/// Whether a character changes the direction of the text around it, so that a name reads as
/// another.
pub(crate) fn is_direction_mark(c: char) -> bool {
    matches!(
        c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Whether a character is never written into text for people: controls, direction marks, line
/// separators of other kinds, invisible tags.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || is_direction_mark(c)
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line: white space becomes single spaces, unprintable characters go, at most `chars_max`
/// characters with `…` as the last when something was cut.
pub(crate) fn one_line(text: &str, chars_max: usize) -> String {
    let spaced: String = text
        .chars()
        .map(|c| {
            if c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .filter(|c| !is_unprintable(*c))
        .collect();
    let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= chars_max {
        return line;
    }
    line.chars()
        .take(chars_max.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// Lines: every kind of line end becomes `\n`, tabs become spaces, unprintable characters go.
pub(crate) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| match c {
            '\r' | '\u{2028}' | '\u{2029}' => '\n',
            '\t' => ' ',
            other => other,
        })
        .filter(|c| *c == '\n' || !is_unprintable(*c))
        .collect()
}

/// Text in which no program makes a link: `hxxps://evil[.]example/x`, `mallory@evil[.]example`.
/// Names within `trusted` domains stay as they are, unless a link hides them behind other parts.
pub(crate) fn defang(text: &str, trusted: &[&str]) -> String {
    let is_trusted = |name: &str| {
        canonical_domain(name).is_some_and(|name| {
            trusted.iter().any(|domain| {
                name == *domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
            })
        })
    };
    let without_links = LINK.replace_all(text, |found: &Captures<'_>| {
        let host = found.name("host").map_or("", |host| host.as_str());
        let scheme = found.name("scheme").map_or("", |scheme| scheme.as_str());
        if is_trusted(host) {
            return format!("{scheme}://{host}");
        }
        let scheme = scheme
            .to_ascii_lowercase()
            .replace("http", "hxxp")
            .replace("ftp", "fxp");
        format!("{scheme}://{}", host.replace('.', "[.]"))
    });
    NAME.replace_all(&without_links, |found: &Captures<'_>| {
        let name = found.get(0).map_or("", |name| name.as_str());
        let public = canonical_domain(name).is_some_and(|name| is_public(&name));
        if public && !is_trusted(name) {
            name.replace('.', "[.]")
        } else {
            name.to_owned()
        }
    })
    .into_owned()
}

/// Text in which no chat or ticket system calls anybody: a zero-width non-joiner stands after
/// every `@` that a word follows.
pub(crate) fn break_mentions(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        result.push(c);
        let calls = rest
            .peek()
            .is_some_and(|next| next.is_alphanumeric() || matches!(next, '_' | '.' | '-'));
        if c == '@' && calls {
            result.push('\u{200c}');
        }
    }
    result
}
