//! Which steps and lets are next.
//!
//! Owns joins: a step is decided when everything it waits for is settled, whichever way. Its `if`
//! decides it alone, and an absent value that nothing guards skips it with the reason.

use playbooks::expression::Expression;
use playbooks::marking::EffectClass;
use playbooks::names::{Read, Unresolved};
use playbooks::plan::{EFFECT_ITEMS_MAX, ForEach, ITEMS_MAX, Node, Section, Step};
use playbooks::values::describe;
use serde_json::Value;
use state::event::{Event, InquiryEnd, SkipCause};

use super::draft::Draft;
use super::inquire::Gate;
use crate::run::{Corrupt, Spot, Work};

/// What a condition came to.
enum Decided {
    Yes,
    No(SkipCause),
    Broken(String),
}

impl Draft<'_> {
    /// Gives every let its value whose reads are settled.
    pub(super) fn settle_lets(&mut self) -> Result<(), Corrupt> {
        let open: Vec<usize> = self.run.open_lets.iter().copied().collect();
        for index in open {
            let Some((name, definition)) = self.plan.lets.get_index(index) else {
                continue;
            };
            if !definition
                .expression
                .reads()
                .iter()
                .all(|read| self.read_is_settled(read))
            {
                continue;
            }
            let (value, absent) = match definition.expression.evaluate(&self.names(None)) {
                Ok(Some(value)) if !value.is_null() => (Some(value), None),
                Ok(_) => (None, Some("it is left out".to_owned())),
                Err(why) => (None, Some(why.to_string())),
            };
            self.record(Event::LetSettled {
                name: name.clone(),
                value,
                absent,
            })?;
        }
        Ok(())
    }

    /// Takes every open step as far as it goes.
    pub(super) fn advance_steps(&mut self) -> Result<(), Corrupt> {
        let open: Vec<usize> = self.run.open.iter().copied().collect();
        for index in open {
            if let Some(step) = self.step(index) {
                self.advance(index, step)?;
            }
        }
        Ok(())
    }

    fn advance(&mut self, index: usize, step: &Step) -> Result<(), Corrupt> {
        let Some(state) = self.run.steps.get(index) else {
            return Ok(());
        };
        let untouched = state.is_pending();
        let more_items = match &state.work {
            Work::One(_) => false,
            Work::Each(each) => each.next_item().is_some(),
        };
        if !untouched && !more_items {
            return Ok(());
        }
        if let Some(cause) = self.run.stopping(step.section) {
            let reached = step.section != Section::OnFailure || self.run.failing.is_some();
            return if reached { self.skip(index, cause) } else { Ok(()) };
        }
        if step.section != self.run.current_section(self.plan) {
            return Ok(());
        }
        if step.section != Section::Steps && !self.run.open_lets.is_empty() {
            // The steps are over, so every let settles first; later sections read the end of it.
            return Ok(());
        }
        if self.run.awaited_by(index).is_some() {
            return Ok(());
        }
        if !untouched {
            return self.take_up_items(index, step);
        }
        if !step.waits_for.keys().all(|node| self.node_is_settled(node)) {
            return Ok(());
        }
        self.begin(index, step)
    }

    /// Whether the time of a step that nothing happened to has come.
    pub(super) fn is_reached(&self, step: &Step) -> bool {
        step.section == self.run.current_section(self.plan)
            && (step.section == Section::Steps || self.run.open_lets.is_empty())
            && step.waits_for.keys().all(|node| self.node_is_settled(node))
    }

    /// Whether the condition of a step lets it run.
    pub(super) fn condition_holds(&self, step: &Step) -> bool {
        let condition = step.condition.as_ref();
        condition.is_none_or(|condition| matches!(self.condition(condition), Decided::Yes))
    }

    fn begin(&mut self, index: usize, step: &Step) -> Result<(), Corrupt> {
        let spot = Spot::whole(index);
        if let Some(condition) = &step.condition
            && self.run.asked_for(index).is_none()
        {
            match self.condition(condition) {
                Decided::Yes => {}
                Decided::No(cause) => return self.skip(index, cause),
                Decided::Broken(why) => return self.broken(spot, format!("if: {why}")),
            }
        }
        if step.action.asks_people() {
            return self.ask_people(index, step);
        }
        let Some(for_each) = &step.for_each else {
            return match self.gate(index, step)? {
                Gate::Open => self.open(spot, step),
                Gate::Shut => Ok(()),
            };
        };
        match self.items(for_each) {
            Ok(items) => {
                let most = if step.action.effect > EffectClass::Record {
                    EFFECT_ITEMS_MAX
                } else {
                    ITEMS_MAX
                };
                if items.len() > most {
                    let why = format!("for_each has {} items, at most {most} are taken", items.len());
                    return self.broken(spot, why);
                }
                self.record(Event::Expanded {
                    step: step.id.clone(),
                    items,
                })?;
                self.take_up_items(index, step)
            }
            Err(why @ Unresolved::Absent { .. }) => self.skip(index, self.absent_cause(&why)),
            Err(why) => self.broken(spot, format!("for_each: {why}")),
        }
    }

    /// Starts items in list order, as many as may be in work at once.
    fn take_up_items(&mut self, index: usize, step: &Step) -> Result<(), Corrupt> {
        let most = step.for_each.as_ref().map_or(1, |each| each.max_parallel.max(1));
        if self.gate(index, step)? == Gate::Shut {
            return Ok(());
        }
        loop {
            let approval = self.run.asked_for(index).and_then(|asked| asked.end.as_ref());
            let voided = approval.is_some_and(|(end, _)| *end == InquiryEnd::Voided);
            if voided || self.run.stopping(step.section).is_some() {
                return Ok(());
            }
            let next = match self.run.steps.get(index).map(|state| &state.work) {
                Some(Work::Each(each)) if each.in_work < most => each.next_item(),
                _ => None,
            };
            let Some(next) = next else {
                return Ok(());
            };
            let item = u32::try_from(next).ok();
            let spot = Spot {
                item,
                ..Spot::whole(index)
            };
            self.open(spot, step)?;
        }
    }

    fn condition(&self, condition: &Expression) -> Decided {
        let names = self.names(None);
        match condition.evaluate(&names) {
            Ok(Some(Value::Bool(true))) => Decided::Yes,
            Ok(Some(Value::Bool(false))) => Decided::No(SkipCause::IfFalse {
                condition: condition.source().to_owned(),
                because: Some(condition.why_false(&names).to_string()),
            }),
            Ok(other) => Decided::Broken(format!(
                "{} is neither true nor false",
                describe(&other.unwrap_or_default())
            )),
            Err(why @ Unresolved::Absent { .. }) => {
                Decided::No(SkipCause::IfUndecided { why: why.to_string() })
            }
            Err(why) => Decided::Broken(why.to_string()),
        }
    }

    fn items(&self, for_each: &ForEach) -> Result<Vec<Value>, Unresolved> {
        match for_each.list.evaluate(&self.names(None))? {
            Some(Value::Array(items)) => Ok(items),
            other => Err(Unresolved::Failed(format!(
                "{} is not a list",
                describe(&other.unwrap_or_default())
            ))),
        }
    }

    pub(super) fn skip(&mut self, index: usize, cause: SkipCause) -> Result<(), Corrupt> {
        match self.path(Spot::whole(index)) {
            Some(path) => self.record(Event::Skipped { path, cause }),
            None => Ok(()),
        }
    }

    /// The cause for something that reads an absent value.
    pub(super) fn absent_cause(&self, why: &Unresolved) -> SkipCause {
        let text = why.to_string();
        match why {
            Unresolved::Absent { path, .. } if self.comes_from_steps(path) => SkipCause::Needs { why: text },
            _ => SkipCause::Absent { why: text },
        }
    }

    fn comes_from_steps(&self, path: &str) -> bool {
        let root = path.split('.').next().unwrap_or_default();
        root == "steps" || self.plan.lets.contains_key(root)
    }

    fn node_is_settled(&self, node: &Node) -> bool {
        match node {
            Node::Step(id) => self.step_is_settled(id),
            Node::Let(name) => self.let_is_settled(name),
        }
    }

    /// A read of a let or of a step is settled with it; everything else is there from the start.
    /// Steps of the later sections are out of a let's reach: they count as absent.
    pub(super) fn read_is_settled(&self, read: &Read) -> bool {
        match read.step() {
            Some(id) => {
                let main = self
                    .plan
                    .steps
                    .get(id)
                    .is_some_and(|step| step.section == Section::Steps);
                !main || self.step_is_settled(id)
            }
            None => read.path.first().is_none_or(|root| self.let_is_settled(root)),
        }
    }

    fn step_is_settled(&self, id: &str) -> bool {
        let winding_down = self.run.failing.is_some() || self.run.cancel.is_some();
        self.plan
            .steps
            .get_index_of(id)
            .and_then(|index| self.run.steps.get(index))
            .is_none_or(|state| state.settled.is_some() || (winding_down && state.waits_for_person_only()))
    }

    fn let_is_settled(&self, name: &str) -> bool {
        self.plan
            .lets
            .get_index_of(name)
            .is_none_or(|index| !self.run.open_lets.contains(&index))
    }
}
