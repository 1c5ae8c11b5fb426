//! Foreign text cannot call, link, hide or break a line.

use super::{break_mentions, defang, lines, one_line};

#[test]
fn one_line_is_one_line() {
    for (given, expected) in [
        ("x\r\nBcc: evil@x", "x Bcc: evil@x"),
        ("  two\t\twords ", "two words"),
        ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
        ("a\u{0}b\u{1b}[31m", "ab[31m"),
        ("a\u{2028}b", "a b"),
    ] {
        assert_eq!(one_line(given, 90), expected, "{given:?}");
    }
}

#[test]
fn a_long_line_is_cut_where_it_says() {
    for (length, expected) in [(89, 89), (90, 90), (91, 90)] {
        assert_eq!(one_line(&"é".repeat(length), 90).chars().count(), expected);
    }
    assert!(one_line(&"é".repeat(91), 90).ends_with('…'));
}

#[test]
fn every_line_end_is_a_newline() {
    assert_eq!(lines("a\r\nb\rc\u{2028}d\te\u{0}\u{202e}"), "a\nb\nc\nd e");
}

#[test]
fn foreign_links_and_names_are_dead() {
    for (given, expected) in [
        (
            "see https://evil.example/login?x=1",
            "see hxxps://evil[.]example/login?x=1",
        ),
        ("HTTP://1.2.3.4:8080/a.b", "hxxp://1[.]2[.]3[.]4:8080/a.b"),
        (
            "www.evil.com and mallory@evil.com",
            "www[.]evil[.]com and mallory@evil[.]com",
        ),
        (
            "https://cert.example@evil.com/",
            "hxxps://cert[.]example@evil[.]com/",
        ),
        (
            "https://cert.example.evil.com/",
            "hxxps://cert[.]example[.]evil[.]com/",
        ),
        ("https://notcert.example/", "hxxps://notcert[.]example/"),
    ] {
        assert_eq!(defang(given, &["cert.example"]), expected, "{given}");
    }
}

#[test]
fn our_own_names_and_ordinary_text_stay() {
    for text in [
        "https://portal.cert.example/x",
        "write to incident@cert.example",
        "3.5 million, e.g. invoice.pdf at 12.30",
        "already hxxps://evil[.]example",
    ] {
        assert_eq!(defang(text, &["cert.example"]), text);
    }
}

#[test]
fn nobody_is_called() {
    assert_eq!(
        break_mentions("@here ask @bob, a@b.example"),
        "@\u{200c}here ask @\u{200c}bob, a@\u{200c}b.example"
    );
    assert_eq!(break_mentions("a @ b @"), "a @ b @");
}
