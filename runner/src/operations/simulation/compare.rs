//! In what two editions of a playbook differ about one incident.

use web::view::simulation::{EffectLine, Foresight, SimulatedIncident};

/// Sets what the second edition gained and lost against the first. Effects are the same when
/// action and arguments are, whatever step has them and in whatever order. What is not known is
/// not compared.
pub(super) fn compare(one: &mut SimulatedIncident) {
    let [before, after] = one.foreseen.as_slice() else {
        return;
    };
    let (Some(mut lost), Some(after)) = (effects(before), effects(after)) else {
        return;
    };
    let mut gained = Vec::new();
    for effect in after {
        let same = |one: &EffectLine| one.action == effect.action && one.arguments == effect.arguments;
        match lost.iter().position(same) {
            Some(place) => {
                lost.remove(place);
            }
            None => gained.push(effect),
        }
    }
    (one.gained, one.lost) = (gained, lost);
}

/// The effects; none when it cannot be told whether there are any.
fn effects(foresight: &Foresight) -> Option<Vec<EffectLine>> {
    match foresight {
        Foresight::NotStarted { .. } | Foresight::Attached { .. } => Some(Vec::new()),
        Foresight::Runs { effects, .. } => Some(effects.clone()),
        Foresight::Undecided { .. } | Foresight::Broken { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use playbooks::incident::IncidentType;
    use serde_json::json;

    use super::*;

    fn line(place: &str, action: &str, target: &str) -> EffectLine {
        EffectLine {
            place: place.to_owned(),
            action: action.to_owned(),
            arguments: json!({"ip": target}),
        }
    }

    fn runs(effects: Vec<EffectLine>) -> Foresight {
        Foresight::Runs {
            status: "succeeded".to_owned(),
            effects,
            refused: Vec::new(),
        }
    }

    fn compared(foreseen: Vec<Foresight>) -> (Vec<EffectLine>, Vec<EffectLine>) {
        let mut one = SimulatedIncident {
            incident: "ID-2026-00001".parse().unwrap(),
            entity: "ville".parse().unwrap(),
            kind: IncidentType::IdsAlert,
            title: String::new(),
            received_at: Timestamp::UNIX_EPOCH,
            foreseen,
            gained: Vec::new(),
            lost: Vec::new(),
        };
        compare(&mut one);
        (one.gained, one.lost)
    }

    #[test]
    fn editions_differ_by_effects_and_not_by_steps_or_order() {
        let before = runs(vec![line("a", "block.ip", "1"), line("b", "block.ip", "2")]);
        let after = runs(vec![line("x", "block.ip", "2"), line("y", "block.ip", "3")]);
        assert_eq!(
            compared(vec![before.clone(), after]),
            (vec![line("y", "block.ip", "3")], vec![line("a", "block.ip", "1")])
        );
        let twice = runs(vec![line("x", "block.ip", "1"), line("y", "block.ip", "1")]);
        let once = runs(vec![line("x", "block.ip", "1")]);
        assert_eq!(compared(vec![twice, once]).1, vec![line("y", "block.ip", "1")]);
        let not = Foresight::NotStarted { why: String::new() };
        assert_eq!(compared(vec![before.clone(), not]).1.len(), 2);
        let undecided = Foresight::Undecided { reads: Vec::new() };
        assert_eq!(
            compared(vec![before, undecided]),
            (Vec::new(), Vec::new()),
            "what is not known is not compared"
        );
    }
}
