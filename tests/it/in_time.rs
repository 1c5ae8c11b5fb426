//! Waiting, rounds and the end of effects, as people meet them: on the command line, over the API, at
//! the far end, and across restarts and crashes.

use runner::demo;
use state::event::{Event, RunStatus};
use tests::soc::{self, Process, Soc};
use web::operations::Myself;
use web::view::{Content, RunView, StepState};
use web::{Client, Operations};

use crate::BINARY;
use crate::command_line::in_soc;
use crate::expiry::{TARGET, firewall};

/// Boundaries beyond which something is wrong with the enumeration itself.
const BOUNDARIES_MAX: usize = 60;
/// How often something that must come is looked for.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(20);

/// Blocks at the firewall, waits, looks three times, and takes the block back when the last look is
/// over, while one more wait goes on.
fn playbook(pause: &str, last: &str) -> String {
    format!(
        "id: slow\nname: Slow\nversion: 1\ndescription: Blocks one address at the firewall for a \
         while.\nowner: network-team\ntrigger: {{incident: [ids-alert], once_per: {{key: \"${{{{ \
         incident.ref }}}}\", within: 1h}}}}\nmay: [contain]\nlimits: {{tlp: amber, pap: green, time: 1h}}\n\
         steps:\n  block:\n    uses: block.ip\n    using: firewall\n    with: {{ip: {TARGET}, reason: a \
         test}}\n    undo: {{when: \"!steps.look.done\", after: 2h}}\n  pause:\n    uses: wait.for\n    after: \
         [block]\n    with: {{duration: {pause}}}\n  look:\n    uses: enrich.ip\n    using: abuseipdb\n    \
         after: [pause]\n    with: {{ip: {TARGET}}}\n    repeat: {{every: 1s, times: 2, until: \"default(result.score, 0) > \
         1000\"}}\n  last:\n    uses: wait.for\n    after: [look]\n    with: {{duration: {last}}}\n\
         outputs:\n  found: steps.look.done\n"
    )
}

