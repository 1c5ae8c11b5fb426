//! Which addresses a connection may lead to.
//!
//! Owns the table of special ranges. Decides on numbers, never on text, and leans on no library
//! predicate: those call some of these ranges global.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What may be done with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// An ordinary address of the Internet.
    Public,
    /// Inside somebody's house: only for connections that say so.
    Private(&'static str),
    /// Never a destination of ours.
    Never(&'static str),
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length))
}

/// The segments as written in the first four groups; the last group is given apart.
const fn v6(first: [u16; 4], last: u16, length: u8) -> IpNet {
    let [a, b, c, d] = first;
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(a, b, c, d, 0, 0, 0, last),
        length,
    ))
}

/// The first row that contains an address decides.
const SPECIAL: &[(IpNet, Reach)] = &[
    // Where clouds keep the credentials of their machines.
    (v4(169, 254, 0, 0, 16), Reach::Never("link-local")),
    (v4(100, 100, 100, 200, 32), Reach::Never("cloud metadata")),
    (
        v6([0xfd00, 0xec2, 0, 0], 0x254, 128),
        Reach::Never("cloud metadata"),
    ),
    // Houses.
    (v4(10, 0, 0, 0, 8), Reach::Private("private")),
    (v4(100, 64, 0, 0, 10), Reach::Private("carrier-grade NAT")),
    (v4(127, 0, 0, 0, 8), Reach::Private("loopback")),
    (v4(172, 16, 0, 0, 12), Reach::Private("private")),
    (v4(192, 168, 0, 0, 16), Reach::Private("private")),
    (v6([0, 0, 0, 0], 1, 128), Reach::Private("loopback")),
    (v6([0xfc00, 0, 0, 0], 0, 7), Reach::Private("unique local")),
    // Not a place at all.
    (v4(0, 0, 0, 0, 8), Reach::Never("this network")),
    (v4(192, 0, 0, 0, 24), Reach::Never("protocol assignments")),
    (v4(192, 0, 2, 0, 24), Reach::Never("documentation")),
    (v4(192, 88, 99, 0, 24), Reach::Never("6to4 relay")),
    (v4(198, 18, 0, 0, 15), Reach::Never("benchmarking")),
    (v4(198, 51, 100, 0, 24), Reach::Never("documentation")),
    (v4(203, 0, 113, 0, 24), Reach::Never("documentation")),
    (v4(224, 0, 0, 0, 4), Reach::Never("multicast")),
    (v4(240, 0, 0, 0, 4), Reach::Never("reserved")),
    (v6([0x64, 0xff9b, 0, 0], 0, 96), Reach::Never("translated IPv4")),
    (v6([0x64, 0xff9b, 1, 0], 0, 48), Reach::Never("translated IPv4")),
    (v6([0x100, 0, 0, 0], 0, 64), Reach::Never("discard")),
    (v6([0x2001, 0, 0, 0], 0, 23), Reach::Never("protocol assignments")),
    (v6([0x2001, 0xdb8, 0, 0], 0, 32), Reach::Never("documentation")),
    (v6([0x2002, 0, 0, 0], 0, 16), Reach::Never("6to4")),
    (v6([0x3fff, 0, 0, 0], 0, 20), Reach::Never("documentation")),
    // What is left of IPv6 outside global unicast: unspecified, mapped IPv4, link-local,
    // site-local, multicast and everything not assigned.
    (v6([0x2000, 0, 0, 0], 0, 3), Reach::Public),
    (v6([0, 0, 0, 0], 0, 0), Reach::Never("not global unicast")),
];

/// What may be done with an address.
pub(crate) fn reach(address: IpAddr) -> Reach {
    SPECIAL
        .iter()
        .find(|(range, _)| range.contains(&address))
        .map_or(Reach::Public, |(_, reach)| *reach)
}

/// Why a connection may not lead to an address; `None` when it may.
pub(crate) fn refusal(address: IpAddr, allow_private: bool) -> Option<&'static str> {
    match reach(address) {
        Reach::Public => None,
        Reach::Private(_) if allow_private => None,
        Reach::Private(what) | Reach::Never(what) => Some(what),
    }
}

#[cfg(test)]
mod tests;
