//! What must hold at the end of a simulation.
//!
//! Owns the comparison of three accounts that were kept apart: what is stored, what the witness
//! saw, and what really happened out there.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use state::access::{Permission, Principal};
use state::event::{Mode, Recorded};
use state::ids::RunId;
use state::memory::MemoryStore;
use state::store::{AuditFilter, AuditRecord, PageRequest, Store as _};

use super::Report;
use super::disk::{Disk, at_once};
use super::weather::Counters;
use super::witness::{RunSeen, Witness};
use super::world::{Block, Nature, World};

/// Checks everything that is left; what must not be goes to the witness.
pub(super) fn judge(disk: &Disk, world: &World, witness: &Witness, passed: std::time::Duration) {
    if let Some(twice) = world.catch_up(passed) {
        witness.broken(twice);
    }
    let memory = disk.memory();
    for (id, run) in witness.runs() {
        judge_run(&id, &run, world, witness);
    }
    match audit(&memory) {
        Ok(records) => judge_audit(&records, &memory, witness),
        Err(why) => witness.broken(format!("I6: the audit list cannot be read: {why}")),
    }
    judge_measures(world, witness);
}

/// I1 and I2: how a run ended, against the ledger.
fn judge_run(id: &RunId, run: &RunSeen, world: &World, witness: &Witness) {
    if !run.is_over() && !run.waits_for_person_only() {
        witness.broken(format!("I1: run {id} neither ended nor waits for a person"));
    }
    if run.started.mode != Mode::Auto {
        return;
    }
    let ledger = world.ledger();
    for (path, place) in &run.places {
        let Some(intended) = &place.intended else {
            continue;
        };
        let outside = ["ticket.", "notify."]
            .iter()
            .any(|family| intended.action.starts_with(family));
        if !outside || place.person {
            continue;
        }
        let times = ledger.get(intended.key.as_str()).map_or(0, |entry| entry.times);
        if place.succeeded && times != 1 {
            witness.broken(format!(
                "I2: `{path}` of {id} succeeded and was done {times} times"
            ));
        }
        if !place.succeeded && place.certainly_not && times > 0 {
            witness.broken(format!(
                "I2: `{path}` of {id} certainly did not happen, and it did"
            ));
        }
    }
}

fn audit(memory: &Arc<MemoryStore>) -> Result<Vec<AuditRecord>, String> {
    let principal = Principal::operator("simulation", &memory.operator_proof());
    let scope = principal
        .scope(Permission::Audit)
        .map_err(|denied| denied.to_string())?;
    let mut records = Vec::new();
    let mut after = None;
    loop {
        let page = PageRequest { after, limit: 1_000 };
        let page = at_once(memory.audit(&scope, AuditFilter::default(), page))
            .ok_or("it waits")?
            .map_err(|error| error.to_string())?;
        records.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return Ok(records);
        }
    }
}

/// I6: the list is contiguous, complete for each run, and equals the journal.
fn judge_audit(records: &[AuditRecord], memory: &Arc<MemoryStore>, witness: &Witness) {
    let gap = records
        .iter()
        .zip(0..)
        .find(|(record, index)| record.index != *index);
    if let Some((record, index)) = gap {
        witness.broken(format!(
            "I6: record {index} of the audit list is {}",
            record.index
        ));
    }
    let mut of_runs: BTreeMap<&RunId, Vec<(u64, jiff::Timestamp)>> = BTreeMap::new();
    for record in records {
        if let (Some(run), Some(seq)) = (&record.run, record.seq) {
            of_runs.entry(run).or_default().push((seq, record.at));
        }
    }
    for (id, run) in witness.runs() {
        let events: Vec<Recorded> = at_once(memory.load(&id)).and_then(Result::ok).unwrap_or_default();
        let stored: Vec<_> = events.iter().map(|event| (event.seq, event.at)).collect();
        let listed = of_runs.get(&id).cloned().unwrap_or_default();
        if stored != listed {
            witness.broken(format!(
                "I6: run {id} has {} events and {} audit records",
                stored.len(),
                listed.len()
            ));
        }
        if run.events != events.len() as u64 {
            witness.broken(format!(
                "I6: run {id} has {} events, {} were written",
                events.len(),
                run.events
            ));
        }
    }
}

/// I12: what stands at the firewall is what the register says.
fn judge_measures(world: &World, witness: &Witness) {
    let entries = world.ledger();
    if !entries.values().any(|entry| entry.nature == Nature::Sets) {
        return;
    }
    let registered: BTreeSet<Block> = witness
        .measures()
        .into_iter()
        .filter(|(measure, lifted)| !lifted && measure.inverse.is_some())
        .map(|(measure, _)| {
            (
                measure.kind,
                measure.target,
                measure.direction.unwrap_or_default(),
            )
        })
        .collect();
    let standing = world.blocks();
    for (kind, target, direction) in standing.difference(&registered) {
        witness.broken(format!(
            "I12: {kind} {target} {direction} is blocked, and nothing in the register says so"
        ));
    }
}

/// What came of a simulation.
pub(super) fn report(
    writes: usize,
    world: &World,
    witness: &Witness,
    counters: &Counters,
    moments: u64,
) -> Report {
    let transitions = witness.transitions();
    for (word, count) in &transitions {
        counters.add(word, *count);
    }
    let runs = witness.runs();
    counters.add("incidents", witness.incidents() as u64);
    counters.add("runs", runs.len() as u64);
    counters.add(
        "runs over",
        runs.values().filter(|run| run.is_over()).count() as u64,
    );
    let succeeded = |run: &&RunSeen| run.closed == Some(state::event::RunStatus::Succeeded);
    counters.add("runs succeeded", runs.values().filter(succeeded).count() as u64);
    let mut hasher = DefaultHasher::new();
    (writes, moments).hash(&mut hasher);
    for (id, run) in &runs {
        (id.as_str(), run.events, format!("{:?}", run.closed)).hash(&mut hasher);
        for (path, place) in &run.places {
            (path.to_string(), place.attempts, format!("{:?}", place.stand)).hash(&mut hasher);
        }
    }
    for (key, entry) in world.ledger() {
        (key, entry.times).hash(&mut hasher);
    }
    let ending = runs
        .values()
        .map(|run| {
            let had = run.places.iter().filter(|(_, place)| place.succeeded);
            let had: Vec<String> = had.map(|(path, _)| path.to_string()).collect();
            (
                run.started.playbook.id.clone(),
                format!("{:?}: {}", run.closed, had.join(" ")),
            )
        })
        .collect();
    let all = Counters::default();
    all.merge(counters);
    Report {
        violations: witness.violations(),
        trace: witness.trace(),
        counters: all,
        moments,
        fingerprint: hasher.finish(),
        virtual_time: std::time::Duration::ZERO,
        ending,
        in_doubt: transitions.get("outcome unknown").copied().unwrap_or(0) > 0,
    }
}
