//! Which provider does what, and how a call goes through.
//!
//! Owns the way of a call: the connection's limits, the time of an attempt, the panic of an
//! action, the form of its outputs, the asking of several connections. Decides no policy: which
//! connections may be used is settled before.

mod built_in;
mod line;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use indexmap::IndexMap;
use playbooks::action_spec::{ActionSpec, Catalog, ErrorKind, ProviderSpec};
use playbooks::marking::EffectClass;
use playbooks::types::Type;

use self::line::Line;
use crate::action::{Action, ActionError, Call, Context, Files, HouseChange, Performed, Probe};
use crate::cache::{Kept, LookupCache};
use crate::clock::Clock;
use crate::connection::{ConnectionProblem, ConnectionSettings};
use crate::enrich::merge::{Heard, merge};
use crate::notify::invitation::{Invitation, Invite};

/// Bytes of the outputs of one call, as JSON.
pub const OUTPUT_BYTES_MAX: usize = 5 * 1024 * 1024;
/// The provider word of actions that need no connection.
pub const HOUSE: &str = "house";

/// The way out that was settled for a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// The connections to ask, by name. One, unless the capability merges providers; none for
    /// actions in the house.
    pub connections: Vec<String>,
    /// Connections that offer the capability and may not be asked, so that a merged verdict does
    /// not claim more than it knows.
    pub left_out: Vec<LeftOut>,
}

/// A connection that was not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub connection: String,
    /// Why, for people: `TLP:AMBER+STRICT is above its ceiling`.
    pub reason: String,
}

impl Route {
    /// One connection.
    pub fn through(connection: impl Into<String>) -> Self {
        Self {
            connections: vec![connection.into()],
            left_out: Vec::new(),
        }
    }

    /// No connection: an action in the house.
    pub fn in_the_house() -> Self {
        Self::default()
    }
}

/// All capabilities, their providers and the connections of this installation.
#[derive(Debug)]
pub struct Registry {
    specs: IndexMap<String, Arc<ActionSpec>>,
    /// Capability to provider word to action.
    providers: BTreeMap<String, BTreeMap<String, Arc<dyn Action>>>,
    lines: BTreeMap<String, Line>,
    cache: LookupCache,
}

