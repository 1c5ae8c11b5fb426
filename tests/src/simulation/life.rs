//! One life of the process: the real dispatcher on a runtime whose time stands still, senders,
//! people, and the way to rest.
//!
//! Owns the workload. What is decided and performed is the product's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actions::action::Files;
use actions::clock::Clock;
use engine::Command;
use jiff::SignedDuration;
use runner::config::Limits;
use runner::dispatch::{Dispatcher, Parts};
use state::access::{Actor, Channel, Person};
use state::event::{ReplyWord, Settlement, Subject};
use state::ids::{EntityId, IncidentId, RunId};
use state::store::{Accepted, NewIncident, Store, StoreError};

use super::random::Random;
use super::store::SimStore;
use super::theatre::{ENTITY, PEOPLE, Theatre};
use super::weather::Kind;
use super::witness::AskedSeen;
use super::{Plan, Shared};

/// How long everything may take to come to rest once nothing goes wrong any more. Virtual.
const REST_WITHIN: Duration = Duration::from_hours(6);
/// How often it is looked whether everything is at rest. Virtual.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long after the end of the last measure its taking back may go on. Virtual.
const TAKEN_BACK_WITHIN: Duration = Duration::from_mins(40);

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// At a write or an effect.
    Died,
    /// The store stopped.
    Broke,
    /// It was asked to come to rest, and did.
    Drained,
    /// Everything is done.
    Rested,
}

/// Who sends alerts; they outlive the process.
#[derive(Debug)]
pub(super) struct Senders {
    arrivals: Vec<Arrival>,
}

#[derive(Debug, Clone)]
struct Arrival {
    alert: usize,
    key: String,
    at: Duration,
    known: Option<IncidentId>,
    repeats: bool,
}

impl Senders {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut random = Random::of(plan.seed, "senders");
        let count = if plan.deaths.is_some() {
            1
        } else {
            random.between(1, 5)
        };
        let arrivals = (0..count).map(|number| Arrival {
            alert: random.place(plan.setting.alerts.len()),
            key: format!("alert {number}"),
            at: if plan.deaths.is_some() {
                Duration::ZERO
            } else {
                Duration::from_millis(random.below(30_000))
            },
            known: None,
            repeats: plan.weather.has(Kind::SenderRepeats) && random.percent(40),
        });
        Self {
            arrivals: arrivals.collect(),
        }
    }
}

struct Life<'a> {
    plan: &'a Plan,
    shared: &'a Arc<Shared>,
    dispatcher: Dispatcher,
    store: Arc<SimStore>,
    contracts: &'a Theatre,
}

/// Lives once.
pub(super) fn live(
    theatre: &Theatre,
    plan: &Plan,
    shared: &Arc<Shared>,
    senders: &mut Senders,
    number: usize,
) -> Result<Ended, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| error.to_string())?;
    let kept = Mutex::new(std::mem::take(&mut senders.arrivals));
    let ended = runtime.block_on(async {
        shared.timeline.begin();
        let life = Life::begin(theatre, plan, shared)?;
        let ended = tokio::select! {
            biased;
            () = shared.fate.dead() => Ok(Ended::Died),
            ended = life.work(&kept, number) => ended,
        };
        shared.timeline.end();
        ended
    });
    // Everything that still runs ends here, as in a process that is killed: in no order, and
    // without a word.
    shared.fate.end();
    drop(runtime);
    senders.arrivals = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    ended
}

