//! What came of attempts and of questions about them. Part of [`crate::event`], with the same promise
//! about its form.

use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Done.
    Succeeded {
        /// Outputs, checked against the action's promise.
        output: Value,
        /// What the far end calls it (ticket number, message id), for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
    /// Not done.
    Failed {
        /// Kind, for decisions.
        kind: ErrorKind,
        /// In words, without secrets.
        detail: String,
        /// Whether it is certain that nothing happened outside. `false` makes an effect doubtful.
        not_sent: bool,
        /// When the far end asks to be tried again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<Span>,
    },
    /// Simulated: would have been sent.
    Simulated {
        /// The example output that the run goes on with.
        output: Value,
    },
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ProbeAnswer {
    /// It happened; here are its outputs.
    Done {
        /// Outputs.
        output: Value,
    },
    /// It did not happen.
    NotDone,
    /// Cannot tell.
    CannotTell {
        /// Why.
        detail: String,
    },
}
