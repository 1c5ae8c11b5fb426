//! Playbooks that start by the clock: once for each entity and time, on the command line, over the
//! API, and across kills.

use jiff::{SignedDuration, Timestamp};
use state::event::{Event, Mode, RunStatus, StartedBy};
use tests::soc::{self, Process, Soc};
use web::operations::Myself;
use web::{Client, Operations};

use crate::BINARY;
use crate::command_line::in_soc;

/// Boundaries beyond which something is wrong with the enumeration itself.
const BOUNDARIES_MAX: usize = 60;

/// Tells the team every day at this time of UTC.
fn playbook(at: &str) -> String {
    format!(
        "id: morning\nname: Morning\nversion: 1\ndescription: Tells the team that the day begins.\n\
         owner: network-team\ntrigger: {{schedule: {{at: \"{at}\", tz: UTC, per: entity}}}}\nmay: [notify]\n\
         limits: {{tlp: amber, pap: green, time: 1h}}\nsteps:\n  tell:\n    uses: notify.team\n    \
         with: {{channel: duty, text: \"{{{{ entity.name }}}}\"}}\n"
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process under test has the machine's clock"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

/// A SOC of which two entities begin their day two minutes ago: that is made up for at the start,
/// and nothing else comes before tomorrow.
async fn set_up() -> Soc {
    let soc = Soc::new(BINARY).await.unwrap();
    let time = (now() - SignedDuration::from_mins(2))
        .strftime("%H:%M")
        .to_string();
    std::fs::write(soc.project().join("playbooks/morning.yaml"), playbook(&time)).unwrap();
    for (entity, from) in [
        ("ville-exemple", "ids-triage: auto"),
        ("hopital-exemple", "contacts:"),
    ] {
        let file = soc.project().join(format!("entities/{entity}.yaml"));
        let text = std::fs::read_to_string(&file).unwrap();
        let to = match entity {
            "ville-exemple" => "ids-triage: auto, morning: auto".to_owned(),
            _ => format!("rollout: {{morning: shadow}}\n{from}"),
        };
        std::fs::write(file, text.replacen(from, &to, 1)).unwrap();
    }
    soc
}

async fn served(soc: &Soc) -> (Process, Client) {
    let mut process = soc.serve(None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = process.client();
    (process, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_starts_one_run_for_each_entity_that_has_it_turned_on() {
    let soc = set_up().await;
    let (mut process, client) = served(&soc).await;
    let runs = soc::settled(&client, 2).await.unwrap();
    for run in &runs {
        assert_eq!(run.status, RunStatus::Succeeded, "{}", run.note);
        let detail = soc::run(&client, run.id.as_str()).await.unwrap();
        let Some(Event::Started(started)) = detail.events.first().map(|one| &one.event) else {
            panic!("{:?}", detail.events);
        };
        assert_eq!((started.by, &started.incident), (StartedBy::Schedule, &None));
        let shadow = run.entity.as_str() == "hopital-exemple";
        assert_eq!(started.mode == Mode::Simulate, shadow);
    }
    assert_ne!(runs[0].entity, runs[1].entity);
    assert_eq!(soc.range.ledger().effects().len(), 1, "a shadow tells nobody");
    let shown = in_soc(&soc, &["runs", "show", runs[0].id.short()]).await.ok();
    assert!(shown.out.contains("started by the clock for "), "{}", shown.out);
    let playbooks = client.playbooks(&Myself).await.unwrap();
    let morning = playbooks.iter().find(|one| one.id == "morning").unwrap();
    assert_eq!(morning.next_start.len(), 2);
    let tomorrow = now() + SignedDuration::from_hours(25);
    assert!(
        morning
            .next_start
            .values()
            .all(|next| (now()..tomorrow).contains(next))
    );
    let by_hand = in_soc(&soc, &["run", "morning", "--entity", "ville-exemple"]).await;
    by_hand.ok();

    process.kill();
    let (process, client) = served(&soc).await;
    let runs = soc::settled(&client, 3).await.unwrap();
    assert_eq!(runs.len(), 3, "its time has had its run: {runs:?}");
    assert_eq!(process.terminate().await, Some(0));
}

/// Whether the process was cut; if not, the boundary lies beyond the end.
async fn cut_once(place: &str) -> bool {
    let soc = set_up().await;
    let mut process = soc.serve(Some(place)).unwrap();
    let mut cut = true;
    if process.answers().await {
        cut = soc::settled(&process.client(), 2).await.is_err() || process.is_over();
    }
    process.kill();
    let (_process, client) = served(&soc).await;
    let runs = soc::settled(&client, 2).await.unwrap();
    assert_eq!(runs.len(), 2, "{place}: {runs:?}\n{}", soc.log());
    let repeated = soc.range.ledger().repeated();
    assert!(
        repeated.is_empty(),
        "{place}: effects happened twice: {repeated:?}"
    );
    cut
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_has_one_run_whatever_write_it_is_cut_at() {
    for side in ["before", "after"] {
        let mut boundaries = 0;
        while boundaries < BOUNDARIES_MAX && cut_once(&format!("{side}:{}", boundaries + 1)).await {
            boundaries += 1;
        }
        println!(
            "kill -9 {side} every write of runs that the clock starts: {boundaries} boundaries, all hold"
        );
        assert!(
            (4..BOUNDARIES_MAX).contains(&boundaries),
            "{boundaries} boundaries"
        );
    }
}
