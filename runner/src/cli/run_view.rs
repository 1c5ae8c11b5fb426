//! A run on the terminal: live lines that are rewritten in place, or one event a line.
//!
//! Owns the layout. Everything shown comes from the views of the API, so it looks the same
//! whether the run is in this process or on a server.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use playbooks::marking::EffectClass;
use state::event::{Event, Mode, RunStatus};
use state::ids::InquiryId;
use web::timeline::{StepLine, Timeline};
use web::view::{RunChange, RunDetail, StepState, StepView};

use super::exit_code::Exit;
use super::terminal::{Terminal, column, defang, fit, safe, spent, written};

/// Columns of a step's id, word and time.
const ID_COLUMNS: usize = 10;
const WORD_COLUMNS: usize = 9;
const TIME_COLUMNS: usize = 9;
/// Columns of everything beside a step's name and note: the three above, marks and gaps.
const FIXED_COLUMNS: usize = ID_COLUMNS + WORD_COLUMNS + TIME_COLUMNS + 8;
/// Columns of a step's name, from narrow to wide terminals.
const NAME_COLUMNS: std::ops::RangeInclusive<usize> = 12..=41;
/// Columns of a line that no terminal shows.
const PLAIN_COLUMNS: usize = 180;
/// Before and after lines that are rewritten: no line may wrap, or counting lines goes wrong.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";

/// Read and record lines beyond this many fold into their step.
const ITEM_LINES_MAX: usize = 20;

/// One run as it is being watched.
pub(crate) struct RunView<'t> {
    terminal: &'t Terminal,
    detail: RunDetail,
    /// The same list of steps, kept current by the events that arrive.
    timeline: Timeline,
    drawn: usize,
}

impl<'t> RunView<'t> {
    pub(crate) fn new(terminal: &'t Terminal, detail: RunDetail) -> Self {
        let lines = detail.steps.iter().filter(|step| step.item.is_none());
        let mut timeline = Timeline::new(lines.map(|step| StepLine {
            id: step.step.clone(),
            name: step.name.clone(),
            class: step.class,
        }));
        for recorded in &detail.events {
            timeline.apply(recorded);
        }
        Self {
            terminal,
            detail,
            timeline,
            drawn: 0,
        }
    }

    pub(crate) fn detail(&self) -> &RunDetail {
        &self.detail
    }

    /// The lines above the steps.
    pub(crate) fn head(&self) -> Vec<String> {
        let run = &self.detail.run;
        let title = format!(
            "{} v{} (sha256 {}…)",
            safe(&self.detail.name),
            run.version,
            run.revision.get(..8).unwrap_or(&run.revision)
        );
        let incident = run
            .incident
            .as_ref()
            .map_or_else(|| "no incident".to_owned(), ToString::to_string);
        let mode = match self.detail.mode {
            Mode::Auto => "mode auto",
            Mode::Simulate => "mode simulate: effects are only shown",
        };
        vec![
            format!(
                " {}  {}",
                self.terminal.paint(&title, Style::new().bold()),
                incident
            ),
            format!(
                " started by {}  {mode}  run {}  entity {}",
                safe(&run.actor.name),
                run.id.short(),
                run.entity
            ),
            String::new(),
        ]
    }

    /// Draws everything, over what was drawn before.
    pub(crate) fn draw(&mut self) -> Result<(), Exit> {
        let over = self.detail.run.status.is_over();
        let lines: Vec<String> = visible_steps(&self.detail.steps)
            // Once all is over, what was never reached is the part for failures.
            .filter(|step| !(over && step.state == StepState::Pending))
            .map(|step| self.step_line(step))
            .collect();
        let mut out = std::io::stdout().lock();
        let rewrite = self.terminal.live && self.drawn > 0 && self.drawn < self.terminal.height;
        if rewrite {
            written(write!(out, "\x1b[{}A\x1b[J", self.drawn))?;
        }
        if rewrite || self.drawn == 0 {
            let (off, on) = if self.terminal.live {
                (WRAP_OFF, WRAP_ON)
            } else {
                ("", "")
            };
            written(write!(out, "{off}"))?;
            for line in &lines {
                written(writeln!(out, "{line}"))?;
            }
            written(write!(out, "{on}"))?;
            self.drawn = lines.len();
        }
        written(out.flush())
    }

