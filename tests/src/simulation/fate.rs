//! When the process of a simulation dies, and what its clock says.
//!
//! Owns the moments at which it may die: before and after every write of the store, before and
//! after every effect. A process that is dead does nothing more.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actions::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The life of one process.
#[derive(Debug, Default)]
pub struct Fate {
    state: Mutex<State>,
    over: Notify,
}

#[derive(Debug, Default)]
struct State {
    moments: u64,
    dies_at: Option<u64>,
    dead: bool,
}

impl Fate {
    /// A process that dies at this moment, from 1; or of nothing.
    pub fn new(dies_at: Option<u64>) -> Self {
        let fate = Self::default();
        fate.state().dies_at = dies_at;
        fate
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A moment at which it may die. Never returns when it is dead.
    pub async fn moment(&self) {
        let lives = {
            let mut state = self.state();
            state.moments += 1;
            if state.dies_at == Some(state.moments) {
                state.dead = true;
                self.over.notify_one();
            }
            !state.dead
        };
        if !lives {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves when it is dead.
    pub async fn dead(&self) {
        self.over.notified().await;
    }

    /// Whether it is.
    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// It ends now, however it came to that.
    pub fn end(&self) {
        self.state().dead = true;
    }

    /// Moments so far.
    pub fn moments(&self) -> u64 {
        self.state().moments
    }
}

/// Time over all lives of a simulation. The wall clock jumps; the other time never goes back.
#[derive(Debug)]
pub struct Timeline {
    base: Timestamp,
    state: Mutex<Times>,
}

#[derive(Debug)]
struct Times {
    /// Of the lives that are over, and the pauses between them.
    spent: Duration,
    began: Option<Instant>,
    jumped: SignedDuration,
}

impl Timeline {
    /// Begins at noon of a day in November 2026.
    pub fn new() -> Self {
        Self {
            base: Timestamp::from_second(1_795_608_000).unwrap_or(Timestamp::UNIX_EPOCH),
            state: Mutex::new(Times {
                spent: Duration::ZERO,
                began: None,
                jumped: SignedDuration::ZERO,
            }),
        }
    }

    fn times(&self) -> std::sync::MutexGuard<'_, Times> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process begins, in the runtime that this is called in.
    pub fn begin(&self) {
        self.times().began = Some(Instant::now());
    }

    /// The process is over. To be called in its runtime, whose time ends with it.
    pub fn end(&self) {
        let mut times = self.times();
        let lived = times.began.take().map_or(Duration::ZERO, |began| began.elapsed());
        times.spent += lived;
    }

    /// Nothing runs for a while.
    pub fn pass(&self, pause: Duration) {
        self.times().spent += pause;
    }

    /// The wall clock is set.
    pub fn jump(&self, by: SignedDuration) {
        let mut times = self.times();
        times.jumped += by;
    }

    /// Time that has really passed since the beginning.
    pub fn passed(&self) -> Duration {
        let times = self.times();
        times.spent + times.began.map_or(Duration::ZERO, |began| began.elapsed())
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for Timeline {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.passed()).unwrap_or(SignedDuration::ZERO);
        let jumped = self.times().jumped;
        self.base.checked_add(passed + jumped).unwrap_or(self.base)
    }

    fn elapsed(&self) -> Duration {
        self.times().began.map_or(Duration::ZERO, |began| began.elapsed())
    }
}
