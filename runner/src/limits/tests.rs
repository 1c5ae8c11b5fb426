//! Alerts below, at and above the rate, and what comes back with time.

use super::*;

fn limits(per_second: u32, burst: u32) -> Limits {
    Limits {
        alerts_per_second: per_second,
        alerts_burst: burst,
        active_runs_per_entity: 2,
        ..Limits::default()
    }
}

fn now() -> Timestamp {
    "2026-03-02T03:04:00Z".parse().unwrap()
}

fn later(milliseconds: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_millis(milliseconds)
}

fn entity(name: &str) -> EntityId {
    name.parse().unwrap()
}

fn alerts(name: &str, count: usize) -> BTreeMap<EntityId, usize> {
    BTreeMap::from([(entity(name), count)])
}

#[test]
fn the_burst_is_taken_and_one_more_is_not() {
    for (count, taken) in [(4, true), (5, true), (6, false)] {
        let rate = AlertRate::new(&limits(2, 5));
        let results: Vec<bool> = (0..count)
            .map(|_| rate.take(&alerts("ville", 1), now()).is_ok())
            .collect();
        assert_eq!(results.iter().all(|ok| *ok), taken, "{count}");
    }
}

#[test]
fn a_refusal_says_how_long_to_wait_and_is_right() {
    let rate = AlertRate::new(&limits(2, 5));
    rate.take(&alerts("ville", 5), now()).unwrap();
    let fast = rate.take(&alerts("ville", 2), now()).unwrap_err();
    assert_eq!(fast.wait, Duration::from_secs(1));
    assert_eq!(
        fast.to_string(),
        "alerts of `ville` come too fast: 5 at once and 2 in a second are taken"
    );
    assert!(rate.take(&alerts("ville", 2), later(999)).is_err());
    rate.take(&alerts("ville", 2), later(1_000)).unwrap();
}

#[test]
fn entities_do_not_share_and_a_submission_is_taken_whole() {
    let rate = AlertRate::new(&limits(1, 2));
    rate.take(&alerts("ville", 2), now()).unwrap();
    let both = BTreeMap::from([(entity("hopital"), 2), (entity("ville"), 1)]);
    assert!(rate.take(&both, now()).is_err());
    rate.take(&alerts("hopital", 2), now()).unwrap();
}

#[test]
fn a_submission_above_the_burst_is_taken_once_and_paid_for() {
    let rate = AlertRate::new(&limits(10, 5));
    rate.take(&alerts("ville", 100), now()).unwrap();
    let fast = rate.take(&alerts("ville", 1), now()).unwrap_err();
    assert_eq!(fast.wait, Duration::from_millis(9_600));
    rate.take(&alerts("ville", 1), later(9_600)).unwrap();
}

#[test]
fn a_clock_that_is_put_back_does_not_lock_an_entity_out() {
    let rate = AlertRate::new(&limits(1_000, 1));
    rate.take(&alerts("ville", 1), later(86_400_000)).unwrap();
    let fast = rate.take(&alerts("ville", 1), now()).unwrap_err();
    assert!(fast.wait <= Duration::from_secs(10), "{fast:?}");
}

#[test]
fn every_entity_has_its_own_places() {
    let places = Places::new(&limits(1, 1));
    let of_ville: Vec<_> = (0..3)
        .map(|_| places.of(&entity("ville")).try_acquire_owned())
        .collect();
    assert_eq!(of_ville.iter().filter(|place| place.is_ok()).count(), 2);
    assert!(places.of(&entity("hopital")).try_acquire_owned().is_ok());
    drop(of_ville);
    assert!(places.of(&entity("ville")).try_acquire_owned().is_ok());
}
