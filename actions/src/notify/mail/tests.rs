//! Mails on the wire: one recipient, no injection, and certainty about what was sent.

use std::sync::Arc;

use mail_parser::MessageParser;
use playbooks::action_spec::ErrorKind;
use playbooks::marking::Tlp;
use serde_json::{Value, json};

use super::{NotifyEntity, NotifyReporter};
use crate::action::{Action, ActionError, Call, Performed, Probe};
use crate::notify::team_mail::TeamMail;
use crate::testing::relay::{Mood, Received, Relay};
use crate::testing::{HeldFiles, call, in_the_house, through};

const HOSTILE: &[&str] = &[
    "x\r\nBcc: evil@x.example",
    "x\nTo: evil@x.example\n\nbody",
    "x\rRCPT TO:<evil@x.example>",
    "=?utf-8?q?x=0D=0ABcc:_evil@x.example?=",
    "x\u{202e}\u{2066}\u{0}\u{7f}\u{85}\u{2028}y",
    "\r\n.\r\nMAIL FROM:<evil@x.example>\r\nRCPT TO:<evil@x.example>\r\n",
    "\n.\n.\r\n..\r.\r",
    ".",
    ".x\n.y\n..z",
    "{{secrets.x}} ${{ 7 * 7 }}",
    "<evil@x.example>, b@y.example",
    "é\u{1f4a9}漢字",
    "-oX /tmp/x",
];

fn rendered(subject: &str, text: &str) -> Value {
    json!({"subject": subject, "text": text, "language": "fr", "tlp": "amber"})
}

fn to_security(subject: &str, text: &str) -> Call {
    call(
        "notify.entity",
        json!({"to": "security", "template": "mail/x", "rendered": rendered(subject, text)}),
    )
}

async fn send(
    action: &dyn Action,
    call: &Call,
    mood: Mood,
) -> (Result<Performed, ActionError>, Vec<Received>) {
    let relay = Relay::start(mood).await;
    let door = relay.door();
    let files = HeldFiles::default();
    let outcome = action.perform(call, through(&door, &files)).await;
    (outcome, relay.received().await)
}

#[tokio::test]
async fn one_mail_goes_to_the_contact_and_nobody_else() {
    let (outcome, received) = send(&NotifyEntity::new(), &to_security("Page", "Text"), Mood::Willing).await;
    let performed = outcome.unwrap();
    assert_eq!(performed.output["to"], "security@ville.example");
    assert_eq!(
        performed.reference.as_deref(),
        performed.output["message_id"].as_str()
    );
    let [received] = received.as_slice() else {
        panic!("{received:?}")
    };
    assert_eq!(received.recipients(), ["RCPT TO:<security@ville.example>"]);
    assert!(
        received
            .commands
            .iter()
            .any(|line| line.starts_with("MAIL FROM:<incident@cert.example>"))
    );
}

