//! How much one evaluation may cost, whatever it is fed.
//!
//! Owns the counters. CEL has no fuel of its own; together with the guards on the text these
//! limits make every evaluation end soon.

use serde_json::Value;

/// Nodes, items and comparisons of one evaluation.
pub const EVALUATION_STEPS_MAX: u64 = 4_000_000;
/// Bytes of the values one evaluation may make.
pub const EVALUATION_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What is left for one evaluation.
#[derive(Debug)]
pub(super) struct Budget {
    steps: u64,
    bytes: u64,
}

impl Budget {
    pub(super) const fn new() -> Self {
        Self {
            steps: EVALUATION_STEPS_MAX,
            bytes: EVALUATION_BYTES_MAX,
        }
    }
    /// Pays for work.
    pub(super) fn steps(&mut self, steps: usize) -> Result<(), String> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.steps = self
            .steps
            .checked_sub(steps)
            .ok_or_else(|| format!("this takes more than {EVALUATION_STEPS_MAX} steps"))?;
        Ok(())
    }
    /// Pays for a value before it is made.
    pub(super) fn bytes(&mut self, bytes: usize) -> Result<(), String> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes = self
            .bytes
            .checked_sub(bytes)
            .ok_or_else(|| format!("this makes more than {EVALUATION_BYTES_MAX} bytes"))?;
        Ok(())
    }
    /// Pays for a copy of a value.
    pub(super) fn copy(&mut self, value: &Value) -> Result<Value, String> {
        self.bytes(weight(value))?;
        Ok(value.clone())
    }
}

/// Roughly how many bytes a value takes.
pub(crate) fn weight(value: &Value) -> usize {
    const CELL: usize = 32;
    CELL + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| CELL + name.len() + weight(field))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
