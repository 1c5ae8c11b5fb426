//! Provider `block_list`: the list per entity that firewalls, proxies and resolvers fetch from
//! Sortie.
//!
//! Owns the change it asks for. The commit that stores the outcome performs it, so a block without
//! an outcome was never made. The list drops an entry by itself at its end.

use async_trait::async_trait;
use playbooks::action_spec::{ProviderSpec, Recovery};
use playbooks::duration::Span;
use serde_json::{Value, json};

use super::{Target, direction, must_end};
use crate::action::{Action, ActionError, Call, Context, HouseChange, Performed, Probe};
use crate::arguments;

/// Puts one kind of target on the pull list, or takes it off.
#[derive(Debug)]
pub(crate) struct PullList {
    provider: ProviderSpec,
}

impl PullList {
    /// The provider of `block.ip`, `unblock.url`...
    pub(crate) fn new(capability: &str) -> Self {
        Self {
            provider: ProviderSpec {
                capability: capability.to_owned(),
                provider: "block_list".to_owned(),
                recovery: Recovery::Set,
                settle: Span::milliseconds(0),
                discloses_to: "the entity's own firewall, proxy or resolver".to_owned(),
                expires_by_itself: true,
            },
        }
    }
}

#[async_trait]
impl Action for PullList {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, _: Context<'_>) -> Result<Performed, ActionError> {
        let target = Target::of(call)?;
        let mut output = target.as_input();
        let change = if call.action.starts_with("unblock.") {
            HouseChange::LiftMeasures {
                kind: target.kind,
                target: target.value,
                direction: way(target.kind, call)?,
            }
        } else {
            must_end(call)?;
            output.insert("list".to_owned(), json!(target.kind));
            HouseChange::PutMeasure {
                kind: target.kind,
                target: target.value,
                direction: way(target.kind, call)?,
                reason: arguments::text(call, "reason")?.to_owned(),
                inverse: None,
            }
        };
        Ok(Performed {
            output: Value::Object(output),
            reference: None,
            changes: vec![change],
        })
    }

    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        Probe::NotDone
    }
}

/// The direction of a call; only addresses have one.
fn way(kind: &str, call: &Call) -> Result<Option<String>, ActionError> {
    (kind == "ip")
        .then(|| direction(call).map(str::to_owned))
        .transpose()
}
