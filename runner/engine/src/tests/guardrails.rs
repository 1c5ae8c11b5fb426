//! The rules below every playbook.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use playbooks::duration::Span;
use playbooks::marking::EffectClass;
use playbooks::operator::Rollout;
use state::event::{Event, Intended, Mode, Outcome};

use super::*;
use crate::decide::{Command, decide};
use crate::scenery::noon;
use crate::surroundings::BlockCounts;

pub(super) fn block(target: &str) -> Scene {
    Scene::new(&format!(
        "
trigger: {{incident: [phishing]}}
limits: {{pap: green}}
may: [contain]
steps:
  block:
    name: Block
    uses: block.ip
    with: {{ip: \"{target}\", reason: r}}
"
    ))
}

pub(super) fn intents(events: &[Recorded]) -> Vec<&Intended> {
    events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Intended(intended) => Some(intended),
            _ => None,
        })
        .collect()
}

#[test]
fn an_ordinary_address_is_blocked_for_the_default_time() {
    let scene = block("203.0.113.7");
    let run = scene.play(scene.world());
    let intents = intents(run.events());
    assert_eq!(intents[0].until, Some(noon() + SignedDuration::from_hours(24)));
    assert_eq!(intents[0].arguments["for"], "1d");
    assert_eq!(intents[0].connections, ["lists"]);
}

#[test]
fn paused_effects_do_not_start_and_reads_go_on() {
    let mut scene = block("203.0.113.7");
    scene.operator.guardrails.effects_paused = true;
    let run = scene.play(scene.world());
    assert_eq!(refusal(run.events(), "block").0, RefusalKind::Paused);
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
steps:
  seen:
    name: Seen
    uses: siem.search
    with: {query: q}
",
    );
    scene.operator.guardrails.effects_paused = true;
    assert_eq!(calls(&scene.play(scene.world())), ["seen"]);
}

#[test]
fn a_block_needs_the_entity_s_consent_and_keeps_to_its_length() {
    let mut scene = block("203.0.113.7");
    let policy = |scene: &mut Scene, change: &dyn Fn(&mut playbooks::operator::ActionPolicy)| {
        let entity = scene.operator.entities.get_mut("ville").expect("ville");
        change(entity.policy.get_mut("block.ip").expect("a policy"));
    };
    policy(&mut scene, &|policy| policy.max = Some(Span::hours(2)));
    let run = scene.play(scene.world());
    assert_eq!(
        intents(run.events())[0].arguments["for"],
        "2h",
        "the default is cut to it"
    );
    policy(&mut scene, &|policy| policy.auto = false);
    let run = scene.play(scene.world());
    let (kind, detail) = refusal(run.events(), "block");
    assert_eq!(kind, RefusalKind::Policy);
    assert_eq!(
        detail,
        "block.ip needs an approval: block.ip is a contain, and ville has not pre-authorised it, and nobody is named \
         to approve it: add `approvers: {contain: [ROLE]}` to the file of ville, or `contain = [\"ROLE\"]` under \
         [approvals] in sortie.toml"
    );
}

#[test]
fn the_length_of_a_block_is_bounded_at_the_limit_and_refused_above() {
    for (span, max, allowed) in [
        ("7d", Some(Span::days(7)), true),
        ("8d", Some(Span::days(7)), false),
        ("30d", None, true),
        ("31d", None, false),
        ("\"${{ hours(0) }}\"", None, false),
    ] {
        let mut scene = Scene::new(&format!(
            "
trigger: {{incident: [phishing]}}
limits: {{pap: green}}
may: [contain]
steps:
  block:
    name: Block
    uses: block.ip
    with: {{ip: 203.0.113.7, reason: r}}
    undo: {{after: {span}}}
"
        ));
        let entity = scene.operator.entities.get_mut("ville").expect("ville");
        entity.policy.get_mut("block.ip").expect("a policy").max = max;
        let run = scene.play(scene.world());
        assert_eq!(closed(run.events()).0 == RunStatus::Succeeded, allowed, "{span}");
    }
}

