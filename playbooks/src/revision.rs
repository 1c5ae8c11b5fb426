//! The identity of a playbook: a hash over what was parsed, not over how it was typed.
//!
//! Owns canonical JSON (RFC 8785) and the revision made from it. Comments, layout and quoting do
//! not change a revision; every key, value and template text does.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The revision of a playbook: lower-case hexadecimal SHA-256 over the canonical JSON of
/// `{"playbook": <tree>, "templates": {<name>: <sha256 of text>}}`, with the templates that its
/// steps name.
pub fn of<'a>(playbook: &Value, templates: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let templates: serde_json::Map<String, Value> = templates
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Value::String(sha256(text.as_bytes()))))
        .collect();
    let whole = serde_json::json!({"playbook": playbook, "templates": templates});
    sha256(canonical_json(&whole).as_bytes())
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// JSON as RFC 8785 writes it: no blanks, keys sorted by UTF-16 code units, shortest numbers.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
        Value::Number(number) => out.push_str(&canonical_number(number)),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                if let Some(field) = fields.get(key) {
                    write_value(field, out);
                }
            }
            out.push('}');
        }
    }
}

/// A number as ECMAScript prints it. Integers of 64 bits keep all their digits, which is where
/// we are more exact than RFC 8785 asks for.
fn canonical_number(number: &serde_json::Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    if float == 0.0 {
        return "0".to_owned();
    }
    let size = float.abs();
    if (1e-6..1e21).contains(&size) {
        return format!("{float}");
    }
    let text = format!("{float:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_and_numbers_are_shortest() {
        let value =
            json!({"b": [1, 1.0, 1.5, 1e21, 1e-7, 1e-6], "a": "é\n\u{1}", "\u{1f600}": 1, "\u{fb33}": 2});
        assert_eq!(
            canonical_json(&value),
            "{\"a\":\"é\\n\\u0001\",\"b\":[1,1,1.5,1e+21,1e-7,0.000001],\"\u{1f600}\":1,\"\u{fb33}\":2}"
        );
    }

    /// Appendix B of RFC 8785, the finite cases.
    #[test]
    fn numbers_of_the_standard_print_as_it_says() {
        for (bits, text) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
        ] {
            let number = serde_json::Number::from_f64(f64::from_bits(bits)).unwrap();
            assert_eq!(canonical_number(&number), text);
        }
    }

    #[test]
    fn a_revision_changes_with_content_only() {
        let one = of(&json!({"a": 1, "b": 2}), [("mail/x.en", "hello")]);
        assert_eq!(one, of(&json!({"b": 2, "a": 1}), [("mail/x.en", "hello")]));
        assert_ne!(one, of(&json!({"a": 1, "b": 3}), [("mail/x.en", "hello")]));
        assert_ne!(one, of(&json!({"a": 1, "b": 2}), [("mail/x.en", "hello!")]));
        assert_ne!(one, of(&json!({"a": 1, "b": 2}), [("mail/y.en", "hello")]));
        assert_eq!(one.len(), 64);
    }
}
