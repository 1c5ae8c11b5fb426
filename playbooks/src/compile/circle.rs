//! PB230: steps and lets that wait for each other, shown whole.

use std::collections::{HashMap, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::diagnostic::{Diagnostic, Place};
use crate::plan::Node;

use super::work::Work;

/// The name of a step or let.
pub(super) fn name_of(node: &Node) -> &str {
    match node {
        Node::Step(name) | Node::Let(name) => name,
    }
}

/// Reports one circle, whole: who waits for whom, each link with its place.
pub(super) fn finding<N, E>(
    work: &Work<'_>,
    graph: &DiGraph<N, E>,
    node: impl Fn(&N) -> Node,
    place: impl Fn(&E) -> Place,
) -> Option<Diagnostic> {
    let links = shortest_circle(graph)?;
    let named: Vec<(Node, Node, Place)> = links
        .iter()
        .filter_map(|(reader, target)| {
            let edge = graph.find_edge(*target, *reader)?;
            Some((
                node(graph.node_weight(*reader)?),
                node(graph.node_weight(*target)?),
                place(graph.edge_weight(edge)?),
            ))
        })
        .collect();
    let (_, _, first) = named.first()?;
    let mut finding = work.error("PB230", first, "these wait for each other");
    for (number, (reader, target, at)) in named.iter().enumerate() {
        let text = format!(
            "{}. `{}` needs `{}`",
            number + 1,
            name_of(reader),
            name_of(target)
        );
        finding = if number == 0 {
            finding.label(text)
        } else {
            finding.evidence(work.source, at.clone(), text)
        };
    }
    let after = named.iter().find_map(|(reader, target, at)| {
        let Node::Step(id) = reader else { return None };
        let written = work.step(id)?.after.iter().any(|earlier| earlier.place == *at);
        written.then(|| {
            format!(
                "remove `{}` from `after` of `{id}`; it reads nothing from it",
                name_of(target)
            )
        })
    });
    Some(finding.help(after.unwrap_or_else(|| "take one of these reads away".to_owned())))
}

/// The links (reader, what it waits for) of a shortest circle through some node.
fn shortest_circle<N, E>(graph: &DiGraph<N, E>) -> Option<Vec<(NodeIndex, NodeIndex)>> {
    let component = tarjan_scc(graph)
        .into_iter()
        .find(|nodes| nodes.len() > 1 || nodes.iter().any(|node| graph.find_edge(*node, *node).is_some()))?;
    let start = component.iter().copied().min()?;
    let mut came_from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(reader) = queue.pop_front() {
        for target in graph.neighbors_directed(reader, petgraph::Direction::Incoming) {
            if target == start {
                let mut links = vec![(reader, start)];
                let mut at = reader;
                while at != start {
                    let earlier = *came_from.get(&at)?;
                    links.push((earlier, at));
                    at = earlier;
                }
                links.reverse();
                return Some(links);
            }
            if component.contains(&target) && !came_from.contains_key(&target) {
                came_from.insert(target, reader);
                queue.push_back(target);
            }
        }
    }
    None
}
