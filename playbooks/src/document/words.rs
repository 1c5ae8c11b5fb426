//! Which names an author may give.

/// Names with a meaning of their own: reserved words of CEL, names of the language, constants.
pub const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
    "null",
    "incident",
    "entity",
    "org",
    "inputs",
    "steps",
    "run",
    "now",
    "result",
    "body",
    "severity",
    "tlp",
    "pap",
    "omit",
];

/// Why a text cannot be the id of a step, or the name of an input, let or enum. Ids of playbooks
/// may hold dashes.
pub(super) fn problem(name: &str, dashes: bool) -> Option<String> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let rest = name.bytes().all(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || (dashes && byte == b'-')
    });
    if !first || !rest || name.len() > super::NAME_CHARACTERS_MAX {
        let shown: String = name.chars().take(60).collect();
        let also = if dashes { ", `-`" } else { "" };
        return Some(format!(
            "`{shown}` cannot be a name: a lower-case letter, then up to {} of a-z, 0-9, `_`{also}",
            super::NAME_CHARACTERS_MAX - 1
        ));
    }
    if RESERVED.contains(&name) {
        return Some(format!("`{name}` is a word of the language and cannot be a name"));
    }
    None
}
