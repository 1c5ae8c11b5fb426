//! Logs: one JSON object a line on stderr, so that nothing in an incident can forge a line.
//!
//! Owns the format and the level. Secrets never get here: they have no `Debug` and no `Display`.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Errors and warnings: one-off commands.
    Quiet,
    /// What a server does.
    Server,
    /// Every decision.
    Verbose,
}

/// Starts logging for the process. A second call changes nothing.
pub fn start(level: Level) {
    let filter = match level {
        Level::Quiet => "error",
        Level::Server => "warn,runner=info,state=info,actions=info,web=info,engine=info",
        Level::Verbose => "info,runner=debug,state=debug,actions=debug,web=debug,engine=debug",
    };
    // A subscriber that was set before stays: tests and embedders bring their own.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_events(FmtSpan::NONE)
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .try_init();
}
