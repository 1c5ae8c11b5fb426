//! Several things at the same moment: answers of one run that arrive together, and runs that
//! decide while the decision of another is on its way to the disk.

use std::sync::{Arc, Mutex};

use runner::demo;
use serde_json::Value;
use state::event::{Event, RefusalKind, RunStatus};
use state::store::StoreError;
use tests::hooked::{Hook, Write};
use tests::soc::{self, Soc};
use web::view::Content;

use crate::BINARY;
use crate::setbacks::open;

/// The disk is full once, at the first commit with an event of a kind; every commit is kept.
struct FullOnce {
    at: fn(&Event) -> bool,
    refused: Mutex<bool>,
    commits: Mutex<Vec<Vec<Event>>>,
}

impl FullOnce {
    fn at(at: fn(&Event) -> bool) -> Arc<Self> {
        Arc::new(Self {
            at,
            refused: Mutex::new(false),
            commits: Mutex::default(),
        })
    }
}

impl Hook for FullOnce {
    fn before(&self, write: &Write) -> Result<(), StoreError> {
        let mut refused = self.refused.lock().unwrap();
        if !*refused && write.events.iter().any(self.at) {
            *refused = true;
            return Err(StoreError::Full {
                path: "a test".to_owned(),
            });
        }
        Ok(())
    }

    fn after(&self, write: &Write) {
        self.commits.lock().unwrap().push(write.events.clone());
    }
}

const BLOCK: &str = "  block:\n    uses: block.ip\n    with:\n      ip: ${{ incident.network.source_ip }}\n      \
                     direction: inbound\n      reason: \"{{incident.ref}}\"\n    undo: {after: 1h}\n";

/// The alert of the demonstration, from another address.
fn alert(number: u8) -> Vec<u8> {
    let mut alert: Value = serde_json::from_slice(demo::IDS_ALERT).unwrap();
    alert["src_ip"] = Value::from(format!("45.67.89.{number}"));
    alert["flow_id"] = Value::from(number);
    alert.to_string().into_bytes()
}

fn playbook(steps: &str) -> String {
    format!(
        "id: ids-triage\nname: A test\nversion: 1\ndescription: A test.\nowner: network-team\n\
         trigger: {{incident: [ids-alert]}}\n\
         limits: {{tlp: amber_strict, pap: green, time: 4h}}\nmay: [contain]\nsteps:\n{steps}"
    )
}

async fn soc_with(steps: &str, guardrails: &str) -> Soc {
    let soc = Soc::new(BINARY).await.unwrap();
    std::fs::write(soc.project().join("playbooks/ids-triage.yaml"), playbook(steps)).unwrap();
    let file = soc.project().join("sortie.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    let settings = settings.replace("[guardrails]\n", &format!("[guardrails]\n{guardrails}"));
    std::fs::write(&file, settings).unwrap();
    soc
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_arrive_together_share_a_commit() {
    let step = |name: &str| {
        format!(
            "  {name}:\n    uses: enrich.ip\n    using: {name}\n    \
             with: {{ip: \"${{{{ incident.network.source_ip }}}}\"}}\n"
        )
    };
    let soc = soc_with(&["virustotal", "abuseipdb", "urlhaus"].map(step).concat(), "").await;
    let hook = FullOnce::at(|event| matches!(event, Event::Finished { .. }));
    let app = open(&soc, Arc::clone(&hook) as Arc<dyn Hook>).await;
    let operations = app.as_operator();
    let mapper = Content::Mapper("suricata".to_owned());
    soc::submit(&operations, mapper, alert(1)).await.unwrap();
    let runs = soc::settled(&operations, 1).await.unwrap();
    assert!(runs[0].status.is_over(), "{runs:?}");
    let answers: Vec<usize> = hook
        .commits
        .lock()
        .unwrap()
        .iter()
        .map(|events| {
            let finished = events.iter().filter(|one| matches!(one, Event::Finished { .. }));
            finished.count()
        })
        .filter(|count| *count > 0)
        .collect();
    // While the first waited for room on the disk, the others came.
    assert_eq!(answers, [1, 2]);
    app.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_counts_before_it_is_durable() {
    let soc = soc_with(BLOCK, "blocks_per_entity_hour = 2\n").await;
    // The first block is decided, and for a while not on the disk.
    let hook = FullOnce::at(|event| matches!(event, Event::Intended(_)));
    let app = open(&soc, Arc::clone(&hook) as Arc<dyn Hook>).await;
    let operations = app.as_operator();
    for number in 1..=5 {
        let mapper = Content::Mapper("suricata".to_owned());
        soc::submit(&operations, mapper, alert(number)).await.unwrap();
    }
    assert_eq!(soc::settled(&operations, 5).await.unwrap().len(), 5);
    let commits = hook.commits.lock().unwrap();
    let events = || commits.iter().flatten();
    let intended = events().filter(|event| matches!(event, Event::Intended(_)));
    let refused = events().filter(|event| {
        matches!(
            event,
            Event::Refused {
                cause: RefusalKind::Budget,
                ..
            }
        )
    });
    assert_eq!((intended.count(), refused.count()), (2, 3));
}

/// Fails one commit with a block, as a damaged index would.
#[derive(Default)]
struct FailsOnce(Mutex<bool>);

impl Hook for FailsOnce {
    fn before(&self, write: &Write) -> Result<(), StoreError> {
        let mut failed = self.0.lock().unwrap();
        if !*failed
            && write
                .events
                .iter()
                .any(|event| matches!(event, Event::Intended(_)))
        {
            *failed = true;
            return Err(StoreError::Damaged {
                place: "a test".to_owned(),
                reason: "so that the write fails".to_owned(),
            });
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_was_not_stored_does_not_count_against_itself() {
    let soc = soc_with(BLOCK, "blocks_per_entity_hour = 1\n").await;
    let app = open(&soc, Arc::new(FailsOnce::default())).await;
    let operations = app.as_operator();
    let mapper = Content::Mapper("suricata".to_owned());
    soc::submit(&operations, mapper, alert(1)).await.unwrap();
    let runs = soc::settled(&operations, 1).await.unwrap();
    assert_eq!(runs[0].status, RunStatus::Succeeded, "{}", runs[0].note);
    app.close().await;
}
