//! A credential is found in its one place, and only there.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::{CREDENTIAL_BYTES_MAX, Credential, LocalPeer, Peer, Schemes};

fn presented(values: &[&str], schemes: Schemes) -> Option<String> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    match Credential::of(None, &headers, schemes) {
        Some(Credential::Token(token)) => Some(token),
        Some(Credential::Local(_)) => panic!("no local peer was given"),
        None => None,
    }
}

#[test]
fn only_one_bearer_token_counts() {
    let bearer = |values: &[&str]| presented(values, Schemes::Bearer);
    assert_eq!(bearer(&["Bearer abc"]).as_deref(), Some("abc"));
    assert_eq!(bearer(&["bearer abc"]).as_deref(), Some("abc"));
    assert_eq!(bearer(&[]), None);
    assert_eq!(bearer(&["abc"]), None);
    assert_eq!(bearer(&["Bearer abc", "Bearer def"]), None);
    assert_eq!(
        bearer(&["Basic ZGV2aWNlOmFiYw=="]),
        None,
        "basic is for devices only"
    );
    let longest = "x".repeat(CREDENTIAL_BYTES_MAX - "Bearer ".len());
    assert!(bearer(&[&format!("Bearer {longest}")]).is_some());
    assert!(bearer(&[&format!("Bearer {longest}x")]).is_none());
}

#[test]
fn a_device_may_send_the_token_as_a_password() {
    let basic = |value: &str| presented(&[value], Schemes::BearerOrBasic);
    assert_eq!(basic("Basic ZGV2aWNlOmFiYw==").as_deref(), Some("abc"));
    assert_eq!(basic("Basic !!!"), None);
    assert_eq!(basic("Basic bm9jb2xvbg=="), None, "no colon, no password");
    assert_eq!(basic("Bearer abc").as_deref(), Some("abc"));
}

#[test]
fn a_token_goes_before_the_local_peer() {
    let peer = LocalPeer { uid: 7, pid: None };
    let mut headers = HeaderMap::new();
    let found = Credential::of(Some(Peer::Local(peer)), &headers, Schemes::Bearer);
    assert!(matches!(found, Some(Credential::Local(found)) if found == peer));
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
    let found = Credential::of(Some(Peer::Local(peer)), &headers, Schemes::Bearer);
    assert!(matches!(found, Some(Credential::Token(token)) if token == "abc"));
    let tcp = Peer::Tcp("127.0.0.1:1".parse().unwrap());
    assert!(Credential::of(Some(tcp), &HeaderMap::new(), Schemes::Bearer).is_none());
}
