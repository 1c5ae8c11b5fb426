//! The door for people and programs: everything a user can do, and how it is asked over HTTP.
//!
//! Owns the trait [`Operations`], the forms in which its answers are shown, the route table, the
//! server and the client. It never decides what happens next (that is `engine`), never reads a
//! store by itself and never performs an effect: whoever implements [`Operations`] does.
//!
//! Map of the crate, in reading order:
//! - what can be asked and answered: [`operations`], [`view`], [`error`];
//! - a run as people read it: [`timeline`], and how it is followed: [`live`];
//! - the table: [`routes`], its description: [`openapi`], its handlers: `api`;
//! - from a socket to a handler: [`server`], [`authentication`], [`pace`], `service`, `request`;
//! - for people with a browser: `page`;
//! - the other end: [`client`].

mod api;
pub mod authentication;
pub mod client;
pub mod error;
#[cfg(test)]
mod fake;
pub mod live;
pub mod openapi;
pub mod operations;
pub mod pace;
mod page;
mod problem;
mod query;
mod request;
pub mod routes;
pub mod server;
mod service;
pub mod timeline;
pub mod view;

pub use authentication::Authentication;
pub use client::Client;
pub use error::OperationError;
pub use operations::{AsPrincipal, Myself, Operations};
pub use pace::RequestLimits;
pub use server::serve;
