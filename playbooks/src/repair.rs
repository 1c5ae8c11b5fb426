//! Repairs that a machine may make in a playbook's text.
//!
//! Owns which findings are repaired without asking, and the exchange of bytes. Nothing but the
//! places of the findings changes: comments and layout stay what they are. Reads and writes no
//! file.

use crate::compile::{Bundle, Environment, compile};
use crate::diagnostic::{Diagnostic, Fix, Place};

/// The codes whose repair changes how a text is written and not what its author meant.
pub const REPAIRABLE: &[&str] = &["PB103", "PB104", "PB105", "PB106", "PB111"];
/// Times a text is repaired and checked again: the reader of YAML stops at its first surprise, so
/// that many hide behind one another.
pub const PASSES_MAX: usize = 200;

/// A text after all repairs that could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The text; the same as before when nothing was repaired.
    pub text: String,
    /// The codes that were repaired, one entry a repair, in order.
    pub made: Vec<&'static str>,
}

/// Repairs the text of a playbook as far as a machine may. Repairing again changes nothing.
pub fn repaired(bundle: &Bundle, environment: Environment<'_>) -> Repaired {
    let mut bundle = bundle.clone();
    let mut made = Vec::new();
    let mut found = compile(&bundle, environment).diagnostics;
    for _ in 0..PASSES_MAX {
        let repairs = repairs(&found, &bundle.name);
        let Some(pass) = apply(&bundle.playbook, &repairs) else {
            break;
        };
        let before = std::mem::replace(&mut bundle.playbook, pass.text);
        let after = compile(&bundle, environment).diagnostics;
        let in_vain = self::repairs(&after, &bundle.name).iter().any(|(again, fix)| {
            pass.places
                .iter()
                .any(|(code, place)| again.code == *code && overlap(&fix.place, place))
        });
        if in_vain {
            bundle.playbook = before;
            break;
        }
        made.extend(pass.places.into_iter().map(|(code, _)| code));
        found = after;
    }
    Repaired {
        text: bundle.playbook,
        made,
    }
}

/// How many findings about a text can be repaired at once.
pub fn repairable(found: &[Diagnostic], name: &str) -> usize {
    repairs(found, name).len()
}

/// The findings about a text that can be repaired at once, in order of place: none overlaps the
/// one before.
fn repairs<'d>(found: &'d [Diagnostic], name: &str) -> Vec<(&'d Diagnostic, &'d Fix)> {
    let mut repairs: Vec<_> = found
        .iter()
        .filter(|one| &*one.primary.source.name == name && REPAIRABLE.contains(&one.code))
        .filter_map(|one| Some((one, one.fix.as_ref()?)))
        .collect();
    repairs.sort_by_key(|(_, fix)| (fix.place.start, fix.place.end));
    let mut free_from = 0;
    repairs.retain(|(_, fix)| {
        let apart = fix.place.start >= free_from && fix.place.end >= fix.place.start;
        if apart {
            free_from = fix.place.end;
        }
        apart
    });
    repairs
}

/// A text after one pass.
struct Pass {
    text: String,
    /// What was repaired, and where its replacement stands now.
    places: Vec<(&'static str, Place)>,
}

/// Exchanges the places of repairs that do not overlap; none when there are none, or when one is
/// not in the text.
fn apply(text: &str, repairs: &[(&Diagnostic, &Fix)]) -> Option<Pass> {
    if repairs.is_empty() {
        return None;
    }
    let mut pass = Pass {
        text: String::with_capacity(text.len()),
        places: Vec::with_capacity(repairs.len()),
    };
    let mut taken = 0;
    for (found, fix) in repairs {
        pass.text.push_str(text.get(taken..fix.place.start)?);
        let start = pass.text.len();
        pass.text.push_str(&fix.replacement);
        pass.places.push((found.code, start..pass.text.len()));
        taken = fix.place.end;
    }
    pass.text.push_str(text.get(taken..)?);
    Some(pass)
}

fn overlap(one: &Place, two: &Place) -> bool {
    one.start < two.end && two.start < one.end
}

#[cfg(test)]
mod tests;
