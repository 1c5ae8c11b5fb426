//! What people are asked before an effect, and what follows from what they say.

use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use playbooks::marking::EffectClass;
use playbooks::operator::Rollout;
use serde_json::json;
use state::access::{Actor, Channel, Person};
use state::event::{Event, InquiryEnd, Mode, OnTimeout, ReplyWord, Subject};

use super::guardrails::{block, intents};
use super::*;
use crate::decide::{Command, Refusal};
use crate::rehearsal::{End, Reply};
use crate::run::Asked;
use crate::who::MayNot;

/// What a person says, having seen this digest.
pub(super) fn reply(name: &str, roles: &[&str], number: u32, approves: bool, digest: &str) -> Command {
    let person = Person {
        name: name.to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    };
    Command::Reply {
        number,
        actor: Actor {
            name: person.actor_name(),
            channel: Channel::Api,
        },
        person,
        word: if approves {
            ReplyWord::Approve
        } else {
            ReplyWord::Refuse
        },
        comment: (!approves).then(|| "not now".to_owned()),
        digest: Some(digest.to_owned()),
    }
}

/// The digest of what is asked about.
pub(super) fn digest(asked: &Asked) -> String {
    match &asked.inquiry.subject {
        Subject::Approval { digest, .. } => digest.clone(),
        Subject::Choice { .. } => String::new(),
    }
}

fn say(run: &mut Played<'_>, name: &str, number: u32, approves: bool) -> Result<usize, Refusal> {
    let digest = run.run().inquiry(number).map(digest).unwrap_or_default();
    run.offer(reply(name, &["duty"], number, approves, &digest))
        .expect("it holds")
}

fn end(run: &Played<'_>, number: u32) -> Option<InquiryEnd> {
    let asked = run.run().inquiry(number).expect("it was asked");
    asked.end.as_ref().map(|(end, _)| *end)
}

/// A block for which nobody has given leave, and `duty` is asked.
pub(super) fn asking() -> Scene {
    let mut scene = block("203.0.113.7");
    let ville = scene.operator.entities.get_mut("ville").expect("ville");
    ville.policy.clear();
    ville
        .approvers
        .insert("contain".to_owned(), vec!["duty".to_owned()]);
    scene
}

