//! A builder for [`ActionSpec`], so that a contract reads like its row in the documentation.
//!
//! Owns the defaults that contracts share. Knows no capability.

use indexmap::IndexMap;
use playbooks::action_spec::{ActionSpec, ErrorKind, Parameter, RetryDefault, Sink};
use playbooks::duration::Span;
use playbooks::marking::{EffectClass, Exposure};
use playbooks::types::Type;
use serde_json::Value;

/// Longest one attempt takes unless a contract says otherwise.
pub(crate) const TIMEOUT_DEFAULT: Span = Span::seconds(30);
/// Attempts of a call that may be tried again, unless a contract says otherwise.
pub(crate) const ATTEMPTS_DEFAULT: u32 = 3;
/// Shortest and longest wait between two attempts, unless a contract says otherwise.
pub(crate) const BACKOFF_DEFAULT: (Span, Span) = (Span::seconds(2), Span::minutes(1));

/// Failures that pass by themselves when nobody is at fault for good.
pub(crate) const PASSING_ERRORS: &[ErrorKind] = &[
    ErrorKind::Timeout,
    ErrorKind::Unreachable,
    ErrorKind::Throttled,
    ErrorKind::ServerError,
];

/// A contract in the making.
#[derive(Debug)]
pub(crate) struct Contract {
    spec: ActionSpec,
}

impl Contract {
    /// Begins a contract: its name in `uses:`, one sentence, what it may do, who may notice.
    pub(crate) fn new(name: &str, summary: &str, effect: EffectClass, exposure: Exposure) -> Self {
        Self {
            spec: ActionSpec {
                name: name.to_owned(),
                summary: summary.to_owned(),
                effect,
                exposure,
                discloses: Vec::new(),
                inputs: IndexMap::new(),
                exactly_one_of: Vec::new(),
                outputs: IndexMap::new(),
                natural_key: Vec::new(),
                inverse: None,
                no_inverse_because: None,
                timeout: TIMEOUT_DEFAULT,
                retry: RetryDefault {
                    attempts: ATTEMPTS_DEFAULT,
                    backoff: BACKOFF_DEFAULT,
                    errors: PASSING_ERRORS.to_vec(),
                },
                needs_connection: true,
                merges_providers: false,
                renders_mail: false,
                example: (Value::Null, Value::Null),
            },
        }
    }

    /// Adds an input. An optional one has an optional type.
    pub(crate) fn input(mut self, name: &str, ty: Type, sink: Sink, description: &str) -> Self {
        self.spec.inputs.insert(
            name.to_owned(),
            Parameter {
                ty,
                sink,
                description: description.to_owned(),
            },
        );
        self
    }

    /// Adds an output.
    pub(crate) fn output(mut self, name: &str, ty: Type) -> Self {
        self.spec.outputs.insert(name.to_owned(), ty);
        self
    }

    /// Names the inputs whose values leave the house.
    pub(crate) fn discloses(mut self, inputs: &[&str]) -> Self {
        self.spec.discloses = owned(inputs);
        self
    }

    /// Demands exactly one of some inputs.
    pub(crate) fn exactly_one_of(mut self, inputs: &[&str]) -> Self {
        self.spec.exactly_one_of.push(owned(inputs));
        self
    }

    /// Names the inputs that together say "the same thing again".
    pub(crate) fn natural_key(mut self, inputs: &[&str]) -> Self {
        self.spec.natural_key = owned(inputs);
        self
    }

    /// Names the action that takes the effect back.
    pub(crate) fn inverse(mut self, action: &str) -> Self {
        self.spec.inverse = Some(action.to_owned());
        self
    }

    /// Says why nothing takes the effect back.
    pub(crate) fn no_inverse_because(mut self, reason: &str) -> Self {
        self.spec.no_inverse_because = Some(reason.to_owned());
        self
    }

    /// Sets how often and how far apart a passing failure is tried again.
    pub(crate) fn retry(mut self, attempts: u32, backoff: (Span, Span)) -> Self {
        self.spec.retry.attempts = attempts;
        self.spec.retry.backoff = backoff;
        self
    }

    /// Sets the longest time of one attempt.
    pub(crate) fn timeout(mut self, timeout: Span) -> Self {
        self.spec.timeout = timeout;
        self
    }

    /// Adds a failure that is tried again.
    pub(crate) fn retry_on(mut self, kind: ErrorKind) -> Self {
        self.spec.retry.errors.push(kind);
        self
    }

    /// Computed in the house: no connection, and trying again changes nothing.
    pub(crate) fn in_the_house(mut self) -> Self {
        self.spec.needs_connection = false;
        self.spec.retry.attempts = 1;
        self.spec.retry.errors.clear();
        self
    }

    /// Asks several connections side by side and merges what they say.
    pub(crate) fn merges_providers(mut self) -> Self {
        self.spec.merges_providers = true;
        self
    }

    /// Sends a mail made from a template. Adds the inputs `template` and `params`.
    pub(crate) fn renders_mail(mut self) -> Self {
        self.spec.renders_mail = true;
        self.input(
            "template",
            Type::String,
            Sink::Plain,
            "The template below `templates/`, without language and ending: `mail/phishing-answer`.",
        )
        .input(
            "params",
            Type::Open.optional(),
            Sink::Document,
            "The parameters that the template declares.",
        )
    }

    /// Ends the contract with an example call: its inputs and what it gives.
    pub(crate) fn example(mut self, inputs: Value, outputs: Value) -> ActionSpec {
        self.spec.example = (inputs, outputs);
        self.spec
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
