//! What Sortie remembers: stored types with versions, the store contract, and the stores.
//!
//! Owns events, their durability and who may ask for them. Never performs an effect and never
//! decides what happens next. Without the feature `embedded` the crate is types and traits only,
//! which is all the engine may see.

pub mod access;
pub mod event;
pub mod ids;
pub mod store;
