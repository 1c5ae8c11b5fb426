//! A hook that kills the process at its n-th write: before the write, or after it is durable and
//! before anybody hears of it. What `kill -9` does, at a chosen place.

use std::sync::atomic::{AtomicU64, Ordering};

use state::store::StoreError;

use crate::hooked::{Hook, Write};

/// On which side of a write the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Nothing of it is stored.
    Before,
    /// It is durable, and nobody was told.
    After,
}

/// Counts writes until its moment has come.
#[derive(Debug)]
pub struct KillAt {
    side: Side,
    left: AtomicU64,
}

impl KillAt {
    /// Kills at the `nth` write from now, from 1. Reads `before:7` or `after:7`.
    pub fn parse(text: &str) -> Option<Self> {
        let (side, nth) = text.split_once(':')?;
        let side = match side {
            "before" => Side::Before,
            "after" => Side::After,
            _ => return None,
        };
        Some(Self {
            side,
            left: AtomicU64::new(nth.parse().ok()?),
        })
    }

    /// Whether this write is the one.
    fn is_it(&self) -> bool {
        self.left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            == Ok(1)
    }
}

/// SIGKILL to ourselves: no destructor, no flush, no goodbye.
fn die() {
    let me = rustix::process::getpid();
    let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
    // The signal ends the process; until then no other instruction of this task may run.
    loop {
        std::hint::spin_loop();
    }
}

impl Hook for KillAt {
    fn before(&self, _write: &Write) -> Result<(), StoreError> {
        if self.side == Side::Before && self.is_it() {
            die();
        }
        Ok(())
    }

    fn after(&self, _write: &Write) {
        if self.side == Side::After && self.is_it() {
            die();
        }
    }
}
