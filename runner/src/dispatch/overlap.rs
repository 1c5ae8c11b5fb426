//! Whether two measures concern the same thing, and which of them may go without the other.
//!
//! Owns comparing targets and directions, and what is about to leave the register. Reads and
//! changes nothing that is stored.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use state::ids::{EffectKey, EntityId};
use state::store::Measure;

/// Measures that leave the register and nothing else, because an equal one stays. Two of them that
/// go at the same moment must not each count on the other: the far end would stay blocked, and
/// nothing would say so. Held from reading the register until it is decided.
#[derive(Debug, Default)]
pub(super) struct Leaving(BTreeSet<(EntityId, EffectKey)>);

impl Leaving {
    /// An equal measure of the register, as it was just read, that stays when this one goes. If
    /// there is one, this one counts as gone from now on.
    pub(super) fn stays(&mut self, ours: &Measure, in_force: &[Measure]) -> Option<Measure> {
        let entity = &ours.entity;
        self.0
            .retain(|(whose, key)| whose != entity || in_force.iter().any(|one| one.key == *key));
        let equal = |other: &&Measure| {
            other.key != ours.key
                && (&other.kind, &other.target, &other.connection, &other.direction)
                    == (&ours.kind, &ours.target, &ours.connection, &ours.direction)
                && !self.0.contains(&(entity.clone(), other.key.clone()))
        };
        let stays = in_force.iter().find(equal).cloned();
        let us = (entity.clone(), ours.key.clone());
        if stays.is_some() {
            self.0.insert(us);
        } else {
            self.0.remove(&us);
        }
        stays
    }
}

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

    fn measure(number: u8) -> Measure {
        serde_json::from_value(serde_json::json!({
            "key": hex::encode([number; 32]), "entity": "ville", "action": "block.ip", "target": "192.0.2.7",
            "kind": "ip", "connection": "blocks", "direction": "inbound", "reason": "r",
            "run": "01m8997matne1jm2tm1s3p6dv9", "incident": null, "since": "2026-11-25T12:00:00Z",
            "until": "2026-11-25T13:00:00Z", "inverse": "unblock.ip", "inverse_arguments": {},
        }))
        .unwrap()
    }

    #[test]
    fn of_two_that_go_at_once_the_second_is_taken_back_for_real() {
        let (one, two, three) = (measure(1), measure(2), measure(3));
        let all = [one.clone(), two.clone(), three.clone()];
        let mut leaving = Leaving::default();
        assert_eq!(
            leaving.stays(&one, &all).map(|stays| stays.key),
            Some(two.key.clone())
        );
        assert_eq!(
            leaving.stays(&two, &all).map(|stays| stays.key),
            Some(three.key.clone())
        );
        assert_eq!(leaving.stays(&three, &all), None, "the others count on it");
        assert_eq!(
            leaving.stays(&one, &all[..2]),
            None,
            "asked again, with the second on its way"
        );
        // What has left the register is not remembered.
        leaving.stays(&three, &all[2..]);
        assert!(leaving.0.is_empty());
    }

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
