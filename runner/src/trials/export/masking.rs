//! Personal data taken out of what a run saw, the same value always by the same stand-in.
//!
//! The rule, also in `docs/testing-playbooks.md`: of mail addresses the part before the `@`, of URLs
//! everything behind the host, names of persons, accounts, machines and files, phone numbers, message
//! ids, and free text are replaced; `raw` is emptied. Kept is what decisions hang on: addresses of
//! machines, domains, hashes, times, numbers, words of the language, names of signatures.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Fields that hold free text.
const TEXTS: &[&str] = &[
    "title",
    "summary",
    "subject",
    "text",
    "body",
    "note",
    "reason",
    "message",
    "comment",
    "description",
    "detail",
    "html",
    "content",
];
/// Fields that name a person, an account or a machine, with the word of the stand-in.
const NAMES: &[(&str, &str)] = &[
    ("hostname", "host"),
    ("username", "user"),
    ("user_name", "user"),
    ("display_name", "person"),
    ("full_name", "person"),
    ("filename", "file"),
];
/// Records whose `name` or `id` names a person or a file, with the word of the stand-in.
const RECORDS: &[(&str, &str)] = &[
    ("reporter", "person"),
    ("user", "user"),
    ("owner", "person"),
    ("host", "host"),
    ("file", "file"),
    ("files", "file"),
    ("attachments", "file"),
];
/// Longest text that is taken for a value and not for free text.
const VALUE_CHARS_MAX: usize = 200;

/// Stand-ins given so far.
#[derive(Debug, Default)]
pub(super) struct Mask {
    known: BTreeMap<(&'static str, String), String>,
    counts: BTreeMap<&'static str, usize>,
}

impl Mask {
    /// The value without personal data.
    pub(super) fn value(&mut self, value: Value) -> Value {
        self.below("", "", value)
    }

