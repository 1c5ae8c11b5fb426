//! Answers of look-ups, kept for a while.
//!
//! Owns what counts as the same question: the same entity, connection, action and arguments. One
//! entity never sees what another asked for. Failures are not kept.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use moka::future::Cache;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::action::{Call, Performed};
use crate::clock::Clock;

/// Bytes of kept answers, about.
pub(crate) const CACHE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// How long an answer is kept.
pub(crate) const KEPT_FOR: Duration = Duration::from_hours(1);
/// How long the answer of a registry is kept.
pub(crate) const KEPT_FOR_RDAP: Duration = Duration::from_hours(6);
/// How long an answer about names is kept.
pub(crate) const KEPT_FOR_DNS: Duration = Duration::from_mins(5);

/// An answer and when it was given.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// What came of the call.
    pub(crate) performed: Performed,
    /// When the far end answered.
    pub(crate) at: Timestamp,
    until: Duration,
}

/// The kept answers.
#[derive(Debug)]
pub(crate) struct LookupCache {
    answers: Cache<[u8; 32], Arc<Kept>>,
    clock: Arc<dyn Clock>,
}

impl LookupCache {
    /// Nothing kept yet.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let answers = Cache::builder()
            .max_capacity(CACHE_BYTES_MAX)
            .weigher(|_, kept: &Arc<Kept>| {
                u32::try_from(kept.performed.output.to_string().len()).unwrap_or(u32::MAX)
            })
            // Frees memory; what is too old to be used is decided by our clock.
            .time_to_live(KEPT_FOR_RDAP)
            .build();
        Self { answers, clock }
    }

    /// The answer to the same question, if it is not too old.
    pub(crate) async fn get(&self, connection: &str, call: &Call) -> Option<Arc<Kept>> {
        let kept = self.answers.get(&question(connection, call)).await?;
        (kept.until > self.clock.elapsed()).then_some(kept)
    }

    /// Keeps an answer.
    pub(crate) async fn keep(&self, connection: &str, call: &Call, performed: Performed) -> Arc<Kept> {
        let kept = Arc::new(Kept {
            performed,
            at: call.now,
            until: self.clock.elapsed() + kept_for(&call.action),
        });
        self.answers
            .insert(question(connection, call), Arc::clone(&kept))
            .await;
        kept
    }
}

fn kept_for(action: &str) -> Duration {
    match action {
        "enrich.rdap" => KEPT_FOR_RDAP,
        "enrich.dns" => KEPT_FOR_DNS,
        _ => KEPT_FOR,
    }
}

fn question(connection: &str, call: &Call) -> [u8; 32] {
    let parts = [
        call.entity.id.as_str(),
        connection,
        call.action.as_str(),
        &canonical(&call.arguments),
    ];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// JSON with the fields in order.
fn canonical(arguments: &Value) -> String {
    let mut sorted = arguments.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::{KEPT_FOR, LookupCache};
    use crate::action::Performed;
    use crate::clock::TestClock;
    use crate::testing::call;

    #[tokio::test(start_paused = true)]
    async fn answers_are_kept_for_their_time_and_their_entity() {
        let cache = LookupCache::new(TestClock::new());
        let asked = call("enrich.url", json!({"url": "https://a.example/", "depth": 1}));
        cache
            .keep("vt", &asked, Performed::output(json!({"score": 1})))
            .await;
        let same = call("enrich.url", json!({"depth": 1, "url": "https://a.example/"}));
        assert!(cache.get("vt", &same).await.is_some());
        assert!(cache.get("vt2", &same).await.is_none(), "another connection");
        let other = call("enrich.url", json!({"url": "https://b.example/"}));
        assert!(cache.get("vt", &other).await.is_none(), "another question");
        let mut neighbour = same.clone();
        let mut entity = (*neighbour.entity).clone();
        entity.id = "another".to_owned();
        neighbour.entity = entity.into();
        assert!(cache.get("vt", &neighbour).await.is_none(), "another entity");

        tokio::time::advance(KEPT_FOR.abs_diff(Duration::from_millis(1))).await;
        assert!(cache.get("vt", &same).await.is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(cache.get("vt", &same).await.is_none());
    }
}
