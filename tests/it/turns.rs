//! `concurrency`: how many runs of one key are at work at once, on the command line, over the API,
//! and across kills.

use std::sync::Arc;
use std::time::Duration;

use runner::demo;
use serde_json::Value;
use state::event::{Event, RunStatus};
use state::ids::IncidentId;
use state::store::MatchResult;
use tests::hooked::Hook;
use tests::soc::{self, PATIENCE, Process, Soc};
use web::operations::Myself;
use web::view::{Content, MatchWord, RunView, Submitted};
use web::{Client, Operations};

use crate::BINARY;
use crate::command_line::in_soc;
use crate::setbacks::opened;

/// Boundaries beyond which something is wrong with the enumeration itself.
const BOUNDARIES_MAX: usize = 60;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One run an attacker at a time; each tells the team and then waits.
fn playbook(when_busy: &str, pause: &str) -> String {
    format!(
        "id: slow\nname: Slow\nversion: 1\ndescription: One run at a time for each attacker.\n\
         owner: network-team\ntrigger: {{incident: [ids-alert]}}\n\
         concurrency: {{key: \"${{{{ incident.network.source_ip }}}}\", limit: 1, when_busy: {when_busy}}}\n\
         may: [notify]\nlimits: {{tlp: amber, pap: green, time: 1h}}\nsteps:\n  tell:\n    uses: notify.team\n    \
         with: {{channel: duty, text: \"{{{{ incident.ref }}}}\"}}\n  pause:\n    uses: wait.for\n    after: [tell]\n    \
         with: {{duration: {pause}}}\n"
    )
}

