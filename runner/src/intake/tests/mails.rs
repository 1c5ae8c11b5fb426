//! Mails: forwards, hostile structure, what is kept.

use playbooks::incident::IncidentType;

use super::*;

#[test]
fn a_forwarded_mail_is_the_evidence_and_its_sender_reports() {
    let bytes = sample("mail/eml_contains_base64_eml.eml");
    let found = one(Mapper::Mail, &bytes);
    let incident = &found.incident;
    assert_eq!(incident.kind, IncidentType::Phishing);
    assert_eq!(incident.reporter.as_ref().unwrap().email, "koko@demisto.com");
    assert_eq!(found.files.len(), 2);
    assert_eq!(found.files[0].bytes, bytes);
    let mail = incident.mail.as_ref().unwrap();
    assert_eq!(mail.file.as_ref(), Some(&found.files[1].reference));
    assert_eq!(incident.title, mail.subject);
    assert_ne!(mail.subject, "Fwd: test - inner attachment eml (base64)");
}

#[test]
fn a_mail_sent_by_itself_has_no_reporter() {
    let found = one(Mapper::Mail, &sample("mail/mail_test_19.eml"));
    let mail = found.incident.mail.as_ref().unwrap();
    assert!(found.incident.reporter.is_none());
    assert_eq!(mail.message_id, "<test-email-as-name@example.com>");
    assert_eq!(mail.from, "bob@example.com");
    assert_eq!(mail.to, ["charlie@example.com", "dave@example.com"]);
    assert_eq!(
        observables(&found),
        ["email bob@example.com sender", "email ivan@example.com reply_to"]
    );
    assert_eq!(found.incident.detected_at.to_string(), "2024-01-01T12:00:00Z");
}

#[test]
fn byte_order_marks_and_old_charsets_are_read() {
    let found = one(Mapper::Mail, &sample("mail/utf_8_with_bom.eml"));
    assert_eq!(found.incident.title, "Test UTF Email");
    assert_eq!(found.files[0].bytes, sample("mail/utf_8_with_bom.eml"));
    assert_eq!(
        one(Mapper::Mail, &sample("mail/chinese_gb2312_encoding.eml"))
            .incident
            .title,
        "Greeting in Chinese"
    );
    let encoded =
        b"From: a@b.example\r\nSubject: =?utf-8?B?w4AgcGF5ZXI=?= =?iso-8859-1?Q?_vite=E2?=\r\n\r\nx";
    assert_eq!(one(Mapper::Mail, encoded).incident.title, "À payer viteâ");
}

#[test]
fn a_forward_without_an_attachment_still_has_a_reporter() {
    let found = one(
        Mapper::Mail,
        b"From: A Martin <a.martin@ville.example>\nSubject: TR: facture\n\n----- Message transmis -----",
    );
    assert_eq!(
        found.incident.reporter.as_ref().unwrap().name.as_deref(),
        Some("A Martin")
    );
    assert_eq!(found.files.len(), 1);
}

#[test]
fn what_is_no_mail_is_refused_with_a_remedy() {
    for (bytes, words) in [
        (&b""[..], "an empty mail"),
        (b" \r\n ", "an empty mail"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Outlook file"),
        (b"X-Nothing: here\r\n\r\nbody", "no headers of a mail"),
    ] {
        let refusal = mapped(Mapper::Mail, bytes).unwrap_err();
        assert!(refusal.to_string().contains(words), "{refusal}");
    }
    let mut large = b"From: a@b.example\n\n".to_vec();
    large.resize(MAIL_BYTES_MAX + 1, b'x');
    assert_eq!(
        mapped(Mapper::Mail, &large).unwrap_err().kind,
        RefusalKind::TooLarge
    );
    large.truncate(MAIL_BYTES_MAX);
    assert!(mapped(Mapper::Mail, &large).is_ok());
}

/// Messages inside each other, `levels` deep.
fn nested(levels: usize) -> Vec<u8> {
    let mut mail = b"From: a@b.example\nSubject: s\n".to_vec();
    mail.extend(b"Content-Type: message/rfc822\n\n".repeat(levels));
    mail.extend(b"Subject: inner\n\nx");
    mail
}

#[test]
fn nesting_has_a_limit_that_the_stack_can_take() {
    assert!(mapped(Mapper::Mail, &nested(MAIL_PARTS_MAX - 1)).is_ok());
    assert!(mapped(Mapper::Mail, &nested(MAIL_PARTS_MAX)).is_ok());
    assert_eq!(
        mapped(Mapper::Mail, &nested(MAIL_PARTS_MAX + 1))
            .unwrap_err()
            .kind,
        RefusalKind::TooLarge
    );
    assert_eq!(
        mapped(Mapper::Mail, &nested(400_000)).unwrap_err().kind,
        RefusalKind::TooLarge
    );
}

#[test]
fn nesting_inside_encoded_parts_is_counted_too() {
    use base64::Engine as _;
    let packed = base64::engine::general_purpose::STANDARD.encode(nested(100_000));
    for kind in ["message/rfc822", "application/octet-stream", "text/plain"] {
        let mail = format!(
            "From: a@b.example\nSubject: s\nContent-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: {kind}\n\
             Content-Transfer-Encoding: base64\n\n{packed}\n--b--\n"
        );
        let refusal = mapped(Mapper::Mail, mail.as_bytes()).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::TooLarge, "{kind}: {refusal}");
    }
}

