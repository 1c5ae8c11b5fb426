//! What the receiving mail server found out about the sender.
//!
//! Owns the reading of `Authentication-Results` (RFC 8601). Checks nothing itself: SPF, DKIM and
//! DMARC can only be judged where the mail arrived.

#[cfg(test)]
mod tests;

/// The words a result may be; anything else counts as none.
const RESULTS: &[&str] = &[
    "none",
    "pass",
    "fail",
    "softfail",
    "neutral",
    "policy",
    "temperror",
    "permerror",
    "bestguesspass",
];

/// Results of one mail; `none` where the server says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Authentication {
    pub(crate) spf: &'static str,
    pub(crate) dkim: &'static str,
    pub(crate) dmarc: &'static str,
}

/// Reads the header values, the topmost first.
///
/// Only headers of the server that wrote the topmost one count: what stands below may have been
/// written by the sender.
pub(crate) fn read<'h>(headers: impl IntoIterator<Item = &'h str>) -> Authentication {
    let mut server: Option<String> = None;
    let (mut spf, mut dkim, mut dmarc) = (None, None, None);
    for header in headers {
        let plain = without_comments(header);
        // Exchange Online leaves out the server's name and begins with a result.
        let (name, clauses) = match plain.split_once(';') {
            Some((first, rest)) if !first.contains('=') => (first, rest),
            _ if plain.contains('=') => ("", plain.as_str()),
            _ => (plain.as_str(), ""),
        };
        let name = name
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        if *server.get_or_insert_with(|| name.clone()) != name {
            continue;
        }
        for clause in clauses.split(';') {
            let Some((method, result)) = result(clause) else {
                continue;
            };
            match method.as_str() {
                "spf" => _ = spf.get_or_insert(result),
                "dmarc" => _ = dmarc.get_or_insert(result),
                // A mail may carry several signatures; one good one is enough.
                "dkim" if dkim.is_none() || result == "pass" => dkim = Some(result),
                _ => {}
            }
        }
    }
    Authentication {
        spf: spf.unwrap_or("none"),
        dkim: dkim.unwrap_or("none"),
        dmarc: dmarc.unwrap_or("none"),
    }
}

/// `dkim=pass header.d=...` as method and result.
fn result(clause: &str) -> Option<(String, &'static str)> {
    let (method, rest) = clause.split_once('=')?;
    let method = method.trim().split('/').next()?.trim().to_ascii_lowercase();
    let word = rest.trim_start();
    let length = word
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(word.len());
    let word = word.get(..length)?.to_ascii_lowercase();
    let known = RESULTS.iter().find(|known| **known == word)?;
    Some((method, known))
}

/// The value without comments in parentheses, which may hold any character, and without quotes.
fn without_comments(value: &str) -> String {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    let mut plain = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => depth -= 1,
            ';' if quoted => plain.push(' '),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

impl Authentication {
    /// Nothing was found out.
    pub(crate) const NONE: Self = Self {
        spf: "none",
        dkim: "none",
        dmarc: "none",
    };
}
