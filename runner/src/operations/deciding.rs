//! What people decide about runs: looking at what would follow, and deciding.
//!
//! Owns the permission of each verb and the words of refusals. Everything that changes a run goes
//! through its worker; a repetition is a run of its own.

use engine::{Command, Run};
use playbooks::marking::EffectClass;
use serde_json::Value;
use state::access::{Actor, Permission, Principal};
use state::event::{Event, Recorded, Settlement, Started};
use state::ids::{EntityId, Path};
use state::store::RunSummary;
use web::OperationError;
use web::operations::Answer;
use web::view::{
    EffectView, Preview, PreviewEffect, Rerun, Retry, RunDecided, RunVerb, Settle, SettleWord, Undo, Version,
};

use super::{LocalOperations, not_started};
use crate::dispatch::{ByHand, DecideError, Heard};
use crate::library::Compiled;

/// A run with what it takes to look into it.
struct Opened {
    summary: RunSummary,
    events: Vec<Recorded>,
    compiled: std::sync::Arc<Compiled>,
    run: Run,
}

impl Opened {
    fn started(&self) -> &Started {
        self.run.started()
    }
}

impl LocalOperations {
    pub(super) async fn previewed(&self, caller: &Principal, run: &str, verb: RunVerb) -> Answer<Preview> {
        let scope = caller.scope(verb.permission())?;
        let summary = self.summary(&scope, run).await?;
        let opened = self.opened(summary).await?;
        let (effects, besides) = match verb {
            RunVerb::Retry(Retry { from }) => would_retry(&opened, from.as_deref())?,
            RunVerb::Rerun(_) => (self.would_repeat(&opened).await?, Vec::new()),
            RunVerb::Undo(Undo { effect }) => {
                let lines = self.would_undo(&opened, effect.as_deref()).await?;
                (lines.into_iter().map(|(_, line)| line).collect(), Vec::new())
            }
            RunVerb::Settle(_) | RunVerb::Acknowledge => {
                return Err(OperationError::invalid("there is nothing to look at before this"));
            }
        };
        Ok(Preview {
            run: opened.summary.into(),
            effects,
            besides,
        })
    }

    pub(super) async fn decided(
        &self,
        caller: &Principal,
        run: &str,
        verb: RunVerb,
        reason: &str,
    ) -> Answer<RunDecided> {
        let scope = caller.scope(verb.permission())?;
        let summary = self.summary(&scope, run).await?;
        let (actor, reason) = (caller.actor().clone(), reason.to_owned());
        let run = summary.run.clone();
        let (shown, said) = match verb {
            RunVerb::Settle(settle) => (run.clone(), self.settled(&summary, settle, actor, reason).await?),
            RunVerb::Acknowledge => {
                let command = Command::Acknowledge { actor, reason };
                self.dispatcher.decide(&run, command).await.map_err(refused)?;
                (run, "taken note of; nothing else follows from it".to_owned())
            }
            RunVerb::Retry(Retry { from }) => {
                let command = Command::Retry { from, actor, reason };
                self.dispatcher.decide(&run, command).await.map_err(refused)?;
                (run, "what failed is tried again".to_owned())
            }
            RunVerb::Undo(Undo { effect }) => {
                let opened = self.opened(summary).await?;
                let said = self.undone(&opened, effect.as_deref(), actor, reason).await?;
                (run, said)
            }
            RunVerb::Rerun(Rerun { version }) => {
                let opened = self.opened(summary).await?;
                let new = self.repeated(&opened, version, actor, reason).await?;
                let said = format!("run {} repeats run {}", new.short(), run.short());
                (new, said)
            }
        };
        let now = self.summary(&scope, shown.as_str()).await?;
        Ok(RunDecided {
            run: now.into(),
            said,
        })
    }

    async fn settled(
        &self,
        summary: &RunSummary,
        settle: Settle,
        actor: Actor,
        reason: String,
    ) -> Answer<String> {
        let Settle {
            place,
            answer,
            output,
        } = settle;
        let path: Path = place
            .parse()
            .map_err(|error: state::ids::BadId| OperationError::invalid(error.to_string()))?;
        if answer != SettleWord::Done && answer != SettleWord::DoneByHand && !output.is_empty() {
            return Err(OperationError::invalid(
                "outputs belong to done and done_by_hand only",
            ));
        }
        let output = Value::Object(output);
        let answer = match answer {
            SettleWord::Done => Settlement::Done { output },
            SettleWord::DoneByHand => Settlement::ByHand { output },
            SettleWord::NotDone => Settlement::NotDone,
            SettleWord::Probe => {
                let heard = self.dispatcher.ask(&summary.run, path, actor, reason).await;
                return Ok(match heard.map_err(refused)? {
                    Heard::WasDone => format!("the far end says that `{place}` had been done"),
                    Heard::WasNotDone | Heard::Recorded => {
                        format!("the far end says that `{place}` had not been done")
                    }
                });
            }
        };
        let command = Command::Settle {
            path,
            answer,
            probed: false,
            actor,
            reason,
        };
        self.dispatcher
            .decide(&summary.run, command)
            .await
            .map_err(refused)?;
        Ok(format!("recorded what became of `{place}`"))
    }

