//! Undoing the marks that people put into addresses so that nobody clicks them.
//!
//! Owns the spellings: `hxxp`, `[.]`, `(dot)`, `[at]`, `[:]`. Never invents a dot that a person did
//! not mark.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::pattern;

static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\bh(?:xx|\*\*|tt)p(s?)(?:\[:\]|:)(?:\[//\]|//|\\\\)"));
static DOT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\s?(?:\[\s?\.\s?\]|\(\s?\.\s?\)|\{\s?\.\s?\}|\[\s?dot\s?\]|\(\s?dot\s?\)|\{\s?dot\s?\}|\[\.|\.\])\s?",
    )
});
static AT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\s?(?:\[\s?@\s?\]|\(\s?@\s?\)|\[\s?at\s?\]|\(\s?at\s?\)|\{\s?at\s?\})\s?")
});

/// The text with every known defanging undone.
pub(crate) fn refang(text: &str) -> Cow<'_, str> {
    let once = SCHEME.replace_all(text, "http$1://");
    let twice = replace(&DOT, once, ".");
    replace(&AT, twice, "@")
}

fn replace<'t>(pattern: &Regex, text: Cow<'t, str>, with: &str) -> Cow<'t, str> {
    match pattern.replace_all(&text, with) {
        Cow::Borrowed(_) => text,
        Cow::Owned(changed) => Cow::Owned(changed),
    }
}

#[cfg(test)]
mod tests {
    use super::refang;

    #[test]
    fn every_known_spelling_becomes_live_again() {
        for (defanged, live) in [
            ("hxxp://evil.example/x", "http://evil.example/x"),
            ("hXXps://evil[.]example", "https://evil.example"),
            ("hxxps[:]//evil[.]example", "https://evil.example"),
            ("evil(dot)example", "evil.example"),
            ("evil [dot] example", "evil.example"),
            ("evil{.}example", "evil.example"),
            ("192.0.2[.]7", "192.0.2.7"),
            ("mallory[@]evil[.]example", "mallory@evil.example"),
            ("mallory(at)evil(dot)example", "mallory@evil.example"),
        ] {
            assert_eq!(refang(defanged), live, "{defanged}");
        }
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in [
            "see annex (a). Then [b].",
            "at noon (dotted line)",
            "array[0].name",
            "f(.5)",
        ] {
            assert_eq!(refang(text), text);
        }
    }
}
