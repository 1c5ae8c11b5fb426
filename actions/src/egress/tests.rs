//! Tests of egress: behaviour at its edges and against hostile input.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use playbooks::action_spec::ErrorKind;
use playbooks::duration::Span;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::resolver::NameService;
use super::{Door, Request};
use crate::clock::TestClock;
use crate::connection::tests::loopback;
use crate::connection::{Auth, ConnectionSettings};
use crate::contract::{Fake, Reply, SECRET, door, settings};

/// Names with made-up answers, one set after the other; the last repeats.
#[derive(Debug)]
struct Names {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

#[async_trait]
impl NameService for Names {
    async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.answers[turn.min(self.answers.len() - 1)].clone())
    }
}

fn named(base: &str, allow_private: bool, answers: &[&[&str]]) -> Door {
    let names = Names {
        answers: answers
            .iter()
            .map(|set| set.iter().map(|text| text.parse().unwrap()).collect())
            .collect(),
        asked: AtomicUsize::new(0),
    };
    let mut settings = loopback("far", "http", base);
    settings.allow_private = allow_private;
    Door::open_asking(settings, TestClock::new(), Arc::new(names)).unwrap()
}

fn opened(base: &str, change: impl FnOnce(&mut ConnectionSettings)) -> Result<Door, String> {
    let mut settings = loopback("far", "http", base);
    settings.allow_private = false;
    settings.allow_http = false;
    change(&mut settings);
    Door::open(settings, TestClock::new()).map_err(|problem| problem.to_string())
}

#[test]
fn literals_in_every_spelling_are_refused_before_anything_is_sent() {
    for host in [
        "127.0.0.1",
        "0",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "127.0.0.1.",
        "\u{ff11}27.0.0.1",
        "[::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "[fec0::1]",
        "169.254.169.254",
        "192.0.0.192",
        "100.100.100.200",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "192.168.1.1",
        "[fe80::1]",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let refused = opened(&format!("https://{host}/"), |_| {}).unwrap_err();
        assert!(refused.contains("may not reach"), "{host}: {refused}");
    }
    for host in [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[::ffff:127.0.0.1]",
        "100.100.100.200",
    ] {
        let refused = opened(&format!("https://{host}/"), |settings| {
            settings.allow_private = true;
        });
        assert!(refused.is_err(), "{host} must stay refused");
    }
    assert!(
        opened("https://10.0.0.1/", |settings| {
            settings.allow_private = true;
        })
        .is_ok()
    );
}

#[test]
fn settings_that_cannot_be_right_are_told_with_their_remedy() {
    for (base, words) in [
        ("http://far.example/", "set allow_http"),
        ("ftp://far.example/", "not a way out"),
        ("file:///etc/passwd", "not a way out"),
        ("gopher://far.example/", "not a way out"),
        ("https://user:pass@far.example/", "set them under auth"),
        ("https://far.example/?key=1", "ends before"),
    ] {
        let refused = opened(base, |_| {}).unwrap_err();
        assert!(refused.contains(words), "{base}: {refused}");
    }
    for auth in [
        Auth::Bearer("hunter2\n".into()),
        Auth::Header {
            name: "x apikey".to_owned(),
            value: "hunter2".into(),
        },
    ] {
        let refused = opened("https://far.example/", |settings| settings.auth = auth).unwrap_err();
        assert!(!refused.contains("hunter2"), "{refused}");
    }
    let refused = opened("https://far.example/", |settings| {
        settings.extra_roots = vec!["no certificate".to_owned()];
    });
    assert!(refused.unwrap_err().contains("extra root"));
}

#[tokio::test]
async fn a_name_with_one_denied_address_is_denied() {
    for answers in [
        &["10.0.0.1"][..],
        &["93.184.216.34", "10.0.0.1"],
        &["169.254.169.254"],
        &["::1"],
    ] {
        let door = named("http://far.example/", false, &[answers]);
        let error = door.send(Request::get("x")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Policy, "{answers:?}: {error}");
        assert!(error.not_sent);
    }
}

