//! A firewall that polls block lists, and what it blocks because of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, ETAG, HOST, IF_NONE_MATCH};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::lock;

/// Largest list that is read, in bytes.
const LIST_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A poll must be answered within this time.
const POLL_TIMEOUT: Duration = Duration::from_secs(10);
/// Polls that are kept for show.
const POLLS_KEPT: usize = 100;

/// What to poll.
#[derive(Debug, Clone)]
pub struct Poll {
    /// Where Sortie listens.
    pub server: std::net::SocketAddr,
    /// For example `/edl/ville-exemple/ip.txt`.
    pub path: String,
    /// The API token of this reader.
    pub token: String,
    /// How often.
    pub every: Duration,
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    /// A list, now in force.
    Changed {
        /// Its tag.
        etag: String,
        /// Entries that are new.
        added: Vec<String>,
        /// Entries that are gone.
        removed: Vec<String>,
    },
    /// The list that is in force already (304).
    Unchanged,
    /// No list; the old one stays in force.
    Failed(String),
}

/// The firewall. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Firewall(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By the path it is polled from.
    lists: BTreeMap<String, List>,
    ever: BTreeSet<String>,
    polls: Vec<Polled>,
    count: u64,
}

/// One list as it was last answered.
#[derive(Debug, Default)]
struct List {
    entries: BTreeSet<String>,
    etag: Option<String>,
}

impl Firewall {
    /// What is blocked now, by all lists together.
    pub fn entries(&self) -> BTreeSet<String> {
        let state = lock(&self.0);
        state
            .lists
            .values()
            .flat_map(|list| list.entries.iter().cloned())
            .collect()
    }

    /// What each list blocks now, by the path it is polled from.
    pub fn lists(&self) -> BTreeMap<String, BTreeSet<String>> {
        let state = lock(&self.0);
        let lists = state.lists.iter();
        lists
            .map(|(path, list)| (path.clone(), list.entries.clone()))
            .collect()
    }

    /// What has ever been blocked.
    pub fn ever(&self) -> BTreeSet<String> {
        lock(&self.0).ever.clone()
    }

    /// How often it has polled.
    pub fn count(&self) -> u64 {
        lock(&self.0).count
    }

    /// The last polls, oldest first, at most 100.
    pub fn polls(&self) -> Vec<Polled> {
        lock(&self.0).polls.clone()
    }

    /// Polls once.
    pub async fn poll(&self, poll: &Poll) -> Polled {
        let known = lock(&self.0)
            .lists
            .get(&poll.path)
            .and_then(|list| list.etag.clone());
        let answered = tokio::time::timeout(POLL_TIMEOUT, fetch(poll, known.as_deref())).await;
        let polled = match answered {
            Ok(Ok(Some((etag, text)))) => self.replace(&poll.path, etag, &text),
            Ok(Ok(None)) => Polled::Unchanged,
            Ok(Err(why)) => Polled::Failed(why),
            Err(_) => Polled::Failed(format!("no answer within {} s", POLL_TIMEOUT.as_secs())),
        };
        let mut state = lock(&self.0);
        state.count += 1;
        if state.polls.len() >= POLLS_KEPT {
            state.polls.remove(0);
        }
        state.polls.push(polled.clone());
        polled
    }

    pub(super) async fn keep_polling(&self, poll: Poll) {
        let mut interval = tokio::time::interval(poll.every);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.poll(&poll).await;
        }
    }

    fn replace(&self, path: &str, etag: String, text: &str) -> Polled {
        let entries: BTreeSet<String> = text.lines().map(str::to_owned).collect();
        let mut state = lock(&self.0);
        let list = state.lists.entry(path.to_owned()).or_default();
        let added: Vec<String> = entries.difference(&list.entries).cloned().collect();
        let removed: Vec<String> = list.entries.difference(&entries).cloned().collect();
        list.entries = entries;
        list.etag = Some(etag.clone());
        state.ever.extend(added.iter().cloned());
        Polled::Changed { etag, added, removed }
    }
}

/// The list with its tag; none when it is unchanged.
async fn fetch(poll: &Poll, known: Option<&str>) -> Result<Option<(String, String)>, String> {
    let stream = TcpStream::connect(poll.server)
        .await
        .map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let mut bearer =
        HeaderValue::from_str(&format!("Bearer {}", poll.token)).map_err(|error| error.to_string())?;
    bearer.set_sensitive(true);
    let mut request = Request::get(&poll.path)
        .header(HOST, HeaderValue::from_static("sortie"))
        .header(AUTHORIZATION, bearer);
    if let Some(etag) = known {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let request = request
        .body(Full::new(Bytes::new()))
        .map_err(|error| error.to_string())?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())?;
    match response.status() {
        StatusCode::NOT_MODIFIED => Ok(None),
        StatusCode::OK => {
            let etag = response
                .headers()
                .get(ETAG)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned();
            let body = Limited::new(response.into_body(), LIST_BYTES_MAX)
                .collect()
                .await
                .map_err(|error| error.to_string())?
                .to_bytes();
            let text = String::from_utf8(body.into()).map_err(|error| error.to_string())?;
            Ok(Some((etag, text)))
        }
        status => Err(format!("answered {status}")),
    }
}
