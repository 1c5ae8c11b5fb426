//! Arguments of `sortie simulate`.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The playbook's id.
    pub(crate) playbook: String,
    /// About one incident.
    #[arg(long, conflicts_with_all = ["last", "since"])]
    pub(crate) incident: Option<String>,
    /// About the newest so many incidents of its types [default: 50].
    #[arg(long, value_name = "NUMBER", conflicts_with = "since")]
    pub(crate) last: Option<usize>,
    /// About all that came within this span, such as 7d.
    #[arg(long, value_name = "SPAN")]
    pub(crate) since: Option<String>,
    /// Only of this entity.
    #[arg(long)]
    pub(crate) entity: Option<String>,
    /// Compare two editions by what they would do. Each is `current`, a version or revision that
    /// has run, or the file of a draft.
    #[arg(long, value_name = "BEFORE..AFTER")]
    pub(crate) diff: Option<String>,
}
