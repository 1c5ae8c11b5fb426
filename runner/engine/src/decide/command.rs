//! Taking in a command: what the world or a person told us, checked against what is awaited.
//!
//! Owns the refusal of late and repeated news.

use jiff::Timestamp;
use playbooks::duration::Span;
use playbooks::plan::Plan;
use state::access::Person;
use state::event::{Event, InquiryEnd, Intended, OnTimeout, ProbeAnswer, Reply, ReplyWord, Subject};
use state::ids::Path;

use super::draft::Draft;
use super::{Command, Refusal};
use crate::backoff::later;
use crate::run::{Corrupt, Doubt, Place, Run, Spot, digest_of};
use crate::who::{self, Separation};

impl Draft<'_> {
    pub(super) fn take(&mut self, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Advance | Command::Wake => Ok(()),
            Command::Finished {
                path,
                attempt,
                outcome,
                duration_ms,
            } => {
                self.awaited(&path, attempt, |place| matches!(place, Place::Live(_)))?;
                self.record(Event::Finished {
                    path,
                    attempt,
                    outcome,
                    duration_ms,
                })?;
                Ok(())
            }
            Command::Admit => self.admit(),
            Command::Recover => {
                self.attempts_lost()?;
                Ok(self.letters_lost()?)
            }
            Command::Probed {
                path,
                attempt,
                answer,
            } => {
                self.awaited(&path, attempt, |place| matches!(place, Place::Doubtful(_)))?;
                let answer = self.believed(&path, answer);
                self.record(Event::Probed {
                    path,
                    attempt,
                    answer,
                })?;
                Ok(())
            }
            Command::Reply {
                number,
                person,
                actor,
                word,
                comment,
                digest,
            } => {
                let role = self.may_say(number, &person, &word, digest.as_deref())?;
                let reply = Reply {
                    number,
                    person: person.name,
                    role,
                    actor,
                    word,
                    comment,
                    digest,
                };
                Ok(self.record(Event::Replied(reply))?)
            }
            Command::Told {
                number,
                person,
                outcome,
            } => self.told(number, person, outcome),
            Command::Cancel { actor, reason } => match &self.run.cancel {
                Some((by, _)) => Err(Refusal::AlreadyCancelled { by: by.name.clone() }),
                None => Ok(self.record(Event::CancelRequested { actor, reason })?),
            },
            Command::Settle {
                path,
                answer,
                probed,
                actor,
                reason,
            } => self.settle(path, answer, probed, actor, reason),
            Command::Acknowledge { actor, reason } => self.acknowledge(actor, reason),
            Command::Retry { from, actor, reason } => self.retry(from.as_deref(), actor, reason),
            Command::Undo { paths, actor, reason } => self.undo(&paths, actor, reason),
            Command::Rerun { run, actor, reason } => Ok(self.record(Event::Rerun { run, actor, reason })?),
        }
    }

    /// The run begins, and its time runs from now.
    fn admit(&mut self) -> Result<(), Refusal> {
        if !self.run.is_queued() {
            return Err(Refusal::NotQueued);
        }
        let deadline = later(self.around.now, self.plan.limits.time);
        Ok(self.record(Event::Admitted { deadline })?)
    }

    /// Nobody knows what became of what was intended before.
    fn attempts_lost(&mut self) -> Result<(), Corrupt> {
        let live: Vec<Spot> = self.run.live.iter().copied().collect();
        for spot in live {
            let attempt = self.run.place(spot).map_or(0, Place::attempt);
            if let Some(path) = self.path(spot) {
                self.record(Event::Lost { path, attempt })?;
            }
        }
        Ok(())
    }

    /// The role in which a person may say this now.
    fn may_say(
        &self,
        number: u32,
        person: &Person,
        word: &ReplyWord,
        digest: Option<&str>,
    ) -> Result<String, Refusal> {
        let asked = self.run.inquiry(number).ok_or(Refusal::NotAsked { number })?;
        if let Some((end, detail)) = &asked.end {
            return Err(Refusal::InquiryOver {
                end: *end,
                detail: detail.clone(),
            });
        }
        // Where silence asks more people, the question stays open, whenever the alarm rings.
        let goes_on = asked.inquiry.on_timeout == OnTimeout::Escalate && !asked.escalated;
        if self.around.now >= asked.until && !goes_on {
            return Err(Refusal::InquiryOver {
                end: InquiryEnd::Expired,
                detail: format!("the time to reply was over at {}", asked.until),
            });
        }
        sayable(&asked.inquiry.subject, word)?;
        let separation = Separation {
            started: &self.run.started,
            retried: &self.run.retried_by,
            // Who wrote a revision is not known before publishing is built.
            author: None,
            four_eyes: self.around.operator.approvals.four_eyes,
        };
        let role = who::may_reply(asked, person, separation)?;
        if digest != digest_of(&asked.inquiry) {
            return Err(Refusal::Changed);
        }
        Ok(role)
    }

    fn awaited(&self, path: &Path, attempt: u32, fits: fn(&Place) -> bool) -> Result<(), Refusal> {
        let place = place(self.plan, &self.run, path);
        match place {
            Some(place) if fits(place) && place.attempt() == attempt => Ok(()),
            _ => Err(Refusal::Stale {
                path: path.clone(),
                attempt,
                state: place.map_or("there is no such place", Place::words),
            }),
        }
    }

    /// "Not there" means nothing while the far end may still be working on it.
    fn believed(&self, path: &Path, answer: ProbeAnswer) -> ProbeAnswer {
        let Some(Place::Doubtful(Doubt { last, since, .. })) = place(self.plan, &self.run, path) else {
            return answer;
        };
        if answer != ProbeAnswer::NotDone {
            return answer;
        }
        let settle = self.settle_time(last);
        match settle {
            Some(settle) if self.around.now < self.believable(*since, settle) => ProbeAnswer::CannotTell {
                detail: format!("it is not there, which means nothing for the first {settle}"),
            },
            _ => ProbeAnswer::NotDone,
        }
    }

    /// From when on "not there" is believed of an attempt that may have been under way until
    /// `since`. A clock that was set in between says nothing about the time that passed: then it
    /// counts from when it was found to run evenly again, which is later than the attempt.
    pub(super) fn believable(&self, since: Timestamp, settle: Span) -> Timestamp {
        let even = self.around.even_since;
        let from = if since > self.around.now {
            even
        } else {
            since.max(even)
        };
        later(from, settle)
    }

    /// How long after an attempt "not there" still means nothing.
    pub(super) fn settle_time(&self, last: &Intended) -> Option<Span> {
        let provider = |name| {
            let connection = self.around.operator.connections.get(name)?;
            let providers = self.around.catalog.providers(&last.action);
            let spec = providers
                .into_iter()
                .find(|spec| spec.provider == connection.provider)?;
            Some(spec.settle)
        };
        last.connections.iter().filter_map(provider).max()
    }
}

/// Whether a reply is one of those that the subject has.
fn sayable(subject: &Subject, word: &ReplyWord) -> Result<(), Refusal> {
    let refuse = |expected: String| {
        Err(Refusal::NoSuchReply {
            word: word.word().to_owned(),
            expected,
        })
    };
    match (subject, word) {
        (Subject::Approval { .. }, ReplyWord::Approve | ReplyWord::Refuse) => Ok(()),
        (Subject::Approval { .. }, ReplyWord::Choose(_)) => refuse("approve or refuse".to_owned()),
        (Subject::Choice { choices, .. }, ReplyWord::Choose(choice)) if choices.contains(choice) => Ok(()),
        (Subject::Choice { choices, .. }, _) => refuse(format!("one of {}", choices.join(", "))),
    }
}

pub(super) fn place<'r>(plan: &Plan, run: &'r Run, path: &Path) -> Option<&'r Place> {
    run.place(Spot::of(plan, path)?)
}
