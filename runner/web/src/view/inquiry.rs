//! What people are asked, as they read it. Part of [`crate::view`], with the same promise about
//! field names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use state::event::{OnTimeout, ProposedEffect, Reply, Shown};
use state::ids::{EntityId, IncidentId, InquiryId, RunId};

/// What an inquiry is for, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InquiryKind {
    /// Whether effects may happen.
    Approval,
    /// Which way to go.
    Choice,
}

/// How an inquiry stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InquiryState {
    /// Waits for replies.
    Open,
    /// As many persons as needed approved.
    Approved,
    /// Somebody refused.
    Refused,
    /// Somebody chose.
    Chosen,
    /// Its time was over.
    Expired,
    /// What was asked about is not what would be done any more.
    Voided,
    /// The run did not go on.
    Withdrawn,
}

impl InquiryState {
    /// The spelling in JSON and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Chosen => "chosen",
            Self::Expired => "expired",
            Self::Voided => "voided",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl From<Option<state::event::InquiryEnd>> for InquiryState {
    fn from(end: Option<state::event::InquiryEnd>) -> Self {
        use state::event::InquiryEnd;
        match end {
            None => Self::Open,
            Some(InquiryEnd::Approved) => Self::Approved,
            Some(InquiryEnd::Refused) => Self::Refused,
            Some(InquiryEnd::Chosen) => Self::Chosen,
            Some(InquiryEnd::Expired) => Self::Expired,
            Some(InquiryEnd::Voided) => Self::Voided,
            Some(InquiryEnd::Withdrawn) => Self::Withdrawn,
        }
    }
}

/// An inquiry as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InquiryView {
    /// Its speakable id.
    pub id: InquiryId,
    /// What it is for.
    pub kind: InquiryKind,
    /// How it stands.
    pub state: InquiryState,
    /// Whose.
    pub entity: EntityId,
    /// The run that asks.
    pub run: RunId,
    /// Its playbook.
    pub playbook: String,
    /// The incident it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The steps that wait for it.
    pub steps: Vec<String>,
    /// The question.
    pub ask: String,
    /// Why it is asked.
    pub because: String,
    /// The roles that are asked now.
    pub who: Vec<String>,
    /// Distinct persons that are needed.
    pub count: u32,
    /// Persons that have approved so far.
    pub approvals: usize,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When the time to reply is over, as of now.
    pub until: Timestamp,
    /// What happens then.
    pub on_timeout: OnTimeout,
    /// Whether more people were asked because nobody had replied.
    pub escalated: bool,
    /// How it ended, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// One inquiry with everything that is decided on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InquiryDetail {
    /// As lists show it.
    pub inquiry: InquiryView,
    /// What the author shows.
    pub show: Vec<Shown>,
    /// What will be done, resolved; of approvals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<ProposedEffect>,
    /// The digest of `effects`, which an approval must name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The words to choose from; of choices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The answer when nobody replies in time; of choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// What was said so far.
    pub replies: Vec<GivenReply>,
    /// Whether the caller may reply now.
    pub you: Standing,
}

/// A reply with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenReply {
    /// When.
    pub at: Timestamp,
    /// What.
    pub reply: Reply,
}

/// Whether somebody may reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether they may.
    pub may: bool,
    /// In which role, or why not.
    pub why: String,
}

/// What a person says to an inquiry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SayToInquiry {
    /// `approve`, `refuse`, or one of the choices.
    pub decision: String,
    /// Why; needed for a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The digest of the effects as they were shown; needed for approvals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}