impl Registry {
    /// Opens every connection. Nothing is sent. All problems are told at once.
    pub fn new(
        connections: Vec<ConnectionSettings>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Vec<ConnectionProblem>> {
        Self::with_actions(connections, clock, built_in::actions())
    }

    /// A registry of these actions only. Of a product it is all of them; a simulation stands its
    /// own far ends behind the same capabilities.
    pub fn with_actions(
        connections: Vec<ConnectionSettings>,
        clock: &Arc<dyn Clock>,
        actions: Vec<Arc<dyn Action>>,
    ) -> Result<Self, Vec<ConnectionProblem>> {
        let mut providers: BTreeMap<String, BTreeMap<String, Arc<dyn Action>>> = BTreeMap::new();
        for action in actions {
            let spec = action.provider().clone();
            providers
                .entry(spec.capability)
                .or_default()
                .insert(spec.provider, action);
        }
        let mut registry = Self {
            specs: crate::catalogue::capabilities(),
            providers,
            lines: BTreeMap::new(),
            cache: LookupCache::new(Arc::clone(clock)),
        };
        let mut problems = Vec::new();
        for settings in connections {
            let name = settings.facts.name.clone();
            if let Err(problem) = registry.check_offer(&settings) {
                problems.push(ConnectionProblem {
                    connection: name,
                    problem,
                });
                continue;
            }
            match Line::open(settings, Arc::clone(clock)) {
                Ok(line) => {
                    registry.lines.insert(name, line);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(registry)
        } else {
            Err(problems)
        }
    }

    /// Whether a provider fulfils a capability.
    pub fn fulfils(&self, provider: &str, capability: &str) -> bool {
        self.find(provider, capability).is_some()
    }

    /// Does it, once, on the settled way. Waits for the connection's rate for at most half of the
    /// call's time.
    pub async fn perform(
        &self,
        call: &Call,
        route: &Route,
        files: &dyn Files,
    ) -> Result<Performed, ActionError> {
        let spec = self
            .specs
            .get(&call.action)
            .ok_or_else(|| ActionError::invalid(format!("there is no action `{}`", call.action)))?;
        let performed = if !spec.needs_connection {
            let action = self
                .find(HOUSE, &call.action)
                .ok_or_else(|| not_built(&call.action))?;
            let context = Context { door: None, files };
            attempt(action.as_ref(), call, context, call.timeout.to_std()).await?
        } else if spec.merges_providers {
            self.ask_several(spec, call, route, files).await?
        } else {
            let [connection] = route.connections.as_slice() else {
                return Err(ActionError::invalid(format!(
                    "{} needs exactly one connection, {} are given",
                    call.action,
                    route.connections.len()
                )));
            };
            let (line, action) = self.line(connection, &call.action)?;
            line.call(action.as_ref(), call, files).await?
        };
        checked(spec, performed)
    }

    /// Tells a person by mail, once, that they are asked. No playbook can ask for it. Returns the
    /// `Message-ID`.
    pub async fn invite(
        &self,
        call: &Call,
        connection: &str,
        invitation: &Invitation,
        files: &dyn Files,
    ) -> Result<String, ActionError> {
        let line = self
            .lines
            .get(connection)
            .ok_or_else(|| ActionError::invalid(format!("there is no connection `{connection}`")))?;
        let performed = line.call(&Invite::new(invitation), call, files).await?;
        let message_id = performed
            .output
            .get("message_id")
            .and_then(serde_json::Value::as_str);
        Ok(message_id.unwrap_or_default().to_owned())
    }

    /// What holds if a call happened, or may have: what the register has to know of it, when
    /// nobody but a person can tell.
    pub fn in_doubt(&self, call: &Call, connection: Option<&str>) -> Vec<HouseChange> {
        let action = match connection {
            None => self.find(HOUSE, &call.action),
            Some(connection) => self.line(connection, &call.action).ok().map(|(_, action)| action),
        };
        action.map_or_else(Vec::new, |action| action.in_doubt(call))
    }

    /// Asks whether a call happened, on the connection it went out by.
    pub async fn probe(&self, call: &Call, connection: Option<&str>, files: &dyn Files) -> Probe {
        let cannot_tell = |error: ActionError| Probe::CannotTell(error.detail);
        let asked = match connection {
            None => match self.find(HOUSE, &call.action) {
                Some(action) => {
                    let context = Context { door: None, files };
                    ask(action.as_ref(), call, context).await
                }
                None => return cannot_tell(not_built(&call.action)),
            },
            Some(connection) => match self.line(connection, &call.action) {
                Ok((line, action)) => match line.admit(call).await {
                    Ok(_) => {
                        let asked = ask(action.as_ref(), call, line.context(files)).await;
                        line.undecided();
                        asked
                    }
                    Err(error) => return cannot_tell(error),
                },
                Err(error) => return cannot_tell(error),
            },
        };
        match asked {
            Probe::Done(performed) => match self.specs.get(&call.action) {
                Some(spec) => checked(spec, performed).map_or_else(cannot_tell, Probe::Done),
                None => Probe::Done(performed),
            },
            other => other,
        }
    }

    async fn ask_several(
        &self,
        spec: &ActionSpec,
        call: &Call,
        route: &Route,
        files: &dyn Files,
    ) -> Result<Performed, ActionError> {
        // A connection may offer `enrich.*` and its provider know only some of the family.
        let knows = |name: &str| self.line(name, &call.action).is_ok();
        let asked = route
            .connections
            .iter()
            .filter(|name| knows(name))
            .map(|name| async {
                let answer = self.look_up(name, call, files).await;
                (name.clone(), answer)
            });
        let mut heard: Vec<Heard> = join_all(asked)
            .await
            .into_iter()
            .map(|(connection, answer)| match answer {
                Ok(kept) => Heard::answer(connection, kept.at, kept.performed.output.clone()),
                Err(error) => Heard::failure(connection, call.now, error),
            })
            .collect();
        for left_out in route
            .left_out
            .iter()
            .filter(|left_out| knows(&left_out.connection))
        {
            heard.push(Heard::left_out(left_out, call.now));
        }
        if heard.is_empty() {
            return Err(ActionError::invalid(format!(
                "no connection of this step can do {}",
                call.action
            )));
        }
        merge(spec, &call.arguments, heard).map(Performed::output)
    }

    async fn look_up(
        &self,
        connection: &str,
        call: &Call,
        files: &dyn Files,
    ) -> Result<Arc<Kept>, ActionError> {
        let may_keep = self
            .specs
            .get(&call.action)
            .is_some_and(|spec| spec.effect == EffectClass::Read);
        if may_keep && let Some(kept) = self.cache.get(connection, call).await {
            return Ok(kept);
        }
        let (line, action) = self.line(connection, &call.action)?;
        let performed = line.call(action.as_ref(), call, files).await?;
        Ok(self.cache.keep(connection, call, performed).await)
    }

    fn line(&self, connection: &str, action: &str) -> Result<(&Line, &Arc<dyn Action>), ActionError> {
        let line = self
            .lines
            .get(connection)
            .ok_or_else(|| ActionError::invalid(format!("there is no connection `{connection}`")))?;
        let provider = &line.facts().provider;
        let found = self.find(provider, action).ok_or_else(|| {
            ActionError::invalid(format!(
                "connection `{connection}` leads to `{provider}`, which cannot do {action}"
            ))
        })?;
        Ok((line, found))
    }

    fn find(&self, provider: &str, capability: &str) -> Option<&Arc<dyn Action>> {
        self.providers.get(capability)?.get(provider)
    }

    /// A connection may only offer what its provider can do.
    fn check_offer(&self, settings: &ConnectionSettings) -> Result<(), String> {
        let provider = &settings.facts.provider;
        let can: Vec<&str> = self
            .providers
            .iter()
            .filter(|(_, by_provider)| by_provider.contains_key(provider))
            .map(|(capability, _)| capability.as_str())
            .collect();
        if can.is_empty() {
            let mut known: Vec<&str> = self
                .providers
                .values()
                .flat_map(BTreeMap::keys)
                .map(String::as_str)
                .collect();
            known.sort_unstable();
            known.dedup();
            return Err(format!(
                "there is no provider `{provider}`; one of {}",
                known.join(", ")
            ));
        }
        for offered in &settings.facts.capabilities {
            let fits = match offered.strip_suffix('*') {
                Some(family) => can.iter().any(|capability| capability.starts_with(family)),
                None => can.contains(&offered.as_str()),
            };
            if !fits {
                return Err(format!(
                    "`{provider}` cannot do `{offered}`; it can do {}",
                    can.join(", ")
                ));
            }
        }
        Ok(())
    }
}

impl Catalog for Registry {
    fn action(&self, name: &str) -> Option<&ActionSpec> {
        self.specs.get(name).map(AsRef::as_ref)
    }
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.specs.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
    fn providers(&self, capability: &str) -> Vec<&ProviderSpec> {
        self.providers
            .get(capability)
            .into_iter()
            .flat_map(BTreeMap::values)
            .map(|action| action.provider())
            .collect()
    }
}

fn not_built(action: &str) -> ActionError {
    ActionError::invalid(format!("{action} is not built into this version of Sortie"))
}

/// One attempt within its time. A panic is a fault of ours and says nothing of the outcome. A
/// failure that may have happened outside carries what our records must hold in that case.
async fn attempt(
    action: &dyn Action,
    call: &Call,
    context: Context<'_>,
    time: std::time::Duration,
) -> Result<Performed, ActionError> {
    let guarded = AssertUnwindSafe(action.perform(call, context)).catch_unwind();
    let failure = match tokio::time::timeout(time, guarded).await {
        Ok(Ok(Ok(performed))) => return Ok(performed),
        Ok(Ok(Err(failure))) => failure,
        Ok(Err(_panic)) => ActionError::new(
            ErrorKind::Internal,
            format!("{} failed inside Sortie; this is a fault to report", call.action),
        ),
        Err(_elapsed) => ActionError::new(
            ErrorKind::Timeout,
            format!("{} got no answer within {}", call.action, call.timeout),
        ),
    };
    if failure.not_sent {
        return Err(failure);
    }
    Err(failure.holding(action.in_doubt(call)))
}

/// One probe within the time of an attempt.
async fn ask(action: &dyn Action, call: &Call, context: Context<'_>) -> Probe {
    let guarded = AssertUnwindSafe(action.probe(call, context)).catch_unwind();
    match tokio::time::timeout(call.timeout.to_std(), guarded).await {
        Ok(Ok(probe)) => probe,
        Ok(Err(_panic)) => Probe::CannotTell("asking failed inside Sortie".to_owned()),
        Err(_elapsed) => Probe::CannotTell(format!("no answer within {}", call.timeout)),
    }
}

/// The outputs in the promised form, or the failure to keep the promise. What was done stays done:
/// the failure keeps the changes.
fn checked(spec: &ActionSpec, performed: Performed) -> Result<Performed, ActionError> {
    let promised = Type::Record(spec.outputs.clone());
    let broken = match playbooks::values::check_foreign(&performed.output, &promised) {
        Err(mismatch) => format!("{} gave {mismatch}", spec.name),
        Ok(output) => {
            let size = output.to_string().len();
            if size <= OUTPUT_BYTES_MAX {
                return Ok(Performed { output, ..performed });
            }
            format!(
                "{} gave {size} bytes of outputs, more than {OUTPUT_BYTES_MAX}",
                spec.name
            )
        }
    };
    Err(ActionError::bad_answer(broken).holding(performed.changes))
}
