//! The process: what is opened, in which order, and how it comes to rest.
//!
//! Owns assembly only. Order of opening: configuration, store (which takes the lock), playbooks,
//! connections, dispatcher. Order of rest: no new work, effects under way, store.

use std::sync::Arc;

use actions::clock::Clock;
use actions::connection::ConnectionProblem;
use actions::registry::Registry;
use async_trait::async_trait;
use playbooks::diagnostic::Level;
use playbooks::incident::FileRef;
use sha2::{Digest as _, Sha256};
use state::access::{Actor, Principal, TokenBook};
use state::embedded::{EmbeddedStore, OpenError, Options};
use state::store::{Note, Store, StoreError};
use web::operations::AsPrincipal;

use crate::clock::SystemClock;
use crate::config::Settings;
use crate::dispatch::{Dispatcher, Parts, Recovered};
use crate::library::{Library, LibraryError, Loaded};
use crate::operations::LocalOperations;
use crate::project;

/// An opened Sortie: the store is locked, nothing runs by itself yet.
pub struct App {
    /// The settings it was opened with.
    pub settings: Settings,
    /// What it can do.
    pub operations: LocalOperations,
    /// What carries runs out.
    pub dispatcher: Dispatcher,
    /// The tokens of the API.
    pub tokens: Arc<TokenBook>,
    /// What was found in the playbooks; never errors.
    pub warnings: Vec<playbooks::diagnostic::Diagnostic>,
    operator: Principal,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("dispatcher", &self.dispatcher)
            .finish_non_exhaustive()
    }
}

/// Why Sortie could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A playbook folder.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// Playbooks with errors; none of the project's playbooks is used then.
    #[error("{errors} errors in the playbooks; the first: {first}")]
    Playbooks {
        /// How many.
        errors: usize,
        /// `path:line:column: code: message`.
        first: String,
    },
    /// Connections that cannot be used as they are set up.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Connections(Vec<ConnectionProblem>),
    /// A token of the configuration.
    #[error(transparent)]
    Token(#[from] state::access::BadToken),
    /// The first record could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AppError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Playbooks { .. } => Some("`sortie check` shows all of them".to_owned()),
            Self::Connections(_) | Self::Token(_) => {
                Some("repair sortie.toml; `sortie config check` checks it".to_owned())
            }
            Self::Open(OpenError::InUse { pid, .. }) => Some(format!(
                "{}; a `sortie serve` that has it answers commands as soon as it has started; or name \
                 another store with SORTIE_DATA_DIR",
                match pid {
                    Some(pid) => format!("let it end, or stop it with `kill {pid}`"),
                    None => "let the other process end".to_owned(),
                }
            )),
            Self::Open(_) | Self::Library(_) | Self::Store(_) => None,
        }
    }

    /// The exit code it stands for.
    pub(crate) fn exit(&self) -> crate::cli::Exit {
        match self {
            Self::Open(_) | Self::Store(_) => crate::cli::Exit::Unreachable,
            _ => crate::cli::Exit::Usage,
        }
    }
}

