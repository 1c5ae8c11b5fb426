//! The stored form does not change: every line of the golden file is still read, and written the
//! same. A new kind adds a line; no line is ever changed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use playbooks::action_spec::{ErrorKind, Recovery};
use playbooks::duration::Span;
use playbooks::marking::{EffectClass, Pap, Severity, Tlp, Verdict};
use serde_json::json;

use super::*;
use crate::access::{Actor, Channel};
use crate::conformance::samples::{
    approval, choice, closed, effect_key, entity, incident, inquiry_closed, measure, moment, new_incident,
    new_run, playbook, row, run_id, sender, update,
};
use crate::event::{
    Inquiry, InquiryEnd, Intended, Inverse, LeftOut, OnTimeout, Outcome, ProbeAnswer, Recorded, RefusalKind,
    Reply, ReplyWord, RunStatus, Settlement, SkipCause, Started, StartedBy, Told, Turn,
};
use crate::ids::{InquiryId, Path};

const GOLDEN: &str = include_str!("../../golden/event.v1.jsonl");

/// One line of the golden file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Event(Recorded),
    Record(Record),
}

#[expect(clippy::too_many_lines, reason = "a list: every kind of event")]
fn all_events() -> Vec<Event> {
    let look = || Path::step("look");
    let item = || Path::item("block", 2);
    let detail = || "in words: é, \"quoted\"".to_owned();
    let skip = |cause| Event::Skipped { path: look(), cause };
    let refuse = |cause| Event::Refused {
        path: item(),
        cause,
        detail: detail(),
    };
    let finish = |outcome| Event::Finished {
        path: item(),
        attempt: 2,
        outcome,
        duration_ms: 345,
    };
    let probe = |answer| Event::Probed {
        path: item(),
        attempt: 2,
        answer,
    };
    let mut events = vec![
        Event::Started(new_run("ville-a", Some(&"PH-2026-00417".parse().unwrap()), "triage", 1).started),
        Event::Started(new_run("ville-a", None, "weekly", 2).started),
        Event::LetSettled {
            name: "sender".to_owned(),
            value: Some(json!({ "email": "a@example.org", "score": 0.1 })),
            absent: None,
        },
        Event::LetSettled {
            name: "sender".to_owned(),
            value: None,
            absent: Some(detail()),
        },
        Event::Expanded {
            step: "block".to_owned(),
            items: vec![json!("203.0.113.9"), json!(1), json!(null)],
        },
        Event::Intended(Intended {
            path: item(),
            attempt: 2,
            key: effect_key(3),
            action: "block.ip".to_owned(),
            effect: EffectClass::Contain,
            connections: vec!["pull-list".to_owned()],
            left_out: vec![LeftOut {
                connection: "virustotal".to_owned(),
                why: detail(),
            }],
            arguments: json!({ "ip": "203.0.113.9", "for": "24h" }),
            tlp: Tlp::AmberStrict,
            pap: Pap::Green,
            recovery: Recovery::Set,
            timeout: Span::milliseconds(1_500),
            until: Some(moment(86_400)),
        }),
        Event::Lost {
            path: look(),
            attempt: 1,
        },
        Event::OutcomeUnknown {
            path: item(),
            attempt: 3,
            detail: detail(),
        },
        Event::RetryScheduled {
            path: look(),
            attempt: 2,
            at: moment(30),
        },
        Event::Failing {
            step: Some("look".to_owned()),
            error: detail(),
        },
        Event::Failing {
            step: None,
            error: detail(),
        },
        Event::CancelRequested {
            actor: sender(),
            reason: detail(),
        },
        closed(7),
    ];
    events.extend([
        skip(SkipCause::IfFalse {
            condition: "steps.look.score > 3".to_owned(),
            because: None,
        }),
        skip(SkipCause::IfUndecided { why: detail() }),
        skip(SkipCause::Needs { why: detail() }),
        skip(SkipCause::Absent { why: detail() }),
        skip(SkipCause::RunFailing),
        skip(SkipCause::RunCancelled),
    ]);
    events.extend(
        [
            RefusalKind::Tlp,
            RefusalKind::Pap,
            RefusalKind::NeverBlock,
            RefusalKind::PrivateRange,
            RefusalKind::Budget,
            RefusalKind::Paused,
            RefusalKind::Policy,
        ]
        .map(refuse),
    );
    events.extend([
        finish(Outcome::Succeeded {
            output: json!({ "until": "2026-11-25T08:00:00Z" }),
            reference: Some("TICKET-17".to_owned()),
        }),
        finish(Outcome::Failed {
            kind: ErrorKind::Throttled,
            detail: detail(),
            not_sent: true,
            retry_after: Some(Span::seconds(60)),
        }),
        finish(Outcome::Simulated {
            output: json!({ "id": "example" }),
        }),
        probe(ProbeAnswer::Done {
            output: json!({ "id": 7 }),
        }),
        probe(ProbeAnswer::NotDone),
        probe(ProbeAnswer::CannotTell { detail: detail() }),
        // Added later, at the end, so that the lines above stay what they were.
        skip(SkipCause::IfFalse {
            condition: "steps.look.score > 3".to_owned(),
            because: Some("steps.look.score > 3 was false (steps.look.score is 2)".to_owned()),
        }),
    ]);
    events.extend(what_people_decide());
    events.extend(inquiries());
    events.extend(telling());
    events.extend(what_time_brings());
    events
}

