//! What people decide. Part of [`crate::event`], with the same promise about its form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
