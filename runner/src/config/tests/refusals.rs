//! Everything that is wrong is said at once, with its place and a remedy.

use super::*;

#[test]
fn all_errors_come_together() {
    let project = Project::new(
        "[organisation]\nname = 3\nlanguage = \"english\"\ntimezone = \"Europe/Pariss\"\n\n[guardrials]\nx = 1\n\n[oidc]\nissuer = \"x\"\n",
    );
    assert_eq!(
        project.findings(),
        [
            "CF105 1: organisation has no `mail_from`",
            "CF106 2: a text is expected here, not a whole number",
            "CF107 3: this is not a language",
            "CF107 4: this is not a time zone",
            "CF103 6: there is no key `guardrials`",
            "CF104 9: `oidc` is not built yet",
        ]
    );
    let problems = project.read(Purpose::Serve).unwrap_err();
    assert_eq!(problems.to_string(), "6 errors in the configuration");
    let help = |code: &str| {
        problems
            .findings
            .iter()
            .find(|finding| finding.code == code)
            .unwrap()
            .help
            .join(" ")
    };
    assert_eq!(help("CF103"), "did you mean `guardrails`?");
    assert!(
        help("CF104").starts_with("remove `oidc` (line 9)"),
        "{}",
        help("CF104")
    );
}

#[test]
fn a_file_that_is_no_toml_or_not_there_says_so() {
    assert_eq!(Project::new("name = \n").findings()[0].get(..8), Some("CF102 1:"));
    let project = Project::new(ORGANISATION);
    std::fs::remove_file(project.folder.path().join(FILE_NAME)).unwrap();
    assert!(project.findings()[0].starts_with("CF101 1: cannot be read"));
    let large = Project::new(&"#".repeat(usize::try_from(CONFIG_BYTES_MAX).unwrap() + 1));
    assert!(large.findings()[0].starts_with("CF101 1: 1048577 bytes"));
}

#[test]
fn strangers_are_kept_from_the_listener() {
    for address in ["0.0.0.0:8800", "[::]:8800", "192.0.2.1:80"] {
        let findings = with(&format!("[server]\nlisten = \"{address}\"\n")).findings();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("CF111 7:"), "{findings:?}");
    }
    for address in ["127.0.0.1:0", "[::1]:8800", "127.8.8.8:80"] {
        with(&format!("[server]\nlisten = \"{address}\"\n")).settings();
    }
    let mut project = Project::new(ORGANISATION);
    project.environment = [(LISTEN_VARIABLE, "0.0.0.0:80")].into_iter().collect();
    assert!(project.findings()[0].starts_with("CF111"));
    project.environment = [(LISTEN_VARIABLE, "localhost")].into_iter().collect();
    assert!(project.findings()[0].contains("SORTIE_LISTEN"));
    assert!(with("[server]\nbehind_proxy = [\"0.0.0.0/0\"]\n").findings()[0].starts_with("CF107"));
}

#[test]
fn others_must_not_change_the_file() {
    let project = Project::new(ORGANISATION);
    project.file(FILE_NAME, ORGANISATION, 0o666);
    assert!(project.findings()[0].starts_with("CF110 1: everybody"));
    project.file(FILE_NAME, ORGANISATION, 0o664);
    assert!(short(&project.settings().warnings[0]).starts_with("CF110 1: the group"));
}

#[test]
fn a_connection_that_is_not_ours_needs_its_ceilings() {
    let findings = with("[connections.x]\nprovider = \"rdap\"\n").findings();
    assert_eq!(
        findings,
        [
            "CF105 6: connections.x has no `tlp`",
            "CF105 6: connections.x has no `pap`"
        ]
    );
    let findings = with("[connections.x]\nprovider = \"rdap\"\ntlp = \"orange\"\npap = \"amber\"\nentity = \"vile-exemple\"\n").findings();
    assert!(
        findings[0].starts_with("CF107 8: `orange` is not a TLP marking"),
        "{findings:?}"
    );
    assert_eq!(findings[1], "CF112 10: there is no entity `vile-exemple`");
    for (url, words) in [
        ("http://a.example", "not encrypted"),
        ("a.example", "not an absolute URL"),
        ("https://a.example/?key=1", "cannot be used"),
        ("file:///etc/passwd", "not an absolute URL"),
        ("gopher://a.example", "cannot be used"),
    ] {
        let findings = with(&format!(
            "[connections.x]\nprovider = \"http\"\nhouse = true\nbase_url = \"{url}\"\n"
        ))
        .findings();
        assert!(findings[0].contains(words), "{url}: {findings:?}");
    }
}

