//! Types as authors write them: `int`, `list<domain>`, `{name: string, score?: int}`, `url?`.

use indexmap::IndexMap;

use crate::suggestion::did_you_mean;
use crate::types::{TextForm, Type};

/// Lists and records inside each other.
pub(crate) const TYPE_DEPTH_MAX: usize = 8;

/// Words that name a type by themselves.
const WORDS: &[&str] = &[
    "bool",
    "int",
    "double",
    "string",
    "duration",
    "time",
    "ip",
    "cidr",
    "domain",
    "url",
    "email",
    "phone",
    "hash",
    "file",
    "mail",
    "document",
    "observable",
    "severity",
    "tlp",
    "pap",
    "verdict",
    "record",
];

/// Parses a type. `enums` are the playbook's own ordered words.
///
/// # Errors
/// What is wrong, as a sentence, and help when there is some.
pub(crate) fn parse(
    text: &str,
    enums: &IndexMap<String, Vec<String>>,
) -> Result<Type, (String, Option<String>)> {
    let mut parser = TypeParser { rest: text, enums };
    let ty = parser.ty(0)?;
    if parser.rest.trim().is_empty() {
        return Ok(ty);
    }
    let rest: String = parser.rest.trim().chars().take(40).collect();
    Err((format!("`{rest}` is too much after the type"), None))
}

struct TypeParser<'a> {
    rest: &'a str,
    enums: &'a IndexMap<String, Vec<String>>,
}

type Problem = (String, Option<String>);

impl<'a> TypeParser<'a> {
    fn ty(&mut self, depth: usize) -> Result<Type, Problem> {
        if depth > TYPE_DEPTH_MAX {
            return Err((format!("a type is nested more than {TYPE_DEPTH_MAX} deep"), None));
        }
        let ty = if self.eat("{") {
            self.record(depth)?
        } else {
            self.named(depth)?
        };
        Ok(if self.eat("?") { ty.optional() } else { ty })
    }

    fn named(&mut self, depth: usize) -> Result<Type, Problem> {
        let word = self.word();
        if word == "list" {
            if !self.eat("<") {
                return Err(("`list` says of what: `list<string>`".to_owned(), None));
            }
            let item = self.ty(depth + 1)?;
            if !self.eat(">") {
                return Err(("`list<` is closed with `>`".to_owned(), None));
            }
            return Ok(item.list());
        }
        if let Some(words) = self.enums.get(word) {
            return Ok(Type::ordered(word, words.iter().map(String::as_str)));
        }
        plain(word).ok_or_else(|| {
            let shown: String = word.chars().take(40).collect();
            let known = WORDS.iter().copied().chain(self.enums.keys().map(String::as_str));
            let help = did_you_mean(word, known)
                .unwrap_or_else(|| format!("the types: {}, list<...>", WORDS.join(", ")));
            (format!("there is no type `{shown}`"), Some(help))
        })
    }

    fn record(&mut self, depth: usize) -> Result<Type, Problem> {
        let mut fields = IndexMap::new();
        loop {
            if self.eat("}") {
                return Ok(Type::Record(fields));
            }
            let name = self.word().to_owned();
            if name.is_empty() {
                return Err((
                    "a record is written `{name: type, other?: type}`".to_owned(),
                    None,
                ));
            }
            let optional = self.eat("?");
            if !self.eat(":") {
                return Err((format!("`:` and a type follow the field `{name}`"), None));
            }
            let ty = self.ty(depth + 1)?;
            fields.insert(name, if optional { ty.optional() } else { ty });
            if !self.eat(",") && !self.rest.trim_start().starts_with('}') {
                return Err(("fields of a record are separated by commas".to_owned(), None));
            }
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> &'a str {
        let trimmed = self.rest.trim_start();
        let length = trimmed
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        let (word, rest) = trimmed.split_at(length);
        self.rest = rest;
        word
    }
}

fn plain(word: &str) -> Option<Type> {
    Some(match word {
        "bool" => Type::Bool,
        "int" => Type::Int,
        "double" => Type::Double,
        "string" => Type::String,
        "duration" => Type::Duration,
        "time" => Type::Time,
        "file" => Type::File,
        "mail" => Type::Mail,
        "severity" => Type::severity(),
        "tlp" => Type::tlp(),
        "pap" => Type::pap(),
        "record" => Type::Open,
        "ip" => Type::Text(TextForm::Ip),
        "cidr" => Type::Text(TextForm::Cidr),
        "domain" => Type::Text(TextForm::Domain),
        "url" => Type::Text(TextForm::Url),
        "email" => Type::Text(TextForm::Email),
        "phone" => Type::Text(TextForm::Phone),
        "hash" => Type::Text(TextForm::Hash),
        "observable" => Type::Text(TextForm::Observable),
        "verdict" => Type::Text(TextForm::Verdict),
        "document" => Type::Text(TextForm::Document),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_prints_as_it_was_written() {
        let enums = IndexMap::from([("rank".to_owned(), vec!["low".to_owned(), "high".to_owned()])]);
        for text in [
            "int",
            "list<domain>",
            "{name: string, score?: int}",
            "list<{at: time}>",
            "rank",
            "list<list<ip>>",
        ] {
            assert_eq!(parse(text, &enums).unwrap().to_string(), text);
        }
        assert_eq!(
            parse("url?", &enums).unwrap(),
            Type::Text(TextForm::Url).optional()
        );
        assert_eq!(
            parse("strin", &enums).unwrap_err().1.unwrap(),
            "did you mean `string`?"
        );
        for wrong in [
            "",
            "list",
            "list<int",
            "{a}",
            "int int",
            "{a: int",
            "{: int}",
            "{a: int b: int}",
        ] {
            assert!(parse(wrong, &enums).is_err(), "{wrong}");
        }
        let deep = |depth: usize| format!("{}int{}", "list<".repeat(depth), ">".repeat(depth));
        assert!(parse(&deep(TYPE_DEPTH_MAX), &enums).is_ok());
        assert!(parse(&deep(TYPE_DEPTH_MAX + 1), &enums).is_err());
    }
}
