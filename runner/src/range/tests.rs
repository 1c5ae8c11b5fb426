//! The fakes behave like what they stand for, misbehave when told to, and write down every effect.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::exchange::Service;
use super::ledger::marker;
use super::pages::escape;
use super::{Fault, Knowledge, Known, Misbehaviour, Options, Range};

mod mail;
mod polling;

const MARKER: &str = "sortie-0123456789abcdef";

async fn range() -> Range {
    let knowledge = Knowledge::default()
        .with("https://bad.example/login?a=b", Known::malicious())
        .with("bad.example", Known::malicious())
        .with("203.0.113.7", Known::malicious())
        .with("good.example", Known::clean());
    Range::start(Options {
        knowledge,
        ..Options::default()
    })
    .await
    .unwrap()
}

/// Status and body; none when the connection was dropped.
async fn ask(
    range: &Range,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<(u16, Value)> {
    let stream = TcpStream::connect(range.http()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", "x");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.ok()?.to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Some((
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::String(text)),
    ))
}

async fn get(range: &Range, path: &str, header: (&str, &str)) -> (u16, Value) {
    ask(range, Method::GET, path, &[header], "").await.unwrap()
}

async fn post(range: &Range, path: &str, authorization: &str, body: &Value) -> Option<(u16, Value)> {
    ask(
        range,
        Method::POST,
        path,
        &[("authorization", authorization)],
        &body.to_string(),
    )
    .await
}

#[tokio::test]
async fn reputation_is_what_it_was_told_to_be() {
    let range = range().await;
    let id = "aHR0cHM6Ly9iYWQuZXhhbXBsZS9sb2dpbj9hPWI";
    for path in [
        format!("/virustotal/api/v3/urls/{id}"),
        format!("/virustotal/urls/{id}"),
    ] {
        let (status, body) = get(&range, &path, ("x-apikey", "k")).await;
        assert_eq!(
            (
                status,
                &body["data"]["attributes"]["last_analysis_stats"]["malicious"]
            ),
            (200, &json!(14))
        );
    }
    let (status, body) = get(
        &range,
        "/virustotal/api/v3/domains/new.example",
        ("x-apikey", "k"),
    )
    .await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("NotFoundError")));
    assert_eq!(
        get(&range, "/virustotal/api/v3/domains/bad.example", ("x", "k"))
            .await
            .0,
        401
    );
    let (_, body) = get(
        &range,
        "/virustotal/api/v3/ip_addresses/203.0.113.7",
        ("x-apikey", "k"),
    )
    .await;
    assert_eq!(body["data"]["type"], "ip_address");

    let (_, body) = get(
        &range,
        "/abuseipdb/api/v2/check?ipAddress=203.0.113.7",
        ("key", "k"),
    )
    .await;
    assert_eq!(body["data"]["abuseConfidenceScore"], 97);
    let (_, body) = get(
        &range,
        "/abuseipdb/api/v2/check?ipAddress=198.51.100.1",
        ("key", "k"),
    )
    .await;
    assert_eq!(body["data"]["abuseConfidenceScore"], 0);
    assert_eq!(
        get(&range, "/abuseipdb/api/v2/check?ipAddress=x", ("key", "k"))
            .await
            .0,
        422
    );
}

#[tokio::test]
async fn urls_and_registrations_are_looked_up_and_nothing_changes() {
    let range = range().await;
    let form = "url=https%3A%2F%2Fbad.example%2Flogin%3Fa%3Db";
    let urlhaus = ask(
        &range,
        Method::POST,
        "/urlhaus/v1/url/",
        &[("auth-key", "k")],
        form,
    )
    .await;
    assert_eq!(urlhaus.unwrap().1["query_status"], "ok");
    let urlhaus = ask(
        &range,
        Method::POST,
        "/urlhaus/v1/host/",
        &[("auth-key", "k")],
        "host=good.example",
    )
    .await;
    assert_eq!(urlhaus.unwrap(), (200, json!({"query_status": "no_results"})));

    let (_, body) = get(
        &range,
        "/rdap/domain/bad.example",
        ("accept", "application/rdap+json"),
    )
    .await;
    assert_eq!(body["events"][0]["eventDate"], "2026-02-27T09:12:00Z");
    assert_eq!(body["entities"][0]["entities"][0]["roles"], json!(["abuse"]));
    assert_eq!(
        get(&range, "/rdap/domain/none.example", ("accept", "*/*"))
            .await
            .0,
        404
    );
    assert!(range.ledger().effects().is_empty(), "a look changes nothing");
    assert_eq!(range.ledger().calls(Service::Rdap), 2);
}

