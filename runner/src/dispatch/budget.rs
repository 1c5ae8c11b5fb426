//! Blocks of the last hour, counted so that two runs that decide at the same moment cannot both
//! take the last one.
//!
//! Owns the lock under which a decision that may block is made and committed. The store is the
//! truth; it is asked once, then the count is kept along.

use std::collections::VecDeque;

use engine::BlockCounts;
use jiff::Timestamp;
use playbooks::duration::Span;
use state::event::Event;
use state::ids::EntityId;
use state::store::{Store, StoreError};
use tokio::sync::{Mutex, MutexGuard};

const WINDOW: Span = Span::hours(1);

/// Recent blocks of all entities, oldest first.
#[derive(Debug, Default)]
pub(super) struct Budget {
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    blocks: VecDeque<(Timestamp, Option<EntityId>)>,
    seeded: std::collections::BTreeSet<EntityId>,
    seeded_all: bool,
}

/// The right to decide about blocks, alone.
pub(super) struct Turn<'a> {
    recent: MutexGuard<'a, Recent>,
    entity: EntityId,
}

impl Budget {
    /// Waits for the turn of a run of this entity.
    pub(super) async fn turn(
        &self,
        store: &dyn Store,
        entity: &EntityId,
        now: Timestamp,
    ) -> Result<Turn<'_>, StoreError> {
        let mut recent = self.recent.lock().await;
        let since = now
            .checked_sub(jiff::SignedDuration::from_millis(WINDOW.as_milliseconds()))
            .unwrap_or(now);
        if !recent.seeded.contains(entity) {
            // Blocks made before this process started: spread evenly would be a guess, so they
            // count for the whole hour to come. That errs on the side of asking too early.
            let (of_entity, of_all) = store.blocks_since(entity, since).await?;
            let foreign = if recent.seeded_all {
                0
            } else {
                of_all.saturating_sub(of_entity)
            };
            recent
                .blocks
                .extend((0..of_entity).map(|_| (now, Some(entity.clone()))));
            recent.blocks.extend((0..foreign).map(|_| (now, None)));
            recent.seeded_all = true;
            recent.seeded.insert(entity.clone());
        }
        while recent.blocks.front().is_some_and(|(at, _)| *at < since) {
            recent.blocks.pop_front();
        }
        Ok(Turn {
            recent,
            entity: entity.clone(),
        })
    }
}

impl Turn<'_> {
    /// Blocks of this entity and of all in the last hour.
    pub(super) fn counts(&self) -> BlockCounts {
        let own = self
            .recent
            .blocks
            .iter()
            .filter(|(_, entity)| entity.as_ref() == Some(&self.entity))
            .count();
        BlockCounts {
            entity: own as u64,
            all: self.recent.blocks.len() as u64,
        }
    }

    /// Counts the blocks that were just committed.
    pub(super) fn count(&mut self, now: Timestamp, events: &[Event]) {
        let blocks = events.iter().filter(|event| begins_block(event)).count();
        let entity = self.entity.clone();
        self.recent
            .blocks
            .extend((0..blocks).map(|_| (now, Some(entity.clone()))));
    }
}

/// Whether an action counts against the hourly budgets of blocks.
pub(super) fn is_block(action: &str) -> bool {
    action.starts_with("block.")
}

/// A first attempt to block something. Further attempts are the same block.
fn begins_block(event: &Event) -> bool {
    matches!(event, Event::Intended(intended) if intended.attempt == 1 && is_block(&intended.action))
}
