//! What people are asked, in the lines of the steps that wait for it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use state::event::{Event, Inquiry, InquiryEnd, OnTimeout, Reply, ReplyWord, Subject};
use state::ids::{InquiryId, Path};

use super::{Timeline, cut};
use crate::view::{StepState, StepView};

/// An inquiry as far as the lines tell of it.
#[derive(Debug, Clone)]
struct AskedLine {
    /// `approval` or `question`.
    kind: &'static str,
    id: Option<InquiryId>,
    steps: Vec<String>,
    who: Vec<String>,
    until: Timestamp,
    on_timeout: OnTimeout,
    count: u32,
    /// `karim`, `lea "three people opened it"`.
    approved: Vec<String>,
}

/// What people were asked and said.
#[derive(Debug, Clone, Default)]
pub(super) struct People {
    /// By number.
    asked: BTreeMap<u32, AskedLine>,
    /// Who approved what a step does, in words.
    approved: BTreeMap<String, String>,
}

impl AskedLine {
    fn note(&self) -> String {
        let id = self
            .id
            .map_or_else(|| self.kind.to_owned(), |id| format!("{} {id}", self.kind));
        let then = match self.on_timeout {
            OnTimeout::Skip => ", then it is skipped",
            OnTimeout::Fail => ", then it fails",
            OnTimeout::Escalate => ", then escalates",
            OnTimeout::Default => ", then the default counts",
        };
        let so_far = if self.approved.is_empty() {
            String::new()
        } else {
            format!(" ({} of {} approved)", self.approved.len(), self.count)
        };
        format!(
            "{id}: {}{so_far}, until {}{then}",
            self.who.join(", "),
            self.until.strftime("%Y-%m-%d %H:%MZ")
        )
    }
}

impl Timeline {
    /// What an event of an inquiry changes.
    pub(super) fn of_people(&mut self, event: &Event, at: Timestamp) -> Option<StepView> {
        match event {
            Event::Asked(inquiry) => self.asked(inquiry, at),
            Event::Replied(reply) => self.replied(reply, at),
            Event::Escalated { number, who, until } => self.escalated(*number, who, *until, at),
            Event::InquiryClosed { number, end, detail } => self.inquiry_closed(*number, *end, detail),
            _ => None,
        }
    }

    fn asked(&mut self, inquiry: &Inquiry, at: Timestamp) -> Option<StepView> {
        let line = AskedLine {
            kind: match inquiry.subject {
                Subject::Approval { .. } => "approval",
                Subject::Choice { .. } => "question",
            },
            id: inquiry.id,
            steps: inquiry.steps.clone(),
            who: inquiry.who.clone(),
            until: inquiry.until,
            on_timeout: inquiry.on_timeout,
            count: inquiry.count,
            approved: Vec::new(),
        };
        self.people.asked.insert(inquiry.number, line);
        self.waiting(inquiry.number, at)
    }

    fn replied(&mut self, reply: &Reply, at: Timestamp) -> Option<StepView> {
        let asked = self.people.asked.get_mut(&reply.number)?;
        if reply.word == ReplyWord::Approve {
            asked.approved.push(match &reply.comment {
                Some(comment) => format!("{} \"{comment}\"", reply.person),
                None => reply.person.clone(),
            });
        }
        self.waiting(reply.number, at)
    }

    fn escalated(
        &mut self,
        number: u32,
        who: &[String],
        until: Timestamp,
        at: Timestamp,
    ) -> Option<StepView> {
        let asked = self.people.asked.get_mut(&number)?;
        for role in who {
            if !asked.who.contains(role) {
                asked.who.push(role.clone());
            }
        }
        (asked.until, asked.on_timeout) = (until, OnTimeout::Skip);
        self.waiting(number, at)
    }

    fn inquiry_closed(&mut self, number: u32, end: InquiryEnd, detail: &str) -> Option<StepView> {
        let asked = self.people.asked.get(&number)?.clone();
        let mut first = None;
        for step in &asked.steps {
            match end {
                InquiryEnd::Approved => {
                    let by = format!("approved by {}", asked.approved.join(", "));
                    self.people.approved.insert(step.clone(), by);
                }
                _ => {
                    self.people.approved.remove(step);
                }
            }
            let Some(line) = self.lines.get_mut(&Path::step(step)) else {
                continue;
            };
            if line.state == StepState::Waiting {
                line.state = StepState::Pending;
                line.note = cut(detail);
            }
            first.get_or_insert_with(|| line.clone());
        }
        first
    }

    /// Who approved what was done at a step, behind what came of it.
    pub(super) fn name_approvers(&mut self, step: &str) {
        let Some(by) = self.people.approved.get(step) else {
            return;
        };
        if let Some(line) = self.lines.get_mut(&Path::step(step))
            && matches!(
                line.state,
                StepState::Done | StepState::Failed | StepState::Unknown
            )
            && !line.note.contains(by.as_str())
        {
            let parts = [line.note.as_str(), by.as_str()];
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            line.note = cut(&parts.join("; "));
        }
    }

    fn waiting(&mut self, number: u32, at: Timestamp) -> Option<StepView> {
        let asked = self.people.asked.get(&number)?;
        let note = cut(&asked.note());
        let mut first = None;
        for step in &asked.steps {
            if let Some(line) = self.lines.get_mut(&Path::step(step)) {
                line.state = StepState::Waiting;
                line.note.clone_from(&note);
                line.started_at.get_or_insert(at);
                first.get_or_insert_with(|| line.clone());
            }
        }
        first
    }
}
