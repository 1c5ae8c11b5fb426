//! Every crash of the example playbooks: at every write and every effect, with every outcome of
//! what was not synced, once and again in the recovery.
//!
//! Owns the enumeration. It is exhaustive: it says "K of K".

use std::sync::Arc;

use super::disk::Left;
use super::theatre::{Setting, Theatre};
use super::weather::Weather;
use super::{Control, Plan, Report};

/// What a crash leaves of what was not synced.
pub const OUTCOMES: [Left; 3] = [Left::Everything, Left::Synced, Left::Torn];

/// What the enumeration of one playbook did.
#[derive(Debug, Default)]
pub struct Enumerated {
    /// Moments of an undisturbed run.
    pub moments: u64,
    /// Crashes that were tried.
    pub crashes: u64,
    /// Simulations that were played.
    pub plays: u64,
    /// Simulations in which an outcome stayed unknown for a while.
    pub in_doubt: u64,
    /// What must not be, with its place.
    pub violations: Vec<String>,
}

fn plan(setting: &Arc<Setting>, seed: u64, control: Control, deaths: Vec<(u64, Left)>) -> Plan {
    Plan {
        seed,
        weather: Weather::calm(),
        setting: Arc::clone(setting),
        control,
        deaths: Some(deaths),
        trace: false,
    }
}

/// Dies at every moment of one playbook. The seed draws what the far ends are like.
pub fn every_crash(theatre: &Theatre, setting: &Arc<Setting>, seed: u64, control: Control) -> Enumerated {
    let calm = plan(setting, seed, control, Vec::new()).play(theatre);
    let mut done = Enumerated {
        moments: calm.moments,
        plays: 1,
        ..Enumerated::default()
    };
    done.take("undisturbed", &calm, &calm);
    for moment in 1..=calm.moments {
        for left in OUTCOMES {
            let once = plan(setting, seed, control, vec![(moment, left)]).play(theatre);
            done.crashes += 1;
            done.take(&format!("{left:?} at {moment}"), &once, &calm);
            // Recovering twice is recovering once: it dies again at the first moments of the next life.
            for again in 1..=2 {
                let deaths = vec![(moment, left), (again, left)];
                let twice = plan(setting, seed, control, deaths).play(theatre);
                done.crashes += 2;
                done.take(
                    &format!("{left:?} at {moment} and again at {again}"),
                    &twice,
                    &calm,
                );
            }
        }
    }
    done
}

impl Enumerated {
    fn take(&mut self, place: &str, played: &Report, calm: &Report) {
        self.plays += 1;
        for violation in &played.violations {
            self.violations.push(format!("{place}: {violation}"));
        }
        if played.in_doubt {
            self.in_doubt += 1;
        } else if played.violations.is_empty() && played.ending != calm.ending {
            self.violations.push(format!(
                "I7: {place}: it ended {:?}, undisturbed {:?}",
                played.ending, calm.ending
            ));
        }
    }
}
