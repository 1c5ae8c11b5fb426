//! Lists of what is never blocked, and the domains that nobody may block.
//!
//! Owns the matching: addresses by overlap, domains by whole labels in both directions.

use std::net::IpAddr;

use ipnet::IpNet;
use playbooks::operator::Entity;
use state::event::RefusalKind;

use super::special_ranges::overlap;
use super::target::{Target, bare};
use super::{Question, Ruled};

/// Asks the operator's list, every entity's own domains, the entity's list and the public
/// suffixes, in this order.
pub(super) fn examine(question: &Question<'_>, target: &Target) -> Ruled<()> {
    let operator = question.around.operator;
    if let Some(entry) = listed(&operator.guardrails.never_block, target) {
        return refuse(format!("{} is on the never-block list ({entry})", named(target)));
    }
    let entity = question.around.entity;
    if let Some(entry) = listed(&entity.never_block, target) {
        return refuse(format!(
            "{} is on the never-block list of {} ({entry})",
            named(target),
            entity.id
        ));
    }
    if let Some(own) = domain_of(entity, target) {
        return refuse(format!(
            "{} would hit {own}, which belongs to {}",
            named(target),
            entity.id
        ));
    }
    // The refusal is stored with the run; what others have is not for its readers.
    let mut others = operator.entities.values();
    if others.any(|other| domain_of(other, target).is_some()) {
        return refuse(format!("{} would hit a domain of another entity", named(target)));
    }
    match target {
        Target::Domain(domain) if is_public_suffix(domain) => refuse(format!(
            "{domain} is a public suffix: many unrelated sites are below it"
        )),
        _ => Ok(()),
    }
}

/// The domain or website of an entity that the target would hit.
fn domain_of(entity: &Entity, target: &Target) -> Option<String> {
    let website = entity.website.as_deref().and_then(host);
    listed(&entity.domains, target)
        .or_else(|| listed(website.as_slice(), target))
        .cloned()
}

fn refuse(detail: String) -> Ruled<()> {
    Err((RefusalKind::NeverBlock, detail))
}

fn named(target: &Target) -> String {
    match target {
        Target::Net(net) => bare(net),
        Target::Domain(name) | Target::Page(name) | Target::File(name) => name.clone(),
    }
}

fn host(url: &str) -> Option<String> {
    Some(url::Url::parse(url).ok()?.host_str()?.to_owned())
}

/// The entry that covers the target. An entry that is neither address, prefix nor domain covers
/// what equals it.
fn listed<'a>(entries: &'a [String], target: &Target) -> Option<&'a String> {
    entries.iter().find(|entry| covers(entry, target))
}

fn covers(entry: &str, target: &Target) -> bool {
    match target {
        Target::Net(net) => as_net(entry).is_some_and(|listed| overlap(&listed, net)),
        Target::Domain(name) => {
            let entry = as_domain(entry);
            within(name, &entry) || within(&entry, name)
        }
        Target::Page(name) => within(name, &as_domain(entry)),
        Target::File(hash) => entry.eq_ignore_ascii_case(hash),
    }
}

fn as_net(entry: &str) -> Option<IpNet> {
    entry.parse().ok().or_else(|| {
        entry
            .parse::<IpAddr>()
            .ok()
            .map(|ip| IpNet::from(ip.to_canonical()))
    })
}

fn as_domain(entry: &str) -> String {
    let entry = entry.trim_start_matches("*.").trim_end_matches('.');
    playbooks::values::canonical_text(entry, playbooks::types::TextForm::Domain)
        .unwrap_or_else(|_| entry.to_ascii_lowercase())
}

/// Whether a domain is another one or below it.
fn within(name: &str, parent: &str) -> bool {
    !parent.is_empty()
        && (name == parent || name.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')))
}

fn is_public_suffix(domain: &str) -> bool {
    psl::suffix_str(domain) == Some(domain)
}
