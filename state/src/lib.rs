//! What Sortie remembers: stored types with versions, the store contract, and the stores.
//!
//! Owns events, their durability and who may ask for them. Never performs an effect and never
//! decides what happens next. Without the feature `embedded` the crate is types and traits only,
//! which is all the engine may see.

pub mod access;
pub mod event;
pub mod ids;
pub mod store;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "embedded")]
pub mod disk;
#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "memory")]
pub mod memory;

#[cfg(any(feature = "embedded", feature = "memory"))]
mod audit;
#[cfg(any(feature = "embedded", feature = "memory"))]
mod fold;
#[cfg(feature = "embedded")]
mod index;
#[cfg(feature = "embedded")]
mod journal;
#[cfg(any(feature = "embedded", feature = "memory"))]
mod paging;
#[cfg(any(feature = "embedded", feature = "memory"))]
mod record;
