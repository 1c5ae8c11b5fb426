//! The mail sink, line by line.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::{get, range};
use crate::range::{Fault, Misbehaviour, Options, Range, Service};

/// Says lines to the mail sink and returns its replies' first three characters.
async fn smtp(address: SocketAddr, lines: &[&str]) -> Vec<String> {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let mut codes = Vec::new();
    let mut sent = lines.iter();
    loop {
        let mut reply = String::new();
        if stream.read_line(&mut reply).await.unwrap() == 0 {
            return codes;
        }
        if reply.get(3..4) == Some("-") {
            continue;
        }
        codes.push(reply[..3].to_owned());
        match sent.next() {
            Some(line) => stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap(),
            None => return codes,
        }
    }
}

const MAIL: &str =
    "Subject: =?utf-8?q?H=C3=A9?= <script>\r\nMessage-ID: <1@x.example>\r\n\r\n..dot\r\n<b>hello</b>\r\n.";

#[tokio::test]
async fn a_mail_is_taken_byte_by_byte_and_shown_escaped() {
    let range = range().await;
    let lines = [
        "EHLO me",
        "MAIL FROM:<a@x.example>",
        "RCPT TO:<b@y.example>",
        "rcpt to:<c@y.example> X=1",
        "DATA",
        MAIL,
        "QUIT",
    ];
    assert_eq!(
        smtp(range.smtp(), &lines).await,
        ["220", "250", "250", "250", "250", "354", "250", "221"]
    );
    let mail = range.mailbox().all().remove(0);
    assert_eq!((mail.from.as_str(), mail.to.len()), ("a@x.example", 2));
    assert!(
        mail.raw.ends_with(b"\r\n\r\n.dot\r\n<b>hello</b>\r\n"),
        "{:?}",
        String::from_utf8_lossy(&mail.raw)
    );
    assert_eq!(range.ledger().effects()[0].key, "<1@x.example>");
    let (status, page) = get(&range, "/range/mail", ("x", "y")).await;
    let page = page.as_str().unwrap().to_owned();
    assert_eq!(status, 200);
    assert!(
        page.contains("&lt;b&gt;hello&lt;/b&gt;") && !page.contains("<b>") && !page.contains("<script"),
        "{page}"
    );
}

#[tokio::test]
async fn the_mail_sink_refuses_out_of_order_and_misbehaves_on_request() {
    let range = range().await;
    let order = smtp(
        range.smtp(),
        &[
            "EHLO me",
            "DATA",
            "RCPT TO:<a@x.example>",
            "MAIL TO:<x>",
            "VRFY x",
            "QUIT",
        ],
    )
    .await;
    assert_eq!(order, ["220", "250", "503", "503", "501", "502", "221"]);
    let send = async || {
        smtp(
            range.smtp(),
            &["EHLO me", "MAIL FROM:<>", "RCPT TO:<b@y.example>", "DATA", MAIL],
        )
        .await
    };
    let fault = |misbehaviour| range.faults().add(Fault::once(Service::Mail, misbehaviour));
    fault(Misbehaviour::Refuse {
        status: 451,
        retry_after: None,
    });
    assert_eq!(send().await.last().unwrap(), "451");
    fault(Misbehaviour::DropBefore);
    assert_eq!(send().await.last().unwrap(), "354");
    assert!(range.mailbox().is_empty());
    fault(Misbehaviour::DropAfter);
    assert_eq!(send().await.last().unwrap(), "354");
    assert_eq!(range.mailbox().len(), 1);
}

#[tokio::test]
async fn a_mail_sink_with_a_login_asks_for_it() {
    let login = Some(("nora".to_owned(), "secret".to_owned()));
    let range = Range::start(Options {
        mail_login: login,
        ..Options::default()
    })
    .await
    .unwrap();
    let codes = smtp(
        range.smtp(),
        &[
            "EHLO me",
            "MAIL FROM:<a@x.example>",
            "AUTH PLAIN AG5vcmEAd3Jvbmc=",
        ],
    )
    .await;
    assert_eq!(codes, ["220", "250", "530", "535"]);
    let codes = smtp(
        range.smtp(),
        &[
            "EHLO me",
            "AUTH PLAIN AG5vcmEAc2VjcmV0",
            "MAIL FROM:<a@x.example>",
        ],
    )
    .await;
    assert_eq!(codes, ["220", "250", "235", "250"]);
    let codes = smtp(range.smtp(), &["EHLO me", "AUTH LOGIN", "bm9yYQ==", "c2VjcmV0"]).await;
    assert_eq!(codes, ["220", "250", "334", "334", "235"]);
}
