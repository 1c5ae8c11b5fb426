//! What people decide, as another program asks for it: bare JSON over HTTP with a bearer token,
//! without any type of ours. What breaks a test here breaks somebody's script.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::StatusCode;
use runner::demo;
use runner::range::{Fault, Misbehaviour, Service};
use serde_json::{Value, json};
use tests::soc::{self, PATIENCE, Process, Soc};

use crate::BINARY;
use crate::approvals::Asking;

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A program somewhere else with a token.
struct Script {
    http: reqwest::Client,
    server: SocketAddr,
    token: String,
}

impl Script {
    fn new(server: SocketAddr, token: &str) -> Self {
        // Another test of this process may have named one already.
        drop(rustls::crypto::ring::default_provider().install_default());
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            server,
            token: token.to_owned(),
        }
    }

    async fn sent(&self, request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("http://{}/api/v1/{path}", self.server));
        let (status, body) = self.sent(request).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("http://{}/api/v1/{path}", self.server));
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        self.sent(request).await
    }

    /// The same, where it must be done.
    async fn done(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.post(path, body).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// The alert of the demonstration; gives the id of its incident.
    async fn alert(&self) -> String {
        let alert: Value = serde_json::from_slice(demo::IDS_ALERT).unwrap();
        let path = "intake/suricata?entity=ville-exemple";
        let answer = self.done(path, alert).await;
        let found = answer.to_string();
        answer["results"][0]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{found}"))
            .to_owned()
    }

    /// The newest run, when it is in one of these states.
    async fn run_that_is(&self, states: &[&str]) -> Value {
        let mut waited = Duration::ZERO;
        loop {
            let runs = self.get("runs").await;
            let newest = &runs["rows"][0];
            if newest["status"]
                .as_str()
                .is_some_and(|status| states.contains(&status))
            {
                return newest.clone();
            }
            assert!(waited < PATIENCE, "no run is {states:?}: {runs}");
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
    }
}

async fn served() -> (Soc, Process, Script) {
    let soc = Soc::new(BINARY).await.unwrap();
    let server = soc::free_address().unwrap();
    let mut process = soc.serve_at(server, None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let script = Script::new(server, &soc.token);
    (soc, process, script)
}

fn refuse() -> Misbehaviour {
    Misbehaviour::Refuse {
        status: 403,
        retry_after: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_is_looked_at_retried_run_again_and_taken_back() {
    let (soc, _process, script) = served().await;
    soc.range.faults().add(Fault::always(Service::Zammad, refuse()));
    script.alert().await;
    let failed = script.run_that_is(&["failed"]).await;
    let run = format!("runs/{}", failed["id"].as_str().unwrap());
    assert_eq!(failed["attention"], true);

    let looked = script.get(&format!("{run}/retry")).await;
    let effects = looked["effects"].as_array().unwrap();
    assert!(effects.iter().any(|one| one["place"] == "ticket"), "{looked}");
    assert!(effects.iter().all(|one| one["place"] != "block"), "{looked}");
    let (status, refused) = script.post(&format!("{run}/retry"), json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    assert!(refused.to_string().contains("`reason` is missing"), "{refused}");
    soc.range.faults().clear();
    let retried = json!({"reason": "zammad is back", "from": "ticket"});
    script.done(&format!("{run}/retry"), retried).await;
    script.run_that_is(&["succeeded"]).await;

    let looked = script.get(&format!("{run}/rerun?version=current")).await;
    assert!(
        looked["effects"][0]["note"]
            .as_str()
            .unwrap()
            .starts_with("in force until "),
        "{looked}"
    );
    let again = json!({"reason": "to show it", "version": "current"});
    let rerun = script.done(&format!("{run}/rerun"), again).await;
    assert_ne!(rerun["run"]["id"], failed["id"]);
    let over = script.run_that_is(&["succeeded"]).await;
    assert_eq!(over["id"], rerun["run"]["id"]);
    let shown = script.get(&run).await;
    assert_eq!(shown["reruns"], json!([over["id"]]));

    let plan = script
        .get(&format!("runs/{}/undo", over["id"].as_str().unwrap()))
        .await;
    assert!(plan["effects"].to_string().contains("block.ip"), "{plan}");
    for one in [&failed, &over] {
        let path = format!("runs/{}/undo", one["id"].as_str().unwrap());
        script.done(&path, json!({"reason": "a false alarm"})).await;
    }
    let mut waited = Duration::ZERO;
    while script.get("effects").await["rows"] != json!([]) {
        assert!(waited < PATIENCE, "the block is never taken back");
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
    assert!(soc.range.ledger().repeated().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_acknowledged_and_settled_and_a_simulation_does_nothing() {
    let (soc, _process, script) = served().await;
    soc.range.faults().add(Fault::always(Service::Zammad, refuse()));
    script.alert().await;
    let failed = script.run_that_is(&["failed"]).await;
    let run = format!("runs/{}", failed["id"].as_str().unwrap());
    script
        .done(&format!("{run}/ack"), json!({"reason": "seen"}))
        .await;
    assert_eq!(script.get(&run).await["run"]["attention"], false);
    let (status, _) = script
        .post(&format!("{run}/ack"), json!({"reason": "again"}))
        .await;
    assert_eq!(status, StatusCode::CONFLICT);

    let by_hand = json!({
        "place": "ticket", "answer": "done_by_hand", "output": {"id": "1043"}, "reason": "in the browser",
    });
    script.done(&format!("{run}/settle"), by_hand).await;
    let (status, refused) = script
        .post(
            &format!("{run}/settle"),
            json!({"place": "ticket", "answer": "maybe", "reason": "x"}),
        )
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    let steps = script.get(&run).await["steps"].clone();
    let ticket = steps
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["step"] == "ticket");
    assert_eq!(ticket.unwrap()["state"], "done", "{steps}");

    let before = soc.range.ledger().effects().len();
    let foreseen = script
        .done("playbooks/ids-triage/simulation", json!({"last": 5}))
        .await;
    assert_eq!(foreseen["incidents"].as_array().unwrap().len(), 1, "{foreseen}");
    assert!(foreseen.to_string().contains("block.ip"), "{foreseen}");
    assert_eq!(soc.range.ledger().effects().len(), before);
    assert_eq!(script.get("runs").await["rows"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_playbook_only_suggests_waits_for_a_named_person() {
    let soc = Soc::new(BINARY).await.unwrap();
    soc.append(
        "sortie.toml",
        "\n[people.karim]\nroles = [\"duty-officer\"]\n\n[approvals]\ncontain = [\"duty-officer\"]\n\
         notify = [\"duty-officer\"]\n",
    )
    .unwrap();
    let entity = soc.project().join("entities/ville-exemple.yaml");
    let text = std::fs::read_to_string(&entity).unwrap();
    let suggests = text.replace("ids-triage: auto", "ids-triage: suggest");
    assert_ne!(text, suggests);
    std::fs::write(entity, suggests).unwrap();
    let asking = Asking::of(soc, &[("karim", 40)]);
    let server = soc::free_address().unwrap();
    let mut process = asking.soc.serve_at(server, None).unwrap();
    assert!(process.answers().await, "{}", asking.soc.log());
    let script = Script::new(server, &asking.soc.token);
    let karim = Script::new(server, &asking.tokens[0].1);

    let incident = script.alert().await;
    script.run_that_is(&["waiting"]).await;
    assert_eq!(script.get("effects").await["rows"], json!([]));
    let why = script.get(&format!("incidents/{incident}/matches")).await;
    assert!(why.to_string().contains("started"), "{why}");
    let mut decided = 0;
    let mut waited = Duration::ZERO;
    while !matches!(
        script.get("runs").await["rows"][0]["status"].as_str(),
        Some("succeeded")
    ) {
        for open in karim.get("approvals?state=open").await["rows"]
            .as_array()
            .unwrap()
        {
            let path = format!("approvals/{}", open["id"].as_str().unwrap());
            let shown = karim.get(&path).await;
            let machine = json!({"decision": "approve", "digest": shown["digest"]});
            let (status, refused) = script.post(&path, machine).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{refused}");
            let yes = json!({"decision": "approve", "digest": shown["digest"]});
            karim.done(&path, yes).await;
            decided += 1;
        }
        assert!(
            waited < PATIENCE,
            "the run never ends: {} {}",
            script.get("runs").await,
            script.get("approvals").await
        );
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
    assert!(decided > 0, "somebody was asked");
    let effects = script.get("effects").await;
    assert_eq!(effects["rows"][0]["action"], "block.ip", "{effects}");
}
