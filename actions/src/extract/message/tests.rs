//! Structure, limits and hostile shapes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{
    ATTACHMENTS_MAX, DEPTH_MAX, MAIL_BYTES_MAX, Mail, NAME_CHARS_MAX, PARTS_MAX, Refused,
    STRUCTURE_LINES_MAX, Text, read,
};

fn texts(mail: &Mail) -> String {
    mail.texts
        .iter()
        .map(|text| match text {
            Text::Plain(text) | Text::Html(text) => text.as_str(),
        })
        .collect()
}

fn multipart(parts: impl IntoIterator<Item = String>) -> Vec<u8> {
    let mut raw = "From: a@ville.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
    for part in parts {
        raw += "--b\r\n";
        raw += &part;
        raw += "\r\n";
    }
    raw += "--b--\r\n";
    raw.into_bytes()
}

fn refused_for(what: &str, outcome: &Result<Vec<Mail>, Refused>) -> bool {
    matches!(outcome, Err(Refused::TooMuch { what: found, .. }) if *found == what)
}

#[test]
fn encodings_and_character_sets_are_undone() {
    for (part, expected) in [
        (
            "Content-Transfer-Encoding: base64\r\n\r\nU2FsdXQg\r\nw6k=\r\n",
            "Salut é",
        ),
        (
            "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSalut =E9",
            "Salut é",
        ),
        (
            "Content-Type: text/plain; charset=big5\r\nContent-Transfer-Encoding: base64\r\n\r\npKSk5Q==",
            "中文",
        ),
        (
            "Content-Type: text/plain; charset=unknown-8bit\r\n\r\nSalut",
            "Salut",
        ),
        ("C o n t e n t - T y p e: text/plain\r\n\r\nSalut", "Salut"),
    ] {
        let mails = read(&multipart([part.to_owned()])).unwrap();
        assert_eq!(texts(&mails[0]).trim_end(), expected, "{part}");
    }
}

#[test]
fn attachments_keep_their_bytes_and_lose_their_tricks() {
    let part = |name: &str| {
        format!(
            "Content-Type: application/pdf; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n"
        )
    };
    for (name, shown) in [
        ("invoice.pdf", "invoice.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\\\temp\\\\x.exe", "x.exe"),
        ("invoice\u{202e}fdp.exe", "invoice[U+202E]fdp.exe"),
        ("../", "unnamed"),
    ] {
        let mails = read(&multipart([part(name)])).unwrap();
        let attachment = &mails[0].attachments[0];
        assert_eq!(
            (attachment.name.as_str(), attachment.bytes.as_slice()),
            (shown, &b"%PDF-"[..]),
            "{name}"
        );
    }
    for length in [NAME_CHARS_MAX - 1, NAME_CHARS_MAX, NAME_CHARS_MAX + 1] {
        let mails = read(&multipart([part(&"n".repeat(length))])).unwrap();
        assert_eq!(mails[0].attachments[0].name.len(), length.min(NAME_CHARS_MAX));
    }
}

#[test]
fn what_cannot_be_decoded_is_kept_as_it_came() {
    let mails = read(&multipart([
        "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!".to_owned(),
    ]))
    .unwrap();
    assert_eq!(mails[0].attachments[0].bytes, b"");
    let mails = read(&multipart([
        "Content-Type: image/png\r\nContent-Transfer-Encoding: x-uue\r\n\r\nraw".to_owned(),
    ]))
    .unwrap();
    assert_eq!(mails[0].attachments[0].bytes, b"raw");
}

fn inner(from: &str) -> String {
    format!("From: {from}\r\nSubject: inner\r\n\r\nhello from {from}\r\n")
}

#[test]
fn attached_mails_are_opened_encoded_or_not() {
    let encoded = STANDARD.encode(inner("c@x.example"));
    let raw = multipart([
        format!("Content-Type: message/rfc822\r\n\r\n{}", inner("b@x.example")),
        format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}"),
        format!(
            "Content-Type: application/octet-stream; name=m.eml\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}"
        ),
        "Content-Type: image/png; name=p.png\r\n\r\npng".to_owned(),
    ]);
    let mails = read(&raw).unwrap();
    let from: Vec<_> = mails.iter().filter_map(|mail| mail.from.as_deref()).collect();
    assert_eq!(from[..2], ["a@ville.example", "b@x.example"]);
    assert_eq!(
        from.iter().filter(|from| **from == "c@x.example").count(),
        2,
        "{mails:#?}"
    );
    assert!(
        mails
            .iter()
            .flat_map(|mail| &mail.attachments)
            .any(|file| file.bytes.starts_with(b"png"))
    );
}