#[tokio::test]
async fn tickets_are_opened_found_and_written_down() {
    let range = range().await;
    let ticket =
        json!({"title": format!("Phishing [{MARKER}]"), "group": "CERT", "customer_id": "guess:a@b.example"});
    let (status, opened) = post(&range, "/zammad/api/v1/tickets", "Token token=t", &ticket)
        .await
        .unwrap();
    assert_eq!((status, &opened["number"]), (201, &json!("88123")));
    let tag = json!({"object": "Ticket", "o_id": opened["id"], "item": MARKER});
    assert_eq!(
        post(&range, "/zammad/api/v1/tags/add", "Token token=t", &tag)
            .await
            .unwrap()
            .0,
        201
    );
    let search = format!("/zammad/api/v1/tickets/search?expand=true&query=tags%3A%22{MARKER}%22");
    let (_, found) = get(&range, &search, ("authorization", "Token token=t")).await;
    assert_eq!(found[0]["id"], opened["id"]);
    let (_, none) = get(
        &range,
        "/zammad/api/v1/tickets/search?expand=true&query=tags%3Aother",
        ("authorization", "Bearer t"),
    )
    .await;
    assert_eq!(none, json!([]));
    let article = json!({"ticket_id": 1, "subject": MARKER, "body": "more"});
    post(&range, "/zammad/api/v1/ticket_articles", "Bearer t", &article)
        .await
        .unwrap();
    let (_, articles) = get(
        &range,
        "/zammad/api/v1/ticket_articles/by_ticket/1",
        ("authorization", "Bearer t"),
    )
    .await;
    assert_eq!(articles[0]["subject"], MARKER);
    assert_eq!(
        post(
            &range,
            "/zammad/api/v1/tickets",
            "Bearer t",
            &json!({"title": "x"})
        )
        .await
        .unwrap()
        .0,
        422
    );
    assert_eq!(get(&range, "/zammad/api/v1/tickets/1", ("x", "y")).await.0, 401);
    assert!(range.ledger().repeated().is_empty());
    post(&range, "/zammad/api/v1/tickets", "Bearer t", &ticket)
        .await
        .unwrap();
    let repeated = range.ledger().repeated();
    assert_eq!(
        (repeated.len(), repeated[0].1, repeated[0].0.key.as_str()),
        (1, 2, MARKER)
    );
}

