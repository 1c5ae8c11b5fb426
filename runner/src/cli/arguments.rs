//! Every command and flag, in one table: parser, help, manual page and completions come from it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::terminal::Colour;

mod files;
mod people;
mod runs;
mod simulation;

pub(crate) use files::{SchemaOf, Test};
pub(crate) use people::{Answer, Approvals, Reply, Tokens};
pub(crate) use runs::{Confirm, Effects, Page, Run, RunList, Runs, SettleStep, VersionWord};
pub(crate) use simulation::Simulate;

/// Security playbooks that act at night and account for it in the morning.
#[derive(Debug, Parser)]
#[command(
    name = "sortie",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "Examples:\n  sortie demo                 a whole SOC on this machine, nothing leaves it\n  sortie init my-soc          a project to start from\n\nExit codes: 0 yes, 1 no (findings, failed run), 2 usage or configuration, 3 unreachable,\n4 not allowed, 5 not found, 6 refused by policy, 8 still waiting, 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command understands.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Folder of the project, with its sortie.toml.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = ".",
        env = "SORTIE_PROJECT"
    )]
    pub(crate) project: PathBuf,
    /// Talk to this server instead of the one found in the project.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "SORTIE_SERVER",
        requires = "token_file"
    )]
    pub(crate) server: Option<String>,
    /// File that holds the API token: for --server, or to act as the person it belongs to.
    #[arg(long, global = true, value_name = "FILE", env = "SORTIE_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// How to print the result.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// Short for --output json.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to colour.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(crate) color: Colour,
    /// No line is rewritten in place; one event a line.
    #[arg(long, global = true)]
    pub(crate) plain: bool,
    /// Only the result.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// More log lines on stderr.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// Forms of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Jsonl,
    /// YAML.
    Yaml,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A whole SOC on loopback: real engine, fake services, a phishing report and an IDS alert.
    #[command(after_help = "Examples:\n  sortie demo\n  sortie demo --once --plain | tee demo.log")]
    Demo(Demo),
    /// Write a project to start from: sortie.toml, playbooks, entities, templates.
    #[command(after_help = "Examples:\n  sortie init my-soc\n  cd my-soc && sortie check && sortie serve")]
    Init(Init),
    /// Run the engine and the HTTP API until stopped.
    #[command(
        after_help = "Examples:\n  sortie serve\n  sortie serve --project /etc/sortie --listen 127.0.0.1:9000"
    )]
    Serve(Serve),
    /// Start a playbook by hand and follow it.
    #[command(
        after_help = "Examples:\n  sortie run phishing-report --incident PH-2026-00417\n  sortie run phishing-report --incident mail.eml --entity ville-exemple --simulate"
    )]
    Run(Run),
    /// Runs: list, show, watch, cancel, settle, retry, rerun, ack.
    #[command(
        subcommand,
        after_help = "Examples:\n  sortie runs list --status failed,stuck\n  sortie runs show 01jq7"
    )]
    Runs(Runs),
    /// What is in force: the register of measures.
    #[command(
        subcommand,
        after_help = "Examples:\n  sortie effects list\n  sortie effects list --entity ville-exemple --json"
    )]
    Effects(Effects),
    /// What people are asked: list, show.
    #[command(
        subcommand,
        after_help = "Examples:\n  sortie approvals list\n  sortie approvals show A-93"
    )]
    Approvals(Approvals),
    /// Let the effects of an approval happen, exactly as they are shown.
    #[command(
        after_help = "Examples:\n  sortie approve A-93 --token-file karim.token\n  sortie approve A-93 --token-file karim.token --comment \"3 people opened it\""
    )]
    Approve(Reply),
    /// Refuse the effects of an approval: its steps are skipped.
    #[command(
        after_help = "Examples:\n  sortie refuse A-93 --token-file karim.token --comment \"it is our own scanner\"\n  sortie refuse a-93 --token-file karim.token --comment no --json"
    )]
    Refuse(Reply),
    /// Answer a question of a playbook with one of its choices.
    #[command(
        after_help = "Examples:\n  sortie answer A-94 watch --token-file karim.token\n  sortie answer A-94 takedown --token-file karim.token --comment \"it has a login page\""
    )]
    Answer(Answer),
    /// Incidents: list, show, create, and why a playbook started or did not.
    #[command(
        subcommand,
        after_help = "Examples:\n  sortie incidents list --entity ville-exemple\n  sortie incidents why PH-2026-00417"
    )]
    Incidents(Incidents),
    /// The audit trail.
    #[command(
        subcommand,
        after_help = "Examples:\n  sortie audit list --run 01jq7\n  sortie audit list --kind attempt.intended --json"
    )]
    Audit(Audit),
    /// Check playbooks: names, types, order, blast radius.
    #[command(
        alias = "validate",
        after_help = "Examples:\n  sortie check\n  sortie check playbooks/phishing-report.yaml --format sarif > findings.sarif\n  sortie check --fix"
    )]
    Check(Check),
    /// Play the tests of playbooks: no network, virtual time, every test in two orders.
    #[command(
        after_help = "Examples:\n  sortie test\n  sortie test playbooks/phishing-report.test.yaml -k malicious --trace\n  sortie test --crash --coverage --junit results.xml"
    )]
    Test(Test),
    /// What a playbook would have done about incidents of the past, and what a draft would change.
    #[command(
        after_help = "Examples:\n  sortie simulate phishing-report --last 50\n  sortie simulate phishing-report --since 7d --diff current..playbooks/phishing-report.yaml"
    )]
    Simulate(Simulate),
    /// Explain a code that `check` prints.
    #[command(after_help = "Examples:\n  sortie explain PB204\n  sortie explain")]
    Explain {
        /// The code; all of them when left out.
        code: Option<String>,
    },
    /// Draw a playbook.
    #[command(
        after_help = "Examples:\n  sortie graph playbooks/phishing-report.yaml\n  sortie graph playbooks/phishing-report.yaml --format svg > graph.svg"
    )]
    Graph(Graph),
    /// The catalogue of actions.
    #[command(
        subcommand,
        after_help = "Examples:\n  sortie actions list --effect contain\n  sortie actions doc block.ip"
    )]
    Actions(Actions),
    /// Write the JSON Schema for editors: of playbooks, or of their tests.
    #[command(
        after_help = "Examples:\n  sortie schema > .sortie/playbook.schema.json\n  sortie schema --write"
    )]
    Schema {
        /// Of which files.
        #[arg(long, value_enum, default_value_t = SchemaOf::Playbook)]
        of: SchemaOf,
        /// Write both to .sortie/playbook.schema.json and .sortie/test.schema.json of the project.
        #[arg(long)]
        write: bool,
    },
    /// What is wrong here, and how to repair it.
    #[command(after_help = "Examples:\n  sortie doctor\n  sortie doctor --strict")]
    Doctor {
        /// Warnings count as no.
        #[arg(long)]
        strict: bool,
    },
    /// API tokens.
    #[command(
        subcommand,
        after_help = "Examples:\n  sortie tokens create sensor --may submit --entity ville-exemple\n  sortie tokens create console --may see,start --days 30"
    )]
    Tokens(Tokens),
    /// Where each setting comes from.
    #[command(
        subcommand,
        after_help = "Examples:\n  sortie config check\n  sortie config show --origin"
    )]
    Config(Config),
    /// Completions for a shell.
    #[command(
        after_help = "Examples:\n  sortie completions bash > /etc/bash_completion.d/sortie\n  sortie completions fish | source"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// The manual page.
    #[command(after_help = "Examples:\n  sortie man | man -l -\n  sortie man > sortie.1")]
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// End by itself when both incidents are worked through, with the exit code of what happened.
    #[arg(long)]
    pub(crate) once: bool,
    /// Keep the store in this folder instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// Port of the API; 0 picks a free one.
    #[arg(long, default_value_t = 8800)]
    pub(crate) port: u16,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where to.
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address and port of the API, over what sortie.toml says.
    #[arg(long, value_name = "ADDRESS", env = "SORTIE_LISTEN")]
    pub(crate) listen: Option<std::net::SocketAddr>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Incidents {
    /// Incidents, newest first.
    #[command(
        after_help = "Examples:\n  sortie incidents list --entity ville-exemple --type phishing\n  sortie incidents list --limit 200 --json"
    )]
    List {
        /// Of one entity.
        #[arg(long)]
        entity: Option<String>,
        /// Of one type.
        #[arg(long = "type")]
        kind: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// One incident.
    #[command(
        after_help = "Examples:\n  sortie incidents show PH-2026-00417\n  sortie incidents show PH-2026-00417 --json"
    )]
    Show {
        /// Its reference.
        id: String,
    },
    /// Take incidents in from a file: JSON, a mail, or an alert of a known product.
    #[command(
        after_help = "Examples:\n  sortie incidents create --file report.eml --entity ville-exemple\n  sortie incidents create --file alerts.json --as suricata"
    )]
    Create {
        /// The file, or - for stdin.
        #[arg(short, long)]
        file: String,
        /// Whose; may be left out when there is one entity.
        #[arg(long)]
        entity: Option<String>,
        /// What the file is: json, eml, or a mapper such as suricata. By default it is recognised.
        #[arg(long = "as", value_name = "FORMAT")]
        format: Option<String>,
    },
    /// For every playbook, why it started on an incident or did not.
    #[command(
        after_help = "Examples:\n  sortie incidents why PH-2026-00417\n  sortie incidents why PH-2026-00417 --json"
    )]
    Why {
        /// Its reference.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Audit records, oldest first.
    #[command(
        after_help = "Examples:\n  sortie audit list --incident PH-2026-00417\n  sortie audit list --kind attempt.intended --entity ville-exemple --json"
    )]
    List {
        /// Of one entity.
        #[arg(long)]
        entity: Option<String>,
        /// Of one run.
        #[arg(long)]
        run: Option<String>,
        /// Of one incident.
        #[arg(long)]
        incident: Option<String>,
        /// Of one type, for example attempt.intended.
        #[arg(long)]
        kind: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Playbook files or folders; the project's playbooks when left out.
    pub(crate) paths: Vec<PathBuf>,
    /// Warnings count as findings.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Repair what is only a matter of writing: quotes, braces, words that YAML readers disagree
    /// about. Everything else in the files stays byte for byte.
    #[arg(long)]
    pub(crate) fix: bool,
    /// How to print findings.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Print who waits for whom.
    #[arg(long)]
    pub(crate) edges: bool,
}

