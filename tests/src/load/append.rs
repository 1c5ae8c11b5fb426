//! A file that many append to: one `fdatasync` for all that wait.
//!
//! Owns the least that durable work costs on this machine; the bare program stands on it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use tokio::sync::{mpsc, oneshot};

/// Lines that wait for the writer before callers wait.
const QUEUE_MAX: usize = 4_096;

type Line = (Vec<u8>, oneshot::Sender<bool>);

/// The file. Its thread ends with the last handle.
#[derive(Debug, Clone)]
pub struct GroupedFile {
    queue: mpsc::Sender<Line>,
}

impl GroupedFile {
    /// Makes the file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = File::create(path)?;
        let (queue, mut lines) = mpsc::channel::<Line>(QUEUE_MAX);
        std::thread::Builder::new()
            .name("append".to_owned())
            .spawn(move || {
                while let Some((mut bytes, first)) = lines.blocking_recv() {
                    let mut waiting = vec![first];
                    while let Ok((more, answer)) = lines.try_recv() {
                        bytes.extend_from_slice(&more);
                        waiting.push(answer);
                    }
                    let done = file.write_all(&bytes).and_then(|()| file.sync_data()).is_ok();
                    for answer in waiting {
                        // A caller that went away does not need the answer.
                        let _gone = answer.send(done);
                    }
                }
            })?;
        Ok(Self { queue })
    }

    /// Appends, and returns when it is durable.
    pub async fn append(&self, bytes: Vec<u8>) -> io::Result<()> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the file could not be written");
        self.queue.send((bytes, answer)).await.map_err(|_| gone())?;
        match answered.await {
            Ok(true) => Ok(()),
            _ => Err(gone()),
        }
    }
}
