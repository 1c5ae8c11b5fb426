//! Measures Sortie on this machine and prints what it found, beside a bare program that makes the
//! same calls. `docs/performance.md` says how to read it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actions::clock::Clock;
use actions::registry::Registry;
use clap::{Args, Parser, Subcommand};
use runner::clock::SystemClock;
use runner::config::Limits;
use tests::load::append::GroupedFile;
use tests::load::bare::Bare;
use tests::load::doubles::Doubles;
use tests::load::drive::{Figures, drive};
use tests::load::sortie::{Sortie, bytes_of};
use tests::load::{capacity, machine, project, storm, triage};

/// Measures Sortie on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Where the data goes; a folder of its own in there, removed afterwards. The disk of this folder is
    /// measured.
    #[arg(long, global = true, default_value = "target")]
    folder: PathBuf,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The reference job, beside its doubles alone and a bare program without and with a record.
    Triage(Triage),
    /// Taking incidents in, durably, that start nothing.
    Intake(Amount),
    /// Runs that wait: memory, and the time until a restart serves again.
    Waiting(Amount),
    /// One step over a long list.
    ForEach {
        /// Items of the list, 10,000 at most.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        items: u64,
    },
    /// One entity floods while another sends an alert now and then.
    Storm(Storm),
    /// Compiling and checking playbooks.
    Check,
}

#[derive(Debug, Args)]
struct Storm {
    /// Alerts of one attack, each on another machine.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(2..=1_000_000))]
    alerts: u64,
    /// Alerts beside them that each make a run of their own.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    unequal: u64,
    /// How many at the same time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    in_flight: u16,
}

#[derive(Debug, Args)]
struct Triage {
    #[command(flatten)]
    amount: Amount,
    /// Milliseconds before the far ends answer.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    delay: u64,
    /// Only Sortie, for a profiler.
    #[arg(long)]
    only_sortie: bool,
}

#[derive(Debug, Args)]
struct Amount {
    /// How many incidents.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    incidents: u64,
    /// How many at the same time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    in_flight: u16,
}