#[test]
fn what_cannot_be_taken_back_is_refused_where_nobody_is_named_to_approve_it() {
    let scene = Scene::new(
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
    let run = scene.play(scene.world());
    let (kind, detail) = refusal(run.events(), "wipe");
    assert_eq!(kind, RefusalKind::Policy);
    assert!(
        detail.starts_with("edr.wipe needs an approval: edr.wipe cannot be taken back, and nobody is named"),
        "{detail}"
    );
}

fn many_blocks(number: usize, limits: &str) -> Scene {
    let ips: Vec<_> = (1..=number).map(|n| format!("'203.0.113.{n}'")).collect();
    Scene::new(&format!(
        "
trigger: {{incident: [phishing]}}
limits: {{pap: green{limits}}}
may: [contain]
steps:
  block:
    name: Block
    uses: block.ip
    for_each: ip in addresses
    max_parallel: 50
    if_refused: continue
    with: {{ip: \"${{{{ ip }}}}\", reason: r}}
let:
  addresses: \"[{}]\"
outputs:
  refused: steps.block.refused
",
        ips.join(", ")
    ))
}

#[test]
fn a_run_has_at_most_its_effects() {
    for (number, refused) in [(2, 0), (3, 0), (4, 1)] {
        let scene = many_blocks(number, ", effects: 3");
        let run = scene.play(scene.world());
        assert_eq!(outputs(run.events())["refused"], refused);
    }
    let scene = many_blocks(4, ", effects: 3");
    let run = scene.play(scene.world());
    assert_eq!(
        refusal(run.events(), "block"),
        (
            RefusalKind::Budget,
            "the run has had 3 effects, all that it may have"
        )
    );
}

#[test]
fn blocks_of_the_hour_are_counted_with_those_in_work() {
    let scene = many_blocks(4, "");
    for (counts, allowed) in [
        (BlockCounts { entity: 0, all: 0 }, 4),
        (BlockCounts { entity: 17, all: 17 }, 3),
        (BlockCounts { entity: 20, all: 20 }, 0),
        (BlockCounts { entity: 0, all: 98 }, 2),
    ] {
        let begun = vec![Recorded {
            seq: 0,
            at: noon(),
            event: Event::Started(scene.started()),
        }];
        let run = crate::Run::fold(&scene.plan, &begun).expect("a history");
        let mut around = scene.stage().at(noon());
        around.blocks_last_hour = counts;
        let events = decide(&scene.plan, &run, Command::Advance, &around).expect("decided");
        let intents = events.iter().filter(|event| matches!(event, Event::Intended(_)));
        assert_eq!(intents.count(), allowed, "{counts:?}");
    }
}

#[test]
fn connections_that_are_missing_or_ambiguous_are_named() {
    let mut scene = block("203.0.113.7");
    let lists = scene.operator.connections["lists"].clone();
    scene.operator.connections.remove("lists");
    let run = scene.play(scene.world());
    assert_eq!(
        refusal(run.events(), "block"),
        (RefusalKind::Policy, "no connection offers block.ip to ville")
    );
    for name in ["one", "two"] {
        let mut connection = lists.clone();
        connection.name = name.to_owned();
        scene.operator.connections.insert(name.to_owned(), connection);
    }
    let run = scene.play(scene.world());
    assert_eq!(
        refusal(run.events(), "block").1,
        "block.ip could go through one, two; say which with `using:` or in the file of ville"
    );
    let entity = scene.operator.entities.get_mut("ville").expect("ville");
    entity.connections = BTreeMap::from([("block.*".to_owned(), "two".to_owned())]);
    let run = scene.play(scene.world());
    assert_eq!(intents(run.events())[0].connections, ["two"]);
}

#[test]
fn a_playbook_that_is_turned_off_while_it_runs_has_no_more_effects() {
    let scene = block("203.0.113.7");
    let begun = vec![Recorded {
        seq: 0,
        at: noon(),
        event: Event::Started(scene.started()),
    }];
    let run = crate::Run::fold(&scene.plan, &begun).expect("a history");
    let mut off = scene.operator.clone();
    let entity = off.entities.get_mut("ville").expect("ville");
    entity.rollout.insert("test".to_owned(), Rollout::Off);
    let mut around = scene.stage().at(noon());
    around.operator = &off;
    around.entity = &off.entities["ville"];
    let events = decide(&scene.plan, &run, Command::Advance, &around).expect("decided");
    assert!(
        matches!(&events[0], Event::Refused { detail, .. } if detail == "`test` was turned off for ville while it ran"),
        "{events:?}"
    );
}

#[test]
fn a_simulated_run_reads_and_records_what_it_would_have_done() {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [contain]
steps:
  seen:
    name: Seen
    uses: siem.search
    with: {query: q}
  block:
    name: Block
    uses: block.ip
    if: steps.seen.count > 0
    with: {ip: 203.0.113.7, reason: r}
  ticket:
    name: Ticket
    uses: ticket.open
    with: {title: \"blocked {{steps.block.ip}}\"}
outputs:
  ticket: steps.ticket.id
",
    );
    scene.mode = Mode::Simulate;
    let run = scene.play(scene.world());
    assert_eq!(calls(&run), ["seen"], "only the read left the house");
    assert_eq!(outputs(run.events())["ticket"], "T-1");
    let simulated = run.events().iter().filter(|recorded| {
        matches!(
            &recorded.event,
            Event::Finished {
                outcome: Outcome::Simulated { .. },
                ..
            }
        )
    });
    assert_eq!(simulated.count(), 2);
    let classes: Vec<_> = intents(run.events())
        .iter()
        .map(|intended| intended.effect)
        .collect();
    assert_eq!(
        classes,
        [EffectClass::Read, EffectClass::Contain, EffectClass::Record]
    );
}

fn request(method: &str) -> Scene {
    let mut scene = Scene::new(&format!(
        "
trigger: {{incident: [phishing]}}
limits: {{pap: green}}
may: [notify, contain]
steps:
  call:
    name: Call
    uses: http.request
    using: web
    on_failure: continue
    with: {{method: {method}, path: /reports}}
"
    ));
    let web = scene.operator.connections.get_mut("web").expect("web");
    web.exposure = Some(playbooks::marking::Exposure::Lookup);
    scene
}

#[test]
fn the_connection_says_what_a_request_does() {
    let scene = request("GET");
    let run = scene.play(scene.world());
    assert_eq!(intents(run.events())[0].effect, EffectClass::Read);
    let mut scene = request("POST");
    let run = scene.play(scene.world());
    let (kind, detail) = refusal(run.events(), "call");
    assert_eq!(
        kind,
        RefusalKind::Policy,
        "without a word of it, a write is a measure at a customer: {detail}"
    );
    scene.operator.connections.get_mut("web").expect("web").effect = Some(EffectClass::Notify);
    let run = scene.play(scene.world());
    assert_eq!(intents(run.events())[0].effect, EffectClass::Notify);
    scene.plan.may.remove(&EffectClass::Notify);
    let run = scene.play(scene.world());
    assert_eq!(
        refusal(run.events(), "call").1,
        "`test` may not notify: the class is not in its `may`"
    );
}

#[test]
fn a_refused_get_counts_as_failed() {
    let mut scene = request("GET");
    scene.operator.connections.get_mut("web").expect("web").tlp = playbooks::marking::Tlp::Clear;
    let run = scene.play(scene.world());
    assert_eq!(status(&scene, &run, "call"), StepStatus::Failed);
    assert_eq!(
        reason(&scene, &run, "call"),
        "this is TLP:GREEN, `web` accepts up to TLP:CLEAR"
    );
    assert_eq!(run.world.ledger.calls.len(), 0);
}
