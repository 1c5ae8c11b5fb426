//! The command line as a person or a script meets it: the binary, its words, its exit codes.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use runner::range::Service;
use serde_json::Value;
use tests::soc::{self, Soc};
use web::view::{Content, Submitted};

use crate::BINARY;

/// One finished command.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Done {
    /// An error is one sentence for people: never a stack trace, never nothing.
    pub(crate) fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert!(self.err.contains("error"), "{}", self.err);
        assert!(
            !self.err.contains("panicked") && !self.err.contains("backtrace"),
            "{}",
            self.err
        );
        for word in words {
            assert!(self.err.contains(word), "`{word}` in:\n{}", self.err);
        }
    }

    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

fn sortie(folder: &Path, arguments: &[&str]) -> Done {
    let mut command = Command::new(BINARY);
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.output().unwrap().into()
}

pub(crate) async fn in_soc(soc: &Soc, arguments: &[&str]) -> Done {
    let mut command = soc.command(arguments);
    command.stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    run.await.unwrap().into()
}

const NETWORK_ALERT: &str = r#"{"type": "ids-alert", "title": "Scan from outside", "severity": "high",
  "signature": {"id": "1:2001219", "name": "ET SCAN", "blocked": false},
  "network": {"source_ip": "203.0.113.7", "destination_ip": "198.51.100.9", "direction": "inbound"}}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_an_empty_folder_to_a_run_that_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    let made = sortie(folder.path(), &["init", "my-soc"]).ok();
    let token = made.err.lines().find(|line| line.starts_with("sortie_")).unwrap();
    let project = folder.path().join("my-soc");
    sortie(folder.path(), &["init", "my-soc"]).refused(2, &["exists already", "help: "]);
    sortie(&project, &["check"]).ok();
    sortie(&project, &["doctor"]).ok();

    let mut server = Command::new(BINARY)
        .current_dir(&project)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(server.stderr.take().unwrap()));
    let address: std::net::SocketAddr = lines
        .find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("serves http://")?;
            rest.split_whitespace().next().map(|text| text.parse().unwrap())
        })
        .unwrap();
    let drained = std::thread::spawn(move || lines.map_while(Result::ok).count());

    let client = web::Client::tcp(address, token).unwrap();
    let submission = web::view::Submission {
        content: Content::Json,
        bytes: NETWORK_ALERT.as_bytes().to_vec().into(),
        entity: "example-town".parse().ok(),
    };
    let report = web::Operations::submit(&client, &web::Myself, submission)
        .await
        .unwrap();
    let accepted = report.results.iter().find_map(|one| match one {
        Submitted::Accepted { id } => Some(id),
        _ => None,
    });
    let id = accepted.unwrap();
    let settled = soc::settled(&client, 1).await.unwrap();
    assert_eq!(settled.len(), 1);

    let why = sortie(&project, &["incidents", "why", id.as_str()]).ok();
    assert!(
        why.out.contains("first-look v1") && why.out.contains("STARTED"),
        "{}",
        why.out
    );
    let shown = sortie(&project, &["runs", "show", settled[0].id.short()]).ok();
    assert!(
        shown.out.contains("DONE") && shown.out.contains("203.0.113.7"),
        "{}",
        shown.out
    );
    let trail = sortie(&project, &["audit", "list", "--json"]).ok().json();
    assert_eq!(trail["format"], "sortie.audit/1");
    assert!(trail["rows"].as_array().unwrap().len() > 5);

    // A second process on the same store, then the drain of the first.
    sortie(&project, &["serve", "--listen", "127.0.0.1:0"]).refused(
        3,
        &[
            &format!("in use by process {}", server.id()),
            &format!("kill {}", server.id()),
            "SORTIE_DATA_DIR",
        ],
    );
    // Commands ask the process that has the store. When its socket is gone, they name it.
    let socket = project.join(".sortie/data/sortie.sock");
    sortie(&project, &["runs", "list"]).ok();
    std::fs::remove_file(&socket).unwrap();
    for command in [&["runs", "list"][..], &["incidents", "why", id.as_str()]] {
        sortie(&project, command).refused(
            3,
            &[
                &format!("in use by process {}", server.id()),
                &format!("help: let it end, or stop it with `kill {}`", server.id()),
            ],
        );
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(0), "a drain ends with 0");
    drained.join().unwrap();
}

