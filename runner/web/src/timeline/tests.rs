//! The list says what happened, in words, from events alone.

use jiff::Timestamp;
use playbooks::action_spec::ErrorKind;
use playbooks::marking::EffectClass;
use serde_json::json;
use state::event::{Event, Outcome, ProbeAnswer, Recorded, RunStatus, SkipCause};
use state::ids::Path;

use super::{NOTE_CHARACTERS_MAX, StepLine, Timeline, cut, skip_note};
use crate::view::StepState;

fn timeline() -> Timeline {
    Timeline::new(
        [("look", EffectClass::Read), ("block", EffectClass::Contain)].map(|(id, class)| StepLine {
            id: id.to_owned(),
            name: format!("Do {id}"),
            class,
        }),
    )
}

fn at(second: i64, event: Event) -> Recorded {
    Recorded {
        seq: 0,
        at: Timestamp::from_second(second).unwrap(),
        event,
    }
}

fn finished(path: Path, outcome: Outcome) -> Event {
    Event::Finished {
        path,
        attempt: 1,
        outcome,
        duration_ms: 5,
    }
}

fn done() -> Outcome {
    Outcome::Succeeded {
        output: json!({}),
        reference: Some("GLPI-1".to_owned()),
    }
}

fn failed() -> Outcome {
    Outcome::Failed {
        kind: ErrorKind::Timeout,
        detail: "no answer".to_owned(),
        not_sent: false,
        retry_after: None,
    }
}

#[test]
fn an_effect_is_flagged_and_a_look_is_not() {
    let rows = timeline().rows();
    assert_eq!(
        rows.iter().map(|row| row.effect).collect::<Vec<_>>(),
        [false, true]
    );
    assert!(rows.iter().all(|row| row.state == StepState::Pending));
}

#[test]
fn a_step_fails_waits_and_is_done() {
    let mut timeline = timeline();
    timeline.apply(&at(1, finished(Path::step("block"), failed())));
    let retry = Event::RetryScheduled {
        path: Path::step("block"),
        attempt: 2,
        at: Timestamp::from_second(9).unwrap(),
    };
    let line = timeline.apply(&at(2, retry)).unwrap();
    assert_eq!(line.state, StepState::Retrying);
    assert!(line.note.starts_with("no answer; attempt 2"), "{}", line.note);
    assert_eq!(timeline.status(), RunStatus::Waiting);
    let line = timeline
        .apply(&at(9, finished(Path::step("block"), done())))
        .unwrap();
    assert_eq!((line.state, line.note.as_str()), (StepState::Done, "GLPI-1"));
}

#[test]
fn a_lost_effect_becomes_unknown_and_the_run_is_stuck() {
    let mut timeline = timeline();
    let path = Path::step("block");
    let probed = Event::Probed {
        path: path.clone(),
        attempt: 1,
        answer: ProbeAnswer::CannotTell {
            detail: "no list".to_owned(),
        },
    };
    timeline.apply(&at(1, probed));
    let unknown = Event::OutcomeUnknown {
        path,
        attempt: 1,
        detail: "cannot be asked".to_owned(),
    };
    assert_eq!(timeline.apply(&at(2, unknown)).unwrap().state, StepState::Unknown);
    assert_eq!(timeline.status(), RunStatus::Stuck);
}

#[test]
fn items_follow_their_step_and_sum_up() {
    let mut timeline = timeline();
    let expanded = Event::Expanded {
        step: "look".to_owned(),
        items: vec![json!(1), json!(2), json!(3)],
    };
    timeline.apply(&at(1, expanded));
    timeline.apply(&at(2, finished(Path::item("look", 2), done())));
    timeline.apply(&at(3, finished(Path::item("look", 0), done())));
    let rows = timeline.rows();
    assert_eq!(rows[0].state, StepState::Running);
    assert_eq!(rows[0].note, "2/3");
    timeline.apply(&at(4, finished(Path::item("look", 1), failed())));
    let rows = timeline.rows();
    let places: Vec<_> = rows.iter().map(|row| (row.step.as_str(), row.item)).collect();
    assert_eq!(
        places,
        [
            ("look", None),
            ("look", Some(0)),
            ("look", Some(1)),
            ("look", Some(2)),
            ("block", None)
        ]
    );
    assert_eq!(
        (rows[0].state, rows[0].note.as_str()),
        (StepState::Failed, "2/3, 1 failed")
    );
}

#[test]
fn a_skip_says_why_and_an_empty_list_is_done() {
    let mut timeline = timeline();
    let because = "verdict == 'malicious' was false (verdict is 'clean')".to_owned();
    for (because, note) in [
        (
            Some(because),
            "if: verdict == 'malicious' was false (verdict is 'clean')",
        ),
        (None, "if was false: verdict == 'malicious'"),
    ] {
        let cause = SkipCause::IfFalse {
            condition: "verdict == 'malicious'".to_owned(),
            because,
        };
        assert_eq!(skip_note(&cause), note);
    }
    let skipped = Event::Skipped {
        path: Path::step("block"),
        cause: SkipCause::IfFalse {
            condition: "verdict == 'malicious'".to_owned(),
            because: None,
        },
    };
    let line = timeline.apply(&at(1, skipped)).unwrap();
    assert_eq!(line.note, "if was false: verdict == 'malicious'");
    let expanded = Event::Expanded {
        step: "look".to_owned(),
        items: Vec::new(),
    };
    assert_eq!(timeline.apply(&at(1, expanded)).unwrap().state, StepState::Done);
}

#[test]
fn a_step_the_plan_does_not_have_is_not_invented() {
    assert!(
        timeline()
            .apply(&at(1, finished(Path::step("other"), done())))
            .is_none()
    );
}

#[test]
fn a_note_is_one_line_of_limited_length() {
    assert_eq!(cut("a\r\n\u{1b}[31mb"), "a   [31mb");
    let fits = "é".repeat(NOTE_CHARACTERS_MAX);
    assert_eq!(cut(&fits), fits);
    let over = "é".repeat(NOTE_CHARACTERS_MAX + 1);
    assert_eq!(cut(&over), format!("{fits}…"));
}

#[test]
fn an_item_is_named_by_itself_and_an_output_by_its_telling_fields() {
    let mut timeline = timeline();
    timeline.apply(&at(
        1,
        Event::Expanded {
            step: "look".to_owned(),
            items: vec![json!({"url": "https://a.example/"})],
        },
    ));
    let outcome = Outcome::Succeeded {
        output: json!({"verdict": "malicious", "score": 97, "providers": [{"name": "a"}, {"name": "b", "error": "timeout"}]}),
        reference: None,
    };
    let line = timeline
        .apply(&at(2, finished(Path::item("look", 0), outcome)))
        .unwrap();
    assert_eq!(line.name, "https://a.example/");
    assert_eq!(line.note, "malicious (97/100), 1 answered, 1 did not");
    assert_eq!(
        timeline.rows()[0].note,
        "1/1  https://a.example/: malicious (97/100), 1 answered, 1 did not"
    );
}
