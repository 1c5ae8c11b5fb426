//! The playbook language: from YAML text to a checked, compiled plan.
//!
//! Owns the words a playbook may use, their types and their meaning. Pure: no clock, no
//! network, no files, no async runtime. Imports nothing else of this workspace.
//!
//! Map of the crate, in reading order:
//! - the nouns: [`incident`], [`marking`], [`operator`] (entities, connections, guardrails);
//! - what the language knows of an action: [`types`], [`values`], [`action_spec`];
//! - places and messages: [`diagnostic`], [`snippet`], and a page for each code in [`codes`];
//! - the way of a file: [`yaml`] reads the tree, [`document`] knows its keys, [`compile`] gives
//!   it meaning, [`revision`] its identity;
//! - the two façades over foreign languages: [`expression`] (CEL), [`template`] (Handlebars),
//!   both reading through [`names::Names`], and [`arguments`], the trees made of them;
//! - the result: [`plan`], and [`trial`], the tests of one;
//! - beside the way: [`writer`] for YAML output, [`repair`] of what a machine may repair,
//!   [`schema`] for editors.

pub mod action_spec;
pub mod arguments;
pub mod codes;
pub mod compile;
pub mod diagnostic;
pub mod document;
pub mod duration;
pub mod expression;
pub mod incident;
pub mod marking;
pub mod names;
pub mod operator;
pub mod plan;
pub mod repair;
pub mod revision;
pub mod schedule;
pub mod schema;
pub mod snippet;
mod suggestion;
pub mod template;
pub mod trial;
pub mod types;
pub mod values;
pub mod writer;
pub mod yaml;
