//! Tickets in the systems people work in.
//!
//! Owns how a ticket is opened, found again and added to. Sortie's own incident is not a ticket.

use playbooks::marking::{Pap, Severity};
use serde_json::Value;

use crate::action::{ActionError, Call};
use crate::arguments;
use crate::notify::text;

pub(crate) mod specs;
pub(crate) mod thehive;
pub(crate) mod zammad;

/// Characters of a title, the shortest limit among the systems, less the marker.
pub(crate) const TITLE_CHARS_MAX: usize = 200;

/// What a ticket says, freed of live links and of calls to people.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// One line.
    pub(crate) title: String,
    /// The text; empty when the call has none.
    pub(crate) body: String,
    /// How bad.
    pub(crate) severity: Severity,
}

impl Ticket {
    /// Reads a call of `ticket.open`.
    pub(crate) fn of(call: &Call) -> Result<Self, ActionError> {
        let severity = arguments::text(call, "severity")?
            .parse()
            .map_err(|error| ActionError::invalid(format!("{error}")))?;
        Ok(Self {
            title: text::one_line(&harmless(arguments::text(call, "title")?), TITLE_CHARS_MAX),
            body: harmless(arguments::optional_text(call, "body")?.unwrap_or_default()),
            severity,
        })
    }
}

/// Reads the note of a call of `ticket.update`.
pub(crate) fn note(call: &Call) -> Result<String, ActionError> {
    arguments::text(call, "note").map(harmless)
}

/// The marking that the incident carries; the strictest common one when it carries none.
pub(crate) fn pap(call: &Call) -> Pap {
    call.incident
        .get("pap")
        .and_then(Value::as_str)
        .and_then(|word| word.parse().ok())
        .unwrap_or(Pap::Amber)
}

fn harmless(given: &str) -> String {
    text::break_mentions(&text::defang(&text::lines(given), &[]))
}
