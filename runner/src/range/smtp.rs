//! A mail sink: as much SMTP (RFC 5321, 4954) as a submitting client needs, in the open.

use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::World;
use super::exchange::Service;
use super::faults::Misbehaviour;
use super::mailbox::Mail;

/// Longest line that is read, in bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Largest mail, in bytes.
const MAIL_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Recipients of one mail at most.
const RECIPIENTS_MAX: usize = 100;

pub(super) async fn accept(
    listener: TcpListener,
    world: Arc<World>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (world, stop) = (Arc::clone(&world), stop.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        // A client that goes away is no concern of a sink.
                        ended = Session::new(stream, world).talk() => drop(ended),
                        () = stop.cancelled() => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the mail sink could not accept a connection");
                tokio::task::yield_now().await;
            }
        }
    }
}

struct Session {
    stream: BufReader<TcpStream>,
    world: Arc<World>,
    trusted: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl Session {
    fn new(stream: TcpStream, world: Arc<World>) -> Self {
        Self {
            stream: BufReader::new(stream),
            trusted: world.mail_login.is_none(),
            world,
            from: None,
            to: Vec::new(),
        }
    }

    async fn talk(mut self) -> io::Result<()> {
        self.say("220 range.example ESMTP").await?;
        while let Some(line) = self.line().await? {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.hello().await?,
                "HELO" | "RSET" => {
                    self.forget();
                    self.say("250 range.example").await?;
                }
                "NOOP" => self.say("250 OK").await?,
                "QUIT" => return self.say("221 Bye").await,
                "AUTH" => self.authenticate(rest).await?,
                _ if !self.trusted => self.say("530 5.7.0 Authentication required").await?,
                "MAIL" => match address(rest, "FROM:") {
                    Some(from) => {
                        self.forget();
                        self.from = Some(from);
                        self.say("250 2.1.0 OK").await?;
                    }
                    None => self.say("501 5.5.4 Syntax: MAIL FROM:<address>").await?,
                },
                "RCPT" => self.recipient(rest).await?,
                "DATA" if self.from.is_none() || self.to.is_empty() => {
                    self.say("503 5.5.1 Need MAIL and RCPT first").await?;
                }
                "DATA" => {
                    if !self.data().await? {
                        return Ok(());
                    }
                }
                _ => self.say("502 5.5.2 Command not recognized").await?,
            }
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    async fn hello(&mut self) -> io::Result<()> {
        self.forget();
        self.say(
            "250-range.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 33554432",
        )
        .await
    }

    async fn recipient(&mut self, rest: &str) -> io::Result<()> {
        match address(rest, "TO:") {
            Some(to) if self.from.is_some() && self.to.len() < RECIPIENTS_MAX => {
                self.to.push(to);
                self.say("250 2.1.5 OK").await
            }
            Some(_) if self.from.is_some() => self.say("452 4.5.3 Too many recipients").await,
            Some(_) => self.say("503 5.5.1 Need MAIL first").await,
            None => self.say("501 5.5.4 Syntax: RCPT TO:<address>").await,
        }
    }

    /// PLAIN with the answer in the command or after a prompt, and LOGIN.
    async fn authenticate(&mut self, rest: &str) -> io::Result<()> {
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let login = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let answer = if initial.is_empty() {
                    self.asked("").await?
                } else {
                    decoded(initial)
                };
                let mut parts = answer.splitn(3, '\0').skip(1);
                (
                    parts.next().unwrap_or_default().to_owned(),
                    parts.next().unwrap_or_default().to_owned(),
                )
            }
            "LOGIN" => {
                let user = if initial.is_empty() {
                    self.asked("VXNlcm5hbWU6").await?
                } else {
                    decoded(initial)
                };
                (user, self.asked("UGFzc3dvcmQ6").await?)
            }
            _ => return self.say("504 5.5.4 Mechanism not recognized").await,
        };
        if self.world.mail_login.as_ref().is_none_or(|known| *known == login) {
            self.trusted = true;
            self.say("235 2.7.0 Authentication successful").await
        } else {
            self.say("535 5.7.8 Authentication credentials invalid").await
        }
    }

    async fn asked(&mut self, prompt: &str) -> io::Result<String> {
        self.say(&format!("334 {prompt}")).await?;
        let line = self.line().await?.unwrap_or_default();
        Ok(decoded(String::from_utf8_lossy(&line).trim_end()))
    }

    /// Takes the mail; false when the connection is to be dropped.
    async fn data(&mut self) -> io::Result<bool> {
        self.say("354 End data with <CR><LF>.<CR><LF>").await?;
        let mut raw = Vec::new();
        loop {
            let Some(line) = self.line().await? else {
                return Ok(false);
            };
            let content = line.strip_suffix(b"\n").unwrap_or(&line);
            let content = content.strip_suffix(b"\r").unwrap_or(content);
            if content == b"." {
                break;
            }
            raw.extend_from_slice(content.strip_prefix(b".").unwrap_or(content));
            raw.extend_from_slice(b"\r\n");
            if raw.len() > MAIL_BYTES_MAX {
                self.say("552 5.3.4 Message too big").await?;
                return Ok(false);
            }
        }
        self.world.ledger.called(Service::Mail);
        let mut after = None;
        for misbehaviour in self.world.faults.take(Service::Mail, &self.to.join(" ")) {
            match misbehaviour {
                Misbehaviour::Delay(time) => tokio::time::sleep(time).await,
                Misbehaviour::Refuse { status, .. } => {
                    self.forget();
                    self.say(&format!("{status} refused on request")).await?;
                    return Ok(true);
                }
                Misbehaviour::DropBefore => return Ok(false),
                Misbehaviour::DropAfter | Misbehaviour::RefuseAfter { .. } => after = Some(misbehaviour),
            }
        }
        let mail = Mail {
            from: self.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.to),
            raw,
        };
        let natural = message_id(&mail.raw);
        self.world
            .ledger
            .happened(Service::Mail, "mail received", &natural, &mail.raw);
        self.world.mailbox.put(mail);
        match after {
            Some(Misbehaviour::DropAfter) => return Ok(false),
            Some(Misbehaviour::RefuseAfter { status }) => {
                self.say(&format!("{status} refused on request")).await?;
            }
            _ => self.say("250 2.0.0 OK queued").await?,
        }
        Ok(true)
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        stream.flush().await
    }

    /// The next line with its end; none when the client is gone or the line has no end.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.stream)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .await?;
        Ok(line.ends_with(b"\n").then_some(line))
    }
}

/// The address in `FROM:<a@b.example> SIZE=9`.
fn address(rest: &str, keyword: &str) -> Option<String> {
    let given = rest.get(..keyword.len())?;
    let path = rest.get(keyword.len()..)?.trim_start();
    let inside = path.strip_prefix('<')?.split_once('>')?.0;
    given.eq_ignore_ascii_case(keyword).then(|| inside.to_owned())
}

fn decoded(text: &str) -> String {
    let bytes = STANDARD.decode(text).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The `Message-ID`, which names a mail that carries no marker.
fn message_id(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    head.split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("message-id"))
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}