fn set_up(soc: &Soc, pause: &str, last: &str) {
    soc.append("sortie.toml", &firewall(soc)).unwrap();
    std::fs::write(soc.project().join("playbooks/slow.yaml"), playbook(pause, last)).unwrap();
    let file = soc.project().join("entities/ville-exemple.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text.replace("ids-triage: auto", "slow: auto")).unwrap();
}

async fn served(soc: &Soc) -> (Process, Client) {
    let mut process = soc.serve(None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = process.client();
    (process, client)
}

async fn send(client: &Client) {
    let content = Content::Mapper("suricata".to_owned());
    soc::submit(client, content, demo::IDS_ALERT.to_vec())
        .await
        .unwrap();
}

/// The only run, once it is as wanted.
async fn run_that(client: &Client, wanted: impl Fn(&RunView) -> bool) -> RunView {
    let mut waited = std::time::Duration::ZERO;
    loop {
        let runs = soc::runs(client).await.unwrap();
        match runs.into_iter().next() {
            Some(run) if wanted(&run) => return run,
            found => assert!(waited < soc::PATIENCE, "it never came: {found:?}"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_waits_repeats_and_takes_back_across_a_kill_and_says_so_everywhere() {
    let soc = Soc::new(BINARY).await.unwrap();
    set_up(&soc, "2s", "30m");
    let (mut process, client) = served(&soc).await;
    send(&client).await;
    let run = run_that(&client, |run| run.status == RunStatus::Waiting).await;
    assert!(run.note.ends_with("for `pause`"), "{}", run.note);
    assert_eq!(soc.range.alias("sortie"), [TARGET]);
    let effects = in_soc(&soc, &["effects", "list"]).await.ok();
    assert!(effects.out.contains(TARGET), "{}", effects.out);
    let shown = in_soc(&soc, &["runs", "show", run.id.short()]).await.ok();
    assert!(shown.out.contains("? pause"), "{}", shown.out);
    process.kill();

    let (_process, client) = served(&soc).await;
    let late = |run: &RunView| run.note.ends_with("for `last`");
    let run = run_that(&client, late).await;
    assert_eq!(run.status, RunStatus::Waiting, "{}", run.note);
    assert!(
        soc.range.alias("sortie").is_empty(),
        "taken back while the run goes on"
    );
    assert!(client.effects(&Myself, None).await.unwrap().is_empty());
    let detail = soc::run(&client, run.id.as_str()).await.unwrap();
    let line = |step: &str| detail.steps.iter().find(|line| line.step == step).unwrap();
    assert_eq!(line("look").state, StepState::Done);
    assert_eq!(line("look").round, Some(2));
    assert!(
        line("look").note.starts_with("given up after 2 rounds"),
        "{}",
        line("look").note
    );
    assert_eq!(line("undo:block").state, StepState::Done);
    assert_eq!(line("last").state, StepState::Resting);
    assert!(line("last").note.starts_with("until "), "{}", line("last").note);
    let shown = in_soc(&soc, &["runs", "show", run.id.short()]).await.ok();
    for words in [
        "look round 2 at ",
        "look given up after 2 rounds",
        "has block taken back, and the run goes on: undo.when: !steps.look.done",
        "last waits until ",
    ] {
        assert!(shown.out.contains(words), "{words}\nin\n{}", shown.out);
    }
    in_soc(&soc, &["runs", "cancel", run.id.short(), "--reason", "enough"])
        .await
        .ok();
    let run = soc::settled(&client, 1).await.unwrap().remove(0);
    assert_eq!(run.status, RunStatus::Cancelled, "{}", run.note);
    let repeated = soc.range.ledger().repeated();
    assert!(repeated.is_empty(), "{repeated:?}");
}

/// Whether the process was cut; if not, the boundary lies beyond the end.
async fn cut_once(place: &str) -> bool {
    let soc = Soc::new(BINARY).await.unwrap();
    set_up(&soc, "50ms", "50ms");
    let mut process = soc.serve(Some(place)).unwrap();
    let mut cut = true;
    if process.answers().await {
        let client = process.client();
        let content = Content::Mapper("suricata".to_owned());
        let sent = soc::submit(&client, content, demo::IDS_ALERT.to_vec()).await;
        cut = sent.is_err() || soc::settled(&client, 1).await.is_err() || process.is_over();
    }
    process.kill();
    let (_process, client) = served(&soc).await;
    send(&client).await;
    let run = soc::settled(&client, 1).await.unwrap().remove(0);
    assert_eq!(
        run.status,
        RunStatus::Succeeded,
        "{place}: {}\n{}",
        run.note,
        soc.log()
    );
    let detail = soc::run(&client, run.id.as_str()).await.unwrap();
    let count = |wanted: fn(&Event) -> bool| detail.events.iter().filter(|one| wanted(&one.event)).count();
    let waits = count(|event| matches!(event, Event::Waits { .. }));
    let rounds = count(|event| matches!(event, Event::RoundScheduled { .. }));
    let undone = count(|event| matches!(event, Event::UndoRequested { .. }));
    assert_eq!((waits, rounds, undone), (2, 1, 1), "{place}");
    assert!(
        soc.range.alias("sortie").is_empty(),
        "{place}: it is still blocked"
    );
    assert!(client.effects(&Myself, None).await.unwrap().is_empty(), "{place}");
    let repeated = soc.range.ledger().repeated();
    assert!(
        repeated.is_empty(),
        "{place}: effects happened twice: {repeated:?}"
    );
    cut
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_rounds_and_ends_are_had_once_whatever_write_they_are_cut_at() {
    for side in ["before", "after"] {
        let mut boundaries = 0;
        while boundaries < BOUNDARIES_MAX && cut_once(&format!("{side}:{}", boundaries + 1)).await {
            boundaries += 1;
        }
        println!("kill -9 {side} every write of a run that waits: {boundaries} boundaries, all hold");
        assert!(
            (8..BOUNDARIES_MAX).contains(&boundaries),
            "{boundaries} boundaries"
        );
    }
}
