//! The rules below every playbook.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use playbooks::duration::Span;
use playbooks::incident::{Observable, ObservableType};
use playbooks::marking::{EffectClass, Pap, Tlp};
use playbooks::operator::Rollout;
use state::event::{Event, Intended, Mode, Outcome};

use super::*;
use crate::decide::{Command, decide};
use crate::scenery::noon;
use crate::surroundings::BlockCounts;

fn block(target: &str) -> Scene {
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

fn intents(events: &[Recorded]) -> Vec<&Intended> {
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
fn targets_that_may_never_be_blocked_are_refused_with_the_rule() {
    use RefusalKind::{NeverBlock, PrivateRange};
    for (ip, kind, detail) in [
        (
            "203.0.113.77",
            NeverBlock,
            "203.0.113.77 is on the never-block list of ville (203.0.113.77)",
        ),
        (
            "203.0.113.53",
            NeverBlock,
            "203.0.113.53 is on the never-block list (203.0.113.53)",
        ),
        (
            "10.1.2.3",
            PrivateRange,
            "10.1.2.3 is in 10.0.0.0/8: private (RFC 1918)",
        ),
        (
            "0.0.0.0",
            PrivateRange,
            "0.0.0.0 is in 0.0.0.0/8: \"this network\" (RFC 791)",
        ),
        (
            "::ffff:10.0.0.1",
            PrivateRange,
            "10.0.0.1 is in 10.0.0.0/8: private (RFC 1918)",
        ),
        (
            "fe80::1",
            PrivateRange,
            "fe80::1 is in fe80::/10: link-local (RFC 4291)",
        ),
        (
            "198.51.100.9",
            PrivateRange,
            "198.51.100.9 is in 198.51.100.0/24, a network of ville",
        ),
        (
            "192.0.2.9",
            PrivateRange,
            "192.0.2.9 is in 192.0.2.0/24, a network of hopital",
        ),
    ] {
        let scene = block(ip);
        let run = scene.play(scene.world());
        assert_eq!(refusal(run.events(), "block"), (kind, detail));
        assert_eq!(run.world.ledger.calls.len(), 0);
    }
}

#[test]
fn a_mapped_address_is_recorded_in_its_canonical_form() {
    let scene = block("::ffff:203.0.113.7");
    let run = scene.play(scene.world());
    assert_eq!(intents(run.events())[0].arguments["ip"], "203.0.113.7");
}

#[test]
fn domains_of_our_own_their_parents_and_public_suffixes_are_refused() {
    for (domain, detail) in [
        (
            "ville.example",
            "ville.example would hit ville.example, which belongs to ville",
        ),
        (
            "www.ville.example",
            "www.ville.example would hit ville.example, which belongs to ville",
        ),
        (
            "mail.hopital.example",
            "mail.hopital.example would hit hopital.example, which belongs to hopital",
        ),
        (
            "ns1.resolver.example",
            "ns1.resolver.example is on the never-block list (resolver.example)",
        ),
        (
            "co.uk",
            "co.uk is a public suffix: many unrelated sites are below it",
        ),
        (
            "gov.pl",
            "gov.pl is a public suffix: many unrelated sites are below it",
        ),
        (
            "github.io",
            "github.io is a public suffix: many unrelated sites are below it",
        ),
    ] {
        let scene = Scene::new(&format!(
            "
trigger: {{incident: [phishing]}}
limits: {{pap: green}}
may: [contain]
steps:
  block:
    name: Block
    uses: block.domain
    with: {{domain: {domain}, reason: r}}
"
        ));
        let run = scene.play(scene.world());
        assert_eq!(refusal(run.events(), "block"), (RefusalKind::NeverBlock, detail));
    }
}

#[test]
fn a_parent_of_an_own_domain_is_refused() {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [contain]
steps:
  block:
    name: Block
    uses: block.domain
    with: {domain: region.example, reason: r}
",
    );
    let own = vec!["ville.region.example".to_owned()];
    scene.operator.entities.get_mut("ville").expect("ville").domains = own;
    let run = scene.play(scene.world());
    assert_eq!(
        refusal(run.events(), "block").1,
        "region.example would hit ville.region.example, which belongs to ville"
    );
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
    assert!(
        detail.starts_with("block.ip needs an approval: ville has not pre-authorised it"),
        "{detail}"
    );
    assert!(detail.ends_with("approvals are not built yet"), "{detail}");
}

#[test]
fn the_length_of_a_block_is_bounded_at_the_limit_and_refused_above() {
    for (span, max, allowed) in [
        ("7d", Some(Span::days(7)), true),
        ("8d", Some(Span::days(7)), false),
        ("30d", None, true),
        ("31d", None, false),
        ("0s", None, false),
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
    with: {{ip: 203.0.113.7, reason: r, for: {span}}}
"
        ));
        let entity = scene.operator.entities.get_mut("ville").expect("ville");
        entity.policy.get_mut("block.ip").expect("a policy").max = max;
        let run = scene.play(scene.world());
        assert_eq!(closed(run.events()).0 == RunStatus::Succeeded, allowed, "{span}");
    }
}

