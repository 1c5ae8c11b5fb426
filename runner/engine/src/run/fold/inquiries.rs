//! What the events of inquiries mean.
//!
//! Owns that an inquiry is asked once, ends once, and that nothing is replied to one that is over.

use std::sync::Arc;

use jiff::Timestamp;
use playbooks::plan::Plan;
use state::event::{Inquiry, InquiryEnd, Reply, Told};

use super::Folded;
use crate::run::{Asked, Run};

impl Run {
    pub(super) fn was_asked(&mut self, plan: &Plan, inquiry: &Inquiry, at: Timestamp) -> Folded {
        let expected = u32::try_from(self.inquiries.len() + 1).unwrap_or(u32::MAX);
        if inquiry.number != expected {
            return Err(format!("inquiry {expected} was due, not {}", inquiry.number));
        }
        let steps = Self::steps_of(plan, inquiry);
        if steps.is_empty() || steps.len() != inquiry.steps.len() {
            return Err("an inquiry is about steps that are not there".to_owned());
        }
        if let Some(step) = steps
            .iter()
            .find(|step| !self.open.contains(step) || self.awaited_by(**step).is_some())
        {
            let name = plan.steps.get_index(*step).map_or("", |(id, _)| id.as_str());
            return Err(format!("`{name}` is not to be asked about"));
        }
        for step in steps {
            self.asked.insert(step, inquiry.number);
            self.ask_again.remove(&step);
        }
        self.open_inquiries.insert((inquiry.until, inquiry.number));
        self.inquiries.push(Arc::new(Asked::new(inquiry, at)));
        Ok(())
    }

    fn asked_mut(&mut self, number: u32) -> Result<&mut Asked, String> {
        usize::try_from(number)
            .ok()
            .and_then(|number| number.checked_sub(1))
            .and_then(|place| self.inquiries.get_mut(place))
            .map(Arc::make_mut)
            .ok_or_else(|| format!("there is no inquiry {number}"))
    }

    pub(super) fn replied(&mut self, reply: &Reply, at: Timestamp) -> Folded {
        let asked = self.asked_mut(reply.number)?;
        if !asked.is_open() {
            return Err(format!("inquiry {} is over", reply.number));
        }
        asked.replies.push((at, reply.clone()));
        Ok(())
    }

    pub(super) fn telling(&mut self, number: u32, people: &[String]) -> Folded {
        let asked = self.asked_mut(number)?;
        if !asked.is_open() {
            return Err(format!("inquiry {number} is over, and nobody is told of it"));
        }
        for person in people {
            if asked.told.insert(person.clone(), None).is_some() {
                return Err(format!("{person} was told of inquiry {number} before"));
            }
        }
        let letters = people.iter().map(|person| (number, person.clone()));
        self.letters.extend(letters);
        Ok(())
    }

    pub(super) fn told(&mut self, number: u32, person: &str, outcome: &Told) -> Folded {
        if !self.letters.remove(&(number, person.to_owned())) {
            return Err(format!("nobody was about to tell {person} of inquiry {number}"));
        }
        let asked = self.asked_mut(number)?;
        asked.told.insert(person.to_owned(), Some(outcome.clone()));
        Ok(())
    }

    pub(super) fn escalated(&mut self, number: u32, who: &[String], until: Timestamp) -> Folded {
        let asked = self.asked_mut(number)?;
        if !asked.is_open() || asked.escalated {
            return Err(format!("inquiry {number} cannot be escalated"));
        }
        let before = asked.until;
        asked.escalated = true;
        asked.until = until;
        for role in who {
            if !asked.who.contains(role) {
                asked.who.push(role.clone());
            }
        }
        self.open_inquiries.remove(&(before, number));
        self.open_inquiries.insert((until, number));
        Ok(())
    }

    pub(super) fn inquiry_closed(&mut self, number: u32, end: InquiryEnd, detail: &str) -> Folded {
        let asked = self.asked_mut(number)?;
        let voids = end == InquiryEnd::Voided && matches!(asked.end, Some((InquiryEnd::Approved, _)));
        if !asked.is_open() && !voids {
            return Err(format!("inquiry {number} is over"));
        }
        let until = asked.until;
        asked.end = Some((end, detail.to_owned()));
        self.open_inquiries.remove(&(until, number));
        Ok(())
    }
}
