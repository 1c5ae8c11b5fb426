//! `[connections.<name>]`: providers, ceilings, addresses, secrets.

mod secrets;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;

use actions::connection::ConnectionSettings;
use actions::connection::provider::public_address;
use playbooks::diagnostic::Place;
use playbooks::duration::Span;
use playbooks::marking::{EffectClass, Exposure, Pap, Tlp};
use playbooks::operator::Connection;
use playbooks::yaml::{Data, Field, Node};
use serde_json::Value;
use url::Url;

use super::codes;
use super::environment::Environment;
use super::fields::{Sheet, Table, nearest};
use super::values;
use super::{Providers, Purpose};

/// Capabilities of one connection.
const CAPABILITIES_MAX: usize = 100;
/// Bytes of an answer that a connection may ask for. 50 MiB.
const ANSWER_BYTES_MAX: u32 = 50 << 20;
/// The provider of `http.request`, whose writes have no meaning of their own.
const HTTP: &str = "http";

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
    let facts = facts(sheet, &mut table, field, around.providers);
    let allow_http = flag(sheet, &mut table, "allow_http");
    let base_url = table
        .get(sheet, "base_url")
        .and_then(|node| base_url(sheet, node, allow_http));
    let provider = facts.as_ref().map(|facts| facts.provider.as_str());
    let auth = secrets::auth(sheet, &mut table, provider, allow_http, around);
    let secrets = table
        .get(sheet, "secrets")
        .map(|node| secrets::named(sheet, node, around));
    let rate = table
        .get(sheet, "rate")
        .and_then(|node| values::rate(sheet, node));
    let quota_per_day = table.get(sheet, "quota").and_then(|node| quota(sheet, node));
    let allow_private = flag(sheet, &mut table, "allow_private");
    let extra_roots = table
        .get(sheet, "extra_roots")
        .map(|node| roots(sheet, node, around.project));
    let most = 1..=ANSWER_BYTES_MAX;
    let answer_bytes_max = table
        .get(sheet, "answer_bytes_max")
        .and_then(|node| sheet.whole(node, most));
    let settings = table.get(sheet, "settings").map(|node| {
        sheet.note(table.name("settings"), node);
        settings(sheet, node)
    });
    table.close(sheet);
    let facts = facts?;
    let base_url = base_url.or_else(|| public_address(&facts.provider)?.parse().ok());
    let mut connection = ConnectionSettings::new(facts, base_url);
    connection.auth = auth;
    connection.secrets = secrets.unwrap_or_default();
    connection.rate = rate;
    connection.quota_per_day = quota_per_day;
    connection.allow_private = allow_private;
    connection.allow_http = allow_http;
    connection.extra_roots = extra_roots.unwrap_or_default();
    connection.answer_bytes_max = answer_bytes_max
        .and_then(|bytes| usize::try_from(bytes).ok())
        .unwrap_or(connection.answer_bytes_max);
    connection.settings = settings.unwrap_or_default();
    Some(connection)
}

/// What the language and the engine may know of a connection.
fn facts(
    sheet: &mut Sheet,
    table: &mut Table<'_>,
    field: &Field,
    providers: &Providers,
) -> Option<Connection> {
    let provider = table
        .need(sheet, "provider")
        .and_then(|node| provider(sheet, node, providers));
    let capabilities = capabilities(sheet, table, provider.as_deref(), providers);
    let house = flag(sheet, table, "house");
    let (tlp, pap) = ceilings(sheet, table, house, &field.key_place);
    let entity = table
        .get(sheet, "entity")
        .and_then(|node| sheet.text(node))
        .map(str::to_owned);
    let effect = table
        .get(sheet, "effect")
        .and_then(|node| sheet.parsed(node, "say what a write means there"));
    let exposure = table
        .get(sheet, "exposure")
        .and_then(|node| sheet.parsed(node, "say who may notice"));
    let provider = provider?;
    let is_http = provider == HTTP;
    Some(Connection {
        name: field.key.clone(),
        provider,
        capabilities,
        tlp,
        pap,
        house,
        entity,
        effect: effect.or_else(|| is_http.then_some(EffectClass::Contain)),
        exposure: exposure.or_else(|| is_http.then_some(Exposure::Public)),
    })
}

fn flag(sheet: &mut Sheet, table: &mut Table<'_>, key: &'static str) -> bool {
    table
        .get(sheet, key)
        .and_then(|node| sheet.flag(node))
        .unwrap_or(false)
}

/// A quota is counted by the day.
fn quota(sheet: &mut Sheet, node: &Node) -> Option<NonZeroU32> {
    let rate = values::rate(sheet, node)?;
    if rate.per == Span::days(1) {
        return Some(rate.calls);
    }
    sheet.wrong(
        &node.place,
        "a quota is counted by the day",
        "write for example 500/day",
    );
    None
}

/// Certificates of authorities beside those of the platform, from PEM files.
fn roots(sheet: &mut Sheet, node: &Node, project: &Path) -> Vec<String> {
    let mut roots = Vec::new();
    for (item, path) in sheet.texts(node) {
        match super::read_text(&project.join(path)) {
            Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => roots.push(text),
            Ok(_) => sheet.wrong(
                &item.place,
                "there is no certificate in this file",
                "name a PEM file",
            ),
            Err(problem) => sheet.wrong(&item.place, problem, "name a PEM file"),
        }
    }
    roots
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
    // Mail to `smtp:` starts TLS before it says anything.
    let known = matches!(url.scheme(), "https" | "http" | "smtps" | "smtp");
    if !known || url.query().is_some() || url.fragment().is_some() {
        sheet.wrong(
            &node.place,
            "this address cannot be used",
            "write scheme, host, port and path; schemes are https, smtps and smtp",
        );
        return None;
    }
    if url.scheme() == "http" && !allow_http {
        sheet.wrong(
            &node.place,
            "this address is not encrypted",
            "use https:, or add allow_http = true",
        );
        return None;
    }
    Some(url)
}

fn settings(sheet: &mut Sheet, node: &Node) -> BTreeMap<String, Value> {
    let Data::Map(fields) = &node.data else {
        sheet.wrong(
            &node.place,
            "settings are a table",
            "write for example settings = { channel = \"soc\" }",
        );
        return BTreeMap::new();
    };
    fields
        .iter()
        .map(|field| (field.key.clone(), field.value.to_json()))
        .collect()
}