/// Telling people that they are asked, and a reply from the page.
fn telling() -> Vec<Event> {
    let mut events = vec![Event::Telling {
        number: 1,
        people: vec!["karim".to_owned(), "lea".to_owned()],
    }];
    let detail = || "the relay was not ready in time".to_owned();
    let message_id = "<0123456789abcdef.sortie@cert.example>".to_owned();
    let came = [
        Told::Sent { message_id },
        Told::NotSent { detail: detail() },
        Told::Unknown { detail: detail() },
    ];
    events.extend(came.map(|outcome| Event::Told {
        number: 1,
        person: "karim".to_owned(),
        outcome,
    }));
    events.push(Event::Replied(Reply {
        number: 1,
        person: "karim".to_owned(),
        role: "duty-officer".to_owned(),
        actor: Actor {
            name: "person:karim".to_owned(),
            channel: Channel::Page,
        },
        word: ReplyWord::Approve,
        comment: None,
        digest: Some("ab".repeat(32)),
    }));
    events
}

/// What people are asked and say, from the question to its end.
fn inquiries() -> Vec<Event> {
    let named = |number: u32, mut inquiry: Inquiry| {
        inquiry.id = Some(InquiryId::new(u64::from(number) + 92));
        Event::Asked(Box::new(inquiry))
    };
    let reply = |word, comment: Option<&str>, digest: Option<String>| {
        Event::Replied(Reply {
            number: 1,
            person: "karim".to_owned(),
            role: "duty-officer".to_owned(),
            actor: Actor {
                name: "person:karim".to_owned(),
                channel: Channel::Api,
            },
            word,
            comment: comment.map(str::to_owned),
            digest,
        })
    };
    let mut events = vec![
        named(1, approval(1)),
        named(2, choice(2)),
        reply(ReplyWord::Approve, None, Some("ab".repeat(32))),
        reply(ReplyWord::Refuse, Some("not now"), Some("ab".repeat(32))),
        reply(ReplyWord::Choose("watch".to_owned()), None, None),
        Event::Escalated {
            number: 1,
            who: vec!["duty-lead".to_owned()],
            until: moment(86_400),
        },
    ];
    let ends = [
        InquiryEnd::Approved,
        InquiryEnd::Refused,
        InquiryEnd::Chosen,
        InquiryEnd::Expired,
        InquiryEnd::Voided,
        InquiryEnd::Withdrawn,
    ];
    events.extend(ends.map(|end| inquiry_closed(1, end)));
    for on_timeout in [OnTimeout::Skip, OnTimeout::Fail] {
        events.push(named(
            3,
            Inquiry {
                on_timeout,
                ..approval(3)
            },
        ));
    }
    let refused = SkipCause::ApprovalRefused {
        why: "refused by karim (duty-officer): not now".to_owned(),
    };
    let expired = SkipCause::ApprovalExpired {
        why: "nobody of duty-officer replied until 2026-11-24 08:30Z".to_owned(),
    };
    events.extend([refused, expired].map(|cause| Event::Skipped {
        path: Path::step("block"),
        cause,
    }));
    events
}

