//! Telling people by mail that they are asked.
//!
//! Owns who is told: whoever may reply now, can sign in for the entity, and was not told before.
//! The host writes the mail; that it will be written is durable before it is.

use state::access::Person;
use state::event::{Event, Mode, Told};

use super::Refusal;
use super::draft::Draft;
use crate::run::{Asked, Corrupt};
use crate::who::{Separation, may_reply};

/// People that are told of one inquiry.
const PEOPLE_TOLD_MAX: usize = 50;

impl Draft<'_> {
    /// Whoever is asked and has not been told is to be told.
    pub(super) fn tell_people(&mut self) -> Result<(), Corrupt> {
        let operator = self.around.operator;
        if self.run.open_inquiries.is_empty()
            || self.run.started.mode == Mode::Simulate
            || operator.people.values().all(|person| person.mail.is_none())
            || operator.mail_relay().is_none()
        {
            return Ok(());
        }
        let open: Vec<u32> = self
            .run
            .open_inquiries
            .iter()
            .map(|(_, number)| *number)
            .collect();
        for number in open {
            let people = self.run.inquiry(number).map(|asked| self.untold(asked));
            match people {
                Some(people) if !people.is_empty() => self.record(Event::Telling { number, people })?,
                _ => {}
            }
        }
        Ok(())
    }

    fn untold(&self, asked: &Asked) -> Vec<String> {
        let operator = self.around.operator;
        let separation = Separation {
            started: &self.run.started,
            retried: &self.run.retried_by,
            author: None,
            four_eyes: operator.approvals.four_eyes,
        };
        let may = |name: &String, roles| {
            let person = Person {
                name: name.clone(),
                roles,
            };
            may_reply(asked, &person, separation).is_ok()
        };
        operator
            .people
            .iter()
            .filter(|(name, person)| person.mail.is_some() && !asked.told.contains_key(*name))
            .filter(|(_, person)| person.decides_for.contains(&self.around.entity.id))
            .filter(|(_, person)| asked.who.iter().any(|role| person.roles.contains(role)))
            .filter(|(name, person)| may(name, person.roles.clone()))
            .map(|(name, _)| name.clone())
            .take(PEOPLE_TOLD_MAX.saturating_sub(asked.told.len()))
            .collect()
    }

    /// The host says what came of it.
    pub(super) fn told(&mut self, number: u32, person: String, outcome: Told) -> Result<(), Refusal> {
        if !self.run.letters.contains(&(number, person.clone())) {
            let why = format!("nobody was about to tell {person}");
            return Err(Refusal::Unfit { why });
        }
        Ok(self.record(Event::Told {
            number,
            person,
            outcome,
        })?)
    }

    /// What was to be sent when the process ended may have been sent.
    pub(super) fn letters_lost(&mut self) -> Result<(), Corrupt> {
        let pending: Vec<(u32, String)> = self.run.letters.iter().cloned().collect();
        for (number, person) in pending {
            let outcome = Told::Unknown {
                detail: "the process ended while it was sent; it is not sent again".to_owned(),
            };
            self.record(Event::Told {
                number,
                person,
                outcome,
            })?;
        }
        Ok(())
    }
}