#[tokio::test]
async fn an_alert_is_unique_by_its_reference() {
    let range = range().await;
    let alert = json!({
        "type": "incident", "source": "sortie", "sourceRef": MARKER, "title": "t", "description": "d", "tags": ["a"],
    });
    let (status, made) = post(&range, "/thehive/api/v1/alert", "Bearer t", &alert)
        .await
        .unwrap();
    assert_eq!(status, 201);
    let (status, refused) = post(&range, "/thehive/api/v1/alert", "Bearer t", &alert)
        .await
        .unwrap();
    assert_eq!((status, &refused["type"]), (400, &json!("CreateError")));
    assert_eq!(range.ledger().count(Service::TheHive, "alert created"), 1);
    let filter = |value: &str| {
        json!({"query": [
            {"_name": "listAlert"},
            {"_name": "filter", "_and": [
                {"_eq": {"_field": "source", "_value": "sortie"}},
                {"_eq": {"_field": "sourceRef", "_value": value}},
            ]},
            {"_name": "page", "from": 0, "to": 2},
        ]})
    };
    let (_, found) = post(&range, "/thehive/api/v1/query", "Bearer t", &filter(MARKER))
        .await
        .unwrap();
    assert_eq!(
        (found.as_array().unwrap().len(), &found[0]["_id"]),
        (1, &made["_id"])
    );
    let (_, found) = post(&range, "/thehive/api/v1/query", "Bearer t", &filter("other"))
        .await
        .unwrap();
    assert_eq!(found, json!([]));
    let comment = format!("/thehive/api/v1/alert/{}/comment", made["_id"].as_str().unwrap());
    post(&range, &comment, "Bearer t", &json!({"message": "more"}))
        .await
        .unwrap();
    let comments = json!({"query": [{"_name": "getAlert", "idOrName": made["_id"]}, {"_name": "comments"}]});
    let (_, found) = post(&range, "/thehive/api/v1/query", "Bearer t", &comments)
        .await
        .unwrap();
    assert_eq!(found[0]["message"], "more");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_post_is_the_same_post_for_thirty_seconds() {
    let range = range().await;
    let body =
        json!({"channel_id": "c", "message": "m", "pending_post_id": MARKER, "props": {"sortie_key": "k"}});
    let mut ids = Vec::new();
    for wait in [0, 29, 2] {
        tokio::time::advance(Duration::from_secs(wait)).await;
        let (status, made) = post(&range, "/mattermost/api/v4/posts", "Bearer t", &body)
            .await
            .unwrap();
        assert_eq!(status, 201);
        ids.push(made["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert_eq!(range.ledger().count(Service::Mattermost, "post created"), 2);
    let (_, list) = get(
        &range,
        "/mattermost/api/v4/channels/c/posts?since=0",
        ("authorization", "Bearer t"),
    )
    .await;
    assert_eq!(
        list["posts"][ids[0].as_str().unwrap()]["props"]["sortie_key"],
        "k"
    );
}

#[tokio::test]
async fn the_alias_has_its_quirks() {
    let range = range().await;
    let change = async |verb: &str, alias: &str, address: &str| {
        let path = format!("/opnsense/api/firewall/alias_util/{verb}/{alias}");
        post(
            &range,
            &path,
            "Basic a2V5OnNlY3JldA==",
            &json!({"address": address}),
        )
        .await
        .unwrap()
        .1
    };
    assert_eq!(change("add", "sortie", "203.0.113.7").await["status"], "done");
    assert_eq!(change("add", "sortie", "203.0.113.8").await["status"], "done");
    change("add", "sortie", "203.0.113.7").await;
    change("add", "sortie", "203.0.113.8").await;
    assert_eq!(
        range.alias("sortie"),
        ["203.0.113.7", "203.0.113.8", "203.0.113.7"]
    );
    assert_eq!(range.ledger().repeated().len(), 1, "the copy of the first entry");
    assert_eq!(
        change("add", "sortie", "2001:DB8::1").await["status"],
        "not_an_address"
    );
    assert_eq!(change("add", "other", "203.0.113.9").await["status"], "failed");

    change("delete", "sortie", "203.0.113.7").await;
    let list = json!({"searchPhrase": "203.0.113.7"});
    let live = async || {
        let path = "/opnsense/api/firewall/alias_util/list/sortie";
        post(&range, path, "Basic a2V5OnNlY3JldA==", &list)
            .await
            .unwrap()
            .1["total"]
            .clone()
    };
    assert_eq!(live().await, 0);
    post(
        &range,
        "/opnsense/api/firewall/alias/reconfigure",
        "Basic a2V5OnNlY3JldA==",
        &json!({}),
    )
    .await
    .unwrap();
    assert_eq!(live().await, 1, "the copy comes back");
    let (_, id) = get(
        &range,
        "/opnsense/api/firewall/alias/get_alias_u_u_i_d/sortie",
        ("authorization", "Basic eA=="),
    )
    .await;
    let item = format!(
        "/opnsense/api/firewall/alias/get_item/{}",
        id["uuid"].as_str().unwrap()
    );
    let (_, item) = get(&range, &item, ("authorization", "Basic eA==")).await;
    assert_eq!(item["alias"]["content"]["203.0.113.7"]["selected"], 1);
}

#[tokio::test(start_paused = true)]
async fn faults_happen_before_or_after_the_effect_and_end() {
    let range = range().await;
    let alert = |reference: &str| json!({"type": "i", "source": "s", "sourceRef": reference, "title": "t", "description": "d"});
    let send =
        async |reference: &str| post(&range, "/thehive/api/v1/alert", "Bearer t", &alert(reference)).await;
    let made = || range.ledger().count(Service::TheHive, "alert created");
    let once = |misbehaviour| range.faults().add(Fault::once(Service::TheHive, misbehaviour));

    once(Misbehaviour::DropBefore);
    assert_eq!((send("a").await, made()), (None, 0));
    once(Misbehaviour::DropAfter);
    assert_eq!((send("a").await, made()), (None, 1));
    once(Misbehaviour::Refuse {
        status: 429,
        retry_after: Some(3),
    });
    assert_eq!((send("b").await.unwrap().0, made()), (429, 1));
    once(Misbehaviour::RefuseAfter { status: 502 });
    assert_eq!((send("b").await.unwrap().0, made()), (502, 2));
    let begun = tokio::time::Instant::now();
    once(Misbehaviour::Delay(Duration::from_secs(7)));
    assert_eq!(send("c").await.unwrap().0, 201);
    assert!(begun.elapsed() >= Duration::from_secs(7));
    range.faults().add(Fault {
        after: 1,
        ..Fault::always(Service::TheHive, Misbehaviour::DropBefore).on("/alert")
    });
    assert_eq!(send("d").await.unwrap().0, 201);
    assert_eq!((send("e").await, send("e").await), (None, None));
    let query = json!({"query": [{"_name": "listAlert"}]});
    let (_, all) = post(&range, "/thehive/api/v1/query", "Bearer t", &query)
        .await
        .unwrap();
    assert_eq!(all.as_array().unwrap().len(), 4, "other paths go well");
    range.faults().clear();
    assert_eq!(send("e").await.unwrap().0, 201);
}

#[tokio::test]
async fn a_stopped_range_answers_no_more() {
    let range = range().await;
    let (http, smtp) = (range.http(), range.smtp());
    range.stop().await;
    assert!(TcpStream::connect(http).await.is_err());
    assert!(TcpStream::connect(smtp).await.is_err());
}

#[test]
fn a_marker_is_found_whole_or_not_at_all() {
    assert_eq!(
        marker(format!("x sortie-, {MARKER}].").as_bytes()).as_deref(),
        Some(MARKER)
    );
    assert_eq!(marker(b"sortie-0123456789abcde"), None);
    assert_eq!(marker("sortie-0123456789abcdé".as_bytes()), None);
    assert_eq!(marker(b"sortie-0123456789ABCDEF"), None);
}

#[test]
fn text_for_a_page_is_only_text() {
    assert_eq!(
        escape("<a href='x'>&\"\u{1b}\n"),
        "&lt;a href=&#39;x&#39;&gt;&amp;&quot; \n"
    );
}
