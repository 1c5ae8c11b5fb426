//! Words for people about what the engine decided.
//!
//! Owns phrasing only. Nothing here is ever parsed again.

use state::event::SkipCause;

/// Characters of a reason that is carried on into another reason. Without a bound, a chain of
/// skipped steps would repeat every cause above it.
const CARRIED_REASON_CHARS_MAX: usize = 300;

/// Why something was skipped.
pub(crate) fn skip_cause(cause: &SkipCause) -> String {
    match cause {
        SkipCause::IfFalse { .. } => "if was false".to_owned(),
        SkipCause::IfUndecided { why } => format!("if could not be decided: {why}"),
        SkipCause::Needs { why }
        | SkipCause::Absent { why }
        | SkipCause::ApprovalRefused { why }
        | SkipCause::ApprovalExpired { why } => why.clone(),
        SkipCause::UntilTrue => "until was already true".to_owned(),
        SkipCause::RunFailing => "the run is failing".to_owned(),
        SkipCause::RunCancelled => "the run was cancelled".to_owned(),
    }
}

/// A reason short enough to stand inside another one.
pub(crate) fn carried(reason: &str) -> String {
    match reason.char_indices().nth(CARRIED_REASON_CHARS_MAX) {
        Some((cut, _)) => format!("{}…", reason.get(..cut).unwrap_or_default()),
        None => reason.to_owned(),
    }
}

/// `1 step`, `2 steps`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {many}")
    }
}
