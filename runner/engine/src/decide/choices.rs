//! `ask.human`: people say which way to go.
//!
//! Owns that the answer is one of the words that were offered, or what silence means. The question
//! is durable before anybody is asked; the answer and what follows from it share one commit.

use playbooks::action_spec::{NO_ANSWER, Recovery};
use playbooks::duration::Span;
use playbooks::marking::EffectClass;
use playbooks::plan::{CHOICES_MAX, Step};
use serde_json::{Map, Value, json};
use state::event::{
    Event, Inquiry, InquiryEnd, Intended, Mode, OnTimeout, Outcome, RefusalKind, Reply, ReplyWord, Shown,
    Subject,
};

use super::draft::Draft;
use super::open::NoArguments;
use crate::backoff::later;
use crate::guardrails::{self, Denial};
use crate::key::effect_key;
use crate::run::{Asked, Corrupt, Spot};
use crate::words::carried;

/// Why there is no question.
enum NoQuestion {
    Refused(RefusalKind, String),
    Broken(String),
}

impl Draft<'_> {
    /// Asks what a step wants to know, or takes the answer.
    pub(super) fn ask_people(&mut self, index: usize, step: &Step) -> Result<(), Corrupt> {
        if let Some(asked) = self.run.asked_for(index).cloned() {
            return match asked.end {
                Some((InquiryEnd::Chosen | InquiryEnd::Expired, _)) => self.answered(index, step, &asked),
                _ => Ok(()),
            };
        }
        let spot = Spot::whole(index);
        let Some(path) = self.path(spot) else {
            return Ok(());
        };
        let arguments = match self.arguments(spot, step) {
            Ok(arguments) => arguments,
            Err(NoArguments::Skip(cause)) => return self.record(Event::Skipped { path, cause }),
            Err(NoArguments::Broken(why)) => return self.broken(spot, why),
        };
        let asks = self.choice(step, &arguments);
        // Whether anything may be done at all. That people have to agree first is what this is for.
        let permit = match guardrails::examine(&self.question(step, arguments, true)) {
            Ok(permit) => permit,
            Err(denial) => return self.deny(path, denial),
        };
        let inquiry = match asks {
            Ok(inquiry) => inquiry,
            Err(NoQuestion::Broken(why)) => return self.broken(spot, why),
            Err(NoQuestion::Refused(kind, detail)) => {
                let effect = permit.effect;
                return self.deny(path, Denial { kind, detail, effect });
            }
        };
        if self.run.started.mode == Mode::Simulate {
            let nobody = Asked::new(&inquiry, self.around.now);
            return self.answered(index, step, &nobody);
        }
        self.record(Event::Asked(Box::new(inquiry)))
    }

    fn choice(&self, step: &Step, arguments: &Map<String, Value>) -> Result<Inquiry, NoQuestion> {
        let texts = |name: &str| -> Vec<String> {
            let items = arguments.get(name).and_then(Value::as_array);
            let items = items.into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let who = guardrails::resolve_roles(&texts("who"), self.around.entity)
            .map_err(|(kind, detail)| NoQuestion::Refused(kind, detail))?;
        let choices = texts("choices");
        let within = text("within").and_then(|span| span.parse::<Span>().ok());
        let within = within.filter(|span| *span > Span::milliseconds(0));
        let Some(within) = within else {
            return Err(NoQuestion::Broken("`within` is no time to answer in".to_owned()));
        };
        if choices.is_empty() || choices.len() > CHOICES_MAX || who.is_empty() {
            let why = format!("it needs somebody to ask, and 1 to {CHOICES_MAX} choices");
            return Err(NoQuestion::Broken(why));
        }
        let show = arguments.get("show").and_then(Value::as_object);
        Ok(Inquiry {
            number: u32::try_from(self.run.inquiries.len() + 1).unwrap_or(u32::MAX),
            id: None,
            steps: vec![step.id.clone()],
            subject: Subject::Choice {
                choices,
                default: text("default").map(str::to_owned),
            },
            ask: text("question").unwrap_or_default().to_owned(),
            show: show
                .into_iter()
                .flatten()
                .map(|(label, value)| Shown {
                    label: label.clone(),
                    value: value.clone(),
                })
                .collect(),
            because: "the playbook wants to know".to_owned(),
            who,
            count: 1,
            until: later(self.around.now, within),
            on_timeout: OnTimeout::Default,
        })
    }

    /// What follows from an answer, and from the end of the time.
    pub(super) fn settle_choice(&mut self, number: u32, asked: &Asked) -> Result<(), Corrupt> {
        match said(asked) {
            Some((choice, reply)) => {
                let why = reply.comment.as_deref();
                let why = why.map_or_else(String::new, |comment| format!(": {}", carried(comment)));
                let detail = format!("{} ({}) chose {choice}{why}", reply.person, reply.role);
                self.close_inquiry(number, InquiryEnd::Chosen, detail)
            }
            None if self.around.now >= asked.until => {
                let detail = format!(
                    "nobody of {} answered until {}, so the answer is {}",
                    asked.who.join(", "),
                    asked.until.strftime("%Y-%m-%d %H:%MZ"),
                    silence(&asked.inquiry.subject)
                );
                self.close_inquiry(number, InquiryEnd::Expired, detail)
            }
            None => Ok(()),
        }
    }

    /// The answer, or what silence means, is the outcome of the step. It is a record of our own:
    /// whoever is told about the question is told by the host.
    fn answered(&mut self, index: usize, step: &Step, asked: &Asked) -> Result<(), Corrupt> {
        let Some(path) = self.path(Spot::whole(index)) else {
            return Ok(());
        };
        let inquiry = &asked.inquiry;
        let (choices, default) = match &inquiry.subject {
            Subject::Choice { choices, default } => (choices.as_slice(), default.as_deref()),
            Subject::Approval { .. } => (&[][..], None),
        };
        let mut arguments = json!({
            "who": inquiry.who, "question": inquiry.ask, "choices": choices, "until": inquiry.until,
        });
        if let (Some(arguments), Some(default)) = (arguments.as_object_mut(), default) {
            arguments.insert("default".to_owned(), default.into());
        }
        let generation = self.run.generation(Spot::whole(index));
        let action = &step.action.name;
        let key = effect_key(&self.run.started, &path, generation, action, &arguments);
        let key = key.ok_or_else(|| Corrupt {
            seq: self.run.next_seq,
            reason: "a digest is not a key".to_owned(),
        })?;
        let marking = guardrails::of_incident(&self.run);
        self.record(Event::Intended(Intended {
            path: path.clone(),
            attempt: 1,
            key,
            action: action.clone(),
            effect: EffectClass::Record,
            connections: Vec::new(),
            left_out: Vec::new(),
            arguments,
            tlp: marking.tlp,
            pap: marking.pap,
            recovery: Recovery::Set,
            timeout: step.timeout,
            until: None,
        }))?;
        let said = said(asked);
        let answer = said.map_or_else(|| silence(&inquiry.subject), |(choice, _)| choice.to_owned());
        let mut output = Map::from_iter([("answer".to_owned(), Value::String(answer))]);
        if let Some((_, reply)) = said {
            output.insert("by".to_owned(), reply.person.clone().into());
            let comment = reply.comment.clone();
            output.extend(comment.map(|comment| ("comment".to_owned(), comment.into())));
        }
        let output = Value::Object(output);
        let outcome = if self.run.started.mode == Mode::Simulate {
            Outcome::Simulated { output }
        } else {
            Outcome::Succeeded {
                output,
                reference: None,
            }
        };
        self.record(Event::Finished {
            path,
            attempt: 1,
            outcome,
            duration_ms: 0,
        })
    }
}

/// The answer and who gave it.
fn said(asked: &Asked) -> Option<(&str, &Reply)> {
    asked.replies.iter().find_map(|(_, reply)| match &reply.word {
        ReplyWord::Choose(choice) => Some((choice.as_str(), reply)),
        ReplyWord::Approve | ReplyWord::Refuse => None,
    })
}

/// What nobody's answer means.
fn silence(subject: &Subject) -> String {
    match subject {
        Subject::Choice {
            default: Some(default),
            ..
        } => default.clone(),
        Subject::Choice { .. } | Subject::Approval { .. } => NO_ANSWER.to_owned(),
    }
}
