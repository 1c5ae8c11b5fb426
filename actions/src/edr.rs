//! Machines under an endpoint detection and response product: reading about them, cutting them off
//! the network, letting them back.
//!
//! Owns the family `edr.*`. Whether a machine may be cut off is the guardrails' and people's
//! decision, made before anything here runs.

pub(crate) mod defender;
pub(crate) mod specs;
