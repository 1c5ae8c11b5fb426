//! The drills themselves: they pass on a sound playbook, do what they say, and can fail.

use playbooks::action_spec::{Catalog, Recovery};
use state::event::{Intended, Outcome, ProbeAnswer};

use super::*;
use crate::rehearsal::{Ledger, World, crash_everywhere, every_step_failed, every_step_twice};
use crate::scenery::{Catalogue, noon};

const WHOLE: &str = "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [notify, contain]
steps:
  parts:
    name: Parts
    uses: extract.text
    with: {text: t}
  links:
    name: Links
    uses: enrich.url
    for_each: link in steps.parts.urls
    with: {url: \"${{ link }}\"}
  block:
    name: Block
    uses: block.ip
    for_each: ip in steps.parts.ips
    with: {ip: \"${{ ip }}\", reason: \"{{len steps.links.items}}\"}
  isolate:
    name: Isolate
    uses: edr.isolate_host
    with: {id: h}
  tell:
    name: Tell
    uses: notify.team
    with: {text: t}
finally:
  record:
    name: Record
    uses: ticket.open
    with: {title: \"{{run.summary}}\"}
";

#[test]
fn a_sound_playbook_passes_and_the_drills_did_something() {
    let scene = Scene::new(WHOLE);
    let world = || scene.world();
    let started = scene.started();
    let crashes = crash_everywhere(scene.stage(), &started, noon(), world).expect("it holds");
    assert!(crashes.crashes >= 10, "{crashes:?}");
    assert!(
        crashes.unknown > 0,
        "the message that cannot be repeated: {crashes:?}"
    );
    assert!(crashes.unknown < crashes.runs, "{crashes:?}");
    let twice = every_step_twice(scene.stage(), &started, noon(), world).expect("it holds");
    assert_eq!((twice.crashes, twice.unknown), (6, 1));
    let failed = every_step_failed(scene.stage(), &started, noon(), world).expect("it holds");
    assert_eq!(failed.failures, 6);
}

/// A world that claims what is asked for had not happened.
struct Forgetful<'a>(ScriptedWorld<'a>);

impl World for Forgetful<'_> {
    fn perform(&mut self, intended: &Intended) -> Outcome {
        self.0.perform(intended)
    }
    fn probe(&mut self, _: &Intended) -> ProbeAnswer {
        ProbeAnswer::NotDone
    }
    fn ledger(&self) -> &Ledger {
        self.0.ledger()
    }
}

#[test]
fn a_drill_sees_an_effect_that_happens_twice() {
    let scene = Scene::new(WHOLE);
    let world = || Forgetful(scene.world());
    let found = every_step_twice(scene.stage(), &scene.started(), noon(), world).expect_err("twice");
    assert_eq!(
        found,
        "crash after `isolate`: `isolate` (edr.isolate_host) was done 2 times"
    );
    let catalogue = Catalogue::new();
    let recovery = catalogue.providers("edr.isolate_host")[0].recovery;
    assert_eq!(recovery, Recovery::Probed);
}
