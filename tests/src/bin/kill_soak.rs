//! Kills the release binary at random moments under load, and says what was lost or doubled.
//!
//! ```text
//! cargo build --release
//! cargo run -p tests --release --bin kill-soak -- --binary target/release/sortie --kills 1000
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it reports to people")]

use std::process::ExitCode;

use actions::clock::Clock as _;
use clap::Parser;
use runner::clock::SystemClock;
use tests::kills::soak;

/// What is asked for.
#[derive(Debug, Parser)]
struct Arguments {
    /// The binary.
    #[arg(long, default_value = "target/release/sortie")]
    binary: String,
    /// How many kills.
    #[arg(long, default_value_t = 1_000)]
    kills: usize,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let clock = SystemClock::new();
    match soak(&arguments.binary, arguments.kills).await {
        Ok(done) => {
            println!(
                "{} kills in {:.0} s: {} incidents acknowledged, {} runs, 0 lost, 0 effects doubled, {} runs wait for a person",
                done.kills,
                clock.elapsed().as_secs_f64(),
                done.acknowledged,
                done.runs,
                done.stuck
            );
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
