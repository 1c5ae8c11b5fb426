//! Tokens of the fake.

use std::collections::BTreeSet;

use jiff::Timestamp;
use state::access::{Permission, Person, Reach, TOKEN_RANDOM_BYTES, TokenGrant, TokenRecord};

use super::{OURS, now};

/// The token for these permissions over [`OURS`]; `expired` ones ended a second ago.
pub(crate) fn token(permissions: &[Permission], expired: bool) -> (String, TokenRecord) {
    let bits = permissions.iter().fold(u8::from(expired), |bits, permission| {
        bits | (2 << *permission as u8)
    });
    mint(
        &format!("t{bits}"),
        bits,
        permissions,
        Reach::Entities(BTreeSet::from([OURS.parse().unwrap()])),
        expired,
    )
}

pub(super) fn mint(
    name: &str,
    bits: u8,
    permissions: &[Permission],
    reach: Reach,
    expired: bool,
) -> (String, TokenRecord) {
    let grant = TokenGrant {
        name: name.to_owned(),
        permissions: permissions.iter().copied().collect(),
        reach,
        expires_at: if expired {
            now()
        } else {
            Timestamp::from_second(3_600).unwrap()
        },
        person: permissions.contains(&Permission::Approve).then(|| Person {
            name: "karim".to_owned(),
            roles: ["duty-officer".to_owned()].into(),
        }),
    };
    let made = if expired {
        Timestamp::from_second(-10).unwrap()
    } else {
        now()
    };
    let (text, record) = TokenRecord::mint(&[bits; TOKEN_RANDOM_BYTES], grant, made).unwrap();
    (text.reveal().to_owned(), record)
}
