//! How many connections there may be: in all, from one address, and over the local socket.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections over TCP at most.
pub(super) const CONNECTIONS_MAX: usize = 1_024;
/// Connections from one IPv4 address or one IPv6 /64 at most.
pub(super) const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
/// Connections over the local socket at most, beside those over TCP: a flood from the network
/// does not lock out whoever sits at the machine.
pub(super) const LOCAL_CONNECTIONS_MAX: usize = 64;

#[derive(Debug, Default)]
struct Taken {
    local: usize,
    tcp: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The places for connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

/// A place, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    address: Option<IpAddr>,
}

impl Places {
    /// A place for a connection from an address; none when a cap is reached.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        self.change(|taken| {
            if taken.tcp >= CONNECTIONS_MAX {
                return false;
            }
            let here = taken.by_address.entry(address).or_insert(0);
            if *here >= CONNECTIONS_PER_ADDRESS_MAX {
                return false;
            }
            *here += 1;
            taken.tcp += 1;
            true
        })
        .then(|| Place {
            places: self.clone(),
            address: Some(address),
        })
    }

    /// A place for a connection over the local socket; none when the cap is reached.
    pub(super) fn take_local(&self) -> Option<Place> {
        self.change(|taken| {
            let free = taken.local < LOCAL_CONNECTIONS_MAX;
            taken.local += usize::from(free);
            free
        })
        .then(|| Place {
            places: self.clone(),
            address: None,
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Taken) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.change(|taken| match self.address {
            None => taken.local = taken.local.saturating_sub(1),
            Some(address) => {
                taken.tcp = taken.tcp.saturating_sub(1);
                if let Some(here) = taken.by_address.get_mut(&address) {
                    *here -= 1;
                    if *here == 0 {
                        taken.by_address.remove(&address);
                    }
                }
            }
        });
    }
}

/// What counts as one address: a whole IPv4 address, the first 64 bits of an IPv6 one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, LOCAL_CONNECTIONS_MAX, Place, Places};
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn an_address_has_its_cap_and_gets_its_places_back() {
        let places = Places::default();
        let take = |text: &str| places.take(text.parse().unwrap());
        let mut held: Vec<Place> = (0..CONNECTIONS_PER_ADDRESS_MAX - 1)
            .map(|_| take("203.0.113.7").unwrap())
            .collect();
        held.push(take("203.0.113.7").unwrap());
        assert!(take("203.0.113.7").is_none());
        assert!(
            take("::ffff:203.0.113.7").is_none(),
            "the same address in other clothes"
        );
        assert!(take("203.0.113.8").is_some());
        held.pop();
        assert!(take("203.0.113.7").is_some());
        drop(held);
        let all: Vec<Place> = (0..CONNECTIONS_PER_ADDRESS_MAX)
            .map(|host| take(&format!("2001:db8::{host:x}")).unwrap())
            .collect();
        assert!(take("2001:db8:0:0:ffff::1").is_none(), "one /64 is one address");
        assert!(take("2001:db8:0:1::1").is_some());
        drop(all);
    }

    #[test]
    fn there_is_a_cap_in_all_and_the_local_socket_has_its_own() {
        let places = Places::default();
        let address = |number: usize| IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(number).unwrap()));
        let held: Vec<Place> = (0..CONNECTIONS_MAX)
            .map(|number| places.take(address(number)).unwrap())
            .collect();
        assert!(places.take(address(CONNECTIONS_MAX)).is_none());
        let local: Vec<Place> = (0..LOCAL_CONNECTIONS_MAX)
            .map(|_| places.take_local().unwrap())
            .collect();
        assert!(places.take_local().is_none());
        drop((held, local));
        assert!(places.take_local().is_some());
    }
}