impl<'a> Life<'a> {
    fn begin(theatre: &'a Theatre, plan: &'a Plan, shared: &'a Arc<Shared>) -> Result<Self, String> {
        let store = SimStore::open(shared);
        let library = Arc::clone(&plan.setting.library);
        let ids: Vec<String> = library.current().keys().cloned().collect();
        let operator = Arc::new(super::theatre::operator(
            &mut Random::of(plan.seed, "operator"),
            &ids,
        )?);
        let registry = Arc::new(theatre.registry(shared, &operator)?);
        let dispatcher = Dispatcher::new(Parts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            library,
            registry,
            files: Arc::clone(&store) as Arc<dyn Files>,
            operator,
            limits: Limits::default(),
            clock: Arc::clone(&shared.timeline) as Arc<dyn Clock>,
        });
        Ok(Self {
            plan,
            shared,
            dispatcher,
            store,
            contracts: theatre,
        })
    }

    async fn work(&self, arrivals: &Mutex<Vec<Arrival>>, number: usize) -> Result<Ended, String> {
        let words = |error: StoreError| error.to_string();
        self.dispatcher.take_stock().await.map_err(words)?;
        let recovered = self.dispatcher.recover().await.map_err(words)?;
        if recovered.resumed + recovered.waiting + recovered.stuck + recovered.undecided > 0 {
            self.shared.counters.count("recoveries with open work");
        }
        let drains = self.drains_after(number);
        tokio::select! {
            biased;
            () = self.dispatcher.broken() => Ok(Ended::Broke),
            rested = self.to_rest(arrivals) => rested,
            () = tokio::time::sleep(drains), if drains > Duration::ZERO => {
                self.shared.counters.count(Kind::Drain.word());
                self.dispatcher.drain().await;
                Ok(Ended::Drained)
            }
            () = self.send(arrivals) => Err("senders never end".to_owned()),
            () = self.people() => Err("people never end".to_owned()),
        }
    }

    fn drains_after(&self, number: usize) -> Duration {
        let wanted = self.plan.weather.has(Kind::Drain) && self.shared.storms() && number < 8;
        let millis = self.shared.draw(|random| random.between(500, 120_000));
        if wanted {
            Duration::from_millis(millis)
        } else {
            Duration::ZERO
        }
    }

    /// Waits until everything is done or waits for a person; then lets every measure end.
    async fn to_rest(&self, arrivals: &Mutex<Vec<Arrival>>) -> Result<Ended, String> {
        self.wait_for(REST_WITHIN, || self.is_at_rest(arrivals))
            .await
            .map_err(|()| {
                format!(
                    "I9: not at rest after {REST_WITHIN:?}: {}",
                    self.what_goes_on(arrivals)
                )
            })?;
        let now = self.shared.timeline.now();
        let ends = self
            .shared
            .witness
            .measures()
            .into_iter()
            .map(|(measure, _)| measure.until)
            .max();
        if let Some(last) = ends.filter(|last| *last > now) {
            let jump = last.duration_since(now) + SignedDuration::from_secs(1);
            self.shared.timeline.jump(jump);
            self.shared.counters.count("measures let end");
        }
        self.wait_for(TAKEN_BACK_WITHIN, || self.nothing_is_due(arrivals))
            .await
            .map_err(|()| {
                format!(
                    "I12: after {TAKEN_BACK_WITHIN:?}, a measure that has ended is not taken back: {}; or not at rest: {}",
                    self.is_due(),
                    self.what_goes_on(arrivals)
                )
            })?;
        Ok(Ended::Rested)
    }

    async fn wait_for(&self, longest: Duration, holds: impl Fn() -> bool) -> Result<(), ()> {
        let mut calm = Duration::ZERO;
        let mut steady = 0;
        loop {
            steady = if holds() { steady + 1 } else { 0 };
            if steady >= 2 {
                return Ok(());
            }
            if calm > longest {
                return Err(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
            if !self.shared.storms() {
                calm += LOOK_EVERY;
            }
        }
    }

    fn is_at_rest(&self, arrivals: &Mutex<Vec<Arrival>>) -> bool {
        let sent = arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .all(|one| one.known.is_some() && !one.repeats);
        let witness = &self.shared.witness;
        let busy =
            || witness.each_run(|(_, run)| (!run.is_over() && !run.waits_for_person_only()).then_some(()));
        // People are given time to say what became of what nobody can tell.
        let doubts = witness.unknown().len();
        let waited = doubts == 0 || self.shared.draw(|random| random.percent(15));
        sent && !self.shared.storms() && witness.all_decided() && busy().is_empty() && waited
    }

    fn nothing_is_due(&self, arrivals: &Mutex<Vec<Arrival>>) -> bool {
        let stuck = !self.shared.witness.unknown().is_empty();
        (!self.is_due() || stuck) && self.is_at_rest(arrivals)
    }

    /// Whether a measure has ended and is not taken back.
    fn is_due(&self) -> bool {
        let now = self.shared.timeline.now();
        let mut measures = self.shared.witness.measures().into_iter();
        measures.any(|(measure, lifted)| !lifted && measure.until <= now && measure.inverse.is_some())
    }

    fn what_goes_on(&self, arrivals: &Mutex<Vec<Arrival>>) -> String {
        let runs = self.shared.witness.each_run(|(id, run)| {
            let places = run
                .places
                .iter()
                .map(|(path, place)| format!("{path} {:?}", place.stand));
            (!run.is_over()).then(|| format!("{id}: {}", places.collect::<Vec<_>>().join(", ")))
        });
        let unsent = arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|one| one.known.is_none())
            .count();
        format!("{unsent} alerts unsent; {}", runs.join("; "))
    }

    /// Senders send until they are answered; some send again what was answered.
    async fn send(&self, arrivals: &Mutex<Vec<Arrival>>) {
        loop {
            let passed = self.shared.timeline.passed();
            let due = {
                let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                let due = arrivals
                    .iter()
                    .position(|one| one.at <= passed && (one.known.is_none() || one.repeats));
                due.and_then(|place| Some((place, arrivals.get(place)?.clone())))
            };
            let Some((place, arrival)) = due else {
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            };
            match self.submit(&arrival).await {
                Ok(id) => {
                    let again = arrival.known.is_some();
                    if again {
                        self.shared.counters.count(Kind::SenderRepeats.word());
                        if arrival.known.as_ref() != Some(&id) {
                            self.shared.broken(Some(format!(
                                "I1: a repeated alert became another incident: {id}"
                            )));
                        }
                    }
                    let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(arrival) = arrivals.get_mut(place) {
                        arrival.known = Some(id);
                        arrival.repeats &= !again;
                    }
                }
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }

    async fn submit(&self, arrival: &Arrival) -> Result<IncidentId, String> {
        let alert = self
            .plan
            .setting
            .alerts
            .get(arrival.alert)
            .ok_or_else(|| "no alert".to_owned())?;
        for file in &alert.files {
            let kept = self.store.put_file(file.bytes.clone()).await;
            kept.map_err(|error| error.to_string())?;
        }
        let now = self.shared.timeline.now();
        let entity: EntityId = ENTITY.parse().map_err(|_| "no entity".to_owned())?;
        let mut incident = alert.incident.clone();
        incident.received_at = now;
        let new = NewIncident {
            entity,
            source: "simulation".to_owned(),
            dedup_key: arrival.key.clone(),
            dedup_within: playbooks::duration::Span::days(2),
            incident,
            actor: Actor {
                name: "token:sensor".to_owned(),
                channel: Channel::Api,
            },
            by_hand: false,
            at: now,
        };
        let accepted = self.dispatcher.accept(new).await;
        Ok(match accepted.map_err(|error| error.to_string())? {
            Accepted::New(id) | Accepted::Duplicate { of: id, .. } => id,
        })
    }

    /// People look every few seconds, and do something about what they find.
    async fn people(&self) {
        loop {
            let pause = self.shared.draw(|random| random.between(2, 20));
            tokio::time::sleep(Duration::from_secs(pause)).await;
            self.reply().await;
            self.settle().await;
            self.interfere().await;
        }
    }

    async fn reply(&self) {
        let silent = self.plan.weather.has(Kind::Silence) && self.shared.storms();
        for (run, number, asked) in self.shared.witness.open_inquiries() {
            if silent {
                self.shared.counters.count(Kind::Silence.word());
                continue;
            }
            let (who, approves) = self
                .shared
                .draw(|random| (random.place(PEOPLE.len()), random.percent(80)));
            let first = self.decide(&run, reply(number, &asked, who, approves, false));
            if !self.shared.now_and_then(Kind::ApprovalRace, 50) {
                let _refused = first.await;
                continue;
            }
            let (other, approves, wrong) = self
                .shared
                .draw(|random| (random.place(PEOPLE.len()), random.percent(50), random.percent(30)));
            let second = self.decide(&run, reply(number, &asked, other, approves, wrong));
            let _refused = tokio::join!(first, second);
        }
    }

    async fn decide(&self, run: &RunId, command: Command) -> bool {
        self.dispatcher.decide(run, command).await.is_ok()
    }

    /// A person looks at the far end and says what they see, when it has had time to settle.
    async fn settle(&self) {
        for (run, path, key, since) in self.shared.witness.unknown() {
            let now = self.shared.timeline.now();
            let waited = now.duration_since(since);
            if waited < SignedDuration::from_mins(2) || !self.shared.draw(|random| random.percent(40)) {
                continue;
            }
            self.shared
                .broken(self.shared.world.catch_up(self.shared.timeline.passed()));
            let action = self.shared.witness.each_run(|(id, seen)| {
                let intended = seen.places.get(&path)?.intended.as_ref()?;
                (*id == run).then(|| intended.action.clone())
            });
            let contract = action.first().and_then(|name| self.contracts.contracts.get(name));
            let answer = if self.shared.world.happened(&key) {
                let output = contract
                    .map(|contract| contract.example.1.clone())
                    .unwrap_or_default();
                Settlement::Done { output }
            } else {
                Settlement::NotDone
            };
            let command = Command::Settle {
                path,
                answer,
                probed: false,
                actor: actor("alice"),
                reason: "looked".to_owned(),
            };
            if self.decide(&run, command).await {
                self.shared.counters.count("outcomes settled by people");
            }
        }
    }

    /// Cancels, retries, takes back: now and then.
    async fn interfere(&self) {
        let runs = self
            .shared
            .witness
            .each_run(|(id, run)| Some((id.clone(), run.is_over(), run.closed)));
        for (run, over, closed) in runs {
            if !over && self.shared.now_and_then(Kind::Cancel, 2) {
                let reason = "changed my mind".to_owned();
                let _refused = self.dispatcher.cancel(&run, actor("bob"), reason).await;
            }
            let failed = closed == Some(state::event::RunStatus::Failed);
            if failed && self.shared.now_and_then(Kind::Retry, 10) {
                let command = Command::Retry {
                    from: None,
                    actor: actor("carol"),
                    reason: "once more".to_owned(),
                };
                if self.decide(&run, command).await {
                    self.shared.counters.count("runs retried");
                }
            }
            if self.shared.now_and_then(Kind::Undo, 3) {
                self.undo(&run).await;
            }
        }
    }

    async fn undo(&self, run: &RunId) {
        let paths = self.shared.witness.each_run(|(id, seen)| {
            let effects = seen.places.iter().filter(|(path, place)| {
                let action = place
                    .intended
                    .as_ref()
                    .map_or("", |intended| intended.action.as_str());
                !path.undo && place.succeeded && action.starts_with("block.")
            });
            let paths: Vec<_> = effects.map(|(path, _)| path.clone()).collect();
            (id == run && !paths.is_empty()).then_some(paths)
        });
        let Some(paths) = paths.into_iter().next() else {
            return;
        };
        let command = Command::Undo {
            paths,
            actor: actor("dora"),
            reason: "false alarm".to_owned(),
        };
        if self.decide(run, command).await {
            self.shared.counters.count("undos begun");
        }
    }
}

fn actor(person: &str) -> Actor {
    Actor {
        name: format!("person:{person}"),
        channel: Channel::Api,
    }
}

fn reply(number: u32, asked: &AskedSeen, who: usize, approves: bool, wrong: bool) -> Command {
    let (name, roles) = PEOPLE.get(who).copied().unwrap_or(("eve", &[]));
    let digest = match &asked.inquiry.subject {
        Subject::Approval { digest, .. } if !wrong => Some(digest.clone()),
        Subject::Approval { .. } => Some("0".repeat(64)),
        Subject::Choice { .. } => None,
    };
    Command::Reply {
        number,
        person: Person {
            name: name.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        },
        actor: actor(name),
        word: if approves {
            ReplyWord::Approve
        } else {
            ReplyWord::Refuse
        },
        comment: None,
        digest,
    }
}
