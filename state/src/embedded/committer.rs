//! The one writer: forms groups, makes each durable with one sync, and only then answers.
//!
//! Owns the order request, record, journal, index, answer. A second thread carries the changes of
//! the index to sled, so that the next group does not wait for it.

use std::sync::Arc;
use std::sync::mpsc;

use tokio::sync::mpsc::Receiver;
use tracing::error;

use super::Shared;
use super::decide::decide;
use super::files::KeepError;
use super::request::{Answer, Job, Reply, Request};
use crate::fold;
use crate::index::{Published, Staged, keys, project};
use crate::journal::{Group, INLINE_BYTES_MAX, Journal, Kind, WriteError};
use crate::record::Record;
use crate::store::StoreError;

/// Requests of a group at most.
const GROUP_REQUESTS_MAX: usize = 1_024;
/// Groups on their way to sled before the committer waits.
pub(super) const GROUPS_AHEAD_MAX: usize = 256;
/// Changes of the index that wait in memory before they are written to sled as one batch. Most
/// of what a run changes it changes again soon; the more waits, the less is written. After a
/// crash this much is read from the journal again.
const CHANGES_PER_BATCH: usize = 16_384;

/// What stands in a frame for a body that lies in a file.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BodyFile {
    pub(super) sha256: String,
}

/// Why a group ends without an answer to its requests.
enum Failure {
    /// No room; only this request, or this group, is refused.
    Full,
    /// The store stops.
    Stop(String),
}

impl From<KeepError> for Failure {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Full => Self::Full,
            KeepError::Broken(reason) => Self::Stop(reason),
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Full => Self::Full,
            WriteError::Broken(reason) => Self::Stop(reason),
        }
    }
}

/// The writer's side of the store.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) journal: Journal,
    pub(super) queue: Receiver<Job>,
    pub(super) to_index: mpsc::SyncSender<Published>,
}

type Answers = Vec<(Answer, Result<Reply, StoreError>)>;

impl Committer {
    /// Serves until every handle of the store is gone.
    pub(super) fn run(mut self) {
        while let Some(job) = self.queue.blocking_recv() {
            self.group(job);
        }
    }

    fn group(&mut self, first: Job) {
        let mut answers = Answers::new();
        if let Err(failure) = self.try_group(first, &mut answers) {
            let error = match failure {
                Failure::Full => self.shared.full(),
                Failure::Stop(reason) => self.shared.stop(&reason),
            };
            // Also those that changed nothing: they may rest on a record that was not stored.
            for (_, result) in &mut answers {
                if result.is_ok() {
                    *result = Err(error.clone());
                }
            }
        }
        for (answer, result) in answers {
            // A caller that went away does not need the answer.
            let _gone = answer.send(result);
        }
    }

    fn try_group(&mut self, first: Job, answers: &mut Answers) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        let mut staged = Staged::over(&shared.index);
        let mut begun = match shared.stopped() {
            Some(error) => {
                answers.push((first.answer, Err(error)));
                return Ok(());
            }
            None => self.journal.begin().map_err(Failure::from),
        };
        let mut next = Some(first);
        while let Some(job) = next.take() {
            let result = match &mut begun {
                Ok(group) => self.add(job.request, group, &mut staged),
                Err(_) => Ok(Ok(Reply::Done)),
            };
            match result {
                Ok(result) => answers.push((job.answer, result)),
                Err(failure) => {
                    answers.push((job.answer, Ok(Reply::Done)));
                    return Err(failure);
                }
            }
            let room = begun.as_ref().is_ok_and(Group::has_room);
            if room && answers.len() < GROUP_REQUESTS_MAX {
                next = self.queue.try_recv().ok();
            }
        }
        let group = begun?;
        self.journal.write(&group)?;
        if let Some(checkpoint) = group.checkpoint() {
            staged.put_bytes(keys::CHECKPOINT.to_vec(), &checkpoint.to_bytes());
            let published = shared.index.publish(staged.into_changes());
            shared.advance(&checkpoint);
            if self.to_index.send(published).is_err() {
                return Err(Failure::Stop(
                    "the thread that writes the index is gone".to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// Adds a request to the group. The outer error ends the group, the inner one is the caller's.
    fn add(
        &self,
        request: Request,
        group: &mut Group,
        staged: &mut Staged<'_>,
    ) -> Result<Result<Reply, StoreError>, Failure> {
        let (record, reply) = match decide(request, staged) {
            Ok(decision) => decision,
            Err(error) => return Ok(Err(error)),
        };
        let Some(record) = record else {
            return Ok(Ok(reply));
        };
        let body = match encode(&record) {
            Ok(body) => body,
            Err(error) => return Ok(Err(error)),
        };
        let entries = u32::try_from(record.entries()).unwrap_or(u32::MAX);
        let first = group.next_entry();
        let position = if body.len() <= INLINE_BYTES_MAX {
            group.push(Kind::Inline, entries, &body)
        } else {
            let sha256 = match self.shared.files.keep(&body).map_err(Failure::from) {
                Ok(sha256) => sha256,
                Err(Failure::Full) => return Ok(Err(self.shared.full())),
                Err(stop) => return Err(stop),
            };
            let named = serde_json::to_vec(&BodyFile { sha256 }).unwrap_or_default();
            group.push(Kind::InFile, entries, &named)
        };
        // The frame is in the group, so the index must be able to follow.
        project::project(&record, position, first, staged)
            .map_err(|error| Failure::Stop(format!("the index cannot follow the journal: {error}")))?;
        Ok(Ok(reply))
    }
}

fn encode(record: &Record) -> Result<Vec<u8>, StoreError> {
    let body = serde_json::to_vec(record).map_err(|error| StoreError::Damaged {
        place: "a record to be stored".to_owned(),
        reason: error.to_string(),
    })?;
    fold::check_record(body.len())?;
    Ok(body)
}

/// Carries published changes to sled until the committer is gone, then hands all to the kernel.
pub(super) fn absorb(shared: &Shared, published: &mpsc::Receiver<Published>) {
    let mut batch = Vec::new();
    let mut changes = 0;
    while let Ok(next) = published.recv() {
        changes += next.changes();
        batch.push(next);
        if changes >= CHANGES_PER_BATCH {
            absorb_batch(shared, std::mem::take(&mut batch));
            changes = 0;
        }
    }
    absorb_batch(shared, batch);
    if let Err(error) = shared.index.flush() {
        error!(%error, "the index could not be flushed; the next start reads more of the journal");
    }
}

fn absorb_batch(shared: &Shared, batch: Vec<Published>) {
    let absorbed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shared.index.absorb(batch)));
    let reason = match absorbed {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => {
            shared.index.condemn("sled panicked while writing");
            "the index panicked while writing".to_owned()
        }
    };
    error!(reason, "the index cannot be written; the store stops");
    shared.stop(&reason);
}
