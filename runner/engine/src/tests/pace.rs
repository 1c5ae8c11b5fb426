//! Nothing is quadratic in the number of items.

use std::fmt::Write as _;

use serde_json::json;
use state::event::RunStatus;

use super::*;
use crate::decide::{Command, decide};
use crate::effects::{Work, effects};
use crate::rehearsal::{Reply, World};
use crate::scenery::noon;

/// Counts events rather than time: a test must not depend on how busy a machine is. What one
/// command decides for one item must not grow with the number of items.
#[test]
fn ten_thousand_items_cost_one_commit_each() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
steps:
  parts:
    name: Parts
    uses: extract.text
    with: {text: t}
  seen:
    name: Seen
    uses: siem.search
    for_each: ip in steps.parts.ips
    with: {query: \"${{ ip }}\"}
outputs:
  seen: size(steps.seen.items)
",
    );
    let mut list = Vec::new();
    for n in 0..10_000 {
        let mut ip = String::new();
        write!(ip, "5.0.{}.{}", n / 256, n % 256).expect("a text");
        list.push(ip);
    }
    let mut world = scene.world().script("parts", [Reply::Done(json!({"ips": list}))]);
    let begun = Recorded {
        seq: 0,
        at: noon(),
        event: Event::Started(scene.started()),
    };
    let mut run = crate::Run::fold(&scene.plan, &[begun]).expect("a history");
    let around = scene.stage().at(noon());
    let mut command = Command::Advance;
    let mut commands = 0_u32;
    let mut most_events = 0;
    loop {
        let events = decide(&scene.plan, &run, command, &around).expect("decided");
        commands += 1;
        if commands > 2 {
            most_events = most_events.max(events.len());
        }
        for event in events {
            let recorded = Recorded {
                seq: run.next_seq(),
                at: noon(),
                event,
            };
            run.apply(&scene.plan, &recorded).expect("it fits");
        }
        let Some(Work::Perform(intended)) = effects(&run, noon()).into_iter().next() else {
            break;
        };
        command = Command::Finished {
            path: intended.path.clone(),
            attempt: intended.attempt,
            outcome: world.perform(&intended),
            duration_ms: 0,
        };
    }
    assert_eq!(run.status(), RunStatus::Succeeded);
    assert_eq!(commands, 10_002);
    assert!(most_events <= 2, "a result and the next intent, {most_events}");
}
