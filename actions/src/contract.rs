//! What every action must keep, as checks that tests call.
//!
//! Owns the rules: declarations fit together, outputs keep their form, hostile answers become typed
//! failures without a secret in them, and what says it is repeatable is. Knows no far end; a test
//! brings its own [`Fake`].

mod fake;
mod hostile;

mod tests;

use playbooks::action_spec::{ActionSpec, Recovery};
use playbooks::marking::EffectClass;
use playbooks::types::Type;
use serde_json::Value;

pub(crate) use self::fake::{Fake, Reply, Seen};
pub(crate) use self::hostile::{Body, survives_hostile_answers};
use crate::action::{Action, Call, Performed, Probe};
use crate::clock::TestClock;
use crate::connection::tests::loopback;
use crate::connection::{Auth, ConnectionSettings};
use crate::egress::Door;
use crate::testing::{HeldFiles, through};

/// The secret of every connection in these checks.
pub(crate) const SECRET: &str = "hunter2-canary-5f1d";

/// Settings that lead to a fake with the secret as bearer token.
pub(crate) fn settings(provider: &str, base: &str) -> ConnectionSettings {
    let mut settings = loopback("far", provider, base);
    settings.auth = Auth::Bearer(SECRET.into());
    settings
}

/// A door to a fake, with settings of the provider's own.
pub(crate) fn door(provider: &str, base: &str, own: &Value) -> Door {
    let mut settings = settings(provider, base);
    for (name, value) in own.as_object().into_iter().flatten() {
        settings.settings.insert(name.clone(), value.clone());
    }
    Door::open(settings, TestClock::new()).unwrap()
}

/// The declaration of a provider fits its capability.
pub(crate) fn declares_consistently(action: &dyn Action) {
    let provider = action.provider();
    let capabilities = crate::catalogue::capabilities();
    let name = format!("{} by {}", provider.capability, provider.provider);
    let spec: &ActionSpec = capabilities
        .get(&provider.capability)
        .unwrap_or_else(|| panic!("{name} fulfils no capability"));
    assert!(
        !provider.discloses_to.is_empty(),
        "{name} does not say whom it tells"
    );
    assert_eq!(
        provider.provider == crate::registry::HOUSE,
        !spec.needs_connection,
        "{name} is in the house exactly when it needs no connection"
    );
    if spec.effect == EffectClass::Read {
        assert_eq!(provider.recovery, Recovery::Read, "{name} only reads");
    } else if provider.capability != "http.request" {
        assert_ne!(provider.recovery, Recovery::Read, "{name} has an effect");
    }
    if spec.effect >= EffectClass::Contain {
        assert!(
            spec.inverse.is_some() || spec.no_inverse_because.is_some(),
            "{name} neither has an inverse nor says why not"
        );
    }
    assert!(
        provider.settle.as_milliseconds() == 0
            || !matches!(provider.recovery, Recovery::Read | Recovery::Once),
        "{name} settles, but is never asked"
    );
}

/// The outputs have the promised form, with nothing dropped.
pub(crate) fn keeps_its_promise(action: &dyn Action, performed: &Performed) {
    let capabilities = crate::catalogue::capabilities();
    let spec = &capabilities[&action.provider().capability];
    let checked = playbooks::values::check(&performed.output, &Type::Record(spec.outputs.clone()));
    if let Err(mismatch) = checked {
        panic!("{} gave {mismatch}: {}", spec.name, performed.output);
    }
}

/// Doing it twice with the same key leaves one effect, as `Recovery::Set` and `Recovery::Keyed`
/// promise.
pub(crate) async fn repeats_without_harm(
    action: &dyn Action,
    call: &Call,
    door: &Door,
    effects: impl Fn() -> usize,
) {
    let recovery = action.provider().recovery;
    assert!(
        matches!(recovery, Recovery::Set | Recovery::Keyed),
        "{recovery:?} promises nothing"
    );
    let files = HeldFiles::default();
    let mut again = call.clone();
    again.attempt += 1;
    let first = action.perform(call, through(door, &files)).await.unwrap();
    let second = action.perform(&again, through(door, &files)).await.unwrap();
    assert_eq!(effects(), 1, "the second attempt had an effect of its own");
    assert_eq!(first.output, second.output);
}

/// Asked before, the far end says no; asked after, yes.
pub(crate) async fn can_be_asked(action: &dyn Action, call: &Call, door: &Door) {
    let files = HeldFiles::default();
    assert_eq!(action.probe(call, through(door, &files)).await, Probe::NotDone);
    let performed = action.perform(call, through(door, &files)).await.unwrap();
    match action.probe(call, through(door, &files)).await {
        Probe::Done(found) => assert_eq!(found.reference, performed.reference),
        other => panic!("after it was done: {other:?}"),
    }
}
