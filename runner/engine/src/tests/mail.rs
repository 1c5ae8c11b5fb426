//! Mails are written when they are intended.

use serde_json::json;
use state::event::Event;

use super::*;
use crate::scenery::plan_with;

const BODY: &str = "
trigger: {incident: [phishing]}
may: [notify]
steps:
  tell:
    name: Tell
    uses: notify.entity
    with:
      to: security
      template: mail/hello
      params: {number: 3}
";

fn rendered(scene: &Scene) -> Value {
    let run = scene.play(scene.world());
    run.events()
        .iter()
        .find_map(|recorded| match &recorded.event {
            Event::Intended(intended) => Some(intended.arguments["rendered"].clone()),
            _ => None,
        })
        .unwrap_or_else(|| panic!("nothing was intended: {:#?}", run.events()))
}

const FRENCH: &str = "---
params: {number: int}
subject: \"{{number}} courriels\"
tlp: amber
---
{{incident.ref}} chez {{entity.name}}
";
const ENGLISH: &str = "---
params: {number: int}
subject: \"{{number}} mails\"
---
{{incident.ref}} at {{entity.name}}
";

#[test]
fn a_mail_is_in_the_language_of_the_entity_and_carries_the_stricter_marking() {
    let plan = plan_with(BODY, [("mail/hello.en", ENGLISH), ("mail/hello.fr", FRENCH)]);
    let mut scene = Scene::of(plan);
    let mail = rendered(&scene);
    assert_eq!(mail["subject"], "3 courriels");
    assert_eq!(
        mail["text"].as_str().map(str::trim),
        Some("PH-2026-00001 chez Entity ville")
    );
    assert_eq!((&mail["language"], &mail["tlp"]), (&json!("fr"), &json!("amber")));
    scene.operator.entities.get_mut("ville").expect("ville").language = "de".to_owned();
    let mail = rendered(&scene);
    assert_eq!(
        (&mail["language"], &mail["tlp"]),
        (&json!("en"), &json!("green")),
        "ours, then"
    );
}

#[test]
fn any_language_is_better_than_none() {
    let mut scene = Scene::of(plan_with(BODY, [("mail/hello.fr", FRENCH)]));
    scene.operator.entities.get_mut("ville").expect("ville").language = "de".to_owned();
    assert_eq!(rendered(&scene)["language"], "fr");
}
