//! Times that runs wait for. The fact is in the store; this is only its alarm clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use state::ids::RunId;
use tokio::sync::Notify;

use super::{Dispatcher, Message};

/// The longest the alarm sleeps before it looks at the clock again: a clock that jumps is noticed
/// within this.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(30);
/// Runs woken in one go, so that a long outage does not end in a stampede.
const WAKE_BATCH: usize = 1_000;

/// A heap of (time, run). An entry may be stale: the woken run decides by its own state, and a
/// wake-up with nothing due changes nothing.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: Mutex<BinaryHeap<Reverse<(Timestamp, RunId)>>>,
    changed: Notify,
}

impl Timers {
    pub(super) fn set(&self, at: Timestamp, run: RunId) {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = heap.peek().is_none_or(|Reverse((first, _))| at < *first);
        heap.push(Reverse((at, run)));
        drop(heap);
        if earliest {
            self.changed.notify_one();
        }
    }

    fn next(&self) -> Option<Timestamp> {
        let heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        heap.peek().map(|Reverse((at, _))| *at)
    }

    fn due(&self, now: Timestamp) -> Vec<RunId> {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while due.len() < WAKE_BATCH && heap.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            due.extend(heap.pop().map(|Reverse((_, run))| run));
        }
        due
    }
}

impl Dispatcher {
    pub(super) fn spawn_timers(&self) {
        let dispatcher = self.clone();
        tokio::spawn(async move {
            loop {
                // A clock that is set is noticed also when nothing is decided meanwhile.
                dispatcher.even_since();
                let now = dispatcher.now();
                for run in dispatcher.inner.timers.due(now) {
                    dispatcher.tell(&run, Message::Wake);
                }
                let sleep = match dispatcher.inner.timers.next() {
                    Some(at) => crate::clock::until(now, at).min(LOOK_AGAIN),
                    None => LOOK_AGAIN,
                };
                tokio::select! {
                    () = dispatcher.inner.draining.cancelled() => return,
                    () = dispatcher.inner.timers.changed.notified() => {}
                    () = tokio::time::sleep(sleep) => {}
                }
            }
        });
    }
}
