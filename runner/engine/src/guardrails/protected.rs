//! Machines and people that need more care than others.
//!
//! Owns two lists of the operator: critical ones, where cutting off or locking out counts as if it
//! could not be taken back, and break-glass accounts, which are never locked out. Both are matched by
//! every name that the action was given; its provider checks that the names belong together.

use playbooks::marking::EffectClass;
use serde_json::{Map, Value};
use state::event::RefusalKind;

use super::{Question, Ruled};

/// Actions that cut a machine off or lock a person out. Their inverses are never held up.
const SHUTTING_OUT: [&str; 3] = ["edr.isolate_host", "identity.disable_user", "identity.sign_out"];
/// Inputs that name the machine or the account.
const NAMES: [&str; 4] = ["id", "hostname", "user", "account"];

/// The class with which people are asked: that of the action, and for a critical machine or person
/// the one of what cannot be taken back.
pub(super) fn class(question: &Question<'_>, declared: EffectClass) -> EffectClass {
    if declared == EffectClass::Contain && critical(question).is_some() {
        EffectClass::Destroy
    } else {
        declared
    }
}

/// The entry of the critical list that the action is about.
pub(super) fn critical<'a>(question: &Question<'a>) -> Option<&'a str> {
    let critical = &question.around.operator.guardrails.critical;
    shuts_out(question)
        .then(|| hit(critical, &question.arguments))
        .flatten()
}

/// Nobody locks a break-glass account out: it is the way back in when all others are shut.
pub(super) fn no_break_glass(question: &Question<'_>) -> Ruled<()> {
    let accounts = &question.around.operator.guardrails.break_glass;
    if !shuts_out(question) {
        return Ok(());
    }
    match hit(accounts, &question.arguments) {
        None => Ok(()),
        Some(entry) => Err((
            RefusalKind::Policy,
            format!("{entry} is a break-glass account: it is never locked out"),
        )),
    }
}

fn shuts_out(question: &Question<'_>) -> bool {
    SHUTTING_OUT.contains(&question.step.action.name.as_str())
}

/// The first entry that one of the names among the arguments is. A host name without a domain stands
/// for that name in every domain.
fn hit<'a>(entries: &'a [String], arguments: &Map<String, Value>) -> Option<&'a str> {
    let names: Vec<&str> = NAMES
        .iter()
        .filter_map(|input| arguments.get(*input)?.as_str())
        .map(str::trim)
        .collect();
    let is = |entry: &str, name: &str| {
        let label = name.split('.').next().unwrap_or_default();
        name.eq_ignore_ascii_case(entry) || (!name.contains('@') && label.eq_ignore_ascii_case(entry))
    };
    entries
        .iter()
        .map(String::as_str)
        .find(|entry| names.iter().any(|name| is(entry, name)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::hit;

    #[test]
    fn a_name_is_found_in_every_spelling_and_nothing_else_is() {
        let entries = ["RAD-01", "emergency@ville.example", "87d349ed"].map(str::to_owned);
        for (arguments, found) in [
            (
                json!({"id": "x", "hostname": "rad-01.hopital.example"}),
                Some("RAD-01"),
            ),
            (json!({"id": "rad-01"}), Some("RAD-01")),
            (
                json!({"user": "1", "account": "Emergency@Ville.example"}),
                Some("emergency@ville.example"),
            ),
            (
                json!({"user": "87D349ED", "account": "a@b.example"}),
                Some("87d349ed"),
            ),
            (json!({"hostname": "rad-011.hopital.example"}), None),
            (json!({"hostname": "x.rad-01"}), None),
            (json!({"account": "rad-01@ville.example"}), None),
            (json!({"message": "RAD-01"}), None),
            (json!({"id": 7}), None),
            (json!({}), None),
        ] {
            assert_eq!(
                hit(&entries, arguments.as_object().expect("a map")),
                found,
                "{arguments}"
            );
        }
    }
}
