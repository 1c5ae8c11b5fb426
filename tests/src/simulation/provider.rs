//! Providers of a simulation: the real catalogue's capabilities, with far ends of the world behind
//! them.
//!
//! Owns what a far end answers, and which fault an answer meets.

use std::sync::Arc;
use std::time::Duration;

use actions::action::{Action, ActionError, Call, Context, HouseChange, Performed, Probe};
use async_trait::async_trait;
use playbooks::action_spec::{ActionSpec, ErrorKind, ProviderSpec};
use playbooks::duration::Span;
use serde_json::{Map, Value, json};

use super::Shared;
use super::weather::Kind;
use super::world::{Nature, Sent, block_of, soon};

/// What stands behind a capability.
#[derive(Debug, Clone)]
pub enum Behind {
    /// A far end.
    World(Nature),
    /// The product's own action: what it asks for is part of the commit of its outcome.
    House(Arc<dyn Action>),
    /// What a product's own action gave once. It only computes.
    Known(Value),
}

/// One capability at one provider.
#[derive(Debug)]
pub struct SimAction {
    /// What it declares.
    pub declared: ProviderSpec,
    /// The contract of the capability.
    pub contract: Arc<ActionSpec>,
    /// What stands behind it.
    pub behind: Behind,
    /// The simulation.
    pub shared: Arc<Shared>,
}

/// How one request goes.
enum Course {
    Done,
    DoneUnheard(Option<ActionError>),
    Nothing(Option<ActionError>),
}

/// Takes a request that nobody waits for any more off the wire, or lets it be done all the same.
struct OnTheWire<'a> {
    shared: &'a Shared,
    number: u64,
    nature: Nature,
}

impl Drop for OnTheWire<'_> {
    fn drop(&mut self) {
        if self.shared.fate.is_dead() || !self.shared.world.is_in_flight(self.number) {
            return;
        }
        if self.nature == Nature::Tells && self.shared.now_and_then(Kind::LateEffect, 70) {
            let at = self
                .shared
                .draw(|random| soon(self.shared.timeline.passed(), random));
            self.shared.world.does_later(self.number, at);
        } else {
            self.shared.world.drops(self.number);
        }
    }
}

impl SimAction {
    /// Which course a request takes.
    fn course(&self, nature: Nature) -> Course {
        let shared = &self.shared;
        let fails = |kind, certain: bool| {
            let error = ActionError::new(kind, format!("the simulation says {}", kind.word()));
            Some(if certain { error.certain() } else { error })
        };
        if let Some(wait) = shared.throttled() {
            let error = fails(ErrorKind::Throttled, true).map(|error| error.after(wait));
            return Course::Nothing(error);
        }
        if shared.now_and_then(Kind::Unreachable, 6) {
            return Course::Nothing(fails(ErrorKind::Unreachable, true));
        }
        if shared.now_and_then(Kind::Rejected, 3) {
            return Course::Nothing(fails(ErrorKind::Rejected, true));
        }
        if shared.now_and_then(Kind::NoAnswer, 5) {
            return Course::Nothing(None);
        }
        if nature != Nature::Reads && shared.now_and_then(Kind::AnswerLost, 8) {
            return Course::DoneUnheard(None);
        }
        if shared.now_and_then(Kind::ServerError, 6) {
            let error = fails(ErrorKind::ServerError, false);
            return if shared.draw(|random| random.percent(50)) {
                Course::DoneUnheard(error)
            } else {
                Course::Nothing(error)
            };
        }
        Course::Done
    }

    async fn go_out(&self, call: &Call, nature: Nature) -> Result<Performed, ActionError> {
        let shared = &self.shared;
        shared.fate.moment().await;
        shared.broken(shared.world.catch_up(shared.timeline.passed()));
        let number = shared.world.arrives(Sent {
            key: call.key.clone(),
            action: call.action.clone(),
            arguments: call.arguments.clone(),
            nature,
        });
        let wire = OnTheWire {
            shared,
            number,
            nature,
        };
        let course = self.course(nature);
        let millis = shared.draw(|random| random.between(1, 1_500));
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let (failure, done) = match course {
            Course::Done => (None, true),
            Course::DoneUnheard(failure) => {
                shared.broken(shared.world.does(number));
                shared.fate.moment().await;
                (failure, false)
            }
            Course::Nothing(failure) => {
                if failure.is_some() {
                    shared.world.drops(number);
                }
                (failure, false)
            }
        };
        if done {
            shared.broken(shared.world.does(number));
            shared.fate.moment().await;
            shared.counters.count("effects and reads done");
            return Ok(self.performed(call, nature));
        }
        match failure {
            Some(failure) => Err(failure),
            None => {
                // No answer: the registry's time runs out, or the process ends.
                std::future::pending::<()>().await;
                drop(wire);
                Err(ActionError::new(ErrorKind::Internal, "cannot be"))
            }
        }
    }

