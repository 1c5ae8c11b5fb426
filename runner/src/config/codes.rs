//! The codes of findings in `sortie.toml`, with the page of each.
//!
//! Owns the list. `sortie explain CF103` prints the page.

/// The file cannot be read.
pub const UNREADABLE: &str = "CF101";
/// The text is not TOML.
pub const NOT_TOML: &str = "CF102";
/// A key that does not exist.
pub const UNKNOWN_KEY: &str = "CF103";
/// A key of a part that is not built yet.
pub const NOT_BUILT: &str = "CF104";
/// A key that is needed.
pub const MISSING_KEY: &str = "CF105";
/// A value of another kind.
pub const WRONG_KIND: &str = "CF106";
/// A value that is not allowed.
pub const WRONG_VALUE: &str = "CF107";
/// A secret written in the file.
pub const SECRET_IN_FILE: &str = "CF108";
/// A secret that cannot be had.
pub const SECRET_UNRESOLVED: &str = "CF109";
/// A file that others may read or change.
pub const FILE_MODE: &str = "CF110";
/// A listener that strangers reach unprotected.
pub const OPEN_LISTENER: &str = "CF111";
/// A name of something that does not exist.
pub const UNKNOWN_NAME: &str = "CF112";
/// A token that is over or soon will be.
pub const TOKEN_EXPIRY: &str = "CF113";
/// A limit raised above its default.
pub const LIMIT_RAISED: &str = "CF114";

/// Every code with its page.
pub const PAGES: &[(&str, &str)] = &[
    (UNREADABLE, include_str!("../../../docs/codes/CF101.md")),
    (NOT_TOML, include_str!("../../../docs/codes/CF102.md")),
    (UNKNOWN_KEY, include_str!("../../../docs/codes/CF103.md")),
    (NOT_BUILT, include_str!("../../../docs/codes/CF104.md")),
    (MISSING_KEY, include_str!("../../../docs/codes/CF105.md")),
    (WRONG_KIND, include_str!("../../../docs/codes/CF106.md")),
    (WRONG_VALUE, include_str!("../../../docs/codes/CF107.md")),
    (SECRET_IN_FILE, include_str!("../../../docs/codes/CF108.md")),
    (SECRET_UNRESOLVED, include_str!("../../../docs/codes/CF109.md")),
    (FILE_MODE, include_str!("../../../docs/codes/CF110.md")),
    (OPEN_LISTENER, include_str!("../../../docs/codes/CF111.md")),
    (UNKNOWN_NAME, include_str!("../../../docs/codes/CF112.md")),
    (TOKEN_EXPIRY, include_str!("../../../docs/codes/CF113.md")),
    (LIMIT_RAISED, include_str!("../../../docs/codes/CF114.md")),
];

/// The page of a code, if it is one of these.
pub fn page(code: &str) -> Option<&'static str> {
    PAGES
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, page)| *page)
}
