//! Building [`ActionError`]s whose text is safe to show and to store.
//!
//! Owns the cleaning of `detail`. Which kind a failure is, its maker decides.

use playbooks::action_spec::ErrorKind;

use crate::action::{ActionError, DETAIL_CHARS_MAX};

/// A failure after which nothing has happened outside.
pub(crate) fn not_sent(kind: ErrorKind, detail: impl AsRef<str>) -> ActionError {
    ActionError {
        kind,
        detail: shown(detail.as_ref()),
        not_sent: true,
        retry_after: None,
    }
}

/// A failure after which it may or may not have happened.
pub(crate) fn doubtful(kind: ErrorKind, detail: impl AsRef<str>) -> ActionError {
    ActionError {
        not_sent: false,
        ..not_sent(kind, detail)
    }
}

/// Text for people: one line, no control or bidirectional characters, at most
/// [`DETAIL_CHARS_MAX`] characters.
fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !crate::notify::text::is_unprintable(*c))
        .take(DETAIL_CHARS_MAX)
        .collect()
}
