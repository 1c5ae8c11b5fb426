//! `approval` of steps: who is asked, with what words, and which steps are decided together.
//!
//! Owns that no playbook approves by silence, asks roles that nobody has, or asks a single person
//! about what cannot be taken back.

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, EdgeRef as _};

use crate::action_spec::{ActionSpec, Sink};
use crate::arguments::Argument;
use crate::document::{ApprovalForm, Ask, Placed, Step};
use crate::expression::TypeEnv;
use crate::marking::EffectClass;
use crate::operator::Operator;
use crate::plan::{self, APPROVAL_WITHIN_DEFAULT, Approval, Edge, OnTimeout};
use crate::suggestion::did_you_mean;
use crate::types::Type;
use crate::yaml::{Data, Node};

use super::arguments::value;
use super::effects::class_of;
use super::mail;
use super::work::Work;

/// Persons one approval may need at most.
const APPROVERS_MAX: i64 = 10;
/// Persons that must agree to what cannot be taken back.
const DESTROY_APPROVERS_MIN: i64 = 2;
/// Words with which other tools let silence approve.
const APPROVING: &[&str] = &[
    "approve", "approved", "allow", "accept", "continue", "proceed", "run", "auto",
];

/// Compiles the approval of a step. `None` when there is none, or when it has an error.
pub(super) fn compile(
    work: &mut Work<'_>,
    step: &Step,
    action: &ActionSpec,
    env: &TypeEnv,
) -> Option<Approval> {
    let written = step.approval.as_ref()?;
    let class = class_of(work, step, action);
    if class <= EffectClass::Read {
        let finding = work
            .error(
                "PB112",
                &written.place,
                format!("`{}` has no effect, so there is nothing to approve", action.name),
            )
            .help("remove `approval`; to ask a person something, use the action `ask.human`");
        work.report(finding);
        return None;
    }
    if action.asks_people() {
        let finding = work
            .error(
                "PB112",
                &written.place,
                format!("`{}` is a question itself", action.name),
            )
            .help("remove `approval`; who is asked stands under `with: {who: ...}`");
        work.report(finding);
        return None;
    }
    match &written.form {
        ApprovalForm::SameAs(leader) => Some(Approval::SameAs(leader.value.clone())),
        ApprovalForm::Ask(ask) => question(work, step, ask, class, env),
    }
}

fn question(
    work: &mut Work<'_>,
    step: &Step,
    written: &Ask,
    class: EffectClass,
    env: &TypeEnv,
) -> Option<Approval> {
    let place = step.approval.as_ref()?.place.clone();
    let one = |work: &mut Work<'_>, key: &str, node: &Option<Node>, ty: &Type| match node {
        Some(node) => value(work, step, env, (Sink::Plain, key), node, ty)
            .map(Some)
            .ok_or(Reported),
        None => Ok(None),
    };
    let ask = one(work, "ask", &written.ask, &Type::String);
    let count = one(work, "count", &written.count, &Type::Int);
    let show: Vec<Option<(String, Argument)>> = written
        .show
        .iter()
        .map(|field| {
            let key = format!("show.{}", field.key);
            let shown = value(work, step, env, (Sink::Plain, &key), &field.value, &Type::Never)?;
            Some((field.key.clone(), shown))
        })
        .collect();
    let on_timeout = match &written.on_timeout {
        Some(node) => on_timeout(work, step, env, node).map(Some).ok_or(Reported),
        None => Ok(None),
    };
    if show.is_empty() {
        let finding = work
            .warning(
                "PB335",
                &place,
                "whoever is asked sees the parameters and nothing of the case",
            )
            .help("add `show`, for example `show: {Verdict: \"${{ verdict }}\"}`");
        work.report(finding);
    }
    roles(work, &written.who);
    let count = count.ok()?;
    enough(work, written, count.as_ref(), class, &place)?;
    Some(Approval::Ask(Box::new(plan::Ask {
        who: written.who.iter().map(|role| role.value.clone()).collect(),
        count,
        ask: ask.ok()?,
        show: show.into_iter().collect::<Option<IndexMap<_, _>>>()?,
        within: written
            .within
            .as_ref()
            .map_or(APPROVAL_WITHIN_DEFAULT, |within| within.value),
        on_timeout: on_timeout.ok()?,
    })))
}

/// A value has an error, which was reported.
struct Reported;