    /// Takes a change and shows it.
    pub(crate) fn change(&mut self, change: RunChange) -> Result<(), Exit> {
        self.detail.run.status = change.status;
        self.detail.run.updated_at = change.at;
        if let Event::Closed {
            status,
            summary,
            outputs,
            ..
        } = &change.event.event
        {
            self.detail.run.note.clone_from(summary);
            self.detail.run.attention = *status == RunStatus::Failed;
            self.detail.outputs = outputs.clone();
        }
        let step = change.step;
        let moved = change.event;
        if self.detail.events.last().is_none_or(|last| last.seq < moved.seq) {
            self.timeline.apply(&moved);
            self.detail.steps = self.timeline.rows();
            self.detail.events.push(moved.clone());
        }
        if self.terminal.live {
            self.draw()
        } else {
            self.plain(&moved.event, moved.at, step.as_ref())
        }
    }

    /// One event, one line, stable: for pipes, logs and screen readers.
    fn plain(&self, event: &Event, at: Timestamp, step: Option<&StepView>) -> Result<(), Exit> {
        let run = self.detail.run.id.short();
        let text = match (event, step) {
            (Event::Closed { status, summary, .. }, _) => {
                format!("{at} run={run} state={} note={:?}", status.word(), safe(summary))
            }
            (Event::Failing { error, .. }, _) => {
                format!("{at} run={run} state=failing note={:?}", safe(error))
            }
            (Event::LetSettled { name, value, absent }, _) => match (value, absent) {
                (Some(value), _) => format!("{at} run={run} let={name} value={}", safe(&value.to_string())),
                (None, why) => {
                    format!(
                        "{at} run={run} let={name} absent={:?}",
                        safe(why.as_deref().unwrap_or(""))
                    )
                }
            },
            (_, Some(step)) => {
                let mut text = format!("{at} run={run} step={} state={}", step.place(), step.state.word());
                if step.effect {
                    text.push_str(" effect=yes");
                }
                if !step.note.is_empty() {
                    text.push_str(&format!(" note={:?}", safe(&step.note)));
                }
                text
            }
            _ => return Ok(()),
        };
        self.terminal.line(text)
    }

    fn step_line(&self, step: &StepView) -> String {
        let (mark, word, style) = look(step);
        let took = match (step.started_at, step.finished_at) {
            (Some(start), Some(end)) => {
                spent(i64::try_from(end.duration_since(start).as_millis()).unwrap_or(0))
            }
            _ => String::new(),
        };
        let item = step.item.is_some();
        let id = if item { String::new() } else { step.step.clone() };
        let name = if item {
            format!("  {}", safe(&defang(&step.name)))
        } else {
            safe(&step.name)
        };
        let width = if self.terminal.live {
            self.terminal.width
        } else {
            // A file or a pipe has no edge.
            self.terminal.width.max(PLAIN_COLUMNS)
        };
        let room = width.saturating_sub(FIXED_COLUMNS);
        let name_columns = (room * 6 / 11).clamp(*NAME_COLUMNS.start(), *NAME_COLUMNS.end());
        format!(
            " {} {} {} {} {}  {}",
            self.terminal.paint(mark, style),
            column(&id, ID_COLUMNS),
            column(&name, name_columns),
            self.terminal.paint(&column(word, WORD_COLUMNS), style),
            format_args!("{took:>TIME_COLUMNS$}"),
            fit(&safe(&step.note), room.saturating_sub(name_columns)),
        )
        .trim_end()
        .to_owned()
    }

