//! Secrets come by reference, are fetched in one place, and are never shown.

use actions::connection::Auth;
use secrecy::ExposeSecret;

use super::*;

fn connection(line: &str) -> Project {
    with(&format!(
        "[connections.x]\nprovider = \"rdap\"\nhouse = true\n{line}\n"
    ))
}

fn bearer(project: &Project) -> String {
    match &project.settings().connections[0].auth {
        Auth::Bearer(secret) => secret.expose_secret().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_secret_in_the_file_is_refused_and_hidden() {
    for line in [
        "secret = \"hunter2-hunter2\"",
        "secret = \"Bearer hunter2-hunter2\"",
        "auth = { header = \"X-Key\", secret = \"hunter2-hunter2\" }",
        "secrets = { path = \"hunter2-hunter2\" }",
        "base_url = \"https://user:hunter2-hunter2@a.example\"",
    ] {
        let problems = connection(line).read(Purpose::Check).unwrap_err();
        assert_eq!(problems.findings[0].code, codes::SECRET_IN_FILE, "{line}");
        assert!(
            !format!("{problems:?}").contains("hunter2"),
            "{line}: {problems:?}"
        );
        assert!(!shown(&problems.findings).contains("hunter2"));
    }
}

#[test]
fn references_are_resolved_when_serving_only() {
    let mut project = connection("secret = \"env:KEY\"");
    assert_eq!(project.findings(), ["CF109 9: the environment has no KEY"]);
    assert!(project.read(Purpose::Check).is_ok());
    project.environment = [("KEY", "value\n")].into_iter().collect();
    assert_eq!(bearer(&project), "value");
    project.environment = [("KEY", "\n")].into_iter().collect();
    assert_eq!(project.findings(), ["CF109 9: env:KEY is empty"]);
    assert!(!format!("{:?}", project.environment).contains("value"));
}

#[test]
fn secret_files_belong_to_their_owner_alone() {
    let project = connection("secret = \"file:key\"");
    assert!(project.findings()[0].starts_with("CF109 9:"));
    for mode in [0o600, 0o400] {
        project.file("key", "value", mode);
        assert_eq!(bearer(&project), "value");
        std::fs::remove_file(project.folder.path().join("key")).unwrap();
    }
    for mode in [0o640, 0o604, 0o620, 0o666] {
        project.file("key", "value", mode);
        let findings = project.findings();
        assert!(
            findings[0].starts_with("CF110 9:") && findings[0].contains(&format!("{mode:03o}")),
            "{findings:?}"
        );
    }
    project.file(
        "key",
        &"x".repeat(usize::try_from(SECRET_BYTES_MAX).unwrap()),
        0o600,
    );
    assert_eq!(bearer(&project).len(), usize::try_from(SECRET_BYTES_MAX).unwrap());
    project.file(
        "key",
        &"x".repeat(usize::try_from(SECRET_BYTES_MAX).unwrap() + 1),
        0o600,
    );
    assert!(project.findings()[0].contains("more than 65536 bytes"));
}

#[test]
fn credentials_come_from_the_service_manager() {
    let mut project = connection("secret = \"credential:key\"");
    assert!(project.findings()[0].contains("CREDENTIALS_DIRECTORY is not set"));
    project.file("credentials/key", "value", 0o400);
    let folder = project.folder.path().join("credentials");
    project.environment = [("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())]
        .into_iter()
        .collect();
    assert_eq!(bearer(&project), "value");
    for name in ["credential:../key", "credential:", "credential:.key"] {
        let project = connection(&format!("secret = \"{name}\""));
        assert!(project.findings()[0].starts_with("CF107 9:"), "{name}");
    }
    assert!(connection("secret = \"vault:kv/x\"").findings()[0].starts_with("CF104 9:"));
}

#[test]
fn a_user_name_makes_a_login_and_a_prefix_stands_before() {
    let mut project = connection("username = \"soc\"\nsecret = \"env:KEY\"");
    project.environment = [("KEY", "value")].into_iter().collect();
    assert!(matches!(&project.settings().connections[0].auth, Auth::Basic { user, .. } if user == "soc"));
    let mut project =
        connection("auth = { header = \"Authorization\", prefix = \"Token token=\", secret = \"env:KEY\" }");
    project.environment = [("KEY", "value")].into_iter().collect();
    match &project.settings().connections[0].auth {
        Auth::Header { value, .. } => assert_eq!(value.expose_secret(), "Token token=value"),
        other => panic!("{other:?}"),
    }
    assert!(
        connection("auth = { header = \"Host\", secret = \"env:KEY\" }").findings()[0]
            .contains("cannot carry")
    );
    assert!(
        connection("secret = \"env:K\"\nauth = { header = \"A\", secret = \"env:K\" }").findings()[0]
            .contains("both")
    );
}

#[test]
fn a_token_url_asks_another_server_for_tokens() {
    let tokens = "token_url = \"https://login.example/t/token\", client_id = \"sortie\"";
    let mut project = connection(&format!(
        "auth = {{ {tokens}, scope = \"api/.default\", secret = \"env:KEY\" }}"
    ));
    assert!(project.read(Purpose::Check).is_ok());
    assert_eq!(project.findings(), ["CF109 9: the environment has no KEY"]);
    project.environment = [("KEY", "value")].into_iter().collect();
    let settings = project.settings();
    let Auth::OAuth2(oauth) = &settings.connections[0].auth else {
        panic!("{settings:?}");
    };
    assert_eq!(oauth.token_url.as_str(), "https://login.example/t/token");
    assert_eq!(oauth.client_id, "sortie");
    assert_eq!(oauth.scope.as_deref(), Some("api/.default"));
    assert_eq!(oauth.client_secret.expose_secret(), "value");
    for (line, problem) in [
        (
            "token_url = \"https://login.example/\", secret = \"env:K\"",
            "no `client_id`",
        ),
        (
            "token_url = \"http://login.example/\", client_id = \"a\", secret = \"env:K\"",
            "not encrypted",
        ),
        (
            "token_url = \"https://u:hunter2@login.example/\", client_id = \"a\", secret = \"env:K\"",
            "password in it",
        ),
        (
            "token_url = \"https://login.example/\", client_id = \"a\", secret = \"hunter2\"",
            "secret",
        ),
        (
            "token_url = \"https://login.example/\", client_id = \"a\", header = \"X\", secret = \"env:K\"",
            "header",
        ),
    ] {
        let findings = connection(&format!("auth = {{ {line} }}")).findings();
        assert!(
            findings.iter().any(|finding| finding.contains(problem)),
            "{line}: {findings:?}"
        );
        assert!(!findings.concat().contains("hunter2"));
    }
}
