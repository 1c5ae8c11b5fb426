//! The checked forms of text, each with one spelling.
//!
//! Owns what is a valid address, domain, URL, mail address, phone number or hash. A value that
//! two systems could read differently is refused, not repaired.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use url::Url;

use crate::types::TextForm;

/// Longest URL in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// Longest domain name in bytes (RFC 1035).
const DOMAIN_BYTES_MAX: usize = 253;
/// Longest mail address in bytes (RFC 5321).
const EMAIL_BYTES_MAX: usize = 254;
/// Digits of an E.164 number.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 6..=15;

/// The text in the one spelling of its form.
///
/// # Errors
/// What was expected, for a message such as "an IP address is expected, found `10.0.0.300`".
pub fn canonical_text(text: &str, form: TextForm) -> Result<String, String> {
    let found = match form {
        TextForm::Ip => ip(text),
        TextForm::Cidr => cidr(text),
        TextForm::Domain => domain(text),
        TextForm::Url => url(text),
        TextForm::Email => email(text),
        TextForm::Phone => phone(text),
        TextForm::Hash => hash(text),
        TextForm::Observable => observable(text),
        TextForm::Verdict => super::is_verdict(text).then(|| text.to_owned()),
        TextForm::Document => Some(text.to_owned()),
    };
    found.ok_or_else(|| {
        match form {
            TextForm::Ip => "an IP address such as 192.0.2.1",
            TextForm::Cidr => "an address prefix such as 192.0.2.0/24",
            TextForm::Domain => "a domain name such as www.example.org",
            TextForm::Url => "an absolute http or https URL without a user name",
            TextForm::Email => "a mail address such as name@example.org",
            TextForm::Phone => "a phone number such as +33600000000",
            TextForm::Hash => "an MD5, SHA-1 or SHA-256 in hexadecimal",
            TextForm::Observable => "an address, domain, URL, mail address or hash",
            TextForm::Verdict => "one of malicious, suspicious, unknown, clean, benign, noise",
            TextForm::Document => "a text",
        }
        .to_owned()
    })
}

fn ip(text: &str) -> Option<String> {
    Some(super::parse_ip(text)?.to_string())
}

fn cidr(text: &str) -> Option<String> {
    if !text.contains('/') {
        return None;
    }
    let net: IpNet = text.parse().ok()?;
    // 192.0.2.7/24 means one of two things to different products.
    (net.trunc() == net).then(|| net.to_string())
}

fn domain(text: &str) -> Option<String> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    // The list of URLs lets underscores through, which service names have; `is_label` does the rest.
    let ascii = idna::domain_to_ascii_cow(bare.as_bytes(), idna::AsciiDenyList::URL).ok()?;
    let last = ascii.rsplit('.').next()?;
    let fits = ascii.contains('.')
        && ascii.len() <= DOMAIN_BYTES_MAX
        && last.bytes().any(|byte| byte.is_ascii_alphabetic())
        && ascii.split('.').all(is_label);
    // `0x7f.1` and other spellings that resolvers take for addresses end in a number.
    (fits && ascii.parse::<IpAddr>().is_err() && !last.starts_with("0x")).then(|| ascii.into_owned())
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn url(text: &str) -> Option<String> {
    if text.len() > URL_BYTES_MAX
        || text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == '\\')
    {
        return None;
    }
    let parsed = Url::parse(text).ok()?;
    let web = matches!(parsed.scheme(), "http" | "https");
    let bare = parsed.username().is_empty() && parsed.password().is_none();
    let written_host = host_as_written(text)?;
    let host_agrees = match parsed.host()? {
        // Url reads 0x7f.1, 0177.0.0.1 and 2130706433 as addresses; nobody writes those honestly.
        url::Host::Ipv4(address) => written_host == address.to_string(),
        url::Host::Ipv6(address) => written_host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<Ipv6Addr>()
            .is_ok_and(|written| written == address),
        url::Host::Domain(name) => !name.is_empty() && name.len() <= DOMAIN_BYTES_MAX,
    };
    (web && bare && host_agrees).then(|| parsed.to_string())
}

fn host_as_written(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("://")?;
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let authority = after.get(..end)?;
    let host = authority.rsplit('@').next()?;
    if host.starts_with('[') {
        return host.find(']').and_then(|close| host.get(..=close));
    }
    host.split(':').next()
}

fn email(text: &str) -> Option<String> {
    let (local, host) = text.rsplit_once('@')?;
    let fits = !local.is_empty()
        && local.len() <= 64
        && text.len() <= EMAIL_BYTES_MAX
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte));
    let host = domain(host)?;
    fits.then(|| format!("{local}@{host}"))
}

fn phone(text: &str) -> Option<String> {
    let digits = text.strip_prefix('+')?;
    let fits = PHONE_DIGITS.contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    fits.then(|| text.to_owned())
}

fn hash(text: &str) -> Option<String> {
    let fits = matches!(text.len(), 32 | 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase())
}

fn observable(text: &str) -> Option<String> {
    ip(text)
        .or_else(|| hash(text))
        .or_else(|| url(text))
        .or_else(|| email(text))
        .or_else(|| domain(text))
}
