//! When a run is over: the moment its last event is durable.
//!
//! Owns the way from an incident to the end of its run, as a hook around the store's writes. Changes
//! nothing of what passes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use state::event::RunStatus;
use state::ids::{IncidentId, RunId};
use state::store::{MatchResult, MatchRow};
use tokio::sync::oneshot;

use crate::hooked::{Hook, Write};

/// The runs that were seen.
#[derive(Debug, Default, Clone)]
pub struct Runs {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    incidents: HashMap<RunId, IncidentId>,
    over: HashMap<IncidentId, RunStatus>,
    waiting: HashMap<IncidentId, oneshot::Sender<RunStatus>>,
}

impl Runs {
    /// Waits until the run of this incident is over, and says how it ended.
    pub async fn end_of(&self, incident: &IncidentId) -> Option<RunStatus> {
        let answer = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(status) = seen.over.remove(incident) {
                return Some(status);
            }
            let (sender, answer) = oneshot::channel();
            seen.waiting.insert(incident.clone(), sender);
            answer
        };
        answer.await.ok()
    }

    fn of(&self, run: &RunId, incident: &IncidentId) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.incidents.insert(run.clone(), incident.clone());
    }

    fn over(&self, run: &RunId, status: RunStatus) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(incident) = seen.incidents.remove(run) else {
            return;
        };
        match seen.waiting.remove(&incident) {
            Some(waiting) => drop(waiting.send(status)),
            None => drop(seen.over.insert(incident, status)),
        }
    }
}

impl Hook for Runs {
    fn decided(&self, incident: &IncidentId, rows: &[MatchRow]) {
        for row in rows {
            if let MatchResult::Started { run } = &row.result {
                self.of(run, incident);
            }
        }
    }

    fn after(&self, write: &Write) {
        if let Some((run, status)) = &write.run
            && status.is_over()
        {
            self.over(run, *status);
        }
    }

    fn reads_events(&self) -> bool {
        false
    }
}
