//! Filters and pages as query strings, in both directions.
//!
//! Owns the names of query keys. The server reads them strictly (an unknown or repeated key is an
//! error with the list of those that exist); the client writes exactly what the server reads.

use std::str::FromStr;

use playbooks::incident::IncidentStatus;
use serde::de::DeserializeOwned;
use serde_json::Value;
use state::event::RunStatus;
use state::store::{AuditFilter, IncidentFilter, InquiryFilter, PAGE_ROWS_MAX, PageRequest, RunFilter};
use url::form_urlencoded;

use crate::error::OperationError;

#[cfg(test)]
mod tests;

/// Keys of `GET /api/v1/incidents`.
pub(crate) const INCIDENT_KEYS: &[&str] = &["entity", "type", "status", "after", "limit"];
/// Keys of `GET /api/v1/runs`.
pub(crate) const RUN_KEYS: &[&str] = &["entity", "incident", "playbook", "status", "after", "limit"];
/// Keys of `GET /api/v1/approvals`.
pub(crate) const INQUIRY_KEYS: &[&str] = &["entity", "run", "state", "after", "limit"];
/// Keys of `GET /api/v1/audit`.
pub(crate) const AUDIT_KEYS: &[&str] = &["entity", "run", "incident", "kind", "after", "limit"];
/// Keys of the intake routes.
pub(crate) const SUBMIT_KEYS: &[&str] = &["entity"];
/// Keys of `GET /api/v1/runs/{id}/events`.
pub(crate) const EVENTS_KEYS: &[&str] = &["after"];
/// Longest value of a key, in bytes.
pub(crate) const VALUE_BYTES_MAX: usize = 512;

/// A query string, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string that may hold these keys, each once.
    pub(crate) fn parse(text: Option<&str>, keys: &[&str]) -> Result<Self, OperationError> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (key, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            if !keys.contains(&key.as_ref()) {
                let known = if keys.is_empty() {
                    "this address takes none".to_owned()
                } else {
                    format!("this address takes {}", keys.join(", "))
                };
                return Err(OperationError::invalid(format!(
                    "unknown query key `{}`; {known}",
                    key.chars().take(64).collect::<String>()
                )));
            }
            if found.iter().any(|(known, _)| *known == key) {
                return Err(OperationError::invalid(format!(
                    "the query key `{key}` is given twice"
                )));
            }
            if value.len() > VALUE_BYTES_MAX {
                return Err(OperationError::invalid(format!(
                    "the value of `{key}` is {} bytes, at most {VALUE_BYTES_MAX} are read",
                    value.len()
                )));
            }
            found.push((key.into_owned(), value.into_owned()));
        }
        Ok(Self(found))
    }

    /// The text of a key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a key, parsed.
    pub(crate) fn value<T: FromStr<Err: std::fmt::Display>>(
        &self,
        key: &str,
    ) -> Result<Option<T>, OperationError> {
        self.text(key)
            .map(|text| {
                text.parse()
                    .map_err(|error| OperationError::invalid(format!("`{key}`: {error}")))
            })
            .transpose()
    }

    /// The page asked for.
    pub(crate) fn page(&self) -> Result<PageRequest, OperationError> {
        let limit = self.value::<usize>("limit")?.unwrap_or(0);
        if limit > PAGE_ROWS_MAX {
            return Err(OperationError::invalid(format!(
                "`limit` is {limit}, at most {PAGE_ROWS_MAX} rows are shown at once; follow `next`"
            )));
        }
        Ok(PageRequest {
            after: self.text("after").map(str::to_owned),
            limit,
        })
    }

    pub(crate) fn incident_filter(&self) -> Result<IncidentFilter, OperationError> {
        Ok(IncidentFilter {
            entity: self.value("entity")?,
            kind: self.value("type")?,
            status: self
                .text("status")
                .map(|text| word::<IncidentStatus>("status", text, "open, closed"))
                .transpose()?,
        })
    }

    pub(crate) fn run_filter(&self) -> Result<RunFilter, OperationError> {
        let status = self.text("status").map_or(Ok(Vec::new()), |text| {
            text.split(',')
                .map(|text| word("status", text, RUN_STATUS_WORDS))
                .collect()
        })?;
        Ok(RunFilter {
            entity: self.value("entity")?,
            incident: self.value("incident")?,
            playbook: self.text("playbook").map(str::to_owned),
            status,
        })
    }

    pub(crate) fn inquiry_filter(&self) -> Result<InquiryFilter, OperationError> {
        let open = match self.text("state") {
            None | Some("all") => false,
            Some("open") => true,
            Some(other) => {
                let found: String = other.chars().take(64).collect();
                return Err(OperationError::invalid(format!(
                    "`state`: `{found}` is none of open, all"
                )));
            }
        };
        Ok(InquiryFilter {
            entity: self.value("entity")?,
            run: self.value("run")?,
            open,
        })
    }

    pub(crate) fn audit_filter(&self) -> Result<AuditFilter, OperationError> {
        Ok(AuditFilter {
            entity: self.value("entity")?,
            run: self.value("run")?,
            incident: self.value("incident")?,
            kind: self.text("kind").map(str::to_owned),
        })
    }
}

const RUN_STATUS_WORDS: &str = "running, waiting, failing, stuck, succeeded, failed, refused, cancelled";

/// A word of a closed set, spelled as in JSON.
fn word<T: DeserializeOwned>(key: &str, text: &str, words: &str) -> Result<T, OperationError> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|_| {
        let found: String = text.chars().take(64).collect();
        OperationError::invalid(format!("`{key}`: `{found}` is none of {words}"))
    })
}

/// A query string being written.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<(&'static str, String)>);

impl Writer {
    pub(crate) fn set(mut self, key: &'static str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.0.push((key, value.to_string()));
        }
        self
    }

    pub(crate) fn page(self, page: &PageRequest) -> Self {
        let limit = (page.limit > 0).then_some(page.limit);
        self.set("after", page.after.as_ref()).set("limit", limit)
    }

    pub(crate) fn incidents(filter: &IncidentFilter, page: &PageRequest) -> Self {
        let status = filter.status.map(|status| match status {
            IncidentStatus::Open => "open",
            IncidentStatus::Closed => "closed",
        });
        Self::default()
            .set("entity", filter.entity.as_ref())
            .set("type", filter.kind)
            .set("status", status)
            .page(page)
    }

    pub(crate) fn runs(filter: &RunFilter, page: &PageRequest) -> Self {
        let words: Vec<&str> = filter.status.iter().copied().map(RunStatus::word).collect();
        Self::default()
            .set("entity", filter.entity.as_ref())
            .set("incident", filter.incident.as_ref())
            .set("playbook", filter.playbook.as_ref())
            .set("status", (!words.is_empty()).then(|| words.join(",")))
            .page(page)
    }

    pub(crate) fn inquiries(filter: &InquiryFilter, page: &PageRequest) -> Self {
        Self::default()
            .set("entity", filter.entity.as_ref())
            .set("run", filter.run.as_ref())
            .set("state", filter.open.then_some("open"))
            .page(page)
    }

    pub(crate) fn audit(filter: &AuditFilter, page: &PageRequest) -> Self {
        Self::default()
            .set("entity", filter.entity.as_ref())
            .set("run", filter.run.as_ref())
            .set("incident", filter.incident.as_ref())
            .set("kind", filter.kind.as_ref())
            .page(page)
    }

    /// The path with the query behind it.
    pub(crate) fn behind(&self, path: &str) -> String {
        if self.0.is_empty() {
            return path.to_owned();
        }
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish();
        format!("{path}?{query}")
    }
}
