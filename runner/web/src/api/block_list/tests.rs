//! Conditional requests, in the spellings devices send.

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};

use super::is_known;

#[test]
fn a_copy_is_known_by_any_of_its_tags() {
    for (sent, known) in [
        ("\"abc\"", true),
        ("W/\"abc\"", true),
        ("\"x\", \"abc\"", true),
        ("*", true),
        ("\"abcd\"", false),
        ("abc", false),
        ("", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, HeaderValue::from_str(sent).unwrap());
        assert_eq!(is_known(&headers, "abc"), known, "{sent}");
    }
    assert!(!is_known(&HeaderMap::new(), "abc"));
}
