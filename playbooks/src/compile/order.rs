//! Who comes after whom: the order in which texts get their types, and the graph that runs.

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::diagnostic::Place;
use crate::document::{Cel, Step};
use crate::expression::{Expected, StepType};
use crate::names::Read;
use crate::plan::{self, Edge, Input, Let, Node, Section};
use crate::types::Type;

use super::circle::{self, name_of};
use super::work::{Reader, Work};
use super::{questions, scan, scope};

/// Fields of a step that can be read however it ended.
const ALWAYS_THERE: &[&str] = &["status", "attempts", "started_at", "finished_at"];
/// Fields of a `for_each` step that count its items.
const COUNTS: &[&str] = &["failed", "skipped", "refused", "failures"];

/// Gives every let and every step its type, in an order in which each comes after what it
/// mentions. `None` when they mention each other in a circle.
pub(super) fn typed(work: &mut Work<'_>, inputs: &IndexMap<String, Input>) -> Option<()> {
    work.env = scope::inside(work, inputs);
    let document = work.document;
    for step in document.steps.iter().filter(|step| step.for_each.is_none()) {
        let ty = work.action(step).map_or(Type::Never, |action| match step.repeat {
            Some(_) => Type::step_repeated(&action.outputs),
            None => Type::step(&questions::outputs_of(step, action)),
        });
        add_step(work, step, ty);
    }
    for item in typing_order(work)? {
        match item {
            Item::Let(named) => {
                let env = work.env.clone();
                let reader = Reader::Node(Node::Let(named.name.value.clone()));
                let compiled = work.expression(&named.cel, &env, &Expected::Any, reader, &named.name.value);
                drop(env);
                let ty = compiled
                    .as_ref()
                    .map_or(Type::Never, |expression| expression.ty().clone());
                work.env
                    .add_name(named.name.value.clone(), ty, Some(named.name.place.clone()));
                if let Some(expression) = compiled {
                    work.lets.insert(named.name.value.clone(), expression);
                }
            }
            Item::List(step) => list(work, step),
        }
    }
    Some(())
}

fn add_step(work: &mut Work<'_>, step: &Step, ty: Type) {
    work.env.add_step(
        step.id.value.clone(),
        StepType {
            action: step.uses.value.clone(),
            ty,
            for_each: step.for_each.is_some(),
            uses: Some(step.uses.place.clone()),
        },
    );
}

/// Compiles `if` and the list of a `for_each` step; the items give the step its type.
fn list(work: &mut Work<'_>, step: &Step) {
    let Some(each) = &step.for_each else { return };
    condition(work, step);
    let env = super::steps::env_of(work, step);
    let reader = Reader::Node(Node::Step(step.id.value.clone()));
    let compiled = work.expression(&each.list, &env, &Expected::List, reader, "for_each");
    drop(env);
    let item = match compiled.as_ref().map(|list| list.ty().required().clone()) {
        Some(Type::List(item)) => *item,
        _ => Type::Never,
    };
    let ty = work
        .action(step)
        .map_or(Type::Never, |action| Type::step_for_each(&action.outputs, &item));
    add_step(work, step, ty);
    if let Some(list) = compiled {
        work.lists.insert(step.id.value.clone(), list);
    }
}

/// Compiles the `if` of a step.
pub(super) fn condition(work: &mut Work<'_>, step: &Step) {
    let Some(cel) = &step.condition else { return };
    let mut env = work.env.clone();
    env.add_proven(scope::section_facts(step.section));
    let reader = Reader::Node(Node::Step(step.id.value.clone()));
    let expected = Expected::Condition("if".to_owned());
    if let Some(expression) = work.expression(cel, &env, &expected, reader, "if") {
        work.conditions.insert(step.id.value.clone(), expression);
    }
}

#[derive(Clone, Copy)]
enum Item<'a> {
    Let(&'a crate::document::Named),
    List(&'a Step),
}

impl<'a> Item<'a> {
    fn texts(self) -> Vec<&'a Cel> {
        match self {
            Item::Let(named) => vec![&named.cel],
            Item::List(step) => step
                .condition
                .iter()
                .chain(step.for_each.as_ref().map(|each| &each.list))
                .collect(),
        }
    }
    fn node(self) -> Node {
        match self {
            Item::Let(named) => Node::Let(named.name.value.clone()),
            Item::List(step) => Node::Step(step.id.value.clone()),
        }
    }
}

