//! What goes wrong inside one process and must come right in the same process: writes that fail,
//! a disk that is full for a while, decisions that the store takes only in parts, and coming to
//! rest in the middle of a run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runner::app::{App, AppError};
use runner::config::Purpose;
use runner::demo;
use runner::dispatch::Dispatcher;
use state::embedded::OpenError;
use state::event::{Event, RunStatus};
use state::store::StoreError;
use tests::hooked::{Hook, Hooked, Write};
use tests::soc::{self, Soc};
use web::operations::Myself;
use web::view::{Content, RunView, StepState};

use crate::BINARY;

/// How often a folder in use is tried again.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Opens the project of a range in this process, with a hook around its writes.
pub(crate) async fn open(soc: &Soc, hook: Arc<dyn Hook>) -> App {
    let app = opened(soc, hook).await;
    app.recover().await.unwrap();
    app
}

/// The same, while what was open does not go on yet.
pub(crate) async fn opened(soc: &Soc, hook: Arc<dyn Hook>) -> App {
    let mut waited = Duration::ZERO;
    loop {
        let settings = runner::project::read(soc.project(), Purpose::Serve).unwrap();
        let hook = Arc::clone(&hook);
        match App::open_with(settings, |store| Arc::new(Hooked::new(store, hook))).await {
            Ok(app) => return app,
            // The last tasks of the one before still let go of the folder.
            Err(AppError::Open(OpenError::InUse { .. })) if waited < soc::PATIENCE => {
                tokio::time::sleep(LOOK_EVERY).await;
                waited += LOOK_EVERY;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Sends the two incidents of the demonstration; senders repeat until they are acknowledged.
async fn send_both(app: &App) {
    let operations = app.as_operator();
    for (content, bytes) in [
        (Content::Mail, demo::PHISHING_REPORT),
        (Content::Mapper("suricata".to_owned()), demo::IDS_ALERT),
    ] {
        let mut tries = 0;
        while soc::submit(&operations, content.clone(), bytes.to_vec())
            .await
            .is_err()
        {
            tries += 1;
            assert!(tries < 20, "an incident is never acknowledged");
        }
    }
}

/// Nothing happened twice, and every run is over, or waits for a person and shows why.
async fn check(soc: &Soc, app: &App, place: &str) -> Vec<RunView> {
    let operations = app.as_operator();
    let runs = soc::settled(&operations, 2).await.unwrap();
    assert_eq!(runs.len(), 2, "{place}: one run for each incident");
    let repeated = soc.range.ledger().repeated();
    assert!(
        repeated.is_empty(),
        "{place}: effects happened twice: {repeated:?}"
    );
    for run in &runs {
        let over = run.status.is_over() || run.status == RunStatus::Stuck;
        assert!(
            over,
            "{place}: {} was put down for ever: {:?} {}",
            run.id, run.status, run.note
        );
        let detail = soc::run(&operations, run.id.as_str()).await.unwrap();
        let doubtful = detail.steps.iter().any(|step| step.state == StepState::Unknown);
        assert_eq!(
            run.status == RunStatus::Stuck,
            doubtful,
            "{place}: a doubt of {} is not visible",
            run.id
        );
    }
    runs
}

/// Fails every n-th commit, as a damaged index would.
struct EveryNth {
    nth: u64,
    seen: AtomicU64,
}

impl Hook for EveryNth {
    fn before(&self, write: &Write) -> Result<(), StoreError> {
        let count = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if write.name == "commit" && count.is_multiple_of(self.nth) {
            return Err(StoreError::Damaged {
                place: "a test".to_owned(),
                reason: "so that the write fails".to_owned(),
            });
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_write_failed_is_taken_up_again_without_a_restart() {
    for nth in [4, 7] {
        let soc = Soc::new(BINARY).await.unwrap();
        let hook = EveryNth {
            nth,
            seen: AtomicU64::new(0),
        };
        let app = open(&soc, Arc::new(hook)).await;
        send_both(&app).await;
        check(&soc, &app, &format!("every write {nth} fails")).await;
        app.close().await;
    }
}

/// The disk is full for the first tries of every kind of write but the acknowledgement.
#[derive(Default)]
struct FullForAWhile {
    decided: AtomicU64,
    committed: AtomicU64,
}

impl Hook for FullForAWhile {
    fn before(&self, write: &Write) -> Result<(), StoreError> {
        let seen = match write.name {
            "decide_matches" => &self.decided,
            "commit" => &self.committed,
            _ => return Ok(()),
        };
        if seen.fetch_add(1, Ordering::SeqCst) < 2 {
            return Err(StoreError::Full {
                path: "a test".to_owned(),
            });
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_incident_gets_its_runs_when_the_disk_has_room_again() {
    let soc = Soc::new(BINARY).await.unwrap();
    let app = open(&soc, Arc::new(FullForAWhile::default())).await;
    send_both(&app).await;
    let runs = check(&soc, &app, "full for a while").await;
    assert!(
        runs.iter().all(|run| run.status == RunStatus::Succeeded),
        "nothing was lost: {runs:?}"
    );
    app.close().await;
}

/// Takes one event at a time.
struct OneAtATime;

impl Hook for OneAtATime {
    fn before(&self, write: &Write) -> Result<(), StoreError> {
        if write.events.len() > 1 {
            return Err(StoreError::TooLarge {
                what: "a record",
                found: 2,
                limit: 1,
            });
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_is_too_large_is_stored_in_parts() {
    let soc = Soc::new(BINARY).await.unwrap();
    let app = open(&soc, Arc::new(OneAtATime)).await;
    send_both(&app).await;
    let runs = check(&soc, &app, "one event at a time").await;
    assert!(
        runs.iter().all(|run| run.status == RunStatus::Succeeded),
        "{runs:?}"
    );
    app.close().await;
}

/// Refuses the intents of one action for good: they are too large.
struct NoRoomFor(&'static str);

impl Hook for NoRoomFor {
    fn before(&self, write: &Write) -> Result<(), StoreError> {
        let refused = write
            .events
            .iter()
            .any(|event| matches!(event, Event::Intended(intended) if intended.action == self.0));
        if refused {
            return Err(StoreError::TooLarge {
                what: "a record",
                found: 9,
                limit: 8,
            });
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_whose_arguments_are_too_large_fails_with_the_reason() {
    let soc = Soc::new(BINARY).await.unwrap();
    let app = open(&soc, Arc::new(NoRoomFor("ticket.open"))).await;
    send_both(&app).await;
    let runs = check(&soc, &app, "a ticket too large").await;
    let operations = app.as_operator();
    let mut reasons = Vec::new();
    for run in &runs {
        let detail = soc::run(&operations, run.id.as_str()).await.unwrap();
        reasons.extend(detail.steps.into_iter().map(|step| step.note));
    }
    assert!(
        reasons
            .iter()
            .any(|why| why.contains("a record is 9 bytes, at most 8 are stored")),
        "{reasons:?}"
    );
    app.close().await;
}

/// Tells the dispatcher to come to rest as soon as the n-th commit is durable.
struct RestAfter {
    left: AtomicU64,
    dispatcher: Mutex<Option<Dispatcher>>,
}

impl Hook for RestAfter {
    fn after(&self, write: &Write) {
        if write.name == "commit"
            && self.left.fetch_sub(1, Ordering::SeqCst) == 1
            && let Some(dispatcher) = self.dispatcher.lock().unwrap().take()
        {
            dispatcher.take_no_more();
        }
    }
}

struct Nothing;
impl Hook for Nothing {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coming_to_rest_leaves_no_attempt_in_doubt() {
    for nth in 1..=12 {
        let place = format!("at rest after commit {nth}");
        let soc = Soc::new(BINARY).await.unwrap();
        let hook = Arc::new(RestAfter {
            left: AtomicU64::new(nth),
            dispatcher: Mutex::default(),
        });
        let app = open(&soc, Arc::clone(&hook) as Arc<dyn Hook>).await;
        *hook.dispatcher.lock().unwrap() = Some(app.dispatcher.clone());
        let operations = app.as_operator();
        for (content, bytes) in [
            (Content::Mail, demo::PHISHING_REPORT),
            (Content::Mapper("suricata".to_owned()), demo::IDS_ALERT),
        ] {
            // Refused once it comes to rest; sent again below.
            drop(soc::submit(&operations, content, bytes.to_vec()).await);
        }
        drop(operations);
        drop(hook.dispatcher.lock().unwrap().take());
        assert!(app.close().await, "{place}: everything came to rest");
        let app = open(&soc, Arc::new(Nothing)).await;
        send_both(&app).await;
        let runs = check(&soc, &app, &place).await;
        for run in &runs {
            assert_eq!(run.status, RunStatus::Succeeded, "{place}: {}", run.note);
            let detail = soc::run(&app.as_operator(), run.id.as_str()).await.unwrap();
            let lost = detail
                .events
                .iter()
                .find(|one| matches!(one.event, Event::Lost { .. }));
            assert!(lost.is_none(), "{place}: {lost:?}");
        }
        app.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_over_cannot_be_cancelled_and_says_so() {
    let soc = Soc::new(BINARY).await.unwrap();
    let app = open(&soc, Arc::new(Nothing)).await;
    send_both(&app).await;
    let runs = check(&soc, &app, "to be cancelled").await;
    let actor = state::access::Actor::engine();
    let refused = app
        .dispatcher
        .cancel(&runs[0].id, actor, "too late".to_owned())
        .await;
    assert_eq!(refused.unwrap_err().to_string(), "the run is over");
    app.close().await;
}

/// A store that has stopped while nobody wrote.
struct Stopped;

impl Hook for Stopped {
    fn stopped(&self) -> Option<Arc<str>> {
        Some("a sync failed".into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stops_by_itself_ends_the_process() {
    let soc = Soc::new(BINARY).await.unwrap();
    let app = open(&soc, Arc::new(Stopped)).await;
    let noticed = tokio::time::timeout(soc::PATIENCE, app.dispatcher.broken()).await;
    assert!(noticed.is_ok(), "nobody noticed that the store had stopped");
    let readiness = web::Operations::<Myself>::readiness(&app.as_operator()).await;
    assert!(!readiness.ready);
    assert!(readiness.why.unwrap().contains("the store stopped"));
}
