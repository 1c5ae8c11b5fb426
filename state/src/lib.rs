//! What Sortie remembers: stored types with versions, the store contract, and the stores.
//!
//! Owns events, their durability and who may ask for them. Never performs an effect and never
//! decides what happens next. Without the feature `embedded` the crate is types and traits only,
//! which is all the engine may see.

pub mod access;
pub mod event;
pub mod ids;
pub mod store;

#[cfg(any(feature = "embedded", feature = "memory"))]
mod audit;
#[cfg(any(feature = "embedded", feature = "memory"))]
mod fold;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(any(feature = "embedded", feature = "memory"))]
mod paging;
#[cfg(any(feature = "embedded", feature = "memory"))]
mod record;
