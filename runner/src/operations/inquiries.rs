//! What people are asked: showing it, and taking replies.
//!
//! Owns the way from a speakable id to the run that asks. Whether a reply counts is the engine's
//! decision, here only explained beforehand.

use std::collections::HashMap;

use engine::who::{Separation, may_reply};
use engine::{Asked, Command, Refusal};
use state::access::{Permission, Principal};
use state::event::{Event, Recorded, ReplyWord, Started, Subject};
use state::ids::{InquiryId, RunId};
use state::store::{InquiryFilter, Page, PageRequest, StoredInquiry};
use web::OperationError;
use web::operations::Answer;
use web::view::decision::REASON_CHARACTERS_MAX;
use web::view::{GivenReply, InquiryDetail, InquiryKind, InquiryView, SayToInquiry, Standing};

use super::LocalOperations;
use crate::dispatch::DecideError;

/// A run that asks, as far as its inquiries need it.
struct Asking {
    started: Started,
    run: engine::Run,
}

impl LocalOperations {
    pub(super) async fn inquiry_page(
        &self,
        caller: &Principal,
        filter: InquiryFilter,
        page: PageRequest,
    ) -> Answer<Page<InquiryView>> {
        let scope = caller.scope(Permission::See)?;
        let found = self.dispatcher.store().inquiries(&scope, filter, page).await?;
        let mut runs: HashMap<RunId, Asking> = HashMap::new();
        let mut rows = Vec::with_capacity(found.rows.len());
        for stored in found.rows {
            if !runs.contains_key(&stored.run) {
                runs.insert(stored.run.clone(), self.asking(&stored.run).await?);
            }
            if let Some(asking) = runs.get(&stored.run) {
                rows.push(view(&stored, asking)?);
            }
        }
        Ok(Page {
            rows,
            next: found.next,
        })
    }

    pub(super) async fn inquiry_detail(&self, caller: &Principal, id: InquiryId) -> Answer<InquiryDetail> {
        let scope = caller
            .scope(Permission::See)
            .or_else(|_| caller.scope(Permission::Approve))?;
        let stored = self.dispatcher.store().inquiry(&scope, id).await?;
        let stored = stored.ok_or_else(|| OperationError::not_found(format!("approval {id}")))?;
        let asking = self.asking(&stored.run).await?;
        let inquiry = view(&stored, &asking)?;
        let asked = asked(&stored, &asking)?;
        let you = self.standing(caller, asked, &asking.run);
        let (effects, digest, choices, default) = match &asked.inquiry.subject {
            Subject::Approval { effects, digest } => {
                (effects.clone(), Some(digest.clone()), Vec::new(), None)
            }
            Subject::Choice { choices, default } => (Vec::new(), None, choices.clone(), default.clone()),
        };
        Ok(InquiryDetail {
            inquiry,
            show: asked.inquiry.show.clone(),
            effects,
            digest,
            choices,
            default,
            replies: asked
                .replies
                .iter()
                .map(|(at, reply)| GivenReply {
                    at: *at,
                    reply: reply.clone(),
                })
                .collect(),
            you,
        })
    }

    pub(super) async fn take_reply(
        &self,
        caller: &Principal,
        id: InquiryId,
        said: SayToInquiry,
    ) -> Answer<InquiryDetail> {
        let scope = caller.scope(Permission::Approve)?;
        let person = caller.person().cloned().ok_or_else(|| OperationError::Denied {
            why: not_a_person(caller),
        })?;
        let stored = self.dispatcher.store().inquiry(&scope, id).await?;
        let stored = stored.ok_or_else(|| OperationError::not_found(format!("approval {id}")))?;
        let approval = matches!(stored.inquiry.subject, Subject::Approval { .. });
        let word = match (approval, said.decision.as_str()) {
            (true, "approve") => ReplyWord::Approve,
            (true, "refuse") => ReplyWord::Refuse,
            (_, choice) => ReplyWord::Choose(choice.to_owned()),
        };
        let comment = comment(said.comment)?;
        if word == ReplyWord::Refuse && comment.is_none() {
            return Err(OperationError::invalid("a refusal needs a comment: why?"));
        }
        if approval && said.digest.is_none() {
            return Err(OperationError::invalid(
                "an approval names the `digest` of what was shown; read it first",
            ));
        }
        let command = Command::Reply {
            number: stored.inquiry.number,
            person,
            actor: caller.actor().clone(),
            word,
            comment,
            digest: said.digest,
        };
        let heard = self.dispatcher.decide(&stored.run, command).await;
        heard.map_err(|error| refused(error, id))?;
        self.inquiry_detail(caller, id).await
    }

