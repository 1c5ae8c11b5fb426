//! Asking people: when, and what exactly.
//!
//! Owns that people see what will be done and nothing else is done: the proposed effects are part
//! of the question, every reply names their digest, and what differs at the moment of doing is
//! asked about again. What follows from replies is in `replies`.

use playbooks::action_spec::ErrorKind;
use playbooks::marking::EffectClass;
use playbooks::names::Unresolved;
use playbooks::plan::{Approval, Ask, Inverse, OnTimeout as Silence, Step};
use serde_json::{Map, Value};
use state::event::{
    Event, Inquiry, InquiryEnd, Mode, OnTimeout, ProposedEffect, RefusalKind, Shown, Subject,
};
use state::ids::Path;

use super::draft::Draft;
use super::open::NoArguments;
use crate::backoff::later;
use crate::guardrails::{self, Needed, Permit, Question};
use crate::run::{Asked, Corrupt, Spot, Work, digest};

/// Persons one approval may need.
const PERSONS_MAX: u32 = 10;

/// Whether a step may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Nothing is asked, or it was approved.
    Open,
    /// It waits, or something was decided that must be looked at first.
    Shut,
}

/// What one question is made of.
struct Proposal {
    effects: Vec<ProposedEffect>,
    steps: Vec<usize>,
    needed: Option<Needed>,
    class: EffectClass,
}

/// How a step stands that may be decided together with another.
enum Member {
    Ready,
    NotYet,
    Out,
}

