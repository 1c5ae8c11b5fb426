//! What a plain scalar means, and which plain scalars mean different things to different readers.

use super::{Data, Style};

/// A plain scalar, decided or refused.
pub(super) enum Plain {
    /// It means this everywhere.
    Means(Data),
    /// Readers disagree or it does not fit: what is wrong, and what to write instead, best first.
    Ambiguous(String, Vec<String>),
}

/// Resolves a plain scalar by the core schema of YAML 1.2, minus everything on which YAML 1.1
/// and 1.2 readers disagree.
pub(super) fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Means(Data::Null),
        "true" | "True" | "TRUE" => return Plain::Means(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Plain::Means(Data::Bool(false)),
        _ => {}
    }
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" if text.len() <= 3 => return boolean(text, "true"),
        "no" | "off" if text.len() <= 3 => return boolean(text, "false"),
        _ => {}
    }
    if looks_numeric(text) {
        number(text)
    } else {
        Plain::Means(Data::Text(text.to_owned(), Style::Plain))
    }
}

fn boolean(text: &str, meaning: &str) -> Plain {
    Plain::Ambiguous(
        format!("`{text}` is a boolean to some YAML readers and a text to others"),
        vec![meaning.to_owned(), format!("\"{text}\"")],
    )
}

fn looks_numeric(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned.as_bytes() {
        [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => true,
        [b'.', ..] => matches!(unsigned.to_ascii_lowercase().as_str(), ".inf" | ".nan"),
        _ => false,
    }
}

fn number(text: &str) -> Plain {
    let quoted = format!("\"{text}\"");
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if digits(unsigned) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            let decimal = unsigned.trim_start_matches('0');
            let decimal = if decimal.is_empty() { "0" } else { decimal };
            return Plain::Ambiguous(
                format!("`{text}` is octal to some YAML readers and decimal to others"),
                vec![quoted, decimal.to_owned()],
            );
        }
        return match text.parse::<i64>() {
            Ok(value) => Plain::Means(Data::Int(value)),
            Err(_) => Plain::Ambiguous(
                format!("`{text}` does not fit into 64 bits; readers would round it"),
                vec![quoted],
            ),
        };
    }
    let radix = unsigned
        .get(..2)
        .is_some_and(|head| matches!(head, "0x" | "0X" | "0o" | "0O" | "0b" | "0B"))
        && unsigned
            .bytes()
            .skip(2)
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'_');
    if radix {
        return Plain::Ambiguous(
            format!("`{text}` is a number to some YAML readers and a text to others"),
            vec![quoted],
        );
    }
    let underscored = unsigned.contains('_')
        && unsigned
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b'.'));
    if underscored {
        return Plain::Ambiguous(
            format!("`{text}` is a number to some YAML readers and a text to others"),
            vec![text.replace('_', ""), quoted],
        );
    }
    let base_60 = unsigned.contains(':') && unsigned.split(':').all(digits);
    if base_60 {
        return Plain::Ambiguous(
            format!("`{text}` is a number in base 60 to some YAML readers"),
            vec![quoted],
        );
    }
    float(text, unsigned, quoted)
}

fn float(text: &str, unsigned: &str, quoted: String) -> Plain {
    if matches!(unsigned.to_ascii_lowercase().as_str(), ".inf" | ".nan") {
        return Plain::Ambiguous(format!("`{text}` is not a finite number"), vec![quoted]);
    }
    let shape = unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    let parsed = if shape { text.parse::<f64>().ok() } else { None };
    match parsed {
        None => Plain::Means(Data::Text(text.to_owned(), Style::Plain)),
        Some(value) if unsigned.contains('.') && value.is_finite() => Plain::Means(Data::Float(value)),
        Some(_) => Plain::Ambiguous(
            format!("`{text}` is a number to some YAML readers and a text to others"),
            vec![quoted],
        ),
    }
}
