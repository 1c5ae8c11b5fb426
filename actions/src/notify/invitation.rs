//! The mail to a person who is asked for an approval or an answer.
//!
//! Owns what it says: the question, what is shown, what will be done, and one link. The mail decides
//! nothing, and neither does opening the link. Above the ceiling of the channel it says only that
//! something is asked.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use playbooks::action_spec::ProviderSpec;
use playbooks::marking::Tlp;
use serde_json::{Value, json};

use super::letter::Letter;
use super::mail::{MAIL_CEILING, cannot_tell, smtp};
use super::text::one_line;
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::way_out;

#[cfg(test)]
mod tests;

/// Characters of one value in a mail; the page has all of it.
pub const INVITATION_VALUE_CHARACTERS_MAX: usize = 300;
/// Effects that a mail lists; the page has all of them.
pub const INVITATION_EFFECTS_MAX: usize = 20;
/// Characters of a label or a name in a mail.
const LABEL_CHARACTERS_MAX: usize = 60;

/// An effect that would be had, in words.
#[derive(Debug, Clone, PartialEq)]
pub struct InvitedEffect {
    /// Which step or item.
    pub path: String,
    /// The capability and its class: `block.ip (contain)`.
    pub action: String,
    /// The connections it goes through.
    pub connections: Vec<String>,
    /// Its arguments, resolved.
    pub arguments: Value,
}

/// What happens when nobody replies in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// The step is skipped.
    Skip,
    /// The step fails.
    Fail,
    /// More people are asked.
    Escalate,
    /// This is the answer.
    Answer(String),
}

/// What a person is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Invitation {
    /// The address of the person.
    pub recipient: String,
    /// The person's name.
    pub person: String,
    /// The speakable id: `A-93`.
    pub id: String,
    /// The question.
    pub ask: String,
    /// Why it is asked.
    pub because: String,
    /// The roles that are asked.
    pub who: Vec<String>,
    /// Distinct persons that are needed.
    pub count: u32,
    /// Until when, and what then.
    pub until: (Timestamp, Silence),
    /// The answers to choose from; none of an approval.
    pub choices: Vec<String>,
    /// What the author shows: label and value.
    pub show: Vec<(String, Value)>,
    /// What would be done.
    pub effects: Vec<InvitedEffect>,
    /// The one link.
    pub link: String,
    /// The strictest marking that this channel carries.
    pub ceiling: Tlp,
}

impl Invitation {
    fn is_question(&self) -> bool {
        !self.choices.is_empty()
    }

    fn subject(&self, words: &Sentences) -> String {
        let kind = if self.is_question() {
            words.question
        } else {
            words.approval
        };
        format!("{} {}: {}", kind, self.id, self.ask)
    }

    /// The text in front of the link.
    fn text(&self, call: &Call, words: &Sentences) -> String {
        let zone = TimeZone::get(&call.entity.timezone).unwrap_or(TimeZone::UTC);
        let (until, then) = &self.until;
        let then = match then {
            Silence::Skip => words.skip.to_owned(),
            Silence::Fail => words.fail.to_owned(),
            Silence::Escalate => words.escalate.to_owned(),
            Silence::Answer(answer) => words.answer.replace("{answer}", answer),
        };
        let until = until.to_zoned_datetime(zone).strftime("%Y-%m-%d %H:%M %Z");
        let mut lines = vec![
            value_of(&Value::String(self.ask.clone())),
            String::new(),
            format!(
                "{}: {}",
                words.because,
                one_line(&self.because, INVITATION_VALUE_CHARACTERS_MAX)
            ),
            format!(
                "{}: {}",
                words.asked,
                one_line(&self.who.join(", "), INVITATION_VALUE_CHARACTERS_MAX)
            ),
            format!("{}: {until}, {}", words.until, then),
        ];
        if self.is_question() {
            lines.push(format!("{}: {}", words.choices, self.choices.join(" / ")));
        } else {
            lines.push(format!("{}: {}", words.needed, self.count));
        }
        if !self.show.is_empty() {
            lines.push(String::new());
        }
        for (label, value) in &self.show {
            lines.push(format!(
                "{}: {}",
                one_line(label, LABEL_CHARACTERS_MAX),
                value_of(value)
            ));
        }
        if !self.effects.is_empty() {
            lines.extend([String::new(), format!("{}:", words.effects)]);
        }
        for effect in self.effects.iter().take(INVITATION_EFFECTS_MAX) {
            let through = match effect.connections.as_slice() {
                [] => String::new(),
                connections => format!(" > {}", connections.join(", ")),
            };
            lines.push(format!("! {}  {}{through}", effect.path, effect.action));
            for (name, value) in effect.arguments.as_object().into_iter().flatten() {
                lines.push(format!(
                    "    {}: {}",
                    one_line(name, LABEL_CHARACTERS_MAX),
                    value_of(value)
                ));
            }
        }
        if let Some(more) = self.effects.len().checked_sub(INVITATION_EFFECTS_MAX)
            && more > 0
        {
            lines.push(format!("+ {more} {}", words.more));
        }
        lines.extend([String::new(), words.decides_nothing.to_owned()]);
        lines.join("\n")
    }
}

