//! Every kind is found in running text, defanged or not, and nothing else is.

use super::{Observables, URL_CHARS_MAX, canonical_email};

fn found(text: &str) -> Observables {
    let mut found = Observables::default();
    found.add_text(text);
    found
}

fn one(kind: &indexmap::IndexSet<String>) -> Vec<&str> {
    kind.iter().map(String::as_str).collect()
}

#[test]
fn a_cert_mail_gives_its_indicators() {
    let found = found(
        "Beacon to hxxps://evil[.]example/gate.php?id=1, then 192.0.2[.]7 and 2001:db8::7.\n\
         Sender mallory[@]evil(dot)example, also login.bad.example.\n\
         sha256 9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08 (md5 d41d8cd98f00b204e9800998ecf8427e)",
    );
    assert_eq!(one(&found.urls), ["https://evil.example/gate.php?id=1"]);
    assert_eq!(one(&found.ips), ["192.0.2.7", "2001:db8::7"]);
    assert_eq!(one(&found.emails), ["mallory@evil.example"]);
    assert_eq!(one(&found.domains), ["evil.example", "login.bad.example"]);
    assert_eq!(
        one(&found.hashes),
        [
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "d41d8cd98f00b204e9800998ecf8427e"
        ]
    );
}

#[test]
fn ordinary_text_gives_nothing() {
    for text in [
        "Version 10.0.19045.3803 of invoice.pdf and setup.zip at 12:30:11, OID 1.3.6.1.4.1",
        "See Node.js, e.g. std::vector or a.b, 256.1.1.1 and 1.2.3",
        "mac 00:1b:44:11:3a:b7, uuid 7d444840-9dc0-11d1-b245-5ffdce74fad2",
        "",
    ] {
        assert_eq!(found(text), Observables::default(), "{text}");
    }
}

#[test]
fn a_link_ends_before_the_sentence_does() {
    for (text, url) in [
        ("(see https://evil.example/a).", "https://evil.example/a"),
        ("<https://evil.example/a_(b)>", "https://evil.example/a_(b)"),
        ("https://evil.example/a, and", "https://evil.example/a"),
        ("www.evil.example/login now", "http://www.evil.example/login"),
    ] {
        assert_eq!(one(&found(text).urls), [url], "{text}");
    }
}

#[test]
fn names_are_written_one_way() {
    let found = found("http://BÜCHER.example./ and bücher.example and HTTP://bücher.example./");
    assert_eq!(one(&found.domains), ["xn--bcher-kva.example"]);
    assert_eq!(found.urls.len(), 1);
}

#[test]
fn the_link_behind_the_link_checker_counts() {
    let mut found = Observables::default();
    assert!(found.add_link(
        "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example%2Flogin&data=x"
    ));
    assert_eq!(one(&found.urls), ["https://evil.example/login"]);
    assert_eq!(one(&found.domains), ["evil.example"]);
}

#[test]
fn only_web_links_are_links() {
    let mut found = Observables::default();
    for link in [
        "javascript:alert(1)",
        "data:text/html,x",
        "mailto:a@b.example",
        "cid:1",
        "#top",
        "",
        "http://",
    ] {
        assert!(!found.add_link(link), "{link}");
    }
    assert!(found.add_link("//cdn.evil.example/x"));
    assert_eq!(one(&found.urls), ["https://cdn.evil.example/x"]);
}

#[test]
fn a_link_without_end_gives_its_host_only() {
    let base = "https://evil.example/";
    for (length, urls) in [(URL_CHARS_MAX - 1, 1), (URL_CHARS_MAX, 1), (URL_CHARS_MAX + 1, 0)] {
        let mut found = Observables::default();
        found.add_link(&format!("{base}{}", "a".repeat(length - base.len())));
        assert_eq!((found.urls.len(), found.domains.len()), (urls, 1), "{length}");
    }
}

#[test]
fn addresses_have_the_form_of_one() {
    for good in ["a@ville.example", "o'neil+x@VILLE.example"] {
        assert!(canonical_email(good).is_some(), "{good}");
    }
    for bad in [
        "a@b",
        "@ville.example",
        "a b@ville.example",
        "a@ville.example\r\n",
        "\"x\"@y.example",
        "a@b@",
        "",
    ] {
        assert!(canonical_email(bad).is_none(), "{bad:?}");
    }
}
