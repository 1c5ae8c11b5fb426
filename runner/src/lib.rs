//! Sortie, assembled: configuration, intake, dispatch, the HTTP API and the command line.
//!
//! The only crate that knows all the others. Owns the process: what is opened, in which order, and
//! how it comes to rest. Decisions are the engine's, effects the actions', memory the store's.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod dispatch;
pub(crate) mod entities;
pub mod graph;
pub mod intake;
pub mod json_strict;
pub mod library;
pub(crate) mod limits;
pub mod operations;
pub mod project;
pub mod range;
#[cfg(test)]
mod samples;
pub mod telemetry;
pub mod trials;
