//! The command line. Results on stdout, talk on stderr, exit codes as documented.
//!
//! Owns finding the project and the server, and one file for each family of commands. Commands
//! about playbooks as files need neither; the others ask [`web::Operations`], in a running server
//! or, when there is none, in this process over the opened store.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::{CommandFactory as _, FromArgMatches as _};
use state::store::Store;
use web::operations::Myself;
use web::{OperationError, Operations};

use self::arguments::{Cli, Command, Global, Output};
use self::terminal::Terminal;
use crate::app::{App, AppError};
use crate::config::{Purpose, Settings};
use crate::telemetry;

mod approvals;
mod arguments;
mod audit;
mod configuration;
mod decisions;
mod demo;
mod diagnostics;
mod doctor;
pub(crate) mod event_words;
mod exit_code;
mod help;
mod incidents;
mod junit;
mod paging;
mod playbook_files;
mod print;
mod project;
mod repair;
mod run_view;
mod runs;
mod serve;
mod simulate;
mod terminal;
mod trials;

pub(crate) use self::diagnostics::short as short_diagnostic;
pub(crate) use self::exit_code::Exit;

/// Whoever answers a command: a server, or this process.
type Far = Box<dyn Operations<Myself>>;

/// One command with its surroundings.
struct Session {
    terminal: Terminal,
    output: Output,
    project: PathBuf,
    server: Option<String>,
    token_file: Option<PathBuf>,
    verbose: bool,
    /// Used by the first store that is opened.
    layer: Mutex<Option<Layer>>,
}

/// A way to the operations, and the process behind it when it is this one.
struct Connected {
    operations: Far,
    /// Held so that the store stays open and its runs go on.
    here: Option<App>,
}

/// What a test puts between the store and its users.
type Layer = Box<dyn FnOnce(Arc<dyn Store>) -> Arc<dyn Store> + Send>;

/// Reads the arguments, does the command, and says how it went.
pub fn main() -> ExitCode {
    main_with(|store| store)
}