/// Lets and `for_each` steps, each after those it mentions.
fn typing_order<'a>(work: &mut Work<'a>) -> Option<Vec<Item<'a>>> {
    let document = work.document;
    let mut graph: DiGraph<Item<'a>, Place> = DiGraph::new();
    let mut by_node: HashMap<Node, NodeIndex> = HashMap::new();
    let lets = document.lets.iter().map(Item::Let);
    let lists = document
        .steps
        .iter()
        .filter(|step| step.for_each.is_some())
        .map(Item::List);
    for item in lets.chain(lists) {
        let index = graph.add_node(item);
        by_node.insert(item.node(), index);
    }
    for index in graph.node_indices().collect::<Vec<_>>() {
        let Some(item) = graph.node_weight(index).copied() else {
            continue;
        };
        for cel in item.texts() {
            for mention in scan::expression(&cel.text) {
                let target = match mention.path.as_slice() {
                    ["steps", id, ..] => Node::Step((*id).to_owned()),
                    [name, ..] => Node::Let((*name).to_owned()),
                    [] => continue,
                };
                if let Some(target) = by_node.get(&target) {
                    graph.add_edge(*target, index, cel.place_of(work.source, mention.bytes.clone()));
                }
            }
        }
    }
    let Ok(order) = toposort(&graph, None) else {
        let finding = circle::finding(work, &graph, |item| item.node(), Place::clone);
        work.findings.extend(finding);
        return None;
    };
    Some(
        order
            .into_iter()
            .filter_map(|index| graph.node_weight(index).copied())
            .collect(),
    )
}

/// Builds the graph of steps and lets. `None` when it has a circle.
pub(super) fn graph(work: &mut Work<'_>) -> Option<(DiGraph<Node, Edge>, IndexMap<String, Let>)> {
    let document = work.document;
    let mut graph: DiGraph<Node, (Edge, Place)> = DiGraph::new();
    let mut by_node: HashMap<Node, NodeIndex> = HashMap::new();
    let lets = document
        .lets
        .iter()
        .map(|named| Node::Let(named.name.value.clone()));
    let steps = document
        .steps
        .iter()
        .map(|step| Node::Step(step.id.value.clone()));
    for node in lets.chain(steps) {
        by_node.insert(node.clone(), graph.add_node(node));
    }
    for (from, to, edge, place) in edges(work) {
        let (Some(from), Some(to)) = (by_node.get(&from), by_node.get(&to)) else {
            continue;
        };
        match graph.find_edge(*from, *to) {
            Some(found) => {
                if let Some(known) = graph.edge_weight_mut(found)
                    && rank(edge) > rank(known.0)
                {
                    *known = (edge, place);
                }
            }
            None => {
                graph.add_edge(*from, *to, (edge, place));
            }
        }
    }
    let Ok(order) = toposort(&graph, None) else {
        let finding = circle::finding(work, &graph, Node::clone, |(_, place)| place.clone());
        work.findings.extend(finding);
        return None;
    };
    later_sections(work, &graph, &order);
    let mut lets = IndexMap::new();
    for index in order {
        if let Some(Node::Let(name)) = graph.node_weight(index)
            && let Some(expression) = work.lets.get(name)
        {
            lets.insert(
                name.clone(),
                Let {
                    expression: expression.clone(),
                },
            );
        }
    }
    Some((graph.map(|_, node| node.clone(), |_, (edge, _)| *edge), lets))
}

const fn rank(edge: Edge) -> u8 {
    match edge {
        Edge::After => 0,
        Edge::Guarded => 1,
        Edge::Needs => 2,
    }
}

/// All edges, from what is waited for to who waits. Unknown names in `after` are reported.
fn edges(work: &mut Work<'_>) -> Vec<(Node, Node, Edge, Place)> {
    let mut edges = Vec::new();
    for reading in &work.readings {
        let Reader::Node(reader) = &reading.reader else {
            continue;
        };
        for read in &reading.reads {
            if let Some((target, edge)) = target(work, read) {
                let path: Vec<&str> = read.path.iter().map(String::as_str).take(2).collect();
                let path = if matches!(target, Node::Let(_)) {
                    path.get(..1)
                } else {
                    Some(path.as_slice())
                };
                let place = reading.place_of(work.source, path.unwrap_or_default());
                edges.push((target, reader.clone(), edge, place));
            }
        }
    }
    let document = work.document;
    for step in &document.steps {
        for earlier in &step.after {
            let reader = Node::Step(step.id.value.clone());
            if work.step(&earlier.value).is_some() {
                edges.push((
                    Node::Step(earlier.value.clone()),
                    reader,
                    Edge::After,
                    earlier.place.clone(),
                ));
                continue;
            }
            let shown: String = earlier.value.chars().take(60).collect();
            let known = document.steps.iter().map(|step| step.id.value.as_str());
            let finding = work.error("PB205", &earlier.place, format!("there is no step `{shown}`"));
            let finding = match crate::suggestion::did_you_mean(&earlier.value, known) {
                Some(help) => finding.help(help),
                None => finding,
            };
            work.report(finding);
        }
    }
    edges
}