fn nested(levels: usize, encoded: bool) -> Vec<u8> {
    let mut raw = "From: a@x.example\n\nend".to_owned();
    for _ in 1..levels {
        raw = if encoded {
            format!(
                "From: a@x.example\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{}",
                STANDARD.encode(raw)
            )
        } else {
            format!("From: a@x.example\nContent-Type: message/rfc822\n\n{raw}")
        };
    }
    raw.into_bytes()
}

#[test]
fn depth_is_limited() {
    for encoded in [false, true] {
        for (levels, refused) in [(DEPTH_MAX - 1, false), (DEPTH_MAX, false), (DEPTH_MAX + 1, true)] {
            let outcome = read(&nested(levels, encoded));
            assert_eq!(
                refused_for("mails inside mails", &outcome),
                refused,
                "{levels} {encoded}"
            );
            assert_eq!(outcome.is_ok(), !refused, "{levels} {encoded}");
        }
    }
}

#[test]
fn the_stack_survives_any_depth() {
    let deep = "Content-Type:message/rfc822\n\n".repeat(STRUCTURE_LINES_MAX - 10);
    assert!(read(deep.as_bytes()).is_err());
    for header in [
        "Content-Type: message/rfc822",
        "C o n t e n t-Type:(x)message/rfc822",
        "content-type: MESSAGE / global",
    ] {
        let hidden = format!(
            "From: a@x.example\n{header}\nContent-Transfer-Encoding: base64\n\n{}",
            STANDARD.encode(&deep)
        );
        _ = read(hidden.as_bytes());
    }
}

#[test]
fn parts_and_attachments_are_limited() {
    let text = || "Content-Type: text/plain\r\n\r\nx".to_owned();
    for (count, refused) in [(PARTS_MAX - 1, false), (PARTS_MAX, false), (PARTS_MAX + 1, true)] {
        let outcome = read(&multipart((0..count).map(|_| text())));
        assert_eq!(refused_for("parts", &outcome), refused, "{count}");
    }
    let file = || "Content-Type: image/png\r\n\r\nx".to_owned();
    for (count, refused) in [
        (ATTACHMENTS_MAX - 1, false),
        (ATTACHMENTS_MAX, false),
        (ATTACHMENTS_MAX + 1, true),
    ] {
        let outcome = read(&multipart((0..count).map(|_| file())));
        assert_eq!(refused_for("attachments", &outcome), refused, "{count}");
    }
}

#[test]
fn size_and_structure_are_limited() {
    let padded = |bytes: usize| {
        let mut raw = b"From: a@x.example\n\n".to_vec();
        raw.resize(bytes, b'x');
        raw
    };
    for (bytes, refused) in [
        (MAIL_BYTES_MAX - 1, false),
        (MAIL_BYTES_MAX, false),
        (MAIL_BYTES_MAX + 1, true),
    ] {
        assert_eq!(refused_for("bytes", &read(&padded(bytes))), refused, "{bytes}");
    }
    let headers = |count: usize| format!("From: a@x.example\n{}\nx", "a:\n".repeat(count - 1)).into_bytes();
    for (count, refused) in [(STRUCTURE_LINES_MAX, false), (STRUCTURE_LINES_MAX + 1, true)] {
        assert_eq!(
            refused_for("header and part lines", &read(&headers(count))),
            refused,
            "{count}"
        );
    }
}

#[test]
fn a_thousand_nested_multiparts_are_only_parts() {
    let mut raw = "From: a@x.example\n".to_owned();
    for level in 0..1_000 {
        write!(
            raw,
            "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"
        )
        .unwrap();
    }
    raw += "Content-Type: text/plain\n\nhttps://evil.example/\n";
    let mails = read(raw.as_bytes()).unwrap();
    assert!(texts(&mails[0]).contains("https://evil.example/"));
}

#[test]
fn a_multipart_with_a_wrong_boundary_is_split_at_the_right_one() {
    let encoded = STANDARD.encode("<a href='https://evil.example/'>x</a>");
    let raw = format!(
        "From: a@x.example\nContent-Type: multipart/alternative; boundary=right\n\n\
         --wrong\nContent-Type: text/html;\nContent-Transfer-Encoding: base64\n\n{encoded}\n--other--\n"
    );
    let mails = read(raw.as_bytes()).unwrap();
    assert!(
        mails
            .iter()
            .any(|mail| texts(mail).contains("https://evil.example/")),
        "{mails:?}"
    );
    let raw = "From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\nhttps://evil.example/\n";
    let mails = read(raw.as_bytes()).unwrap();
    assert!(texts(&mails[0]).contains("https://evil.example/"), "{mails:?}");
}

#[test]
fn what_is_no_mail_says_so() {
    for raw in [
        &b""[..],
        b"\n",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"\xff\xff\xff",
    ] {
        assert_eq!(read(raw).err(), Some(Refused::NotAMail), "{raw:?}");
    }
}
