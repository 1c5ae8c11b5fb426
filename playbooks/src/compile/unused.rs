//! What is written and has no consequence: PB232, PB233, PB234.

use std::collections::BTreeSet;

use petgraph::algo::has_path_connecting;
use petgraph::graph::DiGraph;
use petgraph::visit::EdgeFiltered;

use crate::diagnostic::Place;
use crate::marking::EffectClass;
use crate::plan::{Edge, Node};

use super::scan;
use super::work::Work;

/// Checks the whole playbook.
pub(super) fn check(work: &mut Work<'_>, graph: &DiGraph<Node, Edge>) {
    implied_after(work, graph);
    unread_results(work);
    unused_names(work);
}

/// PB232: `after` on a step whose value is waited for anyway.
fn implied_after(work: &mut Work<'_>, graph: &DiGraph<Node, Edge>) {
    use petgraph::visit::EdgeRef;
    let document = work.document;
    let index = |id: &str| {
        graph
            .node_indices()
            .find(|index| graph.node_weight(*index) == Some(&Node::Step(id.to_owned())))
    };
    let mut findings = Vec::new();
    for step in document.steps.iter().filter(|step| !step.after.is_empty()) {
        for earlier in &step.after {
            let (Some(from), Some(to)) = (index(&earlier.value), index(&step.id.value)) else {
                continue;
            };
            let without = EdgeFiltered::from_fn(graph, |edge| {
                !(edge.source() == from && edge.target() == to && *edge.weight() == Edge::After)
            });
            if has_path_connecting(&without, from, to, None) {
                findings.push(
                    work.warning(
                        "PB232",
                        &earlier.place,
                        format!("`{}` waits for `{}` anyway", step.id.value, earlier.value),
                    )
                    .help("remove it from `after`; the order follows from the data"),
                );
            }
        }
    }
    work.findings.extend(findings);
}

/// PB233: a look-up nobody looks at.
fn unread_results(work: &mut Work<'_>) {
    let read: BTreeSet<&str> = work
        .readings
        .iter()
        .flat_map(|reading| reading.reads.iter().filter_map(|read| read.step()))
        .collect();
    let document = work.document;
    let mut findings = Vec::new();
    for step in &document.steps {
        let id = step.id.value.as_str();
        let awaited = document
            .steps
            .iter()
            .any(|other| other.after.iter().any(|earlier| earlier.value == id));
        let is_read = work.action(step).is_some_and(|action| {
            action.effect == EffectClass::Read
                && !action.outputs.is_empty()
                && !action.name.starts_with("wait.")
        });
        if is_read && !awaited && !read.contains(id) {
            findings.push(
                work.warning(
                    "PB233",
                    &step.id.place,
                    format!("nobody reads the result of `{id}`"),
                )
                .help("remove the step, or use its result"),
            );
        }
    }
    work.findings.extend(findings);
}

/// PB234: lets, inputs and enums that no text mentions.
fn unused_names(work: &mut Work<'_>) {
    let document = work.document;
    let mut roots: BTreeSet<String> = BTreeSet::new();
    let mut inputs: BTreeSet<String> = BTreeSet::new();
    let mut types: BTreeSet<String> = BTreeSet::new();
    for reading in &work.readings {
        for read in &reading.reads {
            match read.path.as_slice() {
                [root, name, ..] if root == "inputs" => {
                    inputs.insert(name.clone());
                }
                [root] if root == "inputs" => {
                    inputs.extend(document.inputs.iter().map(|input| input.name.value.clone()));
                }
                [root, ..] => {
                    roots.insert(root.clone());
                }
                [] => {}
            }
        }
        // Constants of an enum are no reads; the text shows them.
        if let Some(text) = reading.node.text() {
            let mentions = if text.contains("{{") {
                scan::template(text)
            } else {
                scan::expression(text)
            };
            types.extend(
                mentions
                    .iter()
                    .filter_map(|mention| mention.path.first().map(|root| (*root).to_owned())),
            );
        }
    }
    types.extend(document.inputs.iter().map(|input| input.ty.value.clone()));
    let mut unused: Vec<(Place, String)> = Vec::new();
    for named in document
        .lets
        .iter()
        .filter(|named| !roots.contains(&named.name.value))
    {
        unused.push((
            named.name.place.clone(),
            format!("nobody reads `{}`", named.name.value),
        ));
    }
    for input in document
        .inputs
        .iter()
        .filter(|input| !inputs.contains(&input.name.value))
    {
        unused.push((
            input.name.place.clone(),
            format!("nobody reads the input `{}`", input.name.value),
        ));
    }
    for entry in document
        .enums
        .iter()
        .filter(|entry| !types.contains(&entry.name.value))
    {
        unused.push((
            entry.name.place.clone(),
            format!("nobody uses the enum `{}`", entry.name.value),
        ));
    }
    for (place, message) in unused {
        let finding = work.warning("PB234", &place, message).help("remove it");
        work.report(finding);
    }
}
