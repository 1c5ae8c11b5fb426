//! What a decision may look at besides the plan and the run.
//!
//! Owns nothing but the shape: the host fills it in freshly for every decision, so that a
//! guardrail changed a moment ago holds for the next effect.

use std::fmt;

use jiff::Timestamp;
use playbooks::action_spec::Catalog;
use playbooks::operator::{Entity, Operator};

/// The world at the moment of one decision, as plain facts.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The host's clock. Every event of the decision carries it.
    pub now: Timestamp,
    /// Since when `now` has advanced as time did, by a clock that cannot be set: at the earliest
    /// since the host began. What a far end says about a lost attempt is judged by it.
    pub even_since: Timestamp,
    /// What the operator configured.
    pub operator: &'a Operator,
    /// The entity of the run.
    pub entity: &'a Entity,
    /// The actions that exist.
    pub catalog: &'a dyn Catalog,
    /// Blocks begun in the hour before `now`, those still under way included.
    pub blocks_last_hour: BlockCounts,
}

/// Blocks begun in one hour: what the hourly budgets count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockCounts {
    /// For the entity of the run.
    pub entity: u64,
    /// For all entities, this one included.
    pub all: u64,
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("now", &self.now)
            .field("entity", &self.entity.id)
            .field("blocks_last_hour", &self.blocks_last_hour)
            .finish_non_exhaustive()
    }
}
