//! What follows from what people said, and from silence.
//!
//! Owns the ends of inquiries. Silence never approves.

use playbooks::action_spec::ErrorKind;
use state::event::{Event, InquiryEnd, OnTimeout, ReplyWord, SkipCause};

use super::draft::Draft;
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
            self.close_inquiry(number, InquiryEnd::Refused, why.clone())?;
            return self.leave_out(&steps, &SkipCause::ApprovalRefused { why });
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
            return self.time_is_over(number, asked, &steps);
        }
        Ok(())
    }

    fn time_is_over(&mut self, number: u32, asked: &Asked, steps: &[usize]) -> Result<(), Corrupt> {
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
        self.close_inquiry(number, InquiryEnd::Expired, why.clone())?;
        if asked.inquiry.on_timeout == OnTimeout::Fail {
            for index in steps {
                self.fail_step(*index, ErrorKind::Timeout, &why)?;
            }
            return Ok(());
        }
        self.leave_out(steps, &SkipCause::ApprovalExpired { why })
    }

    pub(super) fn close_inquiry(
        &mut self,
        number: u32,
        end: InquiryEnd,
        detail: String,
    ) -> Result<(), Corrupt> {
        self.record(Event::InquiryClosed { number, end, detail })
    }

    fn leave_out(&mut self, steps: &[usize], cause: &SkipCause) -> Result<(), Corrupt> {
        for index in steps {
            if self.run.open.contains(index) {
                self.skip(*index, cause.clone())?;
            }
        }
        Ok(())
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
