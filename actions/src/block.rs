//! Blocking addresses, domains and links for one entity, and taking blocks back.
//!
//! Owns how a block enters the pull list or a firewall. Whether it may is the guardrails'
//! decision, made before anything here runs.

pub(crate) mod specs;
