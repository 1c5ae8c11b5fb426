//! The dispatcher: carries out what the engine decides.
//!
//! Owns the tasks that work on runs, the timers, and the order of writes: decide, commit
//! (durable), perform, commit the outcome. Never decides anything itself. A run has one worker at
//! a time; a run that only waits has none and costs one timer entry.
//!
//! Map: `parts` it is made of, `starting` and `trigger` give it runs, `worker` works on one,
//! `perform` sends, `letters` tell people, `people` decide, `timers` and `expiry` wake it, `lifetime` begins and ends it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use actions::action::Files;
use actions::registry::Registry;
use jiff::Timestamp;
use playbooks::operator::Operator;
use state::ids::RunId;
use state::store::Store;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use web::live::Feed;

use crate::library::Library;
use crate::limits::Places;
use actions::clock::Clock;

mod batch;
mod budget;
mod evenness;
mod expiry;
mod letters;
mod lifetime;
mod overlap;
mod parts;
mod people;
pub(crate) mod perform;
mod register;
mod rotation;
mod schedule;
mod setbacks;
mod starting;
mod timers;
mod trigger;
mod turns;
mod worker;

pub use self::lifetime::{DRAIN_SECONDS_MAX, Recovered};
pub use self::parts::Parts;
pub use self::people::{DECIDE_SECONDS_MAX, DecideError, Heard};
pub use self::starting::{ByHand, StartError, StartedByHand};
pub use self::trigger::{NOT_ASKED, TriggerError};

/// Runs that are worked on at the same time. The others wait; entities take turns.
pub const RUNS_ACTIVE_MAX: usize = 512;
/// Incidents whose triggers are decided at the same time. The others wait; entities take turns.
pub const DECISIONS_ACTIVE_MAX: usize = 64;
/// Messages waiting for one run: outcomes come from its own tasks, so only people fill this.
pub const RUN_INBOX_MAX: usize = 64;
/// What a run's worker is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// The run is new, or the process started and found it open: go.
    Go,
    /// A time was reached.
    Wake,
    /// Somebody decides about it, and waits until that is recorded.
    Decide {
        decision: people::Decision,
        heard: oneshot::Sender<Result<people::Heard, people::DecideError>>,
    },
}

/// Carries out runs. Cheap to clone.
#[derive(Clone)]
pub struct Dispatcher {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    library: Arc<Library>,
    registry: Arc<Registry>,
    files: Arc<dyn Files>,
    operator: RwLock<Arc<Operator>>,
    clock: Arc<dyn Clock>,
    evenness: evenness::Evenness,
    workers: Mutex<HashMap<RunId, mpsc::Sender<Message>>>,
    /// Deciding triggers.
    decisions: rotation::Rotation,
    /// Working on runs.
    slots: rotation::Rotation,
    /// Of each entity, so that one in trouble does not take all of [`RUNS_ACTIVE_MAX`].
    places: Places,
    /// Steps that are performed at once.
    steps: rotation::Rotation,
    timers: timers::Timers,
    setbacks: setbacks::Setbacks,
    returning: expiry::Returning,
    turns: turns::Turns,
    leaving: tokio::sync::Mutex<overlap::Leaving>,
    budget: budget::Budget,
    letters: letters::Letters,
    kept: Mutex<BTreeSet<String>>,
    feed: Feed,
    tasks: TaskTracker,
    /// No new work is begun.
    draining: CancellationToken,
    /// Nothing more can be acknowledged; the process must end.
    broken: CancellationToken,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher")
            .field("tasks", &self.inner.tasks.len())
            .finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// A dispatcher that does nothing yet; [`Self::recover`] and new incidents give it work.
    pub fn new(parts: Parts) -> Self {
        let dispatcher = Self {
            inner: Arc::new(Inner {
                store: parts.store,
                library: parts.library,
                registry: parts.registry,
                files: parts.files,
                operator: RwLock::new(parts.operator),
                evenness: evenness::Evenness::new(&*parts.clock),
                clock: parts.clock,
                workers: Mutex::default(),
                decisions: rotation::Rotation::new(DECISIONS_ACTIVE_MAX),
                slots: rotation::Rotation::new(RUNS_ACTIVE_MAX),
                places: Places::new(&parts.limits),
                steps: rotation::Rotation::new(usize::try_from(parts.limits.steps_at_once).unwrap_or(1)),
                timers: timers::Timers::default(),
                setbacks: setbacks::Setbacks::default(),
                returning: expiry::Returning::default(),
                turns: turns::Turns::default(),
                leaving: tokio::sync::Mutex::default(),
                budget: budget::Budget::default(),
                letters: letters::Letters::default(),
                kept: Mutex::default(),
                feed: Feed::default(),
                tasks: TaskTracker::new(),
                draining: CancellationToken::new(),
                broken: CancellationToken::new(),
            }),
        };
        dispatcher.spawn_timers();
        dispatcher.spawn_watch();
        dispatcher
    }

    /// The operator's side as of now.
    pub fn operator(&self) -> Arc<Operator> {
        Arc::clone(&self.inner.operator.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a changed configuration into use. Runs decide under it from their next decision on.
    pub fn replace_operator(&self, operator: Arc<Operator>) {
        *self
            .inner
            .operator
            .write()
            .unwrap_or_else(PoisonError::into_inner) = operator;
    }

    /// The playbooks.
    pub fn library(&self) -> &Arc<Library> {
        &self.inner.library
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The actions.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.inner.registry
    }

    /// The files that incidents came with.
    pub(crate) fn files(&self) -> &dyn Files {
        &*self.inner.files
    }

    /// Now, by the dispatcher's clock.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Since when its clock has run evenly.
    fn even_since(&self) -> Timestamp {
        self.inner.evenness.since(&*self.inner.clock)
    }

    /// What tells followers which runs changed.
    pub fn feed(&self) -> &Feed {
        &self.inner.feed
    }

    /// Resolved when nothing more can be acknowledged and the process must end.
    pub async fn broken(&self) {
        self.inner.broken.cancelled().await;
    }

    /// Runs that are being worked on or wait for a slot.
    pub fn active_runs(&self) -> usize {
        self.inner
            .workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Whether no new work is taken.
    pub fn is_draining(&self) -> bool {
        self.inner.draining.is_cancelled() || self.inner.broken.is_cancelled()
    }

    /// Hands a message to the run's worker, and gives the run one if it has none.
    fn tell(&self, run: &RunId, message: Message) {
        let mut workers = self.inner.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let message = match workers.get(run) {
            None => message,
            Some(inbox) => match inbox.try_send(message) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    tracing::warn!(%run, "A run has more than {RUN_INBOX_MAX} messages waiting; one was dropped.");
                    return;
                }
                Err(mpsc::error::TrySendError::Closed(message)) => message,
            },
        };
        if self.is_draining() {
            return;
        }
        let (inbox, messages) = mpsc::channel(RUN_INBOX_MAX);
        workers.insert(run.clone(), inbox);
        drop(workers);
        let worker = worker::Worker::new(self.clone(), run.clone(), messages);
        self.inner.tasks.spawn(worker.run(message));
    }

    pub(crate) fn surroundings<'a>(
        &'a self,
        operator: &'a Operator,
        entity: &'a playbooks::operator::Entity,
        now: Timestamp,
        blocks_last_hour: engine::BlockCounts,
    ) -> engine::Surroundings<'a> {
        engine::Surroundings {
            now,
            even_since: self.even_since(),
            operator,
            entity,
            catalog: &*self.inner.registry,
            blocks_last_hour,
        }
    }
}
