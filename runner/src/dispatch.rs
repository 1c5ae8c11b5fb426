//! The dispatcher: carries out what the engine decides.
//!
//! Owns the tasks that work on runs, the timers, and the order of writes: decide, commit
//! (durable), perform, commit the outcome. Never decides anything itself. A run has one worker at
//! a time; a run that only waits has none and costs one timer entry.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use actions::action::Files;
use actions::registry::Registry;
use jiff::Timestamp;
use playbooks::incident::Incident;
use playbooks::operator::Operator;
use state::access::Actor;
use state::event::{Mode, StartedBy};
use state::ids::{EntityId, IncidentId, RunId};
use state::store::{NewRun, Store, StoreError};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use web::live::Feed;

use crate::config::Limits;
use crate::library::{Compiled, Library};
use crate::limits::Places;
use actions::clock::Clock;

mod batch;
mod budget;
mod expiry;
mod people;
mod perform;
mod setbacks;
mod timers;
mod trigger;
mod worker;

pub use self::people::{DECIDE_SECONDS_MAX, DecideError, Heard};
pub use self::trigger::{NOT_ASKED, TriggerError};

/// Runs that are worked on at the same time. The others wait in order of arrival.
pub const RUNS_ACTIVE_MAX: usize = 512;
/// Messages waiting for one run: outcomes come from its own tasks, so only people fill this.
pub const RUN_INBOX_MAX: usize = 64;
/// How long a drain waits for effects that were already sent.
pub const DRAIN_SECONDS_MAX: u64 = 25;

/// How often the store is asked whether it still acknowledges.
const WATCH_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

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

/// Everything the dispatcher needs.
pub struct Parts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The playbooks.
    pub library: Arc<Library>,
    /// The actions with their connections.
    pub registry: Arc<Registry>,
    /// Files held by hash, for actions.
    pub files: Arc<dyn Files>,
    /// The operator's side.
    pub operator: Arc<Operator>,
    /// How much at once.
    pub limits: Limits,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("library", &self.library)
            .finish_non_exhaustive()
    }
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
    workers: Mutex<HashMap<RunId, mpsc::Sender<Message>>>,
    slots: Semaphore,
    /// Of each entity, so that one in trouble does not take all of [`RUNS_ACTIVE_MAX`].
    places: Places,
    /// Steps that are performed at once.
    steps: Semaphore,
    timers: timers::Timers,
    setbacks: setbacks::Setbacks,
    returning: expiry::Returning,
    budget: budget::Budget,
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

