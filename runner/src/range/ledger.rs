//! What was done to the fakes: the proof that no effect happened twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};

use super::exchange::Service;
use super::lock;

/// How Sortie marks what it makes in far systems.
const MARKER_PREFIX: &str = "sortie-";
/// Hexadecimal digits behind the prefix.
const MARKER_DIGITS: usize = 16;

/// Something that changed at a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Where.
    pub service: Service,
    /// What: `ticket created`, `address added`, `mail received`.
    pub what: &'static str,
    /// Sortie's marker when the request held one, else what the service itself would call it.
    pub key: String,
    /// SHA-256 of the request's body, lower-case hexadecimal.
    pub digest: String,
}

/// Every effect, in order, and how often each service was called.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    effects: Vec<Effect>,
    calls: BTreeMap<Service, u64>,
}

impl Ledger {
    /// Every effect so far, oldest first.
    pub fn effects(&self) -> Vec<Effect> {
        lock(&self.0).effects.clone()
    }

    /// How many effects of a kind there were.
    pub fn count(&self, service: Service, what: &str) -> usize {
        let book = lock(&self.0);
        book.effects
            .iter()
            .filter(|effect| effect.service == service && effect.what == what)
            .count()
    }

    /// How often a service was asked, for whatever.
    pub fn calls(&self, service: Service) -> u64 {
        lock(&self.0).calls.get(&service).copied().unwrap_or(0)
    }

    /// Effects with the same service, kind and key that happened more than once, with how often.
    /// Empty is what every test wants.
    pub fn repeated(&self) -> Vec<(Effect, usize)> {
        let book = lock(&self.0);
        let mut counts: BTreeMap<(Service, &str, &str), (usize, &Effect)> = BTreeMap::new();
        for effect in &book.effects {
            counts
                .entry((effect.service, effect.what, &effect.key))
                .or_insert((0, effect))
                .0 += 1;
        }
        counts
            .into_values()
            .filter(|(count, _)| *count > 1)
            .map(|(count, effect)| (effect.clone(), count))
            .collect()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *lock(&self.0) = Book::default();
    }

    pub(super) fn called(&self, service: Service) {
        *lock(&self.0).calls.entry(service).or_insert(0) += 1;
    }

    /// Writes an effect down. `natural` names it when the body holds no marker.
    pub(super) fn happened(&self, service: Service, what: &'static str, natural: &str, body: &[u8]) {
        let effect = Effect {
            service,
            what,
            key: marker(body).unwrap_or_else(|| natural.to_owned()),
            digest: hex::encode(Sha256::digest(body)),
        };
        lock(&self.0).effects.push(effect);
    }
}

/// The first marker in a body.
pub(super) fn marker(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    text.match_indices(MARKER_PREFIX).find_map(|(at, _)| {
        let found = text.get(at..at + MARKER_PREFIX.len() + MARKER_DIGITS)?;
        let digits = found.strip_prefix(MARKER_PREFIX)?;
        let whole = digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        whole.then(|| found.to_owned())
    })
}
