//! The files of a new project, for `sortie init`.
//!
//! Owns their text. Writing them, and the token they mention, is the command line's work.

/// A file of a new project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Path inside the project, with `/`.
    pub path: String,
    /// What is in it.
    pub content: String,
}

/// What a new project is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The eight characters the token is found by.
    pub id: String,
    /// SHA-256 of its secret, lower-case hexadecimal.
    pub secret_sha256: String,
    /// Its last day, `2027-01-31`.
    pub expires: String,
}

/// The entity of a new project.
pub const ENTITY_ID: &str = "example-town";

/// The files of a project that can be served at once. `playbook` is the id, the text and the tests
/// of the first playbook; it starts in `auto` for the example entity. Without a token the API answers nobody.
pub fn files(playbook: (&str, &str, &str), token: Option<&NewToken>) -> Vec<NewFile> {
    let (id, text, tests) = playbook;
    let tokens = token.map_or_else(|| TOKENS_NONE.to_owned(), token_table);
    let file = |path: String, content: String| NewFile { path, content };
    vec![
        file("sortie.toml".to_owned(), format!("{SETTINGS}{tokens}")),
        file(
            format!("entities/{ENTITY_ID}.yaml"),
            ENTITY.replace("{playbook}", id),
        ),
        file(format!("playbooks/{id}.yaml"), text.to_owned()),
        file(format!("playbooks/{id}.test.yaml"), tests.to_owned()),
        file(".gitignore".to_owned(), GITIGNORE.to_owned()),
    ]
}

fn token_table(token: &NewToken) -> String {
    format!(
        "\n[tokens.first]\nid = \"{}\"\nsha256 = \"{}\"\npermissions = [\"submit\", \"see\", \"start\", \"audit\"]\nentities = [\"*\"]\nexpires = {}\n",
        token.id, token.secret_sha256, token.expires
    )
}

const SETTINGS: &str = r#"# The operator's side of this project: who we are, what we reach, what may never happen.
# `sortie config check` tests it, `sortie doctor` says what is wrong here and how to repair it.
# Secrets never stand here, only where they are: env:NAME, file:/path or credential:name.

[organisation]
name = "Example CERT"
language = "en"
timezone = "Europe/Paris"
mail_from = "Example CERT <incident@cert.example>"

[server]
listen = "127.0.0.1:8800"            # another address needs a proxy with TLS: behind_proxy = ["10.0.0.1"]
data_dir = ".sortie/data"

[guardrails]                         # no playbook and no entity can loosen these
never_block = ["192.0.2.0/24", "cert.example"]
effects_per_run = 200
blocks_per_entity_hour = 20
blocks_per_hour = 100

# A playbook names a capability such as block.ip; a connection says which product does it.
[connections.block-list]
provider = "block_list"              # lists that firewalls and resolvers fetch from Sortie
house = true                         # ours: no marking ceiling

# [connections.virustotal]
# provider = "virustotal"
# secret = "env:VT_KEY"
# tlp = "green"                      # the highest marking that may be sent there
# pap = "amber"
# rate = "4/min"

# Alerts posted to /api/v1/intake/border-ids go to the entity written here, whatever they say
# themselves. For many sensors: sensor_field = "host", sensors = { "sensor-1" = "example-town" }
# [sources.border-ids]
# format = "suricata"
# entity = "example-town"

# How much at once. More alerts are refused with 429 and a time; more runs wait their turn.
# [limits]
# alerts_per_second = 10             # of one entity, over time
# alerts_burst = 200                 # of one entity, at once
# active_runs_per_entity = 50
# steps_at_once = 64                 # over all runs
# requests_per_second = 100          # of one token, over time
# requests_burst = 1000              # of one token, at once
"#;

const TOKENS_NONE: &str = "
# Who may use the API. `sortie tokens create` prints the token once, and this table.
# [tokens.first]
# id = \"…\"
# sha256 = \"…\"
# permissions = [\"submit\", \"see\", \"start\", \"audit\"]
# entities = [\"*\"]
# expires = 2027-01-31
";

const ENTITY: &str = r"# One body we serve. Only what stands here decides what is done for it.
id: example-town
name: Example Town
language: en
timezone: Europe/Paris
domains: [town.example]
networks: [198.51.100.0/24]

contacts:
  security: {mail: security@town.example, tlp: amber}

marking: {tlp: amber, pap: green}    # what an unmarked incident counts as; PAP:GREEN allows blocking

policy:                              # done without asking; everything else that contains is refused
  block.ip: {auto: true, max: 24h}
  block.domain: {auto: true, max: 7d}

never_block: [198.51.100.0/24, town.example]

rollout: {{playbook}: auto}          # off, shadow (reads only), suggest or auto; a playbook not named is off
";

const GITIGNORE: &str = ".sortie/\n*.key\n*.secret\n";
