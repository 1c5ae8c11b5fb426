//! Everything a user can do, asked of a running server.
//!
//! Owns the mapping of [`Operations`] to requests. Whoever holds a client cannot tell it from
//! operations in the same process, but for the time it takes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::ETAG;
use serde::Serialize;
use state::event::Seq;
use state::ids::{EntityId, IncidentId, InquiryId};
use state::store::{
    AuditFilter, AuditRecord, IncidentFilter, IncidentSummary, InquiryFilter, Page, PageRequest, RunFilter,
};

use crate::api::runs::Cancel;
use crate::error::OperationError;
use crate::operations::{Answer, Myself, Operations, RunStream};
use crate::query::Writer;
use crate::routes::Media;
use crate::view::simulation::{AskSimulation, Simulation};
use crate::view::{
    BlockList, Content, EffectView, Figures, IncidentDetail, InquiryDetail, InquiryView, ListKind, MatchView,
    PlaybookView, Preview, Readiness, Reasoned, Rerun, Retry, Rows, RunDecided, RunDetail, RunStarted,
    RunVerb, RunView, SayToInquiry, StartRun, Submission, SubmitReport, Undo, Version,
};

use transport::{Target, read};

mod events;
#[cfg(test)]
mod tests;
mod transport;

/// An answer must have arrived within this time; streams only have to begin.
pub const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// Largest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A client of one server. Cheap to clone; each request has a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    target: Target,
}

impl Client {
    /// The server on this machine, over its owner-only socket: no token is needed.
    pub fn local(socket: impl Into<PathBuf>) -> Self {
        Self {
            target: Target::local(socket.into()),
        }
    }

    /// The server on this machine, as whoever an API token stands for.
    pub fn local_as(socket: impl Into<PathBuf>, token: &str) -> Result<Self, OperationError> {
        Ok(Self {
            target: Target::local(socket.into()).with_token(token)?,
        })
    }

    /// A server over TCP with an API token. Only loopback addresses: anywhere else the token
    /// would cross the network in clear.
    pub fn tcp(address: SocketAddr, token: &str) -> Result<Self, OperationError> {
        if !address.ip().is_loopback() {
            return Err(OperationError::Refused {
                why: format!("{address} is another machine, and the token would be sent to it in clear"),
                help: Some(
                    "use an SSH tunnel to a loopback address, or the API behind your TLS proxy".to_owned(),
                ),
            });
        }
        Ok(Self {
            target: Target::tcp(address).with_token(token)?,
        })
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, address: &str) -> Answer<T> {
        let response = self.target.get(address, &[]).await?;
        read(response).await
    }

    async fn post<T: serde::de::DeserializeOwned>(&self, address: &str, body: &impl Serialize) -> Answer<T> {
        let body = serde_json::to_vec(body).map_err(OperationError::internal)?;
        let response = self.target.post(address, Media::Json, body.into()).await?;
        read(response).await
    }
}

/// A run's id, or what a person typed of it, as a path part: anything else cannot exist.
fn run_part(run: &str) -> Answer<String> {
    let part = run.trim().to_ascii_lowercase();
    if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(part)
    } else {
        Err(OperationError::not_found(format!(
            "run `{}`",
            crate::request::shown(run)
        )))
    }
}

fn playbook_part(playbook: &str) -> Answer<&str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !playbook.is_empty() && playbook.bytes().all(fits) {
        Ok(playbook)
    } else {
        Err(OperationError::not_found(format!(
            "playbook `{}`",
            crate::request::shown(playbook)
        )))
    }
}

#[async_trait]
impl Operations<Myself> for Client {
    async fn submit(&self, _: &Myself, submission: Submission) -> Answer<SubmitReport> {
        let (path, media) = match &submission.content {
            Content::Json => ("/api/v1/incidents".to_owned(), Media::Json),
            Content::Mail => ("/api/v1/incidents".to_owned(), Media::Mail),
            Content::Mapper(name) => {
                let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                if name.is_empty() || !name.bytes().all(is_part) {
                    return Err(OperationError::not_found(format!(
                        "mapper `{}`",
                        crate::request::shown(name)
                    )));
                }
                (format!("/api/v1/intake/{name}"), mapper_media(&submission.bytes))
            }
        };
        let address = Writer::default()
            .set("entity", submission.entity.as_ref())
            .behind(&path);
        let response = self.target.post(&address, media, submission.bytes).await?;
        read(response).await
    }

    async fn incidents(
        &self,
        _: &Myself,
        filter: IncidentFilter,
        page: PageRequest,
    ) -> Answer<Page<IncidentSummary>> {
        self.get(&Writer::incidents(&filter, &page).behind("/api/v1/incidents"))
            .await
    }

    async fn incident(&self, _: &Myself, id: &IncidentId) -> Answer<IncidentDetail> {
        self.get(&format!("/api/v1/incidents/{id}")).await
    }

    async fn matches(&self, _: &Myself, id: &IncidentId) -> Answer<Vec<MatchView>> {
        let rows: Rows<MatchView> = self.get(&format!("/api/v1/incidents/{id}/matches")).await?;
        Ok(rows.rows)
    }

    async fn playbooks(&self, _: &Myself) -> Answer<Vec<PlaybookView>> {
        let rows: Rows<PlaybookView> = self.get("/api/v1/playbooks").await?;
        Ok(rows.rows)
    }

    async fn simulate(&self, _: &Myself, playbook: &str, ask: AskSimulation) -> Answer<Simulation> {
        let path = format!("/api/v1/playbooks/{}/simulation", playbook_part(playbook)?);
        self.post(&path, &ask).await
    }

