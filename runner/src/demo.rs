//! The project that `sortie demo` runs: a CERT with two entities, and connections that all lead to
//! the range on this machine.
//!
//! Owns the text of its configuration. The playbooks and samples are those of `examples/`.

use std::path::Path;

use crate::range::{Knowledge, Known, Range};

/// The phishing report that a person at the first entity forwards: a real mail inside a forward.
pub const PHISHING_REPORT: &[u8] = include_bytes!("../../examples/phishing-report/incident.eml");
/// An alert of a network sensor: a real record.
pub const IDS_ALERT: &[u8] = include_bytes!("../../examples/ids-triage/incident.json");
/// Whose incidents they are.
pub const ENTITY: &str = "ville-exemple";

/// Files of the demo project that do not depend on where the range listens.
const FILES: &[(&str, &str)] = &[
    (
        "playbooks/phishing-report.yaml",
        include_str!("../../examples/phishing-report/phishing-report.yaml"),
    ),
    (
        "playbooks/ids-triage.yaml",
        include_str!("../../examples/ids-triage/ids-triage.yaml"),
    ),
    (
        "templates/mail/phishing-confirmed.en.hbs",
        include_str!("../../examples/phishing-report/templates/mail/phishing-confirmed.en.hbs"),
    ),
    (
        "templates/mail/phishing-confirmed.fr.hbs",
        include_str!("../../examples/phishing-report/templates/mail/phishing-confirmed.fr.hbs"),
    ),
    (
        "templates/mail/phishing-answer.en.hbs",
        include_str!("../../examples/phishing-report/templates/mail/phishing-answer.en.hbs"),
    ),
    (
        "templates/mail/phishing-answer.fr.hbs",
        include_str!("../../examples/phishing-report/templates/mail/phishing-answer.fr.hbs"),
    ),
    (
        "templates/mail/ids-blocked.en.hbs",
        include_str!("../../examples/ids-triage/templates/mail/ids-blocked.en.hbs"),
    ),
    (
        "templates/mail/ids-blocked.fr.hbs",
        include_str!("../../examples/ids-triage/templates/mail/ids-blocked.fr.hbs"),
    ),
    (
        "entities/ville-exemple.yaml",
        include_str!("demo/ville-exemple.yaml"),
    ),
    (
        "entities/hopital-exemple.yaml",
        include_str!("demo/hopital-exemple.yaml"),
    ),
];

/// Writes the project. `tokens` are tables for sortie.toml, as `sortie tokens create` prints them.
pub fn write_project(folder: &Path, range: &Range, tokens: &[String]) -> std::io::Result<()> {
    for (path, text) in FILES {
        write(&folder.join(path), text)?;
    }
    write(&folder.join("secrets/range"), "a-secret-of-the-range\n")?;
    owner_only(&folder.join("secrets/range"))?;
    write(&folder.join("sortie.toml"), &configuration(folder, range, tokens))
}

fn configuration(folder: &Path, range: &Range, tokens: &[String]) -> String {
    let secret = folder.join("secrets/range").display().to_string();
    let mut text = include_str!("demo/sortie.toml")
        .replace("{http}", &format!("http://{}", range.http()))
        .replace("{smtp}", &range.smtp().to_string())
        .replace("{secret}", &format!("file:{secret}"));
    for table in tokens {
        text.push('\n');
        text.push_str(table);
    }
    text
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}

fn owner_only(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

/// What the look-up services of the demo know: the look-alike domain of the mail is bad, the real
/// one is not, and the attacking address has a record.
pub fn knowledge() -> Knowledge {
    Knowledge::default()
        .with("https://xn--robnhood-e2a.com/contact", Known::malicious())
        .with("xn--robnhood-e2a.com", Known::malicious())
        .with("https://robinhood.com/", Known::clean())
        .with("robinhood.com", Known::clean())
        .with("5.1.1.1", Known::malicious())
}
