//! Provider `opnsense`: addresses in a firewall alias, over its API.
//!
//! Owns the traps of that API: HTTP 200 also for failures, copies that survive a delete, prefixes
//! stored in several spellings. The alias must exist; no rule is ever created. The names of the
//! aliases stand in the connection's settings: `aliases.ip`, or `aliases.ip.inbound` and
//! `aliases.ip.outbound`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ipnet::IpNet;
use playbooks::action_spec::{ProviderSpec, Recovery};
use playbooks::duration::Span;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Target, direction, must_end};
use crate::action::{Action, ActionError, Call, Context, HouseChange, Performed, Probe};
use crate::arguments::{self, way_out};
use crate::egress::{Door, Request};

#[cfg(test)]
mod tests;

/// Times a delete is repeated until every copy is gone.
const DELETE_ROUNDS_MAX: usize = 10;
/// Rows asked for; the table search matches parts of addresses too.
const ROWS_MAX: u32 = 9_999;

/// Calls to one firewall go one after the other: a list and the add after it are one step.
type Turns = Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>;

/// Adds an address to an alias, or takes it out.
#[derive(Debug)]
pub(crate) struct Opnsense {
    provider: ProviderSpec,
    turns: Turns,
}

/// The two directions of `block.ip` over one set of firewalls.
pub(crate) fn block_and_unblock() -> [Opnsense; 2] {
    let turns = Turns::default();
    ["block.ip", "unblock.ip"].map(|capability| Opnsense {
        provider: ProviderSpec {
            capability: capability.to_owned(),
            provider: "opnsense".to_owned(),
            recovery: Recovery::Set,
            settle: Span::milliseconds(0),
            discloses_to: "the entity's firewall".to_owned(),
            expires_by_itself: false,
        },
        turns: Arc::clone(&turns),
    })
}

#[derive(Debug, Deserialize)]
struct Status {
    status: String,
    #[serde(default)]
    status_msg: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Table {
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    ip: String,
}

impl Opnsense {
    fn turn(&self, door: &Door) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(door.connection().name.clone()).or_default())
    }

    /// Changes the aliases one after the other. From the first change on no failure is certain to
    /// have left everything as it was.
    async fn each(&self, aliases: &[Alias<'_>], address: &str) -> Result<(), ActionError> {
        let mut changed = false;
        for alias in aliases {
            let outcome = if self.lifts() {
                alias.remove(address, &mut changed).await
            } else {
                alias.add(address, &mut changed).await
            };
            outcome.map_err(|error| if changed { doubtful(error) } else { error })?;
        }
        Ok(())
    }

    fn lifts(&self) -> bool {
        self.provider.capability == "unblock.ip"
    }
}

#[async_trait]
impl Action for Opnsense {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let target = Target::of(call)?;
        let door = way_out(context)?;
        let aliases = Alias::of(door, direction(call)?)?;
        let turn = self.turn(door);
        let _turn = turn.lock().await;
        if self.lifts() {
            self.each(&aliases, &target.value).await?;
            return Ok(lifted(target, reach(door, direction(call)?)));
        }
        must_end(call)?;
        arguments::text(call, "reason")?;
        self.each(&aliases, &target.value).await?;
        blocked(call, target, &aliases, reach(door, direction(call)?))
    }

    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe {
        let found = async {
            let target = Target::of(call)?;
            let (door, direction) = (way_out(context)?, direction(call)?);
            let aliases = Alias::of(door, direction)?;
            let mut holding = 0;
            for alias in &aliases {
                holding += usize::from(!alias.copies(&target.value).await?.is_empty());
            }
            match (self.lifts(), holding) {
                (true, 0) => Ok(Some(lifted(target, reach(door, direction)))),
                (false, all) if all == aliases.len() => {
                    blocked(call, target, &aliases, reach(door, direction)).map(Some)
                }
                _ => Ok(None),
            }
        };
        match found.await {
            Ok(Some(performed)) => Probe::Done(performed),
            Ok(None) => Probe::NotDone,
            Err(error) => Probe::CannotTell(ActionError::to_string(&error)),
        }
    }

    /// A block that may stand is registered, so that it is taken back at its end. A lift in doubt
    /// changes nothing: the register keeps the block until a lift has succeeded.
    fn in_doubt(&self, call: &Call) -> Vec<HouseChange> {
        if self.lifts() {
            return Vec::new();
        }
        Target::of(call)
            .and_then(|target| measure(call, target, direction(call)?))
            .map_or_else(|_| Vec::new(), |measure| vec![measure])
    }
}

