//! `[connections.<name>]`: providers, ceilings, addresses, secrets.

use std::collections::BTreeMap;
use std::path::Path;

use playbooks::diagnostic::Place;
use playbooks::marking::{EffectClass, Exposure, Pap, Tlp};
use playbooks::operator::Connection;
use playbooks::yaml::{Data, Field, Node};
use serde_json::Value;
use url::Url;

use super::codes;
use super::environment::Environment;
use super::fields::{Sheet, Table, nearest};
use super::secret::{NotAReference, SecretReference, Unavailable};
use super::settings::{Auth, ConnectionSettings};
use super::values;
use super::{Providers, Purpose};

/// Capabilities of one connection.
const CAPABILITIES_MAX: usize = 100;
/// Characters of a user name.
const USERNAME_CHARACTERS_MAX: usize = 320;
/// Characters of a header name.
const HEADER_CHARACTERS_MAX: usize = 64;

/// What reading connections needs beside the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) project: &'a Path,
    pub(super) environment: &'a Environment,
    pub(super) providers: &'a Providers,
    pub(super) purpose: Purpose,
}

/// Reads `[connections]`.
pub(super) fn connections(
    sheet: &mut Sheet,
    node: &Node,
    around: Surroundings<'_>,
) -> Vec<ConnectionSettings> {
    let Some(mut table) = sheet.table("connections", node) else {
        return Vec::new();
    };
    let mut connections = Vec::new();
    for field in table.rest() {
        if !values::is_name(&field.key) {
            let message = format!("`{}` is not a name of a connection", field.key);
            sheet.wrong(
                &field.key_place,
                message,
                "use lower-case letters, digits and `-`",
            );
        } else if let Some(connection) = connection(sheet, field, around) {
            connections.push(connection);
        }
    }
    connections
}

fn connection(sheet: &mut Sheet, field: &Field, around: Surroundings<'_>) -> Option<ConnectionSettings> {
    let mut table = sheet.table(&format!("connections.{}", field.key), &field.value)?;
    let provider = table
        .need(sheet, "provider")
        .and_then(|node| provider(sheet, node, around.providers));
    let capabilities = capabilities(sheet, &mut table, provider.as_deref(), around.providers);
    let house = table
        .get(sheet, "house")
        .and_then(|node| sheet.flag(node))
        .unwrap_or(false);
    let (tlp, pap) = ceilings(sheet, &mut table, house, &field.key_place);
    let entity = table
        .get(sheet, "entity")
        .and_then(|node| sheet.text(node))
        .map(str::to_owned);
    let effect = table
        .get(sheet, "effect")
        .and_then(|node| sheet.parsed::<EffectClass>(node, "see the list"));
    let exposure = table
        .get(sheet, "exposure")
        .and_then(|node| sheet.parsed::<Exposure>(node, "see the list"));
    let is_http = provider.as_deref() == Some("http");
    let allow_http = table
        .get(sheet, "allow_http")
        .and_then(|node| sheet.flag(node))
        .unwrap_or(false);
    let base_url = table
        .get(sheet, "base_url")
        .and_then(|node| base_url(sheet, node, allow_http));
    let auth = auth(sheet, &mut table, around);
    let username = table
        .get(sheet, "username")
        .and_then(|node| sheet.line(node, USERNAME_CHARACTERS_MAX));
    let rate = table
        .get(sheet, "rate")
        .and_then(|node| values::rate(sheet, node));
    let quota = table
        .get(sheet, "quota")
        .and_then(|node| values::rate(sheet, node));
    let timeout = table
        .get(sheet, "timeout")
        .and_then(|node| sheet.parsed(node, "write for example 30s"));
    let private = table
        .get(sheet, "private")
        .and_then(|node| sheet.flag(node))
        .unwrap_or(false);
    let options = table
        .get(sheet, "options")
        .map(|node| options(sheet, node))
        .unwrap_or_default();
    table.close(sheet);
    if is_http && base_url.is_none() && !sheet.has_errors() {
        let message = format!("connections.{} has no `base_url`", field.key);
        sheet
            .error(codes::MISSING_KEY, &field.key_place, message)
            .help
            .push("add base_url = \"https://…\"".to_owned());
    }
    Some(ConnectionSettings {
        connection: Connection {
            name: field.key.clone(),
            provider: provider?,
            capabilities,
            tlp,
            pap,
            house,
            entity,
            effect: effect.or_else(|| is_http.then_some(EffectClass::Contain)),
            exposure: exposure.or_else(|| is_http.then_some(Exposure::Public)),
        },
        base_url,
        auth,
        username,
        rate,
        quota,
        timeout,
        private,
        allow_http,
        options,
    })
}

