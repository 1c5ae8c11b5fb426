//! `ask.human`: the contract of a question to people.
//!
//! Owns the contract only. Nothing is performed: the engine asks, and a person's answer or silence
//! is the outcome.

use async_trait::async_trait;
use playbooks::action_spec::{ASK_HUMAN, ActionSpec, ProviderSpec, Recovery, Sink};
use playbooks::duration::Span;
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::Type;
use serde_json::json;

use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::catalogue::contract::Contract;

/// The contract.
pub(crate) fn spec() -> ActionSpec {
    Contract::new(
        ASK_HUMAN,
        "Asks people which way to go and waits for their answer.",
        EffectClass::Notify,
        Exposure::None,
    )
    .input(
        "who",
        Type::String.list(),
        Sink::Plain,
        "The roles that are asked: of the organisation, `entity.<name>` for approvers that the entity names, `<entity>/<role>`.",
    )
    .input("question", Type::String, Sink::Plain, "The question, one sentence.")
    .input(
        "show",
        Type::Open.optional(),
        Sink::Plain,
        "What is shown beside it: label and value.",
    )
    .input(
        "choices",
        Type::String.list(),
        Sink::Plain,
        "The answers to choose from, written out; they are the type of `answer`.",
    )
    .input(
        "within",
        Type::Duration,
        Sink::Plain,
        "How long people have. Silence is no error.",
    )
    .input(
        "default",
        Type::String.optional(),
        Sink::Plain,
        "The answer when nobody answers in time; without it the answer is then `none`.",
    )
    .output("answer", Type::String)
    .output("by", Type::String.optional())
    .output("comment", Type::String.optional())
    .natural_key(&["question"])
    .no_inverse_because("people have been asked")
    .in_the_house()
    .example(
        json!({
            "who": ["duty-officer"], "question": "Is this domain worth a takedown?",
            "choices": ["takedown", "watch", "ignore"], "within": "24h", "default": "watch",
        }),
        json!({"answer": "watch", "by": "karim"}),
    )
}

/// Stands in the list of providers, so that the contract has one; performs nothing.
#[derive(Debug)]
pub(crate) struct People {
    provider: ProviderSpec,
}

impl People {
    pub(crate) fn new() -> Self {
        Self {
            provider: ProviderSpec {
                capability: ASK_HUMAN.to_owned(),
                provider: "house".to_owned(),
                recovery: Recovery::Set,
                settle: Span::milliseconds(0),
                discloses_to: "the people who are asked".to_owned(),
                expires_by_itself: false,
            },
        }
    }
}

#[async_trait]
impl Action for People {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, _: &Call, _: Context<'_>) -> Result<Performed, ActionError> {
        Err(ActionError::invalid(
            "people answer a question, and no provider can",
        ))
    }

    async fn probe(&self, _: &Call, _: Context<'_>) -> Probe {
        Probe::NotDone
    }
}
