//! Arguments of commands about playbooks and their tests as files.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// `<id>.yaml`.
    Playbook,
    /// `<id>.test.yaml`.
    Test,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Files of tests, playbooks with tests beside them, folders, or ids; the project's playbooks
    /// when left out.
    pub(crate) paths: Vec<PathBuf>,
    /// Only tests with this in their name.
    #[arg(short = 'k', long = "only", value_name = "PATTERN")]
    pub(crate) pattern: Option<String>,
    /// Play the orders of answers of this number again.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Let the host die after every event of every test as well.
    #[arg(long)]
    pub(crate) crash: bool,
    /// Name what no test reaches.
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Print every event of every test.
    #[arg(long)]
    pub(crate) trace: bool,
    /// Write the results as `JUnit` XML as well.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}
