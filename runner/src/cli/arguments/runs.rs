//! The commands about runs.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// Runs, newest first.
    #[command(
        after_help = "Examples:\n  sortie runs list --status failed,stuck\n  sortie runs list --incident PH-2026-00417 --json"
    )]
    List(RunList),
    /// One run: its steps and its audit trail.
    #[command(after_help = "Examples:\n  sortie runs show 01jq7\n  sortie runs show 01jq7 --json")]
    Show {
        /// The run; enough first characters of it.
        run: String,
    },
    /// Follow a run until it is over or waits.
    #[command(after_help = "Examples:\n  sortie runs watch 01jq7\n  sortie runs watch 01jq7 --plain")]
    Watch {
        /// The run; enough first characters of it.
        run: String,
    },
    /// Ask a run to stop. Effects that were sent already stay.
    #[command(
        after_help = "Examples:\n  sortie runs cancel 01jq7 --reason 'false alarm'\n  sortie runs list --status running,waiting"
    )]
    Cancel {
        /// The run; enough first characters of it.
        run: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
    /// Say what became of a step that nobody can tell, or that a failed one was done by hand.
    #[command(
        after_help = "Examples:\n  sortie runs settle 01jq7 tell --probe --reason 'the mail server is back'\n  sortie runs settle 01jq7 block[2] --done-by-hand --reason 'blocked on the console of the firewall'"
    )]
    Settle(SettleStep),
    /// Try again, in the same run, what failed and what was left out because of it.
    #[command(
        after_help = "Examples:\n  sortie runs retry 01jq7 --simulate\n  sortie runs retry 01jq7 --from block --reason 'the firewall is back' --yes"
    )]
    Retry(RetryRun),
    /// Start another run on the same incident and inputs.
    #[command(
        disable_version_flag = true,
        after_help = "Examples:\n  sortie runs rerun 01jq7 --simulate\n  sortie runs rerun 01jq7 --version current --reason 'with the corrected playbook' --yes"
    )]
    Rerun(RerunRun),
    /// Make a test of its playbook out of a run, with personal data masked.
    #[command(
        name = "export-test",
        after_help = "Examples:\n  sortie runs export-test 01jq7\n  sortie runs export-test 01jq7 --file playbooks/phishing-report-01jq7.test.yaml"
    )]
    ExportTest {
        /// The run; enough first characters of it.
        run: String,
        /// Write it to this file, which must not exist, instead of stdout.
        #[arg(long, value_name = "FILE")]
        file: Option<std::path::PathBuf>,
    },
    /// Take the effects of a run back, newest first. Of a run that goes on, nothing new starts.
    #[command(
        after_help = "Examples:\n  sortie runs undo 01jq7 --simulate\n  sortie runs undo 01jq7 --effect block[2] --reason 'a false alarm' --yes"
    )]
    Undo(UndoRun),
    /// Take note of a failed run: it is not open any more, and nothing else follows.
    #[command(
        after_help = "Examples:\n  sortie runs ack 01jq7 --reason 'the host was decommissioned'\n  sortie runs list --status failed"
    )]
    Ack {
        /// The run; enough first characters of it.
        run: String,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
}

/// What became of a step.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("answer").required(true)))]
pub(crate) struct SettleStep {
    /// The run; enough first characters of it.
    pub(crate) run: String,
    /// The step, or one item of it: block, or block[2].
    pub(crate) place: String,
    /// It had happened.
    #[arg(long, group = "answer")]
    pub(crate) done: bool,
    /// It had not happened: the playbook's policy says whether it is tried again.
    #[arg(long, group = "answer")]
    pub(crate) not_done: bool,
    /// Somebody did it, beside Sortie.
    #[arg(long, group = "answer")]
    pub(crate) done_by_hand: bool,
    /// Ask the far end again, and take its answer over.
    #[arg(long, group = "answer")]
    pub(crate) probe: bool,
    /// An output that later steps may read; the value is YAML.
    #[arg(long = "output-value", value_name = "NAME=VALUE")]
    pub(crate) outputs: Vec<String>,
    /// Why, for the record.
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct RetryRun {
    /// The run; enough first characters of it.
    pub(crate) run: String,
    /// The step that failed; all that failed when left out.
    #[arg(long, value_name = "STEP")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) confirm: Confirm,
}

#[derive(Debug, Args)]
pub(crate) struct RerunRun {
    /// The run; enough first characters of it.
    pub(crate) run: String,
    /// Which version of the playbook: the run's own, or the one that is published now.
    #[arg(long, value_enum, default_value_t = VersionWord::Own)]
    pub(crate) version: VersionWord,
    #[command(flatten)]
    pub(crate) confirm: Confirm,
}

#[derive(Debug, Args)]
pub(crate) struct UndoRun {
    /// The run; enough first characters of it.
    pub(crate) run: String,
    /// One effect, by its place: block, or block[2]. All that can be taken back when left out.
    #[arg(long, value_name = "PLACE")]
    pub(crate) effect: Option<String>,
    #[command(flatten)]
    pub(crate) confirm: Confirm,
}

/// Which version of a playbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VersionWord {
    /// The one the run had.
    Own,
    /// The one that is published now.
    Current,
}

/// How something with effects is confirmed.
#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// Why, for the record.
    #[arg(long, required_unless_present = "simulate")]
    pub(crate) reason: Option<String>,
    /// Do it without asking.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Only show what would be done.
    #[arg(long, conflicts_with = "yes")]
    pub(crate) simulate: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunList {
    /// Of one entity.
    #[arg(long)]
    pub(crate) entity: Option<String>,
    /// Of one incident.
    #[arg(long)]
    pub(crate) incident: Option<String>,
    /// Of one playbook.
    #[arg(long)]
    pub(crate) playbook: Option<String>,
    /// In one of these states.
    #[arg(long, value_delimiter = ',')]
    pub(crate) status: Vec<String>,
    #[command(flatten)]
    pub(crate) page: Page,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Id of the playbook.
    pub(crate) playbook: String,
    /// A stored incident (PH-2026-00417), a file (.json, .eml), or - for stdin.
    #[arg(long, value_name = "ID|FILE|-")]
    pub(crate) incident: Option<String>,
    /// Whose incident a file is; may be left out when there is one entity.
    #[arg(long, value_name = "ENTITY")]
    pub(crate) entity: Option<String>,
    /// An input; the value is YAML.
    #[arg(long = "input", value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
    /// Reads are done, effects are only shown.
    #[arg(long)]
    pub(crate) simulate: bool,
    /// Start it and leave. Needs a running server.
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Effects {
    /// What is in force now, by entity and target.
    #[command(
        after_help = "Examples:\n  sortie effects list\n  sortie effects list --entity ville-exemple --json"
    )]
    List {
        /// Of one entity.
        #[arg(long)]
        entity: Option<String>,
    },
}

/// Which part of a list.
#[derive(Debug, Args)]
pub(crate) struct Page {
    /// Rows at most.
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
    /// Go on after this row; the command before printed it.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}