/// PB303, and the bounds of `count`.
fn enough(
    work: &mut Work<'_>,
    written: &Ask,
    count: Option<&Argument>,
    class: EffectClass,
    place: &crate::diagnostic::Place,
) -> Option<()> {
    let number = match count {
        Some(Argument::Literal(value)) => value.as_i64(),
        Some(_) => return Some(()),
        None if class == EffectClass::Destroy => return Some(()),
        None => Some(1),
    };
    let number = number.unwrap_or(0);
    let place = written.count.as_ref().map_or(place, |node| &node.place);
    let finding = if !(1..=APPROVERS_MAX).contains(&number) {
        work.error(
            "PB114",
            place,
            format!("`count` is {number}; it may be 1 to {APPROVERS_MAX}"),
        )
    } else if class == EffectClass::Destroy && number < DESTROY_APPROVERS_MIN {
        work.error(
            "PB303",
            place,
            "this cannot be taken back, and one person alone would decide it",
        )
        .help("write `count: 2`, or remove `count`; for `destroy` the default is 2")
    } else {
        return Some(());
    };
    work.report(finding);
    None
}

/// PB304: what silence may mean.
fn on_timeout(work: &mut Work<'_>, step: &Step, env: &TypeEnv, node: &Node) -> Option<Argument> {
    let word = match &node.data {
        Data::Text(text, _) if !text.contains("{{") => text.trim().to_owned(),
        _ => return value(work, step, env, (Sink::Plain, "on_timeout"), node, &Type::String),
    };
    if OnTimeout::WORDS.contains(&word.as_str()) {
        return Some(Argument::Literal(word.into()));
    }
    let shown: String = word.chars().take(60).collect();
    let finding = if APPROVING.contains(&word.as_str()) {
        work.error("PB304", &node.place, format!("`on_timeout: {shown}` would approve by silence"))
            .help("use `skip`, `fail` or `escalate`; to act without asking, let the entity pre-authorise the action")
    } else {
        let mut finding = work.error("PB112", &node.place, format!("`on_timeout` cannot be `{shown}`"));
        finding
            .help
            .extend(did_you_mean(&word, OnTimeout::WORDS.iter().copied()));
        finding.help(format!("one of: {}", OnTimeout::WORDS.join(", ")))
    };
    work.report(finding);
    None
}

/// PB336: roles that nobody can have. PB607: approvers that an entity does not name.
pub(super) fn roles(work: &mut Work<'_>, who: &[Placed<String>]) {
    let Some(operator) = work.environment.operator else {
        return;
    };
    for role in who {
        match role.value.strip_prefix("entity.") {
            Some(name) => of_entities(work, operator, role, name),
            None => of_organisation(work, operator, role),
        }
    }
}

fn of_organisation(work: &mut Work<'_>, operator: &Operator, role: &Placed<String>) {
    let known: BTreeSet<&str> = operator.all_roles().collect();
    if known.contains(role.value.as_str()) {
        return;
    }
    let shown: String = role.value.chars().take(60).collect();
    let finding = work.error("PB336", &role.place, format!("there is no role `{shown}`"));
    let finding = match did_you_mean(&role.value, known.iter().copied()) {
        Some(help) => finding.help(help),
        None if known.is_empty() => {
            finding.help("nobody has a role yet; add people to sortie.toml: [people.NAME]")
        }
        None => finding.help(format!(
            "the roles: {}",
            known.into_iter().collect::<Vec<_>>().join(", ")
        )),
    };
    work.report(finding);
}

fn of_entities(work: &mut Work<'_>, operator: &Operator, role: &Placed<String>, name: &str) {
    let without: Vec<&str> = mail::served(work, operator)
        .filter(|entity| !entity.approvers.contains_key(name))
        .map(|entity| entity.id.as_str())
        .collect();
    if without.is_empty() {
        return;
    }
    let shown: String = name.chars().take(60).collect();
    let known = operator
        .entities
        .values()
        .flat_map(|entity| entity.approvers.keys());
    let finding = work.error(
        "PB607",
        &role.place,
        format!("{} names no approvers `{shown}`", without.join(", ")),
    );
    let finding = match did_you_mean(name, known.map(String::as_str)) {
        Some(help) => finding.help(help),
        None => finding.help(format!("add `approvers: {{{shown}: [ROLE]}}` to the entity file")),
    };
    work.report(finding);
}

