//! What a missing value may not do: lose a notification (PB320, PB321), or turn failed look-ups
//! into a clean verdict (PB310).

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Place;
use crate::document::Step;
use crate::marking::EffectClass;
use crate::names::Read;
use crate::plan::{Node, OnFailure, Section};
use crate::types::Type;

use super::order;
use super::work::{Reading, Work};

/// Words that close a case.
const CLOSING: &[&str] = &["clean", "benign", "noise"];

/// Checks the whole playbook.
pub(super) fn check(work: &mut Work<'_>) {
    lost(work);
    clean_by_failure(work);
}

/// Why a step or let may have no value.
#[derive(Debug, Clone)]
struct Cause {
    /// The conditions under which it is there, if they are all that decides.
    conditions: Vec<String>,
    /// The place and words of the reason.
    place: Place,
    words: String,
}

/// PB320, PB321.
fn lost(work: &mut Work<'_>) {
    let document = work.document;
    let causes = causes(work);
    let mut findings = Vec::new();
    for step in &document.steps {
        let notifies = work
            .action(step)
            .is_some_and(|action| action.effect == EffectClass::Notify);
        let late = step.section != Section::Steps;
        if !(notifies || late) {
            continue;
        }
        let own = work.conditions_of(&step.id.value);
        let node = Node::Step(step.id.value.clone());
        let mut told: BTreeSet<Node> = BTreeSet::new();
        for reading in work.readings_of(&node) {
            for read in &reading.reads {
                let Some((target, cause)) = dangerous(work, read, step, &causes, &own) else {
                    continue;
                };
                if !told.insert(target) {
                    continue;
                }
                let path: Vec<&str> = read.path.iter().map(String::as_str).collect();
                let place = reading.place_of(work.source, &path);
                let (code, message) = if late {
                    (
                        "PB321",
                        format!("`{}` must run, and this can be missing", step.id.value),
                    )
                } else {
                    ("PB320", "this notification can be lost".to_owned())
                };
                findings.push(
                    work.error(code, &place, message)
                        .label(format!("then `{}` is skipped too", step.id.value))
                        .evidence(work.source, cause.place.clone(), cause.words.clone())
                        .help(remedy(reading, read)),
                );
            }
        }
    }
    work.findings.extend(findings);
}

fn remedy(reading: &Reading, read: &Read) -> String {
    let path = read.dotted();
    let text = reading.node.text().unwrap_or("");
    if text.contains("{{") && !text.trim_start().starts_with("${{") {
        format!("give it a value for that case: {{{{default {path} \"nothing\"}}}}")
    } else {
        format!("give it a value for that case: default({path}, ...)")
    }
}

/// The node whose absence would skip a step, unless the step's own condition rules that out.
fn dangerous<'c>(
    work: &Work<'_>,
    read: &Read,
    step: &Step,
    causes: &'c BTreeMap<Node, Cause>,
    own: &[String],
) -> Option<(Node, &'c Cause)> {
    if read.guarded || order::settles_anyway(work, read) {
        return None;
    }
    let target = node_of(work, read)?;
    // When a later section runs, the run may have failed anywhere: every earlier step may be
    // without a value.
    let cause = causes.get(&target)?;
    let covered = step.section == Section::Steps
        && !cause.conditions.is_empty()
        && cause.conditions.iter().all(|condition| own.contains(condition));
    (!covered).then_some((target, cause))
}

fn node_of(work: &Work<'_>, read: &Read) -> Option<Node> {
    match read.path.as_slice() {
        [root, id, ..] if root == "steps" => Some(Node::Step(id.clone())),
        [name, ..] if work.lets.contains_key(name) => Some(Node::Let(name.clone())),
        _ => None,
    }
}

/// Every step and let that may end without a value, with the reason nearest to it.
fn causes(work: &Work<'_>) -> BTreeMap<Node, Cause> {
    let document = work.document;
    let late_reader = document.steps.iter().any(|step| step.section != Section::Steps);
    let mut causes: BTreeMap<Node, Cause> = BTreeMap::new();
    for step in &document.steps {
        if let Some(cause) = own_cause(work, step) {
            causes.insert(Node::Step(step.id.value.clone()), cause);
        }
    }
    // Absence travels along unguarded reads until nothing changes.
    let nodes: Vec<Node> = document
        .steps
        .iter()
        .map(|step| Node::Step(step.id.value.clone()))
        .chain(
            document
                .lets
                .iter()
                .map(|named| Node::Let(named.name.value.clone())),
        )
        .collect();
    loop {
        let before = causes.len();
        for node in &nodes {
            if causes.contains_key(node) {
                continue;
            }
            let own = match node {
                Node::Step(id) => work.conditions_of(id),
                Node::Let(_) => Vec::new(),
            };
            let inherited = work
                .readings_of(node)
                .flat_map(|reading| &reading.reads)
                .find_map(|read| {
                    if read.guarded || order::settles_anyway(work, read) {
                        return None;
                    }
                    let cause = causes.get(&node_of(work, read)?)?;
                    let covered = !cause.conditions.is_empty()
                        && cause.conditions.iter().all(|condition| own.contains(condition));
                    (!covered).then(|| cause.clone())
                });
            if let Some(cause) = inherited {
                causes.insert(node.clone(), cause);
            }
        }
        if causes.len() == before {
            break;
        }
    }
    if late_reader {
        late_causes(work, &mut causes);
    }
    causes
}

