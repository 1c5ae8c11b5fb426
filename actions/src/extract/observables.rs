//! Finding addresses, domains, links, mail addresses and hashes in text.
//!
//! Owns what counts as one and its canonical form. Knows nothing of mails and looks nothing up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use indexmap::IndexSet;
use regex::Regex;
use url::Url;

use super::pattern;
use super::refang::refang;
use super::wrapper::unwrapped;

#[cfg(test)]
mod tests;

/// Characters of a link that is reported. Of a longer one only the host is.
pub(crate) const URL_CHARS_MAX: usize = 8_192;

/// Endings of file names that are also top-level domains. `invoice.zip` alone is read as a file;
/// `www.invoice.zip` and a link are read as what they are.
const FILE_ENDINGS: &[&str] = &[
    "ai", "app", "cab", "cc", "md", "mov", "pl", "ps", "py", "rs", "sh", "so", "zip",
];
/// Top-level domains kept for documentation and exercises (RFC 2606).
const EXERCISE_ENDINGS: &[&str] = &["example", "test"];

static LINK: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?i)\b(?:https?://|www\.)[^\s<>"`{}|\\^\u{0}-\u{1f}]+"#));
static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)[a-z0-9][a-z0-9._%+=&'/-]{0,63}@[\p{L}\p{N}](?:[\p{L}\p{N}.-]*[\p{L}\p{N}])?")
});
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)(?:[\p{L}\p{N}_](?:[\p{L}\p{N}_-]*[\p{L}\p{N}])?\.)+[\p{L}][\p{L}\p{N}-]*[\p{L}\p{N}]")
});
static IPV4: LazyLock<Regex> = LazyLock::new(|| pattern(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"));
static IPV6: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,8}(?:[0-9]{0,3}(?:\.[0-9]{1,3}){3})?"));
static HEX: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)[0-9a-f]{32,128}"));

/// What was found, each kind in order of appearance and without repetition.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Observables {
    pub(crate) ips: IndexSet<String>,
    pub(crate) domains: IndexSet<String>,
    pub(crate) urls: IndexSet<String>,
    pub(crate) emails: IndexSet<String>,
    pub(crate) hashes: IndexSet<String>,
}

impl Observables {
    /// Adds everything found in a text, defanged or not.
    pub(crate) fn add_text(&mut self, text: &str) {
        let text = refang(text);
        let rest = self.take(&LINK, &text, Self::add_found_link);
        let rest = self.take(&EMAIL, &rest, Self::add_email);
        let rest = self.take(&HEX, &rest, Self::add_hash);
        let rest = self.take(&IPV4, &rest, |all, ip, around| {
            !around.continues_number() && all.add_ip(ip.parse::<Ipv4Addr>().map(IpAddr::V4).ok())
        });
        let rest = self.take(&IPV6, &rest, |all, ip, around| {
            !around.continues_word() && all.add_ip(ipv6(ip))
        });
        self.take(&NAME, &rest, Self::add_name);
    }

    /// Adds a link as a mail or page gives it: with spaces, defanged or without a scheme. Tells
    /// whether it was a web link.
    pub(crate) fn add_link(&mut self, link: &str) -> bool {
        let link = refang(link.trim());
        let absolute = match link.strip_prefix("//") {
            Some(rest) => format!("https://{rest}"),
            None => link.into_owned(),
        };
        let Ok(url) = Url::parse(&absolute) else {
            return false;
        };
        if !matches!(url.scheme(), "http" | "https") {
            return false;
        }
        let url = unwrapped(url);
        match url.host() {
            Some(url::Host::Domain(domain)) => {
                self.domains
                    .insert(domain.trim_end_matches('.').to_ascii_lowercase());
            }
            Some(url::Host::Ipv4(ip)) => {
                self.ips.insert(ip.to_string());
            }
            Some(url::Host::Ipv6(ip)) => {
                self.ips.insert(ip.to_string());
            }
            None => return false,
        }
        if url.as_str().len() <= URL_CHARS_MAX {
            self.urls.insert(url.into());
        }
        true
    }

    /// How many things of the most numerous kind were found.
    pub(crate) fn largest_kind(&self) -> usize {
        [&self.ips, &self.domains, &self.urls, &self.emails, &self.hashes]
            .iter()
            .map(|kind| kind.len())
            .max()
            .unwrap_or(0)
    }

    /// Offers every match to `add` and returns the text without those it took.
    fn take(&mut self, pattern: &Regex, text: &str, add: impl Fn(&mut Self, &str, Around) -> bool) -> String {
        let mut rest = String::with_capacity(text.len());
        let mut copied = 0;
        for found in pattern.find_iter(text) {
            let around = Around::of(text, found.start(), found.end());
            if add(self, found.as_str(), around) {
                rest.push_str(text.get(copied..found.start()).unwrap_or_default());
                rest.push(' ');
                copied = found.end();
            }
        }
        rest.push_str(text.get(copied..).unwrap_or_default());
        rest
    }