#[test]
fn what_is_wrong_is_said_once_with_a_remedy_and_the_documented_code() {
    let folder = tempfile::tempdir().unwrap();
    sortie(folder.path(), &["init", "."]).ok();
    let file = folder.path().join("token");
    std::fs::write(&file, "sortie_nothing").unwrap();
    let token = file.to_str().unwrap();
    for (arguments, code, words) in [
        (&["frobnicate"][..], 2, &["frobnicate", "--help"][..]),
        (&["run"], 2, &["<PLAYBOOK>"]),
        (&["runs", "cancel", "x"], 2, &["--reason"]),
        (&["runs", "list", "--status", "fine"], 2, &["fine", "succeeded"]),
        (&["runs", "show", "zzzzz"], 5, &["there is no run", "help: "]),
        (&["incidents", "show", "foo"], 2, &["PH-2026-00417"]),
        (
            &["incidents", "why", "PH-2026-00001"],
            5,
            &["there is no incident"],
        ),
        (&["incidents", "create", "--file", "none.json"], 2, &["none.json"]),
        (&["run", "none"], 5, &["there is no playbook", "help: "]),
        (&["run", "first-look"], 2, &["works on an incident", "--incident"]),
        (
            &["run", "first-look", "--detach"],
            2,
            &["needs a running server", "sortie serve"],
        ),
        (
            &["run", "first-look", "--input", "a"],
            2,
            &["name=value", "help: "],
        ),
        (&["graph", "none"], 5, &["there is no playbook", "help: "]),
        (&["check", "none.yaml"], 2, &["none.yaml", "help: "]),
        (&["explain", "PB999"], 5, &["PB999", "help: "]),
        (&["actions", "doc", "block.ipp"], 5, &["block.ipp"]),
        (&["tokens", "create", "x", "--days", "366"], 2, &["365 days"]),
        (&["--project", "/none", "runs", "list"], 2, &["sortie init"]),
        (
            &["--server", "http://127.0.0.1:1", "runs", "list"],
            2,
            &["--token-file"],
        ),
        (
            &[
                "--server",
                "http://127.0.0.1:1",
                "--token-file",
                token,
                "runs",
                "list",
            ],
            3,
            &["127.0.0.1:1"],
        ),
    ] {
        println!("sortie {}", arguments.join(" "));
        sortie(folder.path(), arguments).refused(code, words);
    }
}

#[test]
fn findings_come_for_people_editors_and_machines() {
    let folder = tempfile::tempdir().unwrap();
    sortie(folder.path(), &["init", "."]).ok();
    let path = folder.path().join("playbooks/first-look.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replace(
            "incident.network.source_ip }}\n      reason",
            "incident.network.sauce }}\n      reason",
        ),
    )
    .unwrap();
    let of = |format: &str| {
        let done = sortie(folder.path(), &["check", "--format", format]);
        assert_eq!(done.code, Some(1), "{}{}", done.out, done.err);
        done
    };
    let human = of("human");
    assert!(
        human.out.contains("error[PB") && human.out.contains("first-look.yaml:"),
        "{}{}",
        human.out,
        human.err
    );
    let short = of("short");
    assert!(
        short
            .out
            .lines()
            .all(|line| line.contains("first-look.yaml:") && line.contains(": PB")),
        "{}",
        short.out
    );
    let json = of("json").json();
    assert_eq!(json["format"], "sortie.diagnostics/1");
    assert!(json["diagnostics"][0]["at"]["line"].as_u64().unwrap() > 1);
    let sarif = of("sarif").json();
    assert_eq!(sarif["version"], "2.1.0");
    let found = &sarif["runs"][0]["results"][0];
    assert!(
        found["message"]["text"].as_str().unwrap().contains("sauce"),
        "{found:#}"
    );
    assert!(found["locations"][0]["physicalLocation"]["region"]["startLine"].is_u64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulation_reads_and_shows_its_effects_and_has_none() {
    let soc = Soc::new(BINARY).await.unwrap();
    let mail = soc.project().join("mail.eml");
    std::fs::write(&mail, runner::demo::PHISHING_REPORT).unwrap();
    let arguments = [
        "run",
        "phishing-report",
        "--incident",
        mail.to_str().unwrap(),
        "--entity",
        runner::demo::ENTITY,
        "--simulate",
    ];
    let done = in_soc(&soc, &arguments).await.ok();
    assert!(
        soc.range.ledger().effects().is_empty(),
        "{:?}",
        soc.range.ledger().effects()
    );
    assert!(soc.range.mailbox().is_empty());
    assert!(
        soc.range.ledger().calls(Service::VirusTotal) > 0,
        "reads are done"
    );
    for shown in [
        "Would have been done:",
        "block.domain (contain) through block-list",
        "xn--robnhood-e2a.com",
        "ticket.open (record) through tickets",
        "notify.entity (notify) through mail",
    ] {
        assert!(done.out.contains(shown), "`{shown}` in:\n{}", done.out);
    }
    // The same for real: what was only shown is now done.
    let real = in_soc(&soc, &arguments[..6]).await.ok();
    assert!(!real.out.contains("Would have been done"), "{}", real.out);
    assert!(!soc.range.mailbox().is_empty() && !soc.range.ledger().effects().is_empty());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for arguments in [
        &["completions", "bash"][..],
        &["man"],
        &["schema"],
        &["explain"],
        &["actions", "list"],
    ] {
        let mut child = Command::new(BINARY)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let done: Done = child.wait_with_output().unwrap().into();
        assert_eq!(
            (done.code, done.err.as_str()),
            (Some(0), ""),
            "sortie {}",
            arguments.join(" ")
        );
    }
}