fn provider(sheet: &mut Sheet, node: &Node, providers: &Providers) -> Option<String> {
    let text = sheet.text(node)?;
    if providers.is_empty() || providers.capabilities(text).is_some() {
        return Some(text.to_owned());
    }
    let known: Vec<_> = providers.names().collect();
    let help = match nearest(text, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("remove this connection, or use one of: {}", known.join(", ")),
    };
    sheet
        .error(
            codes::UNKNOWN_NAME,
            &node.place,
            format!("the provider `{text}` is not built"),
        )
        .help
        .push(help);
    None
}

fn capabilities(
    sheet: &mut Sheet,
    table: &mut Table<'_>,
    provider: Option<&str>,
    providers: &Providers,
) -> Vec<String> {
    let offered = provider.and_then(|provider| providers.capabilities(provider));
    let Some(node) = table.get(sheet, "capabilities") else {
        return match offered {
            Some(offered) => offered.to_vec(),
            None => vec!["*".to_owned()],
        };
    };
    let mut capabilities = Vec::new();
    for (item, text) in sheet.texts(node) {
        let family = text.strip_suffix(".*");
        let plain = family.unwrap_or(text).split('.').all(values::is_word);
        let fits = offered.is_none_or(|offered| {
            offered.iter().any(|capability| match family {
                Some(family) => capability.split('.').next() == Some(family),
                None => capability == text,
            })
        });
        if plain && fits {
            capabilities.push(text.to_owned());
        } else {
            let help = match offered {
                Some(offered) => format!("it offers {}", offered.join(", ")),
                None => "write for example enrich.url or edr.*".to_owned(),
            };
            sheet
                .error(
                    codes::UNKNOWN_NAME,
                    &item.place,
                    format!("the provider does not offer `{text}`"),
                )
                .help
                .push(help);
        }
    }
    if capabilities.len() > CAPABILITIES_MAX {
        sheet.wrong(
            &node.place,
            "too many capabilities",
            format!("name at most {CAPABILITIES_MAX}"),
        );
    }
    capabilities
}

/// The strictest markings that may reach the far end. Ours has none; another needs both.
fn ceilings(sheet: &mut Sheet, table: &mut Table<'_>, house: bool, place: &Place) -> (Tlp, Pap) {
    let tlp = table.get(sheet, "tlp");
    let pap = table.get(sheet, "pap");
    let read_tlp =
        tlp.and_then(|node| sheet.parsed::<Tlp>(node, "write the highest marking that may be sent there"));
    let read_pap = pap
        .and_then(|node| sheet.parsed::<Pap>(node, "write the highest marking under which it may be used"));
    if house {
        return (read_tlp.unwrap_or(Tlp::Red), read_pap.unwrap_or(Pap::Red));
    }
    for (key, given) in [("tlp", tlp), ("pap", pap)] {
        if given.is_none() {
            let message = format!("{} has no `{key}`", table.name("").trim_end_matches('.'));
            let finding = sheet.error(codes::MISSING_KEY, place, message);
            finding.help.push(format!(
                "add {key} = \"amber\", the highest marking it may see, or house = true if it is yours"
            ));
        }
    }
    (read_tlp.unwrap_or(Tlp::Clear), read_pap.unwrap_or(Pap::Clear))
}

