//! Blocks that Sortie itself must take back: once, audited, and not before their time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runner::app::App;
use runner::config::Purpose;
use runner::demo;
use runner::range::{Fault, Misbehaviour, Service};
use serde_json::json;
use state::event::RunStatus;
use state::ids::EffectKey;
use state::store::{Measure, MeasureChange};
use tests::soc::{self, Soc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use web::view::Content;

use crate::BINARY;

pub(crate) const TARGET: &str = "45.155.205.233";
/// How often the fake firewall is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A firewall of the range, as a table of sortie.toml.
pub(crate) fn firewall(soc: &Soc) -> String {
    let secret = soc.project().join("secrets/range").display().to_string();
    format!(
        "\n[connections.firewall]\nprovider = \"opnsense\"\nbase_url = \"http://{}/opnsense\"\nusername = \
         \"key\"\nsecret = \"file:{secret}\"\nhouse = true\nallow_private = true\nallow_http = true\nsettings = \
         {{ aliases = {{ ip = \"sortie\" }} }}\n",
        soc.range.http()
    )
}

fn measure(key: char, until: Timestamp) -> Measure {
    let key: EffectKey = key.to_string().repeat(64).parse().unwrap();
    Measure {
        entity: soc::entity().unwrap(),
        action: "block.ip".to_owned(),
        target: TARGET.to_owned(),
        kind: "ip".to_owned(),
        connection: "firewall".to_owned(),
        direction: Some("both".to_owned()),
        reason: "a test".to_owned(),
        run: "01jq7000000000000000000000".parse().unwrap(),
        incident: None,
        since: until.checked_sub(SignedDuration::from_hours(24)).unwrap(),
        until,
        inverse: Some("unblock.ip".to_owned()),
        inverse_arguments: json!({"ip": TARGET, "direction": "both"}),
        key,
    }
}

async fn open(soc: &Soc) -> App {
    let file = soc.project().join("sortie.toml");
    let text = std::fs::read_to_string(&file).unwrap() + &firewall(soc);
    std::fs::write(&file, text).unwrap();
    let settings = runner::project::read(soc.project(), Purpose::Serve).unwrap();
    App::open_with(settings, |store| store).await.unwrap()
}

/// A playbook that alone takes up the alert of the demonstration, and blocks at the firewall.
pub(crate) fn let_a_playbook_block(soc: &Soc) {
    let playbook = format!(
        "id: shut-out\nname: Shut out\nversion: 1\ndescription: Blocks one address at the \
         firewall.\nowner: network-team\ntrigger: {{incident: [ids-alert]}}\nmay: [contain]\nlimits: {{tlp: amber, pap: green, time: \
         1h}}\nsteps:\n  block:\n    uses: block.ip\n    using: firewall\n    retry: {{attempts: \
         1}}\n    with: {{ip: {TARGET}, reason: a test}}\n    undo: {{after: 2h}}\n"
    );
    std::fs::write(soc.project().join("playbooks/shut-out.yaml"), playbook).unwrap();
    let file = soc.project().join("entities/ville-exemple.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("ids-triage: auto", "shut-out: auto");
    std::fs::write(file, text).unwrap();
}

/// Blocks the target at the fake, as a run would have.
async fn block_at_the_far_end(soc: &Soc) {
    let body = json!({"address": TARGET}).to_string();
    let request = format!(
        "POST /opnsense/api/firewall/alias_util/add/sortie HTTP/1.1\r\nhost: range\r\nauthorization: Basic a2V5OnNlY3JldA==\r\nconnection: \
         close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(soc.range.http()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(soc.range.alias("sortie"), [TARGET], "{answer}");
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let mut waited = Duration::ZERO;
    while !holds().await {
        assert!(waited < soc::PATIENCE, "{what} never came");
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_reached_its_end_is_taken_back_once_by_a_run_of_its_own() {
    let soc = Soc::new(BINARY).await.unwrap();
    let app = open(&soc).await;
    block_at_the_far_end(&soc).await;
    let now = app.dispatcher.now();
    let store = app.dispatcher.store();
    let ended = measure('a', now.checked_sub(SignedDuration::from_secs(1)).unwrap());
    let put = MeasureChange::Put(Box::new(ended));
    store.change_measure(put, now).await.unwrap();
    app.recover().await.unwrap();
    eventually("the end of the block", async || {
        soc.range.alias("sortie").is_empty()
    })
    .await;
    eventually("the end of the record", async || {
        store
            .measures_due(app.dispatcher.now(), 10)
            .await
            .unwrap()
            .is_empty()
    })
    .await;
    let runs = soc::settled(&app.as_operator(), 1).await.unwrap();
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(soc.range.ledger().count(Service::Opnsense, "address deleted"), 1);
    app.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_another_one_still_needs_stays() {
    let soc = Soc::new(BINARY).await.unwrap();
    let app = open(&soc).await;
    block_at_the_far_end(&soc).await;
    let now = app.dispatcher.now();
    let store = app.dispatcher.store();
    for (key, hours) in [('a', -1), ('b', 12)] {
        let until = now.checked_add(SignedDuration::from_hours(hours)).unwrap();
        let put = MeasureChange::Put(Box::new(measure(key, until)));
        store.change_measure(put, now).await.unwrap();
    }
    app.recover().await.unwrap();
    eventually("the end of the record", async || {
        store
            .measures_due(app.dispatcher.now(), 10)
            .await
            .unwrap()
            .is_empty()
    })
    .await;
    assert_eq!(soc.range.alias("sortie"), [TARGET], "the other block goes on");
    let entity = soc::entity().unwrap();
    assert_eq!(store.measures(&entity, now).await.unwrap().len(), 1);
    app.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_failed_and_may_stand_all_the_same_is_registered_with_its_end() {
    for (misbehaviour, registered) in [
        (Misbehaviour::DropAfter, true),
        (Misbehaviour::RefuseAfter { status: 502 }, true),
        (
            Misbehaviour::Refuse {
                status: 403,
                retry_after: None,
            },
            false,
        ),
    ] {
        let soc = Soc::new(BINARY).await.unwrap();
        let_a_playbook_block(&soc);
        let app = open(&soc).await;
        soc.range
            .faults()
            .add(Fault::always(Service::Opnsense, misbehaviour).on("alias_util/add"));
        let operations = app.as_operator();
        let alert = Content::Mapper("suricata".to_owned());
        soc::submit(&operations, alert, demo::IDS_ALERT.to_vec())
            .await
            .unwrap();
        let runs = soc::settled(&operations, 1).await.unwrap();
        assert_eq!(runs[0].status, RunStatus::Failed, "{}", runs[0].note);
        let now = app.dispatcher.now();
        let found = app
            .dispatcher
            .store()
            .measures(&soc::entity().unwrap(), now)
            .await
            .unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.target.as_str(), one.inverse.as_deref()))
            .collect();
        let expected: &[_] = if registered {
            &[(TARGET, Some("unblock.ip"))]
        } else {
            &[]
        };
        assert_eq!(found, expected, "{misbehaviour:?}");
        assert_eq!(soc.range.alias("sortie").is_empty(), !registered);
        app.close().await;
    }
}