#[test]
fn lines_that_could_be_headers_have_a_limit_before_any_is_parsed() {
    let mail = |lines: usize| format!("From: a@b.example\n{}\n\n", "a:\n".repeat(lines - 1));
    for (lines, fits) in [
        (MAIL_STRUCTURE_LINES_MAX - 1, true),
        (MAIL_STRUCTURE_LINES_MAX, true),
        (MAIL_STRUCTURE_LINES_MAX + 1, false),
    ] {
        let found = mapped(Mapper::Mail, mail(lines).as_bytes());
        assert_eq!(found.is_ok(), fits, "{lines}");
    }
    let refusal = mapped(Mapper::Mail, mail(1_000_000).as_bytes()).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::TooLarge);
    assert_eq!(
        refusal.to_string(),
        "a mail of 1000000 lines that could be headers; at most 100000 are read; attach long text files encoded"
    );
    // Encoded content is no structure.
    let long = format!(
        "From: a@b.example\n\n{}",
        "QUJD\n".repeat(MAIL_STRUCTURE_LINES_MAX + 1)
    );
    assert!(mapped(Mapper::Mail, long.as_bytes()).is_ok());
}

#[test]
fn a_thousand_multiparts_and_a_large_header_do_no_harm() {
    let mut mail = String::from("From: a@b.example\nSubject: s\n");
    for level in 0..1_000 {
        mail.push_str("Content-Type: multipart/mixed; boundary=b");
        mail.extend([level.to_string(), format!("\n\n--b{level}\n")]);
    }
    assert_eq!(
        mapped(Mapper::Mail, mail.as_bytes()).unwrap_err().kind,
        RefusalKind::TooLarge
    );
    let header = format!(
        "From: a@b.example\nSubject: {}\nDate: {}Mon\n\n",
        "x".repeat(1 << 20),
        "(".repeat(10_000)
    );
    let found = one(Mapper::Mail, header.as_bytes());
    assert_eq!(found.incident.title.chars().count(), TITLE_CHARACTERS_MAX);
}

#[test]
fn hostile_headers_are_shown_and_not_obeyed() {
    let mail = "From: a@b.example\nFrom: ceo@ville.example\nSubject: x\u{202e}y\u{7}\nTo: <../../x@b.example>\n\
        Content-Type: application/pdf; name=\"../../invoice\u{202e}fdp.exe\"\nContent-Disposition: attachment\n\nMZ";
    let found = one(Mapper::Mail, mail.as_bytes());
    assert!(found.incident.tags.contains(&"several-senders".to_owned()));
    assert_eq!(found.incident.title, "xy");
    assert_eq!(found.files[0].reference.name, "report.eml");
}

#[test]
fn an_attached_mail_is_kept_byte_for_byte() {
    let inner = "From: x@evil.example\r\nSubject: order\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nhttps://rob=C3=ADnhood.example/ and content-transfer-encoding\r\n";
    let forward = |headers: &str, body: &str| {
        format!(
            "From: a@ville.example\r\nSubject: Fwd: order\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n{headers}\r\n{body}\r\n--b--\r\n"
        )
    };
    let as_it_is = one(Mapper::Mail, forward("", inner).as_bytes());
    assert_eq!(
        String::from_utf8_lossy(&as_it_is.files[1].bytes).trim_end(),
        inner.trim_end()
    );
    let encoded = inner.replace('=', "=3D");
    let header = "Content-Transfer-Encoding: quoted-printable\r\n";
    let decoded = one(Mapper::Mail, forward(header, &encoded).as_bytes());
    assert_eq!(
        String::from_utf8_lossy(&decoded.files[1].bytes).trim_end(),
        inner.trim_end()
    );
}
