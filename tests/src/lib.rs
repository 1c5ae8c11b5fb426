//! The world a test of Sortie stands in: a real process, a range of fake services, a store that can
//! be cut at any write, and a load generator.
//!
//! Owns starting and killing the binary, and asking it over its own client. Checks nothing itself.

pub mod hooked;
pub mod kill_at;
pub mod kills;
pub mod load;
pub mod power_loss;
pub mod samples;
pub mod simulation;
pub mod soc;
pub mod tenants;
