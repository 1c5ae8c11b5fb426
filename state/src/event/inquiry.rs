//! What people are asked in the course of a run: whether effects may happen, or which way to go.
//!
//! Owns the stored form of an inquiry, of a person's reply to it, and of its end. Who may reply is
//! the engine's decision; a reply in the record was allowed when it was given.

use jiff::Timestamp;
use playbooks::marking::{EffectClass, Pap, Tlp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Actor;
use crate::ids::{InquiryId, Path};

/// Something that people are asked, with everything they decide on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inquiry {
    /// Its number in the run, from 1 without gaps.
    pub number: u32,
    /// Its speakable id. The store gives it in the commit that keeps the inquiry; none before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<InquiryId>,
    /// The steps that wait for it; the question is that of the first.
    pub steps: Vec<String>,
    /// What is asked for.
    pub subject: Subject,
    /// The question, one sentence.
    pub ask: String,
    /// What the author shows beside it, in the author's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub show: Vec<Shown>,
    /// Why it is asked, in words: the playbook, the class, the entity's policy.
    pub because: String,
    /// The roles that are asked; any of them may reply.
    pub who: Vec<String>,
    /// Distinct persons that are needed.
    pub count: u32,
    /// When the time to reply is over.
    pub until: Timestamp,
    /// What happens then.
    pub on_timeout: OnTimeout,
}

/// What an inquiry is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Subject {
    /// Whether these effects may happen, all of them or none.
    Approval {
        /// What will be done, resolved.
        effects: Vec<ProposedEffect>,
        /// SHA-256 over the canonical JSON of `effects`, lower-case hexadecimal. Part of every
        /// reply; other effects need another inquiry.
        digest: String,
    },
    /// Which of a few words.
    Choice {
        /// The words.
        choices: Vec<String>,
        /// The answer when nobody replies in time; without it the answer is then `none`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<String>,
    },
}

/// An effect that waits for approval, as it will be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposedEffect {
    /// Which step, or which item of its list.
    pub path: Path,
    /// The capability.
    pub action: String,
    /// Its class.
    pub effect: EffectClass,
    /// The connections it goes through.
    pub connections: Vec<String>,
    /// The arguments, resolved. Secrets are not among them.
    pub arguments: Value,
    /// The marking it carries.
    pub tlp: Tlp,
    /// The marking it carries.
    pub pap: Pap,
}

/// A value with its label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The label.
    pub label: String,
    /// The value; `null` when it is absent.
    pub value: Value,
}

/// What happens when nobody replied in time. Silence never approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The step is skipped.
    Skip,
    /// The step fails.
    Fail,
    /// More people are asked, until the run's time is over; then the step is skipped.
    Escalate,
    /// The default counts as the answer. Of choices only.
    Default,
}

impl OnTimeout {
    /// The spelling in files and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Fail => "fail",
            Self::Escalate => "escalate",
            Self::Default => "default",
        }
    }
}

/// What one person said to an inquiry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The inquiry, by its number in the run.
    pub number: u32,
    /// Who: the person's name, whatever they signed in with.
    pub person: String,
    /// The role in which they replied.
    pub role: String,
    /// Who and through which channel, for the record.
    pub actor: Actor,
    /// What they said.
    pub word: ReplyWord,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The digest of the effects they saw. Of approvals only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// See [`Reply::word`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyWord {
    /// The effects may happen.
    Approve,
    /// They may not.
    Refuse,
    /// This way.
    Choose(String),
}

impl ReplyWord {
    /// In one word, or the choice itself.
    pub fn word(&self) -> &str {
        match self {
            Self::Approve => "approve",
            Self::Refuse => "refuse",
            Self::Choose(choice) => choice,
        }
    }
}

/// What came of telling one person that they are asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Told {
    /// A relay took the mail.
    Sent {
        /// Its `Message-ID`.
        message_id: String,
    },
    /// Nothing was sent.
    NotSent {
        /// Why.
        detail: String,
    },
    /// It may have been sent. It is not sent again.
    Unknown {
        /// Why nobody can tell.
        detail: String,
    },
}

/// How an inquiry ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InquiryEnd {
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
    /// The run was cancelled or is failing: nobody needs the reply.
    Withdrawn,
}

impl InquiryEnd {
    /// The spelling in JSON and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Chosen => "chosen",
            Self::Expired => "expired",
            Self::Voided => "voided",
            Self::Withdrawn => "withdrawn",
        }
    }
}
