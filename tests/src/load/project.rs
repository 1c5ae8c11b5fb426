//! The project that a measurement runs: entities, connections to the doubles, playbooks.
//!
//! Owns its text. Everything is as an operator would write it, except that the hourly limits of
//! blocks are lifted, because a measurement makes more of them than a CERT does.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use runner::config::{Purpose, Settings};

/// Entities of the project, each with one address.
pub const ENTITIES: u64 = 8;

/// Writes the project and reads it back. `playbooks` are ids and texts.
pub fn write(folder: &Path, far_ends: SocketAddr, playbooks: &[(&str, &str)]) -> io::Result<Settings> {
    for name in ["playbooks", "entities", "secrets"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    for (id, text) in playbooks {
        std::fs::write(folder.join(format!("playbooks/{id}.yaml")), text)?;
    }
    let rollout: Vec<String> = playbooks.iter().map(|(id, _)| format!("{id}: auto")).collect();
    for number in 0..ENTITIES {
        let id = entity(number);
        let text = format!(
            "id: {id}\nname: Town {number}\nlanguage: fr\ntimezone: Europe/Paris\n\
             domains: [{id}.example]\nnetworks: [{}/32]\nmarking: {{tlp: amber, pap: green}}\n\
             policy:\n  block.ip: {{auto: true, max: 7d}}\nrollout: {{{}}}\n",
            address(number),
            rollout.join(", ")
        );
        std::fs::write(folder.join(format!("entities/{id}.yaml")), text)?;
    }
    let secret = folder.join("secrets/far-ends");
    std::fs::write(&secret, "a-secret-of-the-doubles\n")?;
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600))?;
    std::fs::write(folder.join("sortie.toml"), configuration(far_ends, &secret))?;
    let mut settings = runner::project::read(folder, Purpose::Serve).map_err(|found| {
        io::Error::other(
            found
                .first()
                .map_or_else(String::new, |first| first.message.clone()),
        )
    })?;
    settings.operator.guardrails.blocks_per_hour = u32::MAX;
    settings.limits.alerts_per_second = 1_000_000;
    settings.limits.alerts_burst = 1_000_000;
    settings.limits.active_runs_per_entity = 100_000;
    settings.operator.guardrails.blocks_per_entity_hour = u32::MAX;
    Ok(settings)
}

/// The entity that gets the alert of this number.
pub fn entity(number: u64) -> String {
    format!("town-{}", number % ENTITIES)
}

/// The address of the entity that gets the alert of this number.
pub fn address(number: u64) -> String {
    format!("5.1.1.{}", 2 + number % ENTITIES)
}

fn configuration(far_ends: SocketAddr, secret: &Path) -> String {
    let secret = secret.display();
    let way_out = |name: &str, provider: &str, path: &str, more: &str| {
        format!(
            "[connections.{name}]\nprovider = \"{provider}\"\nbase_url = \"http://{far_ends}/{path}\"\n\
             secret = \"file:{secret}\"\nallow_private = true\nallow_http = true\n{more}\n"
        )
    };
    let look_up = "tlp = \"amber\"\npap = \"amber\"\n";
    let connections = [
        way_out("virustotal", "virustotal", "virustotal", look_up),
        way_out("abuseipdb", "abuseipdb", "abuseipdb", look_up),
        way_out("urlhaus", "urlhaus", "urlhaus", look_up),
        way_out("tickets", "thehive", "thehive", "house = true\n"),
        way_out(
            "chat",
            "mattermost",
            "mattermost",
            "house = true\nsettings = { channels = { duty = \"duty-channel-id\" } }\n",
        ),
    ];
    format!(
        "[organisation]\nname = \"CERT-EX\"\nlanguage = \"en\"\ntimezone = \"Europe/Paris\"\n\
         mail_from = \"CERT-EX <incident@cert.example>\"\n\n\
         [connections.block-list]\nprovider = \"block_list\"\nhouse = true\n\n{}",
        connections.join("\n")
    )
}