/// The same failure, after a part was done.
fn doubtful(mut error: ActionError) -> ActionError {
    error.not_sent = false;
    error
}

fn lifted(target: Target, direction: &str) -> Performed {
    Performed {
        output: Value::Object(target.as_input()),
        reference: None,
        changes: vec![HouseChange::LiftMeasures {
            kind: target.kind,
            target: target.value,
            direction: Some(direction.to_owned()),
        }],
    }
}

/// The direction that a change of this firewall has: one alias for everything knows none.
fn reach<'a>(door: &Door, direction: &'a str) -> &'a str {
    match door.setting("aliases").and_then(|aliases| aliases.get("ip")) {
        Some(Value::String(_)) => "both",
        _ => direction,
    }
}

fn blocked(
    call: &Call,
    target: Target,
    aliases: &[Alias<'_>],
    direction: &str,
) -> Result<Performed, ActionError> {
    let names = aliases
        .iter()
        .map(|alias| alias.name)
        .collect::<Vec<_>>()
        .join(", ");
    let mut output = target.as_input();
    output.insert("list".to_owned(), json!(names));
    Ok(Performed {
        output: Value::Object(output),
        reference: Some(format!(
            "alias {names}; connections that are open already stay open"
        )),
        changes: vec![measure(call, target, direction)?],
    })
}

/// The block as the register holds it, with the way back.
fn measure(call: &Call, target: Target, direction: &str) -> Result<HouseChange, ActionError> {
    let mut inverse = target.as_input();
    inverse.insert("direction".to_owned(), json!(direction));
    Ok(HouseChange::PutMeasure {
        kind: target.kind,
        target: target.value,
        direction: Some(direction.to_owned()),
        reason: arguments::text(call, "reason")?.to_owned(),
        inverse: Some(("unblock.ip".to_owned(), Value::Object(inverse))),
    })
}

/// One alias of one firewall.
struct Alias<'a> {
    door: &'a Door,
    name: &'a str,
}

impl<'a> Alias<'a> {
    /// The aliases that a direction needs, each once.
    fn of(door: &'a Door, direction: &str) -> Result<Vec<Self>, ActionError> {
        let missing = |path: &str| {
            ActionError::invalid(format!(
                "connection `{}` names no alias under `aliases.ip{path}`",
                door.connection().name
            ))
        };
        let setting = door
            .setting("aliases")
            .and_then(|aliases| aliases.get("ip"))
            .ok_or_else(|| missing(""))?;
        if let Some(name) = setting.as_str() {
            return Ok(vec![Self { door, name }]);
        }
        let wanted: &[&str] = match direction {
            "inbound" => &["inbound"],
            "outbound" => &["outbound"],
            _ => &["inbound", "outbound"],
        };
        let mut aliases: Vec<Self> = Vec::new();
        for word in wanted {
            let name = setting
                .get(*word)
                .and_then(Value::as_str)
                .ok_or_else(|| missing(&format!(".{word}")))?;
            if aliases.iter().all(|alias| alias.name != name) {
                aliases.push(Self { door, name });
            }
        }
        Ok(aliases)
    }

    /// Adds an address unless it is there: a second add would leave a copy that survives a delete.
    async fn add(&self, address: &str, changed: &mut bool) -> Result<(), ActionError> {
        if !self.copies(address).await?.is_empty() {
            return Ok(());
        }
        self.change("api/firewall/alias_util/add", address).await?;
        *changed = true;
        Ok(())
    }

