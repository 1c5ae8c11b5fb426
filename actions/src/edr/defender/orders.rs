//! Orders to a machine: isolate it, release it.
//!
//! Owns that an order is given once and is done only when the machine has taken it. The comment of
//! an order holds our marker, by which it is found again; an order that the machine has not taken
//! yet (`Pending`) is waited for, not given again.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use playbooks::action_spec::{ErrorKind, ProviderSpec, Recovery};
use playbooks::duration::Span;
use serde::Deserialize;
use serde_json::json;

use super::{Machine, PAGES_MAX, spec};
use crate::action::{Action, ActionError, Call, Context, Performed, Probe};
use crate::arguments::{self, way_out};
use crate::egress::{Door, Request};
use crate::notify::text::one_line;
use crate::odata;

/// How long after a call an order may be missing in the list of orders.
const SETTLE: Span = Span::seconds(30);
/// The first look at an order comes after this part of the attempt's time, each further one after
/// twice as long, until looks are [`LONGEST_PAUSE`] apart.
const FIRST_PAUSE: u32 = 120;
/// See [`FIRST_PAUSE`].
const LONGEST_PAUSE: u32 = 12;
/// Characters of a comment before our marker.
const COMMENT_CHARS_MAX: usize = 300;

/// `edr.isolate_host` or `edr.release_host`.
#[derive(Debug)]
pub(crate) struct Order {
    provider: ProviderSpec,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Isolate,
    Release,
}

/// A machine action; the fields that are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MachineAction {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    status: String,
    requestor_comment: Option<String>,
    creation_date_time_utc: Option<Timestamp>,
}

/// How an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The machine has not taken it, or is at it.
    Open,
    Done,
    /// It will not be done: it failed, timed out or was cancelled.
    Ended,
}

impl MachineAction {
    fn standing(&self) -> Standing {
        match self.status.as_str() {
            "Succeeded" => Standing::Done,
            "Failed" | "TimeOut" | "Cancelled" => Standing::Ended,
            _ => Standing::Open,
        }
    }

    fn bears(&self, marker: &str) -> bool {
        let comment = self.requestor_comment.as_deref();
        comment.is_some_and(|comment| comment.contains(marker))
    }
}

impl Order {
    /// Both orders.
    pub(crate) fn both() -> [Self; 2] {
        [
            ("edr.isolate_host", Kind::Isolate),
            ("edr.release_host", Kind::Release),
        ]
        .map(|(capability, kind)| Self {
            provider: spec(capability, Recovery::Keyed, SETTLE),
            kind,
        })
    }

    /// Gives the order, unless it was given before and may still be done.
    async fn give(&self, call: &Call, door: &Door) -> Result<MachineAction, ActionError> {
        let id = arguments::text(call, "id")?;
        same_machine(call, &Machine::read(door, id).await?)?;
        if let Some(given) = self.given(call, door).await? {
            return Ok(given);
        }
        let request = Request::post("api/machines").segment(id);
        let comment = comment(call)?;
        let request = match self.kind {
            Kind::Isolate => request
                .path("isolate")
                .json(json!({"Comment": comment, "IsolationType": isolation(door)})),
            Kind::Release => request.path("unisolate").json(json!({"Comment": comment})),
        };
        match door.send(request).await {
            Ok(answer) => answer.json_as(),
            // A second order while the first is open is refused with 400. It may be ours.
            Err(refused) if refused.kind == ErrorKind::Rejected => match self.given(call, door).await {
                Ok(Some(given)) => Ok(given),
                _ => Err(refused),
            },
            Err(error) => Err(error),
        }
    }

    /// Our order that is done or may still be, newest first.
    async fn given(&self, call: &Call, door: &Door) -> Result<Option<MachineAction>, ActionError> {
        let marker = call.marker();
        let ours = orders(door, arguments::text(call, "id")?).await?;
        let mut ours = ours.into_iter().filter(|order| order.bears(&marker));
        Ok(ours.find(|order| order.kind == self.kind.word() && order.standing() != Standing::Ended))
    }

