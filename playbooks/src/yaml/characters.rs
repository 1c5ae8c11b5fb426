//! Characters that a reader of the source would not see, or would see in another order.

use crate::diagnostic::{Diagnostic, Source};

use super::FINDINGS_MAX;

/// Refuses control characters, invisible characters and bidirectional controls. A byte order
/// mark at the very start is accepted.
pub(super) fn check(source: &Source) -> Vec<Diagnostic> {
    source
        .text
        .char_indices()
        .filter(|(offset, character)| is_hidden(*character) && !(*offset == 0 && *character == '\u{feff}'))
        .take(FINDINGS_MAX)
        .map(|(offset, character)| {
            let code = u32::from(character);
            let escape = if code > 0xffff {
                format!("\\U{code:08X}")
            } else {
                format!("\\u{code:04X}")
            };
            Diagnostic::error(
                "PB119",
                source,
                offset..offset + character.len_utf8(),
                format!("an invisible or control character (U+{code:04X}) is in the source"),
            )
            .label("not visible to a reviewer")
            .help("remove it")
            .help(format!(
                "if it is meant, write it visibly in double quotes: \"{escape}\""
            ))
        })
        .collect()
}

/// Whether a character cannot be seen or changes the order in which others are seen.
pub(crate) fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        | '\u{e0000}'..='\u{e007f}')
}
