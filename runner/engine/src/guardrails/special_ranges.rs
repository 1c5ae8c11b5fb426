//! Address ranges that mean something other than a machine on the internet.
//!
//! Owns the table. Libraries disagree on "global"; each row here has a test.

use std::sync::OnceLock;

use ipnet::IpNet;

/// Ranges that are never blocked, with what they are. The documentation ranges of RFC 5737 and
/// RFC 3849 are not among them: nobody uses them, so that examples may.
const RANGES: &[(&str, &str)] = &[
    ("0.0.0.0/8", "\"this network\" (RFC 791)"),
    ("10.0.0.0/8", "private (RFC 1918)"),
    ("100.64.0.0/10", "shared by carriers (RFC 6598)"),
    ("127.0.0.0/8", "loopback (RFC 1122)"),
    ("169.254.0.0/16", "link-local (RFC 3927)"),
    ("172.16.0.0/12", "private (RFC 1918)"),
    ("192.0.0.0/24", "reserved for protocols (RFC 6890)"),
    ("192.88.99.0/24", "6to4 relays (RFC 7526)"),
    ("192.168.0.0/16", "private (RFC 1918)"),
    ("198.18.0.0/15", "benchmarks (RFC 2544)"),
    ("224.0.0.0/4", "multicast (RFC 5771)"),
    ("240.0.0.0/4", "reserved (RFC 1112)"),
    ("::/128", "unspecified (RFC 4291)"),
    ("::1/128", "loopback (RFC 4291)"),
    ("::ffff:0:0/96", "mapped IPv4 (RFC 4291)"),
    ("64:ff9b::/96", "translated IPv4 (RFC 6052)"),
    ("64:ff9b:1::/48", "translated IPv4 (RFC 8215)"),
    ("100::/64", "discard (RFC 6666)"),
    ("2001::/23", "reserved for protocols (RFC 2928)"),
    ("2002::/16", "6to4 (RFC 3056)"),
    ("fc00::/7", "private (RFC 4193)"),
    ("fe80::/10", "link-local (RFC 4291)"),
    ("fec0::/10", "site-local (RFC 3879)"),
    ("ff00::/8", "multicast (RFC 4291)"),
];

/// The special range that a prefix overlaps, and what it is.
pub(super) fn overlapped(net: &IpNet) -> Option<(&'static IpNet, &'static str)> {
    static PARSED: OnceLock<Vec<(IpNet, &'static str)>> = OnceLock::new();
    PARSED
        .get_or_init(|| {
            RANGES
                .iter()
                .filter_map(|(text, what)| Some((text.parse().ok()?, *what)))
                .collect()
        })
        .iter()
        .find(|(range, _)| overlap(range, net))
        .map(|(range, what)| (range, *what))
}

/// Whether two prefixes share an address.
pub(super) fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_prefix_and_finds_itself() {
        for (text, what) in RANGES {
            let range: IpNet = text.parse().expect(text);
            assert_eq!(range, range.trunc(), "{text} has bits beyond its prefix");
            let (_, found) = overlapped(&IpNet::from(range.network())).expect(text);
            assert_eq!(found, *what);
        }
    }

    #[test]
    fn neighbours_of_special_ranges_are_ordinary() {
        for text in [
            "9.255.255.255/32",
            "11.0.0.0/32",
            "172.15.255.255/32",
            "172.32.0.0/32",
            "223.255.255.255/32",
            "203.0.113.7/32",
            "2003::1/128",
            "2001:db8::1/128",
        ] {
            assert_eq!(overlapped(&text.parse().expect(text)), None, "{text}");
        }
    }
}
