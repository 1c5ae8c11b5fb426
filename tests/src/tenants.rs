//! What a SOC needs beside the demo's project for playbooks that act in an entity's own tenants and
//! ask people: connections, people, and what the entity decided.

use std::io;
use std::path::Path;

use runner::range::{Knowledge, Known, Range};
use runner::{demo, range::Service};

/// Who is asked, and whose words count.
const PEOPLE: &str = r#"
[people.karim]
roles = ["duty-officer", "takedown-team"]

[approvals]
contain = ["entity.contain"]
escalate = ["duty-officer"]
"#;

/// Changes the demo's project in a folder: its connections lead to the tenant of the range, and its
/// town turns on one playbook.
pub fn equip(folder: &Path, range: &Range, playbook: &str) -> io::Result<()> {
    let file = folder.join("sortie.toml");
    let mut text = std::fs::read_to_string(&file)?
        .replace(
            "\"notify.reporter\"]",
            "\"notify.reporter\", \"takedown.request\"]",
        )
        .replace(
            "duty = \"duty-channel-id\"",
            "duty = \"duty-channel-id\", takedown = \"takedown-channel-id\"",
        );
    text.push_str(PEOPLE);
    let secret = folder.join("secrets/range").display().to_string();
    for (name, provider, service) in [
        ("edr", "defender", Service::Defender),
        ("directory", "entra", Service::Entra),
    ] {
        let base = range.base(service);
        text.push_str(&format!(
            "\n[connections.{name}]\nprovider = \"{provider}\"\nbase_url = \"{base}\"\nhouse = true\n\
             allow_private = true\nallow_http = true\n\
             auth = {{ token_url = \"{base}/oauth2/token\", client_id = \"sortie\", secret = \"file:{secret}\" }}\n"
        ));
    }
    std::fs::write(&file, text)?;
    let file = folder.join(format!("entities/{}.yaml", demo::ENTITY));
    let entity = std::fs::read_to_string(&file)?
        .replace(
            "contacts:\n",
            "approvers: {contain: [duty-officer]}\n\ncontacts:\n  legal: {mail: juridique@ville.example, tlp: green, verified: 2026-10-12}\n",
        )
        .replace(
            "policy:\n",
            "policy:\n  block.hash: {auto: true, max: 30d}\n  edr.release_host: {auto: true}\n  identity.sign_out: {auto: true}\n",
        );
    let (before, _) = entity
        .split_once("rollout:")
        .ok_or_else(|| io::Error::other("the town has a rollout"))?;
    std::fs::write(&file, format!("{before}rollout: {{{playbook}: auto}}\n"))
}

/// What the demo's look-ups know, and what those of the three examples need.
pub fn knowledge() -> Knowledge {
    let place = |country: &str| Known {
        country: Some(country.to_owned()),
        ..Known::clean()
    };
    demo::knowledge()
        .with(
            "dc0ade0c95d6db98882bc8fa6707e64353cd6f7767ff48d6a81a6c2aef21c608",
            Known::malicious(),
        )
        .with("vi11e.example", Known::malicious())
        .with("198.51.100.20", place("FR"))
        .with("203.0.113.45", place("BR"))
}
