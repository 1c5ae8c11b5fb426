//! The capabilities a playbook may name: one contract each, whoever fulfils it.
//!
//! Owns the list and its completeness. Each family writes its own contracts beside its code with
//! the builder of the module `contract`; how a capability is done belongs to the providers.

use std::sync::Arc;

use indexmap::IndexMap;
use playbooks::action_spec::ActionSpec;

use crate::action::Action;
use crate::ask::People;
use crate::block::indicators::Indicators;
use crate::block::list::PullList;
use crate::block::opnsense;
use crate::edr::defender::{self, Order};
use crate::extract::ExtractObservables;
use crate::extract::mail::ExtractMail;
use crate::identity::entra;
use crate::incident_update::IncidentUpdate;
use crate::notify::mail::{NotifyEntity, NotifyReporter};
use crate::notify::mattermost::Mattermost;
use crate::notify::team_mail::TeamMail;
use crate::takedown::TakedownRequest;
use crate::ticket::{thehive, zammad};

pub(crate) mod contract;
mod http_request;

#[cfg(test)]
mod tests;

/// Every capability that is built, by name, in the order of the documentation.
///
/// A name that is not here does not exist for a playbook: the checker refuses it.
pub fn capabilities() -> IndexMap<String, Arc<ActionSpec>> {
    crate::extract::specs::specs()
        .into_iter()
        .chain(crate::enrich::specs::specs())
        .chain([http_request::spec()])
        .chain(crate::notify::specs::specs())
        .chain(crate::block::specs::specs())
        .chain(crate::block::specs::file_specs())
        .chain(crate::edr::specs::specs())
        .chain(crate::identity::specs::specs())
        .chain(crate::ticket::specs::specs())
        .chain([
            crate::takedown::spec(),
            crate::ask::spec(),
            crate::incident_update::spec(),
            crate::wait::spec(),
        ])
        .map(|spec| (spec.name.clone(), Arc::new(spec)))
        .collect()
}

/// The providers of this crate that take nothing to build, beside those of `enrich.*` and
/// `http.request`.
pub fn house_and_rest_actions() -> Vec<Arc<dyn Action>> {
    let pull_list = crate::block::specs::specs()
        .into_iter()
        .map(|spec| Arc::new(PullList::new(&spec.name)) as Arc<dyn Action>);
    let firewalls = opnsense::block_and_unblock()
        .into_iter()
        .map(|provider| Arc::new(provider) as Arc<dyn Action>);
    let others: [Arc<dyn Action>; 12] = [
        Arc::new(People::new()),
        Arc::new(ExtractMail::new()),
        Arc::new(ExtractObservables::new()),
        Arc::new(NotifyEntity::new()),
        Arc::new(NotifyReporter::new()),
        Arc::new(TeamMail::new()),
        Arc::new(Mattermost::new()),
        Arc::new(thehive::OpenAlert::new()),
        Arc::new(thehive::CommentAlert::new()),
        Arc::new(zammad::OpenTicket::new()),
        Arc::new(zammad::AddNote::new()),
        Arc::new(IncidentUpdate::new()),
    ];
    others
        .into_iter()
        .chain(pull_list)
        .chain(firewalls)
        .chain(tenant_actions())
        .collect()
}

/// The providers for an entity's own tenants of Microsoft, and the mail to strangers.
pub(crate) fn tenant_actions() -> Vec<Arc<dyn Action>> {
    let mut all: Vec<Arc<dyn Action>> = vec![Arc::new(TakedownRequest::new())];
    for order in Order::both() {
        all.push(Arc::new(order));
    }
    for indicators in Indicators::both() {
        all.push(Arc::new(indicators));
    }
    all.extend(defender::readers());
    all.extend(entra::actions());
    all
}
