//! What callers hand to the committer, and what they get back.

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::event::{PlaybookRef, Seq};
use crate::ids::{IncidentId, RunId};
use crate::record::Begun;
use crate::store::{
    Accepted, Commit, IncidentUpdate, MatchRow, MeasureChange, NewIncident, Note, StoreError,
};

/// A change that somebody asks for.
#[derive(Debug)]
pub(super) enum Request {
    Accept(Box<NewIncident>),
    Decide {
        incident: IncidentId,
        proposals: Vec<Proposal>,
        at: Timestamp,
    },
    Start {
        begun: Box<Begun>,
        at: Timestamp,
    },
    Commit(Box<Commit>),
    Update {
        update: Box<IncidentUpdate>,
        at: Timestamp,
    },
    Measure {
        change: MeasureChange,
        at: Timestamp,
    },
    Note {
        note: Note,
        at: Timestamp,
    },
    Plan {
        playbook: PlaybookRef,
        bundle: String,
    },
}

/// What one playbook would make of an incident.
#[derive(Debug)]
pub(super) enum Proposal {
    Start(PlaybookRef, Box<Begun>),
    No(PlaybookRef, String),
}

/// What came of it. Sent when it is durable.
#[derive(Debug)]
pub(super) enum Reply {
    Accepted(Accepted),
    Decided(Vec<MatchRow>),
    /// The incident had been decided; the rows are to be read.
    DecidedBefore,
    Run(RunId),
    Head(Seq),
    Done,
}

/// Where the answer goes.
pub(super) type Answer = oneshot::Sender<Result<Reply, StoreError>>;

/// A request with its answer's address.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) answer: Answer,
}
