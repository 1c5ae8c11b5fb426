//! Only what the receiving server wrote counts.

use super::{Authentication, read};

#[test]
fn a_usual_header_is_read() {
    let header = "mx.ville.example;\r\n spf=pass (sender IP is 192.0.2.7; really) smtp.mailfrom=x.example;\r\n \
                  dkim=fail reason=\"bad; worse\" header.d=x.example; dmarc=FAIL action=none header.from=x.example";
    assert_eq!(
        read([header]),
        Authentication {
            spf: "pass",
            dkim: "fail",
            dmarc: "fail"
        }
    );
}

#[test]
fn a_header_that_the_sender_wrote_does_not_count() {
    let results = read([
        "mx.ville.example; spf=fail smtp.mailfrom=x.example",
        "mx.evil.example; spf=pass; dkim=pass; dmarc=pass",
    ]);
    assert_eq!(
        results,
        Authentication {
            spf: "fail",
            dkim: "none",
            dmarc: "none"
        }
    );
}

#[test]
fn several_headers_of_one_server_add_up() {
    let results = read([
        "mx.ville.example; dmarc=pass",
        "MX.ville.example 1; dkim=fail header.d=a; dkim=pass header.d=b",
        "mx.ville.example; spf=softfail; dmarc=fail",
    ]);
    assert_eq!(
        results,
        Authentication {
            spf: "softfail",
            dkim: "pass",
            dmarc: "pass"
        }
    );
}

#[test]
fn a_header_without_the_name_of_a_server_is_read() {
    let results =
        read(["spf=fail (sender IP is 1.1.1.1) smtp.mailfrom=x.example; dkim=none; dmarc=fail action=none"]);
    assert_eq!(
        (results.spf, results.dkim, results.dmarc),
        ("fail", "none", "fail")
    );
}

#[test]
fn words_of_no_standard_are_none() {
    for header in [
        "",
        ";",
        "mx; none",
        "mx; spf=great",
        "mx; =pass",
        "mx; (spf=pass)",
        "mx; spf",
    ] {
        assert_eq!(read([header]), Authentication::NONE, "{header}");
    }
}