#[tokio::test]
async fn no_text_reaches_the_envelope_the_headers_or_the_next_mail() {
    let (_, plain) = send(&NotifyEntity::new(), &to_security("x", "x"), Mood::Willing).await;
    let names = header_names(&plain[0]);
    for hostile in HOSTILE {
        let mut call = to_security(hostile, hostile);
        Arc::make_mut(&mut call.entity).name = (*hostile).to_owned();
        Arc::make_mut(&mut call.organisation).name = (*hostile).to_owned();
        call.incident = Arc::new(json!({"ref": hostile}));
        let (outcome, received) = send(&NotifyEntity::new(), &call, Mood::Willing).await;
        assert!(outcome.is_ok(), "{hostile:?}");
        assert_eq!(received.len(), 1, "{hostile:?}");
        assert_eq!(
            received[0].recipients(),
            ["RCPT TO:<security@ville.example>"],
            "{hostile:?}"
        );
        assert_eq!(received[0].commands.len(), plain[0].commands.len(), "{hostile:?}");
        assert_eq!(header_names(&received[0]), names, "{hostile:?}");
        let wire = &received[0].wire;
        let lone = wire.iter().enumerate().any(|(at, byte)| match byte {
            b'\n' => at == 0 || wire[at - 1] != b'\r',
            b'\r' => wire.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        assert!(!lone, "a bare CR or LF for {hostile:?}");
        assert!(wire.is_ascii(), "{hostile:?}");
        let message = received[0].message();
        let parsed = MessageParser::default().parse(message.as_bytes()).unwrap();
        let subject = parsed.subject().unwrap();
        assert!(
            !subject.chars().any(crate::notify::text::is_unprintable),
            "{subject:?}"
        );
        assert_eq!(parsed.parts.len(), 3, "{hostile:?}");
    }
}

fn header_names(received: &Received) -> Vec<String> {
    let message = received.message();
    let parsed = MessageParser::default().parse(message.as_bytes()).unwrap();
    parsed
        .headers()
        .iter()
        .map(|header| header.name().to_owned())
        .collect()
}

#[tokio::test]
async fn lines_that_begin_with_a_dot_arrive_whole() {
    let text = ".\n..\n.a\nend";
    let (_, received) = send(&NotifyEntity::new(), &to_security("x", text), Mood::Willing).await;
    let message = received[0].message();
    let parsed = MessageParser::default().parse(message.as_bytes()).unwrap();
    let body = parsed.body_text(0).unwrap().replace("\r\n", "\n");
    assert!(body.ends_with("\n.\n..\n.a\nend\n"), "{body}");
}

#[tokio::test]
async fn above_the_ceiling_goes_a_notice_without_content() {
    for (tlp, noticed) in [(Tlp::Amber, false), (Tlp::AmberStrict, false), (Tlp::Red, true)] {
        let mut call = to_security("Page de evil.example", "secret words");
        call.tlp = tlp;
        let (outcome, received) = send(&NotifyEntity::new(), &call, Mood::Willing).await;
        assert!(outcome.is_ok());
        let message = received[0].message();
        let parsed = MessageParser::default().parse(message.as_bytes()).unwrap();
        let whole = format!(
            "{} {} {}",
            parsed.subject().unwrap(),
            parsed.body_text(0).unwrap(),
            parsed.body_html(0).unwrap()
        );
        assert_eq!(
            !whole.contains("secret words") && !whole.contains("evil"),
            noticed,
            "{whole}"
        );
        assert_eq!(whole.contains("Appelez-nous"), noticed, "{whole}");
    }
    let mut call = to_security("x", "secret words");
    call.arguments["to"] = json!("legal");
    let (_, received) = send(&NotifyEntity::new(), &call, Mood::Willing).await;
    assert!(
        !received[0].message().contains("secret words"),
        "the contact takes TLP:GREEN at most"
    );
}

#[tokio::test]
async fn only_a_registered_contact_is_written_to() {
    let files = HeldFiles::default();
    for role in [
        "",
        "nobody",
        "security@ville.example",
        "a@x.example, b@y.example",
        "-oX",
    ] {
        let mut call = to_security("x", "x");
        call.arguments["to"] = json!(role);
        let refused = NotifyEntity::new()
            .perform(&call, in_the_house(&files))
            .await
            .unwrap_err();
        assert_eq!(
            (refused.kind, refused.not_sent),
            (ErrorKind::Invalid, true),
            "{role}"
        );
    }
    let mut call = to_security("x", "x");
    call.arguments.as_object_mut().unwrap().remove("rendered");
    let refused = NotifyEntity::new()
        .perform(&call, in_the_house(&files))
        .await
        .unwrap_err();
    assert!(refused.detail.contains("not rendered"), "{refused}");
}

#[tokio::test]
async fn a_reporter_outside_the_entity_is_not_answered() {
    let files = HeldFiles::default();
    let reported_by = |address: &str| {
        let mut call = call(
            "notify.reporter",
            json!({"template": "mail/x", "rendered": rendered("x", "x")}),
        );
        call.incident = Arc::new(json!({"ref": "PH-2026-00417", "reporter": {"email": address}}));
        call
    };
    for (address, kind) in [
        ("a@evil.example", ErrorKind::Policy),
        ("a@notville.example", ErrorKind::Policy),
        ("a@ville.example.evil.example", ErrorKind::Policy),
        ("a@ville.example@evil.example", ErrorKind::Invalid),
        ("\"x\"@ville.example", ErrorKind::Invalid),
        ("a@ville.example, b@evil.example", ErrorKind::Invalid),
        ("a@ville.example\r\nBcc: b@evil.example", ErrorKind::Invalid),
        ("", ErrorKind::Invalid),
    ] {
        let refused = NotifyReporter::new()
            .perform(&reported_by(address), in_the_house(&files))
            .await
            .unwrap_err();
        assert_eq!(
            (refused.kind, refused.not_sent),
            (kind, true),
            "{address:?}: {refused}"
        );
    }
    for address in ["a@ville.example", "a@sub.VILLE.example", "a%b@ville.example"] {
        let (outcome, received) = send(&NotifyReporter::new(), &reported_by(address), Mood::Willing).await;
        assert!(outcome.is_ok(), "{address}");
        assert_eq!(received[0].recipients().len(), 1);
    }
}

#[tokio::test]
async fn what_is_certain_and_what_is_not() {
    for (mood, kind, not_sent) in [
        (Mood::AtRecipient("550 no such user"), ErrorKind::Rejected, true),
        (Mood::AtRecipient("451 try later"), ErrorKind::Undelivered, true),
        (Mood::AfterMessage("554 spam"), ErrorKind::Rejected, true),
        (Mood::AfterMessage("452 full"), ErrorKind::Undelivered, true),
        (Mood::AfterMessage(""), ErrorKind::Timeout, false),
    ] {
        let (outcome, _) = send(&NotifyEntity::new(), &to_security("x", "x"), mood).await;
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.kind, error.not_sent),
            (kind, not_sent),
            "{mood:?}: {error}"
        );
    }
    let files = HeldFiles::default();
    let probe = NotifyEntity::new()
        .probe(&to_security("x", "x"), in_the_house(&files))
        .await;
    assert!(matches!(probe, Probe::CannotTell(_)));
}

#[tokio::test]
async fn the_team_gets_a_mail_at_the_channels_address() {
    let post = call(
        "notify.team",
        json!({"channel": "duty", "text": "links failed\nsee below", "urgent": true}),
    );
    let (outcome, received) = send(&TeamMail::new(), &post, Mood::Willing).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(received[0].recipients(), ["RCPT TO:<duty@cert.example>"]);
    let message = received[0].message();
    assert!(message.contains("Importance: high\r\n"));
    let parsed = MessageParser::default().parse(message.as_bytes()).unwrap();
    assert_eq!(
        parsed.subject().unwrap(),
        "[CERT-EX PH-2026-00417] TLP:AMBER links failed"
    );
}
