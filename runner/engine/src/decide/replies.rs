//! What follows from what people said, and from silence.
//!
//! Owns the ends of inquiries. Silence never approves.

use playbooks::action_spec::ErrorKind;
use state::event::{Event, InquiryEnd, OnTimeout, ReplyWord, SkipCause, Subject};

use super::draft::Draft;
use super::inquire::Gate;
use super::open::failed_before;
use crate::backoff::later;
use crate::guardrails;
use crate::run::{Asked, Corrupt, Run};
use crate::words::carried;

impl Draft<'_> {
    /// Everything that follows from replies, from the time, and from the run coming to an end.
    pub(super) fn settle_inquiries(&mut self) -> Result<(), Corrupt> {
        let open: Vec<u32> = self
            .run
            .open_inquiries
            .iter()
            .map(|(_, number)| *number)
            .collect();
        for number in open {
            let Some(asked) = self.run.inquiry(number).cloned() else {
                continue;
            };
            self.settle_inquiry(number, &asked)?;
        }
        Ok(())
    }

    fn settle_inquiry(&mut self, number: u32, asked: &Asked) -> Result<(), Corrupt> {
        let steps = Run::steps_of(self.plan, &asked.inquiry);
        let stopping = steps
            .first()
            .and_then(|index| self.step(*index))
            .and_then(|step| self.run.stopping(step.section));
        if stopping.is_some() {
            return self.close_inquiry(number, InquiryEnd::Withdrawn, "the run does not go on".to_owned());
        }
        if matches!(asked.inquiry.subject, Subject::Choice { .. }) {
            return self.settle_choice(number, asked);
        }
        let refusal = asked
            .replies
            .iter()
            .find(|(_, reply)| reply.word == ReplyWord::Refuse);
        if let Some((_, reply)) = refusal {
            let why = match &reply.comment {
                Some(comment) => format!(
                    "refused by {} ({}): {}",
                    reply.person,
                    reply.role,
                    carried(comment)
                ),
                None => format!("refused by {} ({})", reply.person, reply.role),
            };
            return self.close_inquiry(number, InquiryEnd::Refused, why);
        }
        if asked.approvals() >= usize::try_from(asked.inquiry.count).unwrap_or(usize::MAX) {
            let by: Vec<&str> = asked
                .replies
                .iter()
                .map(|(_, reply)| reply.person.as_str())
                .collect();
            return self.close_inquiry(
                number,
                InquiryEnd::Approved,
                format!("approved by {}", by.join(" and ")),
            );
        }
        if self.around.now >= asked.until {
            return self.time_is_over(number, asked);
        }
        Ok(())
    }

    fn time_is_over(&mut self, number: u32, asked: &Asked) -> Result<(), Corrupt> {
        if asked.inquiry.on_timeout == OnTimeout::Escalate && !asked.escalated {
            let roles = &self.around.operator.approvals.escalate;
            let who = guardrails::resolve_roles(roles, self.around.entity).unwrap_or_default();
            let again = later(self.around.now, playbooks::plan::APPROVAL_WITHIN_DEFAULT);
            return self.record(Event::Escalated {
                number,
                who,
                until: self.run.deadline.max(again),
            });
        }
        let until = asked.until.strftime("%Y-%m-%d %H:%MZ");
        let why = match asked.approvals() {
            0 => format!("nobody of {} replied until {until}", asked.who.join(", ")),
            some => format!("{some} of {} approved until {until}", asked.inquiry.count),
        };
        self.close_inquiry(number, InquiryEnd::Expired, why)
    }

    /// What becomes of a step that waited for an approval and did not get it. Follows from what is
    /// recorded, so it does not matter where a commit or the process ended.
    pub(super) fn not_approved(
        &mut self,
        index: usize,
        end: InquiryEnd,
        why: String,
    ) -> Result<Gate, Corrupt> {
        let fails = self
            .run
            .asked_for(index)
            .is_some_and(|asked| asked.inquiry.on_timeout == OnTimeout::Fail);
        match end {
            InquiryEnd::Refused => self.skip(index, SkipCause::ApprovalRefused { why })?,
            InquiryEnd::Expired if fails => self.fail_step(index, ErrorKind::Timeout, &why)?,
            InquiryEnd::Expired => self.skip(index, SkipCause::ApprovalExpired { why })?,
            // The run does not go on, and says so of every step.
            InquiryEnd::Withdrawn | InquiryEnd::Approved | InquiryEnd::Voided | InquiryEnd::Chosen => {}
        }
        Ok(Gate::Shut)
    }

    pub(super) fn close_inquiry(
        &mut self,
        number: u32,
        end: InquiryEnd,
        detail: String,
    ) -> Result<(), Corrupt> {
        self.record(Event::InquiryClosed { number, end, detail })
    }

    /// Fails a step that was not taken up: the step, or each item that is left.
    pub(super) fn fail_step(&mut self, index: usize, kind: ErrorKind, why: &str) -> Result<(), Corrupt> {
        for spot in self.spots(index) {
            let stopped = self.step(index).and_then(|step| self.run.stopping(step.section));
            if stopped.is_some() || !self.run.open.contains(&index) {
                return Ok(());
            }
            if let Some(path) = self.path(spot) {
                self.record(failed_before(path, kind, why.to_owned()))?;
            }
        }
        Ok(())
    }
}
