//! What an invitation says, and what it never says.

use mail_parser::MessageParser;
use serde_json::json;

use super::*;
use crate::testing::call;

fn invitation() -> Invitation {
    Invitation {
        recipient: "karim@cert.example".to_owned(),
        person: "karim".to_owned(),
        id: "A-93".to_owned(),
        ask: "Block evil.example?".to_owned(),
        because: "the policy of ville-exemple asks for 1".to_owned(),
        who: vec!["duty-officer".to_owned()],
        count: 1,
        until: ("2026-03-02T08:30:00Z".parse().unwrap(), Silence::Escalate),
        choices: Vec::new(),
        show: vec![("Link".to_owned(), json!("https://evil.example/<script>"))],
        effects: vec![InvitedEffect {
            path: "block".to_owned(),
            action: "block.domain (contain)".to_owned(),
            connections: vec!["lists".to_owned()],
            arguments: json!({"domain": "evil.example", "reason": "a\r\nBcc: mallory@evil.example"}),
        }],
        link: "https://sortie.cert.example/a/A-93".to_owned(),
        ceiling: Tlp::Red,
    }
}

fn parts(invitation: &Invitation, tlp: Tlp) -> (String, String, String) {
    let mut call = call("ask.human", json!({}));
    call.tlp = tlp;
    call.organisation = std::sync::Arc::new(playbooks::operator::Organisation {
        language: "en".to_owned(),
        ..(*call.organisation).clone()
    });
    let bytes = Invite::new(invitation).compose(&call).unwrap().bytes;
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(message.to().unwrap().iter().count(), 1);
    assert!(message.cc().is_none() && message.bcc().is_none());
    (
        message.subject().unwrap().to_owned(),
        message.body_text(0).unwrap().replace("\r\n", "\n"),
        message.body_html(0).unwrap().into_owned(),
    )
}

#[test]
fn both_parts_say_what_is_asked_and_hold_one_link() {
    let (subject, text, html) = parts(&invitation(), Tlp::Amber);
    assert_eq!(
        subject,
        "[CERT-EX PH-2026-00417] TLP:AMBER Approval A-93: Block evil[.]example?"
    );
    let body: Vec<&str> = text.lines().skip(3).collect();
    assert_eq!(
        body,
        [
            "Block evil[.]example?",
            "",
            "Why it is asked: the policy of ville-exemple asks for 1",
            "Asked: duty-officer",
            "Until: 2026-03-02 09:30 CET, then more people are asked",
            "Persons who must agree: 1",
            "",
            "Link: hxxps://evil[.]example/<script>",
            "",
            "What will be done:",
            "! block  block.domain (contain) > lists",
            "    domain: evil[.]example",
            "    reason: a Bcc: mallory@evil[.]example",
            "",
            "This mail decides nothing, and neither does opening the link. Sign in there to look and decide:",
            "https://sortie.cert.example/a/A-93",
        ],
        "{text}"
    );
    assert!(text.starts_with("TLP:AMBER  "));
    assert_eq!(html.matches("<a ").count(), 1, "{html}");
    assert!(
        html.contains("<a href=\"https://sortie.cert.example/a/A-93\">"),
        "{html}"
    );
    assert!(
        html.contains("&lt;script&gt;") && !html.contains("<script"),
        "{html}"
    );
    assert!(!html.contains("https://evil"), "{html}");
}

#[test]
fn a_question_names_its_answers() {
    let asked = Invitation {
        choices: vec!["takedown".to_owned(), "watch".to_owned()],
        effects: Vec::new(),
        ..invitation()
    };
    let (subject, text, _) = parts(&asked, Tlp::Green);
    assert!(subject.contains("Question A-93: "), "{subject}");
    assert!(text.contains("Answers: takedown / watch"), "{text}");
    assert!(
        !text.contains("must agree") && !text.contains("will be done"),
        "{text}"
    );
}

#[test]
fn above_the_ceiling_nothing_of_the_case_is_said() {
    for (ceiling, tlp) in [(Tlp::Red, Tlp::Red), (Tlp::Green, Tlp::Amber)] {
        let (subject, text, html) = parts(
            &Invitation {
                ceiling,
                ..invitation()
            },
            tlp,
        );
        for part in [&subject, &text, &html] {
            assert!(!part.contains("evil") && !part.contains("Block"), "{part}");
            assert!(part.contains("A-93"), "{part}");
        }
    }
}

#[test]
fn a_long_list_is_cut_with_its_number() {
    let one = invitation().effects[0].clone();
    for (effects, more) in [
        (INVITATION_EFFECTS_MAX, false),
        (INVITATION_EFFECTS_MAX + 1, true),
    ] {
        let asked = Invitation {
            effects: vec![one.clone(); effects],
            ..invitation()
        };
        let (_, text, _) = parts(&asked, Tlp::Amber);
        assert_eq!(text.contains("+ 1 more on the page"), more, "{text}");
        assert_eq!(text.matches("! block  ").count(), INVITATION_EFFECTS_MAX);
    }
}