    fn add_found_link(&mut self, link: &str, _: Around) -> bool {
        let link = without_closing_marks(link);
        if link
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("www."))
        {
            return self.add_link(&format!("http://{link}"));
        }
        self.add_link(link)
    }

    fn add_email(&mut self, address: &str, _: Around) -> bool {
        let Some(email) = canonical_email(address.trim_end_matches(['.', '-'])) else {
            return false;
        };
        self.emails.insert(email);
        true
    }

    fn add_hash(&mut self, hash: &str, around: Around) -> bool {
        if around.continues_word() || !matches!(hash.len(), 32 | 40 | 64) {
            return false;
        }
        self.hashes.insert(hash.to_ascii_lowercase());
        true
    }

    fn add_ip(&mut self, ip: Option<IpAddr>) -> bool {
        let Some(ip) = ip.filter(|ip| !ip.is_unspecified()) else {
            return false;
        };
        self.ips.insert(ip.to_string());
        true
    }

    fn add_name(&mut self, name: &str, around: Around) -> bool {
        if around.continues_word() || around.before == Some('@') {
            return false;
        }
        let Some(domain) = canonical_domain(name) else {
            return false;
        };
        let mut labels = domain.rsplit('.');
        let ending = labels.next().unwrap_or_default();
        let looks_like_a_file = labels.count() == 1 && FILE_ENDINGS.contains(&ending);
        if looks_like_a_file || !is_public(&domain) {
            return false;
        }
        self.domains.insert(domain);
        true
    }
}

/// The characters beside a match.
#[derive(Debug, Clone, Copy)]
struct Around {
    before: Option<char>,
    after: Option<char>,
    after_next: Option<char>,
}

impl Around {
    fn of(text: &str, start: usize, end: usize) -> Self {
        let mut after = text.get(end..).unwrap_or_default().chars();
        Self {
            before: text.get(..start).and_then(|before| before.chars().next_back()),
            after: after.next(),
            after_next: after.next(),
        }
    }

    /// Whether the match is only a piece of a longer word.
    fn continues_word(self) -> bool {
        let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        part_of_word(self.before) || part_of_word(self.after)
    }

    /// Whether the match is only a piece of a longer dotted number, such as a version or an OID.
    fn continues_number(self) -> bool {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        self.continues_word()
            || self.before == Some('.')
            || (self.after == Some('.') && digit(self.after_next))
    }
}

/// The domain in ASCII and lower case, if the text is a name of at least two labels.
pub(crate) fn canonical_domain(name: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii(name.trim_end_matches('.')).ok()?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let fits = ascii.len() <= 253 && ascii.contains('.') && ascii.split('.').all(is_label);
    fits.then_some(ascii)
}

/// The address with its domain in ASCII and lower case, if it has the form of one.
pub(crate) fn canonical_email(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let local_fits = (1..=64).contains(&local.len())
        && !local.contains(|c: char| c.is_whitespace() || c.is_control() || "\"<>(),:;@[\\]".contains(c));
    if !local_fits || domain.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    Some(format!("{local}@{}", canonical_domain(domain)?))
}

/// Whether the name ends below a suffix under which names are registered.
pub(crate) fn is_public(domain: &str) -> bool {
    let ending = domain.rsplit('.').next().unwrap_or_default();
    EXERCISE_ENDINGS.contains(&ending)
        || psl::suffix(domain.as_bytes())
            .is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() != domain.as_bytes())
}

fn ipv6(text: &str) -> Option<IpAddr> {
    let address: Ipv6Addr = text
        .trim_end_matches(':')
        .parse()
        .or_else(|_| text.parse())
        .ok()?;
    text.contains(|c: char| c.is_ascii_digit())
        .then_some(IpAddr::V6(address))
}

/// A link found in running text ends before the marks that belong to the sentence.
fn without_closing_marks(link: &str) -> &str {
    let mut link = link;
    loop {
        let shorter =
            link.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_', '…', '»', '”', '’']);
        let shorter = match shorter.chars().next_back() {
            Some(')') if count(shorter, ')') > count(shorter, '(') => shorter.strip_suffix(')'),
            Some(']') if count(shorter, ']') > count(shorter, '[') => shorter.strip_suffix(']'),
            _ => None,
        }
        .unwrap_or(shorter);
        if shorter.len() == link.len() {
            return link;
        }
        link = shorter;
    }
}

fn count(text: &str, mark: char) -> usize {
    text.matches(mark).count()
}
