//! Accounts of people in the entity's directory: reading about them, signing them out, locking them.
//!
//! Owns the family `identity.*`. Whether an account may be locked is the guardrails' and people's
//! decision, made before anything here runs.

pub(crate) mod entra;
pub(crate) mod specs;
