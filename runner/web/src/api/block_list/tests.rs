//! Conditional requests, in the spellings devices send.

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;

use super::{http_date, is_known, parse_http_date};

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

#[test]
fn dates_are_those_of_http() {
    let at = Timestamp::from_second(784_111_777).unwrap();
    assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(parse_http_date(&http_date(at)), Some(at));
    assert_eq!(parse_http_date("yesterday"), None);
}