/// Checks `same_as`: the step named asks itself, and no step of a group waits for another of it.
pub(super) fn groups(work: &mut Work<'_>, graph: &DiGraph<plan::Node, Edge>) {
    let document = work.document;
    let mut members: IndexMap<String, Vec<&Placed<String>>> = IndexMap::new();
    for step in &document.steps {
        let Some(ApprovalForm::SameAs(leader)) = step.approval.as_ref().map(|approval| &approval.form) else {
            continue;
        };
        let asks = work.step(&leader.value).filter(|other| {
            let form = other.approval.as_ref().map(|approval| &approval.form);
            matches!(form, Some(ApprovalForm::Ask(_))) && other.section == step.section
        });
        if asks.is_some() {
            members.entry(leader.value.clone()).or_default().push(&step.id);
            continue;
        }
        let known = document
            .steps
            .iter()
            .filter(|other| {
                matches!(
                    other.approval.as_ref().map(|approval| &approval.form),
                    Some(ApprovalForm::Ask(_))
                )
            })
            .map(|other| other.id.value.as_str());
        let shown: String = leader.value.chars().take(60).collect();
        let finding = work.error(
            "PB205",
            &leader.place,
            format!("there is no step `{shown}` in this section that asks for an approval itself"),
        );
        let finding = match did_you_mean(&leader.value, known) {
            Some(help) => finding.help(help),
            None => finding.help("name a step that has an `approval` with its own question"),
        };
        work.report(finding);
    }
    let before = work.findings.len();
    let mut together: Vec<Vec<&Placed<String>>> = Vec::new();
    for (leader, followers) in members {
        let Some(leader) = work.step(&leader) else {
            continue;
        };
        let ids: Vec<_> = std::iter::once(&leader.id).chain(followers).collect();
        apart(work, graph, &ids);
        together.push(ids);
    }
    if work.findings.len() == before {
        not_each_other(work, graph, &together);
    }
}

/// PB230: two groups, each with a step that waits for a step of the other, would both wait for
/// ever. Seen when each group is one node.
fn not_each_other(work: &mut Work<'_>, graph: &DiGraph<plan::Node, Edge>, together: &[Vec<&Placed<String>>]) {
    let group_of = |node: &plan::Node| match node {
        plan::Node::Step(id) => together
            .iter()
            .position(|ids| ids.iter().any(|member| member.value == *id)),
        plan::Node::Let(_) => None,
    };
    let mut merged: DiGraph<Option<usize>, ()> = DiGraph::new();
    let groups: Vec<NodeIndex> = (0..together.len())
        .map(|group| merged.add_node(Some(group)))
        .collect();
    let place: HashMap<NodeIndex, NodeIndex> = graph
        .node_indices()
        .map(|index| {
            let group = graph.node_weight(index).and_then(group_of);
            let own = group.and_then(|group| groups.get(group).copied());
            (index, own.unwrap_or_else(|| merged.add_node(None)))
        })
        .collect();
    for edge in graph.edge_references() {
        if let (Some(from), Some(to)) = (place.get(&edge.source()), place.get(&edge.target())) {
            merged.add_edge(*from, *to, ());
        }
    }
    let circle = tarjan_scc(&merged).into_iter().find(|nodes| nodes.len() > 1);
    let leaders: Vec<&Placed<String>> = circle
        .iter()
        .flatten()
        .filter_map(|index| together.get((*merged.node_weight(*index)?)?)?.first().copied())
        .collect();
    let Some(first) = leaders.iter().min_by_key(|leader| leader.place.start) else {
        return;
    };
    let mut names: Vec<String> = leaders
        .iter()
        .map(|leader| format!("`{}`", leader.value))
        .collect();
    names.sort();
    let finding = work
        .error(
            "PB230",
            &first.place,
            format!(
                "the steps decided together with {} wait for each other",
                names.join(" and ")
            ),
        )
        .help("give one of them an `approval` with its own question");
    work.report(finding);
}

/// PB230: parameters of a step that waits for another are not known when the other is asked about.
fn apart(work: &mut Work<'_>, graph: &DiGraph<plan::Node, Edge>, ids: &[&Placed<String>]) {
    for first in ids {
        let Some(start) = graph
            .node_indices()
            .find(|index| graph.node_weight(*index) == Some(&plan::Node::Step(first.value.clone())))
        else {
            continue;
        };
        let mut after = BTreeSet::new();
        let mut search = Dfs::new(graph, start);
        while let Some(index) = search.next(graph) {
            if index != start
                && let Some(plan::Node::Step(id)) = graph.node_weight(index)
            {
                after.insert(id.as_str());
            }
        }
        for second in ids.iter().filter(|second| after.contains(second.value.as_str())) {
            let finding = work
                .error(
                    "PB230",
                    &second.place,
                    format!(
                        "`{}` waits for `{}`, and both are decided together",
                        second.value, first.value
                    ),
                )
                .label("what it does is not known when the other is asked about")
                .help("give it an `approval` with its own question");
            work.report(finding);
        }
    }
}
