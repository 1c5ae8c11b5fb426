//! One request, one connection: over the local socket or loopback TCP.
//!
//! Owns connecting, timing out and reading answers within their limit. Errors of the far end
//! become [`OperationError`]; a server that is not there is one too.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::{ANSWER_BYTES_MAX, ANSWER_TIMEOUT};
use crate::error::{OperationError, RETRY_AFTER_DEFAULT};
use crate::operations::Answer;
use crate::problem::ProblemBody;
use crate::routes::Media;
use crate::view::Versioned;

/// Which server, and with what.
#[derive(Clone, Debug)]
pub(super) struct Target {
    place: Place,
    /// Marked sensitive: `Debug` does not show it.
    authorization: Option<HeaderValue>,
}

#[derive(Clone, Debug)]
enum Place {
    Local(PathBuf),
    Tcp(SocketAddr),
}

impl Target {
    pub(super) fn local(socket: PathBuf) -> Self {
        Self {
            place: Place::Local(socket),
            authorization: None,
        }
    }

    pub(super) fn tcp(address: SocketAddr) -> Self {
        Self {
            place: Place::Tcp(address),
            authorization: None,
        }
    }

    /// The same target, asked on behalf of whoever the token stands for.
    pub(super) fn with_token(self, token: &str) -> Answer<Self> {
        let mut value = HeaderValue::from_maybe_shared(Bytes::from(format!("Bearer {token}")))
            .map_err(|_| OperationError::invalid("the API token holds characters that no token has"))?;
        value.set_sensitive(true);
        Ok(Self {
            authorization: Some(value),
            ..self
        })
    }

    pub(super) async fn get(
        &self,
        address: &str,
        headers: &[(&'static str, &str)],
    ) -> Answer<Response<Incoming>> {
        let mut request = self.request(Method::GET, address, Bytes::new())?;
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(OperationError::internal)?;
            request.headers_mut().insert(*name, value);
        }
        accepted(self.send(request).await?).await
    }

    /// Reads the answer whatever its status.
    pub(super) async fn get_any<T: DeserializeOwned>(&self, address: &str) -> Answer<T> {
        let request = self.request(Method::GET, address, Bytes::new())?;
        read(self.send(request).await?).await
    }

    pub(super) async fn post(&self, address: &str, media: Media, body: Bytes) -> Answer<Response<Incoming>> {
        let mut request = self.request(Method::POST, address, body)?;
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(media.name()));
        accepted(self.send(request).await?).await
    }

    fn request(&self, method: Method, address: &str, body: Bytes) -> Answer<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(method)
            .uri(address)
            .header(HOST, HeaderValue::from_static("sortie"))
            .body(Full::new(body))
            .map_err(OperationError::internal)?;
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        Ok(request)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Answer<Response<Incoming>> {
        let answered = timeout(ANSWER_TIMEOUT, async {
            match &self.place {
                Place::Local(socket) => {
                    let stream = UnixStream::connect(socket)
                        .await
                        .map_err(|error| unreachable(&socket.display(), &error))?;
                    exchange(stream, request).await
                }
                Place::Tcp(address) => {
                    let stream = TcpStream::connect(address)
                        .await
                        .map_err(|error| unreachable(address, &error))?;
                    exchange(stream, request).await
                }
            }
        });
        answered.await.unwrap_or_else(|_| {
            Err(OperationError::Busy {
                why: format!("the server did not answer within {} s", ANSWER_TIMEOUT.as_secs()),
                retry_after: RETRY_AFTER_DEFAULT,
            })
        })
    }
}

async fn exchange<Stream>(stream: Stream, request: Request<Full<Bytes>>) -> Answer<Response<Incoming>>
where
    Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to the server ended");
        }
    });
    sender.send_request(request).await.map_err(broken)
}

fn unreachable(place: &dyn std::fmt::Display, error: &std::io::Error) -> OperationError {
    OperationError::Busy {
        why: format!("no server answers at {place}: {error}; is `sortie serve` running?"),
        retry_after: RETRY_AFTER_DEFAULT,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn broken(error: hyper::Error) -> OperationError {
    OperationError::Busy {
        why: format!("the connection to the server broke off: {error}"),
        retry_after: RETRY_AFTER_DEFAULT,
    }
}

/// The response if the server did it, else its refusal.
async fn accepted(response: Response<Incoming>) -> Answer<Response<Incoming>> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let wait = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let bytes = bytes(response).await?;
    Err(match serde_json::from_slice::<Versioned<ProblemBody>>(&bytes) {
        Ok(problem) => problem.body.into_error(wait),
        Err(_) if status == StatusCode::UNAUTHORIZED => OperationError::Unauthorized,
        Err(_) => OperationError::internal(format!("the server answered {status} without a reason")),
    })
}

/// The whole body.
pub(super) async fn bytes(response: Response<Incoming>) -> Answer<Bytes> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
    match timeout(ANSWER_TIMEOUT, body).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) => Err(OperationError::Busy {
            why: format!("the answer of the server broke off: {error}"),
            retry_after: RETRY_AFTER_DEFAULT,
        }),
        Err(_) => Err(OperationError::Busy {
            why: format!("the answer did not arrive within {} s", ANSWER_TIMEOUT.as_secs()),
            retry_after: RETRY_AFTER_DEFAULT,
        }),
    }
}

/// The whole body, of our format.
pub(super) async fn read<T: DeserializeOwned>(response: Response<Incoming>) -> Answer<T> {
    let bytes = bytes(response).await?;
    serde_json::from_slice::<Versioned<T>>(&bytes)
        .map(|versioned| versioned.body)
        .map_err(|error| {
            OperationError::internal(format!("the answer of the server is not understood: {error}"))
        })
}