fn what_people_decide() -> Vec<Event> {
    let settle = |answer, probed| Event::Settled {
        path: Path::item("block", 2),
        attempt: 2,
        answer,
        probed,
        actor: sender(),
        reason: "looked at the firewall".to_owned(),
    };
    let output = json!({ "ip": "203.0.113.77" });
    vec![
        settle(
            Settlement::Done {
                output: output.clone(),
            },
            true,
        ),
        settle(Settlement::NotDone, false),
        settle(Settlement::ByHand { output }, false),
        Event::Acknowledged {
            actor: sender(),
            reason: "seen".to_owned(),
        },
        Event::Retried {
            places: vec![Path::item("block", 2), Path::step("tell")],
            deadline: moment(7_200),
            actor: sender(),
            reason: "the firewall is back".to_owned(),
        },
        Event::Rerun {
            run: run_id(2),
            actor: sender(),
            reason: "with the new feed".to_owned(),
        },
        Event::Started(Started {
            rerun_of: Some(run_id(1)),
            ..new_run("ville-a", None, "weekly", 2).started
        }),
        Event::UndoRequested {
            inverses: vec![Inverse {
                path: Path::item("block", 2),
                action: "unblock.ip".to_owned(),
                connections: vec!["firewall".to_owned()],
                arguments: json!({ "ip": "203.0.113.77" }),
            }],
            actor: sender(),
            reason: "a false alarm".to_owned(),
            goes_on: false,
        },
        Event::Lost {
            path: Path::item("block", 2).undoing(),
            attempt: 1,
        },
    ]
}

fn what_time_brings() -> Vec<Event> {
    vec![
        Event::UndoRequested {
            inverses: Vec::new(),
            actor: sender(),
            reason: "undo.when: done".to_owned(),
            goes_on: true,
        },
        Event::Started(Started {
            ends: Some(effect_key(2)),
            ..new_run("ville-a", None, "expiry-unblock-ip", 2).started
        }),
        Event::Waits {
            path: Path::step("pause"),
            until: moment(7_200),
        },
        Event::RoundScheduled {
            path: Path::step("gone"),
            round: 2,
            at: moment(7_200),
        },
        Event::RoundsEnded {
            path: Path::step("gone"),
            rounds: 2,
            done: true,
        },
        Event::Skipped {
            path: Path::step("chase"),
            cause: SkipCause::UntilTrue,
        },
        Event::Started(Started {
            turn: Some(Turn {
                key: "\"203.0.113.77\"".to_owned(),
                limit: 1,
            }),
            ..new_run("ville-a", None, "triage", 3).started
        }),
        Event::Admitted {
            deadline: moment(86_500),
        },
        Event::Started(Started {
            by: StartedBy::Schedule,
            ..new_run("ville-a", None, "weekly", 4).started
        }),
    ]
}

/// Fails to compile when a kind is added and not thought of here.
fn event_kinds(event: &Event) -> &'static str {
    match event {
        Event::Started(_)
        | Event::LetSettled { .. }
        | Event::Expanded { .. }
        | Event::Skipped { .. }
        | Event::Refused { .. }
        | Event::Intended(_)
        | Event::Finished { .. }
        | Event::Lost { .. }
        | Event::Probed { .. }
        | Event::OutcomeUnknown { .. }
        | Event::RetryScheduled { .. }
        | Event::Waits { .. }
        | Event::RoundScheduled { .. }
        | Event::RoundsEnded { .. }
        | Event::Admitted { .. }
        | Event::Asked(_)
        | Event::Telling { .. }
        | Event::Told { .. }
        | Event::Replied(_)
        | Event::Escalated { .. }
        | Event::InquiryClosed { .. }
        | Event::Failing { .. }
        | Event::CancelRequested { .. }
        | Event::Settled { .. }
        | Event::Acknowledged { .. }
        | Event::Retried { .. }
        | Event::Rerun { .. }
        | Event::UndoRequested { .. }
        | Event::Closed { .. } => crate::audit::event_kind(event),
    }
}

