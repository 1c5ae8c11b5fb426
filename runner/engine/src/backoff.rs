//! How long to wait between attempts.
//!
//! Owns the arithmetic. Jitter is a hash of what is being retried, so that a replay waits as long
//! and a thousand runs that failed together do not come back together.

use jiff::{SignedDuration, Timestamp};
use playbooks::duration::Span;
use playbooks::plan::BACKOFF_MAX;
use sha2::{Digest, Sha256};
use state::ids::{Path, RunId};

/// Whether a far end that asks to be left alone for this long is asked again at all. Longer than
/// [`BACKOFF_MAX`] is never waited, and earlier than asked is never tried.
pub(crate) fn waits_that_long(retry_after: Option<Span>) -> bool {
    retry_after.is_none_or(|span| span <= BACKOFF_MAX)
}

/// When to try again after `attempt` failed: min(longest, shortest * 2^(attempt-1)) times a
/// factor between one half and one, and never before `retry_after` is over.
pub(crate) fn next(
    range: (Span, Span),
    run: &RunId,
    path: &Path,
    attempt: u32,
    retry_after: Option<Span>,
    now: Timestamp,
) -> Timestamp {
    let (shortest, longest) = range;
    let doubled = shortest
        .as_milliseconds()
        .saturating_mul(1_i64.checked_shl(attempt.saturating_sub(1)).unwrap_or(i64::MAX));
    let full = doubled.clamp(0, longest.min(BACKOFF_MAX).as_milliseconds().max(0));
    let half = full / 2;
    let more = (i128::from(half) * i128::from(fraction(run, path, attempt))) >> 32;
    let jittered = half.saturating_add(i64::try_from(more).unwrap_or(half));
    let wait = retry_after.map_or(jittered, |span| jittered.max(span.as_milliseconds()));
    later(now, Span::milliseconds(wait))
}

/// A time plus a span; the end of time when that is beyond it.
pub(crate) fn later(time: Timestamp, span: Span) -> Timestamp {
    time.checked_add(SignedDuration::from_millis(span.as_milliseconds()))
        .unwrap_or(Timestamp::MAX)
}

/// A number below 2^32 that depends on nothing but what is retried.
fn fraction(run: &RunId, path: &Path, attempt: u32) -> u32 {
    let digest = Sha256::digest(format!("{run} {path} {attempt}"));
    digest
        .iter()
        .take(4)
        .fold(0, |number, byte| (number << 8) | u32::from(*byte))
}
