//! A far end on this machine: an HTTP server that answers what a test tells it and remembers what
//! it was asked.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::clock::TestClock;
use crate::connection::tests::loopback;
use crate::egress::Door;

/// One request as the far end saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `POST /api/v1/alert?x=1`.
    pub(crate) line: String,
    /// The header lines.
    pub(crate) headers: String,
    /// The body; null when there is none.
    pub(crate) body: Value,
}

type Answers = dyn FnMut(&Seen) -> (u16, Value) + Send;

/// The server. It ends with its test.
pub(crate) struct FarEnd {
    base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FarEnd {
    /// Starts answering.
    pub(crate) async fn start(answers: impl FnMut(&Seen) -> (u16, Value) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut answers: Box<Answers> = Box::new(answers);
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &kept, &mut answers).await;
            }
        });
        Self { base, seen }
    }

    /// A way to it, with settings of a provider.
    pub(crate) fn door(&self, provider: &str, settings: Value) -> Door {
        let mut connection = loopback("far", provider, &self.base);
        connection.settings = serde_json::from_value(settings).unwrap();
        Door::open(connection, TestClock::new()).unwrap()
    }

    /// What it was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The request lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

async fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Seen>>, answers: &mut Box<Answers>) {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            bytes.drain(..end + 4);
            let length = head
                .to_ascii_lowercase()
                .split_once("content-length: ")
                .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
            break (head, length);
        }
    };
    while bytes.len() < length {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let (first, headers) = head.split_once("\r\n").unwrap();
    let request = Seen {
        line: first.trim_end_matches(" HTTP/1.1").to_owned(),
        headers: headers.to_owned(),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    };
    let (status, answer) = answers(&request);
    seen.lock().unwrap().push(request);
    let answer = answer.to_string();
    let response = format!(
        "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(response.as_bytes()).await.ok();
}
