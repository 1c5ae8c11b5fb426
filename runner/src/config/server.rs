//! `[server]` and `[limits]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use playbooks::diagnostic::Place;
use playbooks::yaml::Node;

use super::codes;
use super::environment::Environment;
use super::fields::Sheet;
use super::organisation::bounded;
use super::settings::{Limits, Listener, Origin, Setting};
use super::values;

/// The variable that overrides `server.listen`.
pub const LISTEN_VARIABLE: &str = "SORTIE_LISTEN";
/// The variable that overrides `server.data_dir`.
pub const DATA_DIR_VARIABLE: &str = "SORTIE_DATA_DIR";
/// The folder of the store when nothing is said, inside the project.
pub const DATA_DIR_DEFAULT: &str = ".sortie/data";

/// Reads `[server]`, which may be absent, and the variables that override it.
pub(super) fn server(
    sheet: &mut Sheet,
    node: Option<&Node>,
    project: &Path,
    environment: &Environment,
    origins: &mut Vec<Setting>,
) -> (Listener, PathBuf) {
    let mut listener = Listener::default();
    let mut data_dir = None;
    let mut place = 0..0;
    if let Some((node, mut table)) = node.and_then(|node| Some((node, sheet.table("server", node)?))) {
        place = node.place.clone();
        if let Some(node) = table.get(sheet, "listen") {
            place = node.place.clone();
            listener.address = sheet
                .parsed::<Address>(node, ADDRESS_HELP)
                .map_or(listener.address, |address| address.0);
        }
        if let Some(node) = table.get(sheet, "behind_proxy") {
            listener.trusted_proxies = proxies(sheet, node);
        }
        listener.url = table.get(sheet, "url").and_then(|node| page_url(sheet, node));
        data_dir = table
            .get(sheet, "data_dir")
            .and_then(|node| sheet.text(node))
            .map(PathBuf::from);
        table.refuse(
            sheet,
            "tls",
            "put a proxy with TLS in front and name its address in behind_proxy",
        );
        table.close(sheet);
    }
    if let Some(text) = environment.get(LISTEN_VARIABLE) {
        match text.parse::<Address>() {
            Ok(address) => listener.address = address.0,
            Err(problem) => sheet.wrong(&(0..0), format!("{LISTEN_VARIABLE}: {problem}"), ADDRESS_HELP),
        }
        origins.push(overridden("server.listen", text, LISTEN_VARIABLE));
    }
    if let Some(text) = environment.get(DATA_DIR_VARIABLE) {
        data_dir = Some(PathBuf::from(text));
        origins.push(overridden("server.data_dir", text, DATA_DIR_VARIABLE));
    }
    guard_exposure(sheet, &listener, &place);
    let data_dir = project.join(data_dir.unwrap_or_else(|| PathBuf::from(DATA_DIR_DEFAULT)));
    (listener, data_dir)
}

/// The address of the pages as people reach them. Mails carry it, so it is encrypted, or this
/// machine's own.
fn page_url(sheet: &mut Sheet, node: &Node) -> Option<String> {
    let text = sheet.text(node)?;
    let url = url::Url::parse(text).ok().filter(|url| {
        let here = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        bare && (url.scheme() == "https" || (url.scheme() == "http" && here)) && url.path() == "/"
    });
    if let Some(url) = url {
        return Some(url.as_str().trim_end_matches('/').to_owned());
    }
    sheet.wrong(
        &node.place,
        "this is not the address of the server as people reach it",
        "write for example https://sortie.cert.example, without a path",
    );
    None
}

const ADDRESS_HELP: &str = "write for example 127.0.0.1:8800";

/// A socket address whose message names no type of this program.
struct Address(SocketAddr);

impl std::str::FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| "this is not an IP address with a port".to_owned())
    }
}

fn overridden(key: &str, value: &str, variable: &'static str) -> Setting {
    Setting {
        key: key.to_owned(),
        value: value.to_owned(),
        origin: Origin::Environment(variable),
    }
}

fn proxies(sheet: &mut Sheet, node: &Node) -> Vec<ipnet::IpNet> {
    let mut proxies = Vec::new();
    for (item, text) in sheet.texts(node) {
        match values::network(text) {
            Some(network) if network.prefix_len() > 0 => proxies.push(network),
            _ => sheet.wrong(
                &item.place,
                "this is not the address of a proxy",
                "write for example 10.0.0.1",
            ),
        }
    }
    proxies
}

/// Beyond loopback there must be something that encrypts.
fn guard_exposure(sheet: &mut Sheet, listener: &Listener, place: &Place) {
    if listener.address.ip().is_loopback() || !listener.trusted_proxies.is_empty() {
        return;
    }
    let message = format!(
        "{} is reached from other machines, without encryption",
        listener.address
    );
    let finding = sheet.error(codes::OPEN_LISTENER, place, message);
    finding.help.push(
        "listen on 127.0.0.1, or name the proxy with TLS in front: behind_proxy = [\"10.0.0.1\"]".to_owned(),
    );
}

/// Reads `[limits]`. What is not said keeps its default.
pub(super) fn limits(sheet: &mut Sheet, node: &Node) -> Limits {
    let mut limits = Limits::default();
    let Some(mut table) = sheet.table("limits", node) else {
        return limits;
    };
    for (key, limit) in [
        ("active_runs_per_entity", &mut limits.active_runs_per_entity),
        ("alerts_per_second", &mut limits.alerts_per_second),
        ("alerts_burst", &mut limits.alerts_burst),
        ("steps_at_once", &mut limits.steps_at_once),
        ("requests_per_second", &mut limits.requests_per_second),
        ("requests_burst", &mut limits.requests_burst),
    ] {
        if let Some(node) = table.get(sheet, key) {
            bounded(sheet, node, key, limit);
        }
    }
    table.close(sheet);
    limits
}