    /// Starts a run like another one, and tells that one.
    async fn repeated(
        &self,
        opened: &Opened,
        version: Version,
        actor: Actor,
        reason: String,
    ) -> Answer<state::ids::RunId> {
        let old = opened.started();
        if !opened.summary.row.status.is_over() {
            return Err(OperationError::Refused {
                why: format!("run {} is not over: {}", old.run.short(), opened.summary.row.note),
                help: Some(format!("end it first: sortie runs cancel {}", old.run.short())),
            });
        }
        let compiled = match version {
            Version::Own => std::sync::Arc::clone(&opened.compiled),
            Version::Current => self.current(&old.playbook.id)?,
        };
        let incident = match &old.incident {
            Some(id) => {
                let stored = self.dispatcher.store().incident(id).await?;
                let stored = stored.ok_or_else(|| OperationError::not_found(format!("incident {id}")))?;
                Some((id.clone(), stored.incident))
            }
            None => None,
        };
        let by_hand = ByHand {
            entity: old.entity.clone(),
            incident,
            inputs: old.inputs.clone(),
            actor: actor.clone(),
            mode: old.mode,
            rerun_of: Some(old.run.clone()),
        };
        let new = self
            .dispatcher
            .start_by_hand(&compiled, by_hand)
            .await
            .map_err(not_started)?
            .run;
        let run = new.clone();
        let command = Command::Rerun { run, actor, reason };
        // The new run has begun and names the old one. To answer with an error now would make
        // somebody start it once more.
        if let Err(error) = self.dispatcher.decide(&old.run, command).await {
            tracing::warn!(run = %old.run, again_as = %new, %error, "A run does not say that it was started again; the new one does.");
        }
        Ok(new)
    }

    /// Every effect of a run, newest first, and whether it can be taken back and is still in force.
    async fn would_undo(&self, opened: &Opened, only: Option<&str>) -> Answer<Vec<(Path, PreviewEffect)>> {
        let started = opened.started();
        let operator = self.dispatcher.operator();
        let entity = operator
            .entities
            .get(started.entity.as_str())
            .ok_or_else(|| OperationError::not_found(format!("entity `{}`", started.entity)))?;
        let now = self.dispatcher.now();
        let in_force = self.dispatcher.store().measures(&started.entity, now).await?;
        let around = self
            .dispatcher
            .surroundings(&operator, entity, now, engine::BlockCounts::default());
        let mut lines = Vec::new();
        for line in opened.run.undo_plan(&opened.compiled.plan, &around) {
            let place = line.path.to_string();
            if only.is_some_and(|only| only != place) {
                continue;
            }
            let intended = &line.intended;
            let registered = in_force.iter().any(|measure| measure.key == intended.key);
            // Blocks are registered as long as they are in force.
            let gone = intended.action.starts_with("block.") && !registered;
            let (possible, note) = match line.inverse {
                Ok(_) if gone => (false, "it is not in force any more".to_owned()),
                Ok(inverse) => (true, format!("by {}", inverse.action)),
                Err(why) => (false, why),
            };
            let effect = PreviewEffect {
                run: started.run.clone(),
                place,
                action: intended.action.clone(),
                class: intended.effect,
                arguments: Some(intended.arguments.clone()),
                note,
                possible,
            };
            lines.push((line.path, effect));
        }
        if lines.is_empty()
            && let Some(only) = only
        {
            return Err(OperationError::not_found(format!(
                "effect `{}` of run {}",
                only.chars().take(60).collect::<String>(),
                started.run.short()
            )));
        }
        Ok(lines)
    }

