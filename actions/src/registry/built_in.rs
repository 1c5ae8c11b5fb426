//! The actions that are built.
//!
//! Owns the list. What is not in it does not exist, whatever the catalogue says.

use std::sync::Arc;

use crate::action::Action;
use crate::ask::People;
use crate::block::list::PullList;
use crate::block::opnsense;
use crate::extract::ExtractObservables;
use crate::extract::mail::ExtractMail;
use crate::incident_update::IncidentUpdate;
use crate::notify::mail::{NotifyEntity, NotifyReporter};
use crate::notify::mattermost::Mattermost;
use crate::notify::team_mail::TeamMail;
use crate::ticket::{thehive, zammad};
use crate::{enrich, http_request};

/// What the pull list can hold and let go.
const PULL_LIST: [&str; 6] = [
    "block.ip",
    "block.domain",
    "block.url",
    "unblock.ip",
    "unblock.domain",
    "unblock.url",
];

/// Every provider of every capability.
pub(super) fn actions() -> Vec<Arc<dyn Action>> {
    let mut all: Vec<Arc<dyn Action>> = vec![
        Arc::new(ExtractMail::new()),
        Arc::new(ExtractObservables::new()),
        Arc::new(IncidentUpdate::new()),
        Arc::new(People::new()),
        Arc::new(NotifyEntity::new()),
        Arc::new(NotifyReporter::new()),
        Arc::new(Mattermost::new()),
        Arc::new(TeamMail::new()),
        Arc::new(thehive::OpenAlert::new()),
        Arc::new(thehive::CommentAlert::new()),
        Arc::new(zammad::OpenTicket::new()),
        Arc::new(zammad::AddNote::new()),
    ];
    for capability in PULL_LIST {
        all.push(Arc::new(PullList::new(capability)));
    }
    for firewall in opnsense::block_and_unblock() {
        all.push(Arc::new(firewall));
    }
    all.extend(enrich::actions());
    all.extend(http_request::actions());
    all.extend(crate::catalogue::tenant_actions());
    all
}
