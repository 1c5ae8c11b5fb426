//! Reading links and visible text out of HTML that wants to deceive.
//!
//! Owns a tolerant scanner: linear time, no tree, no recursion. It never decides whether markup is
//! valid; it reads what a mail program might show or follow.

#[cfg(test)]
mod tests;

/// What a page says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Values of attributes that lead somewhere, in order, entities decoded.
    pub(crate) links: Vec<String>,
    /// Text and scripts, one space for every tag, entities decoded.
    pub(crate) text: String,
}

/// Reads a page.
pub(crate) fn read(html: &str) -> Page {
    let mut page = Page::default();
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        page.text.push_str(&decoded(text));
        rest = match tag.chars().next() {
            Some(c) if c.is_ascii_alphabetic() => page.read_tag(tag),
            // What a comment holds may be shown by one mail program, so it is read like the rest.
            Some('!') if tag.starts_with("!--") => tag.get(3..).unwrap_or_default(),
            Some('/' | '!' | '?') => {
                page.text.push(' ');
                tag.split_once('>').map_or("", |(_, after)| after)
            }
            _ => {
                page.text.push('<');
                tag
            }
        };
    }
    page.text.push_str(&decoded(rest));
    page
}

impl Page {
    /// Reads the tag whose name begins here; returns what comes after it.
    fn read_tag<'h>(&mut self, tag: &'h str) -> &'h str {
        let name_length = tag
            .find(|c: char| !c.is_ascii_alphanumeric() && c != ':' && c != '-')
            .unwrap_or(tag.len());
        let (name, mut rest) = tag.split_at(name_length);
        let name = name.to_ascii_lowercase();
        self.text.push(' ');
        while let Some(attribute) = Attribute::read(rest) {
            rest = attribute.rest;
            if leads_somewhere(&name, &attribute.name) {
                self.links.push(decoded(attribute.value));
            } else if name == "meta" && attribute.name == "content" {
                self.links.extend(refresh_target(&decoded(attribute.value)));
            }
        }
        let after = rest.strip_prefix('>').unwrap_or(rest);
        if name == "style" {
            return after.find("</").and_then(|end| after.get(end..)).unwrap_or("");
        }
        after
    }
}

/// One attribute and what comes after it.
struct Attribute<'h> {
    name: String,
    value: &'h str,
    rest: &'h str,
}

impl<'h> Attribute<'h> {
    /// The next attribute of a tag; `None` at its end.
    fn read(tag: &'h str) -> Option<Self> {
        let tag = tag.trim_start_matches(|c: char| c.is_whitespace() || c == '/' || c == '"' || c == '\'');
        if tag.is_empty() || tag.starts_with('>') {
            return None;
        }
        let end_of_name = |c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/');
        // A name may begin with `=`; whatever it is, it is consumed, so that reading goes on.
        let first = tag.chars().next().map_or(0, char::len_utf8);
        let length = tag
            .get(first..)
            .and_then(|after_first| after_first.find(end_of_name))
            .map_or(tag.len(), |found| found + first);
        let (name, rest) = tag.split_at(length);
        let name = name.to_ascii_lowercase();
        let Some(value) = rest.trim_start().strip_prefix('=') else {
            return Some(Self {
                name,
                value: "",
                rest,
            });
        };
        let value = value.trim_start();
        let quoted = |mark: char| {
            value
                .strip_prefix(mark)
                .map(|inside| inside.split_once(mark).unwrap_or((inside, "")))
        };
        let (value, rest) = quoted('"').or_else(|| quoted('\'')).unwrap_or_else(|| {
            let length = value
                .find(|c: char| c.is_whitespace() || c == '>')
                .unwrap_or(value.len());
            value.split_at(length)
        });
        Some(Self { name, value, rest })
    }
}

/// Whether a person or a program that follows this attribute leaves the page.
fn leads_somewhere(tag: &str, attribute: &str) -> bool {
    match attribute {
        "href" => tag != "link",
        "action" | "formaction" => true,
        "src" => matches!(tag, "iframe" | "frame" | "embed"),
        "data" => tag == "object",
        _ => false,
    }
}

/// The target of `<meta http-equiv="refresh" content="0; url=...">`.
fn refresh_target(content: &str) -> Option<String> {
    let start = content.to_ascii_lowercase().find("url=")?;
    let target = content.get(start + 4..)?;
    Some(target.trim().trim_matches(['"', '\'']).to_owned())
}

/// The text with its character references decoded.
fn decoded(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        result.push_str(before);
        if let Some((c, length)) = reference(after) {
            result.push(c);
            rest = after.get(length..).unwrap_or_default();
        } else {
            result.push('&');
            rest = after;
        }
    }
    result.push_str(rest);
    result
}

/// Character references by name, those that appear in links and addresses.
const NAMED: &[(&str, char)] = &[
    ("amp;", '&'),
    ("lt;", '<'),
    ("gt;", '>'),
    ("quot;", '"'),
    ("apos;", '\''),
    ("nbsp;", ' '),
    ("colon;", ':'),
    ("sol;", '/'),
    ("period;", '.'),
    ("commat;", '@'),
    ("equals;", '='),
    ("quest;", '?'),
    ("num;", '#'),
    ("shy;", '\u{ad}'),
    ("Tab;", '\t'),
    ("NewLine;", '\n'),
    ("amp", '&'),
];

/// The character that a reference stands for, and how many bytes it takes after its `&`.
fn reference(text: &str) -> Option<(char, usize)> {
    if let Some(number) = text.strip_prefix('#') {
        let (digits, radix, prefix) = match number.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => (hexadecimal, 16, 2),
            None => (number, 10, 1),
        };
        let length = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let c = char::from_u32(u32::from_str_radix(digits.get(..length)?, radix).ok()?)?;
        let semicolon = usize::from(digits.get(length..)?.starts_with(';'));
        return Some((c, prefix + length + semicolon));
    }
    NAMED
        .iter()
        .find(|(name, _)| text.starts_with(name))
        .map(|(name, c)| (*c, name.len()))
}
