//! One-time tickets: what ties a decision to what was shown, and to whom.
//!
//! Owns that a form decides once, soon, and about exactly what it showed. Another site cannot know a
//! ticket, so it cannot make a browser decide.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use state::ids::InquiryId;
use tokio::time::Instant;

/// How long a ticket is good for, in minutes.
pub(crate) const TICKET_MINUTES: u64 = 15;
/// Tickets that are held at once; the oldest gives way.
pub(crate) const TICKETS_MAX: usize = 1_000;

/// What somebody saw.
pub(crate) struct Sight {
    pub(crate) id: InquiryId,
    /// The token they signed in with; asked again at the decision.
    pub(crate) token: String,
    /// The digest of the effects that were shown.
    pub(crate) digest: Option<String>,
    at: Instant,
}

impl Sight {
    pub(crate) fn new(id: InquiryId, token: &str, digest: Option<String>) -> Self {
        Self {
            id,
            token: token.to_owned(),
            digest,
            at: Instant::now(),
        }
    }

    fn is_over(&self) -> bool {
        self.at.elapsed() >= Duration::from_secs(TICKET_MINUTES * 60)
    }
}

/// See the module. Lost at a restart: then people sign in again.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<HashMap<String, Sight>>);

impl Tickets {
    /// A ticket for a sight, made from an unguessable value.
    pub(crate) fn give(&self, unguessable: [u8; 32], sight: Sight) -> String {
        let mut ticket = String::with_capacity(64);
        for byte in unguessable {
            // Writing into a text does not fail.
            let _ = write!(ticket, "{byte:02x}");
        }
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, sight| !sight.is_over());
        if held.len() >= TICKETS_MAX {
            let oldest = held.iter().min_by_key(|(_, sight)| sight.at);
            if let Some(oldest) = oldest.map(|(ticket, _)| ticket.clone()) {
                held.remove(&oldest);
            }
        }
        held.insert(ticket.clone(), sight);
        ticket
    }

    /// What a ticket stands for. It stands for nothing afterwards.
    pub(crate) fn take(&self, ticket: &str) -> Option<Sight> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(ticket).filter(|sight| !sight.is_over())
    }
}
