//! Text of strangers, made fit to be shown on one line.

/// Characters of a title.
pub const TITLE_CHARACTERS_MAX: usize = 200;
/// Characters of a summary.
pub const SUMMARY_CHARACTERS_MAX: usize = 4_000;
/// Characters of a name: a host, a user, a signature, a file.
pub const NAME_CHARACTERS_MAX: usize = 512;
/// Characters of a tag.
pub(super) const TAG_CHARACTERS_MAX: usize = 100;
/// Tags of one incident.
pub const TAGS_MAX: usize = 50;

/// One line: controls, bidirectional marks and invisible characters are gone, runs of space are
/// one space, and what is too long ends in `…`.
pub(super) fn line(text: &str, max: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut gap = false;
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            gap = length > 0;
            continue;
        }
        if is_hidden(character) {
            continue;
        }
        let needed = usize::from(gap) + 1;
        if length + needed > max {
            return cut(line, length, max);
        }
        if gap {
            line.push(' ');
        }
        line.push(character);
        length += needed;
        gap = false;
    }
    line
}

/// Makes room for the mark that says something was cut.
fn cut(mut line: String, length: usize, max: usize) -> String {
    if length >= max {
        line.pop();
    }
    line.push('…');
    line
}

/// Characters that change how others are shown, or are not shown at all.
pub(super) const fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}
