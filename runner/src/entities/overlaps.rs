//! Networks of two entities must not overlap: an address belongs to one body.

use ipnet::IpNet;
use playbooks::diagnostic::Diagnostic;

use super::{Placed, RANGES};

/// Every network that lies inside one of another entity, or is the same.
pub(super) fn check(entities: &[Placed]) -> Vec<Diagnostic> {
    let mut networks: Vec<(IpNet, usize, usize)> = entities
        .iter()
        .enumerate()
        .flat_map(|(owner, placed)| {
            placed
                .entity
                .networks
                .iter()
                .enumerate()
                .map(move |(position, network)| (*network, owner, position))
        })
        .collect();
    // By first address, wider first: whatever contains a network stands before it.
    networks.sort_by_key(|(network, owner, _)| (network.network(), network.prefix_len(), *owner));
    let mut findings = Vec::new();
    let mut open: Vec<(IpNet, usize, usize)> = Vec::new();
    for (network, owner, position) in networks {
        open.retain(|(wider, ..)| wider.contains(&network));
        let foreign = open.iter().find(|(_, other, _)| *other != owner);
        if let Some((wider, other, other_position)) = foreign {
            findings.extend(finding(
                entities,
                (network, owner, position),
                (*wider, *other, *other_position),
            ));
        }
        open.push((network, owner, position));
    }
    findings
}

fn finding(
    entities: &[Placed],
    inner: (IpNet, usize, usize),
    outer: (IpNet, usize, usize),
) -> Option<Diagnostic> {
    let here = entities.get(inner.1)?;
    let there = entities.get(outer.1)?;
    let message = format!(
        "the network {} overlaps {} of {}",
        inner.0, outer.0, there.entity.id
    );
    let diagnostic = Diagnostic::error(RANGES, &here.source, here.networks.get(inner.2)?.clone(), message)
        .evidence(
            &there.source,
            there.networks.get(outer.2)?.clone(),
            format!("{} has {}", there.entity.id, outer.0),
        )
        .help("give each address to one entity: write the smaller ranges apart");
    Some(diagnostic)
}
