//! What goes wrong in one simulation, drawn from its seed.
//!
//! Owns the kinds of faults and the counting of those that really came. Swarm: every seed switches
//! some kinds on and leaves the others off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::random::Random;

/// A kind of fault, or of people's doing that a fault may meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The process dies at one of its writes or effects.
    Crash,
    /// It dies again, in or after its recovery.
    CrashAgain,
    /// What was written and not synced is gone after a crash.
    LostUnsynced,
    /// A part of what was written and not synced is left after a crash.
    TornBatch,
    /// The disk is full for a while.
    DiskFull,
    /// A sync fails: the store stops, the process ends.
    SyncFails,
    /// A sync takes seconds.
    SlowSync,
    /// The far end does it, and its answer is lost.
    AnswerLost,
    /// The far end does nothing, and nothing comes back until the time is over.
    NoAnswer,
    /// What was on its way when the host stopped listening is done all the same, a little later.
    LateEffect,
    /// The far end does it or not, and says 500.
    ServerError,
    /// The far end says 429 for a while, with a time to wait.
    Throttled,
    /// The far end cannot be reached.
    Unreachable,
    /// The far end says no.
    Rejected,
    /// The far end cannot tell whether it happened.
    CannotTell,
    /// The clock of the machine jumps forward.
    ClockForward,
    /// The clock of the machine jumps back.
    ClockBack,
    /// Two people decide at the same moment, or too late, or about something else.
    ApprovalRace,
    /// Nobody replies in time.
    Silence,
    /// A sender repeats what was acknowledged.
    SenderRepeats,
    /// A run is cancelled.
    Cancel,
    /// A failed run is tried again.
    Retry,
    /// Effects are taken back.
    Undo,
    /// The process is asked to come to rest and is started again.
    Drain,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 24] = [
        Self::Crash,
        Self::CrashAgain,
        Self::LostUnsynced,
        Self::TornBatch,
        Self::DiskFull,
        Self::SyncFails,
        Self::SlowSync,
        Self::AnswerLost,
        Self::NoAnswer,
        Self::LateEffect,
        Self::ServerError,
        Self::Throttled,
        Self::Unreachable,
        Self::Rejected,
        Self::CannotTell,
        Self::ClockForward,
        Self::ClockBack,
        Self::ApprovalRace,
        Self::Silence,
        Self::SenderRepeats,
        Self::Cancel,
        Self::Retry,
        Self::Undo,
        Self::Drain,
    ];

    /// In words, for figures.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::CrashAgain => "crash again",
            Self::LostUnsynced => "unsynced writes lost",
            Self::TornBatch => "torn batch",
            Self::DiskFull => "disk full",
            Self::SyncFails => "sync fails",
            Self::SlowSync => "slow sync",
            Self::AnswerLost => "answer lost after the effect",
            Self::NoAnswer => "no answer, no effect",
            Self::LateEffect => "effect after the host stopped listening",
            Self::ServerError => "server error",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::Rejected => "rejected",
            Self::CannotTell => "probe cannot tell",
            Self::ClockForward => "clock jumps forward",
            Self::ClockBack => "clock jumps back",
            Self::ApprovalRace => "approval race",
            Self::Silence => "nobody replies",
            Self::SenderRepeats => "sender repeats",
            Self::Cancel => "run cancelled",
            Self::Retry => "run retried",
            Self::Undo => "effects taken back",
            Self::Drain => "drain and restart",
        }
    }
}

/// Which kinds are on.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    on: BTreeSet<Kind>,
}

impl Weather {
    /// Nothing goes wrong.
    pub fn calm() -> Self {
        Self::default()
    }

    /// A random subset of everything; one seed in ten has everything.
    pub fn draw(seed: u64) -> Self {
        let mut random = Random::of(seed, "weather");
        let share = match random.below(10) {
            0 => 100,
            1 => 0,
            other => other * 9,
        };
        Self {
            on: Kind::ALL.into_iter().filter(|_| random.percent(share)).collect(),
        }
    }

    /// Whether a kind is on.
    pub fn has(&self, kind: Kind) -> bool {
        self.on.contains(&kind)
    }

    /// Whether nothing goes wrong.
    pub fn is_calm(&self) -> bool {
        self.on.is_empty()
    }

    /// Whether everything may go wrong.
    pub fn is_full(&self) -> bool {
        self.on.len() == Kind::ALL.len()
    }
}

/// How often what happened. A rig in which nothing happened has proved nothing.
#[derive(Debug, Default)]
pub struct Counters(Mutex<BTreeMap<&'static str, u64>>);

impl Counters {
    /// Once more.
    pub fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    /// So many more.
    pub fn add(&self, what: &'static str, more: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(what).or_default() += more;
    }

    /// Takes over the figures of another.
    pub fn merge(&self, other: &Self) {
        for (what, more) in other.all() {
            self.add(what, more);
        }
    }

    /// How often.
    pub fn of(&self, what: &str) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(what).copied().unwrap_or(0)
    }

    /// All of them, by name.
    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
