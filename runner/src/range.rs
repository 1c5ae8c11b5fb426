//! The range: fake services of a SOC on loopback, for the demonstration and for tests.
//!
//! Owns what the fakes answer, remember and show. They speak the real protocols as far as Sortie
//! uses them, keep what was done to them in a [`Ledger`], and misbehave on request ([`Faults`]).
//! Nothing here is reachable from a playbook, and nothing outside the range is ever called but
//! the block list that its firewall is told to poll.
//!
//! Every service lives under a path of one HTTP server: `http://127.0.0.1:port/virustotal`. An
//! `api/v…` after the name may be there or not, as connections write their base address either
//! way.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use exchange::Service;
pub use faults::{Fault, Faults, Misbehaviour};
pub use firewall::{Firewall, Poll, Polled};
pub use knowledge::{Knowledge, Known};
pub use ledger::{Effect, Ledger};
pub use mailbox::{Mail, Mailbox};

use exchange::{Asked, Reply};

mod exchange;
mod faults;
mod firewall;
mod knowledge;
mod ledger;
mod lookups;
mod mailbox;
mod mattermost;
mod opnsense;
mod pages;
mod smtp;
mod tenant;
#[cfg(test)]
mod tests;
mod thehive;
mod zammad;

/// How the range is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What the look-up services know.
    pub knowledge: Knowledge,
    /// Aliases of the fake `OPNsense`; `sortie` when empty.
    pub aliases: Vec<String>,
    /// User and password that the mail sink asks for; none takes every mail.
    pub mail_login: Option<(String, String)>,
    /// Port of the HTTP server; 0 takes a free one.
    pub http_port: u16,
    /// Port of the mail sink; 0 takes a free one.
    pub smtp_port: u16,
}

/// A running range. Stops when told to or when dropped.
#[derive(Debug)]
pub struct Range {
    http: SocketAddr,
    smtp: SocketAddr,
    world: Arc<World>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Everything the fakes remember.
#[derive(Debug)]
struct World {
    knowledge: Knowledge,
    ledger: Ledger,
    faults: Faults,
    mailbox: Mailbox,
    firewall: Firewall,
    zammad: Mutex<zammad::Zammad>,
    thehive: Mutex<thehive::TheHive>,
    mattermost: Mutex<mattermost::Mattermost>,
    opnsense: Mutex<opnsense::Opnsense>,
    tenant: Mutex<tenant::Tenant>,
    mail_login: Option<(String, String)>,
}

impl Range {
    /// Starts every service on loopback.
    pub async fn start(options: Options) -> io::Result<Self> {
        let http = TcpListener::bind((Ipv4Addr::LOCALHOST, options.http_port)).await?;
        let smtp = TcpListener::bind((Ipv4Addr::LOCALHOST, options.smtp_port)).await?;
        let ledger = Ledger::default();
        let range = Self {
            http: http.local_addr()?,
            smtp: smtp.local_addr()?,
            world: Arc::new(World {
                knowledge: options.knowledge,
                ledger: ledger.clone(),
                faults: Faults::default(),
                mailbox: Mailbox::default(),
                firewall: Firewall::default(),
                zammad: Mutex::default(),
                thehive: Mutex::default(),
                mattermost: Mutex::default(),
                opnsense: Mutex::new(opnsense::Opnsense::new(&options.aliases)),
                tenant: Mutex::default(),
                mail_login: options.mail_login,
            }),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        range.spawn(accept_http(
            http,
            Arc::clone(&range.world),
            range.tasks.clone(),
            range.stop.clone(),
        ));
        range.spawn(smtp::accept(
            smtp,
            Arc::clone(&range.world),
            range.tasks.clone(),
            range.stop.clone(),
        ));
        Ok(range)
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = work => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// The base address of a service.
    pub fn base(&self, service: Service) -> String {
        format!("http://{}/{}", self.http, service.word())
    }

    /// Where the HTTP server listens; its pages are under `/range/`.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where the mail sink listens.
    pub fn smtp(&self) -> SocketAddr {
        self.smtp
    }

    /// What was done to the services.
    pub fn ledger(&self) -> &Ledger {
        &self.world.ledger
    }

    /// How they are told to misbehave.
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// The mails that arrived.
    pub fn mailbox(&self) -> &Mailbox {
        &self.world.mailbox
    }

    /// The firewall and what it blocks.
    pub fn firewall(&self) -> &Firewall {
        &self.world.firewall
    }

    /// The addresses in an alias of the fake `OPNsense`, in order, with duplicates.
    pub fn alias(&self, name: &str) -> Vec<String> {
        lock(&self.world.opnsense).alias(name)
    }

    /// Makes the firewall poll a block list at an interval until the range stops.
    pub fn poll(&self, poll: Poll) {
        let firewall = self.world.firewall.clone();
        self.spawn(async move { firewall.keep_polling(poll).await });
    }

    /// Stops every service and waits until they have.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A fake keeps working after one of its requests panicked.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept_http(listener: TcpListener, world: Arc<World>, tasks: TaskTracker, stop: CancellationToken) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the range could not accept a connection");
                tokio::task::yield_now().await;
                continue;
            }
        };
        // Answers go out in one piece; waiting for more would only slow the caller down.
        drop(stream.set_nodelay(true));
        let (world, stop) = (Arc::clone(&world), stop.clone());
        tasks.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&world), request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // Ends with an error when a fault drops it: that is the point.
                ended = connection => drop(ended),
                () = stop.cancelled() => {}
            }
        });
    }
}

/// Answers a request; an error makes the server drop the connection.
async fn answer(world: Arc<World>, request: hyper::Request<Incoming>) -> io::Result<exchange::Response> {
    let asked = Asked::read(request).await?;
    let Some(service) = asked.service() else {
        return Ok(pages::page(&world, &asked).into_response());
    };
    let mut after = None;
    for misbehaviour in world.faults.take(service, &asked.path) {
        match misbehaviour {
            Misbehaviour::Delay(time) => tokio::time::sleep(time).await,
            Misbehaviour::Refuse { status, retry_after } => {
                return Ok(Reply::refusal(status, retry_after).into_response());
            }
            Misbehaviour::DropBefore => return Err(dropped()),
            Misbehaviour::DropAfter | Misbehaviour::RefuseAfter { .. } => after = Some(misbehaviour),
        }
    }
    world.ledger.called(service);
    let reply = match service {
        Service::VirusTotal => lookups::virustotal(&world.knowledge, &asked),
        Service::AbuseIpDb => lookups::abuseipdb(&world.knowledge, &asked),
        Service::UrlHaus => lookups::urlhaus(&world.knowledge, &asked),
        Service::Rdap => lookups::rdap(&world.knowledge, &asked),
        Service::Zammad => lock(&world.zammad).answer(&asked, &world.ledger),
        Service::TheHive => lock(&world.thehive).answer(&asked, &world.ledger),
        Service::Mattermost => lock(&world.mattermost).answer(&asked, &world.ledger),
        Service::Opnsense => lock(&world.opnsense).answer(&asked, &world.ledger),
        Service::Defender | Service::Entra => lock(&world.tenant).answer(service, &asked, &world.ledger),
        Service::Mail => Reply::not_found(),
    };
    match after {
        Some(Misbehaviour::DropAfter) => Err(dropped()),
        Some(Misbehaviour::RefuseAfter { status }) => Ok(Reply::refusal(status, None).into_response()),
        _ => Ok(reply.into_response()),
    }
}

fn dropped() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "dropped on request")
}
