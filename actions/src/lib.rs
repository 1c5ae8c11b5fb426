//! What touches the world: the `Action` trait, the one egress door, and the integrations.
//!
//! Owns how an effect is done. Never sees the store: an action cannot write history. What an
//! action wants remembered it returns as data ([`action::HouseChange`]), and the commit that
//! records its outcome stores it.

pub mod action;
mod arguments;
mod ask;
mod block;
mod breaker;
mod cache;
pub mod catalogue;
pub mod clock;
pub mod connection;
mod edr;
pub mod egress;
mod enrich;
mod extract;
mod http_request;
mod identity;
mod incident_update;
pub mod notify;
mod odata;
mod rate;
pub mod registry;
mod takedown;
mod ticket;
mod wait;

#[cfg(test)]
pub(crate) mod contract;

#[cfg(test)]
mod testing;