    /// Waits until the machine has taken the order, for three quarters of the attempt's time.
    async fn taken(
        &self,
        call: &Call,
        door: &Door,
        mut order: MachineAction,
    ) -> Result<Performed, ActionError> {
        let time = call.timeout.to_std();
        let (mut pause, mut waited) = (time / FIRST_PAUSE, Duration::ZERO);
        loop {
            match order.standing() {
                Standing::Done => return Ok(self.done(&order)),
                Standing::Ended => {
                    return Err(ActionError::new(
                        ErrorKind::ServerError,
                        format!("Defender gave the order up: {} ({})", order.status, order.id),
                    )
                    .certain());
                }
                Standing::Open if waited + pause > time * 3 / 4 => {
                    return Err(ActionError::new(
                        ErrorKind::Offline,
                        format!(
                            "the machine has not taken the order yet ({}); Defender keeps it until the machine is online",
                            order.status
                        ),
                    ));
                }
                Standing::Open => tokio::time::sleep(pause).await,
            }
            waited += pause;
            pause = (pause * 2).min(time / LONGEST_PAUSE);
            let request = Request::get("api/machineactions").segment(order.id.clone());
            order = door.send(request).await.map_err(doubtful)?.json_as()?;
        }
    }

    fn done(&self, order: &MachineAction) -> Performed {
        Performed {
            output: json!({"state": self.kind.state()}),
            reference: Some(order.id.clone()),
            changes: Vec::new(),
        }
    }
}

#[async_trait]
impl Action for Order {
    fn provider(&self) -> &ProviderSpec {
        &self.provider
    }

    async fn perform(&self, call: &Call, context: Context<'_>) -> Result<Performed, ActionError> {
        let door = way_out(context)?;
        let order = self.give(call, door).await.map_err(|error| {
            // An earlier attempt may have given the order.
            if call.attempt > 1 { doubtful(error) } else { error }
        })?;
        self.taken(call, door, order).await
    }

    async fn probe(&self, call: &Call, context: Context<'_>) -> Probe {
        let found = match way_out(context) {
            Ok(door) => self.given(call, door).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(Some(order)) if order.standing() == Standing::Done => Probe::Done(self.done(&order)),
            Ok(Some(order)) => Probe::CannotTell(format!(
                "the order is given and the machine has not taken it yet ({})",
                order.status
            )),
            Ok(None) => Probe::NotDone,
            Err(error) => Probe::CannotTell(error.detail),
        }
    }
}

impl Kind {
    /// The type of a machine action.
    const fn word(self) -> &'static str {
        match self {
            Self::Isolate => "Isolate",
            Self::Release => "Unisolate",
        }
    }

    /// What the machine is afterwards.
    const fn state(self) -> &'static str {
        match self {
            Self::Isolate => "isolated",
            Self::Release => "online",
        }
    }
}

/// Whether the last order of its kind that was done leaves the machine isolated.
pub(super) async fn is_isolated(door: &Door, machine: &str) -> Result<bool, ActionError> {
    let orders = orders(door, machine).await?;
    let last = orders.iter().find(|order| {
        let about = [Kind::Isolate.word(), Kind::Release.word()].contains(&order.kind.as_str());
        about && order.standing() == Standing::Done
    });
    Ok(last.is_some_and(|order| order.kind == Kind::Isolate.word()))
}

/// Every order to a machine, newest first.
async fn orders(door: &Door, machine: &str) -> Result<Vec<MachineAction>, ActionError> {
    let filter = format!("machineId eq {}", odata::literal(machine));
    let request = Request::get("api/machineactions").query("$filter", filter);
    let mut orders: Vec<MachineAction> = odata::list(door, request, PAGES_MAX).await?;
    orders.sort_by_key(|order| std::cmp::Reverse(order.creation_date_time_utc));
    Ok(orders)
}

/// The same failure, when the order may have been given.
fn doubtful(mut error: ActionError) -> ActionError {
    error.not_sent = false;
    error
}

/// The guardrails judged the machine by the name in the call; it has to be that machine.
fn same_machine(call: &Call, machine: &Machine) -> Result<(), ActionError> {
    let named = arguments::text(call, "hostname")?;
    if machine.name().eq_ignore_ascii_case(named) {
        return Ok(());
    }
    Err(ActionError::refused(format!(
        "Defender knows the machine {} as {}, not as `{}`",
        machine.id,
        machine.name(),
        one_line(named, 80)
    )))
}

/// `Full` unless the connection says `isolation = "Selective"`.
fn isolation(door: &Door) -> &str {
    door.text_setting("isolation").unwrap_or("Full")
}

fn comment(call: &Call) -> Result<String, ActionError> {
    let message = arguments::optional_text(call, "message")?.unwrap_or_default();
    let reference = arguments::reference(call);
    let head = one_line(&format!("{reference} {message}"), COMMENT_CHARS_MAX);
    Ok(format!("{} [{}]", head.trim(), call.marker()))
}