    /// Every effect that a simulation did not have, with its arguments.
    pub(crate) fn would_do(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for recorded in &self.detail.events {
            let Event::Intended(intended) = &recorded.event else {
                continue;
            };
            if intended.effect <= EffectClass::Read {
                continue;
            }
            let through = match intended.connections.as_slice() {
                [] => "in the house".to_owned(),
                connections => format!("through {}", connections.join(", ")),
            };
            let until = intended.until.map_or_else(String::new, |until| {
                format!(", until {}", until.strftime("%Y-%m-%d %H:%MZ"))
            });
            lines.push(format!(
                " ~ {}  {} ({}) {through}{until}",
                intended.path,
                intended.action,
                intended.effect.word()
            ));
            for (name, value) in intended.arguments.as_object().into_iter().flatten() {
                lines.push(format!("     {} {}", column(name, ID_COLUMNS), argument(value)));
            }
        }
        if !lines.is_empty() {
            lines.insert(0, String::new());
            lines.insert(1, " Would have been done:".to_owned());
        }
        lines
    }

    /// The lines below the steps.
    pub(crate) fn foot(&self) -> Vec<String> {
        let run = &self.detail.run;
        let took =
            spent(i64::try_from(run.updated_at.duration_since(run.started_at).as_millis()).unwrap_or(0));
        let done = |wanted: StepState| {
            let mine =
                |step: &&StepView| step.effect && step.state == wanted && is_leaf(step, &self.detail.steps);
            self.detail.steps.iter().filter(mine).count()
        };
        let style = status_style(run.status);
        let mut lines = vec![String::new()];
        let verb = match run.status {
            RunStatus::Succeeded => format!("succeeded in {took}"),
            RunStatus::Failed => format!("failed after {took}"),
            RunStatus::Cancelled => format!("cancelled after {took}"),
            RunStatus::Refused => "refused".to_owned(),
            RunStatus::Stuck => "waits for a person: an effect has an unknown outcome".to_owned(),
            other => other.word().to_owned(),
        };
        let effects = match (
            self.detail.mode,
            done(StepState::Done),
            done(StepState::Simulated),
        ) {
            (Mode::Simulate, _, count) => format!("{count} effects would have been done"),
            (Mode::Auto, 1, _) => "1 effect".to_owned(),
            (Mode::Auto, count, _) => format!("{count} effects"),
        };
        lines.push(format!(" {}      {effects}", self.terminal.paint(&verb, style)));
        if !run.note.is_empty() && run.status != RunStatus::Succeeded {
            lines.push(format!(" {}", safe(&run.note)));
        }
        if self.detail.mode == Mode::Simulate {
            lines.extend(self.would_do());
        }
        for (name, value) in &self.detail.outputs {
            lines.push(format!(
                " {} = {}",
                name,
                fit(&safe(&value.to_string()), self.terminal.width.max(60) - 20)
            ));
        }
        lines
    }
}

/// Places in doubt of which the command that settles them is printed.
const SETTLE_LINES_MAX: usize = 3;

/// The commands that a run leaves to be given, most urgent first.
pub(crate) fn next_commands(detail: &RunDetail) -> Vec<String> {
    let run = detail.run.id.short();
    let leaves = || detail.steps.iter().filter(|step| is_leaf(step, &detail.steps));
    let mut commands: Vec<String> = leaves()
        .filter(|step| step.state == StepState::Unknown)
        .take(SETTLE_LINES_MAX)
        .map(|step| {
            format!(
                "sortie runs settle {run} {} --probe | --done | --not-done  --reason '...'",
                step.place()
            )
        })
        .collect();
    let stays = detail
        .steps
        .iter()
        .find(|step| step.step.starts_with("undo:") && step.state == StepState::Failed);
    if let Some(step) = stays.filter(|_| detail.run.status == RunStatus::Stuck) {
        commands.push(format!("sortie runs undo {run} --reason '...'"));
        commands.push(format!(
            "sortie runs settle {run} {} --done-by-hand --reason '...'",
            step.place()
        ));
        commands.push(format!("sortie runs ack {run} --reason '...'"));
    }
    if detail.run.attention {
        commands.push(format!("sortie runs retry {run} --reason '...'"));
        let failed = leaves().find(|step| step.state == StepState::Failed && step.effect);
        commands.extend(failed.map(|step| {
            format!(
                "sortie runs settle {run} {} --done-by-hand --reason '...'",
                step.place()
            )
        }));
        let had_effects =
            leaves().any(|step| step.state == StepState::Done && step.class > EffectClass::Record);
        if had_effects {
            commands.push(format!("sortie runs undo {run} --reason '...'"));
        }
        commands.push(format!("sortie runs ack {run} --reason '...'"));
    }
    if let Some(id) = open_question(detail) {
        commands.push(format!(
            "sortie approvals show {id} . sortie approve {id} . sortie runs watch {run}"
        ));
    }
    if commands.is_empty() {
        commands.push(format!("sortie runs show {run}"));
    }
    commands
}