/// The same with a layer between the store and its users. For tests that cut the writes of a real
/// process; the product has none.
pub fn main_with(layer: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store> + Send + 'static) -> ExitCode {
    let parsed = help::command().try_get_matches();
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // A failure to print help is no reason for another exit code.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Yes.into()
            };
        }
    };
    let Cli { global, command } = cli;
    let session = Session::new(global, Box::new(layer));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            session
                .terminal
                .complain(format!("cannot start the runtime: {error}"));
            return Exit::Unreachable.into();
        }
    };
    let exit = runtime.block_on(async {
        tokio::select! {
            exit = session.command(&command) => exit,
            exit = interrupted(&command) => exit,
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match exit {
        Ok(exit) | Err(exit) => exit.into(),
    }
}

/// Ctrl-C ends every command but the servers, which drain first.
async fn interrupted(command: &Command) -> Result<Exit, Exit> {
    if matches!(command, Command::Serve(_) | Command::Demo(_)) || tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    Err(Exit::Interrupted)
}

impl Session {
    fn new(global: Global, layer: Layer) -> Self {
        let dumb = crate::project::terminal_is_dumb();
        Self {
            terminal: Terminal::new(global.color, global.plain, global.quiet, dumb),
            output: if global.json { Output::Json } else { global.output },
            project: global.project,
            server: global.server,
            token_file: global.token_file,
            verbose: global.verbose,
            layer: Mutex::new(Some(layer)),
        }
    }

    async fn command(&self, command: &Command) -> Result<Exit, Exit> {
        match command {
            Command::Check(arguments) => playbook_files::check(self, arguments),
            Command::Test(arguments) => trials::test(self, arguments),
            Command::Explain { code } => playbook_files::explain(self, code.as_deref()),
            Command::Graph(arguments) => playbook_files::graph(self, arguments),
            Command::Actions(command) => playbook_files::actions(self, command),
            Command::Schema { of, write } => playbook_files::schema(self, *of, *write),
            Command::Init(arguments) => project::init(self, arguments),
            Command::Tokens(command) => project::tokens(self, command),
            Command::Config(command) => configuration::configuration(self, command),
            Command::Completions { shell } => {
                // Into memory first: the generator cannot be told that its reader has gone.
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut Cli::command(), "sortie", &mut script);
                self.terminal.bytes(&script).map(|()| Exit::Yes)
            }
            Command::Man => {
                let mut page = Vec::new();
                terminal::written(clap_mangen::Man::new(Cli::command()).render(&mut page))?;
                self.terminal.bytes(&page).map(|()| Exit::Yes)
            }
            Command::Serve(arguments) => serve::serve(self, arguments).await,
            Command::Demo(arguments) => demo::demo(self, arguments).await,
            Command::Doctor { strict } => doctor::doctor(self, *strict).await,
            Command::Run(arguments) => runs::run(self, arguments).await,
            Command::Simulate(arguments) => simulate::simulate(self, arguments).await,
            Command::Runs(command) => runs::runs(self, command).await,
            Command::Effects(command) => decisions::effects(self, command).await,
            Command::Approvals(command) => approvals::approvals(self, command).await,
            Command::Approve(arguments) => approvals::reply(self, arguments, "approve").await,
            Command::Refuse(arguments) => approvals::reply(self, arguments, "refuse").await,
            Command::Answer(arguments) => approvals::answer(self, arguments).await,
            Command::Incidents(command) => incidents::incidents(self, command).await,
            Command::Audit(command) => audit::audit(self, command).await,
        }
    }

    /// The project's settings, or every fault in them.
    fn settings(&self, purpose: Purpose) -> Result<Settings, Exit> {
        crate::project::read(&self.project, purpose).map_err(|mut found| {
            diagnostics::sort(&mut found);
            for one in &found {
                self.terminal
                    .say(diagnostics::human(one, self.terminal.colour, self.terminal.width));
                self.terminal.say("");
            }
            self.terminal.complain(format!(
                "the configuration of {} cannot be used",
                self.project.display()
            ));
            self.terminal
                .remedy("repair what is named above, or make a project with `sortie init DIR`");
            Exit::Usage
        })
    }

    /// The project's settings when there is a project; commands about files do without.
    fn settings_if_present(&self) -> Result<Option<Settings>, Exit> {
        if self.project.join("sortie.toml").is_file() {
            self.settings(Purpose::Check).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The actions that are built.
    fn catalogue(&self) -> Result<actions::registry::Registry, Exit> {
        crate::app::catalogue().map_err(|error| {
            self.terminal.complain(error.to_string());
            Exit::Unreachable
        })
    }

    /// Opens the project in this process.
    async fn open(&self, settings: Settings) -> Result<App, AppError> {
        let layer = self.layer.lock().unwrap_or_else(PoisonError::into_inner).take();
        App::open_with(settings, layer.unwrap_or_else(|| Box::new(|store| store))).await
    }

    /// A server named by --server, else the project's running server, else this process.
    async fn connect(&self) -> Result<Connected, Exit> {
        telemetry::start(if self.verbose {
            telemetry::Level::Verbose
        } else {
            telemetry::Level::Quiet
        });
        if let Some(operations) = self.remote().await? {
            return Ok(Connected {
                operations,
                here: None,
            });
        }
        let app = serve::open(self, self.settings(Purpose::Serve)?).await?;
        let operations: Far = match &self.token_file {
            None => Box::new(app.as_operator()),
            Some(_) => {
                let known = app.as_holder_of(&self.token()?);
                Box::new(known.ok_or_else(|| self.failed(&OperationError::Unauthorized))?)
            }
        };
        Ok(Connected {
            operations,
            here: Some(app),
        })
    }

    /// The same, with the reason as text instead of on the terminal.
    async fn connect_silently(&self) -> Result<Connected, String> {
        let words = |_| "it cannot be reached".to_owned();
        if let Some(operations) = self.remote().await.map_err(words)? {
            return Ok(Connected {
                operations,
                here: None,
            });
        }
        let settings = self.settings(Purpose::Serve).map_err(words)?;
        let app = self.open(settings).await.map_err(|error| error.to_string())?;
        Ok(Connected {
            operations: Box::new(app.as_operator()),
            here: Some(app),
        })
    }

    /// The server, when one is named or found.
    async fn remote(&self) -> Result<Option<Far>, Exit> {
        if let Some(url) = &self.server {
            let address = url
                .trim_start_matches("http://")
                .trim_end_matches('/')
                .parse()
                .map_err(|_| {
                    self.terminal
                        .complain(format!("`{}` is not a server", terminal::safe(url)));
                    self.terminal
                        .remedy("write address and port, for example http://127.0.0.1:8800");
                    Exit::Usage
                })?;
            let client = web::Client::tcp(address, &self.token()?).map_err(|error| self.failed(&error))?;
            return Ok(Some(Box::new(client)));
        }
        let settings = self.settings(Purpose::Check)?;
        let socket = crate::project::socket(&settings);
        if tokio::net::UnixStream::connect(&socket).await.is_ok() {
            if self.token_file.is_none() {
                return Ok(Some(Box::new(web::Client::local(socket))));
            }
            let client =
                web::Client::local_as(socket, &self.token()?).map_err(|error| self.failed(&error))?;
            return Ok(Some(Box::new(client)));
        }
        Ok(None)
    }

    fn token(&self) -> Result<String, Exit> {
        let file = self.token_file.as_ref().ok_or(Exit::Usage)?;
        let text = std::fs::read_to_string(file).map_err(|error| {
            self.terminal
                .complain(format!("cannot read the token file {}: {error}", file.display()));
            Exit::Usage
        })?;
        Ok(text.trim().to_owned())
    }

    /// Says why an operation was not done, and gives its exit code.
    fn failed(&self, error: &OperationError) -> Exit {
        match error {
            OperationError::Invalid { findings, .. } if !findings.is_empty() => {
                for finding in findings {
                    let place = finding
                        .place
                        .as_deref()
                        .map_or_else(String::new, |place| format!("{}: ", terminal::safe(place)));
                    self.terminal
                        .complain(format!("{place}{}", terminal::safe(&finding.message)));
                    for help in &finding.help {
                        self.terminal.remedy(terminal::safe(help));
                    }
                }
            }
            _ => self.terminal.complain(terminal::safe(&error.to_string())),
        }
        if let Some(help) = error.help() {
            self.terminal.remedy(help);
        }
        match error.exit_code() {
            2 => Exit::Usage,
            4 => Exit::Denied,
            5 => Exit::NotFound,
            6 => Exit::Refused,
            _ => Exit::Unreachable,
        }
    }
}

/// An id from an argument, or why it is not one.
fn id<T>(session: &Session, text: &str) -> Result<T, Exit>
where
    T: std::str::FromStr<Err = state::ids::BadId>,
{
    text.parse().map_err(|error: state::ids::BadId| {
        session.terminal.complain(terminal::safe(&error.to_string()));
        Exit::Usage
    })
}

impl Connected {
    fn operations(&self) -> &dyn Operations<Myself> {
        &*self.operations
    }

    /// Lets this process come to rest, when it is the one that works.
    async fn rest(self) {
        if let Some(app) = self.here {
            app.dispatcher.idle().await;
            app.close().await;
        }
    }
}
