//! Which incidents reach a step: the limits of the playbook, narrowed by conditions such as
//! `incident.tlp <= tlp.green`.

use crate::document::Cel;
use crate::marking::{Pap, Tlp};

use super::scan;
use super::work::Work;

/// The strictest markings with which a step can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) tlp: Tlp,
    pub(super) pap: Pap,
}

/// The markings under which a step with this condition may run.
pub(super) fn reach(work: &Work<'_>, condition: Option<&Cel>) -> Reach {
    let mut reach = Reach {
        tlp: work.limits.tlp,
        pap: work.limits.pap,
    };
    for cel in condition.into_iter().chain(&work.document.trigger.when) {
        for part in scan::conjuncts(&cel.text) {
            if let Some(tlp) = bound(&part, "tlp", Tlp::ALL, Tlp::word) {
                reach.tlp = reach.tlp.min(tlp);
            }
            if let Some(pap) = bound(&part, "pap", Pap::ALL, Pap::word) {
                reach.pap = reach.pap.min(pap);
            }
        }
    }
    reach
}

/// The highest word that `incident.<name> <= <name>.<word>`, `<` or `==` lets through.
fn bound<T: Copy>(part: &str, name: &str, all: &[T], word: impl Fn(T) -> &'static str) -> Option<T> {
    let rest = part.strip_prefix("incident.")?.strip_prefix(name)?;
    let (rest, strict) = match rest.strip_prefix("<=").or_else(|| rest.strip_prefix("==")) {
        Some(rest) => (rest, false),
        None => (rest.strip_prefix('<')?, true),
    };
    let wanted = rest.strip_prefix(name)?.strip_prefix('.')?;
    let at = all.iter().position(|candidate| word(*candidate) == wanted)?;
    let at = if strict { at.checked_sub(1)? } else { at };
    all.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_bounds_the_marking() {
        let tlp = |part: &str| bound(part, "tlp", Tlp::ALL, Tlp::word);
        assert_eq!(tlp("incident.tlp<=tlp.green"), Some(Tlp::Green));
        assert_eq!(tlp("incident.tlp<tlp.amber"), Some(Tlp::Green));
        assert_eq!(tlp("incident.tlp==tlp.clear"), Some(Tlp::Clear));
        assert_eq!(tlp("incident.tlp>=tlp.green"), None);
        assert_eq!(tlp("incident.tlp<=tlp.green||x"), None);
    }
}