impl Draft<'_> {
    /// Whether the step may go on; asks people if that is what it needs. Of a single effect with
    /// no `approval` of its own [`Self::open`] finds that out: it is examined there anyway.
    pub(super) fn gate(&mut self, index: usize, step: &Step) -> Result<Gate, Corrupt> {
        if self.run.started.mode == Mode::Simulate
            || (step.approval.is_none() && step.action.effect <= EffectClass::Record)
        {
            return Ok(Gate::Open);
        }
        match self.run.asked_for(index).map(|asked| asked.end.clone()) {
            Some(Some((InquiryEnd::Approved, _))) => return Ok(Gate::Open),
            Some(Some((InquiryEnd::Voided, _))) => {}
            Some(Some((end, why))) => return self.not_approved(index, end, why),
            Some(None) => return Ok(Gate::Shut),
            // The first item went through, so nothing had to be asked.
            None if self.items_begun(index) && !self.run.ask_again.contains(&index) => return Ok(Gate::Open),
            None => {}
        }
        if step.approval.is_none() && step.for_each.is_none() {
            return Ok(Gate::Open);
        }
        let leader = self.leader(index, step);
        let mut members = Vec::new();
        for member in self.group(leader) {
            match self.member(member, index) {
                Member::Ready => members.push(member),
                Member::NotYet => return Ok(Gate::Shut),
                Member::Out => {}
            }
        }
        self.ask_together(leader, &members)
    }

    /// Asks about what these steps would do, if any of it needs an approval.
    pub(super) fn ask_together(&mut self, leader: usize, members: &[usize]) -> Result<Gate, Corrupt> {
        let proposal = self.propose(members);
        match proposal.needed.clone() {
            None => Ok(Gate::Open),
            Some(needed) => {
                self.ask(leader, members, proposal, &needed)?;
                Ok(Gate::Shut)
            }
        }
    }

    fn items_begun(&self, index: usize) -> bool {
        match self.run.steps.get(index).map(|state| &state.work) {
            Some(Work::Each(each)) => each.next > 0,
            _ => false,
        }
    }

    /// The step whose question it is.
    fn leader(&self, index: usize, step: &Step) -> usize {
        match &step.approval {
            Some(Approval::SameAs(id)) => self.plan.steps.get_index_of(id).unwrap_or(index),
            _ => index,
        }
    }

    /// The leader and those that are decided with it, in file order.
    fn group(&self, leader: usize) -> Vec<usize> {
        let id = self.plan.steps.get_index(leader).map(|(id, _)| id);
        let joins = |step: &Step| matches!(&step.approval, Some(Approval::SameAs(same)) if Some(same) == id);
        self.plan
            .steps
            .values()
            .enumerate()
            .filter(|(index, step)| *index == leader || joins(step))
            .map(|(index, _)| index)
            .collect()
    }

    fn member(&self, index: usize, asking: usize) -> Member {
        if index == asking {
            return Member::Ready;
        }
        let (Some(state), Some(step)) = (self.run.steps.get(index), self.step(index)) else {
            return Member::Out;
        };
        let voided = |asked: &Asked| matches!(asked.end, Some((InquiryEnd::Voided, _)));
        let has_its_own = self.run.asked_for(index).is_some_and(|asked| !voided(asked));
        if state.settled.is_some() || has_its_own {
            return Member::Out;
        }
        match &state.work {
            Work::Each(each) if each.next_item().is_some() && each.in_work == 0 => Member::Ready,
            Work::Each(_) => Member::Out,
            Work::One(_) if !state.is_pending() => Member::Out,
            Work::One(_) if !self.is_reached(step) => Member::NotYet,
            Work::One(_) if !self.condition_holds(step) => Member::Out,
            Work::One(_) if step.for_each.is_some() => Member::NotYet,
            Work::One(_) => Member::Ready,
        }
    }

    /// What these steps would do, as far as the rules let them, and what must be asked for it.
    fn propose(&self, members: &[usize]) -> Proposal {
        let mut proposal = Proposal {
            effects: Vec::new(),
            steps: Vec::new(),
            needed: None,
            class: EffectClass::Read,
        };
        for index in members {
            let Some(step) = self.step(*index) else { continue };
            for spot in self.spots(*index) {
                let Some(path) = self.path(spot) else { continue };
                let Ok(arguments) = self.arguments(spot, step) else {
                    continue;
                };
                // What a rule forbids is refused when its turn comes; nobody is asked about it.
                let Ok(permit) = guardrails::examine(&self.question(step, arguments, false)) else {
                    continue;
                };
                proposal.class = proposal.class.max(permit.effect);
                proposal.needed = stricter(proposal.needed.take(), permit.needed.clone());
                if !proposal.steps.contains(index) {
                    proposal.steps.push(*index);
                }
                proposal.effects.push(proposed(path, step, permit));
            }
        }
        proposal
    }

    pub(super) fn question<'q>(
        &'q self,
        step: &'q Step,
        arguments: Map<String, Value>,
        approved: bool,
    ) -> Question<'q> {
        Question {
            plan: self.plan,
            run: &self.run,
            step,
            arguments,
            repeated: None,
            approved,
            blocks_intended: self.blocks_intended,
            around: self.around,
        }
    }

    /// The places of a step that were not taken up.
    pub(super) fn spots(&self, index: usize) -> Vec<Spot> {
        match self.run.steps.get(index).map(|state| &state.work) {
            Some(Work::Each(each)) => each
                .left()
                .map(|item| Spot {
                    item: u32::try_from(item).ok(),
                    ..Spot::whole(index)
                })
                .collect(),
            _ => vec![Spot::whole(index)],
        }
    }

    fn ask(
        &mut self,
        leader: usize,
        members: &[usize],
        proposal: Proposal,
        needed: &Needed,
    ) -> Result<(), Corrupt> {
        let approval = self.step(leader).and_then(|step| step.approval.as_ref());
        let written = match approval {
            Some(Approval::Ask(ask)) => Some(&**ask),
            _ => None,
        };
        let (operator, entity) = (self.around.operator, self.around.entity);
        let who = match guardrails::roles(approval, proposal.class, entity, operator) {
            Ok(who) => who,
            Err((kind, detail)) => {
                let detail = format!("{}, and {detail}", needed.because);
                return self.refuse_all(&proposal.steps, kind, &detail);
            }
        };
        let inquiry = match self.inquiry(written, proposal, needed, who) {
            Ok(inquiry) => inquiry,
            Err(NoArguments::Skip(cause)) => {
                for index in members {
                    self.skip(*index, cause.clone())?;
                }
                return Ok(());
            }
            Err(NoArguments::Broken(why)) => {
                for index in members {
                    self.fail_step(*index, ErrorKind::Invalid, &format!("approval: {why}"))?;
                }
                return Ok(());
            }
        };
        self.record(Event::Asked(Box::new(inquiry)))
    }

    fn inquiry(
        &self,
        written: Option<&Ask>,
        proposal: Proposal,
        needed: &Needed,
        who: Vec<String>,
    ) -> Result<Inquiry, NoArguments> {
        let names = self.names(None);
        let unresolved = |why: Unresolved| match why {
            Unresolved::Absent { .. } => NoArguments::Skip(self.absent_cause(&why)),
            Unresolved::Failed(why) => NoArguments::Broken(why),
        };
        let resolve = |argument: Option<&playbooks::arguments::Argument>| match argument {
            Some(argument) => argument.resolve(&names).map_err(unresolved),
            None => Ok(None),
        };
        let mut show = Vec::new();
        for (label, argument) in written.iter().flat_map(|ask| &ask.show) {
            // What is left out by `omit` is not shown.
            if let Some(value) = resolve(Some(argument))? {
                show.push(Shown {
                    label: label.clone(),
                    value,
                });
            }
        }
        show.extend(self.without_way_back(&proposal.steps));
        let count = match resolve(written.and_then(|ask| ask.count.as_ref()))? {
            None => needed.count,
            Some(value) => value
                .as_u64()
                .and_then(|count| u32::try_from(count).ok())
                .filter(|count| (1..=PERSONS_MAX).contains(count))
                .ok_or_else(|| {
                    NoArguments::Broken(format!("count is {value}; it may be 1 to {PERSONS_MAX}"))
                })?
                .max(needed.count),
        };
        let silence = resolve(written.and_then(|ask| ask.on_timeout.as_ref()))?;
        let ask = match resolve(written.and_then(|ask| ask.ask.as_ref()))? {
            Some(Value::String(text)) => text,
            _ => default_question(&proposal.effects),
        };
        let within = written.map_or(playbooks::plan::APPROVAL_WITHIN_DEFAULT, |ask| ask.within);
        Ok(Inquiry {
            number: u32::try_from(self.run.inquiries.len() + 1).unwrap_or(u32::MAX),
            id: None,
            steps: self.ids(&proposal.steps),
            subject: Subject::Approval {
                digest: digest(&proposal.effects),
                effects: proposal.effects,
            },
            ask,
            show,
            because: needed.because.clone(),
            who,
            count,
            until: later(self.around.now, within),
            on_timeout: match silence
                .as_ref()
                .and_then(Value::as_str)
                .map_or(Silence::Escalate, Silence::of)
            {
                Silence::Skip => OnTimeout::Skip,
                Silence::Fail => OnTimeout::Fail,
                Silence::Escalate => OnTimeout::Escalate,
            },
        })
    }

    /// What whoever decides must know: these effects stay, and why the author accepts it.
    fn without_way_back(&self, steps: &[usize]) -> impl Iterator<Item = Shown> {
        steps.iter().filter_map(|index| {
            let (id, step) = self.plan.steps.get_index(*index)?;
            match &step.undo.inverse {
                Inverse::RuledOut(reason) => Some(Shown {
                    label: format!("`{id}` cannot be taken back"),
                    value: Value::String(reason.clone()),
                }),
                Inverse::Declared | Inverse::Named { .. } => None,
            }
        })
    }

    fn ids(&self, steps: &[usize]) -> Vec<String> {
        let id = |index: &usize| self.plan.steps.get_index(*index).map(|(id, _)| id.clone());
        steps.iter().filter_map(id).collect()
    }

    fn refuse_all(&mut self, steps: &[usize], cause: RefusalKind, detail: &str) -> Result<(), Corrupt> {
        for index in steps {
            for spot in self.spots(*index) {
                let stopped = self.step(*index).and_then(|step| self.run.stopping(step.section));
                if stopped.is_some() {
                    break;
                }
                let (Some(path), Some(step)) = (self.path(spot), self.step(*index)) else {
                    continue;
                };
                let detail = format!("{} needs an approval: {detail}", step.action.name);
                self.record(Event::Refused { path, cause, detail })?;
            }
        }
        Ok(())
    }

    /// What may be done where people approved this: exactly that, or nothing. `None` when it was
    /// recorded why not.
    pub(super) fn as_approved(
        &mut self,
        step: &Step,
        proposal: &ProposedEffect,
    ) -> Result<Option<Permit>, Corrupt> {
        let path = &proposal.path;
        let Some(number) = self
            .run
            .asked_for_step(self.plan, path)
            .map(|asked| asked.inquiry.number)
        else {
            return Ok(None);
        };
        let arguments = match &proposal.arguments {
            Value::Object(arguments) => arguments.clone(),
            _ => Map::new(),
        };
        let permit = match guardrails::examine(&self.question(step, arguments, true)) {
            Ok(permit) => permit,
            Err(denial) => {
                self.deny(path.clone(), denial)?;
                return Ok(None);
            }
        };
        let now = proposed(path.clone(), step, permit.clone());
        if now == *proposal {
            return Ok(Some(permit));
        }
        let detail = format!(
            "`{path}` would be done otherwise than it was approved: {}",
            difference(proposal, &now)
        );
        self.close_inquiry(number, InquiryEnd::Voided, detail)?;
        Ok(None)
    }
}

fn proposed(path: Path, step: &Step, permit: Permit) -> ProposedEffect {
    ProposedEffect {
        path,
        action: step.action.name.clone(),
        effect: permit.effect,
        connections: permit.connections,
        arguments: permit.arguments,
        tlp: permit.tlp,
        pap: permit.pap,
    }
}

fn stricter(one: Option<Needed>, other: Option<Needed>) -> Option<Needed> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.count > one.count { other } else { one }),
        (one, other) => one.or(other),
    }
}

fn default_question(effects: &[ProposedEffect]) -> String {
    match effects {
        [only] => format!("May `{}` do {}?", only.path, only.action),
        [first, ..] => format!(
            "May `{}` do {}, {} in all?",
            first.path.step,
            first.action,
            effects.len()
        ),
        [] => "May it be done?".to_owned(),
    }
}

/// In what two proposals differ, in words.
fn difference(before: &ProposedEffect, now: &ProposedEffect) -> String {
    if before.connections != now.connections {
        format!(
            "through {} instead of {}",
            now.connections.join(", "),
            before.connections.join(", ")
        )
    } else if before.arguments != now.arguments {
        "with other parameters".to_owned()
    } else {
        "with another class or marking".to_owned()
    }
}
