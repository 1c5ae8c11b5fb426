//! Handing over mails to the relay of a connection.
//!
//! Owns the SMTP conversation: one connection and one recipient a message, so that a refusal is
//! certain and concerns nobody else. Composes no message.

use std::net::SocketAddr;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use playbooks::action_spec::ErrorKind;
use secrecy::ExposeSecret as _;

use super::resolver::{NameError, VettedNames};
use super::secrets::Scrubber;
use crate::action::ActionError;
use crate::connection::{Auth, ConnectionSettings};

#[cfg(test)]
mod tests;

/// Longest time until the relay is ready for the message: connected, encrypted, logged in.
pub const SMTP_READY_TIMEOUT: Duration = Duration::from_secs(15);
/// The port of `smtp://`.
const SUBMISSION_PORT: u16 = 587;
/// The port of `smtps://`.
const SUBMISSIONS_PORT: u16 = 465;

/// How the conversation is hidden from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    /// Begins in the open and must change to TLS before anything is said.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// In the open; only to this machine.
    Plain,
}

/// A way to hand over mails.
#[derive(Debug)]
pub struct Mailer<'a> {
    settings: &'a ConnectionSettings,
    names: &'a VettedNames,
    scrubber: &'a Scrubber,
    host: String,
    port: u16,
    secrecy: Secrecy,
}

impl<'a> Mailer<'a> {
    pub(super) fn new(
        settings: &'a ConnectionSettings,
        names: &'a VettedNames,
        scrubber: &'a Scrubber,
    ) -> Result<Self, ActionError> {
        let url = settings
            .base_url
            .as_ref()
            .ok_or_else(|| ActionError::invalid("the connection has no base URL"))?;
        let plain = settings.settings.get("tls").and_then(serde_json::Value::as_str) == Some("none");
        let (secrecy, port) = match url.scheme() {
            "smtp" if plain => (Secrecy::Plain, SUBMISSION_PORT),
            "smtp" => (Secrecy::StartTls, SUBMISSION_PORT),
            "smtps" => (Secrecy::Tls, SUBMISSIONS_PORT),
            _ => {
                return Err(ActionError::invalid(
                    "a mail connection begins with smtp:// or smtps://",
                ));
            }
        };
        if plain && !settings.allow_http {
            return Err(ActionError::invalid(
                "mail without TLS needs allow_http, and goes to this machine only",
            ));
        }
        Ok(Self {
            settings,
            names,
            scrubber,
            host: url
                .host_str()
                .unwrap_or_default()
                .trim_matches(['[', ']'])
                .to_owned(),
            port: url.port().unwrap_or(port),
            secrecy,
        })
    }

    /// Hands over one message to one recipient and returns the words of the relay.
    ///
    /// Everything before the message itself, and every refusal by the relay, is certain not to
    /// have been sent. A silence after the message was begun is not.
    pub async fn send(&self, from: &str, to: &str, message: &[u8]) -> Result<String, ActionError> {
        let result = self.send_plainly(from, to, message).await;
        result.map_err(|mut error| {
            error.detail = self.scrubber.text(&error.detail);
            error
        })
    }

