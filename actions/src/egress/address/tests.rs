//! Tests of egress address: behaviour at its edges and against hostile input.

use std::net::IpAddr;

use super::{Reach, reach, refusal};

/// First and last address of every row that is never a destination.
const NEVER: &[(&str, &str)] = &[
    ("169.254.0.0", "169.254.255.255"),
    ("100.100.100.200", "100.100.100.200"),
    ("fd00:ec2::254", "fd00:ec2::254"),
    ("0.0.0.0", "0.255.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
    ("::", "::"),
    ("::ffff:0.0.0.0", "::ffff:255.255.255.255"),
    ("64:ff9b::", "64:ff9b::ffff:ffff"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::ffff:ffff:ffff:ffff"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

/// First and last address of every row inside a house.
const PRIVATE: &[(&str, &str)] = &[
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("::1", "::1"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

/// Addresses just outside a row.
const NEIGHBOURS: &[&str] = &[
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.114.0",
    "223.255.255.255",
    "2001:200::",
    "2001:db7:ffff::",
    "2001:db9::",
    "2003::",
    "2a00::1",
    "3ffe:ffff::",
];

#[test]
fn every_row_covers_its_first_and_last_address_and_not_its_neighbours() {
    let parse = |text: &str| text.parse::<IpAddr>().unwrap();
    for (first, last) in NEVER {
        for address in [*first, *last] {
            assert!(matches!(reach(parse(address)), Reach::Never(_)), "{address}");
            assert!(refusal(parse(address), true).is_some(), "{address}");
        }
    }
    for (first, last) in PRIVATE {
        for address in [*first, *last] {
            assert!(matches!(reach(parse(address)), Reach::Private(_)), "{address}");
            assert!(refusal(parse(address), false).is_some(), "{address}");
            assert!(refusal(parse(address), true).is_none(), "{address}");
        }
    }
    for neighbour in NEIGHBOURS {
        assert_eq!(reach(parse(neighbour)), Reach::Public, "{neighbour}");
    }
}