/// The first question that waits for people.
fn open_question(detail: &RunDetail) -> Option<InquiryId> {
    let closes = |event: &Event, wanted: u32| matches!(event, Event::InquiryClosed { number, .. } if *number == wanted);
    detail.events.iter().find_map(|one| match &one.event {
        Event::Asked(inquiry) => {
            let closed = detail
                .events
                .iter()
                .any(|other| closes(&other.event, inquiry.number));
            inquiry.id.filter(|_| !closed)
        }
        _ => None,
    })
}

/// Longest text of one argument, in characters; `runs show --json` has all of it.
const ARGUMENT_CHARACTERS_MAX: usize = 400;

/// An argument for people: text as it is, everything else as JSON.
fn argument(value: &serde_json::Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fit(&safe(&text), ARGUMENT_CHARACTERS_MAX)
}

/// Steps, and items where there are few enough to read.
fn visible_steps(steps: &[StepView]) -> impl Iterator<Item = &StepView> {
    steps.iter().filter(|step| {
        step.item.is_none() || {
            let siblings = steps.iter().filter(|other| other.step == step.step).count();
            siblings > 2 && siblings <= ITEM_LINES_MAX + 1
        }
    })
}

fn is_leaf(step: &StepView, steps: &[StepView]) -> bool {
    step.item.is_some()
        || !steps
            .iter()
            .any(|other| other.item.is_some() && other.step == step.step)
}

/// Mark, word and style of a line. Effects that were done are upper case, so that a glance finds
/// what really happened.
fn look(step: &StepView) -> (&'static str, &'static str, Style) {
    let effect = step.class > EffectClass::Read;
    match step.state {
        StepState::Pending => (" ", "-", Style::new().dimmed()),
        StepState::Running => (" ", "running", AnsiColor::Cyan.on_default()),
        StepState::Waiting => ("?", "WAITING", AnsiColor::Yellow.on_default().bold()),
        StepState::Retrying | StepState::Resting => ("?", "waiting", AnsiColor::Yellow.on_default()),
        StepState::Done if effect => ("!", "DONE", AnsiColor::Green.on_default().bold()),
        StepState::Done => (" ", "ok", AnsiColor::Green.on_default()),
        StepState::Simulated => ("~", "would do", AnsiColor::Magenta.on_default()),
        StepState::Skipped => ("-", "skipped", Style::new().dimmed()),
        StepState::Refused => ("x", "REFUSED", AnsiColor::Red.on_default()),
        StepState::Failed => ("x", "FAILED", AnsiColor::Red.on_default().bold()),
        StepState::Unknown => ("?", "UNKNOWN", AnsiColor::Red.on_default().bold()),
    }
}

/// The style of a run's state.
pub(crate) fn status_style(status: RunStatus) -> Style {
    match status {
        RunStatus::Succeeded => AnsiColor::Green.on_default().bold(),
        RunStatus::Running => AnsiColor::Cyan.on_default(),
        RunStatus::Waiting | RunStatus::Queued => AnsiColor::Yellow.on_default(),
        RunStatus::Failing | RunStatus::Failed | RunStatus::Refused | RunStatus::Stuck => {
            AnsiColor::Red.on_default().bold()
        }
        RunStatus::Cancelled => Style::new().dimmed(),
    }
}

/// The exit code a run's end stands for.
pub(crate) fn exit_of(status: RunStatus) -> Exit {
    match status {
        RunStatus::Succeeded => Exit::Yes,
        RunStatus::Failed | RunStatus::Cancelled | RunStatus::Failing => Exit::No,
        RunStatus::Refused => Exit::Refused,
        RunStatus::Queued | RunStatus::Running | RunStatus::Waiting | RunStatus::Stuck => Exit::Waiting,
    }
}