/// Forms of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// With the text around each place.
    Human,
    /// One line each.
    Short,
    /// JSON.
    Json,
    /// SARIF 2.1.0.
    Sarif,
}

#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// A playbook file, or the id of one of the project.
    pub(crate) playbook: String,
    /// How to draw.
    #[arg(long, value_enum, default_value_t = Picture::Ascii)]
    pub(crate) format: Picture,
}

/// Forms of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Picture {
    /// For the terminal.
    Ascii,
    /// A self-contained SVG.
    Svg,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Actions {
    /// Every action, with its effect and the providers that do it.
    #[command(after_help = "Examples:\n  sortie actions list\n  sortie actions list --effect contain")]
    List {
        /// Only of one effect class.
        #[arg(long)]
        effect: Option<String>,
    },
    /// One action: inputs, outputs, what leaves the house, how recovery treats it.
    #[command(after_help = "Examples:\n  sortie actions doc block.ip\n  sortie actions doc enrich.url")]
    Doc {
        /// Its name, for example enrich.url.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check sortie.toml and the entity files.
    #[command(after_help = "Examples:\n  sortie config check\n  sortie config check --project /etc/sortie")]
    Check,
    /// The settings that count. Secrets are shown as references.
    #[command(after_help = "Examples:\n  sortie config show\n  sortie config show --origin")]
    Show {
        /// Say for each value where it came from: a line of the file, the environment, or the default.
        #[arg(long)]
        origin: bool,
    },
}
