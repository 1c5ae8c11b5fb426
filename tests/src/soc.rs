//! One SOC in a temporary folder: the demo's project, the range it talks to, and the process that
//! serves it and may be killed.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runner::demo;
use runner::range::{Knowledge, Options, Range};
use state::access::{Permission, Person, Reach, TOKEN_RANDOM_BYTES, TokenGrant, TokenRecord};
use state::event::RunStatus;
use state::ids::EntityId;
use state::store::{PageRequest, RunFilter};
use tempfile::TempDir;
use web::operations::Myself;
use web::view::{Content, RunDetail, RunView, Submission, Submitted};
use web::{Client, OperationError, Operations};

/// How long a test waits for something that must happen. Longer than the minute after which the
/// search of a ticket system is believed that it found nothing, with room for what follows.
pub const PATIENCE: Duration = Duration::from_mins(3);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A project, its range, and where its process is.
#[derive(Debug)]
pub struct Soc {
    folder: TempDir,
    /// The fake services.
    pub range: Range,
    /// A token that may do everything.
    pub token: String,
    binary: PathBuf,
}

/// A serving process. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    socket: PathBuf,
}

impl Soc {
    /// A fresh SOC. `binary` is the path of `sortie-under-test`.
    pub async fn new(binary: &str) -> io::Result<Self> {
        Self::knowing(binary, demo::knowledge()).await
    }

    /// The same, where the look-up services know other things.
    pub async fn knowing(binary: &str, knowledge: Knowledge) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let range = Range::start(Options {
            knowledge,
            ..Options::default()
        })
        .await?;
        let (token, table) =
            token("test", Reach::All, 0).ok_or_else(|| io::Error::other("no token could be made"))?;
        demo::write_project(folder.path(), &range, &[table])?;
        Ok(Self {
            folder,
            range,
            token,
            binary: binary.into(),
        })
    }

    /// The project's folder.
    pub fn project(&self) -> &Path {
        self.folder.path()
    }

    /// A command of the binary in this project.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--project").arg(self.project()).args(arguments);
        command
    }

    /// Adds text at the end of a file of the project.
    pub fn append(&self, file: &str, text: &str) -> io::Result<()> {
        use std::io::Write as _;
        let mut file = std::fs::File::options()
            .append(true)
            .open(self.project().join(file))?;
        file.write_all(text.as_bytes())
    }

    /// Starts `sortie serve`. `kill_at` cuts it at one of its writes (`after:7`).
    pub fn serve(&self, kill_at: Option<&str>) -> io::Result<Process> {
        self.serve_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), kill_at)
    }

    /// Starts `sortie serve` at an address, for tests that use tokens.
    pub fn serve_at(&self, address: SocketAddr, kill_at: Option<&str>) -> io::Result<Process> {
        let mut command = self.command(&["serve", "--listen", &address.to_string()]);
        if let Some(place) = kill_at {
            command.env("SORTIE_TEST_KILL_AT", place);
        }
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.project().join("serve.log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Process {
            child,
            socket: self.project().join(".sortie/data/sortie.sock"),
        })
    }

    /// What the processes logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.project().join("serve.log")).unwrap_or_default()
    }
}

impl Process {
    /// A client over the process's own socket.
    pub fn client(&self) -> Client {
        Client::local(&self.socket)
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it answers; `false` when it ended before.
    pub async fn answers(&mut self) -> bool {
        let client = self.client();
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            if self.is_over() {
                return false;
            }
            if client.readiness().await.ready {
                return true;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
        false
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// SIGTERM, then waits; gives the exit code.
    pub async fn terminate(mut self) -> Option<i32> {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok()?;
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            tokio::time::sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A loopback address that was free a moment ago.
pub fn free_address() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A token of a service with every permission it can have within a reach, and its table for sortie.toml. Tokens of one
/// project need different seeds.
pub fn token(name: &str, reach: Reach, seed: u8) -> Option<(String, String)> {
    minted(name, Permission::OF_SERVICES, reach, None, seed)
}

/// The same with these permissions.
pub fn token_for(name: &str, reach: Reach, seed: u8, permissions: &[Permission]) -> Option<(String, String)> {
    minted(name, permissions, reach, None, seed)
}

/// A token of a person of sortie.toml, who sees, starts and approves everything.
pub fn token_of(person: &str, seed: u8) -> Option<(String, String)> {
    let may = [Permission::See, Permission::Start, Permission::Approve];
    let who = Person {
        name: person.to_owned(),
        roles: std::collections::BTreeSet::new(),
    };
    minted(person, &may, Reach::All, Some(who), seed)
}

fn minted(
    name: &str,
    permissions: &[Permission],
    reach: Reach,
    person: Option<Person>,
    seed: u8,
) -> Option<(String, String)> {
    #[expect(clippy::disallowed_methods, reason = "a token of a test lives from now on")]
    let now = Timestamp::now();
    let random: [u8; TOKEN_RANDOM_BYTES] =
        std::array::from_fn(|place| u8::try_from(place).unwrap_or(0).wrapping_add(seed));
    let grant = TokenGrant {
        name: name.to_owned(),
        permissions: permissions.iter().copied().collect(),
        reach,
        expires_at: now.checked_add(SignedDuration::from_hours(24)).ok()?,
        person,
    };
    let (token, record) = TokenRecord::mint(&random, grant, now).ok()?;
    Some((token.reveal().to_owned(), runner::project::token_table(&record)))
}

/// The entity of the demo's incidents.
pub fn entity() -> Option<EntityId> {
    demo::ENTITY.parse().ok()
}

/// Submits bytes as one incident of the demo's entity; what became of it.
pub async fn submit(
    client: &impl Operations<Myself>,
    content: Content,
    bytes: Vec<u8>,
) -> Result<Option<Submitted>, OperationError> {
    let results = submit_for(client, entity(), content, bytes).await?;
    Ok(results.into_iter().next())
}

/// Submits bytes for an entity, or for the only one in reach; what became of each alert.
pub async fn submit_for(
    client: &impl Operations<Myself>,
    entity: Option<EntityId>,
    content: Content,
    bytes: Vec<u8>,
) -> Result<Vec<Submitted>, OperationError> {
    let submission = Submission {
        content,
        bytes: bytes.into(),
        entity,
    };
    Ok(client.submit(&Myself, submission).await?.results)
}

/// Every run, oldest last.
pub async fn runs(client: &impl Operations<Myself>) -> Result<Vec<RunView>, OperationError> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = client
            .runs(&Myself, RunFilter::default(), PageRequest { after, limit: 1_000 })
            .await?;
        rows.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return Ok(rows);
        }
    }
}

/// Waits until at least `least` runs exist and every run is over or waits for a person.
pub async fn settled(client: &impl Operations<Myself>, least: usize) -> Result<Vec<RunView>, OperationError> {
    let mut waited = Duration::ZERO;
    loop {
        let found = runs(client).await?;
        let at_rest = found
            .iter()
            .all(|run| run.status.is_over() || run.status == RunStatus::Stuck);
        if (found.len() >= least && at_rest) || waited >= PATIENCE {
            return Ok(found);
        }
        tokio::time::sleep(LOOK_EVERY).await;
        waited += LOOK_EVERY;
    }
}

/// One run with everything about it.
pub async fn run(client: &impl Operations<Myself>, id: &str) -> Result<RunDetail, OperationError> {
    client.run(&Myself, id).await
}
