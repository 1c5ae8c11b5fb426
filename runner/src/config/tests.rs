//! The operator's file: what is read, what is refused, where, and that secrets stay out of sight.

mod reading;
mod refusals;
mod secrets;

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Now, in every test.
fn now() -> Timestamp {
    "2026-03-02T03:04:00Z".parse().unwrap()
}

/// The least an entity file says.
const VILLE: &str = "id: ville-exemple\nname: Ville d'Exemple\nlanguage: fr\ntimezone: Europe/Paris\n\
    domains: [ville.example]\nnetworks: [198.51.100.0/24]\n";

/// The least `sortie.toml` says.
const ORGANISATION: &str = "[organisation]\nname = \"CERT-EX\"\nlanguage = \"en\"\ntimezone = \"Europe/Paris\"\n\
    mail_from = \"CERT-EX <incident@cert.example>\"\n";

/// A project in a folder of its own.
struct Project {
    folder: tempfile::TempDir,
    environment: Environment,
    providers: Providers,
}

impl Project {
    /// A project with this `sortie.toml` and one entity.
    fn new(text: &str) -> Self {
        let project = Self {
            folder: tempfile::tempdir().unwrap(),
            environment: Environment::default(),
            providers: Providers::default(),
        };
        project
            .file(FILE_NAME, text, 0o644)
            .file("entities/ville-exemple.yaml", VILLE, 0o644);
        project
    }

    /// Writes a file of a mode.
    fn file(&self, path: &str, text: &str, mode: u32) -> &Self {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn read(&self, purpose: Purpose) -> Result<Settings, Problems> {
        load(Reading {
            project: self.folder.path(),
            environment: &self.environment,
            providers: &self.providers,
            purpose,
            now: now(),
        })
    }

    /// The settings, when nothing is wrong.
    fn settings(&self) -> Settings {
        self.read(Purpose::Serve)
            .unwrap_or_else(|problems| panic!("{}", shown(&problems.findings)))
    }

    /// `code line: message` of every finding.
    fn findings(&self) -> Vec<String> {
        let problems = self.read(Purpose::Serve).unwrap_err();
        problems.findings.iter().map(short).collect()
    }
}

fn short(finding: &Diagnostic) -> String {
    let (line, _) = finding.primary.source.line_column(finding.primary.place.start);
    format!("{} {line}: {}", finding.code, finding.message)
}

fn shown(findings: &[Diagnostic]) -> String {
    let lines = findings
        .iter()
        .map(|finding| format!("{}; {}", short(finding), finding.help.join("; ")));
    lines.collect::<Vec<_>>().join(
        "
",
    )
}

/// A project with more in its `sortie.toml`.
fn with(more: &str) -> Project {
    Project::new(&format!("{ORGANISATION}{more}"))
}
