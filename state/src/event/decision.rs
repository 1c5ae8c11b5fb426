//! What people decide. Part of [`crate::event`], with the same promise about its form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::Path;

/// What became of a place, as a person says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Settlement {
    /// Sortie's attempt had happened.
    Done {
        /// Outputs, checked against the action's promise.
        output: Value,
    },
    /// It had not happened: it is tried again or fails, as its policy says.
    NotDone,
    /// A person did it, beside Sortie.
    ByHand {
        /// Outputs, checked against the action's promise.
        output: Value,
    },
}

/// What takes one effect back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inverse {
    /// Where the effect was had.
    pub path: Path,
    /// The capability that takes it back.
    pub action: String,
    /// Through which connections: those of the effect.
    pub connections: Vec<String>,
    /// The arguments, resolved.
    pub arguments: Value,
}
