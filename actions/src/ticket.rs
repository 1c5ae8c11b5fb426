//! Tickets in the systems people work in.
//!
//! Owns how a ticket is opened, found again and added to. Sortie's own incident is not a ticket.

pub(crate) mod specs;
