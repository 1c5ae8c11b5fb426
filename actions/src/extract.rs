//! Reading observables out of what arrived: mails and free text.
//!
//! Owns parsing and refanging. Looks nothing up and follows no link.

pub(crate) mod specs;
