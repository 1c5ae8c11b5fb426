//! Random playbooks under random answers, orders and crashes.
//!
//! Owns the generator and the oracles. What must hold after every commit is checked by the
//! rehearsal itself; what must hold at the end is checked here.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use playbooks::action_spec::ErrorKind;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use state::event::{Event, Outcome, ProbeAnswer};

use super::*;
use crate::rehearsal::{End, Reply, TURNS_MAX};

/// One step of a generated playbook.
#[derive(Debug, Clone)]
struct Sketch {
    uses: usize,
    /// Steps before it that it reads, as bits.
    reads: u8,
    /// Steps before it that it only waits for.
    after: u8,
    condition: usize,
    continues: bool,
    each: bool,
    attempts: u32,
    /// 0 asks nobody, 1 one person, 2 two persons, 3 together with an earlier step.
    approval: usize,
    /// 0 and 1 nothing and three rounds, 2 rounds until the step before it is over, 3 taken back when
    /// the last step is done.
    pace: usize,
}

/// What a generated run meets.
#[derive(Debug, Clone)]
struct Weather {
    /// Replies by call of each step.
    replies: Vec<Vec<Reply>>,
    /// Which piece of work is done next, turn after turn.
    order: Vec<usize>,
    /// After which turns the host dies, and whether it had done its work.
    crashes: Vec<(usize, bool)>,
    /// After which turns somebody replies to the first open inquiry: who, and whether they approve.
    people: Vec<(usize, usize, bool)>,
}

/// People of the tests. The last has no role, the first started the run.
const PEOPLE: [&str; 4] = ["starter", "alice", "bob", "eve"];

const USES: [(&str, &str, &str); 6] = [
    ("siem.search", "query", "count"),
    ("ticket.open", "title", "id"),
    ("notify.team", "text", "id"),
    ("edr.isolate_host", "id", "state"),
    ("extract.text", "text", "note"),
    ("wait.for", "duration", "at"),
];

fn sketch() -> impl Strategy<Value = Sketch> {
    (
        0..USES.len(),
        any::<u8>(),
        any::<u8>(),
        0..4_usize,
        any::<bool>(),
        prop::bool::weighted(0.3),
        1..4_u32,
        prop_oneof![3 => Just(0_usize), 2 => Just(1), 1 => Just(2), 2 => Just(3)],
        0..4_usize,
    )
        .prop_map(
            |(uses, reads, after, condition, continues, each, attempts, approval, pace)| Sketch {
                uses,
                reads: reads & after,
                after: after & !reads,
                condition,
                continues,
                each,
                attempts,
                approval,
                pace,
            },
        )
}

fn reply() -> impl Strategy<Value = Reply> {
    let done = || Reply::Done(serde_json::json!({}));
    let fails = |kind, not_sent| Reply::Fails { kind, not_sent };
    prop_oneof![
        6 => Just(done()),
        2 => Just(fails(ErrorKind::Throttled, true)),
        1 => Just(fails(ErrorKind::Rejected, true)),
        1 => Just(fails(ErrorKind::Timeout, false)),
        1 => Just(Reply::DoneAnswerLost),
    ]
}

fn weather(steps: usize) -> impl Strategy<Value = Weather> {
    (
        prop::collection::vec(prop::collection::vec(reply(), 1..4), steps),
        prop::collection::vec(0..8_usize, 0..40),
        prop::collection::vec((0..40_usize, any::<bool>()), 0..4),
        prop::collection::vec((0..20_usize, 0..PEOPLE.len(), prop::bool::weighted(0.85)), 0..24),
    )
        .prop_map(|(replies, order, crashes, people)| Weather {
            replies,
            order,
            crashes,
            people,
        })
}

/// What a text of step `at` may say about an earlier step.
fn read_of(sketches: &[Sketch], earlier: usize) -> String {
    let (_, _, output) = USES[sketches[earlier].uses];
    if sketches[earlier].each {
        format!("{{{{len steps.s{earlier}.items}}}}")
    } else if output == "note" {
        format!("{{{{default steps.s{earlier}.note '-'}}}}")
    } else {
        format!("{{{{steps.s{earlier}.{output}}}}}")
    }
}

