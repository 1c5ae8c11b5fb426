//! Joins by data, conditions, absence.

use serde_json::json;
use state::event::{RunStatus, SkipCause};

use super::*;
use crate::rehearsal::Reply;

const DIAMOND: &str = "
trigger: {incident: [phishing]}
steps:
  parts:
    name: Parts
    uses: extract.text
    with: {text: \"{{incident.title}}\"}
  seen:
    name: Seen
    uses: siem.search
    with: {query: known}
  ticket:
    name: Ticket
    uses: ticket.open
    with: {title: \"{{join steps.parts.ips ' '}} {{steps.seen.count}}\"}
outputs:
  ticket: steps.ticket.id
";

#[test]
fn a_step_waits_for_everything_it_reads() {
    let scene = Scene::new(DIAMOND);
    let mut run = scene.begin(scene.world());
    assert_eq!(run.work().len(), 2, "both reads start at once");
    run.turn(|_| 1).expect("one ends");
    assert_eq!(status(&scene, &run, "ticket"), StepStatus::Pending);
    run.to_end().expect("it ends");
    assert_eq!(calls(&run), ["seen", "parts", "ticket"]);
    assert_eq!(closed(run.events()).0, RunStatus::Succeeded);
    assert_eq!(outputs(run.events()), json!({"ticket": "T-1"}));
}

#[test]
fn a_result_and_the_next_intents_are_one_commit() {
    let scene = Scene::new(DIAMOND);
    let run = scene.play(scene.world());
    // The two reads, each result, the ticket: a chain of N steps costs N + 1 commits.
    assert_eq!(run.commits(), 4);
}

#[test]
fn an_if_decides_only_its_step_and_absence_travels_with_its_reason() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
steps:
  copies:
    name: Copies
    uses: siem.search
    if: incident.severity == severity.low
    with: {query: known}
  ticket:
    name: Ticket
    uses: ticket.open
    with: {title: \"{{steps.copies.count}} copies\"}
  after:
    name: After
    uses: ticket.open
    after: [ticket]
    with: {title: after}
  guarded:
    name: Guarded
    uses: ticket.open
    with: {title: \"{{default steps.copies.count 0}} copies\"}
let:
  many: steps.copies.count > 10
outputs:
  many: many
  none: default(steps.copies.count, -1)
",
    );
    let run = scene.play(scene.world());
    assert_eq!(
        skips(run.events(), "copies"),
        [&SkipCause::IfFalse {
            condition: "incident.severity == severity.low".to_owned(),
            because: Some(
                "incident.severity == severity.low was false (incident.severity is high)".to_owned()
            ),
        }]
    );
    assert_eq!(
        skips(run.events(), "ticket"),
        [&SkipCause::Needs {
            why: "needs steps.copies, which was skipped: if was false".to_owned()
        }]
    );
    assert_eq!(calls(&run), ["after", "guarded"]);
    assert_eq!(outputs(run.events()), json!({"none": -1}));
    assert_eq!(
        closed(run.events()),
        (RunStatus::Succeeded, "2 steps done, 2 skipped")
    );
}

#[test]
fn a_condition_over_something_absent_is_undecided() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
steps:
  copies:
    name: Copies
    uses: siem.search
    if: incident.severity == severity.low
    with: {query: known}
  ticket:
    name: Ticket
    uses: ticket.open
    if: steps.copies.count > 0
    with: {title: seen}
",
    );
    let run = scene.play(scene.world());
    let cause = skips(run.events(), "ticket");
    assert!(
        matches!(cause[0], SkipCause::IfUndecided { why }
        if why == "needs steps.copies, which was skipped: if was false"),
        "{cause:?}"
    );
}

#[test]
fn a_let_made_from_an_absent_value_says_so() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
steps:
  copies:
    name: Copies
    uses: siem.search
    on_failure: continue
    with: {query: known}
  ticket:
    name: Ticket
    uses: ticket.open
    if: many
    with: {title: seen}
let:
  many: steps.copies.count > 10
",
    );
    let fails = Reply::Fails {
        kind: playbooks::action_spec::ErrorKind::Rejected,
        not_sent: true,
    };
    let run = scene.play(scene.world().script("copies", [fails]));
    let cause = skips(run.events(), "ticket");
    assert!(
        matches!(cause[0], SkipCause::IfUndecided { why } if why
            == "needs many, which is absent: needs steps.copies, which failed: scripted failure (rejected)"),
        "{cause:?}"
    );
    assert_eq!(
        closed(run.events()).1,
        "0 steps done, 1 skipped; 1 failure was handled"
    );
}

#[test]
fn a_message_that_could_not_be_written_is_in_the_summary() {
    // The publish check refuses this (PB320); the engine holds even if it did not.
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
may: [notify]
steps:
  copies:
    name: Copies
    uses: siem.search
    if: incident.severity == severity.low
    with: {query: known}
  tell:
    name: Tell
    uses: notify.team
    if: incident.severity == severity.low
    with: {text: \"{{steps.copies.count}}\"}
",
    );
    scene.plan.steps["tell"].condition = None;
    let run = scene.play(scene.world());
    assert_eq!(
        closed(run.events()).1,
        "0 steps done, 2 skipped; the message of `tell` was not sent: needs steps.copies, which was skipped: \
         if was false"
    );
}

#[test]
fn an_unreached_optional_output_is_named() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
steps:
  parts:
    name: Parts
    uses: extract.text
    with: {text: t}
  ticket:
    name: Ticket
    uses: ticket.open
    if: has(steps.parts.note)
    with: {title: \"{{steps.parts.note}}\"}
",
    );
    let run = scene.play(scene.world());
    assert!(matches!(
        skips(run.events(), "ticket")[0],
        SkipCause::IfFalse { .. }
    ));
}

#[test]
fn lets_are_settled_before_a_later_section_reads_them() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
steps:
  one:
    name: One
    uses: siem.search
    with: {query: q}
  two:
    name: Two
    uses: siem.search
    if: steps.one.count > 100
    with: {query: r}
finally:
  record:
    name: Record
    uses: ticket.open
    with: {title: \"{{default seen 'nobody knows'}}\"}
let:
  seen: \"steps.two.status == 'skipped' ? 'skipped' : 'seen'\"
",
    );
    let run = scene.play(scene.world());
    assert_eq!(run.world.ledger.calls[1].2["title"], "skipped");
}
