//! From a part of a decoded text back to the bytes it was written with.

use std::ops::Range;

use crate::diagnostic::{Place, Source};

use super::Style;

/// Walks the written and the decoded text side by side. See [`super::Node::place_of`].
pub(super) fn of(source: &Source, whole: &Place, decoded: &str, style: Style, part: Range<usize>) -> Place {
    let Some(written) = source.text.get(whole.clone()) else {
        return whole.clone();
    };
    let walk = Walk {
        written,
        escapes: written.starts_with('"') && style == Style::Quoted,
        doubled: written.starts_with('\'') && style == Style::Quoted,
    };
    let start = usize::from(style == Style::Quoted);
    let Some((from, position)) = walk.advance(start, decoded.get(..part.start).unwrap_or("")) else {
        return whole.clone();
    };
    let from = walk.skip_to(
        from,
        decoded.get(part.start..).and_then(|rest| rest.chars().next()),
    );
    let inner = decoded.get(position..part.end).unwrap_or("");
    let Some((to, _)) = walk.advance(from, inner) else {
        return whole.clone();
    };
    whole.start + from..whole.start + to.max(from)
}

struct Walk<'a> {
    written: &'a str,
    escapes: bool,
    doubled: bool,
}

impl Walk<'_> {
    /// The offset in the written text after all characters of `decoded`, and the bytes eaten.
    fn advance(&self, mut at: usize, decoded: &str) -> Option<(usize, usize)> {
        for character in decoded.chars() {
            at = self.skip_to(at, Some(character));
            at += self.length_of(at, character)?;
        }
        Some((at, decoded.len()))
    }

    /// Skips folded line breaks and indentation in front of a character that is not white space.
    fn skip_to(&self, at: usize, next: Option<char>) -> usize {
        let rest = self.written.get(at..).unwrap_or("");
        let blank = rest.len() - rest.trim_start().len();
        match next {
            Some(character) if !character.is_whitespace() => at + blank,
            _ => at,
        }
    }

    /// How many written bytes stand for one decoded character.
    fn length_of(&self, at: usize, character: char) -> Option<usize> {
        let rest = self.written.get(at..)?;
        if self.escapes && rest.starts_with('\\') {
            let length = match rest.as_bytes().get(1)? {
                b'x' => 4,
                b'u' => 6,
                b'U' => 10,
                _ => 1 + rest.chars().nth(1)?.len_utf8(),
            };
            return Some(length);
        }
        if self.doubled && character == '\'' {
            return rest.starts_with("''").then_some(2);
        }
        if rest.starts_with(character) {
            return Some(character.len_utf8());
        }
        if character.is_whitespace() {
            let blank = rest.len() - rest.trim_start().len();
            return Some(blank);
        }
        None
    }
}