fn yaml(sketches: &[Sketch]) -> String {
    let mut text = String::from(
        "
trigger: {incident: [phishing]}
limits: {pap: green, time: 2h}
may: [notify, contain]
steps:
",
    );
    for (at, sketch) in sketches.iter().enumerate() {
        let (action, input, _) = USES[sketch.uses];
        let among = |bits: u8| (0..at).filter(move |earlier| bits >> (earlier % 8) & 1 == 1);
        let notify = action == "notify.team";
        let waits = action == "wait.for";
        let mut said = if waits { "90s".to_owned() } else { format!("s{at}") };
        if !notify && !waits {
            for earlier in among(sketch.reads) {
                let _ = write!(said, " {}", read_of(sketches, earlier));
            }
        }
        let after: Vec<_> = among(if notify || waits {
            sketch.reads | sketch.after
        } else {
            sketch.after
        })
        .map(|earlier| format!("s{earlier}"))
        .collect();
        let _ = write!(text, "  s{at}:\n    name: S{at}\n    uses: {action}\n");
        if !after.is_empty() {
            let _ = writeln!(text, "    after: [{}]", after.join(", "));
        }
        match (sketch.condition, at) {
            (0, _) => text.push_str("    if: incident.severity == severity.low\n"),
            (1, 1..) if !notify => {
                let _ = writeln!(text, "    if: steps.s{}.status == 'succeeded'", at - 1);
            }
            _ => {}
        }
        if sketch.each {
            text.push_str("    for_each: thing in incident.observables\n    max_parallel: 2\n");
            if !waits {
                said.push_str(" {{thing.value}}");
            }
        }
        pace(&mut text, sketches, at);
        if action != "notify.team" && !waits {
            let _ = writeln!(
                text,
                "    retry: {{attempts: {}, backoff: 1s..1m, errors: [throttled, timeout]}}",
                sketch.attempts
            );
        }
        approval(&mut text, sketches, at);
        if sketch.continues {
            text.push_str("    on_failure: continue\n");
        }
        let _ = writeln!(text, "    with: {{{input}: \"{said}\"}}");
    }
    text.push_str(
        "
on_failure:
  page:
    name: Page
    uses: ticket.open
    with: {title: \"{{default run.error ''}}\"}
finally:
  record:
    name: Record
    uses: ticket.open
    with: {title: \"{{run.summary}}\"}
",
    );
    text
}

/// Whether a step waits for an earlier one, directly or not.
fn depends(sketches: &[Sketch], at: usize, on: usize) -> bool {
    let sketch = &sketches[at];
    let direct = |earlier: usize| {
        (sketch.reads | sketch.after) >> (earlier % 8) & 1 == 1
            || (sketch.condition == 1 && earlier + 1 == at)
    };
    (on..at).any(|earlier| direct(earlier) && (earlier == on || depends(sketches, earlier, on)))
}

fn pace(text: &mut String, sketches: &[Sketch], at: usize) {
    let sketch = &sketches[at];
    let action = USES[sketch.uses].0;
    let contain = action == "edr.isolate_host";
    let may_repeat = !sketch.each && !contain && action != "wait.for";
    match sketch.pace {
        1 if may_repeat => text.push_str("    repeat: {every: 2m, times: 3}\n"),
        2 if may_repeat => {
            let first = if sketch.continues { "now" } else { "wait" };
            let _ = writeln!(
                text,
                "    repeat: {{every: 2m, at_most: 7m, first: {first}, until: \"steps.s{}.status != 'pending'\"}}",
                at.saturating_sub(1)
            );
        }
        3 if contain => {
            let _ = writeln!(
                text,
                "    undo: {{when: \"steps.s{}.status == 'succeeded'\"}}",
                sketches.len() - 1
            );
        }
        _ => {}
    }
}

fn asks(sketches: &[Sketch], at: usize) -> bool {
    sketches[at].approval > 0
        && !["siem.search", "extract.text", "wait.for"].contains(&USES[sketches[at].uses].0)
}

fn approval(text: &mut String, sketches: &[Sketch], at: usize) {
    if !asks(sketches, at) {
        return;
    }
    let sketch = &sketches[at];
    // Two groups could wait for each other; the generator makes one at most.
    let leader = (0..at).find(|earlier| asks(sketches, *earlier) && sketches[*earlier].approval != 3);
    match leader {
        Some(leader) if sketch.approval == 3 && !depends(sketches, at, leader) => {
            let others =
                (leader + 1..at).filter(|other| asks(sketches, *other) && sketches[*other].approval == 3);
            if others.into_iter().all(|other| !depends(sketches, at, other)) {
                let _ = writeln!(text, "    approval: {{same_as: s{leader}}}");
                return;
            }
        }
        _ => {}
    }
    let silence = ["skip", "fail", "escalate"][at % 3];
    let count = if sketch.approval == 2 { 2 } else { 1 };
    let _ = writeln!(
        text,
        "    approval: {{who: [duty], count: {count}, within: 10m, on_timeout: {silence}, show: {{At: \"{at}\"}}}}"
    );
}

fn scene_of(sketches: &[Sketch]) -> Scene {
    let mut scene = Scene::new(&yaml(sketches));
    for n in 0..3 {
        scene.incident.observables.push(playbooks::incident::Observable {
            kind: playbooks::incident::ObservableType::Domain,
            value: format!("d{n}.example"),
            tlp: None,
            role: None,
        });
    }
    scene
}

fn play<'s>(scene: &'s Scene, weather: &Weather) -> (Played<'s>, End) {
    let mut world = scene.world();
    for (at, replies) in weather.replies.iter().enumerate() {
        world = world.script(&format!("s{at}"), replies.clone());
    }
    let mut run = scene.begin(world);
    for turn in 0..TURNS_MAX {
        for (at, after_work) in &weather.crashes {
            if *at == turn && !run.run().status().is_over() {
                run.crash(|_| *after_work).expect("it recovers");
            }
        }
        for (_, who, approves) in weather.people.iter().filter(|(at, ..)| *at == turn) {
            reply_of(&mut run, PEOPLE[*who], *approves);
        }
        let pick = weather.order.get(turn).copied().unwrap_or(0);
        if let Some(end) = run.turn(|number| pick % number.max(1)).expect("it holds") {
            return (run, end);
        }
    }
    panic!("it does not end");
}

/// Somebody replies to the first open inquiry, with the digest they see. Whether it counts is the
/// engine's to say.
fn reply_of(run: &mut Played<'_>, name: &str, approves: bool) {
    let open = run.run().inquiries().find(|asked| asked.is_open());
    let Some((number, digest)) = open.map(|asked| (asked.inquiry.number, super::approvals::digest(asked)))
    else {
        return;
    };
    let roles = if name == "eve" { "guest" } else { "duty" };
    let command = super::approvals::reply(name, &[roles], number, approves, &digest);
    let _ = run.offer(command).expect("it holds");
}

/// Goes on to the end, with people who approve whatever they are asked.
fn to_end_with_consent(run: &mut Played<'_>) -> End {
    for _ in 0..TURNS_MAX {
        reply_of(run, "alice", true);
        reply_of(run, "bob", true);
        if let Some(end) = run.turn(|_| 0).expect("it holds") {
            return end;
        }
    }
    panic!("it does not end");
}

/// What was done at a step that asks was approved before, by enough people, exactly so.
fn approved_as_done(events: &[Recorded]) -> Result<(), String> {
    let mut asked = std::collections::BTreeMap::new();
    let mut open = BTreeSet::new();
    let mut voters: std::collections::BTreeMap<u32, BTreeSet<String>> = std::collections::BTreeMap::new();
    let mut approved = Vec::new();
    for recorded in events {
        match &recorded.event {
            Event::Asked(inquiry) => {
                asked.insert(inquiry.number, inquiry.clone());
                open.insert(inquiry.number);
            }
            Event::Replied(reply) => {
                if !open.contains(&reply.number) || reply.role != "duty" || reply.person == "starter" {
                    return Err(format!("a reply that may not count: {reply:?}"));
                }
                if !voters
                    .entry(reply.number)
                    .or_default()
                    .insert(reply.person.clone())
                {
                    return Err(format!("{} counts twice", reply.person));
                }
            }
            Event::InquiryClosed { number, end, .. } => {
                open.remove(number);
                if *end == state::event::InquiryEnd::Approved {
                    let inquiry = &asked[number];
                    if voters[number].len() < inquiry.count as usize {
                        return Err(format!("{number} was approved by too few"));
                    }
                    let state::event::Subject::Approval { effects, .. } = &inquiry.subject else {
                        return Err("no approval".to_owned());
                    };
                    approved.extend(
                        effects
                            .iter()
                            .map(|one| (one.path.clone(), one.arguments.clone())),
                    );
                }
            }
            // What is done again is asked about again; an item in doubt keeps its approval.
            Event::Retried { places, .. } => {
                approved.retain(|(path, _): &(state::ids::Path, serde_json::Value)| !places.contains(path));
            }
            Event::Intended(intended) => {
                let wanted = asked
                    .values()
                    .any(|inquiry| inquiry.steps.iter().any(|step| *step == *intended.path.step));
                let wanted = wanted && !intended.path.undo;
                if wanted && !approved.contains(&(intended.path.clone(), intended.arguments.clone())) {
                    return Err(format!("{} was done without approval", intended.path));
                }
            }
            _ => {}
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("still open: {open:?}"))
    }
}

fn generated() -> impl Strategy<Value = (Vec<Sketch>, Weather)> {
    prop::collection::vec(sketch(), 1..7).prop_flat_map(|sketches| {
        let steps = sketches.len();
        (Just(sketches), weather(steps))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_and_nothing_is_done_twice_that_must_not_be((sketches, weather) in generated()) {
        let scene = scene_of(&sketches);
        let (run, end) = play(&scene, &weather);
        let stuck = run.run().undo_goes_on();
        prop_assert!(matches!(end, End::Over(_)) || stuck, "a run that waits for a person ends with its time");
        for report in run.run().steps(&scene.plan) {
            let settled = !matches!(
                report.status,
                StepStatus::Pending | StepStatus::Waiting | StepStatus::Running
            );
            let untouched = report.id == "page" && report.status == StepStatus::Pending;
            prop_assert!(settled || untouched, "{report:?}");
        }
        if let Err(why) = approved_as_done(run.events()) {
            return Err(TestCaseError::fail(why));
        }
        let once: BTreeSet<_> = ["notify.team", "edr.isolate_host"].into();
        for applied in run.world.ledger.applied.values() {
            prop_assert!(
                !once.contains(applied.action.as_str()) || applied.times == 1,
                "{applied:?}"
            );
        }
        let keys: BTreeSet<_> = run.events().iter().filter_map(|recorded| match &recorded.event {
            Event::Intended(intended) => Some(&intended.key),
            _ => None,
        }).collect();
        prop_assert!(run.world.ledger.applied.keys().all(|key| keys.contains(key)), "an effect without intent");
    }

    #[test]
    fn a_retry_repeats_nothing_that_succeeded_and_ends_well_in_a_healthy_world(
        (sketches, weather) in generated(),
        happened in any::<bool>(),
    ) {
        let scene = scene_of(&sketches);
        let (mut run, _) = play(&scene, &weather);
        let succeeded = |run: &Played<'_>| {
            let steps = run.run().steps(&scene.plan).into_iter();
            steps.filter(|step| step.status == StepStatus::Succeeded && step.items.is_none() && step.id != "page").collect::<Vec<_>>()
        };
        let before = succeeded(&run);
        let unknown: Vec<_> = run.run().unknown.iter().copied().collect();
        let doubted = !unknown.is_empty();
        let keys_before: BTreeSet<_> = run.world.ledger.applied.keys().cloned().collect();
        run.world.heal();
        let retried = run.give(people::retry(None)).is_ok();
        for spot in unknown {
            let path = state::ids::Path { step: scene.plan.steps.get_index(spot.step).unwrap().0.as_str().into(), item: spot.item, undo: spot.undo };
            let answer = if happened {
                state::event::Settlement::Done { output: scene.plan.steps[&*path.step].action.example.1.clone() }
            } else {
                state::event::Settlement::NotDone
            };
            run.give(people::settle(path, answer)).expect("it is in doubt");
        }
        let mut end = to_end_with_consent(&mut run);
        // What had not happened and has no attempts left fails, and is tried again when somebody says so.
        if retried && doubted && !happened && end == End::Over(RunStatus::Failed) {
            run.give(people::retry(None)).expect("something failed");
            end = to_end_with_consent(&mut run);
        }
        if let Err(why) = approved_as_done(run.events()) {
            return Err(TestCaseError::fail(why));
        }
        if retried {
            prop_assert_eq!(end, End::Over(RunStatus::Succeeded), "{:?}", run.run().steps(&scene.plan));
        }
        let after = succeeded(&run);
        for step in before {
            prop_assert!(after.contains(&step), "{step:?} changed");
        }
        for (key, applied) in &run.world.ledger.applied {
            prop_assert!(applied.times == 1 || keys_before.contains(key) || applied.recovery.repeatable());
        }
        let folded = crate::Run::fold(&scene.plan, run.events()).expect("it reads");
        prop_assert_eq!(folded.steps(&scene.plan), run.run().steps(&scene.plan));
    }

    #[test]
    fn the_same_history_follows_from_the_same_answers((sketches, weather) in generated()) {
        let scene = scene_of(&sketches);
        let (one, _) = play(&scene, &weather);
        let (other, _) = play(&scene, &weather);
        prop_assert_eq!(one.events(), other.events());
    }

    #[test]
    fn every_prefix_reads_and_decides_alike((sketches, weather) in generated()) {
        let scene = scene_of(&sketches);
        let (run, _) = play(&scene, &weather);
        let now = run.now();
        for end in 1..=run.events().len() {
            let prefix = &run.events()[..end];
            let folded = crate::Run::fold(&scene.plan, prefix).expect("a prefix");
            let decide = || crate::decide(&scene.plan, &folded, crate::Command::Recover, &scene.stage().at(now));
            let next = decide().expect("it recovers");
            prop_assert_eq!(&next, &decide().expect("it recovers"));
            let mut whole = folded.clone();
            for event in next {
                let recorded = Recorded { seq: whole.next_seq(), at: now, event };
                whole.apply(&scene.plan, &recorded).expect("it fits");
            }
            let again = crate::decide(&scene.plan, &whole, crate::Command::Advance, &scene.stage().at(now));
            prop_assert_eq!(again.expect("decided"), vec![]);
        }
    }

    #[test]
    fn the_order_of_independent_answers_does_not_change_the_end(
        (sketches, weather) in generated(),
        order in prop::collection::vec(0..8_usize, 0..40),
    ) {
        // Where a failure stops the run, what had begun by then depends on the order.
        let sketches: Vec<_> = sketches.into_iter().map(|s| Sketch { continues: true, approval: 0, pace: s.pace % 2, ..s }).collect();
        let weather = Weather { crashes: Vec::new(), ..weather };
        let scene = scene_of(&sketches);
        let (one, _) = play(&scene, &weather);
        // Replies by call: with several items in work, which item gets which depends on the order.
        prop_assume!(sketches.iter().all(|s| !s.each));
        let (other, _) = play(&scene, &Weather { order, ..weather });
        prop_assert_eq!(one.run().status(), other.run().status());
        let statuses = |run: &Played<'_>| run.run().steps(&scene.plan).into_iter().map(|r| r.status).collect::<Vec<_>>();
        prop_assert_eq!(statuses(&one), statuses(&other));
    }
}

/// A green run must have done something: the generator reaches every kind of event and of end.
#[test]
fn the_generator_reaches_every_event() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let (sketches, weather) = generated().new_tree(&mut runner).expect("a case").current();
        let scene = scene_of(&sketches);
        let (run, _) = play(&scene, &weather);
        for recorded in run.events() {
            seen.insert(kind_of(&recorded.event));
        }
    }
    for kind in [
        "expanded",
        "skipped: if_false",
        "skipped: if_undecided or needs",
        "skipped: run_failing",
        "intended",
        "intended again",
        "succeeded",
        "failed",
        "lost",
        "probed: done",
        "probed: not done",
        "probed: cannot tell",
        "unknown",
        "retry",
        "waits",
        "round",
        "rounds: done",
        "rounds: given up",
        "skipped: until_true",
        "undo",
        "asked",
        "asked together",
        "replied",
        "escalated",
        "approved",
        "refused",
        "expired",
        "withdrawn",
        "skipped: approval_refused",
        "skipped: approval_expired",
        "failing",
        "closed: succeeded",
        "closed: failed",
    ] {
        assert!(seen.contains(kind), "{kind} was not reached: {seen:?}");
    }
}