fn with_approval(approval: &str) -> Scene {
    Scene::new(&format!(
        "
trigger: {{incident: [phishing]}}
limits: {{pap: green, time: 2h}}
may: [contain, destroy]
steps:
  block:
    name: Block
    uses: block.ip
    with: {{ip: \"203.0.113.7\", reason: r}}
    approval: {approval}
  after:
    name: After
    uses: ticket.open
    after: [block]
    with: {{title: t}}
"
    ))
}

#[test]
fn what_is_not_pre_authorised_waits_and_is_done_exactly_as_it_was_approved() {
    let scene = asking();
    let mut run = scene.begin(scene.world());
    assert_eq!(run.run().status(), RunStatus::Waiting);
    let report = step(&scene, &run, "block");
    assert_eq!(
        (report.status, report.reason.as_deref()),
        (StepStatus::Waiting, Some("waits for duty"))
    );
    let asked = run.run().inquiry(1).expect("asked").clone();
    assert_eq!(
        (asked.inquiry.count, asked.inquiry.on_timeout),
        (1, OnTimeout::Escalate)
    );
    assert_eq!(
        asked.inquiry.because,
        "block.ip is a contain, and ville has not pre-authorised it"
    );
    let Subject::Approval { effects, .. } = &asked.inquiry.subject else {
        panic!("it is about effects");
    };
    assert_eq!(
        effects[0].arguments["for"], "1d",
        "the end is part of what is approved"
    );
    assert!(intents(run.events()).is_empty());
    say(&mut run, "alice", 1, true).expect("alice may");
    let done = intents(run.events())[0].clone();
    assert_eq!(
        (&done.arguments, &done.connections),
        (&effects[0].arguments, &effects[0].connections)
    );
    run.to_end().expect("it ends");
    assert_eq!(run.run().status(), RunStatus::Succeeded);
    let said = run.events().iter().find_map(|one| match &one.event {
        Event::Replied(reply) => Some((
            reply.person.as_str(),
            reply.role.as_str(),
            reply.actor.name.as_str(),
        )),
        _ => None,
    });
    assert_eq!(said, Some(("alice", "duty", "person:alice")));
}

#[test]
fn a_refusal_skips_the_step_and_says_who_and_why() {
    let scene = with_approval("{who: [duty], show: {Why: r}}");
    let mut run = scene.begin(scene.world());
    say(&mut run, "alice", 1, false).expect("alice may");
    run.to_end().expect("it ends");
    assert_eq!(reason(&scene, &run, "block"), "refused by alice (duty): not now");
    assert!(matches!(
        skips(run.events(), "block")[0],
        SkipCause::ApprovalRefused { .. }
    ));
    assert_eq!(
        (status(&scene, &run, "after"), end(&run, 1)),
        (StepStatus::Succeeded, Some(InquiryEnd::Refused))
    );
    assert_eq!(
        say(&mut run, "bob", 1, true).expect_err("too late").to_string(),
        "it is over: refused by alice (duty): not now"
    );
}

#[test]
fn four_eyes_roles_and_distinct_people() {
    let scene = with_approval("{who: [duty], count: 2, show: {Why: r}}");
    let mut run = scene.begin(scene.world());
    let refused = say(&mut run, "starter", 1, true).expect_err("they started it");
    assert!(
        matches!(refused, Refusal::MayNot(MayNot::StartedIt { .. })),
        "{refused}"
    );
    let digest = digest(run.run().inquiry(1).expect("asked"));
    let guest = run
        .offer(reply("eve", &["guest"], 1, true, &digest))
        .expect("it holds");
    assert_eq!(
        guest.expect_err("no role").to_string(),
        "eve has none of the roles that are asked: duty"
    );
    say(&mut run, "alice", 1, true).expect("alice may");
    let refused = say(&mut run, "alice", 1, true).expect_err("once");
    assert_eq!(
        refused.to_string(),
        "alice has decided already; 2 distinct persons are needed"
    );
    assert_eq!(end(&run, 1), None, "one of two");
    say(&mut run, "bob", 1, true).expect("bob may");
    assert_eq!(end(&run, 1), Some(InquiryEnd::Approved));

    let mut scene = with_approval("{who: [duty], show: {Why: r}}");
    scene.operator.approvals.four_eyes = false;
    let mut run = scene.begin(scene.world());
    say(&mut run, "starter", 1, true).expect("the operator does not ask for four eyes");
}

#[test]
fn whoever_wrote_an_unreviewed_revision_does_not_decide() {
    let scene = with_approval("{who: [duty], show: {Why: r}}");
    let run = scene.begin(scene.world());
    let alice = Person {
        name: "alice".to_owned(),
        roles: ["duty".to_owned()].into(),
    };
    let asked = run.run().inquiry(1).expect("asked");
    let started = scene.started();
    let mut separation = crate::who::Separation {
        started: &started,
        retried: run.run().retried_by(),
        author: Some("alice"),
        four_eyes: true,
    };
    assert_eq!(
        crate::who::may_reply(asked, &alice, separation),
        Err(MayNot::WroteIt {
            person: "alice".to_owned()
        })
    );
    separation.author = Some("bob");
    assert_eq!(
        crate::who::may_reply(asked, &alice, separation),
        Ok("duty".to_owned())
    );
}

#[test]
fn a_reply_to_something_else_than_was_seen_does_not_count() {
    let scene = with_approval("{who: [duty], show: {Why: r}}");
    let mut run = scene.begin(scene.world());
    let refused = run
        .offer(reply("alice", &["duty"], 1, true, "another"))
        .expect("it holds");
    assert_eq!(refused, Err(Refusal::Changed));
    let refused = run
        .offer(reply("alice", &["duty"], 2, true, "another"))
        .expect("it holds");
    assert_eq!(refused, Err(Refusal::NotAsked { number: 2 }));
    let choice = Command::Reply {
        number: 1,
        person: Person {
            name: "alice".to_owned(),
            roles: ["duty".to_owned()].into(),
        },
        actor: Actor::engine(),
        word: ReplyWord::Choose("maybe".to_owned()),
        comment: None,
        digest: None,
    };
    let refused = run.offer(choice).expect("it holds").expect_err("no such reply");
    assert_eq!(
        refused.to_string(),
        "`maybe` is no reply to this: approve or refuse"
    );
}

#[test]
fn a_change_after_the_question_voids_the_approval_and_asks_again() {
    let scene = with_approval("{who: [duty], show: {Why: r}}");
    let mut changed = with_approval("{who: [duty], show: {Why: r}}");
    let mut other = changed.operator.connections["lists"].clone();
    other.name = "other".to_owned();
    changed.operator.connections.remove("lists");
    changed.operator.connections.insert("other".to_owned(), other);
    let mut run = scene.begin(scene.world());
    run.restage(crate::rehearsal::Stage {
        operator: &changed.operator,
        entity: &changed.operator.entities["ville"],
        ..scene.stage()
    });
    say(&mut run, "alice", 1, true).expect("alice may");
    assert_eq!(end(&run, 1), Some(InquiryEnd::Voided));
    let (_, why) = run.run().inquiry(1).expect("asked").end.clone().expect("over");
    assert_eq!(
        why,
        "`block` would be done otherwise than it was approved: through other instead of lists"
    );
    assert!(intents(run.events()).is_empty());
    say(&mut run, "alice", 2, true).expect("another question");
    assert_eq!(intents(run.events())[0].connections, ["other"]);
}

#[test]
fn what_was_voided_and_needs_no_approval_any_more_is_simply_done() {
    let scene = asking();
    let mut changed = block("203.0.113.7");
    let mut other = changed.operator.connections["lists"].clone();
    other.name = "other".to_owned();
    changed.operator.connections.remove("lists");
    changed.operator.connections.insert("other".to_owned(), other);
    let mut run = scene.begin(scene.world());
    run.restage(crate::rehearsal::Stage {
        operator: &changed.operator,
        entity: &changed.operator.entities["ville"],
        ..scene.stage()
    });
    say(&mut run, "alice", 1, true).expect("alice may");
    assert_eq!(end(&run, 1), Some(InquiryEnd::Voided));
    assert_eq!(intents(run.events())[0].connections, ["other"]);
    run.to_end().expect("it ends");
    assert_eq!(run.run().status(), RunStatus::Succeeded);
}

#[test]
fn guardrails_are_asked_again_after_the_approval() {
    let scene = with_approval("{who: [duty], show: {Why: r}}");
    let mut paused = with_approval("{who: [duty], show: {Why: r}}");
    paused.operator.guardrails.effects_paused = true;
    let mut run = scene.begin(scene.world());
    run.restage(crate::rehearsal::Stage {
        operator: &paused.operator,
        entity: &paused.operator.entities["ville"],
        ..scene.stage()
    });
    say(&mut run, "alice", 1, true).expect("alice may");
    assert_eq!(refusal(run.events(), "block").0, RefusalKind::Paused);
}

#[test]
fn silence_skips_fails_or_asks_more_people() {
    let scene = with_approval("{who: [duty], within: 10m, on_timeout: skip, show: {Why: r}}");
    let run = scene.play(scene.world());
    assert_eq!(
        reason(&scene, &run, "block"),
        "nobody of duty replied until 2026-03-02 12:10Z"
    );
    assert_eq!(run.run().status(), RunStatus::Succeeded);

    let scene = with_approval("{who: [duty], within: 10m, on_timeout: fail, show: {Why: r}}");
    let run = scene.play(scene.world());
    assert_eq!(
        (status(&scene, &run, "block"), run.run().status()),
        (StepStatus::Failed, RunStatus::Failed)
    );

    let mut scene = with_approval("{who: [duty], within: 10m, show: {Why: r}}");
    scene.operator.approvals.escalate = vec!["lead".to_owned()];
    let mut run = scene.begin(scene.world());
    run.turn(|_| 0).expect("time passes");
    let asked = run.run().inquiry(1).expect("asked").clone();
    assert_eq!(
        (asked.who.join(" "), asked.escalated),
        ("duty lead".to_owned(), true)
    );
    assert_eq!(asked.until, scene.started().deadline);
    let lead = reply("lea", &["lead"], 1, true, &digest(&asked));
    run.offer(lead).expect("it holds").expect("the lead may");
    assert_eq!(end(&run, 1), Some(InquiryEnd::Approved));
}

#[test]
fn a_reply_after_the_time_is_refused_even_before_the_alarm_rings() {
    let scene = with_approval("{who: [duty], within: 10m, on_timeout: skip, show: {Why: r}}");
    let mut run = scene.begin(scene.world());
    run.pass(Span::minutes(10));
    let refused = say(&mut run, "alice", 1, true).expect_err("too late");
    assert!(
        matches!(
            refused,
            Refusal::InquiryOver {
                end: InquiryEnd::Expired,
                ..
            }
        ),
        "{refused}"
    );
    run.to_end().expect("it ends");
    assert!(
        intents(run.events())
            .iter()
            .all(|intended| &*intended.path.step != "block")
    );
}

/// What follows when only the beginning of a history was stored, up to the end of the question.
fn after_the_end_of_the_question(scene: &Scene, run: &Played<'_>) -> Vec<Event> {
    let events = run.events();
    let closed = |recorded: &Recorded| matches!(recorded.event, Event::InquiryClosed { .. });
    let kept = events.iter().position(closed).expect("it was closed") + 1;
    let cut = crate::Run::fold(&scene.plan, &events[..kept]).expect("it folds");
    let now = events[kept - 1].at;
    crate::decide(&scene.plan, &cut, Command::Recover, &scene.stage().at(now)).expect("it goes on")
}

#[test]
fn what_follows_from_the_end_of_a_question_follows_wherever_the_process_ended() {
    let scene = with_approval("{who: [duty], within: 10m, on_timeout: skip, show: {Why: r}}");
    let mut refused = scene.begin(scene.world());
    say(&mut refused, "alice", 1, false).expect("alice may");
    let follows = after_the_end_of_the_question(&scene, &refused);
    assert!(matches!(
        &follows[0],
        Event::Skipped { cause: SkipCause::ApprovalRefused { why }, .. } if why == "refused by alice (duty): not now"
    ));
    let expired = scene.play(scene.world());
    let follows = after_the_end_of_the_question(&scene, &expired);
    assert!(matches!(
        &follows[0],
        Event::Skipped {
            cause: SkipCause::ApprovalExpired { .. },
            ..
        }
    ));
    let mut approved = scene.begin(scene.world());
    say(&mut approved, "alice", 1, true).expect("alice may");
    let follows = after_the_end_of_the_question(&scene, &approved);
    assert!(matches!(&follows[0], Event::Intended(_)));
}

#[test]
fn where_silence_asks_more_people_a_reply_at_that_instant_still_counts() {
    let scene = with_approval("{who: [duty], within: 10m, show: {Why: r}}");
    let mut run = scene.begin(scene.world());
    run.pass(Span::minutes(10));
    say(&mut run, "alice", 1, true).expect("the question is still open");
    assert_eq!(end(&run, 1), Some(InquiryEnd::Approved));
}

#[test]
fn a_list_is_approved_as_one_and_what_a_rule_forbids_is_not_in_it() {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [contain]
steps:
  block:
    name: Block
    uses: block.ip
    for_each: ip in [\"203.0.113.7\", \"203.0.113.77\", \"203.0.113.8\"]
    max_parallel: 1
    if_refused: continue
    with: {ip: \"${{ ip }}\", reason: r}
    approval: {who: [duty], show: {Why: r}}
",
    );
    let mut run = scene.begin(scene.world());
    let asked = run.run().inquiry(1).expect("asked").clone();
    let Subject::Approval { effects, .. } = &asked.inquiry.subject else {
        panic!("it is about effects");
    };
    let paths: Vec<String> = effects.iter().map(|one| one.path.to_string()).collect();
    assert_eq!(
        paths,
        ["block[0]", "block[2]"],
        "the second is on the never-block list"
    );
    say(&mut run, "alice", 1, true).expect("alice may");
    run.to_end().expect("it ends");
    assert_eq!(run.world.ledger.effects().len(), 2);
    assert_eq!(refusal(run.events(), "block").0, RefusalKind::NeverBlock);
    assert_eq!(run.run().inquiries().count(), 1);

    scene.mode = Mode::Simulate;
    let run = scene.play(scene.world());
    assert_eq!(
        (run.run().inquiries().count(), run.run().status()),
        (0, RunStatus::Succeeded)
    );
}

fn together(condition: &str) -> Scene {
    Scene::new(&format!(
        "
trigger: {{incident: [phishing]}}
limits: {{pap: green}}
may: [contain, notify]
steps:
  look:
    name: Look
    uses: siem.search
    with: {{query: q}}
  isolate:
    name: Isolate
    uses: edr.isolate_host
    with: {{id: h}}
    approval: {{who: [duty], show: {{Why: r}}}}
  tell:
    name: Tell
    uses: notify.team
    if: {condition}
    after: [look]
    with: {{text: t}}
    approval: {{same_as: isolate}}
"
    ))
}

#[test]
fn steps_are_decided_together_and_skipped_ones_drop_out() {
    let scene = together("incident.severity == severity.high");
    let mut run = scene.begin(scene.world());
    assert_eq!(
        run.run().inquiries().count(),
        0,
        "what the second does is not known yet"
    );
    run.turn(|_| 0).expect("it looks");
    let asked = run.run().inquiry(1).expect("asked").clone();
    assert_eq!(asked.inquiry.steps, ["isolate", "tell"]);
    say(&mut run, "alice", 1, true).expect("alice may");
    run.to_end().expect("it ends");
    assert_eq!(run.world.ledger.effects().len(), 2);

    let scene = together("incident.severity == severity.low");
    let mut run = scene.begin(scene.world());
    run.turn(|_| 0).expect("it looks");
    assert_eq!(run.run().inquiry(1).expect("asked").inquiry.steps, ["isolate"]);
    say(&mut run, "alice", 1, false).expect("alice may");
    run.to_end().expect("it ends");
    assert!(run.world.ledger.effects().is_empty());
}

#[test]
fn the_strictest_of_playbook_policy_and_class_wins() {
    let policy = |scene: &mut Scene, ask: Option<u32>, auto: bool| {
        let ville = scene.operator.entities.get_mut("ville").expect("ville");
        let policy = ville.policy.get_mut("block.ip").expect("a policy");
        (policy.ask, policy.auto) = (ask, auto);
        ville
            .approvers
            .insert("contain".to_owned(), vec!["duty".to_owned()]);
    };
    let count = |scene: &Scene| {
        let run = scene.begin(scene.world());
        run.run().inquiry(1).map(|asked| asked.inquiry.count)
    };
    let plain = block("203.0.113.7");
    assert_eq!(
        count(&plain),
        None,
        "pre-authorised, and the playbook asks for nothing"
    );
    let mut scene = block("203.0.113.7");
    policy(&mut scene, Some(3), true);
    assert_eq!(count(&scene), Some(3), "the entity asks for more");
    let mut scene = with_approval("{who: [duty], count: 2, show: {Why: r}}");
    policy(&mut scene, Some(1), true);
    assert_eq!(count(&scene), Some(2), "the playbook asks for more");
    let mut scene = block("203.0.113.7");
    policy(&mut scene, None, true);
    let ville = scene.operator.entities.get_mut("ville").expect("ville");
    ville.rollout.insert("test".to_owned(), Rollout::Suggest);
    assert_eq!(
        count(&scene),
        Some(1),
        "everything above record is only suggested"
    );
}

#[test]
fn what_cannot_be_taken_back_needs_two() {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [destroy]
steps:
  wipe:
    name: Wipe
    uses: edr.wipe
    with: {id: h}
",
    );
    scene
        .operator
        .approvals
        .by_class
        .insert(EffectClass::Destroy, vec!["duty".to_owned()]);
    let mut run = scene.begin(scene.world());
    assert_eq!(run.run().inquiry(1).expect("asked").inquiry.count, 2);
    say(&mut run, "alice", 1, true).expect("alice may");
    assert!(intents(run.events()).is_empty());
    say(&mut run, "bob", 1, true).expect("bob may");
    assert_eq!(intents(run.events()).len(), 1);
}

#[test]
fn a_cancelled_run_withdraws_its_question() {
    let scene = with_approval("{who: [duty], show: {Why: r}}");
    let mut run = scene.begin(scene.world());
    let cancel = Command::Cancel {
        actor: Actor::engine(),
        reason: "enough".to_owned(),
    };
    run.give(cancel).expect("it stops");
    run.to_end().expect("it ends");
    assert_eq!(
        (end(&run, 1), run.run().status()),
        (Some(InquiryEnd::Withdrawn), RunStatus::Cancelled)
    );
}

#[test]
fn a_critical_machine_needs_two_persons_even_where_one_action_is_pre_authorised() {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [contain]
steps:
  isolate:
    name: Isolate
    uses: edr.isolate_host
    with: {id: rad-01.hopital.example}
",
    );
    let ville = scene.operator.entities.get_mut("ville").expect("ville");
    ville
        .policy
        .entry("edr.isolate_host".to_owned())
        .or_default()
        .auto = true;
    ville
        .approvers
        .insert("destroy".to_owned(), vec!["duty".to_owned()]);
    let run = scene.play(scene.world());
    assert_eq!(run.world.ledger.effects().len(), 1, "nobody is asked");

    scene.operator.guardrails.critical = vec!["RAD-01".to_owned()];
    let mut run = scene.begin(scene.world());
    let asked = run.run().inquiry(1).expect("asked").clone();
    assert_eq!(asked.inquiry.count, 2);
    say(&mut run, "alice", 1, true).expect("alice may");
    assert!(run.world.ledger.effects().is_empty(), "one is not enough");
    say(&mut run, "bob", 1, true).expect("bob may");
    run.to_end().expect("it ends");
    assert_eq!(run.world.ledger.effects().len(), 1);

    scene.operator.guardrails.break_glass = vec!["rad-01".to_owned()];
    let run = scene.play(scene.world());
    let (kind, detail) = refusal(run.events(), "isolate");
    assert_eq!(kind, RefusalKind::Policy);
    assert_eq!(detail, "rad-01 is a break-glass account: it is never locked out");
}

#[test]
fn whoever_had_it_tried_again_does_not_approve_it_either() {
    let rejected = Reply::Fails {
        kind: ErrorKind::Rejected,
        not_sent: true,
    };
    let scene = with_approval("{who: [duty], show: {Why: r}}\n    undo: {none: It is meant to stay}");
    let mut run = scene.begin(scene.world().script("block", [rejected, Reply::Done(json!({}))]));
    let shown = &run.run().inquiry(1).expect("asked").inquiry.show;
    assert_eq!(
        shown.last().map(|line| (line.label.as_str(), &line.value)),
        Some(("`block` cannot be taken back", &json!("It is meant to stay"))),
        "whoever decides sees what stays"
    );
    say(&mut run, "bob", 1, true).expect("bob may");
    run.to_end().expect("it fails");
    run.give(Command::Retry {
        from: None,
        actor: Actor {
            name: "person:alice".to_owned(),
            channel: Channel::Api,
        },
        reason: "they let us in now".to_owned(),
    })
    .expect("it is open again");
    let refused = say(&mut run, "alice", 2, true).expect_err("she asked for it");
    assert!(
        matches!(refused, Refusal::MayNot(MayNot::RetriedIt { .. })),
        "{refused}"
    );
    say(&mut run, "bob", 2, true).expect("bob may once more");
    assert_eq!(run.to_end(), Ok(End::Over(RunStatus::Succeeded)));
}