#[test]
fn tokens_are_bounded() {
    let token = |change: &str, to: &str| {
        let text = "[tokens.t]\nid = \"01234567\"\nsha256 = \"HASH\"\npermissions = [\"see\"]\nentities = [\"*\"]\nexpires = 2026-12-31\n";
        with(&text.replace(change, to).replace("HASH", &"9f".repeat(32)))
    };
    token("-", "-").settings();
    assert!(
        token("\"see\"", "\"destroy\"").findings()[0].starts_with("CF107 9: `destroy` is not a permission")
    );
    let unknown = token("\"see\"", "\"destroy\"").read(Purpose::Serve).unwrap_err();
    for permission in state::access::Permission::ALL {
        let help = unknown.findings[0].help.join("; ");
        assert!(help.contains(permission.word()), "{help}");
    }
    assert!(
        token("[\"*\"]", "[\"nobody\"]").findings()[0].starts_with("CF112 10: there is no entity `nobody`")
    );
    assert!(token("2026-12-31", "2028-01-01").findings()[0].contains("too long a life"));
    assert!(token("HASH", "sortie_abc").findings()[0].starts_with("CF108 8:"));
    assert_eq!(
        short(&token("2026-12-31", "2026-03-10").settings().warnings[0]),
        "CF113 11: this token is over in 7 days"
    );
    assert_eq!(
        short(&token("2026-12-31", "2026-03-01").settings().warnings[0]),
        "CF113 11: this token is over"
    );
    token("2026-12-31", "2027-03-02T03:04:00Z").settings();
    assert!(!token("2026-12-31", "2027-03-04").findings().is_empty());
}

#[test]
fn limits_are_lowered_freely_and_raised_with_a_warning() {
    let limit = |number: i64| with(&format!("[guardrails]\nblocks_per_hour = {number}\n"));
    assert!(limit(1).settings().warnings.is_empty());
    assert!(limit(100).settings().warnings.is_empty());
    assert_eq!(
        short(&limit(101).settings().warnings[0]),
        "CF114 7: `blocks_per_hour` is raised from 100 to 101"
    );
    for number in [0, 10_001, -1] {
        assert!(limit(number).findings()[0].starts_with("CF107 7:"));
    }
    assert!(with("[guardrails]\nblock_for_max = \"31d\"\n").findings()[0].contains("cannot last 31d"));
    with("[guardrails]\nblock_for_max = \"30d\"\n").settings();
    assert_eq!(
        with("[guardrails]\nblock_for_max = \"1h\"\n")
            .settings()
            .operator
            .guardrails
            .block_for_default
            .to_string(),
        "1h"
    );
    assert!(
        with("[guardrails]\nnever_block = [\"top-domains\"]\n").findings()[0]
            .starts_with("CF104 7: the never-block list `top-domains`")
    );
}

#[test]
fn only_people_approve_and_roles_are_those_that_somebody_has() {
    const KARIM: &str = "[people.karim]\nroles = [\"duty-officer\"]\n";
    let token = |person: &str| {
        let table = "[tokens.t]\nid = \"01234567\"\nsha256 = \"HASH\"\npermissions = [\"approve\"]\nentities = [\"*\"]\nexpires = 2026-12-31\n";
        with(&format!(
            "{KARIM}{}{person}",
            table.replace("HASH", &"9f".repeat(32))
        ))
    };
    let settings = token("person = \"karim\"\n").settings();
    let person = settings.tokens[0].person.clone().unwrap();
    assert_eq!((person.name.as_str(), person.roles.len()), ("karim", 1));
    assert!(token("").findings()[0].contains("may approve and belongs to nobody"));
    assert!(token("person = \"karin\"\n").findings()[0].contains("there is no person `karin`"));
    for (text, finding) in [
        ("[people.Karim]\nroles = []\n", "this is not a name of a person"),
        ("[people.k]\nmail = \"x\"\n", "people.k has no `roles`"),
        (
            "[people.k]\nroles = [\"nowhere/rssi\"]\n",
            "there is no entity `nowhere`",
        ),
        ("[people.k]\nroles = [\"Duty\"]\n", "is not a name of a role"),
        (
            "[people.k]\nroles = [\"a\"]\nmail = \"nobody\"\n",
            "this is not a mail address",
        ),
        (
            "[approvals]\ncontain = [\"duty-oficer\"]\n",
            "there is no role `duty-oficer`",
        ),
        (
            "[approvals]\ncontain = [\"Duty\"]\n",
            "this is not a name of a role",
        ),
        (
            "[approvals]\nread = [\"duty-officer\"]\n",
            "there is no key `approvals.read`",
        ),
    ] {
        let found = with(&format!("{KARIM}{text}")).findings();
        assert!(found.iter().any(|one| one.contains(finding)), "{text}: {found:?}");
    }
    let approvals = "[approvals]\ncontain = [\"entity.contain\", \"duty-officer\"]\nescalate = [\"duty-officer\"]\nfour_eyes = false\n";
    let settings = with(&format!("{KARIM}{approvals}")).settings();
    let facts = &settings.operator.approvals;
    assert_eq!(facts.by_class[&playbooks::marking::EffectClass::Contain].len(), 2);
    assert_eq!((facts.escalate.len(), facts.four_eyes), (1, false));
    assert!(short(&settings.warnings[0]).contains("whoever starts a run may approve its effects alone"));
}

