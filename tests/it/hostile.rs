//! Hostile files and real samples, to a real process and to the checker: each gets one answer, soon.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actions::clock::Clock;
use actions::registry::Registry;
use runner::clock::SystemClock;
use runner::library;
use tests::samples::{files, folder};
use tests::soc::{self, Process, Soc};
use web::view::{Content, Submitted};
use web::{Client, OperationError};

use crate::BINARY;

/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// Enough for every file of the collection at once.
const LIMITS: &str = "\n[limits]\nalerts_per_second = 1000\nalerts_burst = 20000\nrequests_per_second = \
                      10000\nrequests_burst = 100000\n";

#[expect(clippy::disallowed_methods, reason = "the time that is measured is real")]
fn now() -> Instant {
    Instant::now()
}

async fn started() -> (Soc, Process, Client) {
    let soc = Soc::new(BINARY).await.unwrap();
    soc.append("sortie.toml", LIMITS).unwrap();
    let mut process = soc.serve(None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = process.client();
    (soc, process, client)
}

/// Sends a file for an entity that runs nothing. `Err` holds a refusal; anything but a refusal of
/// the content fails the test.
async fn send(client: &Client, path: &Path, content: Content) -> Result<Vec<Submitted>, String> {
    let bytes = std::fs::read(path).unwrap();
    let shown = path.display();
    let begun = now();
    let answer = soc::submit_for(client, "hopital-exemple".parse().ok(), content, bytes).await;
    let spent = begun.elapsed();
    assert!(spent < ANSWER_MAX, "{shown}: {spent:?}");
    match answer {
        Ok(results) => Ok(results),
        Err(OperationError::Invalid { message, .. }) => Err(message),
        Err(error) => panic!("{shown}: {error:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_json_gets_one_answer_and_the_server_lives() {
    let Some(samples) = folder("hostile JSON over HTTP") else {
        return;
    };
    let (soc, mut process, client) = started().await;
    let mut sent = 0;
    for path in files(&samples.join("bad-input/json-test-suite")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for content in [
            Content::Json,
            Content::Mapper("suricata".to_owned()),
            Content::Mapper("auto".to_owned()),
        ] {
            let answer = send(&client, &path, content).await;
            assert!(
                answer.is_err() || !name.starts_with("n_"),
                "{name} is no JSON and was taken: {answer:?}"
            );
            sent += 1;
        }
    }
    println!("{sent} hostile bodies answered");
    assert!(sent > 900);
    assert!(!process.is_over() && process.answers().await, "{}", soc.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_alerts_mails_and_reports_come_in() {
    let Some(samples) = folder("real samples over HTTP") else {
        return;
    };
    let (soc, mut process, client) = started().await;
    let families = [
        ("alerts/suricata-eve", "auto", 1),
        ("alerts/aws-guardduty", "auto", 1),
        ("alerts/crowdstrike", "auto", 1),
        ("x-arf", "x-arf", 60),
        ("eml", "mail", 20),
    ];
    for (family, mapper, least) in families {
        let (mut taken, mut known, mut ignored, mut refused) = (0, 0, 0, 0);
        for path in files(&samples.join(family)) {
            match send(&client, &path, Content::Mapper(mapper.to_owned())).await {
                Ok(results) => {
                    for one in results {
                        match one {
                            Submitted::Accepted { .. } => taken += 1,
                            Submitted::Duplicate { .. } => known += 1,
                            Submitted::Ignored { .. } => ignored += 1,
                            Submitted::Refused { .. } => refused += 1,
                        }
                    }
                }
                Err(_) => refused += 1,
            }
        }
        println!("{family}: {taken} taken, {known} known, {ignored} ignored, {refused} refused");
        assert!(taken + known >= least, "{family}");
    }
    assert!(!process.is_over() && process.answers().await, "{}", soc.log());
}

#[test]
fn hostile_yaml_is_refused_soon() {
    let Some(samples) = folder("hostile YAML through the checker") else {
        return;
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let registry = Registry::new(Vec::new(), &clock).unwrap();
    let mut checked = 0;
    for family in ["bad-input/yaml-hostile", "bad-input/yaml-test-suite"] {
        for path in files(&samples.join(family)) {
            let begun = now();
            let outcome = library::load(std::slice::from_ref(&path), &registry, None);
            let spent = begun.elapsed();
            assert!(spent < ANSWER_MAX, "{}: {spent:?}", path.display());
            if let Ok(loaded) = outcome {
                assert!(
                    loaded.has_errors() && loaded.compiled.is_empty(),
                    "{} is no playbook and has no error",
                    path.display()
                );
            }
            checked += 1;
        }
    }
    println!("{checked} hostile playbooks refused");
    assert!(checked > 150);
}
