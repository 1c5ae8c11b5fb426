//! Messages to people: mails to entities and reporters, posts to our own team.
//!
//! Owns what a message looks like on the wire and who may receive it. The words come rendered
//! from the engine.

pub(crate) mod specs;
pub(crate) mod text;
