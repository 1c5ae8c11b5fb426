//! The far ends of `triage-5`: fixed answers over HTTP/1.1 with keep-alive, and nothing else.
//!
//! Owns one thread of its own, so that its processor time can be told apart. Reads just enough of a
//! request to know its end and its path; it must never be what a measurement waits for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::machine::DOUBLES_THREAD;

/// Bytes of a request that are read at most.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Beginnings of paths and what each is answered.
const ANSWERS: &[(&str, &str)] = &[
    (
        "/virustotal",
        r#"{"data":{"id":"45.0.0.1","type":"ip_address","attributes":{"last_analysis_stats":{"malicious":9,"suspicious":1,"harmless":60,"undetected":20,"timeout":0},"reputation":-15,"asn":64500,"as_owner":"Hosting Example","country":"NL"}}}"#,
    ),
    (
        "/abuseipdb",
        r#"{"data":{"ipAddress":"45.0.0.1","isPublic":true,"ipVersion":4,"isWhitelisted":false,"abuseConfidenceScore":96,"countryCode":"NL","usageType":"Data Center/Web Hosting/Transit","isp":"Hosting Example","isTor":false,"totalReports":41}}"#,
    ),
    ("/urlhaus", r#"{"query_status":"no_results"}"#),
    (
        "/thehive",
        r#"{"_id":"~40968","_type":"Alert","type":"incident","source":"sortie","status":"New","stage":"New","severity":2}"#,
    ),
    (
        "/mattermost",
        r#"{"id":"post0000000000000000000001","create_at":1772400000000,"channel_id":"duty-channel-id","message":"","props":{}}"#,
    ),
];

/// The far ends, until dropped.
#[derive(Debug)]
pub struct Doubles {
    address: SocketAddr,
    most_at_once: Arc<AtomicU64>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// How many requests are being answered, and were at most.
#[derive(Debug, Default, Clone)]
struct Gauge {
    now: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl Doubles {
    /// Listens on this machine. Every answer comes after `delay`.
    pub fn start(delay: Duration) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(DOUBLES_THREAD)
            .enable_all()
            .build()?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let gauge = Gauge::default();
        let most_at_once = Arc::clone(&gauge.most);
        runtime.spawn(async move {
            let Ok(listener) = TcpListener::from_std(listener) else {
                return;
            };
            while let Ok((stream, _)) = listener.accept().await {
                let gauge = gauge.clone();
                tokio::spawn(async move {
                    // A caller that hangs up in the middle has its reasons.
                    drop(serve(stream, delay, gauge).await);
                });
            }
        });
        Ok(Self {
            address,
            most_at_once,
            runtime: Some(runtime),
        })
    }

    /// Where they listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests that waited for their answer at the same moment, at most, since the last look.
    pub fn most_at_once(&self) -> u64 {
        self.most_at_once.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Doubles {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(mut stream: TcpStream, delay: Duration, gauge: Gauge) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    loop {
        let length = loop {
            if let Some(length) = request_length(&received) {
                break length;
            }
            if received.len() > REQUEST_BYTES_MAX || stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
        };
        let answer = answer(&received);
        received.drain(..length);
        gauge
            .most
            .fetch_max(gauge.now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        gauge.now.fetch_sub(1, Ordering::Relaxed);
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// The bytes of the first request, when it is all there.
fn request_length(received: &[u8]) -> Option<usize> {
    let head = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(received.get(..head)?).ok()?;
    let body = text
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap_or(0));
    (received.len() >= head + body).then_some(head + body)
}

fn answer(request: &[u8]) -> String {
    let path = request.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let known = ANSWERS
        .iter()
        .find(|(start, _)| path.starts_with(start.as_bytes()));
    let (status, body) = match known {
        Some((_, body)) => ("200 OK", *body),
        None => ("404 Not Found", "{}"),
    };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