/// What recovery found at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Runs that go on at once.
    pub resumed: usize,
    /// Runs that wait for a time.
    pub waiting: usize,
    /// Runs that wait for a person.
    pub stuck: usize,
    /// Acknowledged incidents whose triggers had not been decided.
    pub undecided: usize,
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
                clock: parts.clock,
                workers: Mutex::default(),
                slots: Semaphore::new(RUNS_ACTIVE_MAX),
                places: Places::new(&parts.limits),
                steps: Semaphore::new(
                    usize::try_from(parts.limits.steps_at_once).map_or(1, |steps| steps.max(1)),
                ),
                timers: timers::Timers::default(),
                setbacks: setbacks::Setbacks::default(),
                returning: expiry::Returning::default(),
                budget: budget::Budget::default(),
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

    /// Now, by the dispatcher's clock.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
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

    /// Goes on with everything that was open when the last process ended.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        use state::event::RunStatus;
        let mut found = Recovered::default();
        for (run, row) in self.inner.store.open_runs().await? {
            match (row.status, row.wake_at) {
                (RunStatus::Stuck, wake_at) => {
                    found.stuck += 1;
                    // Its time may run out while it waits for a person.
                    if let Some(at) = wake_at {
                        self.inner.timers.set(at, run);
                    }
                }
                (RunStatus::Waiting, Some(at)) => {
                    found.waiting += 1;
                    self.inner.timers.set(at, run);
                }
                _ => {
                    found.resumed += 1;
                    self.tell(&run, Message::Go);
                }
            }
        }
        for incident in self.inner.store.undecided_incidents().await? {
            found.undecided += 1;
            self.decide_later(incident);
        }
        self.spawn_expiry();
        Ok(found)
    }

    /// Stores and begins a run that somebody starts by hand.
    pub async fn start_by_hand(&self, compiled: &Compiled, request: ByHand) -> Result<RunId, StartError> {
        let operator = self.operator();
        let entity = operator
            .entities
            .get(request.entity.as_str())
            .ok_or_else(|| StartError::NoEntity(request.entity.clone()))?;
        let now = self.now();
        let run = crate::clock::fresh_run_id(now);
        let mut started = engine::start(
            &compiled.plan,
            engine::StartRequest {
                run: run.clone(),
                incident: request
                    .incident
                    .as_ref()
                    .map(|(id, incident)| (id.clone(), incident)),
                inputs: request.inputs,
                by: StartedBy::Hand,
                actor: request.actor,
                mode: request.mode,
            },
            &self.surroundings(&operator, entity, now, engine::BlockCounts::default()),
        )?;
        started.rerun_of = request.rerun_of;
        self.keep(compiled).await?;
        let run = self
            .inner
            .store
            .start(NewRun { started, once: None }, now)
            .await?;
        self.tell(&run, Message::Go);
        Ok(run)
    }

    /// Waits until nothing is worked on: runs are over, wait for a time, or for a person.
    pub async fn idle(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Takes no new work from now on. Effects that were sent go on.
    pub fn take_no_more(&self) {
        self.inner.draining.cancel();
    }

    /// Takes no new work, waits for effects that were sent, at most [`DRAIN_SECONDS_MAX`].
    /// Returns whether everything came to rest; what did not is recovered at the next start.
    pub async fn drain(&self) -> bool {
        self.inner.draining.cancel();
        self.inner.tasks.close();
        let limit = std::time::Duration::from_secs(DRAIN_SECONDS_MAX);
        tokio::time::timeout(limit, self.inner.tasks.wait()).await.is_ok()
    }

    /// Keeps the text of a playbook with the store, once for each process.
    async fn keep(&self, compiled: &Compiled) -> Result<(), StoreError> {
        let reference = compiled.reference();
        let known = |set: &Mutex<BTreeSet<String>>| {
            set.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&reference.revision)
        };
        if known(&self.inner.kept) {
            return Ok(());
        }
        let text = serde_json::to_string(&compiled.bundle).map_err(|error| StoreError::Damaged {
            place: compiled.bundle.name.clone(),
            reason: error.to_string(),
        })?;
        self.inner.store.keep_plan(&reference, &text).await?;
        self.inner
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(reference.revision);
        Ok(())
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

    fn surroundings<'a>(
        &'a self,
        operator: &'a Operator,
        entity: &'a playbooks::operator::Entity,
        now: Timestamp,
        blocks_last_hour: engine::BlockCounts,
    ) -> engine::Surroundings<'a> {
        engine::Surroundings {
            now,
            operator,
            entity,
            catalog: &*self.inner.registry,
            blocks_last_hour,
        }
    }

    /// Notices a store that stopped while nobody wrote, or whose error went to somebody else.
    fn spawn_watch(&self) {
        let dispatcher = self.clone();
        tokio::spawn(async move {
            loop {
                if let Some(reason) = dispatcher.inner.store.stopped() {
                    return dispatcher.break_down(&StoreError::Stopped { reason });
                }
                tokio::select! {
                    () = dispatcher.inner.draining.cancelled() => return,
                    () = dispatcher.inner.broken.cancelled() => return,
                    () = tokio::time::sleep(WATCH_EVERY) => {}
                }
            }
        });
    }

    /// The store can acknowledge nothing more: say it loudly and end.
    fn break_down(&self, error: &StoreError) {
        tracing::error!(%error, "The store stopped. Nothing more is acknowledged; the process ends. Start it again after repairing the cause.");
        self.inner.broken.cancel();
    }
}

/// A start by hand.
#[derive(Debug)]
pub struct ByHand {
    /// Whose run it is; the incident's entity.
    pub entity: EntityId,
    /// The incident it works on.
    pub incident: Option<(IncidentId, Incident)>,
    /// Inputs as given.
    pub inputs: std::collections::BTreeMap<String, serde_json::Value>,
    /// Who.
    pub actor: Actor,
    /// Whether effects happen.
    pub mode: Mode,
    /// The run that it repeats.
    pub rerun_of: Option<RunId>,
}

/// Why a run did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The entity is not configured.
    #[error("there is no entity `{0}`; its file is missing from entities/")]
    NoEntity(EntityId),
    /// The engine refused: inputs, marking, precondition, rollout.
    #[error(transparent)]
    Refused(#[from] engine::StartRefusal),
    /// The store did not keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
