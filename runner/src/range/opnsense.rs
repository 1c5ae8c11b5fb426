//! `OPNsense`'s alias utility, with its quirks.
//!
//! Failures come with HTTP 200. An address that is already the first entry is appended again; a
//! delete takes one copy from the configuration and the address from the live table, so that the
//! block comes back at the next reload. Upper-case IPv6 is no address to it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use http::Method;
use ipnet::IpNet;
use serde_json::{Value, json};

use super::exchange::{Asked, Reply, Service};
use super::ledger::Ledger;

/// The alias there is when none was named.
const ALIAS_DEFAULT: &str = "sortie";
/// Rows of a page unless asked otherwise.
const PAGE_ROWS: usize = 9_999;

#[derive(Debug, Default)]
struct Alias {
    /// What the configuration holds, in order, with duplicates.
    configured: Vec<String>,
    /// What the packet filter blocks now.
    live: BTreeSet<String>,
}

#[derive(Debug)]
pub(super) struct Opnsense {
    aliases: BTreeMap<String, Alias>,
}

impl Opnsense {
    pub(super) fn new(names: &[String]) -> Self {
        let mut aliases: BTreeMap<String, Alias> = names
            .iter()
            .map(|name| (name.clone(), Alias::default()))
            .collect();
        if aliases.is_empty() {
            aliases.insert(ALIAS_DEFAULT.to_owned(), Alias::default());
        }
        Self { aliases }
    }

    pub(super) fn alias(&self, name: &str) -> Vec<String> {
        self.aliases
            .get(name)
            .map(|alias| alias.configured.clone())
            .unwrap_or_default()
    }

    /// What is blocked now, by alias, for the page.
    pub(super) fn live(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.aliases
            .iter()
            .map(|(name, alias)| (name.as_str(), &alias.live))
    }

    pub(super) fn answer(&mut self, asked: &Asked, ledger: &Ledger) -> Reply {
        if !asked.authorized(&["Basic"]) {
            return Reply::json(401, &json!({"status": 401, "message": "Authentication Failed"}));
        }
        let ok = |body: &Value| Reply::json(200, body);
        match asked.parts().as_slice() {
            ["firewall", "alias_util", "list", name] => ok(&self.list(name, asked)),
            ["firewall", "alias_util", verb @ ("add" | "delete"), name] if asked.method == Method::POST => {
                ok(&self.change(verb, name, asked, ledger))
            }
            // One alias has one id; here it is its name.
            ["firewall", "alias", "get_alias_u_u_i_d", name] => ok(&match self.aliases.get(*name) {
                Some(_) => json!({"uuid": name}),
                None => json!([]),
            }),
            ["firewall", "alias", "get_item", name] => ok(&self.item(name)),
            ["firewall", "alias", "reconfigure"] if asked.method == Method::POST => {
                for alias in self.aliases.values_mut() {
                    alias.live = alias.configured.iter().cloned().collect();
                }
                ok(&json!({"status": "ok"}))
            }
            _ => Reply::json(404, &json!({"errorMessage": "Endpoint not found"})),
        }
    }

    fn list(&self, name: &str, asked: &Asked) -> Value {
        let body = asked.json();
        let phrase = body
            .get("searchPhrase")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| asked.form("searchPhrase"))
            .or_else(|| asked.query("searchPhrase").map(str::to_owned))
            .unwrap_or_default();
        let limit = body
            .get("rowCount")
            .and_then(Value::as_u64)
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or(PAGE_ROWS);
        let found: Vec<&String> = self
            .aliases
            .get(name)
            .map(|alias| {
                alias
                    .live
                    .iter()
                    .filter(|address| address.contains(&phrase))
                    .collect()
            })
            .unwrap_or_default();
        let rows: Vec<Value> = found
            .iter()
            .take(limit)
            .map(|address| json!({"ip": address, "in_block_p": "0", "out_block_p": "0"}))
            .collect();
        json!({"total": found.len(), "rowCount": rows.len(), "current": 1, "rows": rows})
    }

    fn item(&self, name: &str) -> Value {
        let Some(alias) = self.aliases.get(name) else {
            return json!([]);
        };
        let content: serde_json::Map<String, Value> = alias
            .configured
            .iter()
            .map(|address| (address.clone(), json!({"value": address, "selected": 1})))
            .collect();
        json!({"alias": {"enabled": "1", "name": name, "type": {"host": {"selected": 1}}, "content": content}})
    }

    fn change(&mut self, verb: &str, name: &str, asked: &Asked, ledger: &Ledger) -> Value {
        let Some(alias) = self.aliases.get_mut(name) else {
            return json!({"status": "failed", "status_msg": format!("nonexistent alias {name}")});
        };
        let address = asked
            .json()
            .get("address")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| asked.form("address"))
            .unwrap_or_default();
        let known = address.parse::<IpAddr>().is_ok() || address.parse::<IpNet>().is_ok();
        if !known || address.chars().any(char::is_uppercase) {
            return json!({"status": "not_an_address"});
        }
        let place = alias.configured.iter().position(|known| *known == address);
        let target = format!("{name} {address}");
        if verb == "add" {
            if place.is_none_or(|place| place == 0) {
                alias.configured.push(address.clone());
                ledger.happened(Service::Opnsense, "address added", &target, &asked.body);
            }
            alias.live.insert(address);
        } else if let Some(place) = place {
            alias.configured.remove(place);
            alias.live.remove(&address);
            ledger.happened(Service::Opnsense, "address deleted", &target, &asked.body);
        }
        json!({"status": "done"})
    }
}
