//! What a block would hit.
//!
//! Owns the canonical form of a target and the rules about it: lists, ranges, breadth. What two
//! systems could read differently is refused, not repaired.

use std::net::IpAddr;

use ipnet::IpNet;
use playbooks::operator::Entity;
use playbooks::types::{TextForm, Type};
use playbooks::values::canonical_text;
use serde_json::{Map, Value};
use state::event::RefusalKind;
use url::{Host, Url};

use super::special_ranges::{overlap, overlapped};
use super::{Question, Ruled, never_block};

/// The widest IPv4 prefix that may be blocked.
pub(super) const IPV4_PREFIX_MIN: u8 = 24;
/// The widest IPv6 prefix that may be blocked.
pub(super) const IPV6_PREFIX_MIN: u8 = 48;

/// A target in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Net(IpNet),
    /// A whole domain.
    Domain(String),
    /// One URL on a host.
    Page(String),
    /// One file, by its hash.
    File(String),
}

/// Brings the targets among the arguments into canonical form and asks the rules about each.
pub(super) fn examine(question: &Question<'_>, arguments: &mut Map<String, Value>) -> Ruled<()> {
    let mut targets = 0_usize;
    for (name, parameter) in &question.step.action.inputs {
        let Type::Text(form) = parameter.ty.required() else {
            continue;
        };
        let Some(argument) = arguments.get_mut(name) else {
            continue;
        };
        if let Some((target, text)) = canonical(argument, *form)? {
            *argument = Value::String(text);
            allowed(question, &target)?;
            targets += 1;
        }
    }
    if targets == 0 {
        return Err((
            RefusalKind::Policy,
            format!("{} was given nothing to block", question.step.action.name),
        ));
    }
    Ok(())
}

fn canonical(argument: &Value, form: TextForm) -> Ruled<Option<(Target, String)>> {
    let Some(text) = argument.as_str() else {
        return Ok(None);
    };
    let refuse = |why: String| (RefusalKind::Policy, format!("`{}` is not {why}", shown(text)));
    let spelled = |form| canonical_text(text, form).map_err(refuse);
    let target = match form {
        TextForm::Ip => {
            let address: IpAddr = spelled(form)?
                .parse()
                .map_err(|_| refuse("an IP address".to_owned()))?;
            let address = address.to_canonical();
            (Target::Net(IpNet::from(address)), address.to_string())
        }
        TextForm::Cidr => {
            let net: IpNet = spelled(form)?
                .parse()
                .map_err(|_| refuse("an address prefix".to_owned()))?;
            (Target::Net(net), net.to_string())
        }
        TextForm::Domain => {
            let domain = spelled(form)?;
            (Target::Domain(domain.clone()), domain)
        }
        TextForm::Url => {
            let url = spelled(form)?;
            (
                page(&url).ok_or_else(|| refuse("a URL with a host".to_owned()))?,
                url,
            )
        }
        TextForm::Hash => {
            let hash = spelled(form)?;
            (Target::File(hash.clone()), hash)
        }
        _ => return Ok(None),
    };
    Ok(Some(target))
}

fn page(url: &str) -> Option<Target> {
    Some(match Url::parse(url).ok()?.host()? {
        Host::Domain(domain) => Target::Page(domain.trim_end_matches('.').to_ascii_lowercase()),
        Host::Ipv4(address) => Target::Net(IpNet::from(IpAddr::V4(address))),
        Host::Ipv6(address) => Target::Net(IpNet::from(IpAddr::V6(address).to_canonical())),
    })
}

fn allowed(question: &Question<'_>, target: &Target) -> Ruled<()> {
    if let Target::Net(net) = target {
        not_too_wide(net)?;
        if let Some((range, what)) = overlapped(net) {
            return Err((
                RefusalKind::PrivateRange,
                format!("{} is in {range}: {what}", bare(net)),
            ));
        }
        if let Some(whose) = network_of(question, net) {
            return Err((RefusalKind::PrivateRange, format!("{} is in {whose}", bare(net))));
        }
    }
    never_block::examine(question, target)
}

/// The network of an entity that an address is in. Only of the run's own entity is it named: the
/// refusal is stored with the run, and what others have is not for its readers.
fn network_of(question: &Question<'_>, net: &IpNet) -> Option<String> {
    let hit = |entity: &Entity| entity.networks.iter().find(|own| overlap(own, net)).copied();
    let own = question.around.entity;
    if let Some(range) = hit(own) {
        return Some(format!("{range}, a network of {}", own.id));
    }
    let mut others = question.around.operator.entities.values();
    others
        .any(|other| hit(other).is_some())
        .then(|| "a network of another entity".to_owned())
}

fn not_too_wide(net: &IpNet) -> Ruled<()> {
    let (version, narrowest) = match net {
        IpNet::V4(_) => ("IPv4", IPV4_PREFIX_MIN),
        IpNet::V6(_) => ("IPv6", IPV6_PREFIX_MIN),
    };
    if net.prefix_len() >= narrowest {
        return Ok(());
    }
    Err((
        RefusalKind::PrivateRange,
        format!("{net} is too wide: at most a /{narrowest} of {version} may be blocked"),
    ))
}

/// A prefix as people write it: a single address without its length.
pub(super) fn bare(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() {
        net.addr().to_string()
    } else {
        net.to_string()
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).filter(|c| !c.is_control()).collect()
}
