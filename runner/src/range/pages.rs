//! What the range shows to people: the mailbox and the firewall. Text only, everything escaped.

use mail_parser::MessageParser;

use super::exchange::{Asked, Reply};
use super::firewall::Polled;
use super::mailbox::Mail;
use super::{World, lock};

/// Mails shown, newest first.
const MAILS_SHOWN: usize = 100;
/// Characters of a mail's text that are shown.
const TEXT_CHARACTERS_SHOWN: usize = 20_000;

/// `/range/mail` and `/range/firewall`.
pub(super) fn page(world: &World, asked: &Asked) -> Reply {
    match asked.path.as_str() {
        "/range/mail" => html("Mailbox", &mails(&world.mailbox.all())),
        "/range/firewall" => html("Firewall", &firewall(world)),
        _ => Reply::not_found(),
    }
}

fn html(title: &str, body: &str) -> Reply {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"2\">\
         <meta http-equiv=\"content-security-policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title} - range</title><style>body{{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto}}\
         pre{{white-space:pre-wrap;background:#f4f4f4;padding:1rem}}td,th{{text-align:left;padding-right:2rem}}\
         </style></head><body><h1>{title}</h1><p><a href=\"/range/mail\">Mailbox</a> \
         <a href=\"/range/firewall\">Firewall</a></p>{body}</body></html>"
    );
    Reply::of("text/html; charset=utf-8", page)
}

fn mails(mails: &[Mail]) -> String {
    if mails.is_empty() {
        return "<p>No mail has arrived.</p>".to_owned();
    }
    let mut parts = Vec::new();
    for mail in mails.iter().rev().take(MAILS_SHOWN) {
        let parsed = MessageParser::default().parse(&mail.raw);
        let subject = parsed
            .as_ref()
            .and_then(|message| message.subject())
            .unwrap_or("(no subject)");
        let body = parsed
            .as_ref()
            .and_then(|message| message.body_text(0))
            .unwrap_or_default();
        let body: String = body.chars().take(TEXT_CHARACTERS_SHOWN).collect();
        parts.push(format!(
            "<article><h2>{}</h2><p>from {} to {}</p><pre>{}</pre></article>",
            escape(subject),
            escape(&mail.from),
            escape(&mail.to.join(", ")),
            escape(&body),
        ));
    }
    parts.concat()
}

fn firewall(world: &World) -> String {
    let mut parts = vec!["<h2>Polled from Sortie's block list</h2>".to_owned()];
    parts.push(list(world.firewall.entries().iter()));
    let last = world.firewall.polls().pop();
    let last = last.map_or_else(
        || "it has not polled yet".to_owned(),
        |polled| match polled {
            Polled::Changed { etag, added, removed } => {
                format!(
                    "the last poll brought {} new and {} gone, tag {etag}",
                    added.len(),
                    removed.len()
                )
            }
            Polled::Unchanged => "the last poll brought nothing new (304)".to_owned(),
            Polled::Failed(why) => format!("the last poll failed: {why}; the list stays in force"),
        },
    );
    parts.push(format!(
        "<p>{} polls; {}</p>",
        world.firewall.count(),
        escape(&last)
    ));
    for (name, addresses) in lock(&world.opnsense).live() {
        parts.push(format!("<h2>OPNsense alias {}</h2>", escape(name)));
        parts.push(list(addresses.iter()));
    }
    parts.concat()
}

fn list<'a>(entries: impl Iterator<Item = &'a String>) -> String {
    let items: Vec<String> = entries
        .map(|entry| format!("<li><code>{}</code></li>", escape(entry)))
        .collect();
    if items.is_empty() {
        "<p>Nothing is blocked.</p>".to_owned()
    } else {
        format!("<ul>{}</ul>", items.concat())
    }
}

/// Text between tags or in a quoted attribute. Control characters become spaces but for line ends.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' => safe.push('\n'),
            other if other.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}