fn value_of(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    one_line(&text, INVITATION_VALUE_CHARACTERS_MAX)
}

/// Writes one invitation. Stands outside of the list of actions: no playbook can name it.
#[derive(Debug)]
pub(crate) struct Invite<'a> {
    provider: ProviderSpec,
    invitation: &'a Invitation,
}

impl<'a> Invite<'a> {
    pub(crate) fn new(invitation: &'a Invitation) -> Self {
        Self {
            provider: smtp("ask.human", "the person who is asked"),
            invitation,
        }
    }

    fn compose(&self, call: &Call) -> Result<super::letter::Composed, ActionError> {
        let invitation = self.invitation;
        let language = call.organisation.language.as_str();
        let words = Sentences::of(language);
        let (subject, text) = if call.tlp > invitation.ceiling.min(MAIL_CEILING) {
            let kind = if invitation.is_question() {
                words.question
            } else {
                words.approval
            };
            let subject = format!("{kind} {}", invitation.id);
            (
                subject,
                format!("{}\n\n{}", words.not_by_mail, words.decides_nothing),
            )
        } else {
            (invitation.subject(words), invitation.text(call, words))
        };
        Letter {
            call,
            recipient: &invitation.recipient,
            role: &invitation.person,
            subject: &subject,
            text: &text,
            link: Some(&invitation.link),
            language,
            tlp: call.tlp,
            urgent: true,
        }
        .compose()
    }
}

#[async_trait]
impl Action for Invite<'_> {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let composed = self.compose(call)?;
        way_out(context)?
            .mailer()?
            .send(&composed.from, &composed.to, &composed.bytes)
            .await?;
        Ok(Performed::output(json!({"message_id": composed.message_id})))
    }

    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        cannot_tell()
    }
}

/// The fixed sentences of one language.
#[derive(Debug)]
struct Sentences {
    approval: &'static str,
    question: &'static str,
    because: &'static str,
    asked: &'static str,
    needed: &'static str,
    choices: &'static str,
    until: &'static str,
    skip: &'static str,
    fail: &'static str,
    escalate: &'static str,
    answer: &'static str,
    effects: &'static str,
    more: &'static str,
    decides_nothing: &'static str,
    not_by_mail: &'static str,
}

const ENGLISH: Sentences = Sentences {
    approval: "Approval",
    question: "Question",
    because: "Why it is asked",
    asked: "Asked",
    needed: "Persons who must agree",
    choices: "Answers",
    until: "Until",
    skip: "then it is skipped",
    fail: "then the step fails",
    escalate: "then more people are asked",
    answer: "then the answer is {answer}",
    effects: "What will be done",
    more: "more on the page",
    decides_nothing: "This mail decides nothing, and neither does opening the link. Sign in there to look and decide:",
    not_by_mail: "Something is asked of you that may not be told by mail.",
};

const FRENCH: Sentences = Sentences {
    approval: "Approbation",
    question: "Question",
    because: "Pourquoi",
    asked: "Demandé à",
    needed: "Personnes qui doivent approuver",
    choices: "Réponses",
    until: "Jusqu'au",
    skip: "puis c'est abandonné",
    fail: "puis l'étape échoue",
    escalate: "puis d'autres personnes sont consultées",
    answer: "puis la réponse est {answer}",
    effects: "Ce qui sera fait",
    more: "de plus sur la page",
    decides_nothing: "Ce courriel ne décide rien, et ouvrir le lien non plus. Connectez-vous pour voir et décider :",
    not_by_mail: "On vous demande quelque chose qui ne peut pas être dit par courriel.",
};

const GERMAN: Sentences = Sentences {
    approval: "Freigabe",
    question: "Frage",
    because: "Warum gefragt wird",
    asked: "Gefragt",
    needed: "Personen, die zustimmen müssen",
    choices: "Antworten",
    until: "Bis",
    skip: "dann wird es ausgelassen",
    fail: "dann schlägt der Schritt fehl",
    escalate: "dann werden weitere gefragt",
    answer: "dann gilt die Antwort {answer}",
    effects: "Was getan wird",
    more: "weitere auf der Seite",
    decides_nothing: "Diese Mail entscheidet nichts, und das Öffnen des Links auch nicht. Dort anmelden, ansehen, entscheiden:",
    not_by_mail: "Sie werden etwas gefragt, das nicht per Mail gesagt werden darf.",
};

impl Sentences {
    fn of(language: &str) -> &'static Self {
        match language.get(..2).unwrap_or_default() {
            "fr" => &FRENCH,
            "de" => &GERMAN,
            _ => &ENGLISH,
        }
    }
}
