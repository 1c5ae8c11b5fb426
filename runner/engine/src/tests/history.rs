//! A history that does not fit is refused, and reading goes no further.

use state::event::{Event, Intended, Outcome, SkipCause};
use state::ids::Path;

use super::*;
use crate::run::{Corrupt, Run};
use crate::scenery::noon;

const TWO: &str = "
trigger: {incident: [phishing]}
steps:
  one:
    name: One
    uses: siem.search
    with: {query: q}
  two:
    name: Two
    uses: ticket.open
    with: {title: \"{{steps.one.count}}\"}
";

fn refold(scene: &Scene, events: &[Recorded]) -> Result<Run, Corrupt> {
    Run::fold(&scene.plan, events)
}

fn with(events: &[Recorded], event: Event) -> Vec<Recorded> {
    let mut events = events.to_vec();
    events.push(Recorded {
        seq: u64::try_from(events.len()).expect("small"),
        at: noon(),
        event,
    });
    events
}

fn first_intent(events: &[Recorded]) -> Intended {
    events
        .iter()
        .find_map(|recorded| match &recorded.event {
            Event::Intended(intended) => Some(intended.clone()),
            _ => None,
        })
        .expect("an intent")
}

#[test]
fn every_prefix_of_a_history_can_be_read() {
    let scene = Scene::new(TWO);
    let run = scene.play(scene.world());
    for end in 1..=run.events().len() {
        refold(&scene, &run.events()[..end]).expect("a prefix");
    }
}

#[test]
fn gaps_repetitions_and_strangers_are_refused() {
    let scene = Scene::new(TWO);
    let begun = scene.begin(scene.world()).events().to_vec();
    let played = scene.play(scene.world()).events().to_vec();
    let skip = |path: Path| Event::Skipped {
        path,
        cause: SkipCause::RunFailing,
    };
    let intent = first_intent(&begun);
    let output = Outcome::Succeeded {
        output: serde_json::json!({}),
        reference: None,
    };
    let finished = |attempt| Event::Finished {
        path: Path::step("one"),
        attempt,
        outcome: output.clone(),
        duration_ms: 1,
    };
    let next = Intended {
        attempt: 2,
        ..intent.clone()
    };
    for (events, reason) in [
        (Vec::new(), "there are no events"),
        (begun[1..].to_vec(), "the first event is not `started`"),
        ([&begun[..1], &begun[..1]].concat(), "position 1 was due"),
        (with(&begun[..1], begun[0].event.clone()), "a run starts once"),
        (with(&begun, skip(Path::step("three"))), "there is no `three`"),
        (with(&begun, skip(Path::item("one", 0))), "there is no `one[0]`"),
        (
            with(&begun, skip(Path::step("one"))),
            "`one` cannot be skipped: another attempt is in work",
        ),
        (
            with(&begun, Event::Intended(next)),
            "`one` cannot be intended: another attempt is in work",
        ),
        (
            with(&begun, finished(2)),
            "attempt 2 of `one` is not awaited: another attempt is in work",
        ),
        (
            with(&begun[..1], finished(0)),
            "`one` cannot succeed without an intent",
        ),
        (with(&played, finished(1)), "the run is closed"),
    ] {
        let corrupt = refold(&scene, &events).expect_err(reason);
        assert_eq!(corrupt.reason, reason);
    }
}

#[test]
fn a_run_of_another_revision_is_refused() {
    let scene = Scene::new(TWO);
    let other = Scene::new(&TWO.replace("query: q", "query: r"));
    let events = scene.begin(scene.world()).events().to_vec();
    let corrupt = refold(&other, &events).expect_err("another revision");
    assert!(
        corrupt.reason.starts_with("the run belongs to revision"),
        "{corrupt}"
    );
}

#[test]
fn an_event_that_does_not_fit_leaves_the_run_as_it_was() {
    let scene = Scene::new(TWO);
    let run = scene.begin(scene.world());
    let mut folded = refold(&scene, run.events()).expect("a history");
    let bad = Recorded {
        seq: folded.next_seq(),
        at: noon(),
        event: Event::Skipped {
            path: Path::step("one"),
            cause: SkipCause::RunFailing,
        },
    };
    folded.apply(&scene.plan, &bad).expect_err("it is in work");
    assert_eq!(folded.steps(&scene.plan), run.run().steps(&scene.plan));
    assert_eq!(folded.next_seq(), run.run().next_seq());
}
