//! Strings of JSON: escapes, surrogates, control characters, the length limit.

use super::{Fault, JsonError, Reader, STRING_BYTES_MAX};

impl Reader<'_> {
    /// Reads a string; the reader stands on its opening quote.
    pub(super) fn string(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        self.at += 1;
        let mut string = String::new();
        loop {
            let plain = self.plain_run();
            string.push_str(plain);
            if string.len() > STRING_BYTES_MAX {
                self.at = start;
                return Err(self.limit(
                    format!("a text of more than {STRING_BYTES_MAX} bytes"),
                    "send less",
                ));
            }
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                Some(_) => {
                    return Err(
                        self.syntax("a control character inside a text", "escape it, for example \\n")
                    );
                }
                None => {
                    self.at = start;
                    return Err(self.syntax("this text has no closing quote", "send the whole document"));
                }
            }
        }
    }

    /// Everything up to the next quote, backslash, control character or the end.
    fn plain_run(&mut self) -> &str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest
            .bytes()
            .position(|byte| byte == b'"' || byte == b'\\' || byte < 0x20)
            .unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        self.at += 1;
        let letter = self.peek();
        self.at += 1;
        match letter {
            Some(b'"') => Ok('"'),
            Some(b'\\') => Ok('\\'),
            Some(b'/') => Ok('/'),
            Some(b'b') => Ok('\u{8}'),
            Some(b'f') => Ok('\u{c}'),
            Some(b'n') => Ok('\n'),
            Some(b'r') => Ok('\r'),
            Some(b't') => Ok('\t'),
            Some(b'u') => self.unicode_escape(start),
            _ => {
                self.at = start;
                Err(self.syntax(
                    "this escape does not exist",
                    "use \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\uXXXX",
                ))
            }
        }
    }

    fn unicode_escape(&mut self, start: usize) -> Result<char, JsonError> {
        let first = self.four_hex(start)?;
        let code = match first {
            0xD800..=0xDBFF => match self.low_surrogate(start)? {
                Some(low) => 0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00),
                None => first,
            },
            other => other,
        };
        char::from_u32(code).ok_or_else(|| {
            self.at = start;
            self.fault(
                Fault::Encoding,
                "half of a surrogate pair",
                "send whole characters",
            )
        })
    }

    /// The second half of a pair, if one follows; the reader stays where it is otherwise.
    fn low_surrogate(&mut self, start: usize) -> Result<Option<u32>, JsonError> {
        let here = self.at;
        if !(self.take(b'\\') && self.take(b'u')) {
            self.at = here;
            return Ok(None);
        }
        let second = self.four_hex(start)?;
        if (0xDC00..=0xDFFF).contains(&second) {
            return Ok(Some(second));
        }
        self.at = here;
        Ok(None)
    }

    fn four_hex(&mut self, start: usize) -> Result<u32, JsonError> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|text| u32::from_str_radix(text, 16).ok()) else {
            self.at = start;
            return Err(self.syntax("`\\u` needs four hexadecimal digits", "write for example \\u00e9"));
        };
        self.at += 4;
        Ok(code)
    }
}
