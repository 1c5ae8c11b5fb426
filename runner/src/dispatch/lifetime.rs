//! The beginning and the end of a dispatcher: taking up what was open, coming to rest, and ending
//! when nothing can be acknowledged any more.

use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use state::event::RunStatus;
use state::ids::RunId;
use state::store::StoreError;

use super::{Dispatcher, Message};

/// How long a drain waits for effects that were already sent.
pub const DRAIN_SECONDS_MAX: u64 = 25;
/// How often the store is asked whether it still acknowledges.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Late runs that go on at once after an outage.
const LATE_AT_ONCE: usize = 50;
/// The time that each further late run adds to the window over which they are spread.
const LATE_EACH: Duration = Duration::from_millis(10);
/// The longest such window.
const LATE_WINDOW_MAX: Duration = Duration::from_mins(5);

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

/// How long it takes until all runs have gone on whose time passed while no process ran: not all at
/// once, or the services behind them would see an outage end as an attack.
fn late_window(late: usize) -> Duration {
    let window = LATE_EACH.saturating_mul(u32::try_from(late).unwrap_or(u32::MAX));
    if late <= LATE_AT_ONCE {
        Duration::ZERO
    } else {
        window.min(LATE_WINDOW_MAX)
    }
}

/// A time within a window from now that depends on nothing but the run: never before its own.
fn spread(run: &RunId, now: Timestamp, window: Duration) -> Timestamp {
    let mut hash = std::hash::DefaultHasher::new();
    run.as_str().hash(&mut hash);
    let part = (u128::from(hash.finish()) * window.as_millis()) >> 64;
    let wait = SignedDuration::from_millis(i64::try_from(part).unwrap_or(0));
    now.checked_add(wait).unwrap_or(now)
}

impl Dispatcher {
    /// Learns who takes turns. Belongs before the first start, also where nothing that is open goes
    /// on: a start that does not know of the runs before it would not wait for them.
    pub async fn take_stock(&self) -> Result<(), StoreError> {
        for (run, row) in self.inner.store.open_runs().await? {
            match (&row.turns, row.status) {
                (Some(turns), RunStatus::Queued) => self.inner.turns.wait(turns, &run),
                (Some(turns), _) => self.inner.turns.work(turns, &run),
                (None, _) => {}
            }
        }
        Ok(())
    }

    /// Goes on with everything that was open when the last process ended, once stock was taken.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        let mut found = Recovered::default();
        let open = self.inner.store.open_runs().await?;
        let now = self.now();
        let is_late = |at: Option<Timestamp>| at.is_some_and(|at| at < now);
        let late = open.iter().filter(|(_, row)| is_late(row.wake_at)).count();
        let window = late_window(late);
        for (run, row) in open {
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
                    let at = if at < now { spread(&run, now, window) } else { at };
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
            self.decide_later(incident, None);
        }
        self.spawn_expiry();
        self.spawn_schedule();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_runs_are_spread_over_a_window_and_a_few_are_not() {
        assert_eq!(late_window(0), Duration::ZERO);
        assert_eq!(late_window(LATE_AT_ONCE), Duration::ZERO);
        assert_eq!(late_window(LATE_AT_ONCE + 1), LATE_EACH * 51);
        assert_eq!(late_window(usize::MAX), LATE_WINDOW_MAX);
        let now = Timestamp::UNIX_EPOCH;
        let window = Duration::from_mins(1);
        let mut halves = [0_usize; 2];
        for number in 0..1_000 {
            let run = RunId::from_parts(1, number);
            let at = spread(&run, now, window);
            assert_eq!(at, spread(&run, now, window), "the same run, the same time");
            let after = at.duration_since(now).as_millis();
            assert!((0..60_000).contains(&after), "{after}");
            halves[usize::from(after >= 30_000)] += 1;
        }
        assert!(halves.iter().all(|half| *half > 400), "{halves:?}");
        assert_eq!(spread(&RunId::from_parts(1, 1), now, Duration::ZERO), now);
    }
}