#[expect(clippy::too_many_lines, reason = "a list: every kind of record")]
fn all_records() -> Vec<Record> {
    let reference = || "ID-2026-00001".parse::<IncidentId>().unwrap();
    let at: Timestamp = moment(5);
    let new = new_incident("ville-a", "flow 7", 0);
    let mut kept = new.incident;
    "ID-2026-00001".clone_into(&mut kept.reference);
    let begun = |once: Option<Once>, thin: bool| {
        let mut started = new_run("ville-a", Some(&reference()), "triage", 1).started;
        if thin {
            started.facts = json!({});
        }
        Box::new(Begun {
            started,
            once,
            join: None,
            facts_as_accepted: thin,
        })
    };
    let once = Once {
        key: "[\"user\"]".to_owned(),
        within: Span::hours(1),
    };
    let mut change = update("ville-a", &reference(), 1, Verdict::Malicious);
    change.severity = Some(Severity::Critical);
    change.run = Some(run_id(1));
    let put = MeasureChange::Put(Box::new(measure("ville-a", 2, "203.0.113.9", 0)));
    let lifted = MeasureChange::Lifted {
        key: effect_key(2),
        entity: entity("ville-a"),
        reason: "its time is over".to_owned(),
    };
    let accepted = AcceptedRecord {
        entity: new.entity,
        source: new.source,
        dedup_key: new.dedup_key,
        dedup_within: new.dedup_within,
        incident: kept,
        actor: new.actor,
        by_hand: false,
        at,
    };
    let by_hand = AcceptedRecord {
        by_hand: true,
        ..accepted.clone()
    };
    vec![
        Record::Accepted(Box::new(accepted)),
        Record::Repeated {
            incident: reference(),
            actor: sender(),
            at,
        },
        Record::Decided {
            incident: reference(),
            rulings: vec![
                Ruling::Started(begun(Some(once.clone()), true)),
                Ruling::Attached {
                    playbook: playbook("report"),
                    run: run_id(2),
                },
                Ruling::No {
                    playbook: playbook("other"),
                    why: "severity is medium, not high".to_owned(),
                },
            ],
            at,
        },
        Record::Started {
            begun: begun(Some(once), false),
            at,
        },
        Record::Attached {
            run: run_id(1),
            incident: Some(reference()),
            actor: sender(),
            at,
        },
        Record::Committed(Box::new(CommittedRecord {
            run: run_id(1),
            from: 1,
            previous: 4_294_967_360,
            at: None,
            events: vec![(at, closed(2))],
            row: row(RunStatus::Succeeded, "done"),
            updates: vec![change.clone()],
            measures: vec![put, lifted.clone()],
        })),
        Record::Committed(Box::new(CommittedRecord {
            run: run_id(1),
            from: 1,
            previous: 4_294_967_360,
            at: Some(at),
            events: Vec::new(),
            row: RunRow {
                wake_at: Some(moment(60)),
                ..row(RunStatus::Waiting, "waits")
            },
            updates: Vec::new(),
            measures: Vec::new(),
        })),
        Record::Updated {
            update: Box::new(change),
            at,
        },
        Record::Measured { change: lifted, at },
        Record::Noted {
            note: Note {
                entity: None,
                kind: "process.started".to_owned(),
                actor: Actor::engine(),
                fields: json!({ "version": "0.1.0" }),
            },
            at,
        },
        Record::Plan {
            playbook: playbook("triage"),
            bundle: "id: triage\n".to_owned(),
        },
        // Added later, at the end, so that the lines above stay what they were.
        Record::Accepted(Box::new(by_hand)),
        Record::Committed(Box::new(CommittedRecord {
            run: run_id(1),
            from: 1,
            previous: 4_294_967_360,
            at: Some(at),
            events: Vec::new(),
            row: RunRow {
                attention: true,
                ..row(RunStatus::Failed, "failed")
            },
            updates: Vec::new(),
            measures: Vec::new(),
        })),
        Record::Committed(Box::new(CommittedRecord {
            run: run_id(1),
            from: 1,
            previous: 4_294_967_360,
            at: Some(at),
            events: Vec::new(),
            row: RunRow {
                turns: Some("ville-a triage \"203.0.113.77\"".to_owned()),
                ..row(RunStatus::Queued, "waits for its turn")
            },
            updates: Vec::new(),
            measures: Vec::new(),
        })),
    ]
}