    async fn start(&self, _: &Myself, request: StartRun) -> Answer<RunStarted> {
        self.post("/api/v1/runs", &request).await
    }

    async fn runs(&self, _: &Myself, filter: RunFilter, page: PageRequest) -> Answer<Page<RunView>> {
        self.get(&Writer::runs(&filter, &page).behind("/api/v1/runs"))
            .await
    }

    async fn run(&self, _: &Myself, run: &str) -> Answer<RunDetail> {
        self.get(&format!("/api/v1/runs/{}", run_part(run)?)).await
    }

    async fn cancel(&self, _: &Myself, run: &str, reason: &str) -> Answer<RunView> {
        let body = Cancel {
            reason: reason.to_owned(),
        };
        self.post(&format!("/api/v1/runs/{}/cancel", run_part(run)?), &body)
            .await
    }

    async fn preview(&self, _: &Myself, run: &str, verb: RunVerb) -> Answer<Preview> {
        let address = format!("/api/v1/runs/{}/{}", run_part(run)?, verb.word());
        let writer = Writer::default();
        let writer = match &verb {
            RunVerb::Retry(Retry { from }) => writer.set("from", from.as_ref()),
            RunVerb::Rerun(Rerun {
                version: Version::Current,
            }) => writer.set("version", Some(&"current")),
            RunVerb::Rerun(_) => writer,
            RunVerb::Undo(Undo { effect }) => writer.set("effect", effect.as_ref()),
            RunVerb::Settle(_) | RunVerb::Acknowledge => {
                return Err(OperationError::invalid("there is nothing to look at before this"));
            }
        };
        self.get(&writer.behind(&address)).await
    }

    async fn decide(&self, _: &Myself, run: &str, verb: RunVerb, reason: &str) -> Answer<RunDecided> {
        let address = format!("/api/v1/runs/{}/{}", run_part(run)?, verb.word());
        let reason = reason.to_owned();
        match verb {
            RunVerb::Settle(what) => self.post(&address, &Reasoned { reason, what }).await,
            RunVerb::Acknowledge => self.post(&address, &Cancel { reason }).await,
            RunVerb::Retry(what) => self.post(&address, &Reasoned { reason, what }).await,
            RunVerb::Rerun(what) => self.post(&address, &Reasoned { reason, what }).await,
            RunVerb::Undo(what) => self.post(&address, &Reasoned { reason, what }).await,
        }
    }

    async fn effects(&self, _: &Myself, entity: Option<EntityId>) -> Answer<Vec<EffectView>> {
        let address = Writer::default()
            .set("entity", entity.as_ref())
            .behind("/api/v1/effects");
        let rows: Rows<EffectView> = self.get(&address).await?;
        Ok(rows.rows)
    }

    async fn watch(&self, _: &Myself, run: &str, after: Option<Seq>) -> Answer<RunStream> {
        let address = format!("/api/v1/runs/{}/events", run_part(run)?);
        let after = after.map(|seq| seq.to_string());
        let headers: Vec<(&'static str, &str)> =
            after.iter().map(|seq| ("last-event-id", seq.as_str())).collect();
        let response = self.target.get(&address, &headers).await?;
        events::stream(response).await
    }

    async fn inquiries(
        &self,
        _: &Myself,
        filter: InquiryFilter,
        page: PageRequest,
    ) -> Answer<Page<InquiryView>> {
        self.get(&Writer::inquiries(&filter, &page).behind("/api/v1/approvals"))
            .await
    }

    async fn inquiry(&self, _: &Myself, id: InquiryId) -> Answer<InquiryDetail> {
        self.get(&format!("/api/v1/approvals/{id}")).await
    }

    async fn reply(&self, _: &Myself, id: InquiryId, said: SayToInquiry) -> Answer<InquiryDetail> {
        self.post(&format!("/api/v1/approvals/{id}"), &said).await
    }

    async fn audit(&self, _: &Myself, filter: AuditFilter, page: PageRequest) -> Answer<Page<AuditRecord>> {
        self.get(&Writer::audit(&filter, &page).behind("/api/v1/audit"))
            .await
    }

    async fn block_list(&self, _: &Myself, entity: &EntityId, list: ListKind) -> Answer<BlockList> {
        let address = format!("/edl/{entity}/{}.txt", list.word());
        let response = self.target.get(&address, &[]).await?;
        let etag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
        let etag = etag.map(|tag| tag.trim_matches('"').to_owned());
        let bytes: Bytes = transport::bytes(response).await?;
        let text = String::from_utf8(bytes.into()).map_err(OperationError::internal)?;
        match etag {
            Some(etag) => Ok(BlockList { text, etag }),
            None => Err(OperationError::internal("the list came without `ETag`")),
        }
    }

    async fn figures(&self, _: &Myself) -> Answer<Figures> {
        self.get("/api/v1/figures").await
    }

    async fn readiness(&self) -> Readiness {
        match self.target.get_any("/readyz").await {
            Ok(readiness) => readiness,
            Err(error) => Readiness {
                ready: false,
                why: Some(error.to_string()),
            },
        }
    }
}

/// What to call bytes for a mapper: one JSON document, several, or else a mail. The mapper
/// decides what they are; this only has to be a name that the route takes.
fn mapper_media(bytes: &[u8]) -> Media {
    if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() {
        return Media::Json;
    }
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => Media::NdJson,
        _ => Media::Mail,
    }
}
