//! The capabilities a playbook may name: one contract each, whoever fulfils it.
//!
//! Owns the list and its completeness. Each family writes its own contracts beside its code with
//! the builder of [`contract`]; how a capability is done belongs to the providers.

use std::sync::Arc;

use indexmap::IndexMap;
use playbooks::action_spec::ActionSpec;

use crate::action::Action;

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
        .chain([http_request::spec()])
        .chain(crate::notify::specs::specs())
        .chain(crate::block::specs::specs())
        .chain(crate::ticket::specs::specs())
        .chain([crate::incident_update::spec()])
        .map(|spec| (spec.name.clone(), Arc::new(spec)))
        .collect()
}

/// The providers of this crate that take nothing to build, beside those of `enrich.*` and
/// `http.request`.
pub fn house_and_rest_actions() -> Vec<Arc<dyn Action>> {
    vec![
        Arc::new(crate::extract::mail::ExtractMail::new()),
        Arc::new(crate::extract::ExtractObservables::new()),
    ]
}
