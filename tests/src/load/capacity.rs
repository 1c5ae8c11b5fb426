//! What else has a budget: intake alone, runs that wait, long lists, checking playbooks.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actions::clock::Clock as _;
use actions::registry::Registry;
use playbooks::compile::{Bundle, Environment, compile};
use runner::clock::SystemClock;
use runner::config::Settings;
use serde_json::json;
use state::event::{Mode, RunStatus};
use web::Operations as _;
use web::view::StartRun;

use super::drive::{Figures, drive};
use super::machine;
use super::sortie::Sortie;

/// A playbook that no alert of these measurements starts.
pub const QUIET: &str = include_str!("quiet.yaml");
/// A playbook whose look-up fails at once and is tried again in an hour.
pub const WAITING: &str = include_str!("waiting.yaml");
/// A playbook with one long list.
pub const LONG_LIST: &str = include_str!("long-list.yaml");

/// How often something that must come true is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long it may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// What many waiting runs cost.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Runs that wait.
    pub runs: u64,
    /// Resident memory before the first, KiB.
    pub before_kib: u64,
    /// Resident memory when all wait, KiB.
    pub after_kib: u64,
    /// From opening the folder to taking new incidents.
    pub restart: Duration,
    /// Resident memory after the restart, KiB.
    pub restarted_kib: u64,
    /// From the first alert until all waited.
    pub filling: Duration,
}

/// Takes incidents in, durably, that start nothing.
pub async fn intake(settings: Settings, incidents: u64, in_flight: usize) -> io::Result<Figures> {
    let sortie = Arc::new(Sortie::open(settings).await?);
    let shared = Arc::clone(&sortie);
    drive(0, incidents, in_flight, move |number| {
        let sortie = Arc::clone(&shared);
        async move { sortie.submit(number).await.map(drop) }
    })
    .await
}

/// Starts runs that wait an hour for their next attempt.
pub async fn fill(settings: Settings, runs: u64, in_flight: usize) -> io::Result<Waiting> {
    let clock = SystemClock::new();
    let sortie = Arc::new(Sortie::open(settings).await?);
    let before_kib = machine::resident_kib("self");
    let begun = clock.elapsed();
    let shared = Arc::clone(&sortie);
    drive(0, runs, in_flight, move |number| {
        let sortie = Arc::clone(&shared);
        async move {
            sortie.submit(number).await?;
            // Alerts arrive faster than look-ups fail; a queue of active runs is not what is asked for.
            until(|| sortie.app().dispatcher.active_runs() < in_flight).await
        }
    })
    .await?;
    // An incident whose triggers are not decided yet has no run, active or not.
    let mut waited = Duration::ZERO;
    while sortie.figures().await?.open_runs < runs {
        if waited >= PATIENCE {
            return Err(io::Error::other(format!("fewer than {runs} runs are open")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
    until(|| sortie.app().dispatcher.active_runs() == 0).await?;
    let filling = clock.elapsed().saturating_sub(begun);
    let after_kib = machine::resident_kib("self");
    if let Some(sortie) = Arc::into_inner(sortie) {
        sortie.close().await;
    }
    Ok(Waiting {
        runs,
        before_kib,
        after_kib,
        restart: Duration::ZERO,
        restarted_kib: 0,
        filling,
    })
}

/// Opens a folder with many waiting runs and takes one incident.
pub async fn restart(settings: Settings, found: &mut Waiting) -> io::Result<()> {
    let clock = SystemClock::new();
    let sortie = Sortie::open(settings).await?;
    found.restart = clock.elapsed();
    found.restarted_kib = machine::resident_kib("self");
    sortie.submit(found.runs + 1).await?;
    Ok(())
}

/// Runs a playbook over a list of so many items of an action in the house.
pub async fn long_list(settings: Settings, items: u64) -> io::Result<Duration> {
    let clock = SystemClock::new();
    let sortie = Sortie::open(settings).await?;
    let list: Vec<String> = (0..items)
        .map(|number| format!("10.0.{}.{}", number / 256, number % 256))
        .collect();
    let request: StartRun = serde_json::from_value(json!({
        "playbook": "long-list", "entity": "town-0", "inputs": {"texts": list}, "mode": Mode::Auto,
    }))?;
    let operator = sortie.app().operator();
    let begun = clock.elapsed();
    let started = sortie
        .app()
        .operations
        .start(operator, request)
        .await
        .map_err(io::Error::other)?;
    until(|| sortie.app().dispatcher.active_runs() == 0).await?;
    let elapsed = clock.elapsed().saturating_sub(begun);
    let run = sortie
        .app()
        .operations
        .run(operator, started.run.as_str())
        .await
        .map_err(io::Error::other)?;
    if run.run.status == RunStatus::Succeeded {
        Ok(elapsed)
    } else {
        Err(io::Error::other(format!(
            "the run ended as {}: {}",
            run.run.status.word(),
            run.run.note
        )))
    }
}

/// A playbook with so many steps, each reading the one before.
pub fn long_playbook(id: &str, steps: usize) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "id: {id}\nname: Many steps\nversion: 1\ndescription: A measurement.\nowner: network-team\n\
         trigger: {{incident: [ids-alert]}}\nlimits: {{tlp: amber, pap: green, time: 24h}}\nsteps:\n"
    );
    for number in 0..steps {
        let from = match number {
            0 => "\"{{incident.title}}\"".to_owned(),
            _ => format!(
                "\"{{{{incident.title}}}} {{{{join steps.s{}.domains ', '}}}}\"",
                number - 1
            ),
        };
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "  s{number}:\n    name: Step {number}\n    uses: extract.observables\n    \
             if: incident.severity >= severity.low\n    with:\n      text: {from}\n"
        );
    }
    text
}

/// Compiles and checks a playbook; the time it took, or what is wrong with it.
pub fn check(registry: &Registry, id: &str, text: &str) -> io::Result<Duration> {
    let bundle = Bundle {
        name: format!("{id}.yaml"),
        playbook: text.to_owned(),
        templates: indexmap::IndexMap::default(),
    };
    let environment = Environment {
        catalog: registry,
        operator: None,
    };
    let clock = SystemClock::new();
    let compiled = compile(&bundle, environment);
    let elapsed = clock.elapsed();
    match (compiled.plan, compiled.diagnostics.first()) {
        (Some(_), _) => Ok(elapsed),
        (None, found) => {
            Err(io::Error::other(found.map_or_else(String::new, |found| {
                format!("{}: {}", found.code, found.message)
            })))
        }
    }
}

/// Writes a folder of playbooks and checks it as `sortie check` does.
pub fn check_folder(registry: &Registry, folder: &Path, playbooks: usize) -> io::Result<Duration> {
    std::fs::create_dir_all(folder)?;
    for number in 0..playbooks {
        let id = format!("triage-{number}");
        let text = super::triage::PLAYBOOK.replace("id: triage-5", &format!("id: {id}"));
        std::fs::write(folder.join(format!("{id}.yaml")), text)?;
    }
    let clock = SystemClock::new();
    let loaded = runner::library::load(&[folder.to_owned()], registry, None).map_err(io::Error::other)?;
    let elapsed = clock.elapsed();
    if loaded.has_errors() || loaded.files != playbooks {
        return Err(io::Error::other("the playbooks have errors"));
    }
    Ok(elapsed)
}

async fn until(mut fulfilled: impl FnMut() -> bool) -> io::Result<()> {
    let mut waited = Duration::ZERO;
    while !fulfilled() {
        if waited >= PATIENCE {
            return Err(io::Error::other("it did not come true in ten minutes"));
        }
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
    Ok(())
}