/// Why a step may by itself end without outputs while the run goes on.
fn own_cause(work: &Work<'_>, step: &Step) -> Option<Cause> {
    let id = &step.id.value;
    let continues = step
        .on_failure
        .as_ref()
        .filter(|placed| placed.value == OnFailure::Continue && step.for_each.is_none());
    if let Some(placed) = continues {
        return Some(Cause {
            conditions: Vec::new(),
            place: placed.place.clone(),
            words: format!("`{id}` may fail and the run goes on"),
        });
    }
    if let Some(placed) = step.if_refused_continue.as_ref().filter(|placed| placed.value) {
        return Some(Cause {
            conditions: Vec::new(),
            place: placed.place.clone(),
            words: format!("`{id}` may be refused and the run goes on"),
        });
    }
    step.condition.as_ref().map(|cel| Cause {
        conditions: work.conditions_of(id),
        place: cel.place(),
        words: format!("`{id}` is skipped when this is not true"),
    })
}

/// In `on_failure` and `finally` any step of `steps` may be missing, since the run may have
/// failed before it. Marked on steps that are certain otherwise, and on what reads them.
fn late_causes(work: &Work<'_>, causes: &mut BTreeMap<Node, Cause>) {
    let document = work.document;
    let mut late: BTreeMap<Node, Cause> = BTreeMap::new();
    for step in document
        .steps
        .iter()
        .filter(|step| step.section == Section::Steps)
    {
        late.insert(
            Node::Step(step.id.value.clone()),
            Cause {
                conditions: Vec::new(),
                place: step.id.place.clone(),
                words: format!("the run may have failed before `{}`", step.id.value),
            },
        );
    }
    loop {
        let before = late.len();
        for named in &document.lets {
            let node = Node::Let(named.name.value.clone());
            if late.contains_key(&node) {
                continue;
            }
            let inherited = work
                .readings_of(&node)
                .flat_map(|reading| &reading.reads)
                .find_map(|read| {
                    let settled = read.guarded || order::settles_anyway(work, read);
                    (!settled).then(|| late.get(&node_of(work, read)?).cloned())?
                });
            if let Some(cause) = inherited {
                late.insert(node, cause);
            }
        }
        if late.len() == before {
            break;
        }
    }
    for (node, cause) in late {
        if is_read_late(work, &node) {
            causes.entry(node).or_insert(cause);
        }
    }
}

/// Whether only steps of later sections read a node, so that its late cause concerns nobody else.
fn is_read_late(work: &Work<'_>, node: &Node) -> bool {
    !work.document.steps.iter().any(|step| {
        step.section == Section::Steps
            && work
                .readings_of(&Node::Step(step.id.value.clone()))
                .flat_map(|reading| &reading.reads)
                .any(|read| node_of(work, read).as_ref() == Some(node))
    })
}

/// PB310.
fn clean_by_failure(work: &mut Work<'_>) {
    let document = work.document;
    let mut findings = Vec::new();
    for named in &document.lets {
        let name = &named.name.value;
        let closes = match work.lets.get(name).map(|expression| expression.ty().required()) {
            Some(Type::OneOf(words)) => words.iter().any(|word| CLOSING.contains(&word.as_str())),
            _ => false,
        };
        if !closes {
            continue;
        }
        let (items, counted) = looked_at(work, &Node::Let(name.clone()));
        for id in items.difference(&counted) {
            let Some(step) = work.step(id) else { continue };
            let Some(placed) = &step.on_failure else { continue };
            let closing = CLOSING.iter().find_map(|word| {
                named
                    .cel
                    .text
                    .find(&format!("'{word}'"))
                    .map(|at| at..at + word.len() + 2)
            });
            let place = closing.map_or_else(
                || named.cel.place(),
                |bytes| named.cel.place_of(work.source, bytes),
            );
            findings.push(
                work.error("PB310", &place, "a clean verdict may rest on lookups that failed")
                    .label(format!("reached without reading `steps.{id}.failed`"))
                    .evidence(
                        work.source,
                        placed.place.clone(),
                        format!("`{id}` may be incomplete"),
                    )
                    .help(format!("add before it: steps.{id}.failed > 0 ? 'unknown' :")),
            );
        }
    }
    work.findings.extend(findings);
}

/// The `for_each` steps with `on_failure: continue` that a node looks at, through lets: whose
/// items it reads, and whose failures it reads.
fn looked_at(work: &Work<'_>, start: &Node) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut items, mut counted) = (BTreeSet::new(), BTreeSet::new());
    let mut seen: BTreeSet<Node> = BTreeSet::from([start.clone()]);
    let mut queue = vec![start.clone()];
    while let Some(node) = queue.pop() {
        for read in work.readings_of(&node).flat_map(|reading| &reading.reads) {
            match read.path.as_slice() {
                [root, id, rest @ ..] if root == "steps" => {
                    let partial = work.step(id).is_some_and(|step| {
                        step.for_each.is_some()
                            && step
                                .on_failure
                                .as_ref()
                                .is_some_and(|placed| placed.value == OnFailure::Continue)
                    });
                    match rest.first().map(String::as_str) {
                        Some("failed" | "failures" | "status") => counted.insert(id.clone()),
                        Some("items") if partial => items.insert(id.clone()),
                        _ => false,
                    };
                }
                _ => {
                    if let Some(next @ Node::Let(_)) = node_of(work, read)
                        && seen.insert(next.clone())
                    {
                        queue.push(next);
                    }
                }
            }
        }
    }
    (items, counted)
}
