//! Lines of attempts that came to an end.
//!
//! Owns their notes.

use jiff::Timestamp;
use state::event::{Outcome, ProbeAnswer};

use super::words::{cut, output_words};
use crate::view::{StepState, StepView};

impl StepView {
    pub(super) fn take_outcome(&mut self, outcome: &Outcome, at: Timestamp) {
        match outcome {
            Outcome::Succeeded { output, reference } => {
                let words = output_words(output, reference.as_deref());
                let end = std::mem::take(&mut self.note);
                self.note = match (words.is_empty(), end.starts_with("until ")) {
                    (true, true) => end,
                    (_, false) => cut(&words),
                    (false, true) => cut(&format!("{words}, {end}")),
                };
                self.finish(StepState::Done, at);
            }
            Outcome::Failed { detail, .. } => {
                self.note = cut(detail);
                self.finish(StepState::Failed, at);
            }
            Outcome::Simulated { .. } => self.finish(StepState::Simulated, at),
        }
    }

    pub(super) fn take_answer(&mut self, answer: &ProbeAnswer, at: Timestamp) {
        match answer {
            ProbeAnswer::Done { .. } => {
                "it had happened before the interruption".clone_into(&mut self.note);
                self.finish(StepState::Done, at);
            }
            ProbeAnswer::NotDone => "it had not happened; trying again".clone_into(&mut self.note),
            ProbeAnswer::CannotTell { detail } => self.note = cut(detail),
        }
    }
}
