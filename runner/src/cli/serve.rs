//! `sortie serve`: the engine, the HTTP API and the local socket, until a signal says stop.

use std::net::SocketAddr;
use std::sync::Arc;

use state::access::{Principal, TokenBook};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use web::authentication::{Authentication, LocalPeer};
use web::server::{Listeners, bind_local};

use super::Session;
use super::arguments::Serve;
use super::exit_code::Exit;
use super::terminal::counted;
use crate::app::App;
use crate::telemetry;

pub(crate) async fn serve(session: &Session, arguments: &Serve) -> Result<Exit, Exit> {
    telemetry::start(if session.verbose {
        telemetry::Level::Verbose
    } else {
        telemetry::Level::Server
    });
    let mut settings = session.settings(crate::config::Purpose::Serve)?;
    if let Some(address) = arguments.listen {
        settings.listener.address = address;
        settings.operator.page = Some(settings.listener.page());
    }
    let app = open(session, settings).await?;
    let server = listen(session, &app, arguments.listen).await?;
    let address = server.address;
    let recovered = app.recover().await.map_err(|error| {
        session.terminal.complain(error.to_string());
        Exit::Unreachable
    })?;
    tracing::info!(?recovered, "Open work is taken up again.");
    let playbooks = counted(app.dispatcher.library().current().len(), "playbook", "playbooks");
    let entities = counted(app.settings.operator.entities.len(), "entity", "entities");
    session.terminal.say(format!(
        "sortie {} serves http://{address} and {}; {playbooks}, {entities}",
        env!("CARGO_PKG_VERSION"),
        crate::project::socket(&app.settings).display(),
    ));
    let broken = until_told_to_stop(&app).await;
    if broken {
        session
            .terminal
            .complain("the store stopped; nothing more is acknowledged");
        session
            .terminal
            .remedy("repair the disk, then start again; everything acknowledged is kept");
        return Err(Exit::Unreachable);
    }
    session
        .terminal
        .say("stopping: no new work; effects under way may end (a second signal stops at once)");
    app.dispatcher.take_no_more();
    let rest = async {
        server.drain().await;
        app.close().await
    };
    tokio::select! {
        rested = rest => {
            session.terminal.say(if rested { "stopped" } else { "stopped; what was under way is recovered at the next start" });
            Ok(Exit::Yes)
        }
        () = signalled() => Err(Exit::Interrupted),
    }
}

/// Opens the project, saying why it cannot be.
pub(super) async fn open(session: &Session, settings: crate::config::Settings) -> Result<App, Exit> {
    session.open(settings).await.map_err(|error| {
        session.terminal.complain(error.to_string());
        if let Some(help) = error.help() {
            session.terminal.remedy(help);
        }
        error.exit()
    })
}

/// A server that listens and serves.
pub(super) struct Listening {
    /// Where.
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Listening {
    /// Answers what was asked, takes nothing new, and closes.
    pub(super) async fn drain(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "The server task ended badly.");
        }
    }
}

/// Opens the listeners and serves on them.
pub(super) async fn listen(
    session: &Session,
    app: &App,
    over: Option<SocketAddr>,
) -> Result<Listening, Exit> {
    let wanted = over.unwrap_or(app.settings.listener.address);
    let cannot = |place: String, error: &std::io::Error| {
        session
            .terminal
            .complain(format!("cannot listen on {place}: {error}"));
        session
            .terminal
            .remedy("another process may hold it; choose a port with --listen");
        Exit::Unreachable
    };
    let tcp = TcpListener::bind(wanted)
        .await
        .map_err(|error| cannot(wanted.to_string(), &error))?;
    let address = tcp
        .local_addr()
        .map_err(|error| cannot(wanted.to_string(), &error))?;
    let socket = crate::project::socket(&app.settings);
    let local = bind_local(&socket).map_err(|error| cannot(socket.display().to_string(), &error))?;
    let stop = CancellationToken::new();
    let task = tokio::spawn(web::serve(
        Listeners {
            tcp: Some(tcp),
            local: Some(local),
        },
        Arc::new(app.operations.clone()),
        Arc::new(Door {
            tokens: Arc::clone(&app.tokens),
            operator: app.operator().clone(),
        }),
        app.settings.limits.of_requests(),
        stop.clone(),
    ));
    Ok(Listening { address, stop, task })
}

/// Who may come in: owners of tokens, and this user through the socket.
struct Door {
    tokens: Arc<TokenBook>,
    operator: Principal,
}

impl Authentication for Door {
    fn token(&self, presented: &str) -> Option<Principal> {
        let now = actions::clock::Clock::now(&crate::clock::SystemClock::new());
        match self.tokens.authenticate(presented, now) {
            Ok(principal) => Some(principal),
            Err(error) => {
                tracing::warn!(reason = ?error.failure(), "A token was not accepted.");
                None
            }
        }
    }

    fn unguessable(&self) -> [u8; 32] {
        std::array::from_fn(|_| rand::random())
    }

    fn local(&self, peer: LocalPeer) -> Option<Principal> {
        // The socket file is this user's alone; the kernel's word about the peer is the second wall.
        let ours = rustix::process::geteuid().as_raw();
        (peer.uid == ours || peer.uid == 0).then(|| self.operator.clone())
    }
}

/// Waits for SIGTERM, SIGINT or a broken store; tells whether it was the store.
async fn until_told_to_stop(app: &App) -> bool {
    tokio::select! {
        () = signalled() => false,
        () = app.dispatcher.broken() => true,
    }
}

/// Resolved at SIGTERM or SIGINT.
pub(super) async fn signalled() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        std::future::pending::<()>().await;
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