#[test]
fn what_cannot_be_taken_back_is_refused() {
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
    assert_eq!(
        refusal(run.events(), "wipe"),
        (
            RefusalKind::Policy,
            "edr.wipe cannot be taken back and needs two approvals; approvals are not built yet"
        )
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

fn look_up(tlp: Tlp, pap: Pap) -> Scene {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {tlp: red, pap: red}
steps:
  link:
    name: Link
    uses: enrich.url
    on_failure: continue
    with: {url: https://a.example/}
",
    );
    scene.incident.tlp = tlp;
    scene.incident.pap = pap;
    scene
}

#[test]
fn look_ups_leave_out_whoever_may_not_learn_it() {
    let scene = look_up(Tlp::Amber, Pap::Green);
    let run = scene.play(scene.world());
    let intents = intents(run.events());
    assert_eq!(intents[0].connections, ["careful"]);
    assert_eq!(intents[0].left_out[0].connection, "fast");
    assert_eq!(
        intents[0].left_out[0].why,
        "this is TLP:AMBER, `fast` accepts up to TLP:GREEN"
    );
    assert_eq!(intents[0].tlp, Tlp::Amber);
}

#[test]
fn a_look_up_that_nobody_may_learn_of_fails_and_nothing_is_sent() {
    for (tlp, pap, kind) in [
        (Tlp::Red, Pap::Green, RefusalKind::Tlp),
        (Tlp::Green, Pap::Red, RefusalKind::Pap),
    ] {
        let scene = look_up(tlp, pap);
        let run = scene.play(scene.world());
        assert_eq!(refusal(run.events(), "link").0, kind);
        assert_eq!(
            status(&scene, &run, "link"),
            StepStatus::Failed,
            "a refused read counts as failed"
        );
        assert_eq!(run.world.ledger.calls.len(), 0);
        assert_eq!(closed(run.events()).1, "0 steps done; 1 failure was handled");
    }
}

#[test]
fn a_stricter_observable_makes_the_step_stricter() {
    let mut scene = look_up(Tlp::Green, Pap::Green);
    scene.incident.observables.push(Observable {
        kind: ObservableType::Domain,
        value: "a.example".to_owned(),
        tlp: Some(Tlp::Amber),
        role: None,
    });
    let run = scene.play(scene.world());
    assert_eq!(intents(run.events())[0].connections, ["careful"]);
}

#[test]
fn an_active_measure_needs_a_marking_that_allows_it() {
    let mut scene = block("203.0.113.7");
    scene.plan.limits.pap = Pap::Amber;
    scene.incident.pap = Pap::Amber;
    let run = scene.play(scene.world());
    assert_eq!(
        refusal(run.events(), "block"),
        (
            RefusalKind::Pap,
            "this is PAP:AMBER, and block.ip is allowed up to PAP:GREEN: the adversary may notice it"
        )
    );
}

#[test]
fn red_never_leaves_the_house() {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {tlp: red, pap: green}
may: [contain]
steps:
  isolate:
    name: Isolate
    uses: edr.isolate_host
    with: {id: h}
",
    );
    scene.incident.tlp = Tlp::Red;
    scene.operator.connections.get_mut("edr").expect("edr").tlp = Tlp::Red;
    let run = scene.play(scene.world());
    assert_eq!(
        refusal(run.events(), "isolate"),
        (
            RefusalKind::Tlp,
            "TLP:RED never leaves the house, and `edr` is outside"
        )
    );
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
