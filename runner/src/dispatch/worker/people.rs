//! Taking up what a person decided.
//!
//! Owns asking the far end in a person's name. The answer is recorded as theirs, with the fact that
//! it was asked for.

use engine::{Command, Refusal};
use state::access::Actor;
use state::event::{ProbeAnswer, Settlement};
use state::ids::Path;

use super::keep::Order;
use super::{Loaded, Trouble, Worker};
use crate::dispatch::people::{DecideError, Decision, Heard};
use crate::dispatch::perform::{Finding, call};
use crate::dispatch::register;

impl Worker {
    pub(super) async fn decided(
        &mut self,
        loaded: &mut Loaded,
        decision: Decision,
    ) -> Result<Result<Heard, DecideError>, Trouble> {
        match decision {
            Decision::Give(command) => {
                let order = self.with_what_it_leaves(loaded, command).await;
                let refused = self.step(loaded, order).await?;
                Ok(refused.map_or(Ok(Heard::Recorded), |refusal| Err(refusal.into())))
            }
            Decision::Ask { path, actor, reason } => self.ask(loaded, path, actor, reason).await,
        }
    }

    /// An effect that a person found done is in force like any other: it enters the register, so
    /// that it has an end.
    async fn with_what_it_leaves(&self, loaded: &Loaded, command: Command) -> Order {
        let Command::Settle {
            path,
            answer: answer @ Settlement::Done { .. },
            ..
        } = &command
        else {
            return command.into();
        };
        let dispatcher = &self.dispatcher;
        let Some(intended) = loaded.run.in_doubt(&loaded.compiled.plan, path).cloned() else {
            return command.into();
        };
        let begun = loaded.begun_at(path).unwrap_or_else(|| dispatcher.now());
        let call = call(
            &loaded.started,
            &intended,
            begun,
            &loaded.entity,
            &loaded.operator,
            &loaded.facts,
        );
        let connection = intended.connections.first().map(String::as_str);
        let changes = dispatcher.inner.registry.in_doubt(&call, connection);
        let undone = loaded.run.undone_by(&loaded.compiled.plan, path);
        let (updates, mut measures) = dispatcher
            .house_changes(
                &loaded.started,
                &intended,
                undone.as_ref(),
                changes,
                dispatcher.now(),
            )
            .await;
        let left = register::as_settled(&intended, answer);
        dispatcher
            .also_register(loaded, &intended, left, &mut measures)
            .await;
        Order {
            command,
            updates,
            measures,
        }
    }

    async fn ask(
        &mut self,
        loaded: &mut Loaded,
        path: Path,
        actor: Actor,
        reason: String,
    ) -> Result<Result<Heard, DecideError>, Trouble> {
        let dispatcher = self.dispatcher.clone();
        let Some(intended) = loaded.run.in_doubt(&loaded.compiled.plan, &path).cloned() else {
            let why = format!("`{path}` is not in doubt; only then is there something to ask");
            return Ok(Err(Refusal::Unfit { why }.into()));
        };
        let call = call(
            &loaded.started,
            &intended,
            loaded.begun_at(&path).unwrap_or_else(|| dispatcher.now()),
            &loaded.entity,
            &loaded.operator,
            &loaded.facts,
        );
        let found = dispatcher.carry_out(call, intended.clone(), true).await.finding;
        let (answer, heard, changes) = match found {
            Finding::Probed {
                answer: ProbeAnswer::Done { output },
                changes,
            } => (Settlement::Done { output }, Heard::WasDone, changes),
            Finding::Probed {
                answer: ProbeAnswer::NotDone,
                changes,
            } => (Settlement::NotDone, Heard::WasNotDone, changes),
            Finding::Probed {
                answer: ProbeAnswer::CannotTell { detail },
                ..
            } => return Ok(Err(DecideError::CannotTell { detail })),
            Finding::Finished { .. } => {
                let detail = "it was not asked".to_owned();
                return Ok(Err(DecideError::CannotTell { detail }));
            }
        };
        let undone = loaded.run.undone_by(&loaded.compiled.plan, &path);
        let (updates, mut measures) = dispatcher
            .house_changes(
                &loaded.started,
                &intended,
                undone.as_ref(),
                changes,
                dispatcher.now(),
            )
            .await;
        let left = register::as_settled(&intended, &answer);
        dispatcher
            .also_register(loaded, &intended, left, &mut measures)
            .await;
        let settle = Command::Settle {
            path,
            answer,
            probed: true,
            actor,
            reason,
        };
        let order = Order {
            command: settle,
            updates,
            measures,
        };
        let refused = self.step(loaded, order).await?;
        Ok(refused.map_or(Ok(heard), |refusal| Err(refusal.into())))
    }
}