fn lines() -> Vec<Line> {
    let events = (0..).zip(all_events()).map(|(seq, event)| {
        Line::Event(Recorded {
            seq,
            at: moment(3),
            event,
        })
    });
    events
        .chain(all_records().into_iter().map(Line::Record))
        .collect()
}

#[test]
fn every_kind_is_read_and_written_as_ever() {
    let golden: Vec<&str> = GOLDEN.lines().collect();
    let expected = lines();
    assert_eq!(golden.len(), expected.len(), "a new kind adds a line");
    for (text, expected) in golden.iter().zip(&expected) {
        let found: Line = serde_json::from_str(text).unwrap();
        assert_eq!(found, *expected, "{text}");
        assert_eq!(serde_json::to_string(expected).unwrap(), *text);
    }
}

#[test]
fn the_golden_file_holds_every_kind() {
    let mut events: BTreeMap<&str, usize> = BTreeMap::new();
    for event in all_events() {
        *events.entry(event_kinds(&event)).or_default() += 1;
    }
    // 29 kinds; refusals have two names in the audit list.
    assert_eq!(events.len(), 30, "{events:?}");
    let records: std::collections::BTreeSet<String> = all_records()
        .iter()
        .map(|record| match serde_json::to_value(record).unwrap() {
            serde_json::Value::Object(map) => map.keys().next().unwrap().clone(),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(records.len(), 10, "{records:?}");
}

#[test]
fn what_is_unknown_is_refused() {
    for text in [
        r#"{"event":{"seq":0,"at":"2026-11-24T08:00:00Z","event":{"teleported":{}}}}"#,
        r#"{"event":{"seq":0,"at":"2026-11-24T08:00:00Z","extra":1,"event":{"lost":{"path":{"step":"a"},"attempt":1}}}}"#,
        r#"{"record":{"repeated":{"incident":"ID-2026-00001","actor":{"name":"a","channel":"api"},"at":"2026-11-24T08:00:00Z","more":1}}}"#,
        r#"{"record":{"forgotten":{}}}"#,
    ] {
        assert!(serde_json::from_str::<Line>(text).is_err(), "{text}");
    }
}

#[test]
fn numbers_come_back_to_the_last_bit() {
    let mut kept = incident(playbooks::incident::IncidentType::Other, "t", moment(0));
    kept.raw = json!([
        0.1 + 0.2,
        1.797_693_134_862_315_7e308,
        5e-324,
        u64::MAX,
        i64::MIN,
        2.5e-7
    ]);
    let text = serde_json::to_string(&kept).unwrap();
    assert_eq!(serde_json::from_str::<Incident>(&text).unwrap(), kept);
}

/// Run once for a new kind, and look at the difference: only lines may be added.
#[test]
#[ignore = "writes the golden file"]
fn write_the_golden_file() {
    let text: String = lines()
        .iter()
        .map(|line| serde_json::to_string(line).unwrap() + "\n")
        .collect();
    std::fs::write(
        concat!(env!("CARGO_MANIFEST_DIR"), "/golden/event.v1.jsonl"),
        text,
    )
    .unwrap();
}
