//! Rotation: so much at once, and entities one after the other.
//!
//! Owns the order in which those who wait go on: within one entity in order of arrival, between
//! entities in rotation, so that whoever floods stands in front of itself only. No entity has all
//! turns, or the others would wait for as long as what it does takes. Knows nothing of what is done
//! with a turn.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

#[cfg(test)]
mod tests;

/// The part of the turns that are kept for others: an entity has at most all but one in so many.
const KEPT_FOR_OTHERS: usize = 4;

/// Gives out turns. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug)]
struct Queue {
    /// Turns that nobody has.
    free: usize,
    /// Turns that one entity may have.
    each: usize,
    held: HashMap<Box<str>, usize>,
    waiting: HashMap<Box<str>, VecDeque<oneshot::Sender<Turn>>>,
    /// Entities that wait, each once, the next one first.
    order: VecDeque<Box<str>>,
}

/// A turn. It is over when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    /// Whose it is, and where it goes back to; none when it was taken back.
    back: Option<(Rotation, Box<str>)>,
}

impl Rotation {
    /// So many at once, at least one.
    pub(super) fn new(at_once: usize) -> Self {
        let at_once = at_once.max(1);
        Self {
            queue: Arc::new(Mutex::new(Queue {
                free: at_once,
                each: at_once - at_once / KEPT_FOR_OTHERS,
                held: HashMap::new(),
                waiting: HashMap::new(),
                order: VecDeque::new(),
            })),
        }
    }

    /// Waits for a turn of this entity. Whoever stops waiting loses no turn of others.
    pub(super) async fn of(&self, entity: &str) -> Turn {
        loop {
            let turn = {
                let mut queue = self.queue();
                if queue.take(entity) {
                    return self.turn(entity.into());
                }
                queue.join(entity)
            };
            // A sender is only given up with the queue, and the queue lives as long as this.
            if let Ok(turn) = turn.await {
                return turn;
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, entity: Box<str>) -> Turn {
        Turn {
            back: Some((self.clone(), entity)),
        }
    }

    fn give_back(&self, mut entity: Box<str>) {
        loop {
            let next = {
                let mut queue = self.queue();
                queue.release(&entity);
                queue.next()
            };
            let Some((next, sender)) = next else {
                return;
            };
            let Err(mut turn) = sender.send(self.turn(next)) else {
                return;
            };
            // It does not wait any more; the one after it does.
            match turn.back.take() {
                Some((_, untaken)) => entity = untaken,
                None => return,
            }
        }
    }
}

impl Queue {
    fn may_have_one(&self, entity: &str) -> bool {
        self.free > 0 && self.held.get(entity).copied().unwrap_or(0) < self.each
    }

    fn take(&mut self, entity: &str) -> bool {
        let may = self.may_have_one(entity);
        if may {
            self.free = self.free.saturating_sub(1);
            *self.held.entry(entity.into()).or_default() += 1;
        }
        may
    }

    fn release(&mut self, entity: &str) {
        self.free = self.free.saturating_add(1);
        if let Some(held) = self.held.get_mut(entity) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.held.remove(entity);
            }
        }
    }

    fn join(&mut self, entity: &str) -> oneshot::Receiver<Turn> {
        let (sender, turn) = oneshot::channel();
        let lane = self.waiting.entry(entity.into()).or_default();
        if lane.is_empty() {
            self.order.push_back(entity.into());
        }
        lane.push_back(sender);
        turn
    }

    /// Takes a turn for the first in the rotation that may have one. An entity with as many as it
    /// may have keeps its place there.
    fn next(&mut self) -> Option<(Box<str>, oneshot::Sender<Turn>)> {
        loop {
            let place = self.order.iter().position(|entity| self.may_have_one(entity))?;
            let entity = self.order.remove(place)?;
            let lane = self.waiting.get_mut(&entity)?;
            // Those that went away do not use up the turn of their entity.
            let next = std::iter::from_fn(|| lane.pop_front()).find(|next| !next.is_closed());
            if lane.is_empty() {
                self.waiting.remove(&entity);
            } else {
                self.order.push_back(entity.clone());
            }
            if let Some(next) = next {
                self.take(&entity);
                return Some((entity, next));
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((turns, entity)) = self.back.take() {
            turns.give_back(entity);
        }
    }
}
