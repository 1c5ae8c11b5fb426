//! The secrets of a connection: references read, resolved, and put where its provider wants them.

use std::collections::BTreeMap;

use actions::connection::provider::present;
use actions::connection::{Auth, OAuth2};
use playbooks::yaml::Node;
use secrecy::{ExposeSecret, SecretString};

use super::Surroundings;
use crate::config::Purpose;
use crate::config::codes;
use crate::config::fields::{Sheet, Table};
use crate::config::secret::{NotAReference, SecretReference, Unavailable};
use crate::config::values;

/// Characters of a user name.
const USERNAME_CHARACTERS_MAX: usize = 320;
/// Characters of a header's name, and of what stands before a secret in it.
const HEADER_CHARACTERS_MAX: usize = 64;
/// Characters of the scope of a token.
const SCOPE_CHARACTERS_MAX: usize = 1_000;

/// Headers that belong to the transport.
const TRANSPORT_HEADERS: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "upgrade",
];

/// Reads `secret`, `username` and `auth`. Nothing, when the project is only checked.
pub(super) fn auth(
    sheet: &mut Sheet,
    table: &mut Table<'_>,
    provider: Option<&str>,
    allow_http: bool,
    around: Surroundings<'_>,
) -> Auth {
    let username = table
        .get(sheet, "username")
        .and_then(|node| sheet.line(node, USERNAME_CHARACTERS_MAX));
    let secret = table.get(sheet, "secret");
    let explicit = table.get(sheet, "auth");
    match (secret, explicit) {
        (Some(_), Some(explicit)) => {
            sheet.wrong(&explicit.place, "both `secret` and `auth`", "keep one of them");
            Auth::None
        }
        (None, Some(explicit)) => {
            let path = table.name("auth");
            let auth = if explicit.get("token_url").is_some() {
                tokens(sheet, &path, explicit, allow_http, around)
            } else {
                header(sheet, &path, explicit, around)
            };
            auth.unwrap_or_default()
        }
        (Some(node), None) => match fetch(sheet, node, around) {
            None => Auth::None,
            Some(secret) => present(provider.unwrap_or_default(), username.as_deref(), secret),
        },
        (None, None) => Auth::None,
    }
}

/// Reads `auth = { header, prefix, secret }`.
fn header(sheet: &mut Sheet, path: &str, node: &Node, around: Surroundings<'_>) -> Option<Auth> {
    let mut table = sheet.table(path, node)?;
    let name = table
        .need(sheet, "header")
        .and_then(|node| header_name(sheet, node));
    let prefix = table
        .get(sheet, "prefix")
        .and_then(|node| sheet.line(node, HEADER_CHARACTERS_MAX));
    let secret = table
        .need(sheet, "secret")
        .and_then(|node| fetch(sheet, node, around));
    table.close(sheet);
    let secret = secret?;
    let value = match prefix {
        Some(prefix) => SecretString::from(format!("{prefix}{}", secret.expose_secret())),
        None => secret,
    };
    Some(Auth::Header { name: name?, value })
}

/// Reads `auth = { token_url, client_id, scope, secret }`: a token that a server gives out for our
/// name and secret (OAuth 2.0, client credentials).
fn tokens(
    sheet: &mut Sheet,
    path: &str,
    node: &Node,
    allow_http: bool,
    around: Surroundings<'_>,
) -> Option<Auth> {
    let mut table = sheet.table(path, node)?;
    let token_url = table
        .need(sheet, "token_url")
        .and_then(|node| super::base_url(sheet, node, allow_http));
    let client_id = table
        .need(sheet, "client_id")
        .and_then(|node| sheet.line(node, USERNAME_CHARACTERS_MAX));
    let scope = table
        .get(sheet, "scope")
        .and_then(|node| sheet.line(node, SCOPE_CHARACTERS_MAX));
    let secret = table
        .need(sheet, "secret")
        .and_then(|node| fetch(sheet, node, around));
    table.close(sheet);
    Some(Auth::OAuth2(OAuth2 {
        token_url: token_url?,
        client_id: client_id?,
        client_secret: secret?,
        scope,
    }))
}

fn header_name(sheet: &mut Sheet, node: &Node) -> Option<String> {
    let text = sheet.line(node, HEADER_CHARACTERS_MAX)?;
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if plain && !TRANSPORT_HEADERS.contains(&text.to_ascii_lowercase().as_str()) {
        return Some(text);
    }
    sheet.wrong(
        &node.place,
        "this header cannot carry a secret",
        "write for example Authorization or X-Api-Key",
    );
    None
}

/// Reads `secrets`: further secrets by name, such as the path of a webhook.
pub(super) fn named(
    sheet: &mut Sheet,
    node: &Node,
    around: Surroundings<'_>,
) -> BTreeMap<String, SecretString> {
    let mut secrets = BTreeMap::new();
    let Some(mut table) = sheet.table("secrets", node) else {
        return secrets;
    };
    for field in table.rest() {
        if !values::is_word(&field.key) {
            let message = format!("`{}` is not a name of a secret", field.key);
            sheet.wrong(
                &field.key_place,
                message,
                "use lower-case letters, digits and `_`",
            );
        } else if let Some(secret) = fetch(sheet, &field.value, around) {
            secrets.insert(field.key.clone(), secret);
        }
    }
    secrets
}

/// The secret a reference leads to; `None` with a finding, or when the project is only checked.
fn fetch(sheet: &mut Sheet, node: &Node, around: Surroundings<'_>) -> Option<SecretString> {
    let reference = reference(sheet, node)?;
    if around.purpose == Purpose::Check {
        return None;
    }
    match reference.resolve(around.project, around.environment) {
        Ok(secret) => Some(secret),
        Err(problem) => {
            unresolved(sheet, node, &reference, &problem);
            None
        }
    }
}

fn reference(sheet: &mut Sheet, node: &Node) -> Option<SecretReference> {
    let text = sheet.text(node)?;
    let problem = match text.parse() {
        Ok(reference) => return Some(reference),
        Err(problem) => problem,
    };
    let code = match problem {
        NotAReference::NoScheme => codes::SECRET_IN_FILE,
        NotAReference::Vault => codes::NOT_BUILT,
        NotAReference::NoName => codes::WRONG_VALUE,
    };
    let help = "write a reference: env:NAME, file:/path or credential:name".to_owned();
    let finding = sheet.error(code, &node.place, problem.to_string());
    finding.help.push(help);
    if code == codes::SECRET_IN_FILE {
        let help = "give the service a new secret: this one has been in a file that is copied and shown";
        finding.help.push(help.to_owned());
        sheet.hidden.push(node.place.clone());
    }
    None
}

fn unresolved(sheet: &mut Sheet, node: &Node, reference: &SecretReference, problem: &Unavailable) {
    let (code, help) = match problem {
        Unavailable::Mode { .. } => (
            codes::FILE_MODE,
            "chmod 600, and make the owner the user Sortie runs as".to_owned(),
        ),
        _ => (
            codes::SECRET_UNRESOLVED,
            format!("provide {reference}, or remove the connection"),
        ),
    };
    sheet
        .error(code, &node.place, problem.to_string())
        .help
        .push(help);
}
