//! What is out there: far ends that do things, sometimes late, and a ledger of what was really
//! done.
//!
//! Owns the truth about effects. The host sees answers only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::random::Random;

/// What a far end does with the same request twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// It only reads.
    Reads,
    /// The end is the same: an entry is there or not.
    Sets,
    /// It folds requests of one key.
    Folds,
    /// It does it twice, and can say whether it has done it.
    Tells,
    /// It does it twice, and cannot say.
    Blind,
}

/// An effect that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The capability.
    pub action: String,
    /// What the far end is like.
    pub nature: Nature,
    /// How often it was done, as the world sees it.
    pub times: u32,
}

/// A block at the firewall: kind, target, direction.
pub type Block = (String, String, String);

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The effect key.
    pub key: String,
    /// The capability.
    pub action: String,
    /// The arguments.
    pub arguments: Value,
    /// What the far end is like.
    pub nature: Nature,
}

#[derive(Debug, Default)]
struct Held {
    ledger: BTreeMap<String, Entry>,
    blocks: BTreeSet<Block>,
    /// Heard by the far end, not done yet.
    in_flight: BTreeMap<u64, Sent>,
    /// Done at this time, whoever listens and whatever the host's clock says.
    on_the_way: Vec<(Duration, Sent)>,
    next: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct World(Mutex<Held>);

/// The kind, target and direction of a block or of its end.
pub fn block_of(action: &str, arguments: &Value) -> Option<Block> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).map(str::to_owned);
    let (_, kind) = action.split_once('.')?;
    let target = text(kind).or_else(|| text("cidr"))?;
    let direction = if kind == "ip" {
        text("direction").unwrap_or_else(|| "both".to_owned())
    } else {
        String::new()
    };
    Some((kind.to_owned(), target, direction))
}

impl World {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request arrives. Gives its number.
    pub fn arrives(&self, sent: Sent) -> u64 {
        let mut held = self.held();
        held.next += 1;
        let number = held.next;
        held.in_flight.insert(number, sent);
        number
    }

    /// A request is done now. Gives what is wrong with that, if anything.
    pub fn does(&self, number: u64) -> Option<String> {
        let mut held = self.held();
        let sent = held.in_flight.remove(&number)?;
        done(&mut held, &sent)
    }

    /// Whether a request is neither done nor dropped.
    pub fn is_in_flight(&self, number: u64) -> bool {
        self.held().in_flight.contains_key(&number)
    }

    /// A request comes to nothing.
    pub fn drops(&self, number: u64) {
        self.held().in_flight.remove(&number);
    }

    /// Nobody waits for a request any more; it is done all the same at a time.
    pub fn does_later(&self, number: u64, at: Duration) {
        let mut held = self.held();
        if let Some(sent) = held.in_flight.remove(&number) {
            held.on_the_way.push((at, sent));
        }
    }

    /// The host is gone. Of what was in flight some is done soon, the rest never. Gives how much is
    /// done late.
    pub fn host_is_gone(&self, now: Duration, late: bool, random: &mut Random) -> usize {
        let mut held = self.held();
        let in_flight = std::mem::take(&mut held.in_flight);
        let mut number = 0;
        for (_, sent) in in_flight {
            if late && sent.nature == Nature::Tells && random.percent(50) {
                held.on_the_way.push((soon(now, random), sent));
                number += 1;
            }
        }
        number
    }

    /// Does what is on its way and due.
    pub fn catch_up(&self, now: Duration) -> Option<String> {
        let mut held = self.held();
        let (due, later) = std::mem::take(&mut held.on_the_way)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        held.on_the_way = later;
        let due: Vec<(Duration, Sent)> = due;
        due.iter()
            .filter_map(|(_, sent)| done(&mut held, sent))
            .next_back()
    }

    /// Whether an effect happened.
    pub fn happened(&self, key: &str) -> bool {
        self.held().ledger.contains_key(key)
    }

    /// Whether anything is still on its way.
    pub fn is_quiet(&self) -> bool {
        let held = self.held();
        held.on_the_way.is_empty() && held.in_flight.is_empty()
    }

    /// What was really done, by key.
    pub fn ledger(&self) -> BTreeMap<String, Entry> {
        self.held().ledger.clone()
    }

    /// What is blocked at the firewall.
    pub fn blocks(&self) -> BTreeSet<Block> {
        self.held().blocks.clone()
    }
}

/// A time before the settle time of the far ends is over.
pub fn soon(now: Duration, random: &mut Random) -> Duration {
    now + Duration::from_millis(random.between(1, 25_000))
}

fn done(held: &mut Held, sent: &Sent) -> Option<String> {
    if sent.nature == Nature::Reads {
        return None;
    }
    if let Some(block) = block_of(&sent.action, &sent.arguments) {
        if sent.action.starts_with("unblock.") {
            held.blocks.remove(&block);
        } else if sent.action.starts_with("block.") {
            held.blocks.insert(block);
        }
    }
    let entry = held.ledger.entry(sent.key.clone()).or_insert_with(|| Entry {
        action: sent.action.clone(),
        nature: sent.nature,
        times: 0,
    });
    match sent.nature {
        Nature::Tells | Nature::Blind => entry.times += 1,
        _ => entry.times = 1,
    }
    (entry.times > 1).then(|| {
        format!(
            "I2: `{}` was done {} times under one key {}",
            entry.action,
            entry.times,
            sent.key.get(..12).unwrap_or(&sent.key)
        )
    })
}
