//! Taking a run up: its events, the revision it pinned, and the operator's side as of now.
//!
//! Owns nothing that lasts. Changes nothing.

use std::sync::Arc;

use engine::Run;
use playbooks::compile::Bundle;
use state::event::{Event, Recorded, Started};
use state::ids::EntityId;

use super::{Loaded, Trouble, Worker};
use crate::dispatch::budget::is_block;
use crate::library::{Compiled, compile_kept};

impl Worker {
    pub(super) async fn load(&self) -> Result<Loaded, Trouble> {
        let inner = &self.dispatcher.inner;
        let events = inner.store.load(&self.run).await?;
        let Some(Recorded {
            event: Event::Started(started),
            ..
        }) = events.first()
        else {
            return Err(Trouble::Run("it has no first event".to_owned()));
        };
        let started = started.clone();
        let compiled = self.plan(&started).await?;
        let run = Run::fold(&compiled.plan, &events).map_err(|corrupt| Trouble::Run(corrupt.to_string()))?;
        let operator = self.dispatcher.operator();
        let entity = operator
            .entities
            .get(started.entity.as_str())
            .cloned()
            .ok_or_else(|| {
                Trouble::Run(format!(
                    "entity `{}` is not configured any more; add its file again",
                    started.entity
                ))
            })?;
        let may_block = compiled
            .plan
            .steps
            .values()
            .any(|step| is_block(&step.action.name));
        if may_block {
            self.learn(&started.entity, &run).await?;
        }
        let facts = Arc::new(started.facts.clone());
        Ok(Loaded {
            started,
            compiled,
            run,
            operator,
            entity: Arc::new(entity),
            facts,
            may_block,
        })
    }

    /// Counts the blocks that a run has under way.
    pub(super) async fn learn(&self, entity: &EntityId, run: &Run) -> Result<(), Trouble> {
        let inner = &self.dispatcher.inner;
        let now = self.dispatcher.now();
        inner
            .budget
            .learn(&*inner.store, entity, run.under_way(), now)
            .await?;
        Ok(())
    }

    /// The revision the run pinned: from memory, else from the store.
    async fn plan(&self, started: &Started) -> Result<Arc<Compiled>, Trouble> {
        let inner = &self.dispatcher.inner;
        let revision = &started.playbook.revision;
        if let Some(compiled) = inner.library.revision(revision) {
            return Ok(compiled);
        }
        let missing = |why: &str| {
            Trouble::Run(format!(
                "playbook {} revision {revision} {why}",
                started.playbook.id
            ))
        };
        let text = inner
            .store
            .plan(revision)
            .await?
            .ok_or_else(|| missing("is not kept in the store"))?;
        let bundle: Bundle = serde_json::from_str(&text).map_err(|error| missing(&error.to_string()))?;
        let compiled = compile_kept(bundle, &*inner.registry).map_err(|found| {
            let first = found
                .first()
                .map_or_else(String::new, |found| format!(": {} {}", found.code, found.message));
            missing(&format!("does not compile with this version of Sortie{first}"))
        })?;
        if compiled.plan.revision != *revision {
            return Err(missing("has another content hash with this version of Sortie"));
        }
        Ok(inner.library.pin(compiled))
    }
}
