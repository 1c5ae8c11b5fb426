//! Functions over addresses, domains and URLs.
//!
//! Owns what is private and what is a registrable domain. Looks nothing up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde_json::Value;

use super::{Function, Given, Trouble};
use crate::expression::budget::Budget;
use crate::types::TextForm;
use crate::values::{canonical_text, describe, parse_ip};

pub(super) fn apply(function: Function, given: &[Given<'_>], budget: &mut Budget) -> Result<Value, Trouble> {
    match (function, given) {
        (Function::InCidr, [address, nets]) => {
            let address = ip(*address)?;
            let contains = |net: &Value| -> Result<bool, Trouble> {
                let net: IpNet = net.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
                    Trouble::Failed(format!("an address prefix is needed, found {}", describe(net)))
                })?;
                Ok(net.contains(&address))
            };
            match nets.value {
                Value::Array(list) => {
                    budget.steps(list.len()).map_err(Trouble::Failed)?;
                    for net in list {
                        if contains(net)? {
                            return Ok(Value::Bool(true));
                        }
                    }
                    Ok(Value::Bool(false))
                }
                one => contains(one).map(Value::Bool),
            }
        }
        (Function::IsPrivate, [address]) => Ok(Value::Bool(is_private(ip(*address)?))),
        (Function::RegistrableDomain, [of]) => {
            let text = of.text()?;
            registrable_domain(text)
                .map(Value::String)
                .ok_or_else(|| Trouble::Failed(format!("{} has no registrable domain", describe(of.value))))
        }
        (Function::HostOf, [of]) => host_of(of.text()?)
            .map(Value::String)
            .ok_or_else(|| Trouble::Failed(format!("a URL is needed, found {}", describe(of.value)))),
        (Function::Defang, [text]) => made(defang(text.text()?), budget),
        (Function::Refang, [text]) => made(refang(text.text()?), budget),
        (function, _) => Err(Trouble::Failed(format!("write {}", function.usage()))),
    }
}

fn made(text: String, budget: &mut Budget) -> Result<Value, Trouble> {
    budget.bytes(text.len()).map_err(Trouble::Failed)?;
    Ok(Value::String(text))
}

fn ip(given: Given<'_>) -> Result<IpAddr, Trouble> {
    parse_ip(given.text()?).ok_or_else(|| {
        Trouble::Failed(format!(
            "an IP address is needed, found {}",
            describe(given.value)
        ))
    })
}

/// Addresses that no stranger on the Internet can have: private, shared (CGNAT), loopback,
/// link-local, unique local, documentation, multicast, reserved, unspecified.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(inside) => is_private_v4(inside),
            None => is_private_v6(address),
        },
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || (first == 0x2001 && second == 0xdb8)
}

fn host_of(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    url.host().map(|host| match host {
        url::Host::Domain(name) => name.to_owned(),
        url::Host::Ipv4(address) => address.to_string(),
        url::Host::Ipv6(address) => address.to_string(),
    })
}

/// The registrable domain of a domain, URL or mail address.
fn registrable_domain(text: &str) -> Option<String> {
    let host = if text.contains("://") {
        host_of(text)?
    } else {
        text.rsplit('@').next()?.to_owned()
    };
    let domain = canonical_text(&host, TextForm::Domain).ok()?;
    psl::domain_str(&domain).map(str::to_owned)
}

/// A text in which nothing can be clicked: `hxxp://evil[.]example`.
pub(crate) fn defang(text: &str) -> String {
    let text = text
        .replace("http://", "hxxp://")
        .replace("https://", "hxxps://")
        .replace("ftp://", "fxp://");
    let mut defanged = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '.' => defanged.push_str("[.]"),
            '@' => defanged.push_str("[@]"),
            other => defanged.push(other),
        }
    }
    defanged
}

/// The text that was defanged, in the spellings analysts use.
fn refang(text: &str) -> String {
    let mut refanged = text.to_owned();
    for (from, to) in [
        ("hxxps://", "https://"),
        ("hxxp://", "http://"),
        ("hXXps://", "https://"),
        ("hXXp://", "http://"),
        ("fxp://", "ftp://"),
        ("[.]", "."),
        ("(.)", "."),
        ("[dot]", "."),
        ("[:]", ":"),
        ("[://]", "://"),
        ("[@]", "@"),
        ("[at]", "@"),
    ] {
        refanged = refanged.replace(from, to);
    }
    refanged
}
