//! Kinds of value that occur in several tables: names, languages, zones, mailboxes, never-block
//! entries, rates.

use std::net::IpAddr;
use std::num::NonZeroU32;

use actions::connection::Rate;
use ipnet::IpNet;
use playbooks::duration::Span;
use playbooks::yaml::Node;

use super::fields::Sheet;

/// Characters of a name in a file.
const NAME_CHARACTERS_MAX: usize = 63;

/// A name such as `block-list`: lower-case letters, digits and `-`.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=NAME_CHARACTERS_MAX).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// A name such as `lock_account`, as the language has them.
pub(crate) fn is_word(text: &str) -> bool {
    (1..=NAME_CHARACTERS_MAX).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// A language, ISO 639-1.
pub(crate) fn language(sheet: &mut Sheet, node: &Node) -> Option<String> {
    let text = sheet.text(node)?;
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Some(text.to_owned());
    }
    sheet.wrong(
        &node.place,
        "this is not a language",
        "write two lower-case letters, for example fr",
    );
    None
}

/// An IANA time zone.
pub(crate) fn timezone(sheet: &mut Sheet, node: &Node) -> Option<String> {
    let text = sheet.text(node)?;
    if jiff::tz::TimeZone::get(text).is_ok() {
        return Some(text.to_owned());
    }
    sheet.wrong(
        &node.place,
        "this is not a time zone",
        "write an IANA name, for example Europe/Paris",
    );
    None
}

/// A sender: `address` or `Name <address>`.
pub(crate) fn mailbox(sheet: &mut Sheet, node: &Node) -> Option<String> {
    let text = sheet.line(node, super::organisation::NAME_CHARACTERS_MAX)?;
    let address = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => text.as_str(),
    };
    if is_mail_address(address) {
        return Some(text);
    }
    sheet.wrong(
        &node.place,
        "this is not a mail address",
        "write CERT-EX <incident@cert.example>",
    );
    None
}

/// Whether a text is a plain mail address.
pub(crate) fn is_mail_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    (1..=64).contains(&local.len())
        && local
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"@".contains(c))
        && is_domain(domain)
}

/// Whether a text is a domain name in its stored form: lower-case ASCII with at least one dot.
pub(crate) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
            })
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label) && text.parse::<IpAddr>().is_err()
}

/// A domain name as a person writes it, in its stored form.
pub(crate) fn domain(text: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii(text.trim_end_matches('.')).ok()?;
    is_domain(&ascii).then_some(ascii)
}

/// A network or a single address.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Entries that are never blocked: addresses, prefixes, domains.
pub(crate) fn never_block(sheet: &mut Sheet, node: &Node, code: &'static str) -> Vec<String> {
    let mut entries = Vec::new();
    for (item, text) in sheet.texts(node) {
        if let Some(network) = network(text) {
            entries.push(network.to_string());
        } else if let Some(domain) = domain(text) {
            entries.push(domain);
        } else if is_name(text) {
            let not_built = sheet.codes.not_built;
            let message = format!("the never-block list `{text}` is not built yet");
            sheet
                .error(not_built, &item.place, message)
                .help
                .push(format!("remove `{text}`; name addresses, prefixes and domains"));
        } else {
            sheet
                .error(
                    code,
                    &item.place,
                    format!("`{text}` is no address, prefix or domain"),
                )
                .help
                .push("write for example 192.0.2.0/24 or ville.example".to_owned());
        }
    }
    entries
}

/// So many in such a span: `4/min`.
pub(crate) fn rate(sheet: &mut Sheet, node: &Node) -> Option<Rate> {
    let text = sheet.text(node)?;
    let rate = text.split_once('/').and_then(|(count, unit)| {
        let per = match unit {
            "s" | "sec" => Span::seconds(1),
            "min" => Span::minutes(1),
            "h" | "hour" => Span::hours(1),
            "day" => Span::days(1),
            _ => return None,
        };
        let calls: NonZeroU32 = count.parse().ok()?;
        Some(Rate { calls, per })
    });
    if rate.is_none() {
        sheet.wrong(
            &node.place,
            "this is not a rate",
            "write for example 4/min, 500/day, 10/s or 100/h",
        );
    }
    rate
}
