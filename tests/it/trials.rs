//! Tests of playbooks as their authors play them: `sortie test` on the examples, on a new project,
//! on a playbook that was broken, and on files that are wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tests::soc::{self, Soc};
use web::Operations as _;
use web::operations::Myself;

use crate::BINARY;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// Code, stdout, stderr.
fn sortie(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(BINARY);
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

/// A copy of one example, in which a playbook may be broken.
fn copy(example: &str) -> tempfile::TempDir {
    fn copy_all(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap().path();
            let target = to.join(entry.file_name().unwrap());
            if entry.is_dir() {
                copy_all(&entry, &target);
            } else {
                std::fs::copy(&entry, target).unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    copy_all(&examples().join(example), folder.path());
    folder
}

fn change(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} holds `{from}`");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn the_tests_of_every_example_pass_and_reach_nine_of_ten_branches() {
    let (code, out, err) = sortie(&examples(), &["test", ".", "--json", "--seed", "7"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let whole: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&whole["format"], &whole["seed"]),
        (&"sortie.test/1".into(), &7.into())
    );
    let playbooks = whole["playbooks"].as_array().unwrap();
    assert_eq!(playbooks.len(), 6);
    for playbook in playbooks {
        let name = playbook["playbook"].as_str().unwrap();
        assert!(playbook["tests"].as_array().unwrap().len() >= 7, "{name}");
        let coverage = &playbook["coverage"];
        for part in ["steps", "if_sides", "let_branches"] {
            let share = |key: &str| coverage[part][key].as_u64().unwrap();
            assert!(
                share("all") > 0 && share("reached") * 10 >= share("all") * 9,
                "{name}: {coverage}"
            );
        }
        println!("{name}: {coverage}, {} ms", playbook["milliseconds"]);
    }
}

#[test]
fn the_examples_stand_a_crash_after_every_event_of_every_test() {
    let (code, out, err) = sortie(
        &examples(),
        &["test", "first-playbook", "phishing-report", "--crash"],
    );
    assert_eq!(code, Some(0), "{out}{err}");
    let crashes = err
        .split_once(" tests, ")
        .unwrap()
        .1
        .split_once(" crashes")
        .unwrap()
        .0;
    assert!(crashes.parse::<u32>().unwrap() > 100, "{err}");
}

#[test]
fn a_new_project_has_tests_that_pass_and_a_line_for_each_playbook() {
    let folder = tempfile::tempdir().unwrap();
    sortie(folder.path(), &["init", "."]);
    let (code, out, err) = sortie(folder.path(), &["test"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.starts_with(" first-look           9 ok"), "{out}");
    assert!(out.contains("steps 2/2  if-sides 2/2  let-branches 2/2"), "{out}");
    assert!(err.contains("9 tests, seed "), "{err}");
    let (code, by_id, _) = sortie(folder.path(), &["test", "first-look", "-k", "blocked for a day"]);
    assert_eq!(code, Some(0));
    assert!(by_id.starts_with(" first-look           1 ok"), "{by_id}");
    let (code, _, err) = sortie(folder.path(), &["test", "-k", "no such test"]);
    assert_eq!(code, Some(2), "{err}");
}

#[test]
fn a_broken_playbook_turns_red_with_a_diff_and_the_command_that_plays_it_again() {
    let folder = copy("ids-triage");
    let file = "ids-triage.yaml";
    change(
        folder.path(),
        file,
        "score < 60 ? rank.look",
        "score < 90 ? rank.look",
    );
    let (code, out, _) = sortie(folder.path(), &["test", ".", "--seed", "41"]);
    assert_eq!(code, Some(1), "{out}");
    let wanted = "
 FAILED ids-triage: an attacker with a bad name is blocked for a day, and the entity hears of it        ./ids-triage.test.yaml:20
   outputs          expected priority: \"act\"
                    got      priority: \"look\"
   outputs          expected blocked: \"5.1.1.1\"
                    got      blocked: absent
   effects          expected block.ip ip: \"5.1.1.1\", direction: \"inbound\"
                    got      no block.ip
   effects          expected ticket.open body: \"…, inbound.\\nScore 80,";
    let first = out.find("\n FAILED").map(|at| &out[at..]).unwrap();
    for line in wanted.lines().take(8) {
        assert!(first.contains(line), "{line}\nin\n{first}");
    }
    let replay = "   replay with  sortie test ./ids-triage.test.yaml -k 'an attacker with a bad name is blocked for a day, and the entity hears of it' --seed 41 --trace";
    assert!(out.contains(replay), "{out}");
    let (_, again, _) = sortie(
        folder.path(),
        &[
            "test",
            "./ids-triage.test.yaml",
            "-k",
            "an attacker",
            "--seed",
            "41",
            "--trace",
        ],
    );
    for line in [
        "+0s  outside enrich.ip {\"ip\":\"5.1.1.1\"}",
        "+0s  let priority = \"look\"",
        "closed succeeded",
    ] {
        assert!(again.contains(line), "{line}\nin\n{again}");
    }
}

#[test]
fn what_no_test_reaches_is_named_by_its_place() {
    let folder = copy("ids-triage");
    let tests = "
playbook: ids-triage
given: {entity: {networks: [5.1.1.2/32]}, incident: incident.json}
tests:
  - {name: noise, mocks: {outside: {score: 1}}, expect: {outputs: {priority: noise}}}
";
    std::fs::write(folder.path().join("ids-triage.test.yaml"), tests).unwrap();
    let (code, out, err) = sortie(folder.path(), &["test", ".", "--coverage"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(
        out.contains("steps 2/7  if-sides 5/10  let-branches 8/19"),
        "{out}"
    );
    for line in [
        " not covered  ./ids-triage.yaml:44:3  step `block` never ran",
        "`if` of `block` was never true",
        "branch of `priority` never taken: rank.wake",
    ] {
        assert!(out.contains(line), "{line}\nin\n{out}");
    }
    for line in [
        "PB505",
        "no test reaches `block`, which acts on the world",
        "ids-triage.yaml:44:3",
    ] {
        assert!(err.contains(line), "{line}\nin\n{err}");
    }
}

#[test]
fn results_are_written_for_continuous_integration() {
    let folder = copy("first-playbook");
    let file = "first-look.test.yaml";
    change(
        folder.path(),
        file,
        "name: the source of a serious alert is blocked for a day",
        "name: \"<&\\\"' ]]> \\u0001 blocked\"",
    );
    change(
        folder.path(),
        file,
        "outputs: {blocked: 203.0.113.7}",
        "outputs: {blocked: 203.0.113.8}",
    );
    let (code, out, _) = sortie(folder.path(), &["test", ".", "--junit", "results.xml"]);
    assert_eq!(code, Some(1), "{out}");
    let xml = std::fs::read_to_string(folder.path().join("results.xml")).unwrap();
    assert!(xml.contains("tests=\"9\" failures=\"1\" errors=\"0\""), "{xml}");
    assert!(
        xml.contains("name=\"&lt;&amp;&quot;&apos; ]]&gt; \u{fffd} blocked\""),
        "{xml}"
    );
    assert!(xml.contains("<failure message=\"outputs\">"), "{xml}");
    assert!(!xml.contains('\u{1}'));
}

#[test]
fn a_wrong_file_is_told_by_test_and_by_check_with_its_place_and_code() {
    let folder = copy("first-playbook");
    let file = "first-look.test.yaml";
    change(folder.path(), file, "never: [block.ip]", "never: [blok.ip]");
    for arguments in [
        &["test", "."][..],
        &["check", "first-look.yaml"],
        &["check", file],
    ] {
        let (code, out, err) = sortie(folder.path(), arguments);
        assert_eq!(code, Some(1), "{arguments:?}\n{out}{err}");
        let both = format!("{out}{err}");
        for words in [
            "PB504",
            "there is no action `blok.ip`",
            "did you mean `block.ip`?",
            "first-look.test.yaml:",
        ] {
            assert!(both.contains(words), "{words}\nin\n{both}");
        }
    }
    change(folder.path(), file, "never: [blok.ip]", "never: [block.ip]");
    change(
        folder.path(),
        file,
        "incident:\n    type: ids-alert",
        "incident:\n    tipe: ids-alert",
    );
    let (code, out, _) = sortie(folder.path(), &["test", "."]);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("unknown field `tipe`") && out.contains("PB502"),
        "{out}"
    );

    let empty = tempfile::tempdir().unwrap();
    let (code, _, err) = sortie(empty.path(), &["test"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("there are no tests here"), "{err}");
    let (code, _, err) = sortie(empty.path(), &["test", "nothing"]);
    assert_eq!(code, Some(2));
    assert!(
        err.contains("there is no such file, folder or playbook with tests"),
        "{err}"
    );
    std::fs::write(
        empty.path().join("a.test.yaml"),
        "playbook: a\ntests: [{name: t, expect: {runs: 1}}]\n",
    )
    .unwrap();
    let (code, _, err) = sortie(empty.path(), &["test"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("PB501"), "{err}");
}

#[test]
fn a_test_reads_no_file_outside_its_folder_and_needs_an_answer_for_every_read() {
    let folder = copy("ids-triage");
    let file = "ids-triage.test.yaml";
    change(
        folder.path(),
        file,
        "incident: incident.json ",
        "incident: ../../etc/passwd ",
    );
    let (code, out, _) = sortie(folder.path(), &["test", ".", "-k", "bad name"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(
        out.contains("must lie beside the file of tests or below it"),
        "{out}"
    );

    let folder = copy("ids-triage");
    change(
        folder.path(),
        file,
        "    outside: {score: 80, vpn: false, tor: false}\n",
        "    ticket: {}\n",
    );
    let (code, out, err) = sortie(folder.path(), &["test", ".", "-k", "bad name"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(
        out.contains("`outside` reads the world and has no mock (PB503)"),
        "{out}"
    );
}

/// Runs on real samples become tests that pass at once and hold no person any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_the_past_becomes_a_test_that_passes_and_names_nobody() {
    let soc = Soc::new(BINARY).await.unwrap();
    let address = soc::free_address().unwrap();
    let mut process = soc.serve_at(address, None).unwrap();
    assert!(process.answers().await, "{}", soc.log());
    let client = process.client();
    for (content, bytes) in [
        (web::view::Content::Mail, runner::demo::PHISHING_REPORT),
        (
            web::view::Content::Mapper("suricata".to_owned()),
            runner::demo::IDS_ALERT,
        ),
    ] {
        let submission = web::view::Submission {
            content,
            bytes: bytes.to_vec().into(),
            entity: runner::demo::ENTITY.parse().ok(),
        };
        client.submit(&Myself, submission).await.unwrap();
    }
    let runs = soc::settled(&client, 2).await.unwrap();
    let token = soc.project().join("token");
    std::fs::write(&token, &soc.token).unwrap();
    for (place, run) in runs.iter().enumerate() {
        // Once over the socket of the project, once over the HTTP API with a token.
        let name = format!("playbooks/{}-made.test.yaml", run.playbook);
        let file = soc.project().join(&name);
        let mut command = soc.command(&["runs", "export-test", run.id.as_str(), "--file"]);
        command.arg(&file);
        if place == 1 {
            command
                .args(["--server", &format!("http://{address}"), "--token-file"])
                .arg(&token);
        }
        let made = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        assert_eq!(made.status.code(), Some(0), "{}: {said}", run.playbook);
        assert!(said.contains("next: sortie test "), "{said}");
        let text = std::fs::read_to_string(&file).unwrap();
        for personal in ["a.martin", "Martin", "Your order has been placed"] {
            assert!(!text.contains(personal), "{personal}\nin\n{text}");
        }
        let (code, out, err) = sortie(soc.project(), &["test", &name]);
        assert_eq!(code, Some(0), "{out}{err}\n{text}");
        assert!(out.contains("1 ok"), "{out}");
        // It is a test: another playbook turns it red.
        if run.playbook == "phishing-report" {
            assert!(
                text.contains("person-1@ville.example") && text.contains("/masked-"),
                "{text}"
            );
            let expected = text.replace(" for: 7d", " for: 8d");
            assert_ne!(expected, text, "{text}");
            std::fs::write(&file, expected).unwrap();
            let (code, out, _) = sortie(soc.project(), &["test", &name]);
            assert_eq!(code, Some(1), "{out}");
            assert!(out.contains("block.domain for: \"8d\""), "{out}");
        }
        let mut again = soc.command(&["runs", "export-test", run.id.as_str(), "--file"]);
        again.arg(&file);
        let again = tokio::task::spawn_blocking(move || again.output().unwrap())
            .await
            .unwrap();
        assert_eq!(again.status.code(), Some(2), "nothing is overwritten");
    }
}
