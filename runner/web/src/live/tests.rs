//! Followers see every event once, in order, however far they lie behind.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt};
use state::event::{Event, Recorded, RunStatus, Seq};
use state::ids::RunId;

use super::{EventSource, FEED_CAPACITY, Feed, follow};
use crate::operations::Answer;
use crate::timeline::Timeline;

#[derive(Default)]
struct Memory(Mutex<Vec<Recorded>>);

#[async_trait]
impl EventSource for Memory {
    async fn events_from(&self, _: &RunId, from: Seq) -> Answer<Vec<Recorded>> {
        let events = self.0.lock().unwrap();
        Ok(events.iter().filter(|event| event.seq >= from).cloned().collect())
    }
}

impl Memory {
    fn add(&self, feed: &Feed, run: &RunId, event: Event) {
        let mut events = self.0.lock().unwrap();
        let seq = Seq::try_from(events.len()).unwrap();
        events.push(Recorded {
            seq,
            at: jiff::Timestamp::UNIX_EPOCH,
            event,
        });
        feed.changed(run);
    }
}

fn step(number: u32) -> Event {
    Event::LetSettled {
        name: format!("value{number}"),
        value: None,
        absent: None,
    }
}

fn closed() -> Event {
    Event::Closed {
        status: RunStatus::Succeeded,
        outputs: std::collections::BTreeMap::new(),
        summary: "done".to_owned(),
        handled_failures: 0,
        records: 0,
    }
}

fn run(number: u128) -> RunId {
    RunId::from_parts(1, number)
}

#[tokio::test]
async fn shows_stored_then_live_then_ends() {
    let (feed, memory) = (Feed::default(), Arc::new(Memory::default()));
    memory.add(&feed, &run(1), step(0));
    let mut stream = follow(&feed, memory.clone(), run(1), Timeline::new([]), None);
    assert_eq!(stream.next().await.unwrap().unwrap().seq, 0);
    assert!(
        stream.next().now_or_never().is_none(),
        "nothing new, nothing shown"
    );
    feed.changed(&run(2));
    assert!(
        stream.next().now_or_never().is_none(),
        "another run is not this run"
    );
    memory.add(&feed, &run(1), step(1));
    memory.add(&feed, &run(1), closed());
    assert_eq!(stream.next().await.unwrap().unwrap().seq, 1);
    let last = stream.next().await.unwrap().unwrap();
    assert_eq!((last.seq, last.status), (2, RunStatus::Succeeded));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn resumes_after_a_position_and_a_finished_run_ends_at_once() {
    let (feed, memory) = (Feed::default(), Arc::new(Memory::default()));
    for number in 0..3 {
        memory.add(&feed, &run(1), step(number));
    }
    memory.add(&feed, &run(1), closed());
    let stream = follow(&feed, memory.clone(), run(1), Timeline::new([]), Some(1));
    let seen: Vec<Seq> = stream.map(|change| change.unwrap().seq).collect().await;
    assert_eq!(seen, [2, 3]);
    let stream = follow(&feed, memory, run(1), Timeline::new([]), Some(3));
    assert_eq!(stream.count().await, 0);
}

#[tokio::test]
async fn a_follower_that_lies_behind_loses_nothing() {
    let (feed, memory) = (Feed::default(), Arc::new(Memory::default()));
    memory.add(&feed, &run(1), step(0));
    let mut stream = follow(&feed, memory.clone(), run(1), Timeline::new([]), None);
    stream.next().await.unwrap().unwrap();
    for _ in 0..FEED_CAPACITY * 2 {
        feed.changed(&run(2));
    }
    for number in 1..10 {
        memory.add(&feed, &run(1), step(number));
    }
    memory.add(&feed, &run(1), closed());
    let seen: Vec<Seq> = stream.map(|change| change.unwrap().seq).collect().await;
    assert_eq!(seen, (1..=10).collect::<Vec<_>>());
}
