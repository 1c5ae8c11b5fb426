//! The HTML of the pages.
//!
//! Owns the encoder: every text passes [`text`], so whatever a case says stays text. Tags are
//! written here and nowhere else, and no address of a case ever becomes a link.

use std::fmt::{self, Write as _};

use playbooks::action_spec::NO_ANSWER;
use serde_json::Value;
use state::access::Principal;
use state::event::{OnTimeout, ProposedEffect};
use state::ids::InquiryId;

use crate::view::decision::REASON_CHARACTERS_MAX;
use crate::view::{GivenReply, InquiryDetail, InquiryKind, InquiryState};

/// A sentence on top of a page.
pub(super) struct Notice {
    pub(super) bad: bool,
    text: String,
}

impl Notice {
    pub(super) fn good(text: &str) -> Self {
        Self {
            bad: false,
            text: text.to_owned(),
        }
    }

    pub(super) fn bad(text: &str) -> Self {
        Self {
            bad: true,
            text: text.to_owned(),
        }
    }
}

/// A text that stays text, inside an element and inside a quoted attribute. What would turn or hide
/// the text around it is shown as a replacement character.
struct Shown<'t>(&'t str);

fn text(text: &str) -> Shown<'_> {
    Shown(text)
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(c)?,
                c if c.is_control() || is_hidden(c) => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Marks that change the direction of a text or are not seen.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

fn frame(title: &str, notice: Option<&Notice>, main: &str) -> String {
    let notice = notice.map_or_else(String::new, |notice| {
        let class = if notice.bad { "bad" } else { "good" };
        format!(
            "<p class=\"notice {class}\" role=\"status\">{}</p>\n",
            text(&notice.text)
        )
    });
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" content=\"noindex\">\
         <title>{} - Sortie</title><link rel=\"stylesheet\" href=\"/page.css\"></head>\n\
         <body><main>\n{notice}{main}</main></body></html>\n",
        text(title)
    )
}

/// The form to sign in.
pub(super) fn sign_in(id: InquiryId, notice: Option<&Notice>) -> String {
    let main = format!(
        "<h1>{id}</h1>\n<p>Sign in with your personal token to see what is asked. Looking decides nothing.</p>\n\
         <form method=\"post\" action=\"/a/{id}\">\n\
         <label for=\"token\">Personal token</label>\n\
         <input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"off\" required autofocus>\n\
         <button type=\"submit\">Sign in and look</button>\n</form>\n"
    );
    frame(&format!("{id}: sign in"), notice, &main)
}

/// What is asked, and the forms to decide when there is a ticket.
pub(super) fn inquiry(
    found: &InquiryDetail,
    principal: &Principal,
    ticket: Option<&str>,
    notice: Option<&Notice>,
) -> String {
    let inquiry = &found.inquiry;
    let who = principal
        .person()
        .map_or(principal.actor().name.as_str(), |person| &person.name);
    let mut main = format!("<h1>{}  {}</h1>\n<dl>\n", inquiry.id, text(&inquiry.ask));
    facts(&mut main, found);
    main.push_str("</dl>\n");
    if !found.effects.is_empty() {
        main.push_str("<h2>What will be done</h2>\n");
    }
    for one in &found.effects {
        effect(&mut main, one);
    }
    if let Some(digest) = &found.digest {
        put(
            &mut main,
            format_args!("<p class=\"small\">sha256 <code>{}</code></p>\n", text(digest)),
        );
    }
    if !found.replies.is_empty() {
        main.push_str("<h2>Said so far</h2>\n<ul>\n");
        for given in &found.replies {
            said(&mut main, given);
        }
        main.push_str("</ul>\n");
    }
    match ticket {
        Some(ticket) => decisions(&mut main, found, ticket),
        None => put(
            &mut main,
            format_args!("<p class=\"standing\">{}</p>\n", text(&found.you.why)),
        ),
    }
    put(
        &mut main,
        format_args!("<p class=\"small\">Signed in as {}.</p>\n", text(who)),
    );
    frame(&inquiry.id.to_string(), notice, &main)
}

fn put(main: &mut String, what: fmt::Arguments<'_>) {
    // Writing into a text does not fail.
    let _ = main.write_fmt(what);
}

