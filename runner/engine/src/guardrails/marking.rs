//! TLP and PAP against the ceilings of connections and the exposure of actions.
//!
//! Owns which marking a step carries and who may receive it. A marking is only ever made
//! stricter here.

use playbooks::incident::Incident;
use playbooks::marking::{EffectClass, Exposure, Pap, Tlp};
use playbooks::operator::Connection;
use playbooks::plan::Plan;
use serde_json::{Map, Value};
use state::event::{LeftOut, RefusalKind};

use super::{HTTP_REQUEST, Question, Ruled};
use crate::run::Run;

/// A TLP and a PAP together. What is not marked counts as amber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marking {
    pub(crate) tlp: Tlp,
    pub(crate) pap: Pap,
}

/// Connections that may be used, and those that may not.
#[derive(Debug)]
pub(super) struct Used<'a> {
    pub(super) connections: Vec<&'a Connection>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Why an incident is too strict for a playbook, if it is.
pub fn ceilings_of_start(plan: &Plan, incident: &Incident) -> Option<String> {
    let limits = &plan.limits;
    if incident.tlp > limits.tlp {
        Some(format!(
            "the incident is {}, `{}` accepts up to {}",
            incident.tlp.label(),
            plan.id,
            limits.tlp.label()
        ))
    } else if incident.pap > limits.pap {
        Some(format!(
            "the incident is {}, `{}` accepts up to {}",
            incident.pap.label(),
            plan.id,
            limits.pap.label()
        ))
    } else {
        None
    }
}

/// The marking of the incident as the run sees it.
pub(crate) fn of_incident(run: &Run) -> Marking {
    let word = |name: &str| run.started.facts.get(name).and_then(Value::as_str);
    Marking {
        tlp: word("tlp").map_or(Tlp::Amber, |word| word.parse().unwrap_or(Tlp::Red)),
        pap: word("pap").map_or(Pap::Amber, |word| word.parse().unwrap_or(Pap::Red)),
    }
}

/// The marking of the incident, or the stricter one of an observable that the arguments contain
/// or of the mail that they hold.
pub(super) fn of_step(run: &Run, arguments: &Map<String, Value>) -> Marking {
    let mut marking = of_incident(run);
    let mail = arguments
        .get("rendered")
        .and_then(|mail| mail.get("tlp")?.as_str());
    if let Some(word) = mail {
        marking.tlp = marking.tlp.max(word.parse().unwrap_or(Tlp::Red));
    }
    let observables = run.started.facts.get("observables").and_then(Value::as_array);
    for observable in observables.into_iter().flatten() {
        let text = |name: &str| observable.get(name).and_then(Value::as_str);
        let (Some(word), Some(value)) = (text("tlp"), text("value")) else {
            continue;
        };
        let tlp = word.parse().unwrap_or(Tlp::Red);
        if tlp > marking.tlp && !value.is_empty() && arguments.values().any(|argument| says(argument, value))
        {
            marking.tlp = tlp;
        }
    }
    marking
}

fn says(argument: &Value, text: &str) -> bool {
    match argument {
        Value::String(found) => found.contains(text),
        Value::Array(items) => items.iter().any(|item| says(item, text)),
        Value::Object(fields) => fields.values().any(|field| says(field, text)),
        _ => false,
    }
}

/// Leaves out the connections that may not learn this. Without any left the action is refused;
/// only merged look-ups may go on with fewer.
pub(super) fn below_ceilings<'a>(
    question: &Question<'_>,
    chosen: Vec<&'a Connection>,
    marking: Marking,
    effect: EffectClass,
) -> Ruled<Used<'a>> {
    if chosen.is_empty() {
        exposure_fits(question, question.step.action.exposure, marking)?;
    }
    let mut used = Used {
        connections: Vec::new(),
        left_out: Vec::new(),
    };
    let mut first = None;
    for connection in chosen {
        match fits(question, connection, marking, effect) {
            Ok(()) => used.connections.push(connection),
            Err((kind, why)) => {
                used.left_out.push(LeftOut {
                    connection: connection.name.clone(),
                    why: why.clone(),
                });
                first.get_or_insert((kind, why));
            }
        }
    }
    match first {
        Some(refusal) if used.connections.is_empty() => Err(refusal),
        _ => Ok(used),
    }
}

fn fits(
    question: &Question<'_>,
    connection: &Connection,
    marking: Marking,
    effect: EffectClass,
) -> Ruled<()> {
    exposure_fits(question, exposure_through(question, connection, effect), marking)?;
    if connection.house {
        return Ok(());
    }
    let name = &connection.name;
    if marking.tlp == Tlp::Red {
        return Err((
            RefusalKind::Tlp,
            format!("TLP:RED never leaves the house, and `{name}` is outside"),
        ));
    }
    if marking.tlp > connection.tlp {
        return Err((
            RefusalKind::Tlp,
            format!(
                "this is {}, `{name}` accepts up to {}",
                marking.tlp.label(),
                connection.tlp.label()
            ),
        ));
    }
    if marking.pap > connection.pap {
        return Err((
            RefusalKind::Pap,
            format!(
                "this is {}, `{name}` may be used up to {}",
                marking.pap.label(),
                connection.pap.label()
            ),
        ));
    }
    Ok(())
}

/// Who may notice. A look-up in one of our own systems tells nobody.
fn exposure_through(question: &Question<'_>, connection: &Connection, effect: EffectClass) -> Exposure {
    let declared = question.step.action.exposure;
    if question.step.action.name == HTTP_REQUEST {
        if connection.house && effect <= EffectClass::Record {
            return Exposure::None;
        }
        return connection.exposure.unwrap_or(declared);
    }
    if connection.house && declared == Exposure::Lookup {
        Exposure::None
    } else {
        declared
    }
}

fn exposure_fits(question: &Question<'_>, exposure: Exposure, marking: Marking) -> Ruled<()> {
    let highest = exposure.highest_pap();
    if marking.pap <= highest {
        return Ok(());
    }
    let noticed = match exposure {
        Exposure::None => "nobody notices it",
        Exposure::Lookup => "a third party learns of it",
        Exposure::Active => "the adversary may notice it",
        Exposure::Public => "strangers learn of it",
    };
    Err((
        RefusalKind::Pap,
        format!(
            "this is {}, and {} is allowed up to {}: {noticed}",
            marking.pap.label(),
            question.step.action.name,
            highest.label()
        ),
    ))
}
