//! Deterministic simulation: seeds, every crash of every example, and the known-bad controls.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it did"
)]

use tests::power_loss::images;
use tests::simulation::enumerate::every_crash;
use tests::simulation::theatre::Theatre;
use tests::simulation::weather::{Counters, Kind, Weather};
use tests::simulation::{Control, Plan};

/// Seeds of every change.
const SEEDS: u64 = 1_000;
/// Threads that play them.
const THREADS: u64 = 4;
/// How often every kind of fault comes in these seeds at least. A rig in which nothing goes wrong
/// has proved nothing.
const FAULTS_MIN: u64 = 20;
/// Events of which each kind is seen at least once.
const EVENTS: [&str; 24] = [
    "let settled",
    "expanded",
    "skipped",
    "refused",
    "intended",
    "finished",
    "lost",
    "probed",
    "outcome unknown",
    "retry scheduled",
    "asked",
    "replied",
    "escalated",
    "approved",
    "approval refused",
    "approval expired",
    "approval withdrawn",
    "failing",
    "cancel requested",
    "settled by a person",
    "retried",
    "undo requested",
    "closed",
    "measures let end",
];

fn play(theatre: &Theatre, seed: u64) -> Counters {
    let report = Plan::of_seed(theatre, seed).unwrap().play(theatre);
    assert!(
        report.violations.is_empty(),
        "{}\nreplay: cargo run -p tests --release --bin simulate -- --seed {seed:#x}",
        report.violations.join("\n")
    );
    report.counters
}

#[test]
fn a_thousand_seeds_break_no_invariant() {
    let theatre = Theatre::open().unwrap();
    let all = Counters::default();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (theatre, all) = (&theatre, &all);
            scope.spawn(move || {
                for seed in (thread..SEEDS).step_by(usize::try_from(THREADS).unwrap()) {
                    all.merge(&play(theatre, seed));
                }
            });
        }
    });
    for (what, times) in all.all() {
        println!("{times:>9}  {what}");
    }
    for kind in Kind::ALL {
        let times = all.of(kind.word());
        assert!(times >= FAULTS_MIN, "`{}` came {times} times", kind.word());
    }
    for event in EVENTS {
        assert!(all.of(event) > 0, "`{event}` was never reached");
    }
    println!("{SEEDS} seeds, 0 violations");
}

/// Seeds that found something, with what it was in `docs/reliability.md`.
const FOUND: [u64; 5] = [0x1d77, 0x1fa6, 0x8626, 0xdbc8, 0xec6a];

#[test]
fn what_seeds_found_stays_mended() {
    let theatre = Theatre::open().unwrap();
    for seed in FOUND {
        play(&theatre, seed);
    }
}

#[test]
fn every_playbook_of_the_generator_compiles() {
    let theatre = Theatre::open().unwrap();
    for number in 0..tests::simulation::theatre::GENERATED {
        theatre.generated(number).unwrap();
    }
}

#[test]
fn with_faults_off_runs_complete() {
    let theatre = Theatre::open().unwrap();
    let all = Counters::default();
    for seed in 0..60 {
        let mut plan = Plan::of_seed(&theatre, seed).unwrap();
        plan.weather = Weather::calm();
        let report = plan.play(&theatre);
        assert!(report.violations.is_empty(), "{seed:#x}: {:?}", report.violations);
        all.merge(&report.counters);
    }
    let (runs, over) = (all.of("runs"), all.of("runs over"));
    assert!(
        runs > 60 && over * 10 >= runs * 9,
        "{over} of {runs} runs are over"
    );
}

#[test]
fn the_same_seed_is_the_same_simulation() {
    let theatre = Theatre::open().unwrap();
    for seed in 0..40 {
        let played = || {
            let mut plan = Plan::of_seed(&theatre, seed).unwrap();
            plan.trace = true;
            plan.play(&theatre).trace
        };
        let (first, second) = (played(), played());
        let differs = first.iter().zip(&second).position(|(one, other)| one != other);
        if let Some(at) = differs {
            panic!("{seed:#x}, line {at}:\n{}\n{}", first[at], second[at]);
        }
        assert_eq!(first.len(), second.len(), "{seed:#x}");
    }
}

#[test]
fn every_crash_of_every_example_is_survived() {
    let theatre = Theatre::open().unwrap();
    for (name, seed) in Theatre::examples().into_iter().zip(0..) {
        let setting = theatre.example(name).unwrap();
        let done = every_crash(&theatre, &setting, seed, Control::default());
        assert!(
            done.violations.is_empty(),
            "{name}: {}",
            done.violations.join("\n")
        );
        println!(
            "{name}: {} of {} moments, {} simulations, {} in doubt for a while",
            done.moments, done.moments, done.plays, done.in_doubt
        );
        assert!(done.moments >= 10, "{name}: only {} moments", done.moments);
    }
}

/// How many of these seeds the rig is red for.
fn red(control: Control, seeds: u64) -> (usize, String) {
    let theatre = Theatre::open().unwrap();
    let found: Vec<String> = (0..seeds)
        .filter_map(|seed| {
            let mut plan = Plan::of_seed(&theatre, seed).unwrap();
            plan.control = control;
            plan.play(&theatre).violations.into_iter().next()
        })
        .collect();
    (found.len(), found.into_iter().next().unwrap_or_default())
}

#[test]
fn a_store_that_acknowledges_without_sync_is_found() {
    let control = Control {
        acknowledges_without_sync: true,
        ..Control::default()
    };
    let (red, first) = red(control, 60);
    println!("without sync: {red} of 60 seeds are red, the first says: {first}");
    assert!(red >= 30, "{red} of 60");
}

#[test]
fn a_recovery_that_repeats_blindly_is_found() {
    let control = Control {
        repeats_blindly: true,
        ..Control::default()
    };
    let (red, first) = red(control, 120);
    println!("blind repetition: {red} of 120 seeds are red, the first says: {first}");
    assert!(red >= 10 && first.contains("I2"), "{red} of 120: {first}");
}

#[test]
fn no_image_of_a_power_cut_lacks_what_was_acknowledged() {
    let done = images(200, 1, false).unwrap();
    assert!(done.faults.is_empty(), "{}", done.faults.join("\n"));
    assert!(done.changes >= 100 && done.looked_for >= 3_000, "{done:?}");
    println!(
        "{} images of a history of {} changes, {} acknowledgements looked for, 0 lost",
        done.images, done.changes, done.looked_for
    );
}

#[test]
fn a_journal_that_is_not_synced_is_found() {
    let done = images(60, 1, true).unwrap();
    println!(
        "without fdatasync: {} of {} images have a fault",
        done.faults.len(),
        done.images
    );
    assert!(done.faults.len() >= 20, "{:?}", done.faults);
}