fn kind_of(event: &Event) -> &'static str {
    match event {
        Event::Started(_) => "started",
        Event::LetSettled { .. } => "let",
        Event::Expanded { .. } => "expanded",
        Event::Skipped { cause, .. } => match cause {
            SkipCause::IfFalse { .. } => "skipped: if_false",
            SkipCause::UntilTrue => "skipped: until_true",
            SkipCause::RunFailing => "skipped: run_failing",
            SkipCause::RunCancelled => "skipped: run_cancelled",
            SkipCause::ApprovalRefused { .. } => "skipped: approval_refused",
            SkipCause::ApprovalExpired { .. } => "skipped: approval_expired",
            _ => "skipped: if_undecided or needs",
        },
        Event::Refused { .. } => "refused",
        Event::Intended(intended) if intended.attempt > 1 => "intended again",
        Event::Intended(_) => "intended",
        Event::Finished { outcome, .. } => match outcome {
            Outcome::Failed { .. } => "failed",
            _ => "succeeded",
        },
        Event::Lost { .. } => "lost",
        Event::Probed { answer, .. } => match answer {
            ProbeAnswer::Done { .. } => "probed: done",
            ProbeAnswer::NotDone => "probed: not done",
            ProbeAnswer::CannotTell { .. } => "probed: cannot tell",
        },
        Event::OutcomeUnknown { .. } => "unknown",
        Event::RetryScheduled { .. } => "retry",
        Event::Waits { .. } => "waits",
        Event::RoundScheduled { .. } => "round",
        Event::RoundsEnded { done: true, .. } => "rounds: done",
        Event::RoundsEnded { .. } => "rounds: given up",
        Event::Asked(inquiry) if inquiry.steps.len() > 1 => "asked together",
        Event::Asked(_) => "asked",
        Event::Admitted { .. } => "admitted",
        Event::Replied(_) => "replied",
        Event::Telling { .. } | Event::Told { .. } => "told",
        Event::Escalated { .. } => "escalated",
        Event::InquiryClosed { end, .. } => end.word(),
        Event::Failing { .. } => "failing",
        Event::CancelRequested { .. } => "cancelled",
        Event::Settled { .. } => "settled",
        Event::Acknowledged { .. } => "acknowledged",
        Event::Retried { .. } => "retried",
        Event::Rerun { .. } => "rerun",
        Event::UndoRequested { .. } => "undo",
        Event::Closed { status, .. } => match status {
            RunStatus::Succeeded => "closed: succeeded",
            _ => "closed: failed",
        },
    }
}
