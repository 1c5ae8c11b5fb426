//! Sortie itself, in this process: the project opened as `sortie serve` opens it, without the HTTP
//! API in front.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use runner::app::App;
use runner::config::Settings;
use serde_json::Value;
use state::event::RunStatus;
use state::ids::IncidentId;
use state::store::StoreFigures;
use web::Operations as _;
use web::view::{Content, Submission, Submitted};

use super::watch::Runs;
use super::{project, triage};
use crate::hooked::Hooked;

/// How often it is looked whether a closed store is released.
const RELEASED_EVERY: Duration = Duration::from_millis(5);

/// An opened Sortie, and what it says of its runs.
#[derive(Debug)]
pub struct Sortie {
    app: App,
    runs: Runs,
}

impl Sortie {
    /// Opens the project and goes on with what is open in it.
    pub async fn open(settings: Settings) -> io::Result<Self> {
        let runs = Runs::default();
        let seen = runs.clone();
        let app = App::open_with(settings, move |store| {
            Arc::new(Hooked::new(store, Arc::new(seen)))
        })
        .await
        .map_err(io::Error::other)?;
        app.recover().await.map_err(io::Error::other)?;
        Ok(Self { app, runs })
    }

    /// Submits the alert of this number; durable when this returns.
    pub async fn submit(&self, number: u64) -> io::Result<IncidentId> {
        self.take(&project::entity(number), &triage::alert(number)).await
    }

    /// Submits a new alert of an entity; durable when this returns.
    pub async fn take(&self, entity: &str, alert: &Value) -> io::Result<IncidentId> {
        let submission = Submission {
            content: Content::Mapper("suricata".to_owned()),
            bytes: alert.to_string().into_bytes().into(),
            entity: entity.parse().ok(),
        };
        let report = self
            .app
            .operations
            .submit(self.app.operator(), submission)
            .await
            .map_err(io::Error::other)?;
        match report.results.into_iter().next() {
            Some(Submitted::Accepted { id }) => Ok(id),
            other => Err(io::Error::other(format!("the alert was not accepted: {other:?}"))),
        }
    }

    /// The whole job: submits an alert and waits until its run has succeeded, durably.
    pub async fn triage(&self, number: u64) -> io::Result<()> {
        let incident = self.submit(number).await?;
        self.end_of(&incident).await
    }

    /// Waits until the run of this incident has succeeded, durably.
    pub async fn end_of(&self, incident: &IncidentId) -> io::Result<()> {
        match self.runs.end_of(incident).await {
            Some(RunStatus::Succeeded) => Ok(()),
            other => Err(io::Error::other(format!(
                "the run of {incident} ended as {other:?}"
            ))),
        }
    }

    /// What the store holds.
    pub async fn figures(&self) -> io::Result<StoreFigures> {
        self.app
            .dispatcher
            .store()
            .figures()
            .await
            .map_err(io::Error::other)
    }

    /// The opened application.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Comes to rest, and waits until the last task has let go of the store.
    pub async fn close(self) -> bool {
        let store = Arc::downgrade(self.app.dispatcher.store());
        let rested = self.app.close().await;
        while store.strong_count() > 0 {
            tokio::time::sleep(RELEASED_EVERY).await;
        }
        rested
    }
}

/// Bytes of a folder's files as the disk holds them.
pub fn bytes_of(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(facts) if facts.is_dir() => bytes_of(&entry.path()),
            Ok(facts) => facts.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}
