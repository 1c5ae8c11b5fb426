//! Misbehaviour on request: slow, refusing, or gone before or after having done it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::exchange::Service;
use super::lock;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    /// The answer comes this much later. Adds up with others.
    Delay(Duration),
    /// Answers with a status (over SMTP: a reply code) and does nothing.
    Refuse {
        /// For example 429, 503; over SMTP 451, 550.
        status: u16,
        /// Seconds in `Retry-After`.
        retry_after: Option<u64>,
    },
    /// Closes the connection without doing it.
    DropBefore,
    /// Does it and closes the connection without an answer.
    DropAfter,
    /// Does it and answers with a status nevertheless.
    RefuseAfter {
        /// For example 502.
        status: u16,
    },
}

/// Which requests go wrong, how, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// At this service.
    pub service: Service,
    /// Only where the path holds this text; every path when empty.
    pub path: String,
    /// What goes wrong.
    pub misbehaviour: Misbehaviour,
    /// After so many requests that go well.
    pub after: u32,
    /// How often; `u32::MAX` is always.
    pub times: u32,
}

impl Fault {
    /// The next request to a service goes wrong, once.
    pub fn once(service: Service, misbehaviour: Misbehaviour) -> Self {
        Self {
            service,
            path: String::new(),
            misbehaviour,
            after: 0,
            times: 1,
        }
    }

    /// Every request to a service goes wrong.
    pub fn always(service: Service, misbehaviour: Misbehaviour) -> Self {
        Self {
            times: u32::MAX,
            ..Self::once(service, misbehaviour)
        }
    }

    /// Only where the path holds a text.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }
}

/// The faults to come. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<Fault>>>);

impl Faults {
    /// Adds a fault.
    pub fn add(&self, fault: Fault) {
        lock(&self.0).push(fault);
    }

    /// Forgets every fault.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    /// What goes wrong with a request: delays first.
    pub(super) fn take(&self, service: Service, path: &str) -> Vec<Misbehaviour> {
        let mut faults = lock(&self.0);
        if faults.is_empty() {
            return Vec::new();
        }
        let mut taken = Vec::new();
        for fault in faults.iter_mut() {
            if fault.service != service || !path.contains(&fault.path) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
            } else {
                taken.push(fault.misbehaviour);
                if fault.times != u32::MAX {
                    fault.times = fault.times.saturating_sub(1);
                }
            }
        }
        faults.retain(|fault| fault.times > 0);
        taken.sort_by_key(|misbehaviour| !matches!(misbehaviour, Misbehaviour::Delay(_)));
        taken
    }
}
