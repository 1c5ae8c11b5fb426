//! Reading a type as an author writes it: `list<{name: string, at?: time}>`, `url?`, `rank`.
//!
//! Owns the syntax of types. Which names exist is [`super`]'s work.

use indexmap::IndexMap;

use super::{Enums, TextForm, Type};

/// How deep types may nest in one another.
const TYPE_DEPTH_MAX: usize = 8;
/// Length of the text of a type in bytes.
const TYPE_BYTES_MAX: usize = 2_048;

/// Why a text is not a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotAType {
    /// Byte of the text at which reading stopped.
    pub offset: usize,
    /// What is wrong there, without a full stop.
    pub message: String,
    /// The nearest known name, if the trouble is an unknown one.
    pub suggestion: Option<String>,
}

impl Type {
    /// Reads a type. Names of `enums` become [`Type::Ordered`].
    pub fn parse(text: &str, enums: &Enums) -> Result<Self, NotAType> {
        if text.len() > TYPE_BYTES_MAX {
            return Err(NotAType {
                offset: TYPE_BYTES_MAX,
                message: format!("a type has at most {TYPE_BYTES_MAX} characters"),
                suggestion: None,
            });
        }
        let mut reader = Reader { text, at: 0, enums };
        let ty = reader.ty(0)?;
        reader.blanks();
        if reader.at < text.len() {
            return Err(reader.wrong("the type ends before this"));
        }
        Ok(ty)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    enums: &'a Enums,
}

const NAMES: &[(&str, Type)] = &[
    ("bool", Type::Bool),
    ("int", Type::Int),
    ("double", Type::Double),
    ("string", Type::String),
    ("duration", Type::Duration),
    ("time", Type::Time),
    ("file", Type::File),
    ("mail", Type::Mail),
    ("record", Type::Open),
];

impl<'a> Reader<'a> {
    fn ty(&mut self, depth: usize) -> Result<Type, NotAType> {
        if depth > TYPE_DEPTH_MAX {
            return Err(self.wrong(&format!("types nest at most {TYPE_DEPTH_MAX} deep")));
        }
        self.blanks();
        let ty = if self.take('{') {
            self.fields(depth)?
        } else {
            let start = self.at;
            let name = self.word();
            if name == "list" {
                self.need('<')?;
                let item = self.ty(depth + 1)?;
                self.need('>')?;
                item.list()
            } else {
                self.named(name, start)?
            }
        };
        self.blanks();
        Ok(if self.take('?') { ty.optional() } else { ty })
    }

    fn fields(&mut self, depth: usize) -> Result<Type, NotAType> {
        let mut fields = IndexMap::new();
        self.blanks();
        while !self.take('}') {
            if !fields.is_empty() {
                self.need(',')?;
                self.blanks();
            }
            let name = self.word();
            if name.is_empty() {
                return Err(self.wrong("the name of a field goes here"));
            }
            self.blanks();
            let optional = self.take('?');
            self.need(':')?;
            let ty = self.ty(depth + 1)?;
            let ty = if optional { ty.optional() } else { ty };
            if fields.insert(name.to_owned(), ty).is_some() {
                return Err(self.wrong(&format!("`{name}` is there twice")));
            }
            self.blanks();
        }
        Ok(Type::Record(fields))
    }

    fn named(&self, name: &str, start: usize) -> Result<Type, NotAType> {
        if let Some((_, ty)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(ty.clone());
        }
        if let Some(form) = TextForm::ALL.iter().find(|form| form.word() == name) {
            return Ok(Type::Text(*form));
        }
        match name {
            "severity" => return Ok(Type::severity()),
            "tlp" => return Ok(Type::tlp()),
            "pap" => return Ok(Type::pap()),
            _ => {}
        }
        if let Some(words) = self.enums.get(name) {
            return Ok(Type::ordered(name, words.iter().map(String::as_str)));
        }
        let known = NAMES
            .iter()
            .map(|(name, _)| *name)
            .chain(TextForm::ALL.iter().map(|form| form.word()))
            .chain(["severity", "tlp", "pap", "list"])
            .chain(self.enums.keys().map(String::as_str));
        Err(NotAType {
            offset: start,
            message: if name.is_empty() {
                "a type goes here".to_owned()
            } else {
                format!("there is no type `{name}`")
            },
            suggestion: crate::suggestion::nearest(name, known)
                .first()
                .map(|known| (*known).to_owned()),
        })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }
    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }
    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }
    fn need(&mut self, wanted: char) -> Result<(), NotAType> {
        self.blanks();
        if self.take(wanted) {
            Ok(())
        } else {
            Err(self.wrong(&format!("`{wanted}` goes here")))
        }
    }
    fn word(&mut self) -> &'a str {
        let start = self.at;
        self.at += self
            .rest()
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        self.text.get(start..self.at).unwrap_or("")
    }
    fn wrong(&self, message: &str) -> NotAType {
        NotAType {
            offset: self.at,
            message: message.to_owned(),
            suggestion: None,
        }
    }
}
