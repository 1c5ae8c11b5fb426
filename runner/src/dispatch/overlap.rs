//! Whether two measures concern the same thing.
//!
//! Owns comparing targets and directions. Reads and changes nothing.

use std::net::IpAddr;

use ipnet::IpNet;

/// Whether two targets are the same, as a firewall sees them: an address is its whole prefix.
pub(super) fn same_target(one: &str, other: &str) -> bool {
    one == other || matches!((prefix(one), prefix(other)), (Some(one), Some(other)) if one == other)
}

/// Whether everything of the narrow direction is also of the wide one. No direction is all.
pub(super) fn covers(wide: Option<&str>, narrow: Option<&str>) -> bool {
    matches!(wide, None | Some("both")) || wide == narrow
}

fn prefix(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .map(|prefix| prefix.trunc())
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_its_whole_prefix() {
        assert!(same_target("192.0.2.7", "192.0.2.7/32"));
        assert!(same_target("2001:db8::7/128", "2001:db8::7"));
        assert!(same_target("evil.example", "evil.example"));
        assert!(!same_target("192.0.2.7", "192.0.2.0/24"));
        assert!(!same_target("evil.example", "good.example"));
    }

    #[test]
    fn both_directions_cover_each() {
        assert!(covers(Some("both"), Some("inbound")));
        assert!(covers(None, Some("outbound")));
        assert!(covers(Some("inbound"), Some("inbound")));
        assert!(!covers(Some("inbound"), Some("both")));
        assert!(!covers(Some("inbound"), Some("outbound")));
        assert!(!covers(Some("inbound"), None));
    }
}