fn base_url(sheet: &mut Sheet, node: &Node, allow_http: bool) -> Option<Url> {
    let text = sheet.text(node)?;
    let Some(url) = Url::parse(text)
        .ok()
        .filter(|url| url.host_str().is_some_and(|host| !host.is_empty()))
    else {
        sheet.wrong(
            &node.place,
            "this is not an absolute URL",
            "write for example https://api.example",
        );
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        sheet.hidden.push(node.place.clone());
        sheet
            .error(
                codes::SECRET_IN_FILE,
                &node.place,
                "an address with a user name or a password in it",
            )
            .help
            .push("write the address alone, and `username` and `secret` beside it".to_owned());
        return None;
    }
    let plain_text = matches!(url.scheme(), "http" | "smtp");
    let known = matches!(url.scheme(), "https" | "smtps") || plain_text;
    if !known || url.query().is_some() || url.fragment().is_some() {
        sheet.wrong(
            &node.place,
            "this address cannot be used",
            "write scheme, host, port and path; schemes are https and smtps",
        );
        return None;
    }
    if plain_text && !allow_http {
        sheet.wrong(
            &node.place,
            "this address is not encrypted",
            "use https: or smtps:, or add allow_http = true",
        );
        return None;
    }
    Some(url)
}

fn auth(sheet: &mut Sheet, table: &mut Table<'_>, around: Surroundings<'_>) -> Option<Auth> {
    let secret = table.get(sheet, "secret");
    let auth = table.get(sheet, "auth");
    let (node, header) = match (secret, auth) {
        (Some(secret), None) => (secret, None),
        (None, Some(auth)) => {
            let path = table.name("auth");
            let mut inner = sheet.table(&path, auth)?;
            let header = inner
                .need(sheet, "header")
                .and_then(|node| header_name(sheet, node));
            let secret = inner.need(sheet, "secret");
            inner.close(sheet);
            (secret?, Some(header?))
        }
        (Some(_), Some(auth)) => {
            sheet.wrong(&auth.place, "both `secret` and `auth`", "keep one of them");
            return None;
        }
        (None, None) => return None,
    };
    let reference = reference(sheet, node)?;
    let secret = match around.purpose {
        Purpose::Check => None,
        Purpose::Serve => match reference.resolve(around.project, around.environment) {
            Ok(secret) => Some(secret),
            Err(problem) => {
                unresolved(sheet, node, &reference, &problem);
                return None;
            }
        },
    };
    Some(Auth {
        header,
        reference,
        secret,
    })
}

fn header_name(sheet: &mut Sheet, node: &Node) -> Option<String> {
    const FIXED: &[&str] = &[
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "te",
        "trailer",
        "upgrade",
    ];
    let text = sheet.line(node, HEADER_CHARACTERS_MAX)?;
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if plain && !FIXED.contains(&text.to_ascii_lowercase().as_str()) {
        return Some(text);
    }
    sheet.wrong(
        &node.place,
        "this header cannot carry a secret",
        "write for example Authorization or X-Api-Key",
    );
    None
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
    if code == codes::SECRET_IN_FILE {
        sheet.hidden.push(node.place.clone());
        let finding = sheet.error(code, &node.place, problem.to_string());
        finding
            .help
            .push("write a reference: env:NAME, file:/path or credential:name".to_owned());
        finding.help.push(
            "give the service a new secret: this one has been in a file that is copied and shown".to_owned(),
        );
    } else {
        sheet
            .error(code, &node.place, problem.to_string())
            .help
            .push("write env:NAME, file:/path or credential:name".to_owned());
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

fn options(sheet: &mut Sheet, node: &Node) -> BTreeMap<String, Value> {
    let Data::Map(fields) = &node.data else {
        sheet.wrong(
            &node.place,
            "options are a table",
            "write for example options = { team = \"soc\" }",
        );
        return BTreeMap::new();
    };
    fields
        .iter()
        .map(|field| (field.key.clone(), field.value.to_json()))
        .collect()
}
