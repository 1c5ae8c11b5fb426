//! Opens disk images that a power cut may leave behind, and says what was lost.
//!
//! ```text
//! cargo run -p tests --release --bin power-loss -- --images 1000
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it reports to people")]

use std::process::ExitCode;

use clap::Parser;
use tests::power_loss::images;

/// What is asked for.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many images.
    #[arg(long, default_value_t = 1_000)]
    images: u64,
    /// The seed of what is left.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The known-bad control: syncs of files do nothing.
    #[arg(long)]
    without_sync: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match images(arguments.images, arguments.seed, arguments.without_sync) {
        Ok(done) => {
            println!(
                "{} images of a history of {} changes, {} acknowledgements looked for, {} images with a fault",
                done.images,
                done.changes,
                done.looked_for,
                done.faults.len()
            );
            for fault in done.faults.iter().take(5) {
                println!("{fault}");
            }
            ExitCode::from(u8::from(!done.faults.is_empty()))
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
