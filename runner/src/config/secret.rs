//! Secrets: references in files, values in memory, and the one place that turns one into the other.
//!
//! A value never gets into a message, a `Debug` text or a stored record.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::SecretString;

use super::environment::Environment;

/// Bytes of one secret file.
pub const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Where a secret is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretReference {
    /// `env:NAME`: a variable of the environment.
    Environment(String),
    /// `file:/path`: a file that only its owner may read; a relative path starts at the project.
    File(PathBuf),
    /// `credential:name`: a credential of the service manager (systemd `LoadCredential`).
    Credential(String),
}

/// Why a text is no reference. Never holds the text: it may be the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAReference {
    /// No known scheme.
    #[error("a secret stands in the file")]
    NoScheme,
    /// `vault:`.
    #[error("`vault:` is not built yet")]
    Vault,
    /// Nothing usable after the scheme.
    #[error("this reference names nothing")]
    NoName,
}

impl FromStr for SecretReference {
    type Err = NotAReference;
    fn from_str(text: &str) -> Result<Self, NotAReference> {
        let (scheme, name) = text.split_once(':').ok_or(NotAReference::NoScheme)?;
        let word = |extra: &[u8]| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte))
        };
        match scheme {
            "env" if word(b"_") => Ok(Self::Environment(name.to_owned())),
            "file" if !name.is_empty() => Ok(Self::File(PathBuf::from(name))),
            "credential" if word(b"_-.") && !name.starts_with('.') => Ok(Self::Credential(name.to_owned())),
            "env" | "file" | "credential" => Err(NotAReference::NoName),
            "vault" => Err(NotAReference::Vault),
            _ => Err(NotAReference::NoScheme),
        }
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

/// Why a secret cannot be had. Names the reference, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The variable is not set.
    #[error("the environment has no {0}")]
    NotSet(String),
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(String),
    /// The service manager gave no credentials.
    #[error("CREDENTIALS_DIRECTORY is not set, so there are no credentials")]
    NoCredentials,
    /// The file cannot be read.
    #[error("{path}: {problem}")]
    Unreadable {
        /// Which.
        path: String,
        /// What the system says.
        problem: String,
    },
    /// Others may read it.
    #[error("{path} has mode {mode:03o}: others than its owner may use it")]
    Mode {
        /// Which.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
}

impl SecretReference {
    /// Fetches the secret. `project` is where relative paths start.
    pub fn resolve(&self, project: &Path, environment: &Environment) -> Result<SecretString, Unavailable> {
        let value = match self {
            Self::Environment(name) => environment
                .get(name)
                .map(str::to_owned)
                .ok_or_else(|| Unavailable::NotSet(name.clone()))?,
            Self::File(path) => read_secret(&project.join(path))?,
            Self::Credential(name) => {
                let folder = environment
                    .get("CREDENTIALS_DIRECTORY")
                    .ok_or(Unavailable::NoCredentials)?;
                read_secret(&Path::new(folder).join(name))?
            }
        };
        let trimmed = value.trim_end_matches(['\r', '\n']);
        if trimmed.is_empty() {
            return Err(Unavailable::Empty(self.to_string()));
        }
        Ok(SecretString::from(trimmed.to_owned()))
    }
}

fn read_secret(path: &Path) -> Result<String, Unavailable> {
    let unreadable = |problem: String| Unavailable::Unreadable {
        path: path.display().to_string(),
        problem,
    };
    let facts = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !facts.is_file() {
        return Err(unreadable("not a file".to_owned()));
    }
    if facts.len() > SECRET_BYTES_MAX {
        return Err(unreadable(format!("more than {SECRET_BYTES_MAX} bytes")));
    }
    let mode = facts.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Unavailable::Mode {
            path: path.display().to_string(),
            mode,
        });
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}