async fn set_up(when_busy: &str, pause: &str) -> Soc {
    let soc = Soc::new(BINARY).await.unwrap();
    let text = playbook(when_busy, pause);
    std::fs::write(soc.project().join("playbooks/slow.yaml"), text).unwrap();
    let file = soc.project().join("entities/ville-exemple.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text.replace("ids-triage: auto", "slow: auto")).unwrap();
    soc
}

async fn served(soc: &Soc) -> (Process, Client) {
    let mut process = soc.serve(None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = process.client();
    (process, client)
}

/// The alert of the demonstration, about another host each time.
async fn send(client: &impl Operations<Myself>, host: u8) -> Option<IncidentId> {
    let mut alert: Value = serde_json::from_slice(demo::IDS_ALERT).unwrap();
    alert["dest_ip"] = format!("5.1.1.{host}").into();
    alert["flow_id"] = host.into();
    let content = Content::Mapper("suricata".to_owned());
    let bytes = serde_json::to_vec(&alert).unwrap();
    match soc::submit(client, content, bytes).await.ok()?? {
        Submitted::Accepted { id } | Submitted::Duplicate { id, .. } => Some(id),
        other => panic!("{other:?}"),
    }
}

/// The runs, oldest first, once they stand like this.
async fn runs_that_are(client: &impl Operations<Myself>, wanted: &[RunStatus]) -> Vec<RunView> {
    let mut waited = Duration::ZERO;
    loop {
        let mut runs = soc::runs(client).await.unwrap();
        runs.reverse();
        if runs.iter().map(|run| run.status).eq(wanted.iter().copied()) {
            return runs;
        }
        assert!(waited < PATIENCE, "{wanted:?} never came: {runs:?}");
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

async fn cancel(soc: &Soc, run: &RunView) {
    in_soc(soc, &["runs", "cancel", run.id.short(), "--reason", "enough"])
        .await
        .ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_works_and_the_others_wait_in_the_order_in_which_they_came() {
    use RunStatus::{Cancelled, Queued, Waiting};
    let soc = set_up("queue", "30m").await;
    let (mut process, client) = served(&soc).await;
    let mut sent = Vec::new();
    let standing = [Waiting, Queued, Queued];
    for (place, host) in (2..=4).enumerate() {
        sent.push(send(&client, host).await.unwrap());
        runs_that_are(&client, &standing[..=place]).await;
    }
    let by_hand = in_soc(&soc, &["run", "slow", "--incident", sent[0].as_str(), "--detach"]).await;
    by_hand.ok();
    let runs = runs_that_are(&client, &[Waiting, Queued, Queued, Queued]).await;
    assert_eq!(
        runs[1].note,
        "waits for its turn: at most 1 of `slow` at once for \"5.1.1.1\""
    );
    let listed = in_soc(&soc, &["runs", "list", "--status", "queued"]).await.ok();
    assert!(
        listed.out.contains(runs[1].id.short()) && !listed.out.contains(runs[0].id.short()),
        "{}",
        listed.out
    );
    let shown = in_soc(&soc, &["runs", "show", runs[2].id.short()]).await.ok();
    assert!(
        shown.out.contains("queued") && shown.out.contains("waits for its turn"),
        "{}",
        shown.out
    );
    assert_eq!(
        soc.range.ledger().effects().len(),
        1,
        "only the first has told the team"
    );

    process.kill();
    let (_process, client) = served(&soc).await;
    runs_that_are(&client, &[Waiting, Queued, Queued, Queued]).await;
    cancel(&soc, &runs[1]).await;
    runs_that_are(&client, &[Waiting, Cancelled, Queued, Queued]).await;
    cancel(&soc, &runs[0]).await;
    runs_that_are(&client, &[Cancelled, Cancelled, Waiting, Queued]).await;
    let shown = in_soc(&soc, &["runs", "show", runs[2].id.short()]).await.ok();
    assert!(shown.out.contains("its turn has come"), "{}", shown.out);
    assert_eq!(soc.range.ledger().effects().len(), 2);
    assert!(soc.range.ledger().repeated().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_more_joins_the_run_that_is_open_or_is_dropped_and_both_say_so() {
    let soc = set_up("attach", "30m").await;
    let (process, client) = served(&soc).await;
    let first = send(&client, 2).await.unwrap();
    let runs = runs_that_are(&client, &[RunStatus::Waiting]).await;
    let second = send(&client, 3).await.unwrap();
    let row_of = async |client: &Client, incident: &IncidentId| {
        let mut waited = Duration::ZERO;
        loop {
            let rows = client.matches(&Myself, incident).await.unwrap();
            if let Some(row) = rows.into_iter().find(|row| row.playbook == "slow") {
                return row;
            }
            assert!(waited < PATIENCE, "{incident} is never decided");
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    };
    let row = row_of(&client, &second).await;
    assert_eq!(
        (row.result, &row.run),
        (MatchWord::Attached, &Some(runs[0].id.clone()))
    );
    let joined = in_soc(&soc, &["run", "slow", "--incident", first.as_str(), "--detach"])
        .await
        .ok();
    assert!(joined.err.contains("it joined"), "{}", joined.err);
    assert!(joined.out.contains(runs[0].id.as_str()), "{}", joined.out);
    let runs = runs_that_are(&client, &[RunStatus::Waiting]).await;
    assert_eq!(runs[0].attached, 2);
    assert_eq!(process.terminate().await, Some(0));

    let text = playbook("drop", "30m");
    std::fs::write(soc.project().join("playbooks/slow.yaml"), text).unwrap();
    let (_process, client) = served(&soc).await;
    let third = send(&client, 4).await.unwrap();
    let row = row_of(&client, &third).await;
    assert_eq!(row.result, MatchWord::No);
    let why = in_soc(&soc, &["incidents", "why", third.as_str()]).await.ok();
    assert!(
        why.out.contains("1 of 1 runs at once are open for \"5.1.1.1\""),
        "{}",
        why.out
    );
    in_soc(&soc, &["run", "slow", "--incident", third.as_str()])
        .await
        .refused(
            6,
            &[
                "1 of 1 runs at once are open",
                "help: start it again when that run is over",
            ],
        );
    cancel(&soc, &runs[0]).await;
    runs_that_are(&client, &[RunStatus::Cancelled]).await;
    send(&client, 5).await.unwrap();
    runs_that_are(&client, &[RunStatus::Cancelled, RunStatus::Waiting]).await;
}

/// A server listens before it has taken up what was open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_that_comes_right_after_a_restart_knows_of_the_runs_before_it() {
    struct Nothing;
    impl Hook for Nothing {}
    let soc = set_up("drop", "30m").await;
    let (process, client) = served(&soc).await;
    send(&client, 2).await.unwrap();
    runs_that_are(&client, &[RunStatus::Waiting]).await;
    assert_eq!(process.terminate().await, Some(0));

    let app = opened(&soc, Arc::new(Nothing)).await;
    let operations = app.as_operator();
    let second = send(&operations, 3).await.unwrap();
    let rows = app.dispatcher.decide_triggers(&second).await.unwrap();
    let row = rows.iter().find(|row| row.playbook.id == "slow").unwrap();
    let MatchResult::No { why } = &row.result else {
        panic!("{row:?}");
    };
    assert!(why.contains("1 of 1 runs at once are open"), "{why}");
    runs_that_are(&operations, &[RunStatus::Waiting]).await;
    app.close().await;
}

/// Whether the process was cut; if not, the boundary lies beyond the end.
async fn cut_once(place: &str) -> bool {
    let soc = set_up("queue", "20ms").await;
    let mut process = soc.serve(Some(place)).unwrap();
    let mut cut = true;
    if process.answers().await {
        let client = process.client();
        let sent = (send(&client, 2).await, send(&client, 3).await);
        let both = sent.0.is_some() && sent.1.is_some();
        cut = !both || soc::settled(&client, 2).await.is_err() || process.is_over();
    }
    process.kill();
    let (_process, client) = served(&soc).await;
    for host in [2, 3] {
        send(&client, host).await.unwrap();
    }
    let runs = soc::settled(&client, 2).await.unwrap();
    let mut turns = Vec::new();
    for run in &runs {
        // Nobody can ask the chat what it took, so a person has to.
        let over = matches!(run.status, RunStatus::Succeeded | RunStatus::Stuck);
        assert!(over, "{place}: {:?} {}\n{}", run.status, run.note, soc.log());
        let detail = soc::run(&client, run.id.as_str()).await.unwrap();
        let begun = detail
            .events
            .iter()
            .find(|one| matches!(one.event, Event::Admitted { .. }));
        let ended = detail.events.last().filter(|_| run.status.is_over());
        turns.push((begun.map(|one| one.at), ended.map(|one| one.at)));
    }
    turns.sort();
    if let [(_, Some(ended)), (Some(begun), _)] = turns[..] {
        assert!(ended <= begun, "{place}: two were at work at once");
    }
    let repeated = soc.range.ledger().repeated();
    assert!(
        repeated.is_empty(),
        "{place}: effects happened twice: {repeated:?}"
    );
    cut
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_are_had_one_after_the_other_whatever_write_they_are_cut_at() {
    for side in ["before", "after"] {
        let mut boundaries = 0;
        while boundaries < BOUNDARIES_MAX && cut_once(&format!("{side}:{}", boundaries + 1)).await {
            boundaries += 1;
        }
        println!("kill -9 {side} every write of runs that take turns: {boundaries} boundaries, all hold");
        assert!(
            (8..BOUNDARIES_MAX).contains(&boundaries),
            "{boundaries} boundaries"
        );
    }
}
