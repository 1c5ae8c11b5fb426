//! A storm over one entity, and what another entity notices of it.
//!
//! Owns the storm: alerts of one attack on many machines, and beside them attacks that each make a
//! run of their own. The alert is the one of the demonstration, a real record of Suricata.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actions::clock::Clock as _;
use runner::clock::SystemClock;
use runner::config::Settings;
use runner::demo;
use serde_json::Value;

use super::drive::{Figures, drive};
use super::project;
use super::sortie::Sortie;
use super::triage::attacker;
use crate::soc;

/// The playbook that both entities run.
pub const PLAYBOOK: &str = include_str!("storm.yaml");

/// Between two alerts of the other entity.
const PAUSE: Duration = Duration::from_millis(50);
/// How often it is looked whether all triggers are decided.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long that may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// The entity that floods, and the other one, by the numbers of [`project::entity`].
const FLOODING: u64 = 0;
const OTHER: u64 = 1;

/// What a storm did.
#[derive(Debug)]
pub struct Storm {
    /// Taking the alerts of the entity that floods in, durably.
    pub taken: Figures,
    /// Runs that its alerts of one attack made.
    pub runs_of_the_attack: usize,
    /// Incidents attached to them.
    pub attached: u64,
    /// Runs of its other attacks.
    pub other_runs: usize,
    /// From the first alert until every trigger is decided and every run is over.
    pub elapsed: Duration,
    /// From an alert of the other entity to the end of its run, while the first one flooded and its
    /// runs were worked on; shortest first.
    pub others: Vec<Duration>,
}

impl Storm {
    /// The time that this share of the other entity's alerts did not exceed, in per cent.
    pub fn percentile(&self, percent: usize) -> Duration {
        let place = (self.others.len() * percent).div_ceil(100).saturating_sub(1);
        self.others.get(place).copied().unwrap_or_default()
    }
}

/// Sends `equal` alerts of one attack and `unequal` others of the same entity, mixed.
pub async fn storm(settings: Settings, equal: u64, unequal: u64, in_flight: usize) -> io::Result<Storm> {
    let clock = SystemClock::new();
    let sortie = Arc::new(Sortie::open(settings).await?);
    let over = Arc::new(AtomicBool::new(false));
    let other = tokio::spawn(others(Arc::clone(&sortie), Arc::clone(&over)));
    let shared = Arc::clone(&sortie);
    let all = equal + unequal;
    let taken = drive(0, all, in_flight, move |number| {
        let sortie = Arc::clone(&shared);
        async move {
            // Spread evenly among the equal ones.
            let is_unequal = (number + 1) * unequal / all > number * unequal / all;
            let alert = if is_unequal {
                alert(&attacker(number + 1), &project::address(FLOODING))?
            } else {
                alert(&attacker(0), &machine(number))?
            };
            sortie.take(&project::entity(FLOODING), &alert).await.map(drop)
        }
    })
    .await?;
    let runs = loop {
        let runs = soc::runs(&sortie.app().as_operator())
            .await
            .map_err(io::Error::other)?;
        let runs: Vec<_> = runs
            .into_iter()
            .filter(|run| run.entity.as_str() == project::entity(FLOODING))
            .collect();
        let decided = runs.iter().map(|run| run.attached + 1).sum::<u64>() == all;
        if decided && runs.iter().all(|run| run.status.is_over()) {
            break runs;
        }
        if clock.elapsed() > PATIENCE {
            return Err(io::Error::other("the storm is not over after ten minutes"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let elapsed = clock.elapsed();
    over.store(true, Ordering::Relaxed);
    let mut others = other.await.map_err(io::Error::other)??;
    others.sort_unstable();
    let (of_the_attack, other_runs): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.attached > 0);
    Ok(Storm {
        taken,
        runs_of_the_attack: of_the_attack.len(),
        attached: of_the_attack.iter().map(|run| run.attached).sum(),
        other_runs: other_runs.len(),
        elapsed,
        others,
    })
}

/// Alerts of the other entity, one after the other, until the storm is over.
async fn others(sortie: Arc<Sortie>, over: Arc<AtomicBool>) -> io::Result<Vec<Duration>> {
    let clock = SystemClock::new();
    let mut times = Vec::new();
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let begun = clock.elapsed();
        let alert = alert(&attacker(number), &project::address(OTHER))?;
        let incident = sortie.take(&project::entity(OTHER), &alert).await?;
        sortie.end_of(&incident).await?;
        times.push(clock.elapsed().saturating_sub(begun));
        tokio::time::sleep(PAUSE).await;
    }
    Ok(times)
}

fn machine(number: u64) -> String {
    format!(
        "10.{}.{}.{}",
        number / 65_536 % 256,
        number / 256 % 256,
        number % 256
    )
}

fn alert(source: &str, destination: &str) -> io::Result<Value> {
    let mut alert: Value = serde_json::from_slice(demo::IDS_ALERT)?;
    if let Some(fields) = alert.as_object_mut() {
        fields.insert("src_ip".to_owned(), Value::from(source));
        fields.insert("dest_ip".to_owned(), Value::from(destination));
    }
    Ok(alert)
}
