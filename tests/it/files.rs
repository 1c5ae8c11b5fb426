//! Commands about the files of a project: where settings come from, and repairs of playbooks.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tests::soc::Soc;

use crate::BINARY;

fn sortie(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.env_remove("SORTIE_LISTEN").output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_setting_says_where_it_comes_from_and_no_secret_is_shown() {
    let soc = Soc::new(BINARY).await.unwrap();
    let shown = soc
        .command(&["config", "show", "--origin"])
        .env("SORTIE_LISTEN", "127.0.0.1:9999")
        .output()
        .unwrap();
    assert_eq!(shown.status.code(), Some(0), "{}", err(&shown));
    let text = out(&shown);
    let line = |key: &str| {
        let found = text.lines().find(|line| line.starts_with(key));
        found
            .unwrap_or_else(|| panic!("no `{key}` in\n{text}"))
            .to_owned()
    };
    let name = line("organisation.name ");
    assert!(
        name.contains("\"CERT-EX\"") && name.contains("sortie.toml:4"),
        "{name}"
    );
    let listen = line("server.listen ");
    assert!(
        listen.contains("127.0.0.1:9999") && listen.contains("environment SORTIE_LISTEN"),
        "{listen}"
    );
    assert!(line("limits.steps_at_once ").ends_with("default"));
    let secret = line("connections.virustotal.secret ");
    assert!(
        secret.contains("file:") && !text.contains("a-secret-of-the-range"),
        "{secret}"
    );
    assert!(line("connections.chat.settings.channels.duty ").contains("duty-channel-id"));

    let plain = out(&soc.command(&["config", "show"]).output().unwrap());
    assert!(
        plain.contains("organisation.name") && !plain.contains("sortie.toml:"),
        "{plain}"
    );
    let json = out(&soc.command(&["config", "show", "--json"]).output().unwrap());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["format"], "sortie.config/1");
    assert!(
        json["rows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["origin"].is_string())
    );

    // A secret in the file itself is refused, and not even the refusal repeats it.
    soc.append(
        "sortie.toml",
        "\n[connections.other]\nprovider = \"mattermost\"\nsecret = \"hunter2\"\n",
    )
    .unwrap();
    for command in [["config", "show"], ["config", "check"]] {
        let refused = soc.command(&command).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        let words = out(&refused) + &err(&refused);
        assert!(words.contains("secret") && !words.contains("hunter2"), "{words}");
    }
}

/// A playbook that needs every repair; the last line is a matter for its author.
const BROKEN: &str = "id: broken   # keep me
name: Broken
version: 1
description: Needs repairs.
owner: team
trigger: {incident: [phishing]}
inputs:
  quiet: {type: bool, default: no}
steps:
  look:
    uses: enrich.rdap
    if: !inputs.quiet && incident.tlp <= tlp.green    # quotes
    with:
      domain: {{ incident.mail.from }}
  note:
    uses: incident.update
    if: \"{{inputs.quiet}} && incident.severity >= severity.high\"
    after: [look]
    with: {note: seen}
  case:
    uses: incident.update
    if: incident.title.contains('case #1')
    with: {note: ${{ incident.title }}}
";

const REPAIRED: &str = "id: broken   # keep me
name: Broken
version: 1
description: Needs repairs.
owner: team
trigger: {incident: [phishing]}
inputs:
  quiet: {type: bool, default: false}
steps:
  look:
    uses: enrich.rdap
    if: \"!inputs.quiet && incident.tlp <= tlp.green\"    # quotes
    with:
      domain: ${{ incident.mail.from }}
  note:
    uses: incident.update
    if: inputs.quiet && incident.severity >= severity.high
    after: [look]
    with: {note: seen}
  case:
    uses: incident.update
    if: \"incident.title.contains('case #1')\"
    with: {note: \"${{ incident.title }}\"}
";

#[test]
fn check_fix_repairs_what_is_a_matter_of_writing_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.yaml");
    std::fs::write(&file, BROKEN).unwrap();
    let found = sortie(folder.path(), &["check", "broken.yaml"]);
    assert_eq!(found.status.code(), Some(1));
    assert!(err(&found).contains("sortie check --fix"), "{}", err(&found));
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        BROKEN,
        "only --fix writes"
    );

    let fixed = sortie(folder.path(), &["check", "--fix", "broken.yaml"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), REPAIRED);
    let said = err(&fixed);
    for words in [
        "broken.yaml: 6 repairs (PB103, PB104, PB105, PB106, PB111)",
        "   12 -     if: !inputs.quiet",
        "   12 +     if: \"!inputs.quiet",
        "   23 +     with: {note: \"${{ incident.title }}\"}",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    // A mail's sender is no domain: that is for the author, and found as ever.
    assert_eq!(fixed.status.code(), Some(1), "{}{said}", out(&fixed));
    assert!(out(&fixed).contains("PB2"), "{}", out(&fixed));

    let again = sortie(folder.path(), &["check", "--fix", "broken.yaml"]);
    assert!(!err(&again).contains("repair"), "{}", err(&again));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), REPAIRED);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "no drafts are left: {left:?}");
}

#[test]
fn check_fix_writes_nothing_outside_the_paths_given() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("playbooks"), folder.path().join("others"));
    std::fs::create_dir(&inside).unwrap();
    std::fs::create_dir(&outside).unwrap();
    let file = outside.join("broken.yaml");
    std::fs::write(&file, BROKEN).unwrap();
    std::os::unix::fs::symlink(&file, inside.join("broken.yaml")).unwrap();
    let refused = sortie(folder.path(), &["check", "--fix", "playbooks"]);
    assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
    assert!(
        err(&refused).contains("outside the paths given") && err(&refused).contains("help: "),
        "{}",
        err(&refused)
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), BROKEN);
    // Named itself it is inside.
    sortie(folder.path(), &["check", "--fix", "others"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), REPAIRED);

    let mut modes = std::fs::metadata(&file).unwrap().permissions();
    modes.set_readonly(true);
    std::fs::write(&file, BROKEN).unwrap();
    std::fs::set_permissions(&file, modes).unwrap();
    let refused = sortie(folder.path(), &["check", "--fix", "others"]);
    assert_eq!(refused.status.code(), Some(2), "{}", err(&refused));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), BROKEN);
}
