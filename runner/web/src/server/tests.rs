//! Connections over real sockets: their limits, their end, and the owner-only socket.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use state::access::Permission;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::places::CONNECTIONS_PER_ADDRESS_MAX;
use super::{HEAD_BYTES_MAX, HEADER_TIMEOUT, Listeners, bind_local, is_our_user, local_peer, serve};
use crate::fake::{Fake, token};
use crate::pace::RequestLimits;

struct Served {
    fake: Arc<Fake>,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

async fn served() -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fake = Fake::new();
    let stop = CancellationToken::new();
    let listeners = Listeners {
        tcp: Some(listener),
        local: None,
    };
    let serving = tokio::spawn(serve(
        listeners,
        fake.clone(),
        fake.clone(),
        RequestLimits::default(),
        stop.clone(),
    ));
    Served {
        fake,
        address,
        stop,
        serving,
    }
}

impl Served {
    /// Sends bytes as they are and reads until the server closes.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.begin(bytes).await;
        read(&mut stream).await
    }

    async fn begin(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may close while we still send: that is its right.
        drop(stream.write_all(bytes).await);
        stream
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    drop(stream.read_to_end(&mut text).await);
    String::from_utf8_lossy(&text).into_owned()
}

fn submit(body: &str) -> Vec<u8> {
    let token = token(&[Permission::Submit], false).0;
    format!(
        "POST /api/v1/incidents HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-For: 127.0.0.1\r\n\
         Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_request_is_answered_whatever_its_host_says() {
    let served = served().await;
    let answer = served.say(&submit("{}")).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert!(!answer.contains("evil"));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_speak_in_time_is_closed() {
    let served = served().await;
    for begun_with in ["", "GET /healthz HTTP/1.1\r\nHost: x\r\n"] {
        let begun = tokio::time::Instant::now();
        let mut stream = served.begin(begun_with.as_bytes()).await;
        read(&mut stream).await;
        assert!(
            begun.elapsed() >= HEADER_TIMEOUT,
            "{begun_with:?} closed after {:?}",
            begun.elapsed()
        );
        assert!(
            begun.elapsed() < HEADER_TIMEOUT * 2,
            "{begun_with:?} closed after {:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_between_requests_is_closed() {
    let served = served().await;
    let begun = tokio::time::Instant::now();
    let answer = served.say(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(begun.elapsed() < HEADER_TIMEOUT * 2);
}

#[tokio::test]
async fn ambiguous_or_malformed_requests_are_refused_and_the_connection_closed() {
    let served = served().await;
    let vectors: &[&str] = &[
        "POST /api/v1/incidents HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST /api/v1/incidents HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
        "POST /api/v1/incidents HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello",
        "POST /api/v1/incidents HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\nhello",
        "POST /api/v1/incidents HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /api/v1/incidents HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n\0: y\r\n\r\n",
        "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "nonsense\r\n\r\n",
    ];
    for vector in vectors {
        let answer = served.say(vector.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{vector:?} got {answer:?}");
    }
    let answer = served.say(HEALTH).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "still serving: {answer}");
}

#[tokio::test]
async fn a_head_has_a_largest_size() {
    let served = served().await;
    let head = |bytes: usize| {
        format!(
            "GET /healthz HTTP/1.1\r\nConnection: close\r\nA: {}\r\n\r\n",
            "x".repeat(bytes)
        )
    };
    let fits = served.say(head(HEAD_BYTES_MAX - 200).as_bytes()).await;
    assert!(fits.starts_with("HTTP/1.1 200 "), "{fits}");
    let over = served.say(head(HEAD_BYTES_MAX + 1).as_bytes()).await;
    assert!(over.starts_with("HTTP/1.1 431 "), "{over}");
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    let served = served().await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_PER_ADDRESS_MAX {
        let mut stream = served.begin(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        held.push(stream);
    }
    assert_eq!(
        served.say(HEALTH).await,
        "",
        "one more is closed without an answer"
    );
    held.clear();
    let mut answer = String::new();
    while answer.is_empty() {
        answer = served.say(HEALTH).await;
    }
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn stopping_finishes_what_was_asked_and_sends_others_away() {
    let served = served().await;
    let mut slow = served.begin(&submit("\"slow\"")).await;
    while served.fake.submissions.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    served.stop.cancel();
    let late = served.say(&submit("{}")).await;
    assert!(
        late.starts_with("HTTP/1.1 503 ") && late.contains("retry-after: "),
        "{late}"
    );
    let finished = read(&mut slow).await;
    assert!(finished.starts_with("HTTP/1.1 202 "), "{finished}");
    served.serving.await.unwrap();
    assert_eq!(served.fake.submissions.lock().unwrap().len(), 1);
    assert!(
        TcpStream::connect(served.address).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn the_local_socket_is_its_owners_and_replaces_a_dead_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sortie.sock");
    drop(bind_local(&path).unwrap());
    let listener = bind_local(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (stream, accepted) = tokio::join!(UnixStream::connect(&path), listener.accept());
    let peer = local_peer(&accepted.unwrap().0).unwrap();
    assert!(is_our_user(peer));
    assert!(!is_our_user(crate::authentication::LocalPeer {
        uid: peer.uid + 1,
        ..peer
    }));
    drop(stream.unwrap());
}
