//! Queries of the store in memory: plain scans, so that they are easy to believe.

use jiff::Timestamp;

use super::Held;
use crate::access::{Reach, Scope};
use crate::fold;
use crate::ids::{EntityId, IncidentId};
use crate::paging;
use crate::store::{
    AuditFilter, AuditRecord, IncidentFilter, IncidentSummary, InquiryFilter, Measure, Page, PageRequest,
    RunFilter, RunSummary, StoreError, StoreFigures, StoredInquiry,
};

impl Held {
    pub(super) fn undecided(&self) -> Vec<IncidentId> {
        let mut open: Vec<(u64, IncidentId)> = self
            .incidents
            .iter()
            .filter(|(_, kept)| kept.matches.is_none())
            .map(|(id, kept)| (kept.number, id.clone()))
            .collect();
        open.sort();
        open.into_iter().map(|(_, id)| id).collect()
    }

    pub(super) fn measures_in_force(&self, entity: &EntityId, at: Timestamp) -> Vec<Measure> {
        let mut found: Vec<Measure> = self
            .measures
            .values()
            .filter(|kept| {
                !kept.lifted && kept.measure.entity == *entity && fold::in_force(&kept.measure, at)
            })
            .map(|kept| kept.measure.clone())
            .collect();
        found.sort_by(|a, b| (&a.target, &a.key).cmp(&(&b.target, &b.key)));
        found
    }

    pub(super) fn measures_due(&self, at: Timestamp, limit: usize) -> Vec<Measure> {
        let mut found: Vec<Measure> = self
            .measures
            .values()
            .filter(|kept| !kept.lifted && kept.measure.until <= at && kept.measure.inverse.is_some())
            .map(|kept| kept.measure.clone())
            .collect();
        found.sort_by(|a, b| (a.until, &a.key).cmp(&(b.until, &b.key)));
        found.truncate(limit);
        found
    }

    pub(super) fn blocks_since(&self, entity: &EntityId, since: Timestamp) -> (u64, u64) {
        let mut counts = (0, 0);
        let counts_here = |kept: &&super::KeptMeasure| kept.measure.is_block() && kept.measure.since >= since;
        for kept in self.measures.values().filter(counts_here) {
            counts.1 += 1;
            if kept.measure.entity == *entity {
                counts.0 += 1;
            }
        }
        counts
    }

    pub(super) fn figures(&self) -> StoreFigures {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        StoreFigures {
            records: number(self.audit.len()),
            file_bytes: self.files.values().map(|bytes| number(bytes.len())).sum(),
            incidents: number(self.incidents.len()),
            open_runs: number(
                self.runs
                    .values()
                    .filter(|kept| !kept.summary.row.status.is_over())
                    .count(),
            ),
            ..StoreFigures::default()
        }
    }

    pub(super) fn incidents_page(
        &self,
        scope: &Scope,
        filter: &IncidentFilter,
        page: &PageRequest,
    ) -> Result<Page<IncidentSummary>, StoreError> {
        paging::may_see(scope, "incidents")?;
        let before = paging::cursor(page)?;
        let mut rows: Vec<(u64, IncidentSummary)> = self
            .incidents
            .iter()
            .filter(|(_, kept)| before.is_none_or(|before| kept.number < before))
            .map(|(id, kept)| (kept.number, kept.summary(id)))
            .filter(|(_, row)| paging::incident_fits(scope, filter, row))
            .collect();
        rows.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        Ok(paging::newest_first(rows, paging::limit(page), None))
    }

    pub(super) fn runs_page(
        &self,
        scope: &Scope,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<RunSummary>, StoreError> {
        paging::may_see(scope, "runs")?;
        let before = paging::cursor(page)?;
        let mut rows: Vec<(u64, RunSummary)> = self
            .runs
            .values()
            .filter(|kept| before.is_none_or(|before| kept.number < before))
            .filter(|kept| paging::run_fits(scope, filter, &kept.summary))
            .filter(|kept| {
                filter
                    .incident
                    .as_ref()
                    .is_none_or(|incident| kept.incidents.contains(incident))
            })
            .map(|kept| (kept.number, kept.summary.clone()))
            .collect();
        rows.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        Ok(paging::newest_first(rows, paging::limit(page), None))
    }

    pub(super) fn inquiries_page(
        &self,
        scope: &Scope,
        filter: &InquiryFilter,
        page: &PageRequest,
    ) -> Result<Page<StoredInquiry>, StoreError> {
        paging::may_see(scope, "inquiries")?;
        let before = paging::cursor(page)?.unwrap_or(u64::MAX);
        let rows: Vec<(u64, StoredInquiry)> = self
            .inquiries
            .range(..before)
            .rev()
            .filter(|(_, kept)| paging::inquiry_fits(scope, filter, kept))
            .map(|(number, kept)| (*number, kept.clone()))
            .collect();
        Ok(paging::newest_first(rows, paging::limit(page), None))
    }

    pub(super) fn audit_page(
        &self,
        scope: &Scope,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditRecord>, StoreError> {
        paging::may_audit(scope)?;
        let from = paging::cursor(page)?.unwrap_or(0);
        let visible = |entry: &AuditRecord| match &entry.entity {
            Some(entity) => scope.covers(entity),
            None => matches!(scope.reach(), Reach::All),
        };
        let limit = paging::limit(page);
        let mut found = self
            .audit
            .iter()
            .filter(|entry| entry.index >= from && visible(entry))
            .filter(|entry| crate::audit::fits(filter, entry));
        let rows: Vec<AuditRecord> = found.by_ref().take(limit).cloned().collect();
        let next = found.next().map(|entry| entry.index.to_string());
        Ok(Page { rows, next })
    }
}
