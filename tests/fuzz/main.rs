//! Fuzz targets for everything that reads what others wrote, on stable Rust: real and hand-made
//! texts, cut and mixed as a seed says.
//!
//! Each target holds properties of what comes out, not only that nothing panics. Without anything
//! set each runs a fixed number of inputs from a fixed seed (`.cargo/config.toml`), so that a build
//! is not red by chance; `BOLERO_RANDOM_TEST_TIME_MS`, `BOLERO_RANDOM_ITERATIONS` and
//! `BOLERO_RANDOM_SEED` make it longer and different. A failure prints the seed that plays it again.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a target fails by panicking"
)]

mod corpus;
mod inbound;
mod language;
mod stored;