#[test]
fn the_design_project_is_told_exactly_what_to_remove() {
    let Some(folder) = crate::samples::all("../design/playbooks/neighbours") else {
        return;
    };
    let problems = load(Reading {
        project: &folder,
        environment: &Environment::default(),
        providers: &Providers::default(),
        purpose: Purpose::Check,
        now: now(),
    })
    .unwrap_err();
    for finding in problems
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Error)
    {
        let words = finding.message.as_str();
        // The designs give nobody a role yet; whoever asks for one says who has it.
        if words.starts_with("there is no role") {
            assert!(finding.help[0].contains("[people]"), "{}", short(finding));
            continue;
        }
        assert!(words.ends_with("is not built yet"), "{}", short(finding));
        assert!(
            finding
                .help
                .iter()
                .any(|help| help.contains("remove") || help.contains("auto")),
            "{}",
            short(finding)
        );
    }
}

#[test]
fn the_address_of_the_pages_is_encrypted_or_this_machine() {
    let page = |url: &str| with(&format!("[server]\nurl = \"{url}\"\n"));
    for (url, kept) in [
        ("https://sortie.cert.example", "https://sortie.cert.example"),
        ("https://sortie.cert.example/", "https://sortie.cert.example"),
        ("http://127.0.0.1:8800", "http://127.0.0.1:8800"),
        ("http://localhost:8800", "http://localhost:8800"),
    ] {
        let settings = page(url).settings();
        assert_eq!(settings.operator.page.as_deref(), Some(kept));
    }
    for url in [
        "http://sortie.cert.example",
        "https://sortie.cert.example/path",
        "https://a:b@sortie.cert.example",
        "https://sortie.cert.example/?x=1",
        "sortie.cert.example",
    ] {
        let found = page(url).findings();
        assert!(
            found[0].contains("this is not the address of the server"),
            "{url}: {found:?}"
        );
    }
    let without = with("").settings();
    assert_eq!(without.operator.page.as_deref(), Some("http://127.0.0.1:8800"));
}

#[test]
fn people_decide_for_the_entities_that_their_approving_tokens_reach() {
    let token = |name: &str, id: &str, permission: &str, entities: &str| {
        format!(
            "[tokens.{name}]\nid = \"{id}\"\nsha256 = \"{}\"\npermissions = [\"{permission}\"]\nentities = [\"{entities}\"]\nexpires = 2026-12-31\nperson = \"karim\"\n",
            "9f".repeat(32)
        )
    };
    let karim = "[people.karim]\nroles = [\"duty-officer\"]\nmail = \"karim@cert.example\"\n";
    let reach = |tokens: &str| {
        let settings = with(&format!("{karim}{tokens}")).settings();
        settings.operator.people["karim"].decides_for.len()
    };
    assert_eq!(reach(""), 0, "who cannot sign in is told nothing");
    assert_eq!(reach(&token("a", "01234567", "see", "*")), 0);
    let all = with("").settings().operator.entities.len();
    assert_eq!(reach(&token("a", "01234567", "approve", "*")), all);
}

#[test]
fn critical_machines_and_break_glass_accounts_are_names() {
    let settings = with("[guardrails]\ncritical = [\"RAD-01\", \" maire@ville.example \"]\nbreak_glass = [\"emergency@ville.example\"]\n")
        .settings();
    let guardrails = &settings.operator.guardrails;
    assert_eq!(guardrails.critical, ["RAD-01", "maire@ville.example"]);
    assert_eq!(guardrails.break_glass, ["emergency@ville.example"]);
    for line in ["critical = [\" \"]", "break_glass = [7]"] {
        assert!(
            !with(&format!("[guardrails]\n{line}\n")).findings().is_empty(),
            "{line}"
        );
    }
}
