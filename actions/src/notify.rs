//! Messages to people: mails to entities and reporters, posts to our own team.
//!
//! Owns what a message looks like on the wire and who may receive it. The words come rendered
//! from the engine.

pub mod invitation;
pub(crate) mod letter;
pub(crate) mod mail;
pub(crate) mod mattermost;
pub(crate) mod specs;
mod team;
pub(crate) mod team_mail;
pub(crate) mod text;
mod words;
