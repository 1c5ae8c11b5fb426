//! Values in a line, so that two that differ can be told apart.

use serde_json::Value;

/// Characters of one value in a line.
pub(super) const VALUE_CHARS_MAX: usize = 120;
/// Characters that two long texts share in front of what is shown of them.
const CONTEXT_CHARS: usize = 20;

/// A value as JSON on one line, cut.
pub(super) fn value(value: &Value) -> String {
    cut(&value.to_string(), 0)
}

/// Two values as lines. Of long texts the part around the first difference is shown.
pub(super) fn contrast(wanted: &Value, got: Option<&Value>) -> (String, String) {
    let Some(got) = got else {
        return (value(wanted), "absent".to_owned());
    };
    let (wanted, got) = (wanted.to_string(), got.to_string());
    let most = wanted.chars().count().max(got.chars().count());
    if most <= VALUE_CHARS_MAX {
        return (wanted, got);
    }
    let shared = wanted
        .chars()
        .zip(got.chars())
        .take_while(|(one, two)| one == two)
        .count();
    let from = shared.saturating_sub(CONTEXT_CHARS);
    (cut(&wanted, from), cut(&got, from))
}

/// The characters from one on, with an ellipsis where something is missing.
pub(super) fn cut(text: &str, from: usize) -> String {
    let front = (from > 0).then_some('…');
    let mut rest = text.chars().skip(from);
    let shown: Vec<char> = rest.by_ref().take(VALUE_CHARS_MAX).collect();
    let back = rest.next().map(|_| '…');
    front.into_iter().chain(shown).chain(back).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_texts_are_shown_around_their_first_difference() {
        let (wanted, got) = contrast(
            &json!(format!("{}right{}", "a".repeat(300), "z".repeat(300))),
            Some(&json!(format!("{}wrong", "a".repeat(300)))),
        );
        assert!(wanted.starts_with("…aaa") && wanted.contains("aright") && wanted.ends_with('…'));
        assert_eq!(got, format!("…{}wrong\"", "a".repeat(20)));
        assert_eq!(contrast(&json!(1), None), ("1".to_owned(), "absent".to_owned()));
        for (length, ellipsis) in [(117, false), (118, false), (119, true)] {
            assert_eq!(
                value(&json!("x".repeat(length))).ends_with('…'),
                ellipsis,
                "{length}"
            );
        }
    }
}
