//! Measures that reach their end where nothing ends them by itself.
//!
//! Owns starting the inverse. It runs as an ordinary run of a playbook that Sortie writes itself,
//! so that it is intended, performed, retried and recorded like any other effect.

use std::collections::BTreeMap;
use std::time::Duration;

use playbooks::action_spec::Catalog;
use playbooks::compile::Bundle;
use playbooks::duration::Span;
use serde_json::{Value, json};
use state::access::Actor;
use state::event::{Mode, StartedBy};
use state::store::{Measure, NewRun, Once};

use super::{Dispatcher, Message};
use crate::library::compile_kept;

/// How often the register is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Measures taken back in one look.
const BATCH: usize = 200;
/// An inverse that failed is started again after this.
const TRY_AGAIN: Span = Span::minutes(15);

impl Dispatcher {
    pub(super) fn spawn_expiry(&self) {
        let dispatcher = self.clone();
        tokio::spawn(async move {
            loop {
                match dispatcher.inner.store.measures_due(dispatcher.now(), BATCH).await {
                    Ok(due) => {
                        for measure in due {
                            dispatcher.take_back(measure).await;
                        }
                    }
                    Err(error) => tracing::error!(%error, "The register of measures could not be read."),
                }
                tokio::select! {
                    () = dispatcher.inner.draining.cancelled() => return,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        });
    }

    async fn take_back(&self, measure: Measure) {
        let Some(inverse) = measure.inverse.clone() else {
            return;
        };
        let target = measure.target.clone();
        if let Err(reason) = self.start_inverse(measure, &inverse).await {
            tracing::error!(
                inverse,
                target,
                reason,
                "A measure reached its end and could not be taken back; this is tried again."
            );
        }
    }

    async fn start_inverse(&self, measure: Measure, inverse: &str) -> Result<(), String> {
        let (bundle, inputs) = inverse_playbook(&measure, inverse, &*self.inner.registry)?;
        let compiled = compile_kept(bundle, &*self.inner.registry).map_err(|found| {
            found
                .iter()
                .map(|one| one.message.clone())
                .collect::<Vec<_>>()
                .join("; ")
        })?;
        let compiled = self.inner.library.pin(compiled);
        let operator = self.operator();
        let entity = operator
            .entities
            .get(measure.entity.as_str())
            .ok_or_else(|| format!("entity `{}` is not configured", measure.entity))?;
        let now = self.now();
        let stored = match &measure.incident {
            Some(id) => self
                .inner
                .store
                .incident(id)
                .await
                .map_err(|error| error.to_string())?,
            None => None,
        };
        let incident = measure
            .incident
            .clone()
            .zip(stored.as_ref().map(|stored| &stored.incident));
        let request = engine::StartRequest {
            run: crate::clock::fresh_run_id(now),
            incident,
            inputs,
            by: StartedBy::Expiry,
            actor: Actor::engine(),
            mode: Mode::Auto,
        };
        let started = engine::start(
            &compiled.plan,
            request,
            &self.surroundings(&operator, entity, now, engine::BlockCounts::default()),
        )
        .map_err(|refusal| refusal.to_string())?;
        self.keep(&compiled).await.map_err(|error| error.to_string())?;
        let once = Once {
            key: measure.key.as_str().to_owned(),
            within: TRY_AGAIN,
        };
        let run = self
            .inner
            .store
            .start(
                NewRun {
                    started,
                    once: Some(once),
                },
                now,
            )
            .await
            .map_err(|error| error.to_string())?;
        self.tell(&run, Message::Go);
        Ok(())
    }
}

/// The playbook that takes one measure back, and its inputs. The arguments travel as inputs, never
/// as text of the playbook, so nothing in a measure can become syntax.
fn inverse_playbook(
    measure: &Measure,
    inverse: &str,
    catalog: &dyn Catalog,
) -> Result<(Bundle, BTreeMap<String, Value>), String> {
    let spec = catalog
        .action(inverse)
        .ok_or_else(|| format!("there is no action `{inverse}`"))?;
    let arguments = measure.inverse_arguments.as_object().cloned().unwrap_or_default();
    let mut types = serde_json::Map::new();
    let mut with = serde_json::Map::new();
    for name in arguments.keys() {
        let parameter = spec
            .inputs
            .get(name)
            .ok_or_else(|| format!("`{inverse}` has no input `{name}`"))?;
        types.insert(
            name.clone(),
            json!({ "type": parameter.ty.required().to_string() }),
        );
        with.insert(name.clone(), json!(format!("${{{{ inputs.{name} }}}}")));
    }
    let id = format!("expiry-{}", inverse.replace(['.', '_'], "-"));
    let playbook = json!({
        "id": id,
        "name": format!("End of {}", measure.action),
        "version": 1,
        "description": "A measure has reached its end. Written by Sortie itself.",
        "owner": "sortie",
        "trigger": { "manual": false },
        "limits": { "tlp": "red", "pap": "green", "time": "24h" },
        "may": ["contain"],
        "inputs": types,
        "steps": { "lift": { "uses": inverse, "using": measure.connection, "with": with } },
    });
    let playbook = serde_yaml::to_string(&playbook).map_err(|error| error.to_string())?;
    let bundle = Bundle {
        name: format!("{id}.yaml"),
        playbook,
        templates: indexmap::IndexMap::new(),
    };
    Ok((bundle, arguments.into_iter().collect()))
}
