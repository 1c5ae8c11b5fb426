//! `extract.mail` over real mails and hostile ones.

use std::path::{Path, PathBuf};

use playbooks::action_spec::ErrorKind;
use serde_json::{Value, json};

use super::{ExtractMail, take_apart};
use crate::action::{Action, ActionError, Files as _};
use crate::extract::FOUND_MAX;
use crate::testing::{HeldFiles, call, in_the_house, samples, town};

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/mails")
            .join(name),
    )
    .unwrap()
}

async fn extract(raw: &[u8], reporter: Option<&str>) -> Result<Value, ActionError> {
    let files = HeldFiles::default();
    let file = files.hold("message.eml", raw);
    let mut call = call(
        "extract.mail",
        json!({"mail": {"message_id": "<1@x>", "file": file}}),
    );
    if let Some(reporter) = reporter {
        call.incident = std::sync::Arc::new(json!({"reporter": {"email": reporter}}));
    }
    let performed = ExtractMail::new().perform(&call, in_the_house(&files)).await?;
    for attachment in performed.output["attachments"].as_array().unwrap() {
        assert_eq!(attachment["sha256"], attachment["file"]["sha256"]);
        let held = files.read(attachment["sha256"].as_str().unwrap()).await;
        assert!(held.unwrap().is_some(), "{attachment} is kept");
    }
    Ok(performed.output)
}

#[tokio::test]
async fn a_phishing_mail_gives_its_links_and_its_authentication() {
    let output = extract(&sample("punycode_robinhood.eml"), None).await.unwrap();
    assert_eq!(output["sender"], "support@xn--robnhood-e2a.com");
    assert_eq!(output["sender_domain"], "xn--robnhood-e2a.com");
    assert_eq!(
        output["auth"],
        json!({"spf": "pass", "dkim": "pass", "dmarc": "none"}),
        "{output:#}"
    );
    assert!(!output["urls"].as_array().unwrap().is_empty(), "{output:#}");
}

#[tokio::test]
async fn of_a_forward_the_mail_inside_counts() {
    let output = extract(&sample("eml_contains_base64_eml.eml"), None)
        .await
        .unwrap();
    assert_eq!(output["sender"], "koko@demisto.com");
    let forward = |from: &str| {
        format!(
            "From: {from}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nlook https://www.ville.example/me https://evil.example/1\r\n\
             --b\r\nContent-Type: message/rfc822\r\n\r\nAuthentication-Results: mx; spf=fail\r\nFrom: \"a@ville.example\" <mallory@evil.example>\r\n\
             Content-Type: text/html\r\n\r\n<a href='https://evil.example/2'>x</a>\r\n--b--\r\n"
        )
    };
    let reported = extract(forward("a@ville.example").as_bytes(), Some("a@ville.example"))
        .await
        .unwrap();
    assert_eq!(reported["sender"], "mallory@evil.example");
    assert_eq!(reported["auth"]["spf"], "fail");
    assert_eq!(
        reported["urls"],
        json!(["https://evil.example/1", "https://evil.example/2"])
    );
}

#[tokio::test]
async fn a_mail_attached_by_a_stranger_does_not_hide_the_stranger() {
    let trick = "From: mallory@evil.example\r\nContent-Type: message/rfc822\r\n\r\nFrom: good@bank.example\r\n\r\nx\r\n";
    let output = extract(trick.as_bytes(), Some("a@ville.example")).await.unwrap();
    assert_eq!(output["sender"], "mallory@evil.example");
    assert_eq!(
        output["auth"],
        json!({"spf": "none", "dkim": "none", "dmarc": "none"})
    );
}

#[tokio::test]
async fn a_mail_without_sender_or_file_says_so() {
    let nobody = extract(b"Subject: x\r\n\r\nhello", None).await.unwrap_err();
    assert_eq!(nobody.kind, ErrorKind::BadAnswer);
    assert!(nobody.detail.contains("names no sender"), "{nobody}");

    let files = HeldFiles::default();
    for mail in [
        json!({"message_id": "<1@x>"}),
        json!({"file": {"name": "x", "sha256": "0".repeat(64), "size": 1}}),
    ] {
        let call = call("extract.mail", json!({"mail": mail}));
        let missing = ExtractMail::new()
            .perform(&call, in_the_house(&files))
            .await
            .unwrap_err();
        assert_eq!(
            (missing.kind, missing.not_sent),
            (ErrorKind::Invalid, true),
            "{missing}"
        );
    }
}

#[test]
fn links_are_limited_and_never_cut() {
    for (count, refused) in [(FOUND_MAX - 1, false), (FOUND_MAX, false), (FOUND_MAX + 1, true)] {
        let links: Vec<String> = (0..count).map(|n| format!("https://evil.example/{n}")).collect();
        let raw = format!("From: a@x.example\n\n{}", links.join("\n"));
        assert_eq!(
            take_apart(raw.as_bytes(), None, &town()).is_err(),
            refused,
            "{count}"
        );
    }
}

#[test]
fn chinese_and_marked_texts_are_read() {
    for name in ["chinese_gb2312_encoding.eml", "utf_8_with_bom.eml"] {
        let taken = take_apart(&sample(name), None, &town()).unwrap();
        assert!(taken.sender.is_some(), "{name}");
    }
}

/// Every real mail, and every one cut at many places, is read or refused; nothing panics.
#[test]
fn no_real_mail_and_no_piece_of_one_breaks_the_parser() {
    let Some(folder) = samples("eml") else {
        return;
    };
    let mut read = 0;
    for path in mails_below(&folder) {
        let raw = std::fs::read(&path).unwrap();
        let whole = take_apart(&raw, None, &town());
        assert!(
            raw.is_empty() || whole.is_ok_and(|taken| taken.sender.is_some()),
            "{}",
            path.display()
        );
        let step = (raw.len() / 200).max(1);
        for end in (0..raw.len()).step_by(step) {
            _ = take_apart(&raw[..end], None, &town());
            _ = take_apart(&raw[end..], None, &town());
        }
        read += 1;
    }
    println!("read {read} mails");
}

fn mails_below(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| {
            if path.is_dir() {
                mails_below(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.extension().is_some_and(|ending| ending == "eml"))
        .collect()
}

#[tokio::test]
async fn the_links_of_a_forwarded_mail_are_read_through_its_transfer_encoding() {
    let raw = include_bytes!("../../../../examples/phishing-report/incident.eml");
    let output = extract(raw, Some("a.martin@ville.example")).await.unwrap();
    assert_eq!(
        output["urls"],
        json!(["https://xn--robnhood-e2a.com/contact", "https://robinhood.com/"])
    );
}
