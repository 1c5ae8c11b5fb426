//! Every example: it compiles without a finding, does to the range what its `expected.json` says,
//! and stands crashes, repetitions and failures.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::rehearsal::{ScriptedWorld, Stage, crash_everywhere, every_step_failed, every_step_twice};
use playbooks::marking::EffectClass;
use runner::app::App;
use runner::config::Purpose;
use runner::range::{Options, Range};
use runner::{demo, library, project};
use serde_json::{Value, json};
use state::event::{Event, RunStatus};
use state::store::{PageRequest, RunFilter};
use tempfile::TempDir;
use tests::tenants;
use web::Operations as _;
use web::operations::Myself;
use web::view::{Content, RunDetail, StepState, Submission};

/// One folder of `examples/`.
struct Example {
    id: String,
    folder: PathBuf,
}

fn examples() -> Vec<Example> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut found: Vec<Example> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|folder| Example {
            id: playbook_file(&folder)
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned(),
            folder,
        })
        .collect();
    found.sort_by(|left, right| left.id.cmp(&right.id));
    assert!(found.len() >= 3, "the examples are there");
    found
}

fn playbook_file(folder: &Path) -> PathBuf {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let is_test = path.to_string_lossy().contains(".test.");
            !is_test && path.extension().is_some_and(|ending| ending == "yaml")
        })
        .unwrap_or_else(|| panic!("{} has no playbook", folder.display()))
}

impl Example {
    /// The demo's project with this playbook alone, turned on.
    fn project(&self, range: &Range) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        demo::write_project(folder.path(), range, &[]).unwrap();
        let playbooks = folder.path().join("playbooks");
        std::fs::remove_dir_all(&playbooks).unwrap();
        std::fs::create_dir(&playbooks).unwrap();
        std::fs::copy(
            playbook_file(&self.folder),
            playbooks.join(format!("{}.yaml", self.id)),
        )
        .unwrap();
        for template in std::fs::read_dir(self.folder.join("templates/mail"))
            .into_iter()
            .flatten()
        {
            let template = template.unwrap();
            let copy = folder.path().join("templates/mail").join(template.file_name());
            std::fs::copy(template.path(), copy).unwrap();
        }
        tenants::equip(folder.path(), range, &self.id).unwrap();
        folder
    }

    fn incident(&self) -> Submission {
        let (content, file) = if self.folder.join("incident.eml").is_file() {
            (Content::Mail, "incident.eml")
        } else {
            (Content::Mapper("auto".to_owned()), "incident.json")
        };
        Submission {
            content,
            bytes: std::fs::read(self.folder.join(file)).unwrap().into(),
            entity: demo::ENTITY.parse().ok(),
        }
    }

    fn expected(&self) -> Value {
        let text = std::fs::read_to_string(self.folder.join("expected.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Runs it against the range, until it is over or waits for people; the app that did, and the run.
    async fn run(&self, folder: &TempDir) -> (App, RunDetail) {
        let settings = project::read(folder.path(), Purpose::Serve).unwrap();
        let app = App::open_with(settings, |store| store).await.unwrap();
        assert!(app.warnings.is_empty(), "{}: {:?}", self.id, app.warnings);
        let operations = app.as_operator();
        operations.submit(&Myself, self.incident()).await.unwrap();
        for _ in 0..2_000 {
            let page = PageRequest {
                after: None,
                limit: 10,
            };
            let runs = operations
                .runs(&Myself, RunFilter::default(), page)
                .await
                .unwrap()
                .rows;
            if let [run] = runs.as_slice()
                && (run.status.is_over() || run.status == RunStatus::Waiting)
            {
                let detail = operations.run(&Myself, run.id.as_str()).await.unwrap();
                return (app, detail);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{}: no run came to an end", self.id);
    }
}

/// What a run did, in the form of `expected.json`. Of the arguments, those that are expected.
fn outcome(detail: &RunDetail, expected: &Value) -> Value {
    let effects: Vec<Value> = detail
        .events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Intended(intended) if intended.effect > EffectClass::Read => Some(intended),
            _ => None,
        })
        .enumerate()
        .map(|(place, intended)| {
            let mut arguments = intended.arguments.clone();
            if let (Some(all), Some(wanted)) = (
                arguments.as_object_mut(),
                expected["effects"][place]["arguments"].as_object(),
            ) {
                all.retain(|name, _| wanted.contains_key(name));
            }
            json!({"step": intended.path.to_string(), "action": intended.action, "arguments": arguments})
        })
        .collect();
    let skipped: serde_json::Map<String, Value> = detail
        .steps
        .iter()
        .filter(|step| step.state == StepState::Skipped)
        .map(|step| (step.step.clone(), step.note.clone().into()))
        .collect();
    json!({
        "status": detail.run.status.word(),
        "outputs": detail.outputs,
        "effects": effects,
        "skipped": skipped,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_does_what_it_says() {
    for example in examples() {
        let range = Range::start(Options {
            knowledge: tenants::knowledge(),
            ..Options::default()
        })
        .await
        .unwrap();
        let folder = example.project(&range);
        let (app, detail) = example.run(&folder).await;
        let expected = example.expected();
        let found = outcome(&detail, &expected);
        assert_eq!(found, expected, "{} did otherwise; it did {found:#}", example.id);
        assert!(range.ledger().repeated().is_empty(), "{}", example.id);
        app.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_compiles_where_it_lies_and_stands_the_drills() {
    for example in examples() {
        let range = Range::start(Options {
            knowledge: tenants::knowledge(),
            ..Options::default()
        })
        .await
        .unwrap();
        let folder = example.project(&range);
        let (app, detail) = example.run(&folder).await;
        let registry = Arc::clone(app.dispatcher.registry());
        let operator = app.dispatcher.operator();
        let loaded =
            library::load(std::slice::from_ref(&example.folder), &*registry, Some(&operator)).unwrap();
        assert!(
            loaded.diagnostics.is_empty(),
            "{}: {:?}",
            example.id,
            loaded.diagnostics
        );
        assert_eq!(loaded.compiled.len(), 1, "{}", example.id);

        let compiled = app.dispatcher.library().get(&example.id).unwrap();
        let first = &detail.events[0];
        let Event::Started(started) = &first.event else {
            panic!("{}: {first:?}", example.id);
        };
        let stage = Stage {
            plan: &compiled.plan,
            operator: &operator,
            entity: &operator.entities[demo::ENTITY],
            catalog: &*registry,
        };
        let world = || ScriptedWorld::new(&*registry);
        let crashes = crash_everywhere(stage, started, first.at, world).unwrap();
        let twice = every_step_twice(stage, started, first.at, world).unwrap();
        let failed = every_step_failed(stage, started, first.at, world).unwrap();
        println!("{}: {crashes:?}, {twice:?}, {failed:?}", example.id);
        assert!(crashes.crashes > 0 && twice.crashes > 0 && failed.failures > 0);
        app.close().await;
    }
}

/// The README beside each example names the command and the files that are there.
#[test]
fn every_example_explains_itself() {
    let sources =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/SOURCES.md"))
            .unwrap();
    for example in examples() {
        let readme = std::fs::read_to_string(example.folder.join("README.md")).unwrap();
        for word in ["sortie ", "expected.json", &example.id] {
            assert!(readme.contains(word), "{}: README.md lacks `{word}`", example.id);
        }
        let folder = example.folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            sources.contains(&format!("`{folder}/incident.")),
            "{folder} has a source"
        );
    }
}
