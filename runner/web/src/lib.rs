//! The door for people and programs: everything a user can do, and how it is asked over HTTP.
//!
//! Owns the trait [`Operations`], the forms in which its answers are shown, the route table, the
//! server and the client. It never decides what happens next (that is `engine`), never reads a
//! store by itself and never performs an effect: whoever implements [`Operations`] does.
//!
//! Map of the crate, in reading order:
//! - what can be asked and answered: [`operations`], [`view`], [`error`];
//! - a run as people read it: [`timeline`], and how it is followed: [`live`].

pub mod error;
pub mod live;
pub mod operations;
pub mod timeline;
pub mod view;

pub use error::OperationError;
pub use operations::{AsPrincipal, Myself, Operations};
