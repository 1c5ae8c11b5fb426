//! The house that knows all the rooms: configuration, intake, dispatch, the command line.
pub mod config;
pub(crate) mod entities;
pub mod intake;
pub mod json_strict;
pub mod range;
#[cfg(test)]
mod samples;
