//! PB308: waits that add up to more than the run may take.
//!
//! Owns how long a step may wait as far as the text shows it. What is known only at run time is not
//! counted; the time of the run ends it then.

use std::collections::HashMap;

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::arguments::Argument;
use crate::duration::Span;
use crate::plan::{self, Approval, Edge, Node};

use super::repeat::literal;
use super::undo::input_maximum;
use super::work::Work;

/// Checks every path, and reports the step at which the first of them becomes too long.
pub(super) fn check(
    work: &mut Work<'_>,
    graph: &DiGraph<Node, Edge>,
    steps: &indexmap::IndexMap<String, plan::Step>,
) {
    let longest = work.limits.time.as_milliseconds();
    let mut waited: HashMap<NodeIndex, i64> = HashMap::new();
    let mut findings = Vec::new();
    for index in toposort(graph, None).unwrap_or_default() {
        let before = graph
            .neighbors_directed(index, Direction::Incoming)
            .filter_map(|earlier| waited.get(&earlier).copied())
            .max()
            .unwrap_or(0);
        let own = match graph.node_weight(index) {
            Some(Node::Step(id)) => steps.get(id).map_or(0, |step| wait_of(work, step)),
            _ => 0,
        };
        let total = before.saturating_add(own);
        waited.insert(index, total);
        let Some(Node::Step(id)) = graph.node_weight(index) else {
            continue;
        };
        if before > longest || total <= longest {
            continue;
        }
        let Some(step) = work.step(id) else { continue };
        let spent = Span::milliseconds(total);
        let finding = work.error(
            "PB308",
            &step.id.place,
            format!(
                "with `{id}` the waits add up to {spent}, and the run may take {}",
                work.limits.time
            ),
        );
        let finding = match &work.document.limits.time {
            Some(time) => finding.evidence(work.source, time.place.clone(), "then the run fails"),
            None => finding.label("without `limits.time` a run may take this long"),
        };
        findings.push(finding.help(format!(
            "write `limits: {{time: ...}}` of more than {spent}, or wait less"
        )));
    }
    for finding in findings {
        work.report(finding);
    }
}

/// The longest that a step may wait by itself, in milliseconds.
fn wait_of(work: &Work<'_>, step: &plan::Step) -> i64 {
    let known = |argument: &Argument| match argument {
        Argument::Value(expression) => {
            let value = input_maximum(work, expression.source());
            value
                .as_ref()
                .and_then(|value| value.as_str()?.parse::<Span>().ok())
        }
        other => literal(other),
    };
    let span = |argument: Option<&Argument>| argument.and_then(known).map(Span::as_milliseconds);
    let waits = match &step.action {
        action if action.waits() => span(step.with.get("duration")),
        action if action.asks_people() => span(step.with.get("within")),
        _ => None,
    };
    let repeats = step.repeat.as_ref().and_then(|repeat| {
        let by_count = repeat.times.as_ref().and_then(|times| {
            let times = count(work, times)? - i64::from(!repeat.wait_first);
            Some(span(Some(&repeat.every))?.saturating_mul(times.max(0)))
        });
        let by_time = span(repeat.at_most.as_ref());
        by_count.into_iter().chain(by_time).min()
    });
    let asked = match &step.approval {
        Some(Approval::Ask(ask)) => Some(ask.within.as_milliseconds()),
        _ => None,
    };
    [waits, repeats, asked]
        .into_iter()
        .flatten()
        .fold(0, i64::saturating_add)
}

fn count(work: &Work<'_>, times: &Argument) -> Option<i64> {
    match times {
        Argument::Literal(value) => value.as_i64(),
        Argument::Value(expression) => input_maximum(work, expression.source())?.as_i64(),
        _ => None,
    }
}
