//! Tests of egress mail: behaviour at its edges and against hostile input.

use playbooks::action_spec::ErrorKind;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::action::ActionError;
use crate::clock::TestClock;
use crate::connection::tests::loopback;
use crate::connection::{Auth, ConnectionSettings};
use crate::contract::SECRET;
use crate::egress::Door;

/// A relay that answers each command word in its own way; others with 250.
async fn relay(answers: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 relay\r\n").await.unwrap();
            let mut line = String::new();
            let mut in_message = false;
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                let word = line.split_whitespace().next().unwrap_or_default().to_owned();
                line.clear();
                if in_message && word != "." {
                    continue;
                }
                in_message = word == "DATA";
                let answer = answers.iter().find(|(known, _)| *known == word);
                let text = answer.map_or("250 ok\r\n", |(_, text)| *text);
                if text.is_empty() || stream.write_all(text.as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    });
    format!("smtp://{address}")
}

fn door(base: &str, change: impl FnOnce(&mut ConnectionSettings)) -> Door {
    let mut settings = loopback("relay", "smtp", base);
    settings.settings.insert("tls".to_owned(), json!("none"));
    change(&mut settings);
    Door::open(settings, TestClock::new()).unwrap()
}

async fn send(door: &Door) -> Result<String, ActionError> {
    door.mailer()?
        .send(
            "incident@cert.example",
            "dpo@ville.example",
            b"Subject: x\r\n\r\nhello\r\n",
        )
        .await
}

const NO_TLS: &[(&str, &str)] = &[("EHLO", "250-relay\r\n250 AUTH PLAIN\r\n")];

#[tokio::test]
async fn nothing_is_said_in_the_open_unless_it_is_this_machine() {
    let base = relay(NO_TLS).await;
    let starttls = door(&base, |settings| settings.settings.clear());
    let error = send(&starttls).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Policy);
    assert!(error.not_sent);

    let strict = door(&base, |settings| settings.allow_http = false);
    assert_eq!(send(&strict).await.unwrap_err().kind, ErrorKind::Invalid);

    let far = door("smtp://10.0.0.25", |_| {});
    assert_eq!(send(&far).await.unwrap_err().kind, ErrorKind::Policy);
}

#[tokio::test]
async fn a_refusal_is_certain_and_silence_is_not() {
    for (answers, kind, certain) in [
        (&[("RCPT", "550 no such user\r\n")][..], ErrorKind::Rejected, true),
        (&[("RCPT", "450 greylisted\r\n")], ErrorKind::Undelivered, true),
        (&[("MAIL", "421 busy\r\n")], ErrorKind::Undelivered, true),
        // The relay is gone before a byte of the message was sent.
        (&[("MAIL", "")], ErrorKind::Unreachable, true),
        (&[("RCPT", "")], ErrorKind::Unreachable, true),
        (&[("DATA", "")], ErrorKind::Unreachable, true),
        (
            &[("DATA", "354 go on\r\n"), (".", "554 looks like spam\r\n")],
            ErrorKind::Rejected,
            true,
        ),
        (&[("DATA", "354 go on\r\n"), (".", "")], ErrorKind::Timeout, false),
    ] {
        let base = relay(answers).await;
        let error = send(&door(&base, |_| {})).await.unwrap_err();
        assert_eq!(error.kind, kind, "{answers:?}: {error}");
        assert_eq!(error.not_sent, certain, "{answers:?}: {error}");
    }
}

#[tokio::test]
async fn a_refused_login_does_not_show_the_password() {
    let base = relay(&[
        ("EHLO", "250-relay\r\n250 AUTH PLAIN\r\n"),
        ("AUTH", "535 wrong hunter2-canary-5f1d\r\n"),
    ])
    .await;
    let relay = door(&base, |settings| {
        settings.auth = Auth::Basic {
            user: "sortie".to_owned(),
            password: SECRET.into(),
        };
    });
    let error = send(&relay).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(error.not_sent);
    assert!(!error.detail.contains(SECRET), "{error}");
}

#[tokio::test]
async fn no_relay_is_certain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("smtp://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = send(&door(&base, |_| {})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert!(error.not_sent);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_only_listens_is_certain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("smtp://{}", listener.local_addr().unwrap());
    let error = send(&door(&base, |_| {})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert!(error.not_sent);
}
