//! Who is told by mail that they are asked, and how often.

use playbooks::duration::Span;
use playbooks::operator::Person;
use state::event::{Event, Mode, Told};

use super::approvals::{asking, digest, reply};
use super::*;
use crate::decide::{Command, Refusal};

fn person(roles: &[&str], mail: bool, entity: &str) -> Person {
    Person {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        mail: mail.then(|| "somebody@cert.example".to_owned()),
        decides_for: [entity.to_owned()].into(),
    }
}

/// `duty` is asked about a block for `ville`; after half an hour `lead` too.
fn scene() -> Scene {
    let mut scene = asking();
    scene.operator.approvals.escalate = vec!["lead".to_owned()];
    scene.operator.people = [
        ("alice", person(&["duty"], true, "ville")),
        ("bob", person(&["duty"], false, "ville")),
        ("carol", person(&["duty"], true, "hopital")),
        ("eve", person(&["guest"], true, "ville")),
        ("lea", person(&["lead"], true, "ville")),
        ("starter", person(&["duty"], true, "ville")),
    ]
    .map(|(name, person)| (name.to_owned(), person))
    .into();
    scene
}

fn told(run: &Played<'_>) -> Vec<(u32, String)> {
    let telling = run.events().iter().filter_map(|recorded| match &recorded.event {
        Event::Telling { number, people } => Some((*number, people.join(" "))),
        _ => None,
    });
    telling.collect()
}

fn sent(person: &str) -> Command {
    Command::Told {
        number: 1,
        person: person.to_owned(),
        outcome: Told::Sent {
            message_id: "<1@cert.example>".to_owned(),
        },
    }
}

#[test]
fn who_may_decide_and_has_an_address_is_told_once() {
    let scene = scene();
    let mut run = scene.begin(scene.world());
    // No address, another entity, no role, and whoever started it: not told.
    assert_eq!(told(&run), [(1, "alice".to_owned())]);
    let place = |wanted: fn(&Event) -> bool| {
        let found = run.events().iter().position(|recorded| wanted(&recorded.event));
        found.expect("it is there")
    };
    assert!(
        place(|event| matches!(event, Event::Asked(_)))
            < place(|event| matches!(event, Event::Telling { .. }))
    );
    assert_eq!(run.run().letters().collect::<Vec<_>>(), [(1, "alice")]);
    run.give(sent("alice")).expect("it was on its way");
    assert_eq!(run.run().letters().count(), 0);
    for nobody in ["alice", "lea"] {
        let refused = run.offer(sent(nobody)).expect("it holds");
        assert!(matches!(refused, Err(Refusal::Unfit { .. })), "{nobody}");
    }
    // Whoever is asked later is told later, and nobody twice.
    run.pass(Span::minutes(30));
    run.give(Command::Wake).expect("time passes");
    assert_eq!(told(&run), [(1, "alice".to_owned()), (1, "lea".to_owned())]);
    run.give(Command::Wake).expect("time passes");
    assert_eq!(told(&run).len(), 2);
}

#[test]
fn what_was_on_its_way_when_the_process_ended_is_not_sent_again() {
    let scene = scene();
    let mut run = scene.begin(scene.world());
    run.give(Command::Recover).expect("it recovers");
    let outcome = run.run().inquiry(1).expect("asked").told["alice"].clone();
    assert!(matches!(outcome, Some(Told::Unknown { .. })), "{outcome:?}");
    run.give(Command::Recover).expect("it recovers");
    assert_eq!(told(&run).len(), 1);
    assert_eq!(run.run().letters().count(), 0);
}

#[test]
fn without_a_relay_without_effects_and_after_the_end_nobody_is_told() {
    let mut silent = scene();
    silent.operator.connections.remove("mail");
    assert_eq!(told(&silent.begin(silent.world())), []);
    let mut simulated = scene();
    simulated.mode = Mode::Simulate;
    assert_eq!(told(&simulated.play(simulated.world())), []);

    // Somebody new is told of what is open, and of nothing that is over.
    let mut later = scene();
    later.operator.people.clear();
    let mut run = later.begin(later.world());
    let with_people = scene();
    run.restage(crate::rehearsal::Stage {
        operator: &with_people.operator,
        entity: &with_people.operator.entities["ville"],
        ..later.stage()
    });
    run.give(Command::Wake).expect("it holds");
    assert_eq!(told(&run), [(1, "alice".to_owned())]);
    let digest = digest(run.run().inquiry(1).expect("asked"));
    run.offer(reply("zoe", &["duty"], 1, true, &digest))
        .expect("it holds")
        .expect("zoe may");
    run.to_end().expect("it ends");
    assert_eq!(told(&run).len(), 1);
    assert_eq!(run.run().status(), RunStatus::Succeeded);
}
