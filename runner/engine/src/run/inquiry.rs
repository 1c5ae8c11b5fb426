//! What a run asked people, and what came of it.
//!
//! Owns the state of one inquiry. Which event leads from one state to another is decided by the
//! fold; who may reply is decided in [`crate::who`].

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use playbooks::marking::Tlp;
use playbooks::plan::Plan;
use serde_json::Value;
use state::event::{Inquiry, InquiryEnd, ProposedEffect, Reply, ReplyWord, Subject, Told};
use state::ids::Path;

use super::Run;
use crate::guardrails;

/// Something that people were asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What was asked, and whom at first.
    pub inquiry: Arc<Inquiry>,
    /// When.
    pub at: Timestamp,
    /// The roles that are asked now.
    pub who: Vec<String>,
    /// When the time to reply is over, as of now.
    pub until: Timestamp,
    /// Whether more people were asked because nobody had replied.
    pub escalated: bool,
    /// Replies with their times, in order.
    pub replies: Vec<(Timestamp, Reply)>,
    /// Who is told of it by mail, and what came of it; none while it is on its way.
    pub told: BTreeMap<String, Option<Told>>,
    /// How it ended, and why, in words.
    pub end: Option<(InquiryEnd, String)>,
}

impl Asked {
    pub(crate) fn new(inquiry: &Inquiry, at: Timestamp) -> Self {
        Self {
            who: inquiry.who.clone(),
            until: inquiry.until,
            inquiry: Arc::new(inquiry.clone()),
            at,
            escalated: false,
            replies: Vec::new(),
            told: BTreeMap::new(),
            end: None,
        }
    }

    /// Whether a reply still counts.
    pub fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// Persons who approved.
    pub fn approvals(&self) -> usize {
        let approving = |(_, reply): &&(Timestamp, Reply)| reply.word == ReplyWord::Approve;
        self.replies.iter().filter(approving).count()
    }

    /// What is proposed at a path, when this is about effects.
    pub(crate) fn proposal(&self, path: &Path) -> Option<&ProposedEffect> {
        match &self.inquiry.subject {
            Subject::Approval { effects, .. } => effects.iter().find(|proposed| proposed.path == *path),
            Subject::Choice { .. } => None,
        }
    }
}

impl Run {
    /// Everything that people were asked, oldest first.
    pub fn inquiries(&self) -> impl Iterator<Item = &Asked> {
        self.inquiries.iter().map(|asked| &**asked)
    }

    /// Mails that were decided and of which nothing is known yet: the inquiry and the person.
    pub fn letters(&self) -> impl Iterator<Item = (u32, &str)> {
        self.letters
            .iter()
            .map(|(number, person)| (*number, person.as_str()))
    }

    /// The marking of what an inquiry shows: that of the incident, or a stricter one of what will
    /// be done.
    pub fn marking_of(&self, asked: &Asked) -> Tlp {
        let incident = guardrails::of_incident(self).tlp;
        match &asked.inquiry.subject {
            Subject::Approval { effects, .. } => {
                effects.iter().map(|effect| effect.tlp).fold(incident, Tlp::max)
            }
            Subject::Choice { .. } => incident,
        }
    }

    /// One inquiry by its number in the run.
    pub fn inquiry(&self, number: u32) -> Option<&Asked> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.inquiries.get(place).map(|asked| &**asked)
    }

    /// The last inquiry that a step waited for.
    pub(crate) fn asked_for(&self, step: usize) -> Option<&Asked> {
        self.inquiry(*self.asked.get(&step)?)
    }

    /// The last inquiry of the step of a path.
    pub(crate) fn asked_for_step(&self, plan: &Plan, path: &Path) -> Option<&Asked> {
        self.asked_for(plan.steps.get_index_of(&*path.step)?)
    }

    /// The open inquiry that a step waits for.
    pub(crate) fn awaited_by(&self, step: usize) -> Option<&Asked> {
        self.asked_for(step).filter(|asked| asked.is_open())
    }

    /// Whether people approved exactly this effect, some time in this run.
    pub(crate) fn was_approved(&self, path: &Path, arguments: &Value) -> bool {
        self.inquiries().any(|asked| {
            matches!(asked.end, Some((InquiryEnd::Approved | InquiryEnd::Voided, _)))
                && asked.approvals() > 0
                && asked
                    .proposal(path)
                    .is_some_and(|proposed| proposed.arguments == *arguments)
        })
    }

    /// The steps that an inquiry is about, by position.
    pub(crate) fn steps_of(plan: &Plan, inquiry: &Inquiry) -> Vec<usize> {
        let position = |id: &String| plan.steps.get_index_of(id);
        inquiry.steps.iter().filter_map(position).collect()
    }
}

/// The digest of effects: SHA-256 over their canonical JSON, lower-case hexadecimal.
pub(crate) fn digest(effects: &[ProposedEffect]) -> String {
    use sha2::{Digest as _, Sha256};
    let value = serde_json::to_value(effects).unwrap_or_default();
    hex::encode(Sha256::digest(playbooks::revision::canonical_json(&value)))
}

/// The digest of an inquiry, when it is about effects.
pub(crate) fn digest_of(inquiry: &Inquiry) -> Option<&str> {
    match &inquiry.subject {
        Subject::Approval { digest, .. } => Some(digest),
        Subject::Choice { .. } => None,
    }
}
