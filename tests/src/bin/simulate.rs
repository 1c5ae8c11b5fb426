//! Plays simulations by seed, says what they did, and stops at the first that breaks an invariant.
//!
//! ```text
//! cargo run -p tests --release --bin simulate -- --seeds 100000
//! cargo run -p tests --release --bin simulate -- --seed 0x2a
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it reports to people")]

use std::process::ExitCode;
use std::time::Duration;

use actions::clock::Clock as _;
use clap::Parser;
use runner::clock::SystemClock;
use tests::simulation::Plan;
use tests::simulation::enumerate::every_crash;
use tests::simulation::theatre::Theatre;
use tests::simulation::weather::Counters;

/// What is asked for.
#[derive(Debug, Parser)]
struct Arguments {
    /// One seed, decimal or 0x..., with everything it did.
    #[arg(long, value_parser = number)]
    seed: Option<u64>,
    /// The first seed of many.
    #[arg(long, default_value = "0", value_parser = number)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// Instead of seeds: every crash of every example, and of so many generated playbooks.
    #[arg(long)]
    crashes: Option<u64>,
}

fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let theatre = match Theatre::open() {
        Ok(theatre) => theatre,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let played = match (arguments.crashes, arguments.seed) {
        (Some(generated), _) => crashes(&theatre, generated),
        (None, Some(seed)) => seeds(&theatre, seed, 1),
        (None, None) => seeds(&theatre, arguments.from, arguments.seeds),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn seeds(theatre: &Theatre, from: u64, count: u64) -> Result<(), String> {
    let clock = SystemClock::new();
    let all = Counters::default();
    let mut virtual_time = Duration::ZERO;
    for seed in from..from.saturating_add(count) {
        let mut plan = Plan::of_seed(theatre, seed)?;
        plan.trace = count == 1;
        let report = plan.play(theatre);
        for line in &report.trace {
            println!("{line}");
        }
        virtual_time += report.virtual_time;
        all.merge(&report.counters);
        if let Some(first) = report.violations.first() {
            for violation in &report.violations {
                println!("{violation}");
            }
            return Err(format!(
                "{first}\nreplay: cargo run -p tests --release --bin simulate -- --seed {seed:#x}"
            ));
        }
        if count == 1 {
            println!("fingerprint {:016x}", report.fingerprint);
        }
    }
    for (what, times) in all.all() {
        println!("{times:>12}  {what}");
    }
    println!(
        "{count} seeds from {from:#x}, {} hours of virtual time, 0 violations, {:.1} s",
        virtual_time.as_secs() / 3_600,
        clock.elapsed().as_secs_f64()
    );
    Ok(())
}

fn crashes(theatre: &Theatre, generated: u64) -> Result<(), String> {
    let clock = SystemClock::new();
    let mut settings = Vec::new();
    for name in Theatre::examples() {
        settings.push(theatre.example(name)?);
    }
    for number in 0..generated {
        settings.push(theatre.generated(number)?);
    }
    for (setting, seed) in settings.iter().zip(0..) {
        let done = every_crash(theatre, setting, seed, tests::simulation::Control::default());
        if let Some(first) = done.violations.first() {
            return Err(format!("{}: {first}", setting.name));
        }
        println!(
            "{}: {} of {} moments, {} simulations, {} of them with an outcome nobody could tell for a while",
            setting.name, done.moments, done.moments, done.plays, done.in_doubt
        );
    }
    println!("0 violations, {:.1} s", clock.elapsed().as_secs_f64());
    Ok(())
}
