//! Lists: many items, one step.

use playbooks::action_spec::ErrorKind;
use playbooks::plan::{EFFECT_ITEMS_MAX, ITEMS_MAX};
use serde_json::json;
use state::event::{RunStatus, SkipCause};

use super::*;
use crate::rehearsal::Reply;

const LINKS: &str = "
trigger: {incident: [phishing]}
steps:
  parts:
    name: Parts
    uses: extract.text
    with: {text: t}
  links:
    name: Links
    uses: enrich.url
    for_each: link in steps.parts.urls
    max_parallel: 2
    on_failure: continue
    with: {url: \"${{ link }}\"}
outputs:
  items: steps.links.items
  failed: steps.links.failed
  failures: steps.links.failures
";

fn urls(number: usize) -> Reply {
    let urls: Vec<_> = (0..number).map(|n| format!("https://a.example/{n}")).collect();
    Reply::Done(json!({"urls": urls}))
}

fn rejected() -> Reply {
    Reply::Fails {
        kind: ErrorKind::Rejected,
        not_sent: true,
    }
}

#[test]
fn items_run_side_by_side_and_their_failures_are_counted() {
    let scene = Scene::new(LINKS);
    let world = scene
        .world()
        .script("parts", [urls(5)])
        .script("links[1]", [rejected()]);
    let mut run = scene.begin(world);
    run.turn(|_| 0).expect("parts");
    assert_eq!(run.work().len(), 2, "max_parallel");
    run.to_end().expect("it ends");
    let outputs = outputs(run.events());
    assert_eq!(outputs["failed"], 1);
    assert_eq!(
        outputs["failures"],
        json!([{"item": "https://a.example/1", "error": "scripted failure (rejected)"}])
    );
    let items: Vec<_> = outputs["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["item"].as_str().expect("item"))
        .collect();
    assert_eq!(
        items,
        [
            "https://a.example/0",
            "https://a.example/2",
            "https://a.example/3",
            "https://a.example/4"
        ],
        "in list order"
    );
    assert_eq!(status(&scene, &run, "links"), StepStatus::Succeeded);
    assert_eq!(closed(run.events()).1, "2 steps done; 1 failure was handled");
}

#[test]
fn an_empty_list_succeeds() {
    let scene = Scene::new(LINKS);
    let run = scene.play(scene.world().script("parts", [urls(0)]));
    assert_eq!(
        outputs(run.events()),
        json!({"items": [], "failed": 0, "failures": []})
    );
    assert_eq!(status(&scene, &run, "links"), StepStatus::Succeeded);
}

#[test]
fn the_first_failure_that_nothing_handles_leaves_the_rest_out() {
    let scene = Scene::new(&LINKS.replace("    on_failure: continue\n", ""));
    let world = scene
        .world()
        .script("parts", [urls(6)])
        .script("links[1]", [rejected()]);
    let run = scene.play(world);
    assert_eq!(
        skips(run.events(), "links"),
        [&SkipCause::RunFailing],
        "one event for all"
    );
    let links = step(&scene, &run, "links");
    assert_eq!(links.status, StepStatus::Failed);
    assert_eq!(
        links.reason.as_deref(),
        Some("item 1: scripted failure (rejected)")
    );
    let items = links.items.expect("items");
    assert_eq!(
        (items.total, items.succeeded, items.failed, items.skipped),
        (6, 2, 1, 3)
    );
    assert_eq!(closed(run.events()).0, RunStatus::Failed);
}

#[test]
fn one_item_above_the_limit_fails_the_step_with_the_number() {
    for (body, most) in [
        (LINKS.to_owned(), ITEMS_MAX),
        (
            format!(
                "limits: {{pap: green, effects: 10000}}\nmay: [contain]{}",
                LINKS
                    .replace("enrich.url", "block.ip")
                    .replace("url: \"${{ link }}\"", "ip: \"${{ link }}\", reason: r")
                    .replace("steps.parts.urls", "steps.parts.ips")
            ),
            EFFECT_ITEMS_MAX,
        ),
    ] {
        let mut scene = Scene::new(&body);
        scene.operator.guardrails.effects_per_run = u32::MAX;
        scene.operator.guardrails.blocks_per_entity_hour = u32::MAX;
        scene.operator.guardrails.blocks_per_hour = u32::MAX;
        for number in [most - 1, most, most + 1] {
            let list: Vec<_> = (0..number)
                .map(|n| {
                    if body.contains("block.ip") {
                        format!("5.{}.{}.{}", n / 65_536, n / 256 % 256, n % 256)
                    } else {
                        format!("https://a.example/{n}")
                    }
                })
                .collect();
            let over = Reply::Done(json!({"urls": list, "ips": list}));
            let mut run = scene.begin(scene.world().script("parts", [over]));
            run.turn(|_| 0).expect("parts");
            let links = step(&scene, &run, "links");
            if number <= most {
                assert_eq!(links.items.expect("expanded").total, number);
            } else {
                assert_eq!(links.status, StepStatus::Failed);
                let number = format!("for_each has {number} items, at most {most} are taken");
                assert_eq!(links.reason, Some(number));
            }
        }
    }
}

#[test]
fn an_item_that_reads_something_absent_is_skipped_alone() {
    let scene = Scene::new(
        "
trigger: {incident: [phishing]}
steps:
  seen:
    name: Seen
    uses: siem.search
    for_each: thing in incident.observables
    if: size(incident.observables) > 0
    with: {query: \"{{default thing.role 'none'}}\"}
",
    );
    let run = scene.play(scene.world());
    assert!(matches!(
        skips(run.events(), "seen")[0],
        SkipCause::IfFalse { .. }
    ));
}
