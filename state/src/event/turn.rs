//! What runs take turns with. Part of [`crate::event`], with the same promise about stored names.

use serde::{Deserialize, Serialize};

use super::Started;

impl Started {
    /// What the run takes turns with: equal for runs of one entity, playbook and key.
    pub fn turns(&self) -> Option<String> {
        let turn = self.turn.as_ref()?;
        Some(format!("{} {} {}", self.entity, self.playbook.id, turn.key))
    }

    /// What it waits for before it begins, for people; empty when it begins at once.
    pub fn waits_for(&self) -> String {
        let words = |turn: &Turn| {
            let (limit, key) = (turn.limit, &turn.key);
            format!(
                "waits for its turn: at most {limit} of `{}` at once for {key}",
                self.playbook.id
            )
        };
        self.turn.as_ref().map_or_else(String::new, words)
    }
}

/// `concurrency` of a playbook, resolved for one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Canonical JSON of the key.
    pub key: String,
    /// How many runs of the key may be at work at once.
    pub limit: u32,
}
