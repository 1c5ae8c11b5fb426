//! Tests of Defender for Endpoint: what is read, and that an order is given once and waited for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::Method;
use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use serde_json::{Value, json};

use super::{Order, readers};
use crate::action::{Action, ActionError, Call, Performed, Probe};
use crate::contract::{
    Body, Fake, Reply, Seen, can_be_asked, declares_consistently, door, keeps_its_promise,
    repeats_without_harm, survives_hostile_answers,
};
use crate::testing::{HeldFiles, body, call, through};

const ID: &str = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07";
const SHA1: &str = "8563f95b2f8a284fc99da44500cd51a77c1ff36c";
const SHA256: &str = "dc0ade0c95d6db98882bc8fa6707e64353cd6f7767ff48d6a81a6c2aef21c608";

/// A tenant with one machine, which takes its orders after some looks.
#[derive(Default)]
struct Tenant {
    orders: Mutex<Vec<Value>>,
    /// Looks at an order until the machine has taken it.
    looks: AtomicUsize,
    /// What becomes of an order then; `Succeeded` when empty.
    ends_as: Mutex<String>,
}

impl Tenant {
    fn answer(&self, seen: &Seen) -> Reply {
        let path = seen.uri.path().to_owned();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (seen.method.clone(), parts.as_slice()) {
            (Method::GET, ["api", "machines", ID]) => Reply::json(body("defender/machine.json").to_string()),
            (Method::GET, ["api", "machines", ID, "alerts"]) => {
                Reply::json(body("defender/alerts.json").to_string())
            }
            (Method::GET, ["api", "files", SHA256]) => Reply::json(body("defender/file.json").to_string()),
            (Method::GET, ["api", "files", SHA1, "machines"]) => {
                Reply::json(json!({"value": [body("defender/machine.json")]}).to_string())
            }
            (Method::POST, ["api", "machines", ID, order]) => self.take(order, &seen.text()),
            (Method::GET, ["api", "machineactions"]) => {
                Reply::json(json!({"value": *self.orders.lock().unwrap()}).to_string())
            }
            (Method::GET, ["api", "machineactions", id]) => self.look(id),
            _ => Reply::json(json!({"error": {"code": "ResourceNotFound"}}).to_string()).code(404),
        }
    }

    fn take(&self, order: &str, body_text: &str) -> Reply {
        let given: Value = serde_json::from_str(body_text).unwrap();
        let kind = if order == "isolate" {
            "Isolate"
        } else {
            "Unisolate"
        };
        self.add(kind, given["Comment"].as_str().unwrap(), "Pending")
    }

    fn add(&self, kind: &str, comment: &str, status: &str) -> Reply {
        let mut orders = self.orders.lock().unwrap();
        if orders.iter().any(|order| order["status"] == "Pending") {
            return Reply::json(body("defender/busy.json").to_string()).code(400);
        }
        let mut order = body("defender/machineaction.json");
        order["id"] = json!(format!("order-{}", orders.len()));
        order["type"] = json!(kind);
        order["requestorComment"] = json!(comment);
        order["status"] = json!(status);
        order["creationDateTimeUtc"] = json!(format!("2026-03-02T02:4{}:00Z", orders.len()));
        orders.push(order.clone());
        Reply::json(order.to_string()).code(201)
    }

    fn look(&self, id: &str) -> Reply {
        let mut orders = self.orders.lock().unwrap();
        let order = orders.iter_mut().find(|order| order["id"] == id).unwrap();
        let left = self.looks.load(Ordering::SeqCst);
        if left > 0 {
            self.looks.store(left - 1, Ordering::SeqCst);
        } else if order["status"] == "Pending" {
            let end = self.ends_as.lock().unwrap().clone();
            order["status"] = json!(if end.is_empty() {
                "Succeeded".to_owned()
            } else {
                end
            });
        }
        Reply::json(order.to_string())
    }

    fn given(&self) -> usize {
        self.orders.lock().unwrap().len()
    }
}

async fn start(tenant: &Arc<Tenant>) -> Fake {
    let tenant = Arc::clone(tenant);
    Fake::start(move |seen| tenant.answer(seen)).await
}

fn orders() -> [Order; 2] {
    Order::both()
}

fn isolate() -> Call {
    let mut call = call(
        "edr.isolate_host",
        json!({"id": ID, "hostname": "PC-7.ville.example", "message": "loader\r\nX"}),
    );
    call.timeout = Span::milliseconds(300);
    call
}

fn release() -> Call {
    let mut call = call(
        "edr.release_host",
        json!({"id": ID, "hostname": "pc-7.ville.example"}),
    );
    call.timeout = Span::milliseconds(300);
    call
}

async fn perform(action: &dyn Action, call: &Call, fake: &Fake) -> Result<Performed, ActionError> {
    let door = door("defender", fake.base(), &Value::Null);
    let files = HeldFiles::default();
    let performed = action.perform(call, through(&door, &files)).await?;
    keeps_its_promise(action, &performed);
    Ok(performed)
}

fn reader(capability: &str) -> Arc<dyn Action> {
    let mut all = readers().into_iter();
    all.find(|action| action.provider().capability == capability)
        .unwrap()
}

