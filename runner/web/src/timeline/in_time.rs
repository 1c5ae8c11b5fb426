//! Lines of steps that wait for a time or are repeated.
//!
//! Owns their notes.

use jiff::Timestamp;
use state::event::Event;

use super::words::cut;
use crate::view::{StepState, StepView};

/// Stands in a note before what the last round gave.
const LAST: &str = "the last: ";

impl StepView {
    pub(super) fn in_time(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Waits { until, .. } => {
                self.note = format!("until {}", until.strftime("%Y-%m-%d %H:%MZ"));
                self.attempts = 1;
                self.started_at.get_or_insert(at);
                self.state = StepState::Resting;
            }
            Event::RoundScheduled { round, at: due, .. } => {
                let next = format!("round {round} at {}", due.strftime("%Y-%m-%d %H:%MZ"));
                self.note = if *round == 1 || self.note.is_empty() {
                    next
                } else {
                    cut(&format!("{next}; {LAST}{}", self.note))
                };
                self.round = Some(*round);
                self.state = StepState::Resting;
                self.finished_at = None;
            }
            Event::RoundsEnded { rounds, done, .. } => {
                let how = if *done { "done in" } else { "given up after" };
                let word = if *rounds == 1 { "round" } else { "rounds" };
                let last = match (self.state, self.note.rsplit_once(LAST)) {
                    (StepState::Resting, found) => found.map_or("", |(_, last)| last),
                    _ => self.note.as_str(),
                };
                self.note = if last.is_empty() {
                    format!("{how} {rounds} {word}")
                } else {
                    cut(&format!("{how} {rounds} {word}; {LAST}{last}"))
                };
                self.round = Some(*rounds);
                self.finish(StepState::Done, at);
            }
            _ => {}
        }
    }
}