fn fact(main: &mut String, label: &str, value: &str) {
    put(
        main,
        format_args!("<dt>{}</dt><dd>{}</dd>\n", text(label), text(value)),
    );
}

fn facts(main: &mut String, found: &InquiryDetail) {
    let inquiry = &found.inquiry;
    fact(main, "State", inquiry.state.word());
    if let Some(detail) = &inquiry.detail {
        fact(main, "Ended", detail);
    }
    fact(main, "Entity", inquiry.entity.as_str());
    if let Some(incident) = &inquiry.incident {
        fact(main, "Incident", incident.as_str());
    }
    let steps = inquiry.steps.join(", ");
    fact(
        main,
        "Run",
        &format!("{} of {}, steps {steps}", inquiry.run.short(), inquiry.playbook),
    );
    fact(main, "Why it is asked", &inquiry.because);
    let asked = match inquiry.kind {
        InquiryKind::Approval => format!(
            "{}; {} of {} approved",
            inquiry.who.join(", "),
            inquiry.approvals,
            inquiry.count
        ),
        InquiryKind::Choice => inquiry.who.join(", "),
    };
    fact(main, "Asked", &asked);
    if inquiry.state == InquiryState::Open {
        let then = match inquiry.on_timeout {
            OnTimeout::Skip => "then it is skipped".to_owned(),
            OnTimeout::Fail => "then the step fails".to_owned(),
            OnTimeout::Escalate if inquiry.escalated => "then it is skipped".to_owned(),
            OnTimeout::Escalate => "then more people are asked".to_owned(),
            OnTimeout::Default => {
                format!(
                    "then the answer is {}",
                    found.default.as_deref().unwrap_or(NO_ANSWER)
                )
            }
        };
        let until = inquiry.until.strftime("%Y-%m-%d %H:%MZ");
        fact(main, "Until", &format!("{until}, {then}"));
    }
    for shown in &found.show {
        fact(main, &shown.label, &value(&shown.value));
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

fn effect(main: &mut String, effect: &ProposedEffect) {
    let through = match effect.connections.as_slice() {
        [] => "in the house".to_owned(),
        connections => format!("through {}", connections.join(", ")),
    };
    put(
        main,
        format_args!(
            "<section><h3>{}: {}</h3>\n<p>{}, {}, {} {}</p>\n<dl>\n",
            text(&effect.path.to_string()),
            text(&effect.action),
            effect.effect.word(),
            text(&through),
            effect.tlp.label(),
            effect.pap.label()
        ),
    );
    for (name, argument) in effect.arguments.as_object().into_iter().flatten() {
        fact(main, name, &value(argument));
    }
    main.push_str("</dl></section>\n");
}

fn said(main: &mut String, given: &GivenReply) {
    let comment = given.reply.comment.as_deref().unwrap_or_default();
    put(
        main,
        format_args!(
            "<li>{} {} ({}): {} <q>{}</q></li>\n",
            given.at.strftime("%Y-%m-%d %H:%MZ"),
            text(&given.reply.person),
            text(&given.reply.role),
            text(given.reply.word.word()),
            text(comment)
        ),
    );
}

fn decisions(main: &mut String, found: &InquiryDetail, ticket: &str) {
    let id = found.inquiry.id;
    put(
        main,
        format_args!(
            "<form method=\"post\" action=\"/a/{id}\">\n<h2>Decide</h2>\n\
             <input type=\"hidden\" name=\"ticket\" value=\"{}\">\n\
             <label for=\"comment\">Comment{}</label>\n\
             <input id=\"comment\" name=\"comment\" maxlength=\"{REASON_CHARACTERS_MAX}\">\n",
            text(ticket),
            if found.choices.is_empty() {
                " (a refusal needs one)"
            } else {
                ""
            }
        ),
    );
    let mut button = |decision: &str, label: &str, class: &str| {
        put(
            main,
            format_args!(
                "<button type=\"submit\" name=\"decision\" value=\"{}\" class=\"{class}\">{}</button>\n",
                text(decision),
                text(label)
            ),
        );
    };
    if found.choices.is_empty() {
        button("refuse", "Refuse", "no");
        button("approve", "Approve exactly this", "yes");
    }
    for choice in &found.choices {
        button(choice, choice, "yes");
    }
    main.push_str("</form>\n");
}