async fn read(capability: &str, arguments: Value, fake: &Fake) -> Result<Value, ActionError> {
    let performed = perform(&*reader(capability), &call(capability, arguments), fake).await?;
    Ok(performed.output)
}

#[tokio::test]
async fn every_capability_keeps_the_contract() {
    for (action, arguments) in [
        ("edr.host", json!({"id": ID})),
        ("edr.detections", json!({"host": ID, "since": "24h"})),
        ("edr.find_file", json!({"hashes": [SHA1]})),
    ] {
        let reader = reader(action);
        declares_consistently(&*reader);
        survives_hostile_answers(&*reader, &call(action, arguments), &Value::Null, Body::Needed).await;
    }
    for (order, call) in orders().into_iter().zip([isolate(), release()]) {
        declares_consistently(&order);
        survives_hostile_answers(&order, &call, &Value::Null, Body::Needed).await;
    }
}

#[tokio::test]
async fn a_machine_is_read_with_its_isolation() {
    let tenant = Arc::new(Tenant::default());
    let fake = start(&tenant).await;
    let host = read("edr.host", json!({"id": ID}), &fake).await.unwrap();
    assert_eq!(
        host,
        json!({
            "id": ID, "hostname": "pc-7.ville.example", "isolated": false, "os": "Windows11",
            "value": "normal", "last_seen": "2026-03-02T02:31:00.1234567Z",
        })
    );
    for (kind, status, isolated) in [
        ("Isolate", "Failed", false),
        ("Isolate", "Succeeded", true),
        ("RunAntiVirusScan", "Succeeded", true),
        ("Unisolate", "Cancelled", true),
        ("Unisolate", "Succeeded", false),
    ] {
        tenant.add(kind, "by hand", status);
        let host = read("edr.host", json!({"id": ID}), &fake).await.unwrap();
        assert_eq!(host["isolated"], isolated, "after {kind} {status}");
    }
    let filters: Vec<String> = fake.seen().iter().map(Seen::target).collect();
    assert!(
        filters.contains(&format!("/api/machineactions?%24filter=machineId+eq+%27{ID}%27")),
        "{filters:?}"
    );
}

#[tokio::test]
async fn detections_are_a_line_for_each_file() {
    let fake = start(&Arc::default()).await;
    let found = read("edr.detections", json!({"host": ID, "since": "24h"}), &fake)
        .await
        .unwrap();
    let title = "Low-reputation arbitrary code executed by signed executable";
    assert_eq!(
        found["detections"],
        json!([
            {
                "at": "2026-03-02T02:31:33.0577322Z", "name": title,
                "path": "C:\\Windows\\SysWOW64\\rundll32.exe",
                "sha256": "a4752c71d81afd3d5865d24ddb11a6b0c615062fcc448d24050c2172d2cbccd6",
            },
            {
                "at": "2026-03-02T02:31:33.0577322Z", "name": title,
                "path": "c:\\temp\\suspicious.dll", "sha256": SHA256,
            },
            {"at": "2026-03-01T20:52:18.1362905Z", "name": "Suspicious service registration"},
        ])
    );
    assert_eq!(
        fake.seen()[0].target(),
        format!(
            "/api/machines/{ID}/alerts?%24filter=lastEventTime+ge+2026-03-01T02%3A06%3A00Z&%24expand=evidence"
        )
    );
}

#[tokio::test]
async fn a_file_is_found_by_either_hash_and_an_unknown_one_nowhere() {
    let fake = start(&Arc::default()).await;
    for hash in [SHA1, SHA256] {
        let found = read("edr.find_file", json!({"hashes": [hash]}), &fake)
            .await
            .unwrap();
        assert_eq!(found, json!({"hosts": ["pc-7.ville.example"], "count": 1}));
    }
    let unknown = "0".repeat(64);
    let found = read("edr.find_file", json!({"hashes": [unknown]}), &fake)
        .await
        .unwrap();
    assert_eq!(found, json!({"hosts": [], "count": 0}));
    let error = read("edr.find_file", json!({"hashes": ["0".repeat(32)]}), &fake)
        .await
        .unwrap_err();
    assert!(error.not_sent && error.detail.contains("not by MD5"), "{error:?}");
    for (files, goes) in [(20, true), (21, false)] {
        let result = read(
            "edr.find_file",
            json!({"hashes": vec![unknown.clone(); files]}),
            &fake,
        )
        .await;
        assert_eq!(result.is_ok(), goes, "{files} files");
    }
}

#[tokio::test]
async fn an_order_is_done_when_the_machine_has_taken_it() {
    let tenant = Arc::new(Tenant::default());
    tenant.looks.store(3, Ordering::SeqCst);
    let fake = start(&tenant).await;
    let [isolating, releasing] = orders();
    let call = isolate();
    let performed = perform(&isolating, &call, &fake).await.unwrap();
    assert_eq!(performed.output, json!({"state": "isolated"}));
    assert_eq!(performed.reference.as_deref(), Some("order-0"));
    let seen = fake.seen();
    let post = seen.iter().find(|seen| seen.method == Method::POST).unwrap();
    assert_eq!(post.target(), format!("/api/machines/{ID}/isolate"));
    assert_eq!(
        serde_json::from_str::<Value>(&post.text()).unwrap(),
        json!({
            "Comment": format!("PH-2026-00417 loader X [{}]", call.marker()), "IsolationType": "Full",
        })
    );
    let performed = perform(&releasing, &release(), &fake).await.unwrap();
    assert_eq!(performed.output, json!({"state": "online"}));
    assert_eq!(tenant.given(), 2);
}

