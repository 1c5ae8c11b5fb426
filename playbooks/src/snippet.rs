//! A text cut out of a source, and the way back from its bytes to the bytes of the source.
//!
//! Owns the mapping through YAML quoting and folding. It is exact for plain text and a good
//! guess for escapes; a wrong guess costs a less precise underline, nothing else.

use crate::diagnostic::{Diagnostic, Place, Source};

/// A text as YAML read it, with the place in the source it was read from.
#[derive(Debug, Clone)]
pub struct Snippet<'a> {
    source: &'a Source,
    place: Place,
    text: &'a str,
    /// For each byte of `text`, and one past it, the byte of the source.
    origins: Vec<usize>,
}

impl<'a> Snippet<'a> {
    /// A text that was read from a place of a source. Quotes and indentation may be inside the
    /// place.
    pub fn new(source: &'a Source, place: Place, text: &'a str) -> Self {
        let written = source.text.get(place.clone()).unwrap_or("");
        let origins = align(text, written, place.start);
        Self {
            source,
            place,
            text,
            origins,
        }
    }
    /// The source.
    pub const fn source(&self) -> &'a Source {
        self.source
    }
    /// The text.
    pub const fn text(&self) -> &'a str {
        self.text
    }
    /// The whole place.
    pub fn place(&self) -> Place {
        self.place.clone()
    }
    /// The place of some bytes of the text.
    pub fn place_of(&self, bytes: &Place) -> Place {
        let origin = |at: usize| self.origins.get(at).copied().unwrap_or(self.place.end);
        let start = origin(bytes.start);
        let end = match bytes.end.checked_sub(1) {
            Some(last) if last >= bytes.start => origin(last) + 1,
            _ => start,
        };
        // A multi-byte character ends after its last byte.
        let mut end = end.clamp(start, self.place.end.max(start));
        while !self.source.text.is_char_boundary(end) && end < self.source.text.len() {
            end += 1;
        }
        start..end
    }
    /// A part of this text as a snippet of its own; the whole when the bytes do not fit.
    #[must_use]
    pub fn part(&self, bytes: Place) -> Self {
        let Some(text) = self.text.get(bytes.clone()) else {
            return self.clone();
        };
        Self {
            source: self.source,
            place: self.place_of(&bytes),
            text,
            origins: self
                .origins
                .get(bytes.start..=bytes.end)
                .map(<[usize]>::to_vec)
                .unwrap_or_default(),
        }
    }
    /// An error at some bytes of the text.
    pub fn error(&self, code: &'static str, bytes: &Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, self.source, self.place_of(bytes), message)
    }
    /// A warning at some bytes of the text.
    pub fn warning(&self, code: &'static str, bytes: &Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(code, self.source, self.place_of(bytes), message)
    }
}

/// Walks both texts side by side: equal characters map to each other, a run of white space to a
/// run of white space (folding, indentation), an escape to the character it stands for.
fn align(text: &str, written: &str, start: usize) -> Vec<usize> {
    let mut origins = Vec::with_capacity(text.len() + 1);
    let mut rest = written;
    let at = |rest: &str| start + (written.len() - rest.len());
    if let Some(first) = text.chars().next().filter(|first| !first.is_whitespace()) {
        // Skips an opening quote, a block indicator and indentation.
        if let Some(found) = rest.find(first) {
            rest = rest.get(found..).unwrap_or("");
        }
    }
    for character in text.chars() {
        if character.is_whitespace() {
            push(&mut origins, at(rest), character);
            if rest.starts_with(char::is_whitespace) {
                rest = after_blank(rest, character);
            }
            continue;
        }
        if !rest.starts_with(character) {
            rest = skip_to(rest, character);
        }
        push(&mut origins, at(rest), character);
        let width = rest.chars().next().map_or(0, char::len_utf8);
        rest = rest.get(width..).unwrap_or("");
    }
    origins.push(at(rest));
    origins
}

fn push(origins: &mut Vec<usize>, at: usize, character: char) {
    origins.extend((0..character.len_utf8()).map(|byte| at + byte));
}

/// After one blank of the text, one blank of the source is gone; a line break takes the
/// indentation of the next line with it.
fn after_blank(rest: &str, character: char) -> &str {
    if rest.starts_with('\n') || rest.starts_with("\r\n") || character == '\n' {
        return rest.trim_start();
    }
    let shorter = rest.get(1..).unwrap_or("");
    if shorter.trim_start_matches([' ', '\t']).starts_with(['\n', '\r']) {
        shorter.trim_start()
    } else {
        shorter
    }
}

/// The nearest place within a few bytes where the character stands; the same place otherwise.
fn skip_to(rest: &str, character: char) -> &str {
    const NEAR: usize = 12;
    match rest
        .char_indices()
        .take(NEAR)
        .find(|(_, found)| *found == character)
    {
        Some((found, _)) => rest.get(found..).unwrap_or(rest),
        None => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(yaml: &str, text: &str, wanted: &str) -> String {
        let source = Source::new("p.yaml", yaml);
        let start = yaml.find(": ").map_or(0, |at| at + 2);
        let snippet = Snippet::new(&source, start..yaml.len(), text);
        let at = text.find(wanted).expect("the word is in the text");
        yaml[snippet.place_of(&(at..at + wanted.len()))].to_owned()
    }

    #[test]
    fn places_lead_back_through_quotes_folds_and_escapes() {
        for (yaml, text) in [
            ("a: one two three", "one two three"),
            ("a: 'it''s two three'", "it's two three"),
            ("a: \"say \\\"hi\\\" two\\tx three\"", "say \"hi\" two\tx three"),
            ("a: >-\n  one\n  two\n\n  three\n", "one two\nthree"),
            ("a: |\n    one\n      two\n    three\n", "one\n  two\nthree\n"),
            ("a: one\r\n  two three", "one two three"),
            ("a: é two ü three", "é two ü three"),
        ] {
            assert_eq!(found(yaml, text, "two"), "two", "{yaml}");
            assert_eq!(found(yaml, text, "three"), "three", "{yaml}");
        }
    }

    #[test]
    fn a_text_that_does_not_fit_its_place_costs_precision_only() {
        let source = Source::new("p.yaml", "short é");
        for text in ["something else altogether", "", "éééé\n\n\n", "shortshort"] {
            let snippet = Snippet::new(&source, 0..8, text);
            for (at, _) in text.char_indices() {
                let place = snippet.place_of(&(at..text.len()));
                assert!(source.text.get(place.clone()).is_some(), "{text} {place:?}");
            }
            assert!(source.text.get(snippet.part(0..text.len()).place()).is_some());
        }
    }
}