    async fn send_plainly(&self, from: &str, to: &str, message: &[u8]) -> Result<String, ActionError> {
        let address = |text: &str, what: &str| {
            text.parse()
                .map_err(|_| ActionError::invalid(format!("the {what} is not a mail address")))
        };
        let envelope = Envelope::new(Some(address(from, "sender")?), vec![address(to, "recipient")?])
            .map_err(|error| ActionError::invalid(format!("no envelope: {error}")))?;
        let connecting = tokio::time::timeout(SMTP_READY_TIMEOUT, self.connect());
        let mut connection = connecting.await.map_err(|_elapsed| {
            ActionError::new(ErrorKind::Unreachable, "the relay was not ready in time").certain()
        })??;
        let announced = announce(&mut connection, &envelope, message).await;
        let sent = match announced {
            Ok(()) => connection
                .message(message)
                .await
                .map_err(|error| handed_over(&error)),
            Err(error) => Err(error),
        };
        let reply = match sent {
            Ok(response) => response.message().collect::<Vec<_>>().join(" "),
            Err(error) => {
                connection.abort().await;
                return Err(error);
            }
        };
        // The relay has the mail; how the conversation ends changes nothing.
        connection.quit().await.ok();
        Ok(self.scrubber.text(&reply))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, ActionError> {
        let addresses = self.addresses().await?;
        let hello = ClientId::default();
        let unreachable =
            |error: &SmtpError| before(ErrorKind::Unreachable, "no connection to the relay", error);
        let implicit = match self.secrecy {
            Secrecy::Tls => Some(self.tls()?),
            Secrecy::StartTls | Secrecy::Plain => None,
        };
        let connecting = AsyncSmtpConnection::connect_tokio1(
            addresses.as_slice(),
            Some(super::CONNECT_TIMEOUT),
            &hello,
            implicit,
            None,
        );
        let mut connection = connecting.await.map_err(|error| unreachable(&error))?;
        if self.secrecy == Secrecy::StartTls {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(ActionError::policy(
                    "the relay offers no STARTTLS and nothing is sent in the open; use smtps://",
                ));
            }
            connection
                .starttls(self.tls()?, &hello)
                .await
                .map_err(|error| unreachable(&error))?;
        }
        if let Auth::Basic { user, password } = &self.settings.auth {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            connection
                .auth(DEFAULT_MECHANISMS, &credentials)
                .await
                .map_err(|error| before(ErrorKind::Rejected, "the relay refused the login", &error))?;
        }
        Ok(connection)
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, ActionError> {
        let found = match self.host.parse() {
            Ok(literal) => vec![literal],
            Err(_) => self
                .names
                .addresses(&self.host)
                .await
                .map_err(|error| match error {
                    NameError::Denied(denied) => ActionError::policy(denied.to_string()),
                    NameError::NotFound(_) => {
                        ActionError::new(ErrorKind::Unreachable, error.to_string()).certain()
                    }
                })?,
        };
        if self.secrecy == Secrecy::Plain && !found.iter().all(std::net::IpAddr::is_loopback) {
            return Err(ActionError::policy("mail without TLS goes to this machine only"));
        }
        Ok(found
            .into_iter()
            .map(|address| SocketAddr::new(address, self.port))
            .collect())
    }

    fn tls(&self) -> Result<TlsParameters, ActionError> {
        let mut builder = TlsParameters::builder(self.host.clone());
        for pem in &self.settings.extra_roots {
            let root = Certificate::from_pem(pem.as_bytes())
                .map_err(|error| ActionError::invalid(format!("an extra root is not PEM: {error}")))?;
            builder = builder.add_root_certificate(root);
        }
        builder
            .build_rustls()
            .map_err(|error| ActionError::invalid(format!("TLS is not available: {error}")))
    }
}

/// Says who the mail is from and for, until the relay wants the message. Not a byte of the
/// message is sent here, so every failure is certain.
async fn announce(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    message: &[u8],
) -> Result<(), ActionError> {
    let mut options = Vec::new();
    let everyone = envelope.from().into_iter().chain(envelope.to());
    if everyone
        .map(AsRef::<str>::as_ref)
        .any(|address| !address.is_ascii())
    {
        offered(
            connection,
            Extension::SmtpUtfEight,
            "addresses beyond ASCII (SMTPUTF8)",
        )?;
        options.push(MailParameter::SmtpUtfEight);
    }
    if !message.is_ascii() {
        offered(
            connection,
            Extension::EightBitMime,
            "text beyond ASCII (8BITMIME)",
        )?;
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let sender = Mail::new(envelope.from().cloned(), options);
    connection
        .command(sender)
        .await
        .map_err(|error| announcing(&error))?;
    for recipient in envelope.to() {
        let recipient = Rcpt::new(recipient.clone(), Vec::new());
        connection
            .command(recipient)
            .await
            .map_err(|error| announcing(&error))?;
    }
    connection
        .command(Data)
        .await
        .map_err(|error| announcing(&error))?;
    Ok(())
}

fn offered(connection: &AsyncSmtpConnection, feature: Extension, what: &str) -> Result<(), ActionError> {
    if connection.server_info().supports_feature(feature) {
        return Ok(());
    }
    Err(ActionError::refused(format!("the relay does not take {what}")))
}

/// A failure before the message was begun.
fn before(kind: ErrorKind, what: &str, error: &SmtpError) -> ActionError {
    let kind = if error.is_transient() {
        ErrorKind::Undelivered
    } else {
        kind
    };
    ActionError::new(kind, format!("{what}: {}", words(error))).certain()
}

/// A failure between the login and the message.
fn announcing(error: &SmtpError) -> ActionError {
    refusal(error).unwrap_or_else(|| {
        before(
            ErrorKind::Unreachable,
            "the relay was gone before the message was begun",
            error,
        )
    })
}

/// A failure from the first byte of the message on.
fn handed_over(error: &SmtpError) -> ActionError {
    refusal(error).unwrap_or_else(|| {
        ActionError::new(
            ErrorKind::Timeout,
            format!("the relay did not say whether it took the mail: {}", words(error)),
        )
    })
}

/// The relay's own word that it does not take the mail.
fn refusal(error: &SmtpError) -> Option<ActionError> {
    if error.is_permanent() {
        return Some(ActionError::refused(format!(
            "the relay refused the mail: {}",
            words(error)
        )));
    }
    error.is_transient().then(|| {
        ActionError::new(
            ErrorKind::Undelivered,
            format!("the relay does not take the mail now: {}", words(error)),
        )
        .certain()
    })
}

fn words(error: &SmtpError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