impl App {
    /// Opens everything a project names. Nothing runs until [`Self::recover`] or a start. `layer`
    /// stands between the store and its users: the identity, except in tests that cut the writes
    /// of a real process.
    pub async fn open_with(
        settings: Settings,
        layer: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Result<Self, AppError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let now = clock.now();
        let opened = EmbeddedStore::open(&settings.data_dir, Options::default())?;
        let operator = Principal::operator(&project::system_user(), &opened.proof);
        let store = layer(opened.store);
        let registry = Registry::new(settings.connections.clone(), &clock);
        let registry = Arc::new(registry.map_err(AppError::Connections)?);
        let loaded = load_playbooks(&settings, &registry)?;
        let tokens = Arc::new(TokenBook::new(settings.tokens.clone(), now)?);
        let dispatcher = Dispatcher::new(Parts {
            store: Arc::clone(&store),
            library: Arc::new(Library::new(loaded.compiled)),
            registry,
            files: Arc::new(StoreFiles(Arc::clone(&store))),
            operator: Arc::new(settings.operator.clone()),
            limits: settings.limits,
            clock,
        });
        dispatcher.take_stock().await?;
        let weakened = project::weakened(&settings);
        let note = Note {
            entity: None,
            kind: "process.started".to_owned(),
            actor: Actor::engine(),
            fields: serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "weakened": weakened }),
        };
        store.note(note, now).await?;
        Ok(Self {
            operations: LocalOperations::new(dispatcher.clone(), now, weakened, &settings),
            dispatcher,
            tokens,
            warnings: loaded.diagnostics,
            operator,
            settings,
        })
    }

    /// Goes on with everything the last process left open. For servers; a single command leaves
    /// other runs alone.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        self.dispatcher.recover().await
    }

    /// The operations on behalf of whoever holds the store.
    pub fn as_operator(&self) -> AsPrincipal {
        AsPrincipal::new(Arc::new(self.operations.clone()), self.operator.clone())
    }

    /// The operations on behalf of whoever a token belongs to, at a terminal of this machine; none
    /// when the token is not valid.
    pub fn as_holder_of(&self, token: &str) -> Option<AsPrincipal> {
        let principal = self.tokens.authenticate(token, self.dispatcher.now()).ok()?;
        Some(AsPrincipal::new(
            Arc::new(self.operations.clone()),
            principal.at_the_terminal(),
        ))
    }

    /// Whoever holds the store.
    pub fn operator(&self) -> &Principal {
        &self.operator
    }

    /// Comes to rest: no new work, effects under way are waited for. Returns whether all of them
    /// ended; what did not is recovered at the next start.
    pub async fn close(self) -> bool {
        let rested = self.dispatcher.drain().await;
        let note = Note {
            entity: None,
            kind: "process.stopped".to_owned(),
            actor: Actor::engine(),
            fields: serde_json::json!({ "rested": rested }),
        };
        if let Err(error) = self.dispatcher.store().note(note, self.dispatcher.now()).await {
            tracing::error!(%error, "The end of the process could not be recorded.");
        }
        rested
    }
}

/// The actions that are built, without any connection: what playbooks are checked against.
pub(crate) fn catalogue() -> Result<Registry, AppError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    Registry::new(Vec::new(), &clock).map_err(AppError::Connections)
}

/// The project's playbooks, all or none.
fn load_playbooks(settings: &Settings, registry: &Registry) -> Result<Loaded, AppError> {
    let folder = settings.project.join("playbooks");
    if !folder.is_dir() {
        return Ok(Loaded::default());
    }
    let loaded = crate::library::load(&[folder], registry, Some(&settings.operator))?;
    let errors: Vec<_> = loaded
        .diagnostics
        .iter()
        .filter(|found| found.level == Level::Error)
        .collect();
    match errors.first() {
        None => Ok(loaded),
        Some(first) => Err(AppError::Playbooks {
            errors: errors.len(),
            first: crate::cli::short_diagnostic(first),
        }),
    }
}

/// Files held by hash, for actions.
#[derive(Clone)]
struct StoreFiles(Arc<dyn Store>);

impl std::fmt::Debug for StoreFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreFiles")
    }
}

#[async_trait]
impl actions::action::Files for StoreFiles {
    async fn read(&self, sha256: &str) -> Result<Option<Vec<u8>>, String> {
        self.0.file(sha256).await.map_err(|error| error.to_string())
    }

    async fn keep(&self, name: &str, media_type: Option<&str>, bytes: Vec<u8>) -> Result<FileRef, String> {
        let size = bytes.len() as u64;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        self.0.put_file(bytes).await.map_err(|error| error.to_string())?;
        Ok(FileRef {
            name: name.to_owned(),
            sha256,
            size,
            media_type: media_type.map(str::to_owned),
        })
    }
}
