//! Tokens are accepted exactly when they are whole, known, right and in time.

use super::*;
use crate::access::{Denied, OperatorProof};

const NOW: &str = "2026-11-24T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn grant(name: &str) -> TokenGrant {
    TokenGrant {
        name: name.to_owned(),
        permissions: [Permission::Submit, Permission::See].into(),
        reach: Reach::Entities(["ville-exemple".parse().unwrap()].into()),
        expires_at: "2027-02-01T00:00:00Z".parse().unwrap(),
        person: None,
    }
}

fn karim() -> Person {
    Person {
        name: "karim".to_owned(),
        roles: ["duty-officer".to_owned()].into(),
    }
}

#[test]
fn a_person_is_who_they_are_whichever_token_they_use() {
    let mut grant = grant("karim-laptop");
    grant.permissions.insert(Permission::Approve);
    grant.person = Some(karim());
    let (text, record) = TokenRecord::mint(&[5; TOKEN_RANDOM_BYTES], grant, now()).unwrap();
    let book = TokenBook::new(vec![record], now()).unwrap();
    let principal = book.authenticate(text.reveal(), now()).unwrap();
    assert_eq!(principal.actor().name, "person:karim");
    assert_eq!(principal.person(), Some(&karim()));
    assert!(principal.scope(Permission::Approve).is_ok());
    let here = principal.at_the_terminal();
    assert_eq!(
        (here.actor().name.as_str(), here.actor().channel),
        ("person:karim", Channel::Terminal)
    );
}

#[test]
fn a_service_never_approves() {
    let mut grant = grant("robot");
    grant.permissions.insert(Permission::Approve);
    let refused = TokenRecord::mint(&[5; TOKEN_RANDOM_BYTES], grant.clone(), now()).unwrap_err();
    assert!(refused.reason.contains("only a person approves"), "{refused}");
    for permission in Permission::OF_SERVICES {
        grant.permissions = [*permission].into();
        assert!(TokenRecord::mint(&[5; TOKEN_RANDOM_BYTES], grant.clone(), now()).is_ok());
    }
    let operator = Principal::operator("root", &OperatorProof::of_an_opened_store());
    assert_eq!(operator.person(), None);
}

fn minted(seed: u8, name: &str) -> (String, TokenRecord) {
    let (text, record) = TokenRecord::mint(&[seed; TOKEN_RANDOM_BYTES], grant(name), now()).unwrap();
    (text.reveal().to_owned(), record)
}

#[test]
fn a_minted_token_has_the_documented_form_and_authenticates() {
    let (text, record) = minted(0xfb, "wazuh");
    let pattern = text.split_at(7).1;
    assert_eq!(text.len(), 66);
    assert!(text.starts_with("sortie_"));
    assert_eq!(&pattern[..8], record.id);
    assert!(!record.secret_sha256.contains(&text[16..59]));
    let book = TokenBook::new(vec![record], now()).unwrap();
    let principal = book.authenticate(&text, now()).unwrap();
    assert_eq!(principal.actor().name, "token:wazuh");
    assert_eq!(principal.actor().channel, Channel::Api);
    assert!(principal.scope(Permission::See).is_ok());
    assert!(matches!(
        principal.scope(Permission::Audit),
        Err(Denied::Permission { .. })
    ));
    assert!(principal.may_reach(&"ville-exemple".parse().unwrap()).is_ok());
    assert!(principal.may_reach(&"ville-exempl".parse().unwrap()).is_err());
}

#[test]
fn the_outside_learns_nothing_from_a_refusal() {
    let (text, record) = minted(1, "a");
    let (stranger, _) = minted(2, "b");
    let (other, _) = TokenRecord::mint(
        &{
            let mut random = [1; TOKEN_RANDOM_BYTES];
            random[36] = 9;
            random
        },
        grant("c"),
        now(),
    )
    .unwrap();
    let end = record.expires_at;
    let book = TokenBook::new(vec![record], now()).unwrap();
    let cases = [
        (stranger.as_str(), now(), AuthFailure::Unknown),
        (other.reveal(), now(), AuthFailure::Wrong),
        (text.as_str(), end, AuthFailure::Expired),
        ("", now(), AuthFailure::Malformed),
        ("sortie_é", now(), AuthFailure::Malformed),
        (&text[..65], now(), AuthFailure::Malformed),
    ];
    for (presented, at, failure) in cases {
        let error = book.authenticate(presented, at).unwrap_err();
        assert_eq!(error.failure(), failure, "{presented}");
        assert_eq!(error.to_string(), "the token is not valid");
    }
    assert!(
        book.authenticate(&text, end - jiff::SignedDuration::from_millis(1))
            .is_ok()
    );
}

#[test]
fn any_changed_character_is_refused() {
    let (text, record) = minted(7, "a");
    let book = TokenBook::new(vec![record], now()).unwrap();
    for place in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(book.authenticate(&changed, now()).is_err(), "place {place}");
    }
}

#[test]
fn the_end_is_mandatory_and_at_most_a_year_ahead() {
    let mint = |seconds: i64| {
        let mut grant = grant("a");
        grant.expires_at = now() + jiff::SignedDuration::from_secs(seconds);
        TokenRecord::mint(&[1; TOKEN_RANDOM_BYTES], grant, now())
    };
    let year = TOKEN_DAYS_MAX * 86_400;
    assert!(mint(year - 1).is_ok());
    assert!(mint(year).is_ok());
    assert!(mint(year + 1).is_err());
    assert!(mint(0).is_err());
    assert!(
        serde_json::from_str::<TokenRecord>(
            r#"{"id":"00000000","name":"a","secret_sha256":"00","permissions":["see"],"reach":"all"}"#
        )
        .is_err()
    );
}

#[test]
fn a_book_refuses_what_cannot_be_told_apart() {
    let (_, first) = minted(1, "a");
    let (_, second) = minted(2, "a");
    assert!(TokenBook::new(vec![first.clone(), second], now()).is_err());
    let (_, mut third) = minted(1, "b");
    assert!(TokenBook::new(vec![first.clone(), third.clone()], now()).is_err());
    third.id = "iiiiiiii".to_owned();
    assert!(TokenBook::new(vec![third], now()).is_err());
    let mut nothing = first;
    nothing.permissions.clear();
    assert!(TokenBook::new(vec![nothing], now()).is_err());
}

#[test]
fn a_minted_token_is_not_printed_by_accident() {
    let (text, _) = TokenRecord::mint(&[3; TOKEN_RANDOM_BYTES], grant("a"), now()).unwrap();
    assert_eq!(format!("{text:?}"), "MintedToken(hidden)");
}

#[test]
fn whoever_holds_the_store_is_the_operator() {
    let principal = Principal::operator("alice", &OperatorProof::of_an_opened_store());
    assert_eq!(principal.actor().name, "operator:alice");
    assert_eq!(principal.actor().channel, Channel::Terminal);
    for permission in Permission::ALL {
        assert!(principal.scope(*permission).is_ok());
    }
}

#[test]
fn a_token_without_permissions_hears_of_every_one() {
    let nothing = TokenGrant {
        permissions: BTreeSet::new(),
        ..grant("idle")
    };
    let refused = TokenRecord::mint(&[1; TOKEN_RANDOM_BYTES], nothing, now()).unwrap_err();
    for permission in Permission::ALL {
        assert!(refused.reason.contains(permission.word()), "{}", refused.reason);
    }
}
