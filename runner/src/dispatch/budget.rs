//! Blocks of the last hour, counted so that two runs that decide at the same moment cannot both
//! take the last one.
//!
//! Owns the lock under which a decision that may block is made. A block counts from the moment it
//! is decided, so the lock is let go before the commit and no run waits for the disk of another.
//! The store is the truth; it is asked once for each entity, then the count is kept along.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::BlockCounts;
use jiff::Timestamp;
use playbooks::duration::Span;
use state::event::{Event, Intended};
use state::ids::{EffectKey, EntityId};
use state::store::{Store, StoreError};

const WINDOW: Span = Span::hours(1);

/// Recent blocks of all entities, oldest first.
#[derive(Debug, Default)]
pub(super) struct Budget {
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    blocks: VecDeque<Block>,
    /// The keys of `blocks`, so that a run that is taken up again is not counted again.
    keys: BTreeSet<EffectKey>,
    seeded: BTreeSet<EntityId>,
    seeded_all: bool,
}

#[derive(Debug)]
struct Block {
    at: Timestamp,
    /// None: of an entity nobody asked about yet.
    entity: Option<EntityId>,
    /// None: made before this process started.
    key: Option<EffectKey>,
}

/// The right to decide about blocks, alone. It cannot be held over a wait.
pub(super) struct Turn<'a> {
    recent: MutexGuard<'a, Recent>,
    entity: &'a EntityId,
    now: Timestamp,
}

impl Budget {
    /// Learns what the store knows of an entity, once, and what a run has under way. To be called
    /// for every run that may block, before its first turn.
    pub(super) async fn learn(
        &self,
        store: &dyn Store,
        entity: &EntityId,
        under_way: impl Iterator<Item = &Intended>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if !self.recent().seeded.contains(entity) {
            let (of_entity, of_all) = store.blocks_since(entity, hour_before(now)).await?;
            self.recent().seed(entity, of_entity, of_all, now);
        }
        let mut recent = self.recent();
        for intended in under_way.filter(|intended| is_block(&intended.action)) {
            recent.add(entity, &intended.key, now);
        }
        Ok(())
    }

    /// The turn of a run of this entity.
    pub(super) fn turn<'a>(&'a self, entity: &'a EntityId, now: Timestamp) -> Turn<'a> {
        let mut recent = self.recent();
        recent.forget_before(hour_before(now));
        Turn { recent, entity, now }
    }

    /// Forgets blocks that were counted and whose decision was not stored.
    pub(super) fn take_back(&self, keys: &[EffectKey]) {
        if !keys.is_empty() {
            let mut recent = self.recent();
            recent.keys.retain(|key| !keys.contains(key));
            recent
                .blocks
                .retain(|block| block.key.as_ref().is_none_or(|key| !keys.contains(key)));
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    /// Blocks made before this process started: spread evenly would be a guess, so they count for
    /// the whole hour to come. That errs on the side of asking too early.
    fn seed(&mut self, entity: &EntityId, of_entity: u64, of_all: u64, now: Timestamp) {
        if !self.seeded.insert(entity.clone()) {
            return;
        }
        let foreign = if self.seeded_all {
            0
        } else {
            of_all.saturating_sub(of_entity)
        };
        self.seeded_all = true;
        let own = (0..of_entity).map(|_| Some(entity.clone()));
        self.blocks
            .extend(own.chain((0..foreign).map(|_| None)).map(|entity| Block {
                at: now,
                entity,
                key: None,
            }));
    }

    /// Whether it was not counted before.
    fn add(&mut self, entity: &EntityId, key: &EffectKey, now: Timestamp) -> bool {
        let new = self.keys.insert(key.clone());
        if new {
            self.blocks.push_back(Block {
                at: now,
                entity: Some(entity.clone()),
                key: Some(key.clone()),
            });
        }
        new
    }

    fn forget_before(&mut self, since: Timestamp) {
        while self.blocks.front().is_some_and(|block| block.at < since) {
            if let Some(key) = self.blocks.pop_front().and_then(|block| block.key) {
                self.keys.remove(&key);
            }
        }
    }
}

impl Turn<'_> {
    /// Blocks of this entity and of all in the last hour.
    pub(super) fn counts(&self) -> BlockCounts {
        let of_entity = |block: &&Block| block.entity.as_ref() == Some(self.entity);
        let own = self.recent.blocks.iter().filter(of_entity).count();
        BlockCounts {
            entity: own as u64,
            all: self.recent.blocks.len() as u64,
        }
    }

    /// Counts the blocks that were just decided, and gives the keys of those that are new.
    pub(super) fn count(&mut self, events: &[Event]) -> Vec<EffectKey> {
        let mut counted = Vec::new();
        for event in events {
            if let Event::Intended(intended) = event
                && is_block(&intended.action)
                && self.recent.add(self.entity, &intended.key, self.now)
            {
                counted.push(intended.key.clone());
            }
        }
        counted
    }
}

/// Whether an action counts against the hourly budgets of blocks.
pub(super) fn is_block(action: &str) -> bool {
    action.starts_with("block.")
}

fn hour_before(now: Timestamp) -> Timestamp {
    let window = jiff::SignedDuration::from_millis(WINDOW.as_milliseconds());
    now.checked_sub(window).unwrap_or(now)
}
