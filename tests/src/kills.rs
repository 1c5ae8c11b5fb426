//! Random `kill -9` of a serving process under load, and what must hold afterwards.
//!
//! Owns the soak and its verdict. The world is the range, whose ledger says what was really done.

use std::collections::BTreeSet;
use std::time::Duration;

use runner::demo;
use state::event::{Event, RunStatus};
use state::ids::IncidentId;
use web::Client;
use web::operations::{Myself, Operations as _};
use web::view::{Content, RunView, StepState, Submitted};

use crate::soc::{self, Soc};

/// Shortest and longest life of a process, milliseconds.
const LIFE_MILLIS: (u64, u64) = (5, 800);

/// What processes acknowledged.
#[derive(Debug, Default)]
pub struct Acknowledged(pub BTreeSet<IncidentId>);

impl Acknowledged {
    /// Notes an answer to a sender.
    pub fn note(&mut self, submitted: Option<Submitted>) {
        if let Some(Submitted::Accepted { id } | Submitted::Duplicate { id, .. }) = submitted {
            self.0.insert(id);
        }
    }
}

/// What a soak did.
#[derive(Debug)]
pub struct Soaked {
    /// Kills.
    pub kills: usize,
    /// Incidents that were acknowledged.
    pub acknowledged: usize,
    /// Runs.
    pub runs: usize,
    /// Runs that wait for a person, because nobody can tell what became of an effect.
    pub stuck: usize,
}

/// What must hold after any number of crashes, once a process has run in peace.
///
/// # Errors
/// What does not.
pub async fn check(
    soc: &Soc,
    client: &Client,
    acknowledged: &Acknowledged,
    place: &str,
) -> Result<Vec<RunView>, String> {
    for id in &acknowledged.0 {
        if let Err(error) = client.incident(&Myself, id).await {
            return Err(format!("{place}: acknowledged incident {id} is lost: {error}"));
        }
    }
    let repeated = soc.range.ledger().repeated();
    if !repeated.is_empty() {
        return Err(format!(
            "{place}: effects happened twice: {repeated:?}\n{}",
            soc.log()
        ));
    }
    let runs = soc::runs(client).await.map_err(|error| error.to_string())?;
    for run in &runs {
        if !run.status.is_over() && run.status != RunStatus::Stuck {
            return Err(format!(
                "{place}: run {} is {:?}: {}\n{}",
                run.id,
                run.status,
                run.note,
                soc.log()
            ));
        }
        let detail = soc::run(client, run.id.as_str())
            .await
            .map_err(|error| error.to_string())?;
        let doubtful = |step: &&web::view::StepView| step.state == StepState::Unknown;
        let unknown = detail
            .events
            .iter()
            .filter(|one| matches!(one.event, Event::OutcomeUnknown { .. }))
            .count();
        if unknown > 0 && detail.steps.iter().filter(doubtful).count() == 0 {
            return Err(format!(
                "{place}: an unknown outcome of {} is not visible",
                run.id
            ));
        }
        if (run.status == RunStatus::Stuck) != (unknown > 0) {
            return Err(format!("{place}: {} and its doubts disagree", run.id));
        }
    }
    Ok(runs)
}

/// An alert like the sample's, about another signature, so that it is an incident of its own.
fn alert(number: usize) -> Result<Vec<u8>, String> {
    let text = String::from_utf8_lossy(demo::IDS_ALERT);
    let changed = text.replace(
        "\"signature_id\": 123456",
        &format!("\"signature_id\": {}", 1_000_000 + number),
    );
    if text == changed {
        return Err("the sample has lost the field that makes alerts differ".to_owned());
    }
    Ok(changed.into_bytes())
}

/// Kills a process so often under load, then lets one run in peace.
///
/// # Errors
/// What does not hold.
pub async fn soak(binary: &str, kills: usize) -> Result<Soaked, String> {
    let failed = |error: std::io::Error| error.to_string();
    let soc = Soc::new(binary).await.map_err(failed)?;
    let mut acknowledged = Acknowledged::default();
    let mut number = 0;
    // A fixed sequence of lives: the test replays, the world does not.
    let mut state: u64 = 0x5eed;
    for kill in 0..kills {
        let mut process = soc.serve(None).map_err(failed)?;
        if !process.answers().await {
            return Err(format!(
                "kill {kill}: the store does not open again\n{}",
                soc.log()
            ));
        }
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let (least, most) = LIFE_MILLIS;
        let life = Duration::from_millis(least + (state >> 33) % (most - least));
        let client = process.client();
        let load = async {
            loop {
                number += 1;
                let content = Content::Mapper("suricata".to_owned());
                match soc::submit(&client, content, alert(number)?).await {
                    Ok(submitted) => acknowledged.note(submitted),
                    Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
                }
            }
        };
        // The load ends with the process's life.
        let ended: Result<Result<(), String>, _> = tokio::time::timeout(life, load).await;
        if let Ok(Err(why)) = ended {
            return Err(why);
        }
        process.kill();
    }
    let mut process = soc.serve(None).map_err(failed)?;
    if !process.answers().await {
        return Err(format!("the store does not open again\n{}", soc.log()));
    }
    let client = process.client();
    soc::settled(&client, acknowledged.0.len())
        .await
        .map_err(|error| error.to_string())?;
    let runs = check(&soc, &client, &acknowledged, "random kills").await?;
    let stuck = runs.iter().filter(|run| run.status == RunStatus::Stuck).count();
    if process.terminate().await != Some(0) {
        return Err("a drain does not end with 0".to_owned());
    }
    Ok(Soaked {
        kills,
        acknowledged: acknowledged.0.len(),
        runs: runs.len(),
        stuck,
    })
}