    /// Deletes every copy, in every spelling.
    async fn remove(&self, address: &str, changed: &mut bool) -> Result<(), ActionError> {
        for _ in 0..DELETE_ROUNDS_MAX {
            let copies = self.copies(address).await?;
            if copies.is_empty() {
                return Ok(());
            }
            for copy in copies {
                self.change("api/firewall/alias_util/delete", &copy).await?;
                *changed = true;
            }
        }
        Err(ActionError::new(
            playbooks::action_spec::ErrorKind::ServerError,
            format!(
                "{address} is still in the alias {} after {DELETE_ROUNDS_MAX} deletes",
                self.name
            ),
        ))
    }

    /// The spellings in which the address is held, by the live table and by the configuration that
    /// fills it again at the next reload.
    async fn copies(&self, address: &str) -> Result<Vec<String>, ActionError> {
        let wanted = prefix(address)
            .ok_or_else(|| ActionError::invalid(format!("`{address}` is not an address or a prefix")))?;
        let mut copies = self.live(address).await?;
        copies.extend(self.configured().await?);
        copies.retain(|copy| prefix(copy) == Some(wanted));
        copies.sort();
        copies.dedup();
        Ok(copies)
    }

    async fn live(&self, address: &str) -> Result<Vec<String>, ActionError> {
        let phrase = address.split_once('/').map_or(address, |(network, _)| network);
        let answer = self
            .door
            .send(
                Request::post("api/firewall/alias_util/list")
                    .segment(self.name)
                    .json(json!({"current": 1, "rowCount": ROWS_MAX, "searchPhrase": phrase})),
            )
            .await?;
        let table: Table = answer.json_as()?;
        Ok(table.rows.into_iter().map(|row| row.ip).collect())
    }

    /// What the configuration holds; nothing for external aliases, which have no content.
    async fn configured(&self) -> Result<Vec<String>, ActionError> {
        let answer = self
            .door
            .send(Request::get("api/firewall/alias/get_alias_u_u_i_d").segment(self.name))
            .await?
            .json()?;
        let Some(uuid) = answer.get("uuid").and_then(Value::as_str) else {
            return Err(ActionError::refused(format!(
                "the firewall has no alias `{}`",
                self.name
            )));
        };
        let item = self
            .door
            .send(Request::get("api/firewall/alias/get_item").segment(uuid))
            .await?
            .json()?;
        Ok(match item.pointer("/alias/content") {
            Some(Value::Object(entries)) => entries
                .iter()
                .filter(|(_, entry)| is_selected(entry))
                .map(|(address, _)| address.clone())
                .collect(),
            Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
            _ => Vec::new(),
        })
    }

    async fn change(&self, path: &'static str, address: &str) -> Result<(), ActionError> {
        let answer = self
            .door
            .send(
                Request::post(path)
                    .segment(self.name)
                    .json(json!({"address": address.to_lowercase()})),
            )
            .await?;
        let status: Status = answer.json_as()?;
        if status.status == "done" {
            return Ok(());
        }
        let why = status.status_msg.unwrap_or_default();
        Err(ActionError::refused(format!(
            "the firewall answered `{}` for {address} in the alias {}: {why}",
            status.status, self.name
        )))
    }
}

/// Whether an entry of the configuration is in force; the field offers others for choice.
fn is_selected(entry: &Value) -> bool {
    match entry.get("selected") {
        Some(Value::Bool(selected)) => *selected,
        Some(Value::Number(selected)) => selected.as_u64() != Some(0),
        Some(Value::String(selected)) => selected != "0" && !selected.is_empty(),
        _ => false,
    }
}

/// An address or prefix as a prefix: `192.0.2.7` and `192.0.2.7/32` are the same block.
fn prefix(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .map(|prefix| prefix.trunc())
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .ok()
}
