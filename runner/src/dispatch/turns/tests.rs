//! Who begins when: the order, the limit, and what becomes of one more.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use state::access::Actor;
use state::event::{Mode, PlaybookRef, StartedBy, Turn};

use super::*;

fn run(number: u128) -> RunId {
    RunId::from_parts(1_790_000_000_000, number)
}

fn started(number: u128, key: &str, limit: u32) -> Started {
    Started {
        run: run(number),
        entity: "ville".parse().unwrap(),
        incident: None,
        playbook: PlaybookRef {
            id: "triage".to_owned(),
            version: 1,
            revision: "r".to_owned(),
        },
        by: StartedBy::Trigger,
        actor: Actor::engine(),
        mode: Mode::Auto,
        inputs: BTreeMap::new(),
        facts: Value::Null,
        deadline: Timestamp::MAX,
        rerun_of: None,
        ends: None,
        turn: Some(Turn {
            key: key.to_owned(),
            limit,
        }),
    }
}

const NAME: &str = "ville triage a";

#[test]
fn whoever_came_first_begins_first_whoever_asks_first() {
    let turns = Turns::default();
    for number in 1..=4 {
        let ruling = turns.rule(&started(number, "a", 2), WhenBusy::Queue);
        assert_eq!(ruling, Ruling::Start);
    }
    let may = |number| turns.may_begin(NAME, &run(number), 2);
    assert!(!may(3), "two are before it");
    assert!(may(2));
    assert!(may(1));
    assert!(may(1), "asking twice takes one place");
    assert!(!may(3));
    assert_eq!(turns.leave(NAME, &run(2)), Some(run(3)));
    assert!(!may(4), "it is the turn of the third");
    assert!(may(3));
    assert_eq!(
        turns.leave(NAME, &run(4)),
        None,
        "it was cancelled while it waited"
    );
    turns.leave(NAME, &run(1));
    turns.leave(NAME, &run(3));
    turns.with(|crowds| assert!(crowds.is_empty(), "nothing is kept: {crowds:?}"));
}

#[test]
fn one_more_joins_the_oldest_or_is_dropped_and_another_key_is_another_matter() {
    let turns = Turns::default();
    assert_eq!(turns.rule(&started(2, "a", 1), WhenBusy::Attach), Ruling::Start);
    let joined = turns.rule(&started(3, "a", 1), WhenBusy::Attach);
    assert_eq!(joined, Ruling::Join(run(2)), "also while it has not begun");
    let Ruling::Drop(why) = turns.rule(&started(4, "a", 1), WhenBusy::Drop) else {
        panic!("there is no room");
    };
    assert!(
        why.starts_with("dropped: 1 of 1 runs at once are open for a"),
        "{why}"
    );
    assert_eq!(turns.rule(&started(5, "b", 1), WhenBusy::Drop), Ruling::Start);
    turns.leave(NAME, &run(2));
    assert_eq!(turns.rule(&started(6, "a", 1), WhenBusy::Drop), Ruling::Start);
}

#[test]
fn what_was_at_work_stays_so_and_others_wait_for_all_of_it() {
    let turns = Turns::default();
    turns.wait(NAME, &run(9));
    turns.work(NAME, &run(1));
    turns.work(NAME, &run(2));
    assert!(!turns.may_begin(NAME, &run(9), 1), "two are at work, one may be");
    assert_eq!(turns.leave(NAME, &run(1)), Some(run(9)));
    assert!(!turns.may_begin(NAME, &run(9), 1));
    turns.leave(NAME, &run(2));
    assert!(turns.may_begin(NAME, &run(9), 1));
}
