//! What the range shows to people: the mailbox and the firewall. Text only, everything escaped.

use mail_parser::{MessageParser, MimeHeaders as _, PartType};

use super::exchange::{Asked, Reply};
use super::firewall::Polled;
use super::mailbox::Mail;
use super::{World, lock};

/// Mails shown, newest first.
const MAILS_SHOWN: usize = 100;
/// Characters of a mail's text that are shown.
const TEXT_CHARACTERS_SHOWN: usize = 20_000;
/// Long enough to read a mail that was opened.
const MAIL_PAGE_RELOAD_SECONDS: u8 = 15;
/// Short enough to see a block arrive.
const FIREWALL_PAGE_RELOAD_SECONDS: u8 = 2;

/// `/range/mail` and `/range/firewall`.
pub(super) fn page(world: &World, asked: &Asked) -> Reply {
    match asked.path.as_str() {
        "/range/mail" => html("Mailbox", MAIL_PAGE_RELOAD_SECONDS, &mails(&world.mailbox.all())),
        "/range/firewall" => html("Firewall", FIREWALL_PAGE_RELOAD_SECONDS, &firewall(world)),
        _ => Reply::not_found(),
    }
}

fn html(title: &str, reload_seconds: u8, body: &str) -> Reply {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"{reload_seconds}\">\
         <meta http-equiv=\"content-security-policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title} - range</title><style>body{{font:16px/1.5 system-ui,sans-serif;color:#1b2430;max-width:60rem;margin:2rem auto;padding:0 1rem}}\
         h2{{font-size:1.1rem;margin-bottom:0}}h3{{font:1rem monospace;margin-bottom:0}}.who,summary{{color:#5a6675;margin:0}}\
         article{{border-top:1px solid #c8d0d9;margin-top:1.5rem}}pre{{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f7fa;padding:1rem}}\
         a{{color:#0b57a4}}</style></head><body><h1>{title}</h1><p><a href=\"/range/mail\">Mailbox</a> &middot; \
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
        parts.push(article(mail));
    }
    parts.concat()
}

/// One mail: its headers, its plain part, and its HTML part as text and as markup. The markup is
/// never given to the browser: a mail may hold what an attacker wrote.
fn article(mail: &Mail) -> String {
    let Some(message) = MessageParser::default().parse(&mail.raw) else {
        return format!(
            "<article><h2>(not a mail)</h2><pre>{}</pre></article>",
            shown(&String::from_utf8_lossy(&mail.raw))
        );
    };
    let mut parts = vec![format!(
        "<article><h2>{}</h2><p class=\"who\">from {} to {}</p>",
        escape(message.subject().unwrap_or("(no subject)")),
        escape(&mail.from),
        escape(&mail.to.join(", ")),
    )];
    let bodies = |ids: &[u32]| {
        let known = ids
            .iter()
            .filter_map(|id| message.parts.get(usize::try_from(*id).ok()?));
        known
            .filter_map(|part| match &part.body {
                PartType::Text(text) => Some((false, text.to_string())),
                PartType::Html(page) => Some((true, page.to_string())),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let plain: Vec<_> = bodies(&message.text_body)
        .into_iter()
        .filter(|(is_html, _)| !is_html)
        .collect();
    let pages: Vec<_> = bodies(&message.html_body)
        .into_iter()
        .filter(|(is_html, _)| *is_html)
        .collect();
    for (_, text) in &plain {
        parts.push(format!("<pre>{}</pre>", shown(text)));
    }
    for (_, page) in &pages {
        if plain.is_empty() {
            let text = mail_parser::decoders::html::html_to_text(page);
            parts.push(format!("<pre>{}</pre>", shown(&text)));
        }
        parts.push(format!(
            "<details><summary>HTML part, as it was sent</summary><pre>{}</pre></details>",
            shown(page)
        ));
    }
    if plain.is_empty() && pages.is_empty() {
        parts.push("<p>This mail has no text.</p>".to_owned());
    }
    for attachment in message.attachments() {
        parts.push(format!(
            "<p class=\"who\">attached: {} ({} bytes)</p>",
            escape(attachment.attachment_name().unwrap_or("without a name")),
            attachment.len()
        ));
    }
    parts.push("</article>".to_owned());
    parts.concat()
}

/// The beginning of a text, escaped.
fn shown(text: &str) -> String {
    let mut characters = text.chars();
    let mut beginning: String = characters.by_ref().take(TEXT_CHARACTERS_SHOWN).collect();
    if characters.next().is_some() {
        beginning.push_str("\n(cut here)");
    }
    escape(&beginning)
}

fn firewall(world: &World) -> String {
    let mut parts = vec!["<h2>Polled from Sortie's block lists</h2>".to_owned()];
    let lists = world.firewall.lists();
    if lists.is_empty() {
        parts.push("<p>No list has been fetched yet.</p>".to_owned());
    }
    for (path, entries) in &lists {
        parts.push(format!("<h3>{}</h3>", escape(path)));
        parts.push(list(entries.iter()));
    }
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
