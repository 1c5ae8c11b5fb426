//! The beginning and the end of a dispatcher: taking up what was open, coming to rest, and ending
//! when nothing can be acknowledged any more.

use std::time::Duration;

use state::event::RunStatus;
use state::store::StoreError;

use super::{Dispatcher, Message};

/// How long a drain waits for effects that were already sent.
pub const DRAIN_SECONDS_MAX: u64 = 25;
/// How often the store is asked whether it still acknowledges.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// What recovery found at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Runs that go on at once.
    pub resumed: usize,
    /// Runs that wait for a time.
    pub waiting: usize,
    /// Runs that wait for a person.
    pub stuck: usize,
    /// Acknowledged incidents whose triggers had not been decided.
    pub undecided: usize,
}

impl Dispatcher {
    /// Goes on with everything that was open when the last process ended.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        let mut found = Recovered::default();
        for (run, row) in self.inner.store.open_runs().await? {
            match (row.status, row.wake_at) {
                (RunStatus::Stuck, wake_at) => {
                    found.stuck += 1;
                    // Its time may run out while it waits for a person.
                    if let Some(at) = wake_at {
                        self.inner.timers.set(at, run);
                    }
                }
                (RunStatus::Waiting, Some(at)) => {
                    found.waiting += 1;
                    self.inner.timers.set(at, run);
                }
                _ => {
                    found.resumed += 1;
                    self.tell(&run, Message::Go);
                }
            }
        }
        for incident in self.inner.store.undecided_incidents().await? {
            found.undecided += 1;
            self.decide_later(incident);
        }
        self.spawn_expiry();
        Ok(found)
    }

    /// Waits until nothing is worked on: runs are over, wait for a time, or for a person.
    pub async fn idle(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Takes no new work from now on. Effects that were sent go on.
    pub fn take_no_more(&self) {
        self.inner.draining.cancel();
    }

    /// Takes no new work, waits for effects that were sent, at most [`DRAIN_SECONDS_MAX`].
    /// Returns whether everything came to rest; what did not is recovered at the next start.
    pub async fn drain(&self) -> bool {
        self.inner.draining.cancel();
        self.inner.tasks.close();
        let limit = Duration::from_secs(DRAIN_SECONDS_MAX);
        tokio::time::timeout(limit, self.inner.tasks.wait()).await.is_ok()
    }

    /// Notices a store that stopped while nobody wrote, or whose error went to somebody else.
    pub(super) fn spawn_watch(&self) {
        let dispatcher = self.clone();
        tokio::spawn(async move {
            loop {
                if let Some(reason) = dispatcher.inner.store.stopped() {
                    return dispatcher.break_down(&StoreError::Stopped { reason });
                }
                tokio::select! {
                    () = dispatcher.inner.draining.cancelled() => return,
                    () = dispatcher.inner.broken.cancelled() => return,
                    () = tokio::time::sleep(WATCH_EVERY) => {}
                }
            }
        });
    }

    /// The store can acknowledge nothing more: say it loudly and end.
    pub(super) fn break_down(&self, error: &StoreError) {
        tracing::error!(%error, "The store stopped. Nothing more is acknowledged; the process ends. Start it again after repairing the cause.");
        self.inner.broken.cancel();
    }
}