    async fn asking(&self, run: &RunId) -> Answer<Asking> {
        let events = self.dispatcher.store().load(run).await?;
        let Some(Recorded {
            event: Event::Started(started),
            ..
        }) = events.first()
        else {
            return Err(OperationError::internal(format!("run {run} has no first event")));
        };
        let started = started.clone();
        let compiled = self.compiled(&started.playbook.revision).await?;
        let run = engine::Run::fold(&compiled.plan, &events).map_err(OperationError::internal)?;
        Ok(Asking { started, run })
    }

    /// Whether the caller may reply now, and in which role or why not.
    fn standing(&self, caller: &Principal, asked: &Asked, run: &engine::Run) -> Standing {
        let no = |why: String| Standing { may: false, why };
        if let Some((_, detail)) = &asked.end {
            return no(format!("it is over: {detail}"));
        }
        let Some(person) = caller.person() else {
            return no(not_a_person(caller));
        };
        if let Err(denied) = caller.scope(Permission::Approve) {
            return no(denied.to_string());
        }
        let separation = Separation {
            started: run.started(),
            retried: run.retried_by(),
            author: None,
            four_eyes: self.dispatcher.operator().approvals.four_eyes,
        };
        match may_reply(asked, person, separation) {
            Ok(role) => Standing {
                may: true,
                why: format!("you may decide as {role}"),
            },
            Err(why) => no(why.to_string()),
        }
    }
}

fn not_a_person(caller: &Principal) -> String {
    format!(
        "{} is not a named person; only a person decides, with a token of theirs (--token-file FILE)",
        caller.actor().name
    )
}

fn comment(given: Option<String>) -> Answer<Option<String>> {
    let trimmed = given.map(|comment| comment.trim().to_owned());
    let Some(comment) = trimmed.filter(|comment| !comment.is_empty()) else {
        return Ok(None);
    };
    let length = comment.chars().count();
    if length > REASON_CHARACTERS_MAX || comment.chars().any(char::is_control) {
        return Err(OperationError::invalid(format!(
            "the comment must be one line of at most {REASON_CHARACTERS_MAX} characters"
        )));
    }
    Ok(Some(comment))
}

fn refused(error: DecideError, id: InquiryId) -> OperationError {
    let look = || Some(format!("sortie approvals show {id}"));
    match error {
        DecideError::Refused(refusal @ Refusal::NoSuchReply { .. }) => {
            OperationError::invalid(refusal.to_string())
        }
        DecideError::Refused(Refusal::NotAsked { .. }) => OperationError::not_found(format!("approval {id}")),
        DecideError::Refused(refusal @ Refusal::MayNot(_)) => OperationError::Refused {
            why: refusal.to_string(),
            help: None,
        },
        DecideError::Refused(refusal) => OperationError::Refused {
            why: refusal.to_string(),
            help: look(),
        },
        // Nobody asks a far end about a reply.
        error @ (DecideError::NotYet | DecideError::CannotTell { .. }) => OperationError::Busy {
            why: error.to_string(),
            retry_after: web::error::RETRY_AFTER_DEFAULT,
        },
    }
}

fn asked<'a>(stored: &StoredInquiry, asking: &'a Asking) -> Answer<&'a Asked> {
    asking
        .run
        .inquiry(stored.inquiry.number)
        .ok_or_else(|| OperationError::internal(format!("{} is not in its run", stored.id)))
}

fn view(stored: &StoredInquiry, asking: &Asking) -> Answer<InquiryView> {
    let asked = asked(stored, asking)?;
    let inquiry = &asked.inquiry;
    Ok(InquiryView {
        id: stored.id,
        kind: match inquiry.subject {
            Subject::Approval { .. } => InquiryKind::Approval,
            Subject::Choice { .. } => InquiryKind::Choice,
        },
        state: asked.end.as_ref().map(|(end, _)| *end).into(),
        entity: stored.entity.clone(),
        run: stored.run.clone(),
        playbook: asking.started.playbook.id.clone(),
        incident: asking.started.incident.clone(),
        steps: inquiry.steps.clone(),
        ask: inquiry.ask.clone(),
        because: inquiry.because.clone(),
        who: asked.who.clone(),
        count: inquiry.count,
        approvals: asked.approvals(),
        asked_at: stored.asked_at,
        until: asked.until,
        on_timeout: inquiry.on_timeout,
        escalated: asked.escalated,
        detail: asked.end.as_ref().map(|(_, detail)| detail.clone()),
    })
}
