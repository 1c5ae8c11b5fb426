//! What may never be blocked.

use super::guardrails::{block, intents};
use super::*;

#[test]
fn targets_that_may_never_be_blocked_are_refused_with_the_rule() {
    use RefusalKind::{NeverBlock, PrivateRange};
    for (ip, kind, detail) in [
        (
            "203.0.113.77",
            NeverBlock,
            "203.0.113.77 is on the never-block list of ville (203.0.113.77)",
        ),
        (
            "203.0.113.53",
            NeverBlock,
            "203.0.113.53 is on the never-block list (203.0.113.53)",
        ),
        (
            "10.1.2.3",
            PrivateRange,
            "10.1.2.3 is in 10.0.0.0/8: private (RFC 1918)",
        ),
        (
            "0.0.0.0",
            PrivateRange,
            "0.0.0.0 is in 0.0.0.0/8: \"this network\" (RFC 791)",
        ),
        (
            "::ffff:10.0.0.1",
            PrivateRange,
            "10.0.0.1 is in 10.0.0.0/8: private (RFC 1918)",
        ),
        (
            "fe80::1",
            PrivateRange,
            "fe80::1 is in fe80::/10: link-local (RFC 4291)",
        ),
        (
            "198.51.100.9",
            PrivateRange,
            "198.51.100.9 is in 198.51.100.0/24, a network of ville",
        ),
        (
            "192.0.2.9",
            PrivateRange,
            "192.0.2.9 is in a network of another entity",
        ),
    ] {
        let scene = block(ip);
        let run = scene.play(scene.world());
        assert_eq!(refusal(run.events(), "block"), (kind, detail));
        assert_eq!(run.world.ledger.calls.len(), 0);
    }
}

#[test]
fn a_mapped_address_is_recorded_in_its_canonical_form() {
    let scene = block("::ffff:203.0.113.7");
    let run = scene.play(scene.world());
    assert_eq!(intents(run.events())[0].arguments["ip"], "203.0.113.7");
}

#[test]
fn domains_of_our_own_their_parents_and_public_suffixes_are_refused() {
    for (domain, detail) in [
        (
            "ville.example",
            "ville.example would hit ville.example, which belongs to ville",
        ),
        (
            "www.ville.example",
            "www.ville.example would hit ville.example, which belongs to ville",
        ),
        (
            "mail.hopital.example",
            "mail.hopital.example would hit a domain of another entity",
        ),
        (
            "ns1.resolver.example",
            "ns1.resolver.example is on the never-block list (resolver.example)",
        ),
        (
            "co.uk",
            "co.uk is a public suffix: many unrelated sites are below it",
        ),
        (
            "gov.pl",
            "gov.pl is a public suffix: many unrelated sites are below it",
        ),
        (
            "github.io",
            "github.io is a public suffix: many unrelated sites are below it",
        ),
    ] {
        let scene = Scene::new(&format!(
            "
trigger: {{incident: [phishing]}}
limits: {{pap: green}}
may: [contain]
steps:
  block:
    name: Block
    uses: block.domain
    with: {{domain: {domain}, reason: r}}
"
        ));
        let run = scene.play(scene.world());
        assert_eq!(refusal(run.events(), "block"), (RefusalKind::NeverBlock, detail));
    }
}

#[test]
fn a_parent_of_an_own_domain_is_refused() {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [contain]
steps:
  block:
    name: Block
    uses: block.domain
    with: {domain: region.example, reason: r}
",
    );
    let own = vec!["ville.region.example".to_owned()];
    scene.operator.entities.get_mut("ville").expect("ville").domains = own;
    let run = scene.play(scene.world());
    assert_eq!(
        refusal(run.events(), "block").1,
        "region.example would hit ville.region.example, which belongs to ville"
    );
}

#[test]
fn breadth_is_bounded() {
    let mut scene = Scene::new(
        "
trigger: {incident: [phishing]}
limits: {pap: green}
may: [contain]
inputs:
  net: {type: cidr, default: 203.0.113.0/24}
steps:
  block:
    name: Block
    uses: block.net
    with: {cidr: \"${{ inputs.net }}\", reason: r}
",
    );
    let entity = scene.operator.entities.get_mut("ville").expect("ville");
    let policy = entity.policy["block.ip"].clone();
    entity.policy.insert("block.net".to_owned(), policy);
    for (net, refused) in [
        ("5.6.7.0/25", None),
        ("5.6.7.0/24", None),
        (
            "5.6.6.0/23",
            Some("5.6.6.0/23 is too wide: at most a /24 of IPv4 may be blocked"),
        ),
        (
            "0.0.0.0/0",
            Some("0.0.0.0/0 is too wide: at most a /24 of IPv4 may be blocked"),
        ),
        ("2a00:1:2::/49", None),
        ("2a00:1:2::/48", None),
        (
            "2a00:1:2::/47",
            Some("2a00:1:2::/47 is too wide: at most a /48 of IPv6 may be blocked"),
        ),
        (
            "203.0.113.0/24",
            Some("203.0.113.0/24 is on the never-block list (203.0.113.53)"),
        ),
        (
            "198.51.100.128/25",
            Some("198.51.100.128/25 is in 198.51.100.0/24, a network of ville"),
        ),
    ] {
        scene.plan.inputs["net"].default = Some(net.into());
        let run = scene.play(scene.world());
        match refused {
            Some(detail) => assert_eq!(refusal(run.events(), "block").1, detail),
            None => assert_eq!(closed(run.events()).0, RunStatus::Succeeded, "{net}"),
        }
    }
}
