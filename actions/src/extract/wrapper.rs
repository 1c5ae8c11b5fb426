//! Links behind the link checkers that mail services wrap around them.
//!
//! Owns the forms of those wrappers. The link behind is looked up and blocked, never the checker,
//! which every mail of the entity passes.

use url::Url;

/// The link behind a wrapper, or the link itself when it is none that is known.
pub(super) fn unwrapped(url: Url) -> Url {
    behind(&url)
        .and_then(|target| Url::parse(&target).ok())
        .filter(|target| matches!(target.scheme(), "http" | "https") && target.has_host())
        .unwrap_or(url)
}

fn behind(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    if host.ends_with(".safelinks.protection.outlook.com") {
        return query(url, "url");
    }
    if matches!(host, "urldefense.com" | "urldefense.proofpoint.com") {
        return if url.path().starts_with("/v3/") {
            let (_, rest) = url.as_str().split_once("/v3/__")?;
            let (target, _) = rest.split_once("__;")?;
            // Some versions leave one slash of the two.
            Some(match target.split_once(":/") {
                Some((scheme, rest)) => format!("{scheme}://{}", rest.trim_start_matches('/')),
                None => target.to_owned(),
            })
        } else {
            let written = query(url, "u")?.replace('-', "%").replace('_', "/");
            String::from_utf8(percent_decoded(&written)).ok()
        };
    }
    None
}

/// Text with `%3A` and the like undone; a `%` without two digits stays.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = after
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = digits {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(b'%');
            rest = after;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::unwrapped;

    #[test]
    fn the_link_behind_a_checker_is_found() {
        for (wrapped, target) in [
            (
                "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example%2Flogin%3Fa%3D1&data=x",
                "https://evil.example/login?a=1",
            ),
            (
                "https://urldefense.proofpoint.com/v2/url?u=https-3A__evil.example_exec_3n4p-3Femail-3Dtrue-26a-3D6&d=DwMCaQ&c=V9",
                "https://evil.example/exec/3n4p?email=true&a=6",
            ),
            (
                "https://urldefense.com/v3/__https://evil.example/a__;!!abc$",
                "https://evil.example/a",
            ),
            (
                "https://urldefense.com/v3/__http:/evil.example/a?b=c__;Kys!!abc$",
                "http://evil.example/a?b=c",
            ),
        ] {
            assert_eq!(
                unwrapped(Url::parse(wrapped).unwrap()).as_str(),
                target,
                "{wrapped}"
            );
        }
    }

    #[test]
    fn what_is_no_wrapper_or_hides_no_link_stays() {
        for link in [
            "https://evil.example/?url=https://ville.example/",
            "https://safelinks.protection.outlook.com.evil.example/?url=https://ville.example/",
            "https://eur01.safelinks.protection.outlook.com/?url=javascript:alert(1)",
            "https://urldefense.com/v3/__",
            "https://urldefense.proofpoint.com/v2/url?d=x",
        ] {
            assert_eq!(unwrapped(Url::parse(link).unwrap()).as_str(), link);
        }
    }
}
