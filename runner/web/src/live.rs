//! Following a run: stored events first, then each new one as soon as it is durable.
//!
//! Owns the fan-out. The feed carries only the ids of runs that changed; events are always read
//! back from where they are stored, so a slow follower loses nothing and sees nothing that is not
//! durable, and resuming is the same as starting.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream;
use state::event::{Recorded, Seq};
use state::ids::RunId;
use tokio::sync::broadcast;

use crate::operations::{Answer, RunStream};
use crate::timeline::Timeline;
use crate::view::RunChange;

#[cfg(test)]
mod tests;

/// Changes a follower may lie behind before it reads from the store without being told.
pub const FEED_CAPACITY: usize = 4_096;

/// Tells followers which runs changed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Feed {
    sender: broadcast::Sender<RunId>,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(FEED_CAPACITY),
        }
    }
}

impl Feed {
    /// Says that events of a run are durable. Never waits; without followers it does nothing.
    pub fn changed(&self, run: &RunId) {
        if self.sender.receiver_count() > 0 {
            // Only fails when the last follower left meanwhile: then nobody needs to know.
            drop(self.sender.send(run.clone()));
        }
    }
}

/// Where the events of a run are read.
#[async_trait]
pub trait EventSource: Send + Sync + 'static {
    /// Events of a run from a position on, oldest first; empty when there are none yet.
    async fn events_from(&self, run: &RunId, from: Seq) -> Answer<Vec<Recorded>>;
}

struct Follower {
    receiver: broadcast::Receiver<RunId>,
    source: Arc<dyn EventSource>,
    run: RunId,
    timeline: Timeline,
    /// Events up to and including this one are folded and not shown.
    after: Option<Seq>,
    next: Seq,
    ready: VecDeque<RunChange>,
    over: bool,
}

/// Follows a run after event `after` (none: from its start) until it is over. The caller has
/// checked that the run may be seen.
pub fn follow(
    feed: &Feed,
    source: Arc<dyn EventSource>,
    run: RunId,
    timeline: Timeline,
    after: Option<Seq>,
) -> RunStream {
    let follower = Follower {
        // Before the first read: what is stored between the two is then told, not missed.
        receiver: feed.sender.subscribe(),
        source,
        run,
        timeline,
        after,
        next: 0,
        ready: VecDeque::new(),
        over: false,
    };
    Box::pin(stream::try_unfold(follower, |mut follower| async move {
        Ok(follower.next().await?.map(|change| (change, follower)))
    }))
}

impl Follower {
    async fn next(&mut self) -> Answer<Option<RunChange>> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(Some(change));
            }
            if self.over {
                return Ok(None);
            }
            if self.next > 0 && !self.told().await {
                return Ok(None);
            }
            self.read().await?;
            if self.next == 0 && !self.told().await {
                return Ok(None);
            }
        }
    }

    /// Waits until the run may have changed; false when nothing will ever be told again.
    async fn told(&mut self) -> bool {
        loop {
            match self.receiver.recv().await {
                Ok(run) if run == self.run => return true,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return true,
                Err(broadcast::error::RecvError::Closed) => return false,
            }
        }
    }

    async fn read(&mut self) -> Answer<()> {
        for event in self.source.events_from(&self.run, self.next).await? {
            self.next = event.seq + 1;
            let step = self.timeline.apply(&event);
            let status = self.timeline.status();
            self.over = status.is_over();
            if self.after.is_none_or(|after| event.seq > after) {
                self.ready.push_back(RunChange {
                    run: self.run.clone(),
                    seq: event.seq,
                    at: event.at,
                    status,
                    step,
                    event,
                });
            }
        }
        Ok(())
    }
}
