//! The mail on its own: tag, limits, one shape whatever it says.

use mail_parser::{Message, MessageParser};
use playbooks::marking::Tlp;
use regex::Regex;
use serde_json::json;

use super::{Letter, SUBJECT_CHARS_MAX};
use crate::action::Call;
use crate::testing::call;

fn letter<'a>(call: &'a Call, subject: &'a str, text: &'a str) -> Letter<'a> {
    Letter {
        call,
        recipient: "security@ville.example",
        role: "security",
        subject,
        text,
        link: None,
        language: "fr",
        tlp: Tlp::Amber,
        urgent: false,
    }
}

fn composed(subject: &str, text: &str) -> Vec<u8> {
    let call = call("notify.entity", json!({}));
    letter(&call, subject, text).compose().unwrap().bytes
}

fn parsed(bytes: &[u8]) -> Message<'_> {
    MessageParser::default().parse(bytes).unwrap()
}

fn html(bytes: &[u8]) -> String {
    parsed(bytes).body_html(0).unwrap().into_owned()
}

#[test]
fn the_headers_are_those_of_the_thread() {
    let bytes = composed(
        "Fausse page de connexion",
        "CE QUI S'EST PASSÉ\nhttps://evil.example/x",
    );
    let message = parsed(&bytes);
    let raw = |name: &str| {
        message
            .header_raw(name)
            .map(str::trim)
            .unwrap_or_default()
            .to_owned()
    };
    let key = call("notify.entity", json!({})).key;
    assert_eq!(
        message.subject().unwrap(),
        "[CERT-EX PH-2026-00417] TLP:AMBER Fausse page de connexion"
    );
    assert_eq!(
        message.message_id().unwrap(),
        format!("{}.sortie@cert.example", &key[..16])
    );
    assert_eq!(raw("References"), "<PH-2026-00417.0@cert.example>");
    assert_eq!(raw("In-Reply-To"), "<PH-2026-00417.0@cert.example>");
    assert_eq!(raw("Auto-Submitted"), "auto-generated");
    assert_eq!(raw("Content-Language"), "fr");
    assert_eq!(raw("X-Sortie-Key"), format!("sortie-{}", &key[..16]));
    assert_eq!(raw("X-Sortie-TLP"), "TLP:AMBER");
    assert_eq!(raw("Date"), "Mon, 02 Mar 2026 02:06:00 +0000");
    assert!(raw("Content-Type").starts_with("multipart/alternative"));

    let text = message.body_text(0).unwrap();
    assert_eq!(
        text.replace("\r\n", "\n"),
        "TLP:AMBER  Partage limité à Ville d'Exemple et à ses clients ou prestataires qui en ont besoin.\n\
         Référence PH-2026-00417 . CERT-EX . 2026-03-02 03:06 CET . à: security\n\n\
         CE QUI S'EST PASSÉ\nhxxps://evil[.]example/x\n"
    );
    let html = html(&bytes);
    assert!(
        html.contains("<html lang=\"fr\">") && html.contains("hxxps://evil[.]example/x"),
        "{html}"
    );
    assert!(!html.contains("href") && !html.contains("src="), "{html}");
}

#[test]
fn the_same_attempt_gives_the_same_bytes() {
    assert_eq!(composed("a", "b"), composed("a", "b"));
}

#[test]
fn a_long_subject_is_cut_after_its_tag() {
    for (length, expected) in [
        (SUBJECT_CHARS_MAX - 1, SUBJECT_CHARS_MAX - 1),
        (SUBJECT_CHARS_MAX, SUBJECT_CHARS_MAX),
        (SUBJECT_CHARS_MAX + 1, SUBJECT_CHARS_MAX),
    ] {
        let bytes = composed(&"é".repeat(length), "x");
        let message = parsed(&bytes);
        let subject = message
            .subject()
            .unwrap()
            .strip_prefix("[CERT-EX PH-2026-00417] TLP:AMBER ")
            .unwrap();
        assert_eq!(subject.chars().count(), expected);
    }
}

#[test]
fn no_text_changes_the_shape_of_the_page() {
    let tags = Regex::new("<[^>]*>").unwrap();
    let shape = |text: &str| -> Vec<String> {
        tags.find_iter(&html(&composed(text, text)))
            .map(|tag| tag.as_str().to_owned())
            .collect()
    };
    let plain = shape("x");
    for hostile in [
        "<script>alert(1)</script>",
        "</div></body></html><img src=x onerror=alert(1)>",
        "</title><svg/onload=alert(1)>",
        "\"><a href=\"javascript:alert(1)\">x</a>",
        "' onmouseover='alert(1)",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "&lt;script&gt;",
        "&#60;b&#62;",
        "<style>*{display:none}</style>",
        "<a href=data:text/html,x>",
        "{{7*7}}",
        "${7*7}",
        "=?utf-8?q?=3Cscript=3E?=",
        "\u{202e}<\u{0}script>",
        "--=_sortie_\r\n\r\nContent-Type: text/html\r\n\r\n<b>",
    ] {
        assert_eq!(shape(hostile), plain, "{hostile:?}");
    }
}

#[test]
fn other_languages_read_our_sentences_in_english() {
    let call = call("notify.entity", json!({}));
    for (language, sentence) in [
        (
            "x\r\nBcc: y",
            "You may share this inside Ville d'Exemple and with",
        ),
        ("de", "Weitergabe innerhalb von Ville d'Exemple und an"),
        ("en", "You may share this inside Ville d'Exemple and with"),
        ("it", "You may share this inside Ville d'Exemple and with"),
        ("", "You may share this inside Ville d'Exemple and with"),
    ] {
        let mut letter = letter(&call, "x", "x");
        letter.language = language;
        let bytes = letter.compose().unwrap().bytes;
        assert!(
            parsed(&bytes).body_text(0).unwrap().contains(sentence),
            "{language}"
        );
        let tagged = parsed(&bytes)
            .header_raw("Content-Language")
            .unwrap()
            .trim()
            .to_owned();
        assert_eq!(tagged, if language.len() == 2 { language } else { "en" });
    }
}
