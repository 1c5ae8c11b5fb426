//! One place of a run, as the oracle sees it.
//!
//! Owns what may follow what at a place: intended, finished, lost, asked about, repeated, settled.

use jiff::{SignedDuration, Timestamp};
use playbooks::action_spec::Recovery;
use playbooks::marking::EffectClass;
use state::event::{Intended, Outcome, ProbeAnswer, Settlement};

/// How a place stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// Nothing happened.
    Nothing,
    /// Intended, no outcome.
    Live,
    /// To be tried again, or asked about.
    Pending,
    /// Proved not to have happened, or failed: over, unless it is tried again.
    Perhaps,
    /// Waits for a person.
    Unknown {
        /// Since when.
        since: Timestamp,
    },
    /// Over.
    Over,
}

/// A place.
#[derive(Debug, Clone)]
pub struct PlaceSeen {
    /// How it stands.
    pub stand: Stand,
    /// Its last attempt.
    pub intended: Option<Intended>,
    /// Attempts.
    pub attempts: u32,
    /// Attempts that the playbook's limit does not count: lost with the process.
    pub excused: u32,
    /// It succeeded.
    pub succeeded: bool,
    /// It certainly did not happen, in none of its attempts.
    pub certainly_not: bool,
    /// A person said something about it.
    pub person: bool,
    /// No attempt may be intended before this.
    not_before: Option<Timestamp>,
}

impl Default for PlaceSeen {
    fn default() -> Self {
        Self {
            stand: Stand::Nothing,
            intended: None,
            attempts: 0,
            excused: 0,
            succeeded: false,
            certainly_not: true,
            person: false,
            not_before: None,
        }
    }
}

impl PlaceSeen {
    /// Whether whoever waits for it may go on.
    pub fn is_settled(&self) -> bool {
        matches!(self.stand, Stand::Over | Stand::Perhaps)
    }

    /// An attempt is intended. `declared` is how often the playbook lets it be tried.
    pub fn intends(&mut self, intended: &Intended, declared: u32, at: Timestamp) -> Result<(), String> {
        let path = &intended.path;
        if matches!(self.stand, Stand::Live | Stand::Over | Stand::Unknown { .. }) {
            return Err(format!("I5: `{path}` is intended, and it was {:?}", self.stand));
        }
        self.attempts += 1;
        if intended.attempt != self.attempts {
            return Err(format!(
                "I10: attempt {} of `{path}` follows {}",
                intended.attempt,
                self.attempts - 1
            ));
        }
        if let Some(before) = &self.intended
            && (before.key != intended.key || before.arguments != intended.arguments)
        {
            return Err(format!(
                "I2: attempt {} of `{path}` is another effect",
                intended.attempt
            ));
        }
        if self.attempts > declared + self.excused {
            return Err(format!(
                "I10: attempt {} of `{path}`, {declared} are declared and {} were lost",
                self.attempts, self.excused
            ));
        }
        if let Some(not_before) = self.not_before.take()
            && at < not_before
        {
            return Err(format!(
                "I10: `{path}` is tried at {at}, the far end said not before {not_before}"
            ));
        }
        self.intended = Some(intended.clone());
        self.stand = Stand::Live;
        Ok(())
    }

    /// An attempt came to an end.
    pub fn finishes(&mut self, attempt: u32, outcome: &Outcome, at: Timestamp) -> Result<(), String> {
        let fits = match self.stand {
            Stand::Live | Stand::Pending | Stand::Perhaps => attempt == self.attempts,
            Stand::Nothing => attempt == 0,
            _ => false,
        };
        if !fits {
            return Err(format!("I5: attempt {attempt} ends, and it was {:?}", self.stand));
        }
        match outcome {
            Outcome::Succeeded { .. } | Outcome::Simulated { .. } => {
                self.stand = Stand::Over;
                self.succeeded = true;
                self.certainly_not = false;
            }
            Outcome::Failed {
                not_sent,
                retry_after,
                ..
            } => {
                let recovery = self.intended.as_ref().map(|one| (one.recovery, one.effect));
                let doubtful = !not_sent
                    && matches!(
                        recovery,
                        Some((Recovery::Probed | Recovery::Once, effect)) if effect > EffectClass::Read
                    );
                self.certainly_not &= *not_sent;
                self.stand = if doubtful { Stand::Pending } else { Stand::Perhaps };
                self.not_before = retry_after.and_then(|wait| {
                    at.checked_add(SignedDuration::from_millis(wait.as_milliseconds()))
                        .ok()
                });
            }
        }
        Ok(())
    }

    /// The process that held the attempt is gone.
    pub fn is_lost(&mut self) -> Result<(), String> {
        if self.stand != Stand::Live {
            return Err(format!("I5: an attempt is lost, and it was {:?}", self.stand));
        }
        self.excused += 1;
        self.certainly_not = false;
        self.stand = Stand::Pending;
        Ok(())
    }

    /// The far end was asked.
    pub fn is_probed(&mut self, answer: &ProbeAnswer) -> Result<(), String> {
        if self.stand != Stand::Pending {
            return Err(format!("I5: it is asked about, and it was {:?}", self.stand));
        }
        match answer {
            ProbeAnswer::Done { .. } => {
                self.stand = Stand::Over;
                self.succeeded = true;
            }
            ProbeAnswer::NotDone => self.stand = Stand::Perhaps,
            ProbeAnswer::CannotTell { .. } => {}
        }
        Ok(())
    }

    /// A person says what became of it.
    pub fn is_told(&mut self, answer: &Settlement) -> Result<(), String> {
        if !matches!(self.stand, Stand::Unknown { .. } | Stand::Perhaps | Stand::Over) {
            return Err(format!("I5: a person settles it, and it was {:?}", self.stand));
        }
        self.person = true;
        match answer {
            Settlement::Done { .. } | Settlement::ByHand { .. } => {
                self.stand = Stand::Over;
                self.succeeded = true;
            }
            Settlement::NotDone => self.stand = Stand::Perhaps,
        }
        Ok(())
    }
}
