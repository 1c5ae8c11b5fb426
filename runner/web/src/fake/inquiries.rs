//! What the fake was asked.

use serde_json::json;
use state::access::{Permission, Principal, Scope};
use state::ids::InquiryId;
use state::store::{Page, PageRequest};

use super::{OURS, THEIRS, incident_of, now, run_of, seen};
use crate::error::OperationError;
use crate::operations::Answer;
use crate::view::{InquiryDetail, InquiryView};

/// The inquiry of an entity: `A-1` is ours, `A-2` theirs.
pub(crate) fn inquiry_of(entity: &str) -> InquiryId {
    InquiryId::new(if entity == OURS { 1 } else { 2 })
}

pub(super) fn page(scope: &Scope, page: PageRequest) -> Page<InquiryView> {
    let rows = [OURS, THEIRS].into_iter().map(|entity| detail(entity).inquiry);
    Page {
        rows: rows.filter(|row| scope.covers(&row.entity)).collect(),
        next: page.after,
    }
}

pub(super) fn one(caller: &Principal, permission: Permission, id: InquiryId) -> Answer<InquiryDetail> {
    let what = format!("approval `{id}`");
    let owner = [OURS, THEIRS].into_iter().find(|entity| inquiry_of(entity) == id);
    let owner = owner.ok_or_else(|| OperationError::not_found(what.clone()))?;
    seen(caller, permission, owner, &what)?;
    Ok(detail(owner))
}

fn detail(entity: &str) -> InquiryDetail {
    serde_json::from_value(json!({
        "inquiry": {
            "id": inquiry_of(entity), "kind": "approval", "state": "open", "entity": entity,
            "run": run_of(entity), "playbook": "phishing-report", "incident": incident_of(entity),
            "steps": ["block"], "ask": "Block <b>it</b>?", "because": "the playbook asks for it",
            "who": ["duty-officer"], "count": 1, "approvals": 0, "asked_at": now(), "until": now(),
            "on_timeout": "escalate", "escalated": false,
        },
        "show": [{"label": "Why", "value": "<script>alert(1)</script>"}],
        "effects": [{
            "path": {"step": "block"}, "action": "block.ip", "effect": "contain", "connections": ["lists"],
            "arguments": {"ip": "203.0.113.7", "reason": "\"><img src=x>"}, "tlp": "amber", "pap": "green",
        }],
        "digest": "ab".repeat(32),
        "replies": [],
        "you": {"may": true, "why": "duty-officer"},
    }))
    .unwrap()
}
