//! From text to plan: the reference job, and a playbook of 150 steps.

use std::hint::black_box;
use std::sync::Arc;

use actions::clock::Clock;
use actions::registry::Registry;
use criterion::{Criterion, criterion_group, criterion_main};
use runner::clock::SystemClock;
use tests::load::{capacity, triage};

const STEPS: usize = 150;

fn compiler(criterion: &mut Criterion) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let Ok(registry) = Registry::new(Vec::new(), &clock) else {
        return;
    };
    let mut group = criterion.benchmark_group("compile and check");
    group.sample_size(20);
    let long = capacity::long_playbook("long", STEPS);
    for (id, text) in [("triage-5", triage::PLAYBOOK), ("long", &long)] {
        let compiled = capacity::check(&registry, id, text);
        assert!(compiled.is_ok(), "{id}: {compiled:?}");
        group.bench_function(id, |bencher| {
            bencher.iter(|| black_box(capacity::check(&registry, id, black_box(text))));
        });
    }
    group.finish();
}

criterion_group!(benches, compiler);
criterion_main!(benches);
