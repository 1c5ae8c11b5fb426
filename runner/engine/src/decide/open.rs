//! The first attempt of a step or item: arguments, rules, intent.
//!
//! Owns that an intent is complete: whoever performs it needs nothing that is not recorded.

use playbooks::action_spec::{ActionSpec, ErrorKind};
use playbooks::marking::EffectClass;
use playbooks::names::Unresolved;
use playbooks::plan::{END_ARGUMENT, Step};
use playbooks::types::Type;
use playbooks::values;
use serde_json::{Map, Value};
use state::event::{Event, InquiryEnd, Intended, Mode, Outcome, RefusalKind, SkipCause};
use state::ids::Path;

use super::draft::Draft;
use crate::guardrails::{self, Denial, Permit, Question};
use crate::key::effect_key;
use crate::mail;
use crate::run::{Corrupt, Place, Spot};

/// Why there are no arguments.
pub(super) enum NoArguments {
    Skip(SkipCause),
    Broken(String),
}

impl Draft<'_> {
    /// Takes up a step without items, or one item.
    pub(super) fn open(&mut self, spot: Spot, step: &Step) -> Result<(), Corrupt> {
        let Some(path) = self.path(spot) else {
            return Ok(());
        };
        if step.action.waits() {
            return self.begin_wait(spot, path, step);
        }
        let fresh = !matches!(self.run.place(spot), Some(Place::Rested(_)));
        if fresh && self.had_come(spot, step) {
            let cause = SkipCause::UntilTrue;
            return self.record(Event::Skipped { path, cause });
        }
        // What was voided binds nobody: it is asked again, or needs no approval any more.
        let asked = self
            .run
            .asked_for_step(self.plan, &path)
            .filter(|asked| !matches!(asked.end, Some((InquiryEnd::Voided, _))));
        if let Some(proposal) = asked.and_then(|asked| asked.proposal(&path)).cloned() {
            return match self.as_approved(step, &proposal)? {
                Some(permit) => self.intend_or_rest(spot, path, step, permit),
                None if fresh => Ok(()),
                None => self.not_as_approved(spot, path, step),
            };
        }
        let asked = asked.is_some();
        let arguments = match self.arguments(spot, step) {
            Ok(arguments) => arguments,
            Err(NoArguments::Skip(cause)) => return self.record(Event::Skipped { path, cause }),
            Err(NoArguments::Broken(why)) => return self.broken(spot, why),
        };
        let examined = guardrails::examine(&Question {
            plan: self.plan,
            run: &self.run,
            step,
            arguments,
            repeated: None,
            approved: false,
            blocks_intended: self.blocks_intended,
            around: self.around,
        });
        let auto = self.run.started.mode == Mode::Auto;
        match examined {
            Ok(permit) if auto && fresh && !asked && spot.item.is_none() && permit.needed.is_some() => {
                self.ask_together(spot.step, &[spot.step]).map(drop)
            }
            // Whoever was asked about the step was not asked about this.
            Ok(permit) if auto && (asked || permit.needed.is_some()) => {
                let detail = match permit.needed {
                    Some(needed) => format!("it needs an approval now: {}", needed.because),
                    None => "it was not part of what people approved".to_owned(),
                };
                self.deny(
                    path,
                    Denial {
                        kind: RefusalKind::Policy,
                        detail,
                        effect: permit.effect,
                    },
                )
            }
            Ok(permit) => self.intend_or_rest(spot, path, step, permit),
            Err(denial) => self.deny(path, denial),
        }
    }

    pub(super) fn intend(&mut self, path: Path, step: &Step, permit: Permit) -> Result<(), Corrupt> {
        let action = &step.action;
        let generation = Spot::of(self.plan, &path).map_or(0, |spot| self.run.generation(spot));
        let key = effect_key(
            &self.run.started,
            &path,
            generation,
            &action.name,
            &permit.arguments,
        )
        .ok_or_else(|| Corrupt {
            seq: self.run.next_seq,
            reason: "a digest is not a key".to_owned(),
        })?;
        let simulated = self.run.started.mode == Mode::Simulate && permit.effect > EffectClass::Read;
        if guardrails::is_block(&action.name) && !simulated {
            self.blocks_intended = self.blocks_intended.saturating_add(1);
        }
        self.record(Event::Intended(Intended {
            path: path.clone(),
            attempt: 1,
            key,
            action: action.name.clone(),
            effect: permit.effect,
            connections: permit.connections,
            left_out: permit.left_out,
            arguments: permit.arguments,
            tlp: permit.tlp,
            pap: permit.pap,
            recovery: permit.recovery,
            timeout: step.timeout,
            until: permit.until,
        }))?;
        if simulated {
            self.record(Event::Finished {
                path,
                attempt: 1,
                outcome: Outcome::Simulated {
                    output: action.example.1.clone(),
                },
                duration_ms: 0,
            })?;
        }
        Ok(())
    }

    /// A rule said no. What would only have read counts as failed.
    pub(super) fn deny(&mut self, path: Path, denial: Denial) -> Result<(), Corrupt> {
        let read_of_a_writing_action = denial.effect == EffectClass::Read
            && self
                .plan
                .steps
                .get(&*path.step)
                .is_some_and(|step| step.action.effect != EffectClass::Read);
        if read_of_a_writing_action {
            return self.record(failed_before(path, ErrorKind::Policy, denial.detail));
        }
        self.record(Event::Refused {
            path,
            cause: denial.kind,
            detail: denial.detail,
        })
    }

    /// Something that the publish check could not foresee: it fails closed.
    pub(super) fn broken(&mut self, spot: Spot, why: String) -> Result<(), Corrupt> {
        match self.path(spot) {
            Some(path) => self.record(failed_before(path, ErrorKind::Invalid, why)),
            None => Ok(()),
        }
    }

    pub(super) fn arguments(&self, spot: Spot, step: &Step) -> Result<Map<String, Value>, NoArguments> {
        let names = self.names(Some(spot));
        let unresolved = |why: Unresolved| match why {
            Unresolved::Absent { .. } => NoArguments::Skip(self.absent_cause(&why)),
            Unresolved::Failed(why) => NoArguments::Broken(why),
        };
        let mut arguments = Map::with_capacity(step.with.len());
        for (name, argument) in &step.with {
            let Some(value) = argument.resolve(&names).map_err(unresolved)? else {
                continue;
            };
            let value = match step.action.inputs.get(name) {
                Some(parameter) => values::check(&value, &parameter.ty)
                    .map_err(|why| NoArguments::Broken(format!("`{name}`: {why}")))?,
                None => value,
            };
            if !value.is_null() {
                arguments.insert(name.clone(), value);
            }
        }
        complete(&step.action, &arguments).map_err(NoArguments::Broken)?;
        if let Some(after) = &step.undo.after {
            let span = after.resolve(&names).map_err(unresolved)?.unwrap_or_default();
            let span = values::check(&span, &Type::Duration)
                .map_err(|why| NoArguments::Broken(format!("undo.after: {why}")))?;
            arguments.insert(END_ARGUMENT.to_owned(), span);
        }
        if step.action.renders_mail {
            let to_strangers = step.action.mails_strangers();
            let rendered = mail::render(
                self.plan,
                &names,
                &arguments,
                self.around,
                &self.run,
                to_strangers,
            )
            .map_err(unresolved)?;
            arguments.insert("rendered".to_owned(), rendered);
        }
        Ok(arguments)
    }
}

/// Whether every input is there that has to be.
fn complete(action: &ActionSpec, arguments: &Map<String, Value>) -> Result<(), String> {
    for (name, parameter) in &action.inputs {
        if !matches!(parameter.ty, Type::Optional(_)) && !arguments.contains_key(name) {
            return Err(format!("{} needs `{name}`, which was left out", action.name));
        }
    }
    for group in &action.exactly_one_of {
        let given = group.iter().filter(|name| arguments.contains_key(*name)).count();
        if given != 1 {
            return Err(format!(
                "{} needs exactly one of {}, {given} were given",
                action.name,
                group.join(", ")
            ));
        }
    }
    Ok(())
}

/// A failure before anything was intended: attempt 0.
pub(super) fn failed_before(path: Path, kind: ErrorKind, detail: String) -> Event {
    Event::Finished {
        path,
        attempt: 0,
        outcome: Outcome::Failed {
            kind,
            detail,
            not_sent: true,
            retry_after: None,
        },
        duration_ms: 0,
    }
}
