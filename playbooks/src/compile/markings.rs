//! TLP and PAP, statically: what a marking would refuse for some incident that the playbook
//! accepts. The engine refuses at run time in any case.

use crate::action_spec::ActionSpec;
use crate::diagnostic::Place;
use crate::document::Step;
use crate::marking::{EffectClass, Exposure, Pap, Tlp};
use crate::operator::Connection;
use crate::plan::OnFailure;

use super::effects::named_connection;
use super::guards;
use super::work::Work;

/// PB305, PB306: what a marking would refuse for some incident that the playbook accepts.
pub(super) fn check(work: &mut Work<'_>, step: &Step, action: &ActionSpec, class: EffectClass) {
    let stops = step
        .on_failure
        .as_ref()
        .is_none_or(|placed| placed.value != OnFailure::Continue);
    let effect = class > EffectClass::Record;
    if !effect && !stops {
        return;
    }
    let reach = guards::reach(work, step.condition.as_ref());
    let Some(refusal) =
        pap_refusal(work, step, action, reach.pap).or_else(|| tlp_refusal(work, step, action, reach.tlp))
    else {
        return;
    };
    let place = step.using.as_ref().map_or(&step.uses.place, |using| &using.place);
    let mut finding = if effect {
        work.error("PB305", place, refusal.message)
    } else {
        work.warning("PB306", place, refusal.message)
    };
    finding = finding.label(refusal.label);
    if let Some(limit) = &refusal.limit {
        finding = finding.evidence(
            work.source,
            limit.clone(),
            "the playbook accepts incidents up to here",
        );
    }
    finding = finding
        .help(format!("guard it: `if: {}`", refusal.guard))
        .help(format!("or accept less: `limits: {{{}}}`", refusal.accept));
    if !effect {
        finding = finding.help("or let the run go on without it: `on_failure: continue`");
    }
    work.report(finding.note("the engine would refuse it at run time in any case"));
}

struct Refusal {
    message: String,
    label: String,
    limit: Option<Place>,
    guard: String,
    accept: String,
}

fn pap_refusal(work: &Work<'_>, step: &Step, action: &ActionSpec, reached: Pap) -> Option<Refusal> {
    let connection = named_connection(work, step);
    let exposure = if action.name == "http.request" {
        connection
            .and_then(|connection| connection.exposure)
            .unwrap_or(action.exposure)
    } else {
        action.exposure
    };
    let ceiling = connection
        .filter(|connection| !connection.house)
        .map_or(Pap::Red, |connection| connection.pap);
    let highest = exposure.highest_pap().min(ceiling);
    if reached <= highest {
        return None;
    }
    let who = match exposure {
        Exposure::None => "the connection accepts less",
        Exposure::Lookup => "a third party learns what is looked up",
        Exposure::Active => "the adversary may notice",
        Exposure::Public => "strangers learn the case",
    };
    Some(Refusal {
        message: format!(
            "`{}` may run up to {}, and this playbook accepts {}",
            action.name,
            highest.label(),
            reached.label()
        ),
        label: who.to_owned(),
        limit: work
            .document
            .limits
            .pap
            .as_ref()
            .map(|placed| placed.place.clone()),
        guard: format!("incident.pap <= pap.{highest}"),
        accept: format!("pap: {highest}"),
    })
}

fn tlp_refusal(work: &Work<'_>, step: &Step, action: &ActionSpec, reached: Tlp) -> Option<Refusal> {
    if action.discloses.is_empty() || !action.needs_connection {
        return None;
    }
    let operator = work.environment.operator?;
    let candidates: Vec<&Connection> = match &step.using {
        Some(_) => named_connection(work, step).into_iter().collect(),
        None => operator
            .connections
            .values()
            .filter(|connection| connection.offers(&action.name))
            .collect(),
    };
    let best = candidates.iter().max_by_key(|connection| {
        if connection.house {
            Tlp::Red
        } else {
            connection.tlp
        }
    })?;
    if best.house || reached <= best.tlp {
        return None;
    }
    let ceiling = best.tlp;
    Some(Refusal {
        message: format!(
            "this would send {} data to a service that accepts {}",
            reached.label(),
            ceiling.label()
        ),
        label: format!(
            "learns {}; `{}` accepts tlp: {ceiling}",
            action.discloses.join(", "),
            best.name
        ),
        limit: work
            .document
            .limits
            .tlp
            .as_ref()
            .map(|placed| placed.place.clone()),
        guard: format!("incident.tlp <= tlp.{ceiling}"),
        accept: format!("tlp: {ceiling}"),
    })
}