#[tokio::test]
async fn an_order_is_given_once_and_can_be_asked_for() {
    for (order, call) in orders().into_iter().zip([isolate(), release()]) {
        let tenant = Arc::new(Tenant::default());
        let fake = start(&tenant).await;
        let way = door("defender", fake.base(), &Value::Null);
        can_be_asked(&order, &call, &way).await;
        repeats_without_harm(&order, &call, &way, || tenant.given()).await;
    }
}

#[tokio::test]
async fn a_sleeping_machine_is_waited_for_and_the_order_not_repeated() {
    let tenant = Arc::new(Tenant::default());
    tenant.looks.store(usize::MAX, Ordering::SeqCst);
    let fake = start(&tenant).await;
    let [isolating, _] = orders();
    let mut call = isolate();
    let error = perform(&isolating, &call, &fake).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Offline);
    assert!(!error.not_sent, "the order stands");
    let way = door("defender", fake.base(), &Value::Null);
    let files = HeldFiles::default();
    match isolating.probe(&call, through(&way, &files)).await {
        Probe::CannotTell(why) => assert!(why.contains("Pending"), "{why}"),
        other => panic!("Pending is not done: {other:?}"),
    }
    call.attempt = 2;
    tenant.looks.store(2, Ordering::SeqCst);
    perform(&isolating, &call, &fake).await.unwrap();
    assert_eq!(tenant.given(), 1);
}

#[tokio::test]
async fn an_order_that_was_given_up_is_certain_and_may_be_given_again() {
    let tenant = Arc::new(Tenant::default());
    "TimeOut".clone_into(&mut tenant.ends_as.lock().unwrap());
    let fake = start(&tenant).await;
    let [isolating, _] = orders();
    let mut call = isolate();
    let error = perform(&isolating, &call, &fake).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ServerError);
    assert!(error.not_sent && error.detail.contains("TimeOut"), "{error:?}");
    tenant.ends_as.lock().unwrap().clear();
    call.attempt = 2;
    perform(&isolating, &call, &fake).await.unwrap();
    assert_eq!(tenant.given(), 2);
}

#[tokio::test]
async fn a_refusal_because_of_an_open_order_is_ours_or_somebody_elses() {
    let [isolating, _] = orders();
    let tenant = Arc::new(Tenant::default());
    tenant.add("Isolate", "by hand", "Pending");
    let fake = start(&tenant).await;
    let error = perform(&isolating, &isolate(), &fake).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(
        error.detail.contains("Action is already in progress"),
        "{error:?}"
    );

    // Ours, and not in the list before it is refused a second time.
    let late = Arc::new(Tenant::default());
    late.add("Isolate", &isolate().marker(), "Pending");
    let tenant = Arc::clone(&late);
    let lists = AtomicUsize::new(0);
    let fake = Fake::start(move |seen| {
        let listing = seen.uri.path() == "/api/machineactions";
        if listing && lists.fetch_add(1, Ordering::SeqCst) == 0 {
            return Reply::json(json!({"value": []}).to_string());
        }
        tenant.answer(seen)
    })
    .await;
    perform(&isolating, &isolate(), &fake).await.unwrap();
    assert_eq!(late.given(), 1);
}

#[tokio::test]
async fn a_machine_of_another_name_is_left_alone() {
    let tenant = Arc::new(Tenant::default());
    let fake = start(&tenant).await;
    for (order, mut call) in orders().into_iter().zip([isolate(), release()]) {
        call.arguments["hostname"] = json!("rad-01");
        let error = perform(&order, &call, &fake).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected);
        assert!(error.not_sent && error.detail.contains("as pc-7.ville.example, not as `rad-01`"));
    }
    assert_eq!(tenant.given(), 0);
}

#[tokio::test]
async fn an_id_stays_one_segment_and_one_literal() {
    let fake = Fake::start(|seen| {
        if seen.uri.path().starts_with("/api/machines") {
            let mut machine = body("defender/machine.json");
            machine["id"] = json!("x' or '1' eq '1");
            Reply::json(machine.to_string())
        } else {
            Reply::json(json!({"value": []}).to_string())
        }
    })
    .await;
    read("edr.host", json!({"id": "../indicators?x="}), &fake)
        .await
        .unwrap();
    let seen = fake.seen();
    assert_eq!(seen[0].target(), "/api/machines/..%2Findicators%3Fx=");
    assert_eq!(
        seen[1].target(),
        "/api/machineactions?%24filter=machineId+eq+%27x%27%27+or+%27%271%27%27+eq+%27%271%27"
    );
}
