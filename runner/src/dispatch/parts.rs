//! What a dispatcher is made of.

use std::sync::Arc;

use actions::action::Files;
use actions::clock::Clock;
use actions::registry::Registry;
use playbooks::operator::Operator;
use state::store::Store;

use crate::config::Limits;
use crate::library::Library;

/// Everything the dispatcher needs.
pub struct Parts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The playbooks.
    pub library: Arc<Library>,
    /// The actions with their connections.
    pub registry: Arc<Registry>,
    /// Files held by hash, for actions.
    pub files: Arc<dyn Files>,
    /// The operator's side.
    pub operator: Arc<Operator>,
    /// How much at once.
    pub limits: Limits,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("library", &self.library)
            .finish_non_exhaustive()
    }
}
