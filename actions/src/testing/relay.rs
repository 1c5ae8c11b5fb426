//! A mail relay on this machine that keeps every byte it is told.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::clock::TestClock;
use crate::connection::tests::loopback;
use crate::egress::Door;

/// Where the relay misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes everything.
    Willing,
    /// Answers this to `RCPT TO`.
    AtRecipient(&'static str),
    /// Answers this after the message; an empty text closes the connection instead.
    AfterMessage(&'static str),
}

/// One message as the relay got it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    /// The commands, line by line.
    pub(crate) commands: Vec<String>,
    /// The message as it was on the wire, with its stuffed dots and without the final dot.
    pub(crate) wire: Vec<u8>,
}

impl Received {
    /// The message with the stuffing undone, as a reader gets it.
    pub(crate) fn message(&self) -> String {
        let text = String::from_utf8(self.wire.clone()).unwrap();
        text.split("\r\n")
            .map(|line| line.strip_prefix('.').unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\r\n")
    }

    /// The recipients of the envelope.
    pub(crate) fn recipients(&self) -> Vec<&str> {
        self.commands
            .iter()
            .filter(|command| command.to_ascii_uppercase().starts_with("RCPT TO"))
            .map(String::as_str)
            .collect()
    }
}

/// The relay. It ends with its test.
pub(crate) struct Relay {
    address: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Relay {
    /// Starts listening.
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut conversation = Received::default();
                talk(stream, mood, &mut conversation).await;
                kept.lock().unwrap().push(conversation);
            }
        });
        Self { address, received }
    }

    /// A way to it.
    pub(crate) fn door(&self) -> Door {
        let mut connection = loopback("mail", "smtp", &format!("smtp://{}", self.address));
        connection.settings.insert("tls".to_owned(), json!("none"));
        connection
            .settings
            .insert("channels".to_owned(), json!({"duty": "duty@cert.example"}));
        Door::open(connection, TestClock::new()).unwrap()
    }

    /// The conversations that have ended, once there is at least one.
    pub(crate) async fn received(&self) -> Vec<Received> {
        loop {
            let received = self.received.lock().unwrap().clone();
            if !received.is_empty() {
                return received;
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn talk(stream: TcpStream, mood: Mood, conversation: &mut Received) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 relay.example ESMTP\r\n").await.ok();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let command = String::from_utf8_lossy(&line).trim_end().to_owned();
        let verb = command.to_ascii_uppercase();
        conversation.commands.push(command);
        let answer = match (verb.as_str(), mood) {
            (verb, _) if verb.starts_with("EHLO") => "250-relay.example\r\n250 8BITMIME",
            (verb, Mood::AtRecipient(answer)) if verb.starts_with("RCPT") => answer,
            ("DATA", _) => {
                stream.write_all(b"354 go on\r\n").await.ok();
                read_message(&mut stream, &mut conversation.wire).await;
                match mood {
                    Mood::AfterMessage("") => return,
                    Mood::AfterMessage(answer) => answer,
                    _ => "250 queued as 42",
                }
            }
            ("QUIT", _) => "221 bye",
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok();
        if verb == "QUIT" {
            return;
        }
    }
}

async fn read_message(stream: &mut BufReader<TcpStream>, wire: &mut Vec<u8>) {
    loop {
        let start = wire.len();
        if stream.read_until(b'\n', wire).await.unwrap_or(0) == 0 {
            return;
        }
        // Only CR LF . CR LF ends a message; a relay that is laxer could be tricked, not this one.
        if &wire[start..] == b".\r\n" && (start == 0 || wire[..start].ends_with(b"\r\n")) {
            wire.truncate(start);
            return;
        }
    }
}