/// Incidents of the measurement of one at a time.
const ALONE: u64 = 500;
/// The same when the far ends take their time.
const ALONE_SLOWLY: u64 = 5;
/// Incidents before a measurement begins, so that pools and caches are filled.
const WARM_UP: u64 = 200;
/// Longest time of a measurement; then it fails.
const TIME_MAX: Duration = Duration::from_mins(30);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let measured = runtime.block_on(async {
        tokio::time::timeout(TIME_MAX, measure(arguments))
            .await
            .unwrap_or_else(|_| Err(io::Error::other("it took longer than half an hour")))
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &io::Error) -> ExitCode {
    // Nothing is left to do when not even this can be said.
    let _ = writeln!(io::stderr(), "load: {error}");
    ExitCode::FAILURE
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

async fn measure(arguments: Arguments) -> io::Result<()> {
    std::fs::create_dir_all(&arguments.folder)?;
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    match arguments.what {
        What::Triage(wanted) => measure_triage(folder.path(), &wanted).await,
        What::Intake(amount) => measure_intake(folder.path(), &amount).await,
        What::Waiting(amount) => measure_waiting(folder.path(), &amount).await,
        What::ForEach { items } => {
            let far_ends = Doubles::start(Duration::ZERO)?;
            let playbooks = [("long-list", capacity::LONG_LIST)];
            let settings = project::write(folder.path(), far_ends.address(), &playbooks)?;
            let elapsed = capacity::long_list(settings, items).await?;
            say(&format!("{items} items in {:.2} s", elapsed.as_secs_f64()))
        }
        What::Storm(wanted) => measure_storm(folder.path(), &wanted).await,
        What::Check => measure_check(folder.path()),
    }
}

async fn measure_triage(folder: &Path, wanted: &Triage) -> io::Result<()> {
    let far_ends = Arc::new(Doubles::start(Duration::from_millis(wanted.delay))?);
    let many = Many {
        incidents: wanted.amount.incidents,
        in_flight: usize::from(wanted.amount.in_flight),
        alone: if wanted.delay == 0 { ALONE } else { ALONE_SLOWLY },
    };
    let (incidents, in_flight) = (many.incidents, many.in_flight);
    say(&format!(
        "triage-5, {incidents} incidents, far ends answer after {} ms",
        wanted.delay
    ))?;
    let mut durable_rate = None;
    if !wanted.only_sortie {
        let address = far_ends.address();
        let url = Bare::new(address, None)?;
        let pinging = url.clone();
        let calls = drive(0, incidents * 5, in_flight, move |_| {
            let bare = pinging.clone();
            async move { bare.ping().await }
        });
        let calls = calls.await?;
        say(&format!(
            "the doubles alone            {:>8.0} answers/s, enough for {:.0} incidents/s",
            calls.rate(),
            calls.rate() / 5.0
        ))?;
        bare(url, "bare program", many).await?;
        let record = GroupedFile::create(&folder.join("bare.log"))?;
        let durable = bare(Bare::new(address, Some(record))?, "bare, durable", many).await?;
        say(&format!(
            "{:<28} {:>8} bytes an incident",
            "",
            std::fs::metadata(folder.join("bare.log"))?.len() / (incidents + many.alone + WARM_UP)
        ))?;
        durable_rate = Some(durable.rate());
    }
    far_ends.most_at_once();
    let rate = measure_sortie(folder, &far_ends, many).await?;
    if let Some(durable) = durable_rate {
        say(&format!(
            "Sortie does {:.2} of the bare durable program",
            rate / durable
        ))?;
    }
    Ok(())
}

/// How much of the reference job is done.
#[derive(Debug, Clone, Copy)]
struct Many {
    incidents: u64,
    in_flight: usize,
    /// Before them, one at a time.
    alone: u64,
}

async fn bare(program: Bare, name: &str, many: Many) -> io::Result<Figures> {
    let job = move |number| {
        let program = program.clone();
        async move { program.triage(number).await }
    };
    drive(0, WARM_UP, many.in_flight, job.clone()).await?;
    let alone = drive(WARM_UP, many.alone, 1, job.clone()).await?;
    let found = drive(WARM_UP + many.alone, many.incidents, many.in_flight, job).await?;
    report(name, &alone, &found)?;
    Ok(found)
}

async fn measure_sortie(folder: &Path, far_ends: &Doubles, many: Many) -> io::Result<f64> {
    let settings = project::write(folder, far_ends.address(), &[("triage-5", triage::PLAYBOOK)])?;
    let data = settings.data_dir.clone();
    let sortie = Arc::new(Sortie::open(settings).await?);
    let shared = Arc::clone(&sortie);
    let job = move |number| {
        let sortie = Arc::clone(&shared);
        async move { sortie.triage(number).await }
    };
    drive(0, WARM_UP, many.in_flight, job.clone()).await?;
    let alone = drive(WARM_UP, many.alone, 1, job.clone()).await?;
    let before = sortie.figures().await?;
    far_ends.most_at_once();
    let found = drive(WARM_UP + many.alone, many.incidents, many.in_flight, job).await?;
    let at_once = far_ends.most_at_once();
    // Answers that are given at once never wait side by side.
    let many_wait = at_once > 1;
    let after = sortie.figures().await?;
    report("Sortie", &alone, &found)?;
    say(&format!(
        "{:<28} {:>8} bytes of journal an incident, {} records; index {} KiB after {} incidents; {} MiB resident",
        "",
        (after.journal_bytes - before.journal_bytes) / many.incidents,
        (after.records - before.records) / many.incidents,
        bytes_of(&data.join("index")) / 1_024,
        after.incidents,
        machine::resident_kib("self") / 1_024,
    ))?;
    if many_wait {
        say(&format!(
            "{:<28} {at_once:>8} requests at the far ends at the same moment, at most",
            ""
        ))?;
    }
    Ok(found.rate())
}

fn report(name: &str, alone: &Figures, many: &Figures) -> io::Result<()> {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    say(&format!(
        "{name:<28} {:>8.0} incidents/s with {} in flight (p50 {:.1} ms, p99 {:.1} ms); one at a time p50 {:.2} ms, \
         p99 {:.2} ms; {:.2} CPU s per 1,000",
        many.rate(),
        many.most_in_flight,
        milliseconds(many.percentile(50)),
        milliseconds(many.percentile(99)),
        milliseconds(alone.percentile(50)),
        milliseconds(alone.percentile(99)),
        many.cpu_per_thousand(),
    ))
}

async fn measure_intake(folder: &Path, amount: &Amount) -> io::Result<()> {
    let far_ends = Doubles::start(Duration::ZERO)?;
    let settings = project::write(folder, far_ends.address(), &[("quiet", capacity::QUIET)])?;
    let found = capacity::intake(settings, amount.incidents, usize::from(amount.in_flight)).await?;
    say(&format!(
        "intake: {:.0} incidents/s durable with {} in flight, p50 {:.1} ms, p99 {:.1} ms, {:.2} CPU s per 1,000",
        found.rate(),
        found.most_in_flight,
        found.percentile(50).as_secs_f64() * 1_000.0,
        found.percentile(99).as_secs_f64() * 1_000.0,
        found.cpu_per_thousand(),
    ))
}

async fn measure_waiting(folder: &Path, amount: &Amount) -> io::Result<()> {
    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    let address = nobody.local_addr()?;
    drop(nobody);
    let settings = || project::write(folder, address, &[("waiting", capacity::WAITING)]);
    let mut found = capacity::fill(settings()?, amount.incidents, usize::from(amount.in_flight)).await?;
    say(&format!(
        "{} runs wait after {:.1} s: {} MiB resident before, {} MiB after",
        found.runs,
        found.filling.as_secs_f64(),
        found.before_kib / 1_024,
        found.after_kib / 1_024,
    ))?;
    capacity::restart(settings()?, &mut found).await?;
    say(&format!(
        "restart: serving after {:.2} s, {} MiB resident",
        found.restart.as_secs_f64(),
        found.restarted_kib / 1_024
    ))
}

async fn measure_storm(folder: &Path, wanted: &Storm) -> io::Result<()> {
    let far_ends = Doubles::start(Duration::ZERO)?;
    let mut settings = project::write(folder, far_ends.address(), &[("storm", storm::PLAYBOOK)])?;
    settings.limits.active_runs_per_entity = Limits::default().active_runs_per_entity;
    let found = storm::storm(
        settings,
        wanted.alerts,
        wanted.unequal,
        usize::from(wanted.in_flight),
    )
    .await?;
    say(&format!(
        "storm: {} alerts in {:.1} s, {:.0}/s durable with {} in flight (p50 {:.1} ms, p99 {:.1} ms)",
        found.taken.jobs,
        found.taken.elapsed.as_secs_f64(),
        found.taken.rate(),
        found.taken.most_in_flight,
        found.taken.percentile(50).as_secs_f64() * 1_000.0,
        found.taken.percentile(99).as_secs_f64() * 1_000.0,
    ))?;
    say(&format!(
        "{} alerts of one attack: {} run, {} attached; {} other runs; all over after {:.1} s",
        wanted.alerts,
        found.runs_of_the_attack,
        found.attached,
        found.other_runs,
        found.elapsed.as_secs_f64(),
    ))?;
    say(&format!(
        "another entity meanwhile: {} alerts, from sending to the end of the run p50 {:.1} ms, p99 {:.1} ms, at most {:.1} ms",
        found.others.len(),
        found.percentile(50).as_secs_f64() * 1_000.0,
        found.percentile(99).as_secs_f64() * 1_000.0,
        found.percentile(100).as_secs_f64() * 1_000.0,
    ))
}

fn measure_check(folder: &Path) -> io::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let registry = Registry::new(Vec::new(), &clock)
        .map_err(|problems| io::Error::other(problems.iter().map(ToString::to_string).collect::<String>()))?;
    let text = capacity::long_playbook("long", 150);
    capacity::check(&registry, "long", &text)?;
    let long = capacity::check(&registry, "long", &text)?;
    say(&format!(
        "compile and check a playbook of 150 steps: {:.1} ms",
        long.as_secs_f64() * 1_000.0
    ))?;
    let many = capacity::check_folder(&registry, &folder.join("playbooks"), 500)?;
    say(&format!("check 500 playbooks: {:.2} s", many.as_secs_f64()))
}