    fn performed(&self, call: &Call, nature: Nature) -> Performed {
        Performed {
            output: self.output(call),
            reference: Some(call.marker()),
            changes: if nature == Nature::Sets {
                changes(call)
            } else {
                Vec::new()
            },
        }
    }

    /// The example of the contract. What it repeats of its own arguments is repeated of these, and
    /// a verdict depends on what is asked about.
    fn output(&self, call: &Call) -> Value {
        let (inputs, mut output) = self.contract.example.clone();
        for (name, value) in output.as_object_mut().into_iter().flatten() {
            if inputs.get(name) == Some(value)
                && let Some(given) = call.arguments.get(name)
            {
                *value = given.clone();
            }
        }
        let bad = call.arguments.to_string().bytes().map(u64::from).sum::<u64>() % 3 != 0;
        if let Some(record) = output.as_object_mut() {
            for (name, value) in [
                ("verdict", json!(if bad { "malicious" } else { "clean" })),
                ("score", json!(if bad { 90 } else { 5 })),
            ] {
                if record.contains_key(name) {
                    record.insert(name.to_owned(), value);
                }
            }
        }
        output
    }
}

/// What the register of measures has to know: as a firewall says it that cannot end a block by
/// itself.
fn changes(call: &Call) -> Vec<HouseChange> {
    let Some((kind, target, direction)) = block_of(&call.action, &call.arguments) else {
        return Vec::new();
    };
    let kind = match kind.as_str() {
        "ip" => "ip",
        "domain" => "domain",
        _ => "url",
    };
    let direction = Some(direction).filter(|direction| !direction.is_empty());
    if call.action.starts_with("unblock.") {
        return vec![HouseChange::LiftMeasures {
            kind,
            target,
            direction,
        }];
    }
    let mut inverse = Map::new();
    inverse.insert(kind.to_owned(), json!(target));
    if let Some(direction) = &direction {
        inverse.insert("direction".to_owned(), json!(direction));
    }
    let reason = call.arguments.get("reason").and_then(Value::as_str);
    vec![HouseChange::PutMeasure {
        kind,
        target,
        direction,
        reason: reason.unwrap_or_default().to_owned(),
        inverse: Some((format!("unblock.{kind}"), Value::Object(inverse))),
    }]
}

#[async_trait]
impl Action for SimAction {
    fn provider(&self) -> &ProviderSpec {
        &self.declared
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        self.shared.broken(self.shared.witness.called(call));
        match &self.behind {
            Behind::World(nature) => self.go_out(call, *nature).await,
            Behind::House(action) => action.perform(call, context).await,
            Behind::Known(output) => Ok(Performed::output(output.clone())),
        }
    }

    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe {
        let nature = match &self.behind {
            Behind::World(nature) => *nature,
            Behind::House(action) => return action.probe(call, context).await,
            Behind::Known(_) => return Probe::NotDone,
        };
        let shared = &self.shared;
        shared.fate.moment().await;
        shared.counters.count("probes");
        let millis = shared.draw(|random| random.between(1, 1_500));
        tokio::time::sleep(Duration::from_millis(millis)).await;
        shared.broken(shared.world.catch_up(shared.timeline.passed()));
        if nature == Nature::Blind || shared.now_and_then(Kind::CannotTell, 30) {
            return Probe::CannotTell("the simulation cannot tell".to_owned());
        }
        if shared.world.happened(&call.key) {
            Probe::Done(self.performed(call, nature))
        } else {
            Probe::NotDone
        }
    }

    fn in_doubt(&self, call: &Call) -> Vec<HouseChange> {
        match &self.behind {
            Behind::World(Nature::Sets) if call.action.starts_with("block.") => changes(call),
            Behind::House(action) => action.in_doubt(call),
            _ => Vec::new(),
        }
    }
}

/// How long a probe's "not there" means nothing.
pub const SETTLE: Span = Span::minutes(1);
