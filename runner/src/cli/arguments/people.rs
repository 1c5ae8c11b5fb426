//! Arguments of the commands about people: what they are asked, what they say, and their tokens.

use clap::{Args, Subcommand};
use state::access::Permission;

use super::Page;

#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    /// What waits for a reply, newest first.
    #[command(
        after_help = "Examples:\n  sortie approvals list\n  sortie approvals list --entity ville-exemple --all --json"
    )]
    List {
        /// Of one entity.
        #[arg(long)]
        entity: Option<String>,
        /// Also what is over.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        page: Page,
    },
    /// One of them: what will be done, why it is asked, and whether you may decide.
    #[command(
        after_help = "Examples:\n  sortie approvals show A-93\n  sortie approvals show A-93 --json --token-file karim.token"
    )]
    Show {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Reply {
    /// The id of the approval.
    pub(crate) id: String,
    /// Why, for the record; a refusal needs it.
    #[arg(long)]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Answer {
    /// The id of the question.
    pub(crate) id: String,
    /// One of its choices.
    pub(crate) choice: String,
    /// Why, for the record.
    #[arg(long)]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// Make a token. It is shown once; sortie.toml gets only its hash.
    #[command(
        after_help = "Examples:\n  sortie tokens create sensor --may submit --entity ville-exemple\n  sortie tokens create console --may see,start,audit --days 30"
    )]
    Create {
        /// Name for the record.
        name: String,
        /// What it may do.
        #[arg(long = "may", value_delimiter = ',', value_parser = permission, default_value = "submit,see")]
        permissions: Vec<Permission>,
        /// For these entities; every entity when left out.
        #[arg(long = "entity", value_delimiter = ',')]
        entities: Vec<String>,
        /// Whose it is: a person of sortie.toml. Only a person's token may approve.
        #[arg(long, value_name = "NAME")]
        person: Option<String>,
        /// How long it is good for, at most 365.
        #[arg(long, default_value_t = 90)]
        days: u16,
    },
}

fn permission(text: &str) -> Result<Permission, String> {
    let mut known = Permission::ALL.iter();
    known.find(|one| one.word() == text).copied().ok_or_else(|| {
        let words: Vec<&str> = Permission::ALL.iter().map(|one| one.word()).collect();
        format!("one of {}", words.join(", "))
    })
}
