//! How many at once, who is next, and what becomes of a turn nobody takes.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;

type Waiting = Pin<Box<dyn Future<Output = Turn>>>;

const ENTITIES: [&str; 4] = ["ville", "hopital", "lycee", "port"];

fn entity(number: usize) -> &'static str {
    ENTITIES[number]
}

/// The turn, if it came without waiting longer.
fn now<Wanted: Future<Output = Turn> + Unpin>(wanted: &mut Wanted) -> Option<Turn> {
    match pin!(wanted).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(turn) => Some(turn),
        Poll::Pending => None,
    }
}

fn wanted(turns: &Rotation, number: usize) -> Waiting {
    let turns = turns.clone();
    let mut waiting: Waiting = Box::pin(async move { turns.of(entity(number)).await });
    assert!(now(&mut waiting).is_none(), "nothing is free");
    waiting
}

fn all_taken(turns: &Rotation, at_once: usize) -> Vec<Turn> {
    (0..at_once)
        .map(|_| now(&mut Box::pin(turns.of(entity(0)))).unwrap())
        .collect()
}

#[test]
fn as_many_as_may_go_at_once_and_one_more_waits() {
    for at_once in [1, KEPT_FOR_OTHERS - 1] {
        let turns = Rotation::new(at_once);
        let mut taken = all_taken(&turns, at_once);
        let mut next = wanted(&turns, 0);
        drop(taken.pop());
        assert!(now(&mut next).is_some());
    }
    // None at all would be a standstill.
    assert_eq!(all_taken(&Rotation::new(0), 1).len(), 1);
}

#[test]
fn whoever_comes_after_a_flood_of_another_is_next_but_one() {
    let turns = Rotation::new(1);
    let mut taken = all_taken(&turns, 1);
    let mut flood: Vec<Waiting> = (0..10_000).map(|_| wanted(&turns, 0)).collect();
    let mut other = wanted(&turns, 1);
    drop(taken.pop());
    let first = now(&mut flood[0]).expect("it came first");
    assert!(now(&mut other).is_none());
    drop(first);
    assert!(now(&mut flood[1]).is_none());
    let second = now(&mut other).expect("the other entity is next");
    drop(second);
    assert!(now(&mut flood[1]).is_some());
}

#[test]
fn a_turn_that_nobody_takes_goes_to_the_next() {
    let turns = Rotation::new(1);
    let mut taken = all_taken(&turns, 1);
    let gone: Vec<Waiting> = (0..1_000).map(|_| wanted(&turns, 0)).collect();
    let late = wanted(&turns, 1);
    let mut last = wanted(&turns, 0);
    drop(gone);
    drop(taken.pop());
    // It was given to `late`, which goes away without having looked.
    drop(late);
    assert!(now(&mut last).is_some());
    assert_eq!(all_taken(&turns, 1).len(), 1, "it is free again");
}

#[test]
fn one_entity_never_has_all() {
    for (at_once, each) in [(KEPT_FOR_OTHERS, 3), (64, 48), (65, 49)] {
        let turns = Rotation::new(at_once);
        let of_one = all_taken(&turns, each);
        let mut one_more = wanted(&turns, 0);
        let mut others: Vec<Turn> = (each..at_once)
            .map(|_| now(&mut Box::pin(turns.of(entity(1)))).unwrap())
            .collect();
        drop(others.pop());
        assert!(now(&mut one_more).is_none(), "it has its part");
        drop(of_one);
        assert!(now(&mut one_more).is_some());
    }
}

proptest! {
    /// Whatever happens in whatever order: never more than may be, none is lost, each entity in
    /// order of arrival, and between two turns of an entity at most one of each of the three others.
    #[test]
    fn turns_are_kept_and_shared(
        at_once in 1_usize..10,
        acts in prop::collection::vec((0_usize..5, 0_usize..4), 1..300),
    ) {
        let turns = Rotation::new(at_once);
        let each = at_once - at_once / KEPT_FOR_OTHERS;
        let mut held: Vec<(usize, Turn)> = Vec::new();
        let mut waiting: Vec<(usize, usize, Waiting)> = Vec::new();
        let of = |held: &[(usize, Turn)], wanted: usize| held.iter().filter(|(entity, _)| *entity == wanted).count();
        for (act, number) in acts {
            match act {
                0..=2 => {
                    let turns = turns.clone();
                    let mut future: Waiting = Box::pin(async move { turns.of(entity(number)).await });
                    match now(&mut future) {
                        Some(turn) => held.push((number, turn)),
                        None => waiting.push((number, 0, future)),
                    }
                }
                3 if !waiting.is_empty() => {
                    let place = number % waiting.len();
                    drop(waiting.remove(place));
                }
                _ if !held.is_empty() => {
                    drop(held.swap_remove(number % held.len()));
                    let mut turn = None;
                    let place = waiting.iter_mut().position(|(_, _, future)| {
                        turn = now(future);
                        turn.is_some()
                    });
                    if let (Some(place), Some(turn)) = (place, turn) {
                        let (served, ..) = waiting.remove(place);
                        prop_assert!(waiting[..place].iter().all(|(entity, ..)| *entity != served), "order of arrival");
                        for (entity, passed, _) in &mut waiting {
                            if *entity == served {
                                *passed = 0;
                            } else if of(&held, *entity) < each {
                                *passed += 1;
                            }
                            prop_assert!(*passed <= 3, "passed over {passed} times");
                        }
                        held.push((served, turn));
                    }
                }
                _ => {}
            }
            prop_assert!(held.len() <= at_once);
            for (entity, ..) in &waiting {
                let has = of(&held, *entity);
                prop_assert!(held.len() == at_once || has == each, "it waits although a turn is free");
            }
            prop_assert!((0..4).all(|entity| of(&held, entity) <= each));
        }
        drop(waiting);
        drop(held);
        prop_assert_eq!(all_taken(&turns, each).len(), each);
    }
}
