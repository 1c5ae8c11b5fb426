//! What a missing value may not do: lose a notification (PB320, PB321), or turn failed look-ups
//! into a clean verdict (PB310).

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Place};
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

impl Cause {
    /// Whether a reader with these conditions runs only when the value is there.
    fn is_covered(&self, own: &[String]) -> bool {
        !self.conditions.is_empty() && self.conditions.iter().all(|condition| own.contains(condition))
    }
}

/// PB320, PB321.
fn lost(work: &mut Work<'_>) {
    let document = work.document;
    let causes = causes(work);
    let late_causes = late_causes(work);
    let mut findings = Vec::new();
    for step in &document.steps {
        let notifies = work
            .action(step)
            .is_some_and(|action| action.effect == EffectClass::Notify && !action.asks_people());
        let late = step.section != Section::Steps;
        if !(notifies || late) {
            continue;
        }
        let own = work.conditions_of(&step.id.value);
        let node = Node::Step(step.id.value.clone());
        let mut told: BTreeSet<Node> = BTreeSet::new();
        for reading in work.readings_of(&node) {
            for read in &reading.reads {
                let Some(target) = unguarded(work, read) else {
                    continue;
                };
                let known = if late { late_causes.get(&target) } else { None };
                let Some(cause) = known.or_else(|| causes.get(&target)) else {
                    continue;
                };
                if cause.is_covered(&own) || !told.insert(target) {
                    continue;
                }
                findings.push(lost_finding(work, step, reading, read, cause));
            }
        }
    }
    work.findings.extend(findings);
}

fn lost_finding(work: &Work<'_>, step: &Step, reading: &Reading, read: &Read, cause: &Cause) -> Diagnostic {
    let path: Vec<&str> = read.path.iter().map(String::as_str).collect();
    let place = reading.place_of(work.source, &path);
    let (code, message) = if step.section == Section::Steps {
        ("PB320", "this notification can be lost".to_owned())
    } else {
        (
            "PB321",
            format!("`{}` must run, and this can be missing", step.id.value),
        )
    };
    work.error(code, &place, message)
        .label(format!("then `{}` is skipped too", step.id.value))
        .evidence(work.source, cause.place.clone(), cause.words.clone())
        .help(remedy(reading, read))
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

/// The step or let whose absence an unguarded read would pass on.
fn unguarded(work: &Work<'_>, read: &Read) -> Option<Node> {
    if read.guarded || order::settles_anyway(work, read) {
        return None;
    }
    node_of(work, read)
}

fn node_of(work: &Work<'_>, read: &Read) -> Option<Node> {
    match read.path.as_slice() {
        [root, id, ..] if root == "steps" => Some(Node::Step(id.clone())),
        [name, ..] if work.lets.contains_key(name) => Some(Node::Let(name.clone())),
        _ => None,
    }
}

/// Every step and let that may end without a value while the run goes on, with the reason nearest
/// to it.
fn causes(work: &Work<'_>) -> BTreeMap<Node, Cause> {
    let document = work.document;
    let own = document
        .steps
        .iter()
        .filter_map(|step| Some((Node::Step(step.id.value.clone()), own_cause(work, step)?)))
        .collect();
    let steps = document
        .steps
        .iter()
        .map(|step| Node::Step(step.id.value.clone()));
    let lets = document
        .lets
        .iter()
        .map(|named| Node::Let(named.name.value.clone()));
    travel(work, own, &steps.chain(lets).collect::<Vec<_>>())
}

/// What may have no value when a later section runs: every step of `steps`, since the run may
/// have failed before it, and the lets made from them.
fn late_causes(work: &Work<'_>) -> BTreeMap<Node, Cause> {
    let document = work.document;
    let own = document
        .steps
        .iter()
        .filter(|step| step.section == Section::Steps)
        .map(|step| {
            let cause = Cause {
                conditions: Vec::new(),
                place: step.id.place.clone(),
                words: format!("the run may have failed before `{}`", step.id.value),
            };
            (Node::Step(step.id.value.clone()), cause)
        })
        .collect();
    let lets: Vec<Node> = document
        .lets
        .iter()
        .map(|named| Node::Let(named.name.value.clone()))
        .collect();
    travel(work, own, &lets)
}

/// Absence travels along unguarded reads until nothing changes.
fn travel(work: &Work<'_>, mut causes: BTreeMap<Node, Cause>, nodes: &[Node]) -> BTreeMap<Node, Cause> {
    loop {
        let before = causes.len();
        for node in nodes {
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
                .filter_map(|read| causes.get(&unguarded(work, read)?))
                .find(|cause| !cause.is_covered(&own))
                .cloned();
            if let Some(cause) = inherited {
                causes.insert(node.clone(), cause);
            }
        }
        if causes.len() == before {
            return causes;
        }
    }
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

/// PB310.
fn clean_by_failure(work: &mut Work<'_>) {
    let mut findings = Vec::new();
    for (node, place) in verdicts(work) {
        let (items, counted) = looked_at(work, &node);
        for id in items.difference(&counted) {
            let Some(placed) = work.step(id).and_then(|step| step.on_failure.as_ref()) else {
                continue;
            };
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

/// The lets that may say a closing word, and the steps that write one; with the place of the word.
fn verdicts(work: &Work<'_>) -> Vec<(Node, Place)> {
    let document = work.document;
    let mut found = Vec::new();
    for named in &document.lets {
        let closes = match work.lets.get(&named.name.value).map(|let_| let_.ty().required()) {
            Some(Type::OneOf(words)) => words.iter().any(|word| CLOSING.contains(&word.as_str())),
            _ => false,
        };
        if closes {
            let place = closing_word(&named.cel.text).map_or_else(
                || named.cel.place(),
                |bytes| named.cel.place_of(work.source, bytes),
            );
            found.push((Node::Let(named.name.value.clone()), place));
        }
    }
    for step in &document.steps {
        let Some(field) = step.with.iter().find(|field| field.key == "verdict") else {
            continue;
        };
        let text = field.value.text().unwrap_or("");
        let bytes = if CLOSING.contains(&text) {
            Some(0..text.len())
        } else {
            closing_word(text)
        };
        if let Some(bytes) = bytes {
            found.push((
                Node::Step(step.id.value.clone()),
                field.value.place_of(work.source, bytes),
            ));
        }
    }
    found
}

/// Where an expression writes a closing word.
fn closing_word(text: &str) -> Option<std::ops::Range<usize>> {
    CLOSING.iter().find_map(|word| {
        let at = text.find(&format!("'{word}'"))?;
        Some(at..at + word.len() + 2)
    })
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
