//! Pages and scopes: what every store checks before it answers a person.
//!
//! Owns the form of cursors and which permission opens which query.

use crate::access::{Permission, Scope};
use crate::event::RunStatus;
use crate::store::{
    IncidentFilter, IncidentSummary, InquiryFilter, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, Page, PageRequest,
    RunFilter, RunSummary, StoreError, StoredInquiry,
};

/// Rows to return.
pub(crate) fn limit(page: &PageRequest) -> usize {
    match page.limit {
        0 => PAGE_ROWS_DEFAULT,
        some => some.min(PAGE_ROWS_MAX),
    }
}

/// The number a cursor stands for: of the last row for lists newest first, of the next row for
/// lists oldest first.
pub(crate) fn cursor(page: &PageRequest) -> Result<Option<u64>, StoreError> {
    let Some(text) = &page.after else {
        return Ok(None);
    };
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(Some(number)),
        _ => Err(StoreError::BadCursor {
            found: text.chars().take(64).collect(),
        }),
    }
}

/// The page of these numbered rows, of which there may be one more than asked for. `stopped` is
/// the number of the last row that was looked at when there may be more behind it.
pub(crate) fn newest_first<T>(mut rows: Vec<(u64, T)>, limit: usize, stopped: Option<u64>) -> Page<T> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more).map(|(number, _)| *number);
    let next = last.or(stopped).map(|number| number.to_string());
    Page {
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        next,
    }
}

/// Refuses a scope that does not allow reading incidents and runs.
pub(crate) fn may_see(scope: &Scope, what: &'static str) -> Result<(), StoreError> {
    match scope.permission() {
        Permission::See
        | Permission::Start
        | Permission::Approve
        | Permission::Audit
        | Permission::Settle => Ok(()),
        found @ Permission::Submit => Err(StoreError::WrongScope { found, what }),
    }
}

/// Refuses a scope that does not allow reading the audit trail.
pub(crate) fn may_audit(scope: &Scope) -> Result<(), StoreError> {
    match scope.permission() {
        Permission::Audit => Ok(()),
        found => Err(StoreError::WrongScope {
            found,
            what: "the audit trail",
        }),
    }
}

/// Whether an incident passes scope and filter.
pub(crate) fn incident_fits(scope: &Scope, filter: &IncidentFilter, row: &IncidentSummary) -> bool {
    scope.covers(&row.entity)
        && filter.entity.as_ref().is_none_or(|entity| *entity == row.entity)
        && filter.kind.is_none_or(|kind| kind == row.kind)
        && filter.status.is_none_or(|status| status == row.status)
}

/// Whether an inquiry passes scope and filter.
pub(crate) fn inquiry_fits(scope: &Scope, filter: &InquiryFilter, row: &StoredInquiry) -> bool {
    scope.covers(&row.entity)
        && filter.entity.as_ref().is_none_or(|entity| *entity == row.entity)
        && filter.run.as_ref().is_none_or(|run| *run == row.run)
        && (!filter.open || row.end.is_none())
}

/// Whether a run passes scope and filter, its incidents aside.
pub(crate) fn run_fits(scope: &Scope, filter: &RunFilter, row: &RunSummary) -> bool {
    let status = |status: RunStatus| filter.status.is_empty() || filter.status.contains(&status);
    scope.covers(&row.entity)
        && filter.entity.as_ref().is_none_or(|entity| *entity == row.entity)
        && filter.playbook.as_ref().is_none_or(|id| *id == row.playbook.id)
        && status(row.row.status)
}
