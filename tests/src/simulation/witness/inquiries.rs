//! What people were asked, as the oracle sees it.
//!
//! Owns I11: an inquiry is decided once, by distinct persons, and about exactly what is done.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use state::event::{Inquiry, InquiryEnd, Intended, ProposedEffect, Reply, ReplyWord, Subject};

/// An inquiry.
#[derive(Debug, Clone)]
pub struct AskedSeen {
    /// What was asked.
    pub inquiry: Inquiry,
    /// The roles that are asked, those of an escalation included.
    pub who: BTreeSet<String>,
    /// Who approved.
    pub approved: BTreeSet<String>,
    /// Whether somebody refused.
    pub refused: bool,
    /// How it ended.
    pub end: Option<InquiryEnd>,
    replied: BTreeSet<String>,
}

impl AskedSeen {
    /// Something is asked.
    pub fn new(inquiry: &Inquiry) -> Result<Self, String> {
        if let Subject::Approval { effects, digest } = &inquiry.subject {
            let ours = digest_of(effects)?;
            if ours != *digest {
                return Err(format!(
                    "I11: the digest of inquiry {} is not that of what is asked",
                    inquiry.number
                ));
            }
        }
        Ok(Self {
            who: inquiry.who.iter().cloned().collect(),
            inquiry: inquiry.clone(),
            approved: BTreeSet::new(),
            refused: false,
            end: None,
            replied: BTreeSet::new(),
        })
    }

    /// Somebody replies.
    pub fn hears(&mut self, reply: &Reply) -> Result<(), String> {
        let number = reply.number;
        if let Some(end) = self.end {
            return Err(format!(
                "I11: a reply to inquiry {number}, which is {}",
                end.word()
            ));
        }
        if !self.replied.insert(reply.person.clone()) {
            return Err(format!("I11: {} replied twice to inquiry {number}", reply.person));
        }
        if !self.who.contains(&reply.role) {
            return Err(format!("I11: {} was not asked as {}", reply.person, reply.role));
        }
        if let Subject::Approval { digest, .. } = &self.inquiry.subject
            && reply.word == ReplyWord::Approve
            && reply.digest.as_ref() != Some(digest)
        {
            return Err(format!("I11: inquiry {number} was approved on another digest"));
        }
        match reply.word {
            ReplyWord::Approve => {
                self.approved.insert(reply.person.clone());
            }
            ReplyWord::Refuse => self.refused = true,
            ReplyWord::Choose(_) => {}
        }
        Ok(())
    }

    /// It ends.
    pub fn ends(&mut self, end: InquiryEnd) -> Result<(), String> {
        let number = self.inquiry.number;
        // What was approved may turn out to be something else by the time it is done.
        let voided = self.end == Some(InquiryEnd::Approved) && end == InquiryEnd::Voided;
        if self.end.is_some() && !voided {
            return Err(format!("I11: inquiry {number} ends twice"));
        }
        let enough = self.approved.len() >= usize::try_from(self.inquiry.count).unwrap_or(usize::MAX);
        if end == InquiryEnd::Approved && (!enough || self.refused) {
            return Err(format!(
                "I11: inquiry {number} is approved by {:?}",
                self.approved
            ));
        }
        self.end = Some(end);
        Ok(())
    }

    /// Whether it names this step.
    pub fn is_about(&self, step: &str) -> bool {
        self.inquiry.steps.iter().any(|one| one == step)
    }

    /// Whether an effect may be intended that this was asked about.
    pub fn allows(&self, intended: &Intended) -> Result<(), String> {
        if self.end != Some(InquiryEnd::Approved) {
            return Err(format!(
                "I3: `{}` is intended, and inquiry {} is {}",
                intended.path,
                self.inquiry.number,
                self.end.map_or("open", InquiryEnd::word)
            ));
        }
        let Subject::Approval { effects, .. } = &self.inquiry.subject else {
            return Ok(());
        };
        let Some(proposed) = effects.iter().find(|one| one.path == intended.path) else {
            return Err(format!(
                "I11: `{}` was not among what was approved",
                intended.path
            ));
        };
        let same = proposed.action == intended.action
            && proposed.connections == intended.connections
            && proposed.arguments == intended.arguments
            && (proposed.tlp, proposed.pap) == (intended.tlp, intended.pap);
        if same {
            Ok(())
        } else {
            Err(format!("I11: `{}` is not what was approved", intended.path))
        }
    }
}

/// SHA-256 over JSON with sorted names and nothing between.
fn digest_of(effects: &[ProposedEffect]) -> Result<String, String> {
    let value = serde_json::to_value(effects).map_err(|error| error.to_string())?;
    let mut text = String::new();
    canonical(&value, &mut text);
    Ok(hex::encode(Sha256::digest(text)))
}

fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            text.push('{');
            for (place, name) in names.into_iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                let _infallible = write!(text, "{}:", Value::String(name.clone()));
                canonical(fields.get(name).unwrap_or(&Value::Null), text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                canonical(item, text);
            }
            text.push(']');
        }
        other => {
            let _infallible = write!(text, "{other}");
        }
    }
}