#[tokio::test]
async fn a_second_answer_of_a_name_is_vetted_like_the_first() {
    let fake = Fake::start(|_| Reply::json("{}")).await;
    let port = fake
        .base()
        .rsplit(':')
        .next()
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    let base = format!("http://rebind.example:{port}/");
    let door = named(&base, true, &[&["127.0.0.1"], &["169.254.169.254"]]);
    door.send(Request::get("x").header("connection", "close"))
        .await
        .unwrap();
    let error = door.send(Request::get("x")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Policy);
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn every_request_carries_what_the_connection_says() {
    let fake = Fake::start(|_| Reply::json("{}")).await;
    for (auth, name, value) in [
        (
            Auth::Bearer(SECRET.into()),
            "authorization",
            format!("Bearer {SECRET}"),
        ),
        (
            Auth::Basic {
                user: "sortie".to_owned(),
                password: "pässword".into(),
            },
            "authorization",
            "Basic c29ydGllOnDDpHNzd29yZA==".to_owned(),
        ),
        (
            Auth::Header {
                name: "X-ApiKey".to_owned(),
                value: SECRET.into(),
            },
            "x-apikey",
            SECRET.to_owned(),
        ),
    ] {
        let mut settings = settings("http", fake.base());
        settings.auth = auth;
        let door = Door::open(settings, TestClock::new()).unwrap();
        // An action cannot put another secret in the place of the connection's.
        let request = Request::post("a/b")
            .header("authorization", "mine")
            .json(serde_json::json!({"a": 1}));
        door.send(request).await.unwrap();
        let seen = fake.seen().pop().unwrap();
        if name == "authorization" {
            assert_eq!(seen.headers.get_all("authorization").iter().count(), 1);
        }
        assert_eq!(seen.header(name), Some(value.as_str()));
        assert!(seen.header("user-agent").unwrap().starts_with("sortie/"));
        assert_eq!(seen.header("referer"), None);
        assert_eq!(seen.text(), r#"{"a":1}"#);
    }
}

#[tokio::test]
async fn answers_are_read_up_to_their_limit_decompressed() {
    for (size, fits) in [(999, true), (1_000, true), (1_001, false)] {
        let fake = Fake::start(move |_| Reply::json(vec![b' '; size])).await;
        let mut settings = settings("http", fake.base());
        settings.answer_bytes_max = 1_000;
        let door = Door::open(settings, TestClock::new()).unwrap();
        let result = door.send(Request::get("x")).await;
        assert_eq!(result.is_ok(), fits, "{size}");
        if let Err(error) = result {
            assert_eq!(error.kind, ErrorKind::BadAnswer);
        }
    }
    // 10 MB of zeros in about 10 kB.
    let bomb = include_bytes!("tests/ten-megabytes.gz");
    let fake = Fake::start(|_| Reply::json(&bomb[..]).with("content-encoding", "gzip")).await;
    let error = door("http", fake.base(), &Value::Null)
        .send(Request::get("x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadAnswer);
}

#[tokio::test]
async fn what_was_not_sent_is_certain() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", unused.local_addr().unwrap());
    drop(unused);
    let error = door("http", &base, &Value::Null)
        .send(Request::get("secret-path").query("q", "secret-query"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.not_sent);
    assert!(!error.detail.contains("secret-"), "{error}");

    // TLS is spoken to a server that does not.
    let fake = Fake::start(|_| Reply::json("{}")).await;
    let base = fake.base().replace("http:", "https:");
    let error = door("http", &base, &Value::Null)
        .send(Request::get("x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert!(error.not_sent);
    assert!(fake.seen().is_empty());
}

/// Answers every connection with these bytes and closes it.
async fn raw(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0_u8; 4_096];
            let read = stream.read(&mut request).await.unwrap();
            assert!(read > 0);
            stream.write_all(bytes).await.unwrap();
        }
    });
    base
}

#[tokio::test]
async fn what_broke_after_sending_is_not_certain() {
    for (bytes, kind) in [
        (&b""[..], ErrorKind::ServerError),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
            ErrorKind::BadAnswer,
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ErrorKind::ServerError),
    ] {
        let base = raw(bytes).await;
        let error = door("http", &base, &Value::Null)
            .send(Request::post("x"))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(!error.not_sent);
    }
}

#[tokio::test]
async fn silence_is_a_timeout_and_not_certain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let request = Request::post("x").timeout(Span::milliseconds(50));
    let error = door("http", &base, &Value::Null).send(request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    assert!(!error.not_sent);
}

#[tokio::test]
async fn statuses_that_are_data_are_answers() {
    let fake = Fake::start(|_| Reply::json("{}").code(404)).await;
    let door = door("http", fake.base(), &Value::Null);
    assert_eq!(
        door.send(Request::get("x").data_status(404))
            .await
            .unwrap()
            .status(),
        404
    );
    let error = door.send(Request::get("x")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.not_sent);
}
