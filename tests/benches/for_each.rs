//! The engine alone over a list: every decision from the start of a run to its end, nothing stored
//! and nothing performed.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

use actions::clock::Clock;
use actions::registry::Registry;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use playbooks::compile::{Bundle, Environment, compile};
use playbooks::plan::Plan;
use runner::clock::{SystemClock, fresh_run_id};
use runner::config::Settings;
use serde_json::{Value, json};
use state::access::Actor;
use state::event::{Event, Mode, Outcome, Recorded, StartedBy};
use tests::load::{capacity, project};

/// What a run needs around it.
struct Scene {
    clock: Arc<dyn Clock>,
    registry: Registry,
    settings: Settings,
    plan: Plan,
}

impl Scene {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        let nowhere = ([127, 0, 0, 1], 9).into();
        let settings = project::write(folder.path(), nowhere, &[("long-list", capacity::LONG_LIST)]).ok()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let registry = Registry::new(Vec::new(), &clock).ok()?;
        let bundle = Bundle {
            name: "long-list.yaml".to_owned(),
            playbook: capacity::LONG_LIST.to_owned(),
            templates: indexmap::IndexMap::default(),
        };
        let environment = Environment {
            catalog: &registry,
            operator: None,
        };
        let plan = compile(&bundle, environment).plan?;
        Some(Self {
            clock,
            registry,
            settings,
            plan,
        })
    }

    /// Runs to the end; how many events that were.
    fn run(&self, list: &Value) -> Option<usize> {
        let now = self.clock.now();
        let surroundings = engine::Surroundings {
            now,
            even_since: now,
            operator: &self.settings.operator,
            entity: self.settings.operator.entities.get("town-0")?,
            catalog: &self.registry,
            blocks_last_hour: engine::BlockCounts::default(),
        };
        let request = engine::StartRequest {
            run: fresh_run_id(now),
            incident: None,
            inputs: [("texts".to_owned(), list.clone())].into(),
            by: StartedBy::Hand,
            actor: Actor::engine(),
            mode: Mode::Auto,
        };
        let started = engine::start(&self.plan, request, &surroundings).ok()?;
        let first = Recorded {
            seq: 0,
            at: now,
            event: Event::Started(started),
        };
        let mut run = engine::Run::fold(&self.plan, &[first]).ok()?;
        let mut work = VecDeque::new();
        let mut command = engine::Command::Advance;
        loop {
            let events = engine::decide(&self.plan, &run, command, &surroundings).ok()?;
            for event in events {
                if let Event::Intended(intended) = &event {
                    work.push_back((intended.path.clone(), intended.attempt));
                }
                let recorded = Recorded {
                    seq: run.next_seq(),
                    at: now,
                    event,
                };
                run.apply(&self.plan, &recorded).ok()?;
            }
            let Some((path, attempt)) = work.pop_front() else {
                return run
                    .status()
                    .is_over()
                    .then(|| usize::try_from(run.next_seq()).unwrap_or(0));
            };
            command = engine::Command::Finished {
                path,
                attempt,
                outcome: Outcome::Succeeded {
                    output: json!({"ips": [], "domains": [], "urls": [], "emails": [], "hashes": []}),
                    reference: None,
                },
                duration_ms: 1,
            };
        }
    }
}

fn for_each(criterion: &mut Criterion) {
    let Some(scene) = Scene::new() else {
        return;
    };
    let mut group = criterion.benchmark_group("for_each");
    group.sample_size(10);
    for items in [100_u64, 1_000, 10_000] {
        let list: Value = (0..items).map(|item| format!("10.0.0.{item}")).collect();
        assert!(scene.run(&list).is_some(), "the run ends");
        group.throughput(Throughput::Elements(items));
        group.bench_with_input(BenchmarkId::from_parameter(items), &list, |bencher, list| {
            bencher.iter(|| black_box(scene.run(black_box(list))));
        });
    }
    group.finish();
}

criterion_group!(benches, for_each);
criterion_main!(benches);
