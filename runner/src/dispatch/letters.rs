//! Mails to people who are asked.
//!
//! Owns the sending: which relay, how often to one person, and what the mail is made of. That a mail
//! will be sent is durable before it gets here; it is sent at most once, whatever happens.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actions::action::Call;
use actions::notify::invitation::{Invitation, InvitedEffect, Silence};
use jiff::{SignedDuration, Timestamp};
use playbooks::action_spec::{ASK_HUMAN, NO_ANSWER};
use playbooks::duration::Span;
use playbooks::marking::Tlp;
use playbooks::operator::{Entity, Operator};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use state::event::{Event, OnTimeout, Started, Subject, Told};
use state::ids::InquiryId;

use super::Dispatcher;

/// Mails to one person in an hour. Who is asked more often looks at the list.
const LETTERS_PER_PERSON_HOUR_MAX: usize = 30;
/// Longest one mail may take.
const LETTER_TIMEOUT: Span = Span::seconds(60);
/// Waits before another try, when it is certain that nothing was sent.
const LETTER_PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];

/// A mail that was decided.
pub(super) struct Letter {
    pub(super) started: Arc<Started>,
    pub(super) operator: Arc<Operator>,
    pub(super) entity: Arc<Entity>,
    pub(super) facts: Arc<Value>,
    pub(super) asked: engine::Asked,
    pub(super) tlp: Tlp,
    pub(super) person: String,
}

/// When each person was written to, within the last hour.
#[derive(Debug, Default)]
pub(super) struct Letters(Mutex<HashMap<String, VecDeque<Timestamp>>>);

impl Letters {
    /// Whether one more may go to a person now; it counts from then on.
    pub(super) fn take(&self, person: &str, now: Timestamp) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = all.entry(person.to_owned()).or_default();
        let hour_ago = now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(now);
        while sent.front().is_some_and(|at| *at <= hour_ago) {
            sent.pop_front();
        }
        let may = sent.len() < LETTERS_PER_PERSON_HOUR_MAX;
        if may {
            sent.push_back(now);
        }
        may
    }
}

impl Dispatcher {
    /// Writes to a person, once.
    pub(super) async fn write_to(&self, letter: &Letter) -> Told {
        let not_sent = |detail: String| Told::NotSent { detail };
        if !self.inner.letters.take(&letter.person, self.now()) {
            return not_sent(format!(
                "{LETTERS_PER_PERSON_HOUR_MAX} mails went to {} in the last hour",
                letter.person
            ));
        }
        let operator = &letter.operator;
        let address = operator
            .people
            .get(&letter.person)
            .and_then(|person| person.mail.clone());
        let (Some(relay), Some(address)) = (operator.mail_relay(), address) else {
            return not_sent("there is no mail relay or no address any more".to_owned());
        };
        let id = match self.id_of(&letter.started, letter.asked.inquiry.number).await {
            Ok(id) => id,
            Err(why) => return not_sent(why),
        };
        let ceiling = if relay.house { Tlp::Red } else { relay.tlp };
        let invitation = invitation(letter, id, address, ceiling);
        let call = call(letter, self.now());
        let mut pauses = LETTER_PAUSES.iter();
        loop {
            let sent = self
                .inner
                .registry
                .invite(&call, &relay.name, &invitation, &*self.inner.files)
                .await;
            let error = match sent {
                Ok(message_id) => return Told::Sent { message_id },
                Err(error) if !error.not_sent => return Told::Unknown { detail: error.detail },
                Err(error) => error,
            };
            match pauses.next() {
                Some(pause) if !self.is_draining() => tokio::time::sleep(*pause).await,
                _ => return not_sent(error.detail),
            }
        }
    }

    /// The id that the store gave.
    async fn id_of(&self, started: &Started, number: u32) -> Result<InquiryId, String> {
        let events = self.inner.store.load(&started.run).await;
        let events = events.map_err(|error| error.to_string())?;
        let id = events.iter().find_map(|recorded| match &recorded.event {
            Event::Asked(inquiry) if inquiry.number == number => inquiry.id,
            _ => None,
        });
        id.ok_or_else(|| format!("inquiry {number} has no id"))
    }
}

fn invitation(letter: &Letter, id: InquiryId, recipient: String, ceiling: Tlp) -> Invitation {
    let inquiry = &letter.asked.inquiry;
    let (effects, choices) = match &inquiry.subject {
        Subject::Approval { effects, .. } => (effects.as_slice(), Vec::new()),
        Subject::Choice { choices, .. } => (&[][..], choices.clone()),
    };
    let then = match (&inquiry.subject, inquiry.on_timeout) {
        (Subject::Choice { default, .. }, _) => {
            let answer = default.clone().unwrap_or_else(|| NO_ANSWER.to_owned());
            Silence::Answer(answer)
        }
        (_, OnTimeout::Fail) => Silence::Fail,
        (_, OnTimeout::Escalate) if !letter.asked.escalated => Silence::Escalate,
        (_, OnTimeout::Skip | OnTimeout::Escalate | OnTimeout::Default) => Silence::Skip,
    };
    let page = letter.operator.page.as_deref().unwrap_or_default();
    Invitation {
        recipient,
        person: letter.person.clone(),
        id: id.to_string(),
        ask: inquiry.ask.clone(),
        because: inquiry.because.clone(),
        who: letter.asked.who.clone(),
        count: inquiry.count,
        until: (letter.asked.until, then),
        choices,
        show: inquiry
            .show
            .iter()
            .map(|shown| (shown.label.clone(), shown.value.clone()))
            .collect(),
        effects: effects
            .iter()
            .map(|effect| InvitedEffect {
                path: effect.path.to_string(),
                action: format!("{} ({})", effect.action, effect.effect.word()),
                connections: effect.connections.clone(),
                arguments: effect.arguments.clone(),
            })
            .collect(),
        link: format!("{page}/a/{id}"),
        ceiling,
    }
}

/// The mail as a call: its key is that of the run, the inquiry and the person.
fn call(letter: &Letter, now: Timestamp) -> Call {
    let number = letter.asked.inquiry.number;
    let run = letter.started.run.as_str();
    let key = Sha256::digest(format!("{run}\0{number}\0{}", letter.person));
    Call {
        key: hex::encode(key),
        run: run.to_owned(),
        action: ASK_HUMAN.to_owned(),
        attempt: 1,
        now,
        entity: Arc::clone(&letter.entity),
        organisation: Arc::new(letter.operator.organisation.clone()),
        incident: Arc::clone(&letter.facts),
        arguments: Value::Null,
        tlp: letter.tlp,
        until: Some(letter.asked.until),
        timeout: LETTER_TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_written_to_so_often_and_then_again_when_an_hour_has_passed() {
        let letters = Letters::default();
        let now: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        for _ in 0..LETTERS_PER_PERSON_HOUR_MAX {
            assert!(letters.take("karim", now));
        }
        assert!(!letters.take("karim", now), "one above");
        assert!(letters.take("lea", now), "each for themselves");
        let later = now.checked_add(SignedDuration::from_hours(1)).unwrap();
        assert!(letters.take("karim", later));
    }
}