    /// A value under a key of a record that itself stands under `parent`.
    fn below(&mut self, parent: &str, key: &str, value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let fields: Map<String, Value> = fields
                    .into_iter()
                    .map(|(name, value)| {
                        let masked = if name == "raw" {
                            Value::Object(Map::new())
                        } else {
                            self.below(key, &name, value)
                        };
                        (name, masked)
                    })
                    .collect();
                Value::Object(fields)
            }
            // Items stand under the key of their list.
            Value::Array(items) => {
                let items = items.into_iter().map(|item| self.below(parent, key, item));
                Value::Array(items.collect())
            }
            Value::String(text) => Value::String(self.text(parent, key, text)),
            other => other,
        }
    }

    fn text(&mut self, parent: &str, key: &str, text: String) -> String {
        let record = RECORDS.iter().find(|(name, _)| *name == parent);
        let name = NAMES.iter().find(|(name, _)| *name == key).map(|(_, word)| *word);
        let name = name.or_else(|| {
            let names = ["name", "id"].contains(&key);
            record.filter(|_| names).map(|(_, word)| *word)
        });
        if text.is_empty() {
            return text;
        }
        if key == "message_id" {
            let number = self.number("message", &text);
            return format!("<message-{number}@masked.example>");
        }
        if key == "phone" {
            let number = self.number("phone", &text);
            return format!("+3200{number:06}");
        }
        if let Some(word) = name {
            return self.stand_in(word, &text);
        }
        if TEXTS.contains(&key) || text.chars().count() > VALUE_CHARS_MAX {
            let number = self.number("text", &text);
            return format!("masked text {number}");
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return self.url(scheme, rest, &text);
        }
        if text.contains('@') {
            return self.addresses(&text);
        }
        text
    }

    /// `person-3`; of a file the ending is kept.
    fn stand_in(&mut self, word: &'static str, text: &str) -> String {
        let number = self.number(word, text);
        let ending = text.rsplit_once('.').map(|(_, ending)| ending).filter(|ending| {
            word == "file" && ending.len() <= 5 && ending.chars().all(char::is_alphanumeric)
        });
        match ending {
            Some(ending) => format!("{word}-{number}.{ending}"),
            None => format!("{word}-{number}"),
        }
    }

    /// Scheme and host are kept, and the port; a user is not.
    fn url(&mut self, scheme: &str, rest: &str, whole: &str) -> String {
        let (authority, behind) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if behind.len() <= 1 && host == authority {
            return whole.to_owned();
        }
        let number = self.number("link", whole);
        format!("{scheme}://{host}/masked-{number}")
    }

    /// Every mail address in a text, in front of its `@`.
    fn addresses(&mut self, text: &str) -> String {
        let is_local = |c: char| c.is_alphanumeric() || "._%+-='".contains(c);
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('@') {
            let (before, behind) = rest.split_at(at);
            let start = before
                .char_indices()
                .rev()
                .take_while(|(_, c)| is_local(*c))
                .last()
                .map_or(at, |(start, _)| start);
            let (kept, local) = before.split_at(start);
            out.push_str(kept);
            if !local.is_empty() {
                let domain: String = behind
                    .chars()
                    .skip(1)
                    .take_while(|c| c.is_alphanumeric() || ".-".contains(*c))
                    .collect();
                let number = self.number("person", &format!("{local}@{domain}").to_lowercase());
                out.push_str(&format!("person-{number}"));
            }
            out.push('@');
            rest = behind.get(1..).unwrap_or("");
        }
        out + rest
    }

    /// The number of a value among those of its kind, from 1.
    fn number(&mut self, kind: &'static str, text: &str) -> String {
        let count = self.counts.entry(kind).or_default();
        self.known
            .entry((kind, text.to_owned()))
            .or_insert_with(|| {
                *count += 1;
                count.to_string()
            })
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn persons_are_masked_and_what_decides_is_kept() {
        let mut mask = Mask::default();
        let masked = mask.value(json!({
            "title": "Mail for Alice Martin", "severity": "high", "type": "phishing",
            "reporter": {"email": "a.martin@ville.example", "name": "Alice Martin"},
            "mail": {
                "message_id": "<1@mailer.example>", "subject": "Dear Alice", "from": "X <evil+1@bad.example>",
                "to": ["a.martin@ville.example", "B.Dupont@ville.example"],
                "file": {"name": "alice martin.eml", "sha256": "aa", "size": 3},
            },
            "user": {"id": "S-1-5-amartin", "email": "a.martin@ville.example"},
            "host": {"id": "h-1", "hostname": "PC-AMARTIN"},
            "signature": {"id": "1:2", "name": "ET SCAN", "blocked": false},
            "network": {"source_ip": "203.0.113.7"},
            "observables": [
                {"type": "url", "value": "https://u:p@bad.example:8443/reset?u=a.martin@ville.example"},
                {"type": "url", "value": "https://bad.example/"},
                {"type": "email", "value": "A.Martin@ville.example"},
            ],
            "raw": {"who": "Alice Martin"},
        }));
        assert_eq!(
            masked,
            json!({
                "title": "masked text 1", "severity": "high", "type": "phishing",
                "reporter": {"email": "person-1@ville.example", "name": "person-2"},
                "mail": {
                    "message_id": "<message-1@masked.example>", "subject": "masked text 2",
                    "from": "X <person-3@bad.example>",
                    "to": ["person-1@ville.example", "person-4@ville.example"],
                    "file": {"name": "file-1.eml", "sha256": "aa", "size": 3},
                },
                "user": {"id": "user-1", "email": "person-1@ville.example"},
                "host": {"id": "host-1", "hostname": "host-2"},
                "signature": {"id": "1:2", "name": "ET SCAN", "blocked": false},
                "network": {"source_ip": "203.0.113.7"},
                "observables": [
                    {"type": "url", "value": "https://bad.example:8443/masked-1"},
                    {"type": "url", "value": "https://bad.example/"},
                    {"type": "email", "value": "person-1@ville.example"},
                ],
                "raw": {},
            })
        );
        let again =
            mask.value(json!({"urls": ["https://u:p@bad.example:8443/reset?u=a.martin@ville.example"]}));
        assert_eq!(
            again,
            json!({"urls": ["https://bad.example:8443/masked-1"]}),
            "the same stand-in"
        );
    }

    #[test]
    fn odd_texts_lose_their_addresses_and_nothing_panics() {
        for (text, expected) in [
            ("@", "@"),
            ("a@", "person-1@"),
            ("@b@c@", "@person-1@person-2@"),
            ("é@ü.example, x@y", "person-1@ü.example, person-2@y"),
            ("://", "://"),
            ("http://?x@y", "http:///masked-1"),
        ] {
            assert_eq!(Mask::default().value(json!(text)), json!(expected));
        }
        for length in [VALUE_CHARS_MAX - 1, VALUE_CHARS_MAX, VALUE_CHARS_MAX + 1] {
            let masked = Mask::default().value(json!("x".repeat(length)));
            assert_eq!(masked == json!("masked text 1"), length > VALUE_CHARS_MAX);
        }
    }
}
