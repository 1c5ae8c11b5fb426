//! What fits into one commit, and what is put off.

use playbooks::duration::Span;
use serde_json::json;
use state::event::SkipCause;

use super::*;

fn path(step: &str) -> Path {
    Path::step(step)
}

fn row(status: RunStatus) -> RunRow {
    RunRow {
        status,
        wake_at: None,
        effects: 0,
        note: String::new(),
        attention: false,
        turns: None,
    }
}

#[test]
fn a_part_of_a_decision_is_gone_on_with_at_once_unless_the_run_is_over() {
    let now = Timestamp::UNIX_EPOCH;
    for (status, expected) in [
        (RunStatus::Waiting, RunStatus::Running),
        (RunStatus::Stuck, RunStatus::Running),
        (RunStatus::Running, RunStatus::Running),
        (RunStatus::Failing, RunStatus::Failing),
    ] {
        let part = unfinished(row(status), now);
        assert_eq!((part.status, part.wake_at), (expected, Some(now)));
    }
    assert_eq!(unfinished(row(RunStatus::Failed), now), row(RunStatus::Failed));
}

#[test]
fn what_is_too_large_becomes_a_failure_or_an_absence_with_the_reason() {
    let value = Event::LetSettled {
        name: "all".to_owned(),
        value: Some(json!("long")),
        absent: None,
    };
    assert!(matches!(
        in_place_of(value, "too large"),
        Some(Event::LetSettled { value: None, absent: Some(why), .. }) if why == "too large"
    ));
    let items = Event::Expanded {
        step: "each".to_owned(),
        items: vec![json!("long")],
    };
    assert!(matches!(
        in_place_of(items, "too large"),
        Some(Event::Finished {
            attempt: 0,
            outcome: Outcome::Failed { not_sent: true, .. },
            ..
        })
    ));
    let finished = Event::Finished {
        path: path("once"),
        attempt: 2,
        outcome: Outcome::Succeeded {
            output: json!("long"),
            reference: None,
        },
        duration_ms: 3,
    };
    assert!(
        matches!(
            in_place_of(finished, "too large"),
            Some(Event::Finished {
                attempt: 2,
                outcome: Outcome::Failed { not_sent: false, .. },
                ..
            })
        ),
        "an effect that happened is never called certain not to have"
    );
}

#[test]
fn nothing_is_put_in_place_of_what_cannot_be_too_large() {
    let small = [
        Event::Skipped {
            path: path("one"),
            cause: SkipCause::RunCancelled,
        },
        Event::RetryScheduled {
            path: path("one"),
            attempt: 2,
            at: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_millis(Span::hours(1).as_milliseconds()),
        },
    ];
    for event in small {
        assert_eq!(in_place_of(event, "too large"), None);
    }
}
