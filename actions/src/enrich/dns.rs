//! DNS: the addresses, mail exchangers and name servers of a domain.
//!
//! Owns the form of the answer. The question leaves through the door, to the resolver that the
//! connection names.

use std::sync::Arc;

use async_trait::async_trait;
use playbooks::action_spec::ProviderSpec;
use serde_json::json;

use super::{door, nothing_to_probe, provider};
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::text;

#[derive(Debug)]
struct Dns {
    spec: ProviderSpec,
}

/// The capabilities it fulfils.
pub(super) fn actions() -> Vec<Arc<dyn Action>> {
    vec![Arc::new(Dns {
        spec: provider(
            "enrich.dns",
            "dns",
            "the resolver and the name servers of the domain",
        ),
    })]
}

#[async_trait]
impl Action for Dns {
    fn provider(&self) -> &ProviderSpec {
        &self.spec
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let records = door(&context)?.records(text(call, "domain")?).await?;
        Ok(Performed::output(json!({
            "a": records.a, "aaaa": records.aaaa, "mx": records.mx, "ns": records.ns,
        })))
    }

    async fn probe(&self, _call: &Call, _context: Context<'_>) -> Probe {
        nothing_to_probe()
    }
}
