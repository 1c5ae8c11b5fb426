//! Server-sent events, read back into changes of a run.

use std::collections::VecDeque;

use futures_util::stream;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::api::events::{END, ERROR};
use crate::error::{OperationError, RETRY_AFTER_DEFAULT};
use crate::operations::{Answer, RunStream};
use crate::problem::ProblemBody;
use crate::view::{RunChange, Versioned};

/// Longest line of a stream, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The changes in the body of a response.
#[expect(
    clippy::unused_async,
    reason = "the shape of the other ways to read a response"
)]
pub(super) async fn stream(response: Response<Incoming>) -> Answer<RunStream> {
    let state = (response.into_body(), Parser::default());
    Ok(Box::pin(stream::try_unfold(
        state,
        |(mut body, mut parser)| async move {
            loop {
                match parser.next()? {
                    Some(Message::Change(change)) => return Ok(Some((*change, (body, parser)))),
                    Some(Message::End) => return Ok(None),
                    None => {}
                }
                match body.frame().await {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            parser.feed(&data)?;
                        }
                    }
                    Some(Err(error)) => return Err(broken(&error.to_string())),
                    None => return Err(broken("the server stopped, or the permission ended")),
                }
            }
        },
    )))
}

fn broken(why: &str) -> OperationError {
    OperationError::Busy {
        why: format!("following the run broke off: {why}"),
        retry_after: RETRY_AFTER_DEFAULT,
    }
}

enum Message {
    Change(Box<RunChange>),
    End,
}

/// Lines into messages.
#[derive(Debug, Default)]
struct Parser {
    rest: Vec<u8>,
    lines: VecDeque<String>,
    event: String,
    data: String,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) -> Answer<()> {
        for byte in bytes {
            if *byte == b'\n' {
                let line =
                    String::from_utf8(std::mem::take(&mut self.rest)).map_err(OperationError::internal)?;
                self.lines.push_back(line);
            } else if self.rest.len() < LINE_BYTES_MAX {
                self.rest.push(*byte);
            } else {
                return Err(OperationError::internal(format!(
                    "a line of the stream is longer than {LINE_BYTES_MAX} bytes"
                )));
            }
        }
        Ok(())
    }

    /// The next whole message.
    fn next(&mut self) -> Answer<Option<Message>> {
        while let Some(line) = self.lines.pop_front() {
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                let data = std::mem::take(&mut self.data);
                if event == END {
                    return Ok(Some(Message::End));
                }
                if event == ERROR {
                    let problem: Versioned<ProblemBody> = parse(&data)?;
                    return Err(problem.body.into_error(None));
                }
                if !data.is_empty() {
                    let change: Versioned<RunChange> = parse(&data)?;
                    return Ok(Some(Message::Change(Box::new(change.body))));
                }
            } else if let Some(text) = field(&line, "event") {
                text.clone_into(&mut self.event);
            } else if let Some(text) = field(&line, "data") {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(text);
            }
        }
        Ok(None)
    }
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let value = line.strip_prefix(name)?.strip_prefix(':')?;
    Some(value.strip_prefix(' ').unwrap_or(value))
}

fn parse<T: serde::de::DeserializeOwned>(data: &str) -> Answer<T> {
    serde_json::from_str(data).map_err(|error| {
        OperationError::internal(format!("a message of the stream is not understood: {error}"))
    })
}
