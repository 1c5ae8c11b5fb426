//! The key of an effect.
//!
//! Owns its ingredients. No attempt number is among them: all attempts of one intention share a
//! key, so the far end can fold them.

use playbooks::revision::canonical_json;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use state::event::Started;
use state::ids::{EffectKey, Path};

/// SHA-256 over entity, run, step path, item, generation, action and canonical arguments.
/// The generation counts deliberate repetitions by a person. `None` only if a digest were not 64 hexadecimal digits.
pub(crate) fn effect_key(
    started: &Started,
    path: &Path,
    generation: u32,
    action: &str,
    arguments: &Value,
) -> Option<EffectKey> {
    let step = if path.undo {
        format!("undo:{}", path.step)
    } else {
        path.step.to_string()
    };
    let ingredients = json!([
        started.entity.as_str(),
        started.run.as_str(),
        step,
        path.item,
        generation,
        action,
        arguments,
    ]);
    hex::encode(Sha256::digest(canonical_json(&ingredients)))
        .parse()
        .ok()
}