/// The node a read waits for, and how.
fn target(work: &Work<'_>, read: &Read) -> Option<(Node, Edge)> {
    let edge = if read.guarded || settles_anyway(work, read) {
        Edge::Guarded
    } else {
        Edge::Needs
    };
    match read.path.as_slice() {
        [root, id, ..] if root == "steps" => Some((Node::Step(id.clone()), edge)),
        [name, ..] if work.document.lets.iter().any(|named| named.name.value == *name) => {
            Some((Node::Let(name.clone()), edge))
        }
        _ => None,
    }
}

/// Whether a read is of a status or count, which a step has however it ended.
pub(super) fn settles_anyway(work: &Work<'_>, read: &Read) -> bool {
    let [root, id, field, ..] = read.path.as_slice() else {
        return false;
    };
    let for_each = work.step(id).is_some_and(|step| step.for_each.is_some());
    root == "steps"
        && (ALWAYS_THERE.contains(&field.as_str()) || (for_each && COUNTS.contains(&field.as_str())))
}

/// A step can only read what is settled before its section begins, or within it.
fn later_sections(work: &mut Work<'_>, graph: &DiGraph<Node, (Edge, Place)>, order: &[NodeIndex]) {
    let mut sections: HashMap<NodeIndex, Section> = HashMap::new();
    let mut findings = Vec::new();
    for index in order {
        let own = match graph.node_weight(*index) {
            Some(Node::Step(id)) => work.section(id),
            _ => None,
        };
        let mut latest = own.unwrap_or(Section::Steps);
        for edge in graph.edges_directed(*index, petgraph::Direction::Incoming) {
            use petgraph::visit::EdgeRef;
            let source = sections.get(&edge.source()).copied().unwrap_or(Section::Steps);
            match own {
                Some(own) if source > own => {
                    let name = graph.node_weight(edge.source()).map_or("", name_of);
                    let finding = work
                        .error(
                            "PB205",
                            &edge.weight().1,
                            format!("`{name}` runs in a later section, so there is nothing to read yet"),
                        )
                        .help("sections run in this order: steps, on_failure, finally");
                    findings.push(finding);
                }
                Some(_) => {}
                None => latest = latest.max(source),
            }
        }
        sections.insert(*index, latest);
    }
    work.findings.extend(findings);
}

/// Fills `waits_for` of every step: the incoming edges of its node, within its section.
pub(super) fn waits(graph: &DiGraph<Node, Edge>, work: &Work<'_>, steps: &mut IndexMap<String, plan::Step>) {
    use petgraph::visit::EdgeRef;
    let mut sections: HashMap<Node, Section> = HashMap::new();
    for index in toposort(graph, None).unwrap_or_default() {
        let Some(node) = graph.node_weight(index) else {
            continue;
        };
        let incoming: Vec<(&Node, Edge)> = graph
            .edges_directed(index, petgraph::Direction::Incoming)
            .filter_map(|edge| Some((graph.node_weight(edge.source())?, *edge.weight())))
            .collect();
        let section = match node {
            Node::Step(id) => work.section(id).unwrap_or(Section::Steps),
            Node::Let(_) => incoming
                .iter()
                .filter_map(|(source, _)| sections.get(*source).copied())
                .max()
                .unwrap_or(Section::Steps),
        };
        if let Node::Step(id) = node
            && let Some(step) = steps.get_mut(id)
        {
            let waits: BTreeMap<Node, Edge> = incoming
                .iter()
                .filter(|(source, _)| sections.get(*source) == Some(&section))
                .map(|(source, edge)| ((*source).clone(), *edge))
                .collect();
            step.waits_for = waits;
        }
        sections.insert(node.clone(), section);
    }
}