    /// Takes back what can be.
    async fn undone(
        &self,
        opened: &Opened,
        only: Option<&str>,
        actor: Actor,
        reason: String,
    ) -> Answer<String> {
        let lines = self.would_undo(opened, only).await?;
        let (possible, rest): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(_, line)| line.possible);
        if possible.is_empty() {
            let why = rest.first().map_or_else(
                || "the run had no effects".to_owned(),
                |(_, line)| format!("`{}`: {}", line.place, line.note),
            );
            return Err(OperationError::Refused {
                why: format!("there is nothing to take back; {why}"),
                help: None,
            });
        }
        let count = possible.len();
        let command = Command::Undo {
            paths: possible.into_iter().map(|(path, _)| path).collect(),
            actor,
            reason,
        };
        let run = &opened.started().run;
        self.dispatcher.decide(run, command).await.map_err(refused)?;
        Ok(if count == 1 {
            "1 effect is taken back".to_owned()
        } else {
            format!("{count} effects are taken back, newest first")
        })
    }

    /// What is in force, by entity and target.
    pub(super) async fn in_force(
        &self,
        caller: &Principal,
        entity: Option<EntityId>,
    ) -> Answer<Vec<EffectView>> {
        let scope = caller.scope(Permission::See)?;
        let operator = self.dispatcher.operator();
        let known = operator
            .entities
            .keys()
            .filter_map(|id| id.parse::<EntityId>().ok());
        let mut entities: Vec<EntityId> = known.filter(|id| scope.covers(id)).collect();
        if let Some(entity) = entity {
            if !entities.contains(&entity) {
                return Err(OperationError::not_found(format!("entity `{entity}`")));
            }
            entities = vec![entity];
        }
        let mut effects = Vec::new();
        for entity in entities {
            let measures = self
                .dispatcher
                .store()
                .measures(&entity, self.dispatcher.now())
                .await?;
            effects.extend(measures.into_iter().map(EffectView::from));
        }
        Ok(effects)
    }

    async fn opened(&self, summary: RunSummary) -> Answer<Opened> {
        let events = self.dispatcher.store().load(&summary.run).await?;
        let compiled = self.compiled(&summary.playbook.revision).await?;
        let run = Run::fold(&compiled.plan, &events).map_err(OperationError::internal)?;
        Ok(Opened {
            summary,
            events,
            compiled,
            run,
        })
    }

    /// The effects of a run that one like it would have once more.
    async fn would_repeat(&self, opened: &Opened) -> Answer<Vec<PreviewEffect>> {
        let started = opened.started();
        let in_force = self
            .dispatcher
            .store()
            .measures(&started.entity, self.dispatcher.now())
            .await?;
        let effects = opened.run.effects_done(&opened.compiled.plan).into_iter();
        Ok(effects
            .filter(|effect| effect.intended.effect > EffectClass::Read)
            .map(|effect| {
                let measure = in_force.iter().find(|measure| measure.key == effect.intended.key);
                PreviewEffect {
                    run: started.run.clone(),
                    place: effect.path.to_string(),
                    action: effect.intended.action.clone(),
                    class: effect.intended.effect,
                    arguments: Some(effect.intended.arguments.clone()),
                    note: match measure {
                        Some(measure) => {
                            format!("in force until {}", measure.until.strftime("%Y-%m-%d %H:%MZ"))
                        }
                        None => format!("done {}", finished_at(&opened.events, &effect.path)),
                    },
                    possible: true,
                }
            })
            .collect())
    }
}

/// When a place was last settled, for people.
fn finished_at(events: &[Recorded], place: &Path) -> String {
    let mine = |recorded: &&Recorded| match &recorded.event {
        Event::Finished { path, .. } | Event::Probed { path, .. } | Event::Settled { path, .. } => {
            path == place
        }
        _ => false,
    };
    events
        .iter()
        .rev()
        .find(mine)
        .map_or_else(String::new, |recorded| {
            recorded.at.strftime("%Y-%m-%d %H:%MZ").to_string()
        })
}

type Would = (Vec<PreviewEffect>, Vec<String>);

fn would_retry(opened: &Opened, from: Option<&str>) -> Answer<Would> {
    let again = opened
        .run
        .again(&opened.compiled.plan, from)
        .map_err(|why| OperationError::Refused { why, help: None })?;
    let (effects, besides): (Vec<_>, Vec<_>) =
        again.into_iter().partition(|one| one.effect > EffectClass::Read);
    let effects = effects.into_iter().map(|one| PreviewEffect {
        run: opened.summary.run.clone(),
        place: one.path.to_string(),
        action: one.action,
        class: one.effect,
        arguments: one.arguments,
        note: one.before,
        possible: true,
    });
    let besides = besides
        .into_iter()
        .map(|one| format!("{} ({}): {}", one.path, one.action, one.before));
    Ok((effects.collect(), besides.collect()))
}

/// Why a decision was not recorded, for whoever asked.
pub(super) fn refused(error: DecideError) -> OperationError {
    match error {
        DecideError::Refused(refusal) => OperationError::Refused {
            why: refusal.to_string(),
            help: None,
        },
        DecideError::CannotTell { .. } => OperationError::Refused {
            why: error.to_string(),
            help: Some("look there yourself, then settle it with --done or --not-done".to_owned()),
        },
        DecideError::NotYet => OperationError::Busy {
            why: error.to_string(),
            retry_after: web::error::RETRY_AFTER_DEFAULT,
        },
    }
}
